//! The machines as a reviewer can see them whole: moves, and every kind of event
//! in every state. A changed cell is a changed rule.

use std::collections::{BTreeSet, VecDeque};
use std::fmt::Write as _;

use super::attempt::{Ending, FailureClass, Judgement};
use super::decide;
use super::event::EventKind;
use super::fold;
use super::given::*;
use super::lease::Binding;
use super::run::{RunEnd, RunStatus as R};
use super::task::{TaskEnd, TaskStatus as T};

fn moves<S: Copy>(all: &[S], word: fn(S) -> &'static str, may: fn(S, S) -> bool) -> String {
    let mut out = String::new();
    for from in all {
        let to: Vec<_> = all.iter().filter(|to| may(*from, **to)).map(|to| word(*to)).collect();
        let to = if to.is_empty() { "-".into() } else { to.join(" ") };
        writeln!(out, "{:15} -> {to}", word(*from)).expect("text");
    }
    out
}

#[test]
fn the_moves_of_a_run() {
    insta::assert_snapshot!(moves(&R::ALL, R::word, R::may_become), @r"
    queued          -> planning
    planning        -> running failed cancelled
    running         -> blocked completed failed cancelled
    blocked         -> running
    completed       -> -
    failed          -> planning running
    cancelled       -> planning running
    ");
}

#[test]
fn the_moves_of_a_task() {
    insta::assert_snapshot!(moves(&T::ALL, T::word, T::may_become), @r"
    queued          -> running failed cancelled skipped needs_attention
    running         -> queued verifying
    waiting         -> running failed cancelled skipped needs_attention
    verifying       -> waiting completed failed cancelled needs_attention
    completed       -> -
    failed          -> queued
    cancelled       -> queued
    skipped         -> queued
    needs_attention -> queued
    ");
}

/// Every kind of event about a run, and about its task `one` with the attempt
/// that would be due.
fn kinds(story: &Story) -> Vec<(String, EventKind)> {
    let attempts = story.run.as_ref().and_then(|run| run.task(&task("one")));
    let next = attempts.map_or(1, |one| one.next_attempt());
    let last = next.saturating_sub(1).max(1);
    let plain = |kind: EventKind| (kind.word().to_owned(), kind);
    let mut all = vec![plain(created())];
    if let Some(run) = &story.run {
        let other = if story.owner().holder == holder("b") { "c" } else { "b" };
        let mut facts = facts(other);
        facts.force = true;
        all.push(plain(decide::claim(run, &facts, Binding::Local).expect("forced")));
    }
    all.extend([EventKind::LeaseReleased, planned(&[("one", &[])])].map(plain));
    for (name, new) in [
        ("behind it", &[("more", &["one"][..])][..]),
        ("in its place", &[("more", &[])]),
        ("without tasks", &[]),
    ] {
        all.push((format!("plan-revised {name}"), revised("one", new)));
    }
    all.push(plain(started("one", next)));
    for (name, ending) in [
        ("finished", Ending::Finished),
        ("failed", failure(FailureClass::Exit)),
        ("interrupted", Ending::Interrupted),
        ("cancelled", Ending::Cancelled),
    ] {
        all.push((format!("attempt-ended {name}"), ended("one", last, ending)));
    }
    for result in Judgement::ALL {
        let kind = judged("one", last, result);
        all.push((format!("{} {}", kind.word(), result.word()), kind));
    }
    all.push(plain(retry("one", 0)));
    for end in TaskEnd::ALL {
        all.push((format!("task-ended {}", end.status().word()), over("one", end)));
    }
    all.extend([reopened("one"), result_made()].map(plain));
    for end in RunEnd::ALL {
        all.push((format!("run-ended {}", end.status().word()), run_over(end)));
    }
    all.extend([EventKind::RunReopened, cancel_asked(), noted()].map(plain));
    all
}

/// Whoever has the best right to write it.
fn writer(story: &Story, kind: &EventKind) -> decide::Actor {
    if let EventKind::LeaseGranted { grant, .. } = kind {
        anyone(grant.holder.as_str())
    } else {
        story.owner()
    }
}

/// `+` allowed; `.` refused and not folded either; `!` refused, but folded when
/// it stands in a chain (a rule of policy, not of consistency).
fn cell(story: &Story, kind: &EventKind) -> char {
    let actor = writer(story, kind);
    let event = story.event(&actor, kind.clone());
    let folds = fold::apply(story.run.clone(), &Story::id(), &event).is_ok();
    match (decide::decide(story.run.as_ref(), &actor, kind).is_ok(), folds) {
        (true, true) => '+',
        (false, false) => '.',
        (false, true) => '!',
        (true, false) => panic!("'{}' is allowed and does not fold", kind.word()),
    }
}

fn matrix(states: &[(&str, Story)]) -> String {
    let mut out = String::new();
    for (at, (name, _)) in states.iter().enumerate() {
        writeln!(out, "{} {name}", char::from(b'A' + at as u8)).expect("text");
    }
    let letters: String = (0..states.len()).map(|at| char::from(b'A' + at as u8)).collect();
    writeln!(out, "\n{:27} {letters}", "").expect("text");
    let names = kinds(&states[1].1).into_iter().map(|(name, _)| name);
    for name in names {
        let cells: String = states
            .iter()
            .map(|(_, story)| {
                let found = kinds(story).into_iter().find(|(other, _)| *other == name);
                found.map_or('.', |(_, kind)| cell(story, &kind))
            })
            .collect();
        writeln!(out, "{name:27} {cells}").expect("text");
    }
    out
}

fn judged_one(result: Judgement) -> Story {
    one([started("one", 1), ended("one", 1, Ending::Finished), judged("one", 1, result)])
}

#[test]
#[expect(clippy::too_many_lines, reason = "one matrix")]
fn every_event_in_every_state_of_a_run() {
    let failed = || one([over("one", TaskEnd::Failed)]);
    let complete = one(done("one")).and([result_made()]);
    let states = [
        ("absent", Story::default()),
        ("queued", asked_for()),
        ("planning", asked_for().held_by("a")),
        ("running", one([])),
        ("running, released", one([EventKind::LeaseReleased])),
        ("running, its task failed", failed()),
        ("running, its task completed", one(done("one"))),
        ("running, result made", complete.clone()),
        ("blocked", failed().and([run_over(RunEnd::Blocked)])),
        ("completed", complete.and([run_over(RunEnd::Completed)])),
        ("failed", failed().and([run_over(RunEnd::Failed)])),
        ("cancelled", failed().and([run_over(RunEnd::Cancelled)])),
        ("cancelled in planning", asked_for().held_by("a").and([run_over(RunEnd::Cancelled)])),
    ];
    insta::assert_snapshot!(matrix(&states), @r"
    A absent
    B queued
    C planning
    D running
    E running, released
    F running, its task failed
    G running, its task completed
    H running, result made
    I blocked
    J completed
    K failed
    L cancelled
    M cancelled in planning

                                ABCDEFGHIJKLM
    run-created                 +............
    lease-granted               .++++++++++++
    lease-released              ..++.++++++++
    run-planned                 ..+..........
    plan-revised behind it      .............
    plan-revised in its place   ...+.........
    plan-revised without tasks  ...+.........
    attempt-started             ...+.........
    attempt-ended finished      .............
    attempt-ended failed        .............
    attempt-ended interrupted   .............
    attempt-ended cancelled     .............
    verdict-reached passed      .............
    verdict-reached failed      .............
    verdict-reached unverified  .............
    retry-planned               .............
    task-ended completed        .............
    task-ended failed           ...+.........
    task-ended cancelled        ...+.........
    task-ended skipped          ...+.........
    task-ended needs_attention  ...+.........
    task-reopened               .....+.......
    result-made                 ...!.+++.....
    run-ended completed         ...!.!!+.....
    run-ended blocked           ...!.+++.....
    run-ended failed            ..+!.+++.....
    run-ended cancelled         ..+!.+++.....
    run-reopened                ........+.+++
    cancel-requested            .+++++++.....
    noted                       .+++++++!!!!!
    ");
}

fn states_of_a_task() -> Vec<(&'static str, Story)> {
    let open = || one([started("one", 1)]);
    let exit = ended("one", 1, failure(FailureClass::Exit));
    vec![
        ("queued", one([])),
        ("queued again, interrupted", open().and([ended("one", 1, Ending::Interrupted)])),
        ("running", open()),
        ("running, of an earlier holder", open().and([EventKind::LeaseReleased]).held_by("b")),
        ("verifying, finished", open().and([ended("one", 1, Ending::Finished)])),
        ("verifying, failed", open().and([exit.clone()])),
        ("verifying, passed", judged_one(Judgement::Passed)),
        ("verifying, check failed", judged_one(Judgement::Failed)),
        ("waiting", open().and([exit, retry("one", 5)])),
        ("completed", one(done("one"))),
        ("failed", one([over("one", TaskEnd::Failed)])),
        ("cancelled", one([over("one", TaskEnd::Cancelled)])),
        ("skipped", one([over("one", TaskEnd::Skipped)])),
        ("needs_attention", one([over("one", TaskEnd::NeedsAttention)])),
    ]
}

#[test]
fn every_event_in_every_state_of_a_task() {
    insta::assert_snapshot!(matrix(&states_of_a_task()), @r"
    A queued
    B queued again, interrupted
    C running
    D running, of an earlier holder
    E verifying, finished
    F verifying, failed
    G verifying, passed
    H verifying, check failed
    I waiting
    J completed
    K failed
    L cancelled
    M skipped
    N needs_attention

                                ABCDEFGHIJKLMN
    run-created                 ..............
    lease-granted               ++++++++++++++
    lease-released              ++++++++++++++
    run-planned                 ..............
    plan-revised behind it      ....!!+!......
    plan-revised in its place   +...!!+!......
    plan-revised without tasks  +.............
    attempt-started             ++......+.....
    attempt-ended finished      ..+!..........
    attempt-ended failed        ..+!..........
    attempt-ended interrupted   ..++..........
    attempt-ended cancelled     ..++..........
    verdict-reached passed      ....++........
    verdict-reached failed      ....++........
    verdict-reached unverified  ....++........
    retry-planned               ....++++......
    task-ended completed        ....!!+!......
    task-ended failed           ++..+++++.....
    task-ended cancelled        ++..+++++.....
    task-ended skipped          ++......+.....
    task-ended needs_attention  ++..+++++.....
    task-reopened               ..........++++
    result-made                 !!!!!!!!!+++++
    run-ended completed         !!!!!!!!!!!!!!
    run-ended blocked           !!!!!!!!!+++++
    run-ended failed            !!!!!!!!!+++++
    run-ended cancelled         !!!!!!!!!+++++
    run-reopened                ..............
    cancel-requested            ++++++++++++++
    noted                       ++++++++++++++
    ");
}

/// Walks everything that one task and two holders can do, and collects the moves.
#[test]
fn the_tables_hold_exactly_the_moves_that_events_make() {
    let mut runs = BTreeSet::new();
    let mut tasks = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let mut queue = VecDeque::from([asked_for()]);
    while let Some(story) = queue.pop_front() {
        for (_, kind) in kinds(&story) {
            let actor = writer(&story, &kind);
            let mut next = story.clone();
            if next.ask(&actor, kind).is_err() {
                continue;
            }
            let (before, after) = (story.run(), next.run());
            if before.status != after.status {
                runs.insert((before.status, after.status));
            }
            let status = |run: &super::run::Run| run.task(&task("one")).map(|one| one.status);
            if let (Some(from), Some(to)) = (status(before), status(after))
                && from != to
            {
                tasks.insert((from, to));
            }
            if after.seq < 14 && seen.insert(shape(&next)) {
                queue.push_back(next);
            }
        }
    }
    let table: BTreeSet<_> = pairs(&R::ALL).filter(|(from, to)| from.may_become(*to)).collect();
    assert_eq!(runs, table);
    let table: BTreeSet<_> = pairs(&T::ALL).filter(|(from, to)| from.may_become(*to)).collect();
    assert_eq!(tasks, table);
}

fn pairs<S: Copy>(all: &[S]) -> impl Iterator<Item = (S, S)> {
    all.iter().flat_map(move |from| all.iter().map(move |to| (*from, *to)))
}

/// What of a story the rules look at.
fn shape(story: &Story) -> String {
    let run = story.run();
    let one = run.task(&task("one"));
    let last = one.and_then(|one| one.last());
    let ending = last.map(|last| (&last.ending, last.token == run.lease.token, &last.verdict));
    format!(
        "{:?} {:?} {:?} {} {} {}",
        run.status,
        one.map(|one| one.status),
        ending,
        run.lease.held.is_some(),
        run.result.is_some(),
        run.cancel.is_some()
    )
}
