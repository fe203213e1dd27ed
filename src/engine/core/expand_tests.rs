//! Plans and lists in a world of scripts.

use super::world::{Act, World, oid, plan, task};
use super::*;
use crate::domain::plan::{Expand, Part};

/// `plan` plans, `last` waits for it, `beside` for nothing.
fn adaptive() -> Plan {
    let mut planner = task("plan", &[], &[]);
    planner.output = Some("plan.json".into());
    planner.expand = Some(Expand::Plan { checks: vec![] });
    let mut plan = plan(vec![planner, task("beside", &[], &[]), task("last", &["plan"], &[])], 1);
    plan.cast = vec![Part {
        role: "r".into(),
        description: String::new(),
        agent: "any".into(),
        fallbacks: vec![],
        persona: String::new(),
        writes: true,
        skills: vec![],
    }];
    plan
}

const TWO: &str = r#"{"tasks": [{"id": "one", "role": "r", "task": "x"},
    {"id": "two", "role": "r", "task": "x", "dependsOn": "one", "check": "true"}]}"#;

fn world(artifact: &str) -> World {
    let mut world = World::new(adaptive(), &[]);
    world.artifacts.insert("plan".into(), artifact.into());
    world
}

#[test]
fn a_plan_runs_before_what_waits_for_its_maker() {
    let mut world = world(TWO);
    world.feed(Input::Begin);
    let planned = ["expand plan", "launch one 1", "launch two 1", "launch last 1"];
    let order: Vec<&str> =
        world.log.iter().map(String::as_str).filter(|line| planned.contains(line)).collect();
    assert_eq!(order, planned);
    assert_eq!(world.run.status, RunStatus::Completed);
    let followed = world.followed.clone().expect("the workers follow");
    assert_eq!(
        followed.task(&"two".parse().expect("a slug")).expect("there").plan_checks,
        ["true"]
    );
    let needs = |run: &Run| -> Vec<(TaskId, Vec<TaskId>)> {
        run.tasks.iter().map(|task| (task.id.clone(), task.needs.clone())).collect()
    };
    let plan: Vec<_> = followed.tasks.iter().map(|t| (t.id.clone(), t.needs.clone())).collect();
    assert_eq!(plan, needs(&world.run), "the plan and the state are one graph");
}

#[test]
fn a_plan_that_no_longer_fits_asks_a_person() {
    let mut world = world(&TWO.replace("\"one\"", "\"beside\""));
    world.feed(Input::Begin);
    assert_eq!((world.status("plan"), world.status("last")), ("needs_attention", "skipped"));
    let why = world.run.tasks[0].why.clone().expect("it says why");
    assert!(why.contains("$.tasks[0].id: the run has a task 'beside' already"), "{why}");
}

/// Whoever goes on finds the plan judged and its tasks not there.
#[test]
fn who_goes_on_after_the_plan_was_judged_makes_its_tasks() {
    let mut world = world(TWO);
    world.script.insert("plan".into(), vec![Act::Hang]);
    world.feed(Input::Begin);
    let ended = world.ended("plan".parse().expect("a slug"), 1, Act::Good, false);
    let Input::Ended { task, attempt, ending, work, output, .. } = ended else { unreachable!() };
    world.write(EventKind::AttemptEnded { task, attempt, ending, work: *work, output });
    let verdict = Verdict {
        result: Judgement::Unverified,
        tree: oid(301),
        checks: vec![],
        sandbox: "none".into(),
    };
    let task = "plan".parse().expect("a slug");
    world.write(EventKind::VerdictReached { task, attempt: 1, verdict });
    world.core = Core::new(adaptive(), None);
    world.log.clear();
    world.feed(Input::Begin);
    assert_eq!(world.log.first().map(String::as_str), Some("expand plan"), "{:?}", world.log);
    assert_eq!(world.run.status, RunStatus::Completed);
    assert_eq!(world.run.tasks.len(), 5);
}

#[test]
fn who_is_stopped_leaves_the_plan_to_the_next() {
    let mut world = world(TWO);
    world.feed(Input::Stop(Stop::Interrupt));
    let task: TaskId = "plan".parse().expect("a slug");
    let before = world.run.clone();
    let input = Input::Expanded { task, artifact: Some(TWO.into()) };
    world.feed(input);
    assert_eq!(world.run.tasks, before.tasks);
}

fn list(lines: &str) -> World {
    let mut maker = task("find", &[], &[]);
    maker.output = Some("files.txt".into());
    let mut each = task("mend", &["find"], &[]);
    each.expand = Some(Expand::Foreach { of: "files.txt".into() });
    let mut world = World::new(plan(vec![maker, each, task("last", &["mend"], &[])], 2), &[]);
    world.artifacts.insert("mend".into(), lines.into());
    world
}

#[test]
fn a_list_is_worked_off_line_by_line() {
    let mut world = list("a.rs\nb.rs\nc.rs\n");
    world.feed(Input::Begin);
    assert_eq!(world.run.status, RunStatus::Completed);
    assert_eq!(world.most, 2, "up to the limit");
    let ids: Vec<&str> = world.run.tasks.iter().map(|task| task.id.as_str()).collect();
    assert_eq!(ids, ["find", "mend-1-a-rs", "mend-2-b-rs", "mend-3-c-rs", "last"]);
    assert_eq!(world.log.last().map(String::as_str), Some("launch last 1"));
}

#[test]
fn an_empty_list_is_skipped_and_the_run_completes() {
    let mut world = list("\n");
    world.feed(Input::Begin);
    assert_eq!((world.status("mend"), world.status("last")), ("skipped", "completed"));
    assert_eq!(world.run.tasks[1].why.as_deref(), Some("no line in 'files.txt'"));
    assert_eq!(world.run.status, RunStatus::Completed);
}
