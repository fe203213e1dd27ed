//! The protocol holds its laws, and each rule that is taken away breaks one.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use stateright::{Checker, HasDiscoveries, Model};

use super::laws::{ALIVE, FENCE, HONEST, KEPT, ONCE, TOKENS};
use super::world::{Budget, Protocol, Reached};

/// A rule that is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// The ref is written without comparing it.
    BlindSwap,
    /// A tip that moved is built on without asking `decide` again.
    MovedIsNotDecidedAgain,
    /// Whoever was ever granted may write.
    NoTokenCheck,
    /// A token is void only when it is less than the newest, whoever holds.
    LessForUnequal,
    /// Who released may go on writing.
    ReleaseKeepsTheRight,
    /// A grant over a dead holder keeps its token.
    SameTokenOnTakeover,
    /// A forced grant keeps the token.
    ForceKeepsTheToken,
    /// A holder that does not move counts as dead.
    StoppedIsDead,
    /// What was seen of one holder is taken for true of the next one.
    LookedAtAnotherHolder,
    /// A retry does not look for its operation in the chain.
    RetryWithoutSearch,
    /// An unknown outcome counts as success.
    UnknownIsDone,
    /// An event is acknowledged when it is written.
    AckBeforeSwap,
    /// An event is acknowledged when it is swapped in.
    AckBeforeSync,
    /// An operation that a retry finds counts as being on the disk.
    FoundCountsAsSynced,
    /// The event's objects are swapped in before they are on the disk.
    ObjectsNotSynced,
    /// Nobody keeps recent objects.
    NoRecentObjects,
    /// Recent objects are kept in memory only.
    RecentNotSynced,
}

fn model(budget: Budget, mutant: Option<Mutant>) -> Protocol {
    Protocol { budget, mutant, reached: Arc::new(Reached::default()) }
}

/// Explores everything and prints how much that was.
#[expect(clippy::disallowed_macros, reason = "the size of a model belongs into the test's output")]
fn explore(name: &str, budget: Budget) -> Arc<Reached> {
    let model = model(budget, None);
    let reached = Arc::clone(&model.reached);
    let started = std::time::Instant::now();
    let checker = model.checker().threads(2).spawn_bfs().join();
    println!(
        "{name}: {} states, {} of them different, {} deep, {:.1} s",
        checker.state_count(),
        checker.unique_state_count(),
        checker.max_depth(),
        started.elapsed().as_secs_f32()
    );
    checker.assert_properties();
    reached
}

/// Crashes, take-overs and force among three.
const RACE: Budget =
    Budget { ops: 4, crashes: 1, cuts: 0, prunes: 0, forces: 1, unknowns: 0, gives: 0 };
/// Answers that are lost, retries, swaps that arrive late.
const DOUBT: Budget =
    Budget { ops: 3, crashes: 1, cuts: 0, prunes: 0, forces: 0, unknowns: 1, gives: 1 };
/// Power cuts and housekeeping.
const DISK: Budget =
    Budget { ops: 3, crashes: 1, cuts: 1, prunes: 1, forces: 0, unknowns: 0, gives: 0 };

fn happened(name: &str, counter: &AtomicU64) {
    assert!(counter.load(Ordering::Relaxed) > 0, "the model never reached: {name}");
}

#[test]
fn the_protocol_holds_when_processes_race_die_and_are_forced() {
    let reached = explore("race", RACE);
    happened("a zombie refused", &reached.refused_zombie);
    happened("a race lost", &reached.lost_race);
    happened("a dead holder dispossessed", &reached.died);
    happened("a forced grant", &reached.forced);
}

#[test]
fn the_protocol_holds_when_outcomes_are_unknown() {
    let reached = explore("doubt", DOUBT);
    happened("a retry that finds its operation", &reached.found_op);
    happened("a late swap that wins", &reached.late_won);
}

#[test]
fn the_protocol_holds_through_power_cuts_and_housekeeping() {
    let reached = explore("disk", DISK);
    happened("a hole that is filled", &reached.filled_hole);
    happened("a cut that takes a swap back", &reached.fell_back);
    happened("a rebooted holder dispossessed", &reached.rebooted);
}

#[expect(clippy::disallowed_macros, reason = "the size of a model belongs into the test's output")]
fn caught(mutant: Mutant, budget: Budget, law: &'static str) {
    let wanted = HasDiscoveries::AnyOf(BTreeSet::from([law]));
    let checker =
        model(budget, Some(mutant)).checker().threads(2).finish_when(wanted).spawn_bfs().join();
    let Some(path) = checker.discovery(law) else {
        panic!("{mutant:?} was not caught by '{law}' in {} states", checker.unique_state_count());
    };
    let steps = path.into_actions();
    println!(
        "{mutant:?}: {} states, {} steps to break '{law}'",
        checker.state_count(),
        steps.len()
    );
}

macro_rules! mutants {
    ($($name:ident: $mutant:ident in $budget:ident breaks $law:ident;)*) => {$(
        #[test]
        fn $name() {
            caught(Mutant::$mutant, $budget, $law);
        }
    )*};
}

mutants! {
    catches_a_blind_swap: BlindSwap in RACE breaks KEPT;
    catches_a_moved_tip_not_decided_again: MovedIsNotDecidedAgain in RACE breaks FENCE;
    catches_no_token_check: NoTokenCheck in RACE breaks FENCE;
    catches_less_for_unequal: LessForUnequal in DOUBT breaks FENCE;
    catches_a_release_that_keeps_the_right: ReleaseKeepsTheRight in RACE breaks FENCE;
    catches_the_same_token_on_takeover: SameTokenOnTakeover in RACE breaks TOKENS;
    catches_force_that_keeps_the_token: ForceKeepsTheToken in RACE breaks TOKENS;
    catches_stopped_taken_for_dead: StoppedIsDead in RACE breaks ALIVE;
    catches_a_look_at_another_holder: LookedAtAnotherHolder in RACE breaks ALIVE;
    catches_a_retry_without_search: RetryWithoutSearch in DOUBT breaks ONCE;
    catches_unknown_taken_for_done: UnknownIsDone in DOUBT breaks KEPT;
    catches_an_ack_before_the_swap: AckBeforeSwap in RACE breaks KEPT;
    catches_a_refused_event_that_was_acknowledged: AckBeforeSwap in DOUBT breaks KEPT;
    catches_an_ack_before_the_sync: AckBeforeSync in DISK breaks KEPT;
    catches_found_taken_for_synced: FoundCountsAsSynced in DISK breaks KEPT;
    catches_objects_not_synced: ObjectsNotSynced in DISK breaks KEPT;
    catches_no_recent_objects: NoRecentObjects in DISK breaks KEPT;
    catches_recent_objects_not_synced: RecentNotSynced in DISK breaks KEPT;
    catches_a_lost_answer_searched_in_vain: RetryWithoutSearch in DOUBT breaks HONEST;
}
