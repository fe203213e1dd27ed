//! The core in a world of scripts.

#[path = "core/expand_tests.rs"]
mod expand;
#[path = "core/world.rs"]
mod world;

use super::*;
use crate::domain::run::RunStatus;
use crate::engine::io::Finish;
use world::{Act, World, plan, task};

fn diamond(width: u32) -> Plan {
    let tasks = vec![
        task("a", &[], &[]),
        task("b", &["a"], &[]),
        task("c", &["a"], &[]),
        task("d", &["b", "c"], &[]),
    ];
    plan(tasks, width)
}

#[test]
fn a_diamond_runs_in_order_and_in_parallel_up_to_the_limit() {
    let mut world = World::new(diamond(2), &[]);
    world.feed(Input::Begin);
    assert_eq!(world.log, ["launch a 1", "launch b 1", "launch c 1", "launch d 1"]);
    assert_eq!(world.most, 2);
    assert_eq!(world.run.status, RunStatus::Completed);
    assert_eq!(world.finish, Some(Finish::Over));
    assert_eq!(world.run.result.as_ref().map(|r| r.merged.len()), Some(1), "only the join");
    let mut narrow = World::new(diamond(1), &[]);
    narrow.feed(Input::Begin);
    assert_eq!((narrow.most, narrow.run.status), (1, RunStatus::Completed));
}

#[test]
fn a_failed_attempt_is_retried_and_used_up_retries_fail_the_run() {
    let mut world = World::new(diamond(2), &[("b", &[Act::Bad, Act::Good])]);
    world.feed(Input::Begin);
    assert_eq!(world.run.status, RunStatus::Completed);
    assert!(world.log.contains(&"launch b 2".to_owned()));
    let mut world = World::new(diamond(2), &[("b", &[Act::Bad])]);
    world.feed(Input::Begin);
    assert_eq!(world.run.status, RunStatus::Failed);
    assert_eq!((world.status("b"), world.status("c")), ("failed", "completed"));
    assert_eq!(world.status("d"), "skipped");
    let merged = world.run.result.clone().expect("what completed is kept").merged;
    assert_eq!(merged, ["c".parse().expect("a slug")]);
}

#[test]
fn a_failed_check_is_retried_and_a_passed_one_verifies() {
    let tasks = vec![task("a", &[], &["make test"])];
    let mut world = World::new(plan(tasks, 1), &[("a.check", &[Act::BadCheck])]);
    world.feed(Input::Begin);
    assert_eq!(world.log, ["launch a 1", "launch a 2"]);
    assert!(world.run.verified());
    assert_eq!(world.run.status, RunStatus::Completed);
}

#[test]
fn without_a_check_a_task_is_completed_and_unverified() {
    let mut world = World::new(plan(vec![task("a", &[], &[])], 1), &[]);
    world.feed(Input::Begin);
    assert_eq!(world.status("a"), "completed");
    assert!(!world.run.verified());
    assert!(world.run.why.as_deref().is_some_and(|why| why.contains("unverified")));
}

#[test]
fn an_interrupt_asks_then_kills_and_leaves_the_run_resumable() {
    let mut world = World::new(diamond(2), &[("a", &[Act::Hang])]);
    world.feed(Input::Begin);
    assert_eq!(world.finish, None);
    world.feed(Input::Stop(Stop::Interrupt));
    assert_eq!(world.log, ["launch a 1", "halt a Ask"]);
    assert_eq!(world.finish, Some(Finish::Interrupted));
    assert_eq!((world.run.status, world.status("a")), (RunStatus::Running, "queued"));
    assert_eq!(world.run.lease.held, None, "the lease is given back");
    let last = world.run.tasks[0].last().and_then(|last| last.ending.clone());
    assert_eq!(last, Some(Ending::Interrupted));
}

#[test]
fn a_cancel_request_ends_the_run_and_keeps_what_is_there() {
    let mut world = World::new(diamond(2), &[("b", &[Act::Hang])]);
    world.feed(Input::Begin);
    world.write(EventKind::CancelRequested { why: "enough".into() });
    world.feed(Input::Tick);
    assert_eq!(world.run.status, RunStatus::Cancelled);
    assert_eq!(world.run.why.as_deref(), Some("enough"));
    assert_eq!((world.status("b"), world.status("d")), ("cancelled", "cancelled"));
    assert!(world.run.result.is_some(), "what completed before is merged");
}

#[test]
fn leaves_that_conflict_block_the_run_and_the_rest_is_merged() {
    let tasks = vec![task("a", &[], &[]), task("b", &[], &[])];
    let mut world = World::new(plan(tasks, 2), &[]);
    world.conflicts = true;
    world.feed(Input::Begin);
    assert_eq!(world.run.status, RunStatus::Blocked);
    let result = world.run.result.clone().expect("a result");
    assert_eq!((result.merged.len(), result.left.len()), (1, 1));
}

#[test]
fn a_run_that_another_process_left_goes_on_from_its_state_alone() {
    // Left with 'a' judged, 'b' waiting for its verdict, 'c' waiting to retry.
    let tasks = vec![task("a", &[], &[]), task("b", &[], &["t"]), task("c", &[], &[])];
    let plan = plan(tasks, 3);
    let mut world = World::new(plan.clone(), &[("b", &[Act::Hang]), ("c", &[Act::Hang])]);
    world.feed(Input::Begin);
    let ended = world.ended("b".parse().expect("a slug"), 1, Act::Good, false);
    let Input::Ended { task, attempt, ending, work, output, .. } = ended else { unreachable!() };
    world.write(EventKind::AttemptEnded { task, attempt, ending, work: *work, output });
    let ended = world.ended("c".parse().expect("a slug"), 1, Act::Bad, false);
    let Input::Ended { task, attempt, ending, work, output, .. } = ended else { unreachable!() };
    world.write(EventKind::AttemptEnded { task, attempt, ending, work: *work, output });
    world.core = Core::new(plan, None);
    world.script.clear();
    world.log.clear();
    world.feed(Input::Begin);
    assert_eq!(world.log, ["launch c 2"], "only what was not finished runs again");
    assert_eq!(world.run.status, RunStatus::Completed);
}

#[test]
fn who_lost_the_run_kills_writes_nothing_and_goes() {
    let mut world = World::new(diamond(2), &[("a", &[Act::Hang])]);
    world.feed(Input::Begin);
    let before = world.run.clone();
    let moment = Moment { now: Timestamp(9), jitter: 0.0 };
    let effects = world.core.step(&before, moment, Input::Stop(Stop::Lost("fenced".into())));
    let task: TaskId = "a".parse().expect("a slug");
    assert_eq!(effects, [Effect::Halt { task: task.clone(), urgency: Urgency::Kill }]);
    let ended = world.ended(task, 1, Act::Bad, true);
    let effects = world.core.step(&before, moment, ended);
    assert!(effects.contains(&Effect::Finish(Finish::Lost("fenced".into()))), "{effects:?}");
    assert!(!effects.iter().any(|e| matches!(e, Effect::Write { .. })), "{effects:?}");
}

#[test]
fn who_loses_the_run_at_its_very_end_goes_as_well() {
    let mut world = World::new(diamond(2), &[("a", &[Act::Hang])]);
    world.feed(Input::Begin);
    let before = world.run.clone();
    let moment = Moment { now: Timestamp(9), jitter: 0.0 };
    world.core.step(&before, moment, Input::Stop(Stop::Interrupt));
    let ended = world.ended("a".parse().expect("a slug"), 1, Act::Bad, true);
    let effects = world.core.step(&before, moment, ended);
    let finish = Effect::Finish(Finish::Interrupted);
    assert!(matches!(&effects[..], [Effect::Write { .. }, last] if *last == finish), "{effects:?}");
    // The release was refused.
    let lost = Input::Stop(Stop::Lost("fenced".into()));
    let inputs = vec![lost, Input::Undone(Box::new(finish))];
    let effects = world.core.step_all(&before, moment, inputs);
    assert_eq!(effects, [Effect::Finish(Finish::Lost("fenced".into()))], "it tries for ever");
}

#[test]
fn an_agent_that_ignores_a_cancellation_is_killed_soon() {
    let mut world = World::new(diamond(2), &[("a", &[Act::Hang])]);
    world.feed(Input::Begin);
    let stop = Input::Stop(Stop::Cancel("enough".into()));
    let at = |ms| Moment { now: Timestamp(ms), jitter: 0.0 };
    let run = world.run.clone();
    let task: TaskId = "a".parse().expect("a slug");
    let ask = Effect::Halt { task: task.clone(), urgency: Urgency::Ask };
    let kill = Effect::Halt { task, urgency: Urgency::Kill };
    let effects = world.core.step(&run, at(1000), stop);
    assert!(effects.contains(&ask) && effects.contains(&Effect::Wake(Timestamp(1500))));
    assert!(!world.core.step(&run, at(1499), Input::Tick).contains(&kill));
    assert!(world.core.step(&run, at(1500), Input::Tick).contains(&kill));
    assert!(!world.core.step(&run, at(1600), Input::Tick).contains(&kill), "once is enough");
}

#[test]
fn a_stop_counts_first_whatever_came_in_before_it() {
    let mut world = World::new(plan(vec![task("a", &[], &[]), task("b", &[], &[])], 2), &[]);
    let run = world.run.clone();
    let moment = Moment { now: Timestamp(9), jitter: 0.0 };
    let effects = world.core.step(&run, moment, Input::Begin);
    let mut inputs: Vec<Input> =
        effects.into_iter().filter_map(|effect| world.perform(effect)).collect();
    assert_eq!(inputs.len(), 2, "both are prepared");
    inputs.push(Input::Stop(Stop::Interrupt));
    let effects = world.core.step_all(&run, moment, inputs);
    let started = effects.iter().any(|effect| match effect {
        Effect::Write { events, .. } => {
            events.iter().any(|event| matches!(event, EventKind::AttemptStarted { .. }))
        }
        effect => matches!(effect, Effect::Launch { .. } | Effect::Prepare { .. }),
    });
    assert!(!started, "{effects:?}");
}
