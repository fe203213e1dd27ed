//! The keys of workflow files and of steps, with what becomes of each.

use crate::domain::keys::Key;

/// Why `specStrict: true` is an error.
pub const SPEC_STRICT: &str =
    "'specStrict' is not supported: evidence is not judged; put what must hold into 'check:' lines";

/// The keys of a workflow file.
pub const KEYS: &[Key] = &[
    Key::honoured("name", "must be the file's name; may be left out"),
    Key::honoured("description", "one line for listings"),
    Key::honoured("maxConcurrency", "tasks that run at the same time; before the team's"),
    Key::honoured(
        "topology",
        "single, sequential, concurrent or complex-dag: for people, the needs decide; 'dynamic' is an error",
    ),
    Key::honoured(
        "specStrict",
        "false changes nothing; true is an error: put what must hold into 'check:' lines",
    ),
    Key::no_effect("coalesceMicroTasks", "every step is a task of its own"),
];

/// The keys of a step.
pub const STEP_KEYS: &[Key] = &[
    Key::honoured("role", "the team role that runs it; required"),
    Key::honoured(
        "dependsOn",
        "comma list of steps that must be completed before; their results are its base",
    ),
    Key::honoured("parallelGroup", "a label for people; steps that are ready run together anyway"),
    Key::honoured(
        "output",
        "an artifact the agent writes to $CREW_OUT, outside the tree; 'false' for none",
    ),
    Key::honoured(
        "reads",
        "comma list of artifacts of earlier steps, found in $CREW_IN; 'false' for none",
    ),
    Key::honoured(
        "plan",
        "yes: its agent writes a plan as JSON into its artifact (plan.json if 'output:' names none); the tasks of it follow, and what depends on this step waits for them; its 'check:' lines hold for each of them that changes files",
    ),
    Key::honoured(
        "foreach",
        "an artifact of a step before: this one is done once for each line of it, '{item}' in the text is the line, $CREW_IN/item holds it too; without a line it is skipped",
    ),
    Key::honoured("verify", "true: a step whose agent verifies what was made before"),
    Key::honoured("check", "a shell command the result must pass; may be repeated"),
    Key::honoured("paths", "comma list of globs; a change outside them fails the attempt"),
    Key::honoured("timeout", "the longest an attempt may run: 90s, 10m, 2h"),
    Key::honoured("idle", "the longest an attempt may be silent: 90s, 10m, 2h"),
    Key::honoured("retries", "further attempts after a failed one, 0 to 20"),
    Key::honoured(
        "agent",
        "programs to run it, the first available one is used: 'sh' or a name from crew.agent.<name>.command",
    ),
    Key::honoured("worktree", "true, as always; false is an error"),
    Key::no_effect("model", "choose it in the command line of crew.agent.<name>.command"),
    Key::honoured(
        "skills",
        "comma list of skills that its agent is told, instead of those of its role and agent; 'false' for none",
    ),
    Key::no_effect("progress", "progress is seen by 'git crew status' and 'git crew log'"),
    Key::no_effect(
        "seedPaths",
        "tracked files are there; name others in crew.copy or .worktreeinclude",
    ),
    Key::no_effect(
        "specRefs",
        "name the files in the text, put what must hold into 'check:' lines",
    ),
    Key::refused("specStrict", "evidence is not judged; put what must hold into 'check:' lines"),
    Key::refused(
        "preStepScript",
        "no script runs before a step; use crew.setup, or a step with 'agent: sh' before it",
    ),
    Key::no_effect("preStepArgs", "no script runs before a step"),
    Key::no_effect("preStepTimeout", "no script runs before a step"),
    Key::no_effect("preStepOptional", "no script runs before a step"),
];
