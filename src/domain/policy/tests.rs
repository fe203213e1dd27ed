//! What follows a failed attempt.

use super::*;
use proptest::prelude::*;

const NOW: Timestamp = Timestamp(1_000_000);

fn tree(n: u8) -> Oid {
    format!("{n:02x}").repeat(20).parse().expect("an object id")
}

fn failed(class: FailureClass, left: u8) -> Outcome {
    Outcome::Failed { class, tree: Some(tree(left)) }
}

fn terms(retries: u32) -> Terms<'static> {
    Terms { retries, players: &["one"] }
}

fn short(next: Next) -> String {
    match next {
        Next::Complete { verified } => format!("complete, verified {verified}"),
        Next::Retry { not_before, .. } => format!("retry in {}", not_before.since_ms(NOW)),
        Next::Fail { .. } => "fail".into(),
        Next::NeedsAttention { .. } => "needs attention".into(),
        Next::Cancel => "cancel".into(),
    }
}

#[test]
fn the_table() {
    let mut rows = String::new();
    for class in FailureClass::ALL {
        let says = |history: &[Outcome]| short(after_attempt(terms(2), history, NOW, 0.5));
        let first = says(&[failed(class, 1)]);
        let other = says(&[failed(class, 1), failed(class, 2)]);
        let same = says(&[failed(class, 1), failed(class, 1)]);
        let third = says(&[failed(class, 1), failed(class, 2), failed(class, 3)]);
        rows += &format!("{:<16} {first} | {other} | {same} | {third}\n", class.word());
    }
    insta::assert_snapshot!(rows, @r"
    check            retry in 0 | retry in 0 | needs attention | fail
    exit             retry in 1000 | retry in 2000 | retry in 2000 | fail
    signal           retry in 1000 | retry in 2000 | retry in 2000 | fail
    wall-limit       retry in 1000 | retry in 2000 | retry in 2000 | fail
    idle-limit       retry in 1000 | retry in 2000 | retry in 2000 | fail
    rate-limit       retry in 30000 | retry in 60000 | retry in 60000 | fail
    overloaded       retry in 30000 | retry in 60000 | retry in 60000 | fail
    auth             needs attention | needs attention | needs attention | needs attention
    context          retry in 1000 | retry in 2000 | retry in 2000 | fail
    refused          fail | fail | fail | fail
    crash            retry in 1000 | retry in 2000 | retry in 2000 | fail
    not-found        fail | fail | fail | fail
    not-executable   fail | fail | fail | fail
    out-of-scope     retry in 0 | retry in 0 | needs attention | fail
    wrote-read-only  retry in 0 | retry in 0 | needs attention | fail
    slot-gone        retry in 1000 | retry in 2000 | retry in 2000 | fail
    setup            retry in 1000 | retry in 2000 | retry in 2000 | fail
    base-conflict    needs attention | needs attention | needs attention | needs attention
    repo-changed     needs attention | needs attention | needs attention | needs attention
    plan             retry in 0 | fail | fail | fail
    internal         retry in 1000 | retry in 2000 | retry in 2000 | fail
    ");
}

#[test]
fn what_is_no_failure() {
    let after = |history: &[Outcome]| short(after_attempt(terms(0), history, NOW, 0.9));
    assert_eq!(after(&[]), "retry in 0");
    assert_eq!(after(&[Outcome::Passed { verified: true }]), "complete, verified true");
    assert_eq!(after(&[Outcome::Passed { verified: false }]), "complete, verified false");
    assert_eq!(after(&[Outcome::Cancelled]), "cancel");
    assert_eq!(after(&vec![Outcome::Interrupted; 300]), "retry in 0");
    let check = failed(FailureClass::Check, 1);
    assert_eq!(after(&[Outcome::Interrupted, check.clone()]), "fail");
    assert_eq!(after(&[check, Outcome::Interrupted]), "retry in 0");
}

#[test]
fn coming_back_to_an_old_tree_is_stuck_too() {
    let history = [1, 2, 1].map(|left| failed(FailureClass::Check, left));
    assert_eq!(short(after_attempt(terms(9), &history, NOW, 0.5)), "needs attention");
    let unknown = vec![Outcome::Failed { class: FailureClass::Check, tree: None }; 2];
    assert_eq!(short(after_attempt(terms(9), &unknown, NOW, 0.5)), "retry in 0");
}

/// What follows each failure of a chain of two agents that may be tried once
/// more, and whose turn it is then.
fn chain(classes: &[FailureClass]) -> String {
    let terms = Terms { retries: 1, players: &["one", "two"] };
    let mut history = Vec::new();
    let mut told = Vec::new();
    for class in classes {
        history.push(failed(*class, 1));
        let next = short(after_attempt(terms, &history, NOW, 0.5));
        let player = player(terms.players, &history).expect("one of two");
        told.push(format!("{} -> {next} ({player})", class.word()));
    }
    told.join("; ")
}

#[test]
fn the_next_agent_goes_on_where_it_may_do_better() {
    use FailureClass as C;
    insta::assert_snapshot!(chain(&[C::RateLimit, C::Overloaded, C::RateLimit]), @"rate-limit -> retry in 0 (two); overloaded -> retry in 30000 (one); rate-limit -> fail (two)");
    insta::assert_snapshot!(chain(&[C::Refused, C::Refused]), @"refused -> retry in 0 (two); refused -> fail (one)");
    insta::assert_snapshot!(chain(&[C::Crash, C::Exit, C::Exit]), @"crash -> retry in 0 (two); exit -> retry in 1000 (two); exit -> fail (two)");
    insta::assert_snapshot!(chain(&[C::NotFound, C::Check, C::NotFound]), @"not-found -> retry in 0 (two); check -> retry in 0 (two); not-found -> fail (one)");
    insta::assert_snapshot!(chain(&[C::RateLimit, C::Auth]), @"rate-limit -> retry in 0 (two); auth -> needs attention (two)");
    insta::assert_snapshot!(chain(&[C::Auth]), @"auth -> needs attention (one)");
    let next = after_attempt(
        Terms { retries: 0, players: &["one", "two"] },
        &[failed(C::RateLimit, 1)],
        NOW,
        0.5,
    );
    let Next::Retry { why, .. } = next else { panic!("the other one's turn") };
    assert_eq!(why, "rate-limit, on to agent 'two'");
}

#[test]
fn the_dead_letter_names_every_attempt() {
    let history =
        [failed(FailureClass::Exit, 1), Outcome::Interrupted, failed(FailureClass::WallLimit, 1)];
    let Next::Fail { why } = after_attempt(terms(1), &history, NOW, 0.5) else {
        panic!("given up")
    };
    assert_eq!(why, "given up after 3 attempts: exit, interrupted, wall-limit");
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        (0..FailureClass::ALL.len(), 0_u8..3).prop_map(|(n, t)| failed(FailureClass::ALL[n], t)),
        Just(Outcome::Interrupted),
        any::<bool>().prop_map(|verified| Outcome::Passed { verified }),
        Just(Outcome::Cancelled),
    ]
}

proptest! {
    #[test]
    fn waits_stay_in_their_band(n in 0_u32..100, jitter in 0.0_f64..1.0) {
        let wait = backoff_ms(n, jitter);
        let middle = (1_000_i64 << n.min(6)).min(60_000);
        prop_assert!(wait <= 60_000 && wait >= middle * 7 / 10 - 1 && wait <= middle * 13 / 10 + 1);
    }

    #[test]
    fn every_task_comes_to_an_end(retries in 0_u32..6, script in proptest::collection::vec(outcome(), 60)) {
        let mut history = Vec::new();
        let mut counted = 0;
        for one in script {
            counted += u32::from(matches!(one, Outcome::Failed { .. }));
            history.push(one);
            match after_attempt(terms(retries), &history, NOW, 0.5) {
                Next::Retry { not_before, .. } => {
                    prop_assert!(not_before >= NOW);
                    prop_assert!(counted <= retries, "a retry beyond the limit");
                }
                Next::Fail { .. } | Next::NeedsAttention { .. } => {
                    prop_assert!(counted > 0);
                    return Ok(());
                }
                Next::Complete { .. } | Next::Cancel => return Ok(()),
            }
        }
        prop_assert!(counted <= retries);
    }

    #[test]
    fn interruptions_change_nothing(retries in 0_u32..4, script in proptest::collection::vec(outcome(), 1..8), at in any::<usize>()) {
        let mut with = script.clone();
        with.insert(at % script.len(), Outcome::Interrupted);
        let plain = short(after_attempt(terms(retries), &script, NOW, 0.5));
        prop_assert_eq!(plain, short(after_attempt(terms(retries), &with, NOW, 0.5)));
    }
}
