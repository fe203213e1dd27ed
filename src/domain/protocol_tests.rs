//! One step of the lease protocol at a time.

use super::*;

type Machine = Append<u8, &'static str>;
type Answer = Input<u8, &'static str>;

const READ: Answer = Input::Read { tip: Some(1), held: false };

fn drive(start: Machine, answers: impl IntoIterator<Item = Answer>) -> Machine {
    answers
        .into_iter()
        .fold(start, |state, answer| state.step(answer).expect("the answer belongs to the action"))
}

#[test]
fn acks_only_after_the_swap_is_durable() {
    let written = drive(Machine::fresh(), [READ, Input::Allowed, Input::Written(2)]);
    assert_eq!(written.action(), Action::Swap { from: Some(1), to: 2, contended: 0 });
    let swapped = drive(written, [Input::Swapped]);
    assert_eq!(swapped.outcome(), None);
    assert_eq!(swapped.action(), Action::Sync);
    assert_eq!(drive(swapped, [Input::Synced]), Append::Done(Outcome::Acked(2)));
}

#[test]
fn a_moved_tip_is_decided_on_again() {
    let moved = drive(Machine::fresh(), [READ, Input::Allowed, Input::Written(2), Input::Moved]);
    assert_eq!(moved, Machine::fresh());
    let refused =
        drive(moved, [Input::Read { tip: Some(9), held: false }, Input::Refused("fenced")]);
    assert_eq!(refused, Append::Done(Outcome::Refused("fenced")));
}

#[test]
fn contention_swaps_the_same_event_again() {
    let busy = drive(
        Machine::fresh(),
        [READ, Input::Allowed, Input::Written(2), Input::Busy, Input::Busy],
    );
    assert_eq!(busy.action(), Action::Swap { from: Some(1), to: 2, contended: 2 });
}

#[test]
fn an_unknown_outcome_searches_and_sends_the_identical_event() {
    let unknown =
        drive(Machine::fresh(), [READ, Input::Allowed, Input::Written(2), Input::Unknown]);
    assert_eq!(unknown.action(), Action::Read { search: true });

    let found = drive(unknown.clone(), [Input::Read { tip: Some(3), held: true }]);
    assert_eq!(found.action(), Action::Sync, "found is not yet durable");

    let same = drive(unknown.clone(), [READ]);
    assert_eq!(same.action(), Action::Swap { from: Some(1), to: 2, contended: 0 });

    let elsewhere = drive(unknown, [Input::Read { tip: Some(3), held: false }]);
    assert_eq!(elsewhere.action(), Action::Decide);
}

#[test]
fn giving_up_never_claims_to_know() {
    let lost = drive(Machine::fresh(), [READ, Input::Allowed, Input::GiveUp]);
    assert_eq!(lost.outcome(), Some(&Outcome::Lost));
    let swapped =
        drive(Machine::fresh(), [READ, Input::Allowed, Input::Written(2), Input::Swapped]);
    assert_eq!(drive(swapped, [Input::GiveUp]).outcome(), Some(&Outcome::Unsettled));
    let again = drive(
        Machine::fresh(),
        [READ, Input::Allowed, Input::Written(2), Input::Unknown, READ, Input::Moved],
    );
    assert_eq!(again.action(), Action::Read { search: true }, "the search is not forgotten");
    assert_eq!(drive(again, [Input::GiveUp]).outcome(), Some(&Outcome::Unsettled));
}

#[test]
fn refuses_an_answer_to_another_question() {
    assert_eq!(Machine::fresh().step(Input::Swapped), Err(Misfit { pending: "read" }));
    assert_eq!(
        Machine::retry().step(Input::Read { tip: None, held: true }),
        Err(Misfit { pending: "read" }),
        "an empty chain holds nothing"
    );
}
