//! Steps of which more tasks come: a plan that an agent wrote, a list that is
//! worked off line by line. The agents are scripts; what they write is as bad as
//! agents can make it.

use git_crew::domain::run::Run;
use git_crew::domain::task::Task;

use super::sandbox::{Said, Sandbox, put};
use super::story;

/// `plan` plans, `last` waits for it.
const ADAPTIVE: &str = "## plan\nrole: reader\nplan: yes\ncheck: test -s made-one\n\nPlan {goal}.\n\n\
    ## last\nrole: reader\ndependsOn: plan\n\nLook at it.\n";

/// `find` makes a list, `mend` is done for each line of it.
const LIST: &str = "## find\nrole: reader\noutput: list.txt\n\nFind them.\n\n\
    ## mend\nrole: hand\ndependsOn: find\nforeach: list.txt\noutput: note.md\ncheck: ls item-* \n\nMend {item}.\n\n\
    ## last\nrole: reader\ndependsOn: mend\nreads: note.md\n\nLook at it.\n";

/// A sandbox whose agent copies the files that the test writes, and otherwise
/// makes one of its own.
fn sandbox(steps: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let from = sandbox.outside("").display().to_string();
    let agent = format!(
        "cat >/dev/null; echo \"agent $CREW_TASK\"; case $CREW_TASK in \
         two) true;; plan) cp {from}plan.$CREW_ATTEMPT \"$CREW_OUT/plan.json\" || true;; \
         find) cp {from}list \"$CREW_OUT/list.txt\" || true;; \
         last) for one in \"$CREW_IN\"/note*; do test -f \"$one\" && cat \"$one\"; done; true;; \
         mend*) cp \"$CREW_IN/item\" item-$CREW_TASK; cp \"$CREW_IN/item\" \"$CREW_OUT\"/note.md; \
                cp \"$CREW_IN/item\" \"$CREW_OUT\"/note-1.md; cp \"$CREW_IN/item\" \"$CREW_OUT\"/note-2.md;; \
         broken) test -f {from}mended && echo x >made-broken;; \
         *) echo x >made-$CREW_TASK;; esac"
    );
    sandbox.by_user(|sandbox| sandbox.git(&["config", "crew.agent.fake.command", &agent]));
    sandbox.config_file("workflows/t.workflow.md", format!("---\nname: t\n---\n{steps}"));
    let roles = "- hand: agent=maker makes things\n- reader: agent=verifier reads\n- runner: agent=script\n";
    sandbox.config_file("teams/t.team.md", format!("---\nname: t\n---\n{roles}"));
    sandbox.config_file("agents/maker.md", "---\nname: maker\n---\nYou make things.\n");
    sandbox.config_file("agents/script.md", "---\nname: script\nagent: sh\n---\nYou run.\n");
    sandbox
}

fn planned(plans: &[&str]) -> Sandbox {
    let sandbox = sandbox(ADAPTIVE);
    for (at, plan) in plans.iter().enumerate() {
        put(&sandbox.outside(&format!("plan.{}", at + 1)), plan);
    }
    sandbox
}

fn task<'a>(run: &'a Run, id: &str) -> &'a Task {
    run.task(&id.parse().expect("a slug")).unwrap_or_else(|| panic!("no task '{id}'"))
}

/// What attempt `n` of a task failed of.
fn failure(said: &Said, sandbox: &Sandbox, id: &str) -> String {
    sandbox.crew(&["show", id, "plan"]).exits(0).out + &said.out
}

const GOOD: &str = r#"{"tasks": [
    {"id": "one", "role": "hand", "task": "Make one.", "check": "test -s made-one"},
    {"id": "two", "role": "reader", "task": "Read one.", "dependsOn": "one", "check": "test -s made-one"}]}"#;

#[test]
fn a_plan_becomes_tasks_of_the_same_run() {
    let sandbox = planned(&[GOOD]);
    let (id, said) = sandbox.run(&[], 0);
    let run = story::sound(&sandbox, &id);
    assert_eq!(
        story::standing(&run),
        "completed plan=completed one=completed two=completed last=completed"
    );
    assert!(said.err.contains("plan: 2 tasks follow: from 'plan.json'"), "{}", said.err);
    let needs: Vec<&str> = task(&run, "last").needs.iter().map(|need| need.as_str()).collect();
    assert_eq!(needs, ["plan", "two"]);
    let result = sandbox.git(&["ls-tree", "--name-only", &format!("refs/crew/results/{id}")]);
    assert!(result.lines().any(|name| name == "made-one"), "{result}");
    // a plan's own checks are run, said to be its own, and verify nothing
    assert!(task(&run, "one").verified, "the workflow's check passed on it");
    assert!(!task(&run, "two").verified, "only the plan's did");
    let shown = sandbox.crew(&["show", &id, "two"]).exits(0).out;
    assert!(shown.contains("planned by plan") && shown.contains("the plan's own"), "{shown}");
    assert!(shown.contains("unverified"), "{shown}");
    let one = sandbox.crew(&["show", &id, "one"]).exits(0).out;
    assert_eq!(one.matches("the plan's own").count(), 1, "{one}");
    let prompt = sandbox.crew(&["show", &id, "plan", "--prompt"]).exits(0).out;
    for word in ["$CREW_OUT/plan.json", "- `dependsOn`:", "- `hand`: makes things", "(read-only)"] {
        assert!(prompt.contains(word), "no {word}: {prompt}");
    }
    assert!(!prompt.contains("`runner`"), "a role that 'sh' plays is not offered: {prompt}");
    let prompt = sandbox.crew(&["show", &id, "one", "--prompt"]).exits(0).out;
    assert!(prompt.contains("(Task `plan` of this run planned this one.)"), "{prompt}");
    let stored = sandbox.git(&["show", &format!("refs/crew/runs/{id}:plan.json")]);
    let stored: serde_json::Value = serde_json::from_str(&stored).expect("JSON");
    assert_eq!(
        stored["tasks"].as_array().map(Vec::len),
        Some(4),
        "the stored plan is the revised one"
    );
}

#[test]
fn a_bad_plan_is_mended_by_who_is_told_what_is_wrong() {
    let bad =
        GOOD.replace("\"hand\"", "\"hnad\"").replace("\"one\", \"check\"", "\"on\", \"check\"");
    let sandbox = planned(&[&bad, &format!("Here is my plan.\n```json\n{GOOD}\n```\n")]);
    let (id, said) = sandbox.run(&[], 0);
    let run = story::sound(&sandbox, &id);
    assert_eq!(task(&run, "plan").attempts.len(), 2);
    assert!(said.err.contains("plan: attempt 1 failed (plan): "), "{}", said.err);
    let prompt = sandbox.crew(&["show", &id, "plan", "--prompt"]).exits(0).out;
    for fault in [
        "$.tasks[0].role: team 't' has no role 'hnad' that a plan may use; did you mean 'hand'?",
        "$.tasks[1].dependsOn[0]: no task 'on' in this plan; did you mean 'one'?",
    ] {
        assert!(prompt.contains(fault), "no {fault}: {prompt}");
    }
}

#[test]
fn a_plan_that_stays_bad_fails_and_nothing_of_it_runs() {
    let script =
        GOOD.replace("\"hand\"", "\"runner\"").replace("Make one.", "```sh\\ntouch made-one\\n```");
    let itself = GOOD.replace("\"Make one.\"", "\"Make one.\", \"dependsOn\": \"one\"");
    let tasks: Vec<String> = (0..10_000).map(|n| format!("{{\"id\":\"t{n}\"}}")).collect();
    let many = format!("{{\"tasks\": [{}]}}", tasks.join(","));
    for (plan, words) in [
        (script.as_str(), "role 'runner' is played by 'sh', which runs its text as a script"),
        (&itself, "$.tasks[0].dependsOn[0]: it depends on itself"),
        (&many, "$.tasks: 10000 tasks; 50 is the most"),
        ("I would do it like {\"tasks\": []}.", "no JSON"),
    ] {
        let sandbox = planned(&[plan, plan, GOOD]);
        let (id, said) = sandbox.run(&[], 1);
        let run = story::sound(&sandbox, &id);
        assert_eq!(story::standing(&run), "failed plan=failed last=skipped", "{words}");
        assert_eq!(task(&run, "plan").attempts.len(), 2, "{words}: one retry, not two");
        let told = failure(&said, &sandbox, &id);
        assert!(told.contains(words) && told.contains("plan: the plan can't be used"), "{told}");
    }
}

#[test]
fn a_plan_that_is_not_there_is_a_bad_plan() {
    let sandbox = planned(&[]);
    let (id, said) = sandbox.run(&[], 1);
    let told = failure(&said, &sandbox, &id);
    assert!(told.contains("it left no 'plan.json' in $CREW_OUT"), "{told}");
}

#[test]
fn a_planned_task_that_failed_is_tried_again() {
    let plan = GOOD.replace("\"one\"", "\"broken\"").replace("made-one", "made-broken");
    let sandbox = planned(&[&plan]);
    sandbox.config_file(
        "workflows/t.workflow.md",
        format!("---\n---\n{}", ADAPTIVE.replace("check: test -s made-one\n", "")),
    );
    let (id, _) = sandbox.run(&[], 1);
    let run = story::sound(&sandbox, &id);
    assert_eq!(
        story::standing(&run),
        "failed plan=completed broken=failed two=skipped last=skipped"
    );
    put(&sandbox.outside("mended"), "");
    sandbox.crew(&["retry", &id]).exits(0);
    let run = story::sound(&sandbox, &id);
    assert_eq!(
        story::standing(&run),
        "completed plan=completed broken=completed two=completed last=completed"
    );
    assert_eq!(task(&run, "plan").attempts.len(), 1, "what was planned stays planned");
}

#[test]
fn a_dry_run_says_which_step_will_plan() {
    let sandbox = sandbox(&format!(
        "{ADAPTIVE}\n## find\nrole: reader\noutput: list.txt\n\nx\n\n## mend\nrole: hand\ndependsOn: find\nforeach: list.txt\n\n{{item}}\n"
    ));
    let said = sandbox.crew(&["run", "--team", "t", "--dry-run", "do it"]).exits(0);
    assert!(said.out.contains("read-only, plans the tasks that follow, 1 check]"), "{}", said.out);
    assert!(
        said.out.contains("mend  [hand on fake, once for each line of list.txt]"),
        "{}",
        said.out
    );
    assert!(said.out.contains("plan: check: test -s made-one"), "{}", said.out);
    // with every role played by 'sh' no plan could be carried out
    let said = sandbox.crew(&["run", "--team", "t", "--agent", "sh", "--dry-run", "do it"]);
    said.refused(2, &["no role of team 't' can take a task of a plan"]);
}

#[test]
fn a_list_is_worked_off_line_by_line() {
    let sandbox = sandbox(LIST);
    put(&sandbox.outside("list"), "src/a b.rs\n\n$(touch gone)\n");
    let (id, said) = sandbox.run(&[], 0);
    let run = story::sound(&sandbox, &id);
    assert_eq!(
        story::standing(&run),
        "completed find=completed mend-1-src-a-b-rs=completed mend-2-touch-gone=completed last=completed"
    );
    assert!(said.err.contains("mend: 2 tasks follow: for each line of 'list.txt'"), "{}", said.err);
    assert!(task(&run, "mend-1-src-a-b-rs").verified, "the step's checks hold for each");
    let result = format!("refs/crew/results/{id}:item-mend-2-touch-gone");
    assert_eq!(sandbox.git(&["show", &result]), "$(touch gone)");
    let prompt = sandbox.crew(&["show", &id, "mend-1-src-a-b-rs", "--prompt"]).exits(0).out;
    assert!(prompt.contains("Mend src/a b.rs.") && prompt.contains("$CREW_IN/item"), "{prompt}");
    let words = sandbox.crew(&["log", &id, "last", "--output"]).exits(0).out;
    assert!(
        words.contains("src/a b.rs") && words.contains("$(touch gone)"),
        "its readers get all: {words}"
    );
}

#[test]
fn an_empty_list_is_skipped_and_the_rest_goes_on() {
    let sandbox = sandbox(LIST);
    put(&sandbox.outside("list"), "\n\n");
    let (id, said) = sandbox.run(&[], 0);
    let run = story::sound(&sandbox, &id);
    assert_eq!(story::standing(&run), "completed find=completed mend=skipped last=completed");
    assert!(said.err.contains("mend: nothing to do: no line in 'list.txt'"), "{}", said.err);
    let shown = sandbox.crew(&["show", &id, "mend"]).exits(0).out;
    assert!(shown.contains("no line in 'list.txt'"), "{shown}");
}

#[test]
fn a_list_that_is_too_long_is_mended_or_fails() {
    let sandbox = sandbox(LIST);
    put(&sandbox.outside("list"), "x\n".repeat(51));
    let (id, _) = sandbox.run(&[], 1);
    let run = story::sound(&sandbox, &id);
    assert_eq!(story::standing(&run), "failed find=failed mend=skipped last=skipped");
    let shown = sandbox.crew(&["show", &id, "find"]).exits(0).out;
    assert!(shown.contains("'list.txt': 51 lines; 50 is the most"), "{shown}");
}

/// Whatever a kill between the attempt's end and the first planned task leaves,
/// the next process makes the plan's tasks once.
#[cfg(feature = "failpoints")]
#[test]
fn killed_between_the_plan_and_its_tasks_it_goes_on() {
    let swaps = ["swap.locked", "swap.renamed"];
    let moments = swaps.iter().flat_map(|step| (9..13).map(move |n| format!("{step}@{n}")));
    let points = ["launch.ended", "harvest.pinned", "expand.read"].map(str::to_owned);
    let (mut judged, mut revised) = (0, 0);
    for point in points.into_iter().chain(moments) {
        let sandbox = planned(&[GOOD, GOOD]);
        let crew = sandbox.at(sandbox.user()).env("CREW_FAIL", &format!("{point}:kill"));
        let ended = crew.run(&["run", "--team", "t", "do it"]);
        assert_eq!(ended.code, None, "{point} was not reached: {}", ended.err);
        let id = sandbox.newest();
        let text = sandbox.git(&["show", &format!("refs/crew/runs/{id}:run.json")]);
        let (dead, _) = git_crew::store::codec::decode_run(text.as_bytes()).expect("its state");
        let over = task(&dead, "plan").last().is_some_and(|last| !last.is_open());
        judged += usize::from(over && dead.tasks.len() == 2);
        revised += usize::from(dead.tasks.len() == 4 && task(&dead, "one").attempts.is_empty());
        sandbox.crew(&["resume", &id]).exits(0);
        let run = story::sound(&sandbox, &id);
        assert_eq!(
            story::standing(&run),
            "completed plan=completed one=completed two=completed last=completed",
            "{point}"
        );
        let events = story::events(&sandbox, &id);
        let count = events.iter().filter(|event| event.kind.word() == "plan-revised").count();
        assert_eq!(count, 1, "{point}: its tasks came once");
    }
    assert!(judged > 0 && revised > 0, "{judged} before the tasks were there, {revised} after");
}
