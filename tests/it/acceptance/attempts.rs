//! D1 to D9: a dispatch is an attempt.

use super::attempt::{Ending, FailureClass, Judgement};
use super::decide::Refusal;
use super::event::EventKind;
use super::given::*;
use super::lease::{Facts, Life, Token};
use super::run::RunEnd;
use super::task::{Task, TaskEnd, TaskStatus};
use super::time::Timestamp;

fn only(story: &Story) -> &Task {
    story.run().task(&task("one")).expect("it exists")
}

fn taken_over(story: Story) -> Story {
    let mut story = story;
    story.claim(&Facts { life: Life::Dead, ..facts("b") }).expect("the holder is dead");
    story
}

#[test]
fn d1_an_attempt_records_its_owner_and_is_number_1() {
    let story = one([started("one", 1)]);
    let attempt = only(&story).last().expect("it was started");
    assert_eq!((attempt.number, attempt.token), (1, Token(1)));
    assert_eq!(story.events.last().map(|event| event.by.as_str()), Some("a"));
}

#[test]
fn d2_a_second_start_of_an_open_task_is_refused() {
    let mut story = one([started("one", 1)]);
    let running =
        Refusal::TaskMove { task: task("one"), from: TaskStatus::Running, to: TaskStatus::Running };
    assert_eq!(story.ask(&by("a", 1), started("one", 2)), Err(running));
    let stranger = story.ask(&by("b", 1), started("one", 2));
    assert_eq!(stranger, Err(Refusal::NotHolder { event: "attempt-started" }));
}

#[test]
fn d3_after_a_takeover_the_old_attempt_is_closed_and_the_next_is_number_2() {
    let story = taken_over(one([started("one", 1)]));
    let story = story.and([ended("one", 1, Ending::Interrupted), started("one", 2)]);
    let attempts = &only(&story).attempts;
    let seen: Vec<_> = attempts.iter().map(|one| (one.number, one.token, one.is_open())).collect();
    assert_eq!(seen, [(1, Token(1), false), (2, Token(2), true)]);
    assert_eq!(attempts[0].ending, Some(Ending::Interrupted));
    assert!(attempts[0].work.is_some(), "its work is named");
}

/// Elsewhere a completed unit may be claimed anew. Here a completed task stays:
/// its run can be held again, and what did not complete can be tried again.
#[test]
fn d4_after_its_end_a_run_can_be_held_again() {
    let ended = one(done("one")).and([result_made(), run_over(RunEnd::Completed)]);
    let story = ended.and([EventKind::LeaseReleased]).held_by("b");
    assert_eq!(story.run().lease.token, Token(2));
    assert_eq!(story.status("one"), TaskStatus::Completed);
    let failed = one([over("one", TaskEnd::Failed), reopened("one"), started("one", 1)]);
    assert_eq!(failed.status("one"), TaskStatus::Running);
}

#[test]
fn d5_a_failure_keeps_its_class_and_words_and_the_time_of_the_next_try() {
    let exit = Ending::Failed { class: FailureClass::Exit, why: "exit code 3".into() };
    let story = one([started("one", 1), ended("one", 1, exit.clone()), retry("one", 7_000)]);
    let task = only(&story);
    assert_eq!(task.last().and_then(|last| last.ending.as_ref()), Some(&exit));
    assert_eq!((task.status, task.not_before), (TaskStatus::Waiting, Some(Timestamp(7_000))));
    assert_eq!(task.why.as_deref(), Some("check failed"));
    let story = story.and([started("one", 2)]);
    assert_eq!(only(&story).not_before, None, "it no longer waits");
}

#[test]
fn d6_stuck_and_cancelled_are_recorded_as_such() {
    let failed = [started("one", 1), ended("one", 1, failure(FailureClass::Exit))];
    let stuck = one(failed).and([over("one", TaskEnd::NeedsAttention)]);
    assert_eq!(stuck.status("one"), TaskStatus::NeedsAttention);
    let cancelled = one([started("one", 1), ended("one", 1, Ending::Cancelled)]);
    let cancelled = cancelled.and([over("one", TaskEnd::Cancelled)]);
    assert_eq!(cancelled.status("one"), TaskStatus::Cancelled);
    let ending = only(&cancelled).last().and_then(|last| last.ending.clone());
    assert_eq!(ending, Some(Ending::Cancelled));
}

#[test]
fn d7_cancelling_leaves_finished_tasks_alone_and_a_second_request_says_so() {
    let mut story = given(&[("one", &[]), ("two", &[])])
        .and(done("one"))
        .and([started("two", 1), cancel_asked()]);
    assert_eq!(story.ask(&anyone("u"), cancel_asked()), Err(Refusal::AlreadyAsked));
    let refused = story.ask(&by("a", 1), over("one", TaskEnd::Cancelled));
    assert!(matches!(refused, Err(Refusal::TaskMove { .. })), "{refused:?}");
    let story = story.and([
        ended("two", 1, Ending::Cancelled),
        over("two", TaskEnd::Cancelled),
        run_over(RunEnd::Cancelled),
    ]);
    assert_eq!(story.status("one"), TaskStatus::Completed);
    assert_eq!(story.status("two"), TaskStatus::Cancelled);
}

#[test]
fn d8_a_terminal_task_is_never_overwritten() {
    for end in TaskEnd::ALL.into_iter().filter(|end| *end != TaskEnd::Completed) {
        let story = one([over("one", end)]);
        for late in TaskEnd::ALL {
            let mut story = story.clone();
            assert!(story.ask(&by("a", 1), over("one", late)).is_err(), "{end:?} to {late:?}");
            assert_eq!(only(&story).why.as_deref(), Some(end.status().word()));
        }
    }
    let mut completed = one(done("one"));
    for late in [
        ended("one", 1, failure(FailureClass::Exit)),
        judged("one", 1, Judgement::Failed),
        over("one", TaskEnd::Failed),
        retry("one", 0),
        reopened("one"),
    ] {
        assert!(completed.ask(&by("a", 1), late).is_err());
    }
    assert_eq!(completed.status("one"), TaskStatus::Completed);
}

#[test]
fn d9_without_the_lease_nothing_is_written_and_the_refusal_names_the_tokens() {
    let mut story = taken_over(one([]));
    let before = (story.run.clone(), story.events.len());
    let refusal = story.ask(&by("a", 1), started("one", 1)).expect_err("it was fenced off");
    assert_eq!(refusal, Refusal::Fenced { mine: Token(1), current: Token(2) });
    assert_eq!(refusal.to_string(), "token 1 is void: the run is under token 2");
    assert_eq!((story.run.clone(), story.events.len()), before);
}
