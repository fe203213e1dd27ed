//! L1 to L9.

use super::decide::Refusal;
use super::event::EventKind;
use super::given::*;
use super::lease::{Because, Binding, Facts, Lease, LeaseRefusal, Life, Token};
use super::run::RunStatus;

fn held(lease: &Lease) -> Option<&str> {
    lease.held.as_ref().map(|grant| grant.holder.as_str())
}

fn because(story: &Story) -> Option<Because> {
    story.events.iter().rev().find_map(|event| {
        let EventKind::LeaseGranted { because, .. } = &event.kind else { return None };
        Some(*because)
    })
}

fn dead(name: &str) -> Facts {
    Facts { life: Life::Dead, ..facts(name) }
}

fn told_who(holds: &str, token: u64) -> Refusal {
    Refusal::Lease(LeaseRefusal::Held { holder: holder(holds), token: Token(token) })
}

#[test]
fn l1_the_first_claim_is_token_1_and_names_its_holder() {
    let mut story = asked_for();
    assert_eq!(story.claim(&facts("a")), Ok(Token(1)));
    assert_eq!(held(&story.run().lease), Some("a"));
    assert_eq!(because(&story), Some(Because::Free));
    assert_eq!(story.run().status, RunStatus::Planning);
}

#[test]
fn l2_a_second_claimant_is_refused_and_told_who_holds() {
    let mut story = asked_for().held_by("a");
    let refusal = story.claim(&facts("b")).expect_err("it is held");
    assert_eq!(refusal, told_who("a", 1));
    assert_eq!(refusal.to_string(), "'a' holds it (token 1) and is alive");
}

#[test]
fn l3_after_a_release_another_gets_exactly_the_next_token() {
    let mut story = asked_for().held_by("a").and([EventKind::LeaseReleased]);
    assert_eq!(held(&story.run().lease), None);
    assert_eq!(story.claim(&facts("b")), Ok(Token(2)));
    let again = story.and([EventKind::LeaseReleased]).held_by("a");
    assert_eq!(again.run().lease.token, Token(3), "a former holder gets no old token back");
}

#[test]
fn l4_a_dead_holder_is_dispossessed_and_the_record_says_by_whom_and_why() {
    let mut story = asked_for().held_by("a");
    assert_eq!(story.claim(&dead("b")), Ok(Token(2)));
    assert_eq!((held(&story.run().lease), because(&story)), (Some("b"), Some(Because::HolderDied)));
    let rebooted = Facts { boot: "b2".into(), ..facts("c") };
    assert_eq!(story.claim(&rebooted), Ok(Token(3)));
    assert_eq!((held(&story.run().lease), because(&story)), (Some("c"), Some(Because::Rebooted)));
}

#[test]
fn l4_a_lease_that_renews_is_taken_after_silence_only() {
    let renews = Binding::Renews { ttl_ms: 60_000 };
    let mut story = asked_for();
    let grant = git_crew::domain::decide::claim(story.run(), &facts("a"), renews);
    story.ask(&anyone("a"), grant.expect("free")).expect("allowed");
    let watched = |watched_ms| Facts { watched_ms, ..dead("b") };
    assert!(story.claim(&watched(79_999)).is_err());
    assert_eq!(story.claim(&watched(80_000)), Ok(Token(2)));
    assert_eq!(because(&story), Some(Because::Silent));
}

/// There are no refreshes: what a refresh proves elsewhere every owner event
/// proves here.
#[test]
fn l5_only_the_matching_token_writes() {
    let mut story = given(&[("one", &[])]);
    for wrong in [by("a", 0), by("a", 2), by("b", 1), anyone("a")] {
        assert!(story.ask(&wrong, started("one", 1)).is_err(), "{wrong:?}");
    }
    assert_eq!(story.ask(&by("a", 1), started("one", 1)), Ok(()));
}

/// Holders need no registration; what must be known is the name itself.
#[test]
fn l6_a_malformed_holder_is_an_error_and_not_contention() {
    for bad in ["", "A", "../x", "a b"] {
        assert!(bad.parse::<git_crew::domain::id::HolderId>().is_err(), "{bad:?}");
    }
    let mut story = asked_for().held_by("a");
    let grant = git_crew::domain::decide::claim(story.run(), &dead("b"), Binding::Local);
    let foreign = story.ask(&anyone("c"), grant.expect("the holder is dead"));
    assert_eq!(foreign, Err(Refusal::BadGrant(Token(1))), "nobody is granted by somebody else");
}

#[test]
fn l7_of_two_claims_on_one_tip_one_is_granted() {
    let mut story = asked_for();
    let claim = |story: &Story, name: &str| {
        git_crew::domain::decide::claim(story.run(), &facts(name), Binding::Local)
    };
    let (a, b) = (claim(&story, "a").expect("free"), claim(&story, "b").expect("free"));
    assert_eq!(story.ask(&anyone("a"), a), Ok(()));
    assert!(story.ask(&anyone("b"), b).is_err(), "decided on a tip that moved");
    assert_eq!(claim(&story, "b"), Err(told_who("a", 1)));
}

#[test]
fn l8_different_runs_are_independent() {
    let (one, two) = (asked_for().held_by("a"), asked_for().held_by("b"));
    assert_eq!((one.run().lease.token, two.run().lease.token), (Token(1), Token(1)));
}

#[test]
fn l9_the_holder_s_second_claim_is_refused_as_its_own() {
    let mut story = asked_for().held_by("a");
    let yours = Refusal::Lease(LeaseRefusal::AlreadyYours(Token(1)));
    assert_eq!(story.claim(&facts("a")), Err(yours.clone()));
    assert_eq!(story.claim(&Facts { force: true, ..facts("a") }), Err(yours));
}
