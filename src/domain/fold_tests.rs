//! What the fold makes of a chain, and of one that breaks its rules.

use crate::domain::attempt::{Ending, Judgement};
use crate::domain::given::*;
use crate::domain::lease::{Because, Binding, Grant};
use crate::domain::run::RunEnd;

use super::{Corrupt, EventKind, TaskEnd, Token, apply, fold};

/// What the fold says to an event that was written past `decide`.
fn forged(story: &Story, actor: &crate::domain::decide::Actor, kind: EventKind) -> Corrupt {
    let event = story.event(actor, kind);
    apply(story.run.clone(), &Story::id(), &event).expect_err("a forged event was folded")
}

fn grant(holds: &str, token: u64, because: Because) -> EventKind {
    let grant = Grant {
        holder: holder(holds),
        machine: "m1".into(),
        boot: "b1".into(),
        binding: Binding::Local,
    };
    EventKind::LeaseGranted { token: Token(token), grant, because }
}

#[test]
fn a_chain_begins_once_and_counts_from_one() {
    let story = one([]);
    let nothing = fold(&Story::id(), []);
    assert_eq!(nothing, Err(Corrupt::Beginning { seq: 0, word: "nothing" }));
    let headless = fold(&Story::id(), &story.events[1..]);
    assert_eq!(headless, Err(Corrupt::Beginning { seq: 2, word: "lease-granted" }));
    let twice = forged(&story, &anyone("a"), created());
    assert_eq!(twice, Corrupt::Beginning { seq: 4, word: "run-created" });
    let mut gap = story.clone();
    gap.events.remove(1);
    let gap = fold(&Story::id(), &gap.events);
    assert_eq!(gap, Err(Corrupt::Order { expected: 2, found: 3 }));
}

#[test]
fn s11_an_owner_event_counts_only_from_the_holder_under_its_token() {
    let story = one([]);
    let unowned = Corrupt::Unowned { seq: 4, word: "attempt-started" };
    for actor in [by("a", 0), by("a", 2), by("b", 1), anyone("a"), anyone("mallory")] {
        assert_eq!(forged(&story, &actor, started("one", 1)), unowned, "{actor:?}");
    }
    let released = one([EventKind::LeaseReleased]);
    let after = forged(&released, &by("a", 1), started("one", 1));
    assert_eq!(after, Corrupt::Unowned { seq: 5, word: "attempt-started" });
}

#[test]
fn s11_a_grant_counts_only_from_its_holder_and_where_it_is_due() {
    let story = one([]);
    let token = |found| Corrupt::Token { seq: 4, expected: Token(2), found: Token(found) };
    for wrong in [0, 1, 3, u64::MAX] {
        assert_eq!(forged(&story, &anyone("b"), grant("b", wrong, Because::Forced)), token(wrong));
    }
    let misfit = Corrupt::Move { seq: 4, word: "lease-granted", what: "the lease".into() };
    let foreign = forged(&story, &anyone("c"), grant("b", 2, Because::Forced));
    assert_eq!(foreign, misfit, "granted by somebody else");
    assert_eq!(forged(&story, &anyone("b"), grant("b", 2, Because::Free)), misfit, "it is held");
    assert_eq!(forged(&story, &anyone("a"), grant("a", 2, Because::Forced)), misfit, "its own");
}

#[test]
fn a_task_event_names_the_attempt_that_is_due() {
    let misfit = |seq, word| Corrupt::Move { seq, word, what: "one".into() };
    let queued = one([]);
    assert_eq!(forged(&queued, &by("a", 1), started("one", 2)), misfit(4, "attempt-started"));
    let open = one([started("one", 1)]);
    let second = forged(&open, &by("a", 1), ended("one", 2, Ending::Finished));
    assert_eq!(second, misfit(5, "attempt-ended"));
    let early = forged(&open, &by("a", 1), judged("one", 1, Judgement::Passed));
    assert_eq!(early, misfit(5, "verdict-reached"));
    let absent = forged(&open, &by("a", 1), started("none", 1));
    assert_eq!(absent, Corrupt::Move { seq: 5, word: "attempt-started", what: "none".into() });
}

#[test]
fn nothing_but_remarks_and_claims_counts_after_the_end() {
    let over = one([over("one", TaskEnd::Failed), run_over(RunEnd::Failed)]);
    let a = by("a", 1);
    for kind in [reopened("one"), started("one", 1), result_made(), planned(&[("x", &[])])] {
        let fault = forged(&over, &a, kind);
        assert!(matches!(fault, Corrupt::Move { seq: 6, .. }), "{fault}");
    }
    let late = forged(&over, &anyone("u"), cancel_asked());
    assert!(matches!(late, Corrupt::Move { .. }), "it would stop a run that is reopened");
}

#[test]
fn a_refusal_names_the_event() {
    let fault = forged(&one([]), &by("b", 1), started("one", 1));
    assert_eq!(
        fault.to_string(),
        "event 4: 'attempt-started' by a process that does not hold the run"
    );
}
