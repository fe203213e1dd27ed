//! What files of a repository would run on this machine, before a person has
//! agreed to it.
//!
//! A repository's `.crew/` comes with a clone: whoever wrote it would choose the
//! commands that run here. So it runs unattended only where a person has trusted
//! these very bytes; a file that changes by one of them has to be trusted anew.
//!
//! Limit: prompts are not commands. What a model makes of them is the fence's
//! business.

use super::fence::last_sh_block;
use super::id::Oid;
use super::plan::{Kind, Plan, PlannedTask, SH, Where};
use super::workflow::Workflow;

/// What a command is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// A `check:` line: it runs on each result of the step.
    Check,
    /// The block that the agent `sh` runs.
    Script,
}

impl Use {
    /// The use as a word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Script => "script",
        }
    }
}

/// A command that a file brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The step it belongs to.
    pub step: String,
    /// What it is for.
    pub what: Use,
    /// Its text, as the shell would get it.
    pub text: String,
}

/// A file of the repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// The path in the commit.
    pub path: String,
    /// Its object: what trust is bound to.
    pub id: Oid,
    /// Whether a person has trusted this object.
    pub trusted: bool,
    /// What it would run.
    pub commands: Vec<Command>,
}

/// Whether these files may not be used together before a person agrees: one of
/// them brings a command and one of them is not trusted. A team without commands
/// counts too, since it chooses who runs the workflow's.
#[must_use]
pub fn stops(files: &[File]) -> bool {
    files.iter().any(|file| !file.commands.is_empty()) && files.iter().any(|file| !file.trusted)
}

/// The paths of the repository that a plan was made from, each with the commands
/// of the plan that come from it.
#[must_use]
pub fn brought(plan: &Plan) -> Vec<(String, Vec<Command>)> {
    let commands = |kind| match kind {
        Kind::Workflow => plan.tasks.iter().flat_map(of_task).collect(),
        Kind::Team | Kind::Agent => Vec::new(),
    };
    let source = |source: &super::plan::Source| match &source.place {
        Where::Repository { path } => Some((path.clone(), commands(source.kind))),
        Where::Shipped | Where::User { .. } => None,
    };
    plan.sources.iter().filter_map(source).collect()
}

fn of_task(task: &PlannedTask) -> Vec<Command> {
    let script = if task.agent == SH { last_sh_block(&task.text) } else { None };
    commands(task.id.as_str(), script, task.step_checks())
}

/// What a workflow could run, whoever plays its roles.
#[must_use]
pub fn of_workflow(workflow: &Workflow) -> Vec<Command> {
    let step = |step: &super::workflow::Step| {
        commands(step.id.as_str(), last_sh_block(&step.text), &step.checks)
    };
    workflow.steps.iter().flat_map(step).collect()
}

fn commands(step: &str, script: Option<&str>, checks: &[String]) -> Vec<Command> {
    let command = |what, text: &str| Command { step: step.to_owned(), what, text: text.to_owned() };
    let script = script.map(|text| command(Use::Script, text));
    script.into_iter().chain(checks.iter().map(|text| command(Use::Check, text))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::workflow;

    fn file(trusted: bool, runs: bool) -> File {
        let command = Command { step: "a".into(), what: Use::Check, text: "make".into() };
        File {
            path: ".crew/x".into(),
            id: "1".repeat(40).parse().expect("an id"),
            trusted,
            commands: if runs { vec![command] } else { Vec::new() },
        }
    }

    #[test]
    fn one_command_and_one_stranger_are_enough() {
        let cases = [
            (vec![], false),
            (vec![file(false, false)], false),
            (vec![file(false, true)], true),
            (vec![file(true, true)], false),
            (vec![file(true, true), file(false, false)], true),
            (vec![file(true, true), file(true, false)], false),
        ];
        for (files, stop) in cases {
            assert_eq!(stops(&files), stop, "{files:?}");
        }
    }

    #[test]
    fn blocks_and_checks_are_commands_and_prompts_are_not() {
        let text = "---\nname: w\n---\n## A\nrole: r\ncheck: make test\n\nDo.\n```sh\nrm it\n```\n\
            ## B\nrole: r\n\nOnly words.\n";
        let read = workflow::parse("w", "w", text).expect("a workflow");
        let found = of_workflow(&read);
        let found: Vec<_> =
            found.iter().map(|one| (one.step.as_str(), one.what.word(), &*one.text)).collect();
        assert_eq!(found, [("a", "script", "rm it\n"), ("a", "check", "make test")]);
    }
}
