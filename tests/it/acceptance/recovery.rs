//! The parts of C1 to C19 and P1 to P5 that are rules: what may be taken over,
//! what is left to do, what a run that was stopped remembers.

use super::attempt::{Ending, FailureClass, Judgement};
use super::event::EventKind;
use super::fold;
use super::given::*;
use super::lease::{Facts, Life};
use super::run::{RunEnd, RunStatus};
use super::task::TaskStatus;
use git_crew::domain::policy::{self, Next, Outcome, Terms};
use git_crew::domain::time::Timestamp;

fn dead(name: &str) -> Facts {
    Facts { life: Life::Dead, ..facts(name) }
}

#[test]
fn c1_a_run_that_nobody_holds_is_no_crash() {
    let story = asked_for();
    assert!(story.run().lease.held.is_none());
    assert_eq!(story.run().status, RunStatus::Queued);
}

#[test]
fn c2_c3_a_live_holder_is_never_dispossessed_however_long_it_is_silent() {
    let mut story = one([started("one", 1)]);
    for watched_ms in [0, 60_000, u64::MAX] {
        assert!(story.claim(&Facts { watched_ms, ..facts("b") }).is_err());
    }
}

#[test]
fn c4_a_holder_that_died_in_planning_leaves_a_run_that_can_be_planned() {
    let mut story = asked_for().held_by("a");
    story.claim(&dead("b")).expect("the holder is dead");
    let story = story.and([planned(&[("one", &[])])]);
    assert_eq!(story.run().status, RunStatus::Running);
}

#[test]
fn c5_c6_the_state_names_what_was_in_flight() {
    let story = given(&[("one", &[]), ("two", &[])]).and(done("one")).and([started("two", 1)]);
    let open: Vec<_> = story
        .run()
        .tasks
        .iter()
        .filter_map(|task| task.open().map(|open| (task.id.as_str(), open.number)))
        .collect();
    assert_eq!(open, [("two", 1)]);
}

/// One event of the new holder closes an attempt, and there is nothing left to
/// close for a second look.
#[test]
fn c9_c10_a_takeover_closes_what_was_open_once() {
    let mut story = one([started("one", 1)]);
    story.claim(&dead("b")).expect("the holder is dead");
    let mut story = story.and([ended("one", 1, Ending::Interrupted)]);
    assert!(story.ask(&by("b", 2), ended("one", 1, Ending::Interrupted)).is_err());
    assert_eq!(story.status("one"), TaskStatus::Queued);
    assert!(story.run().tasks.iter().all(|task| task.open().is_none()));
}

/// What was interrupted proves nothing and costs no retry.
#[test]
fn c11_only_unfinished_work_is_done_again_and_an_interruption_is_free() {
    let story = given(&[("one", &[]), ("two", &[])]).and(done("one")).and([started("two", 1)]);
    let story = story.and([ended("two", 1, Ending::Interrupted)]);
    let history = Outcome::history(story.run().task(&task("two")).expect("it exists"));
    assert_eq!(history, [Outcome::Interrupted]);
    let next =
        policy::after_attempt(Terms { retries: 0, players: &["one"] }, &history, Timestamp(5), 0.5);
    assert!(matches!(next, Next::Retry { not_before: Timestamp(5), .. }), "{next:?}");
    let mut story = story;
    assert!(story.ask(&by("a", 1), started("one", 2)).is_err(), "a finished task is not run again");
    assert_eq!(story.ask(&by("a", 1), started("two", 2)), Ok(()));
}

#[test]
fn c14_reading_evidence_never_deletes_it() {
    let story = one([started("one", 1)]);
    let read = fold::fold(&Story::id(), &story.events);
    assert_eq!(read.as_ref().ok(), story.run.as_ref());
    assert_eq!(fold::fold(&Story::id(), &story.events), read);
}

#[test]
fn c17_c18_a_complete_run_offers_nothing_to_resume_and_a_failed_one_does() {
    let complete = one(done("one")).and([result_made(), run_over(RunEnd::Completed)]);
    let mut complete = complete;
    assert!(complete.ask(&by("a", 1), EventKind::RunReopened).is_err());
    let failed = [started("one", 1), ended("one", 1, failure(FailureClass::Exit))];
    let failed = one(failed).and([over("one", super::task::TaskEnd::Failed)]);
    let failed = failed.and([run_over(RunEnd::Failed), EventKind::RunReopened, reopened("one")]);
    assert_eq!(failed.status("one"), TaskStatus::Queued);
}

/// The agent was done when the holder died: only the judging is left.
#[test]
fn c19_what_had_finished_before_the_crash_is_judged_and_not_replayed() {
    let mut story = one([started("one", 1), ended("one", 1, Ending::Finished)]);
    story.claim(&dead("b")).expect("the holder is dead");
    assert!(story.ask(&by("b", 2), started("one", 2)).is_err());
    let story = story
        .and([judged("one", 1, Judgement::Passed), over("one", super::task::TaskEnd::Completed)]);
    let one = story.run().task(&task("one")).expect("it exists");
    assert_eq!((one.attempts.len(), one.verified), (1, true));
}

/// A pause is a release: what is to be known afterwards is the state itself.
#[test]
fn p1_p2_a_stopped_run_remembers_everything_and_has_no_holder() {
    let exit = ended("one", 1, failure(FailureClass::Exit));
    let before = one([started("one", 1), exit, retry("one", 9_000)]);
    let paused = before.clone().and([EventKind::LeaseReleased]);
    assert_eq!(paused.run().lease.held, None);
    assert_eq!(paused.run().tasks, before.run().tasks);
    assert_eq!(paused.run().status, RunStatus::Running);
    let resumed = paused.held_by("b");
    let one = resumed.run().task(&task("one")).expect("it exists");
    assert_eq!(one.not_before, Some(Timestamp(9_000)), "its wait is not forgotten");
    assert_eq!(one.why.as_deref(), Some("check failed"));
}

#[test]
fn p4_a_release_happens_once() {
    let mut story = one([EventKind::LeaseReleased]);
    assert!(story.ask(&by("a", 1), EventKind::LeaseReleased).is_err());
}
