//! Every behaviour by its name, and the test that shows it here; or why there is
//! none. A test proves that each of them is there.

use std::collections::BTreeSet;

/// What shows a behaviour.
enum Shown {
    /// Tests, by module and name.
    By(&'static [&'static str]),
    /// Nothing: the thing does not exist here.
    Not(&'static str),
}

use Shown::{By, Not};

/// The names, what is to hold, and what shows it.
const TABLE: &[(&str, &str, Shown)] = &[
    (
        "L1",
        "a first claim has token 1 and names its holder",
        By(&["leases::l1_the_first_claim_is_token_1_and_names_its_holder"]),
    ),
    (
        "L2",
        "a second claimant is refused and told who holds",
        By(&[
            "leases::l2_a_second_claimant_is_refused_and_told_who_holds",
            "control::a_held_run_is_nobody_elses",
        ]),
    ),
    (
        "L3",
        "after a release another gets exactly the next token",
        By(&["leases::l3_after_a_release_another_gets_exactly_the_next_token"]),
    ),
    (
        "L4",
        "so does one after a holder's end, and the record says why",
        By(&[
            "leases::l4_a_dead_holder_is_dispossessed_and_the_record_says_by_whom_and_why",
            "leases::l4_a_lease_that_renews_is_taken_after_silence_only",
        ]),
    ),
    ("L5", "only the matching token counts", By(&["leases::l5_only_the_matching_token_writes"])),
    (
        "L6",
        "a holder that is none is an error, not contention",
        By(&["leases::l6_a_malformed_holder_is_an_error_and_not_contention"]),
    ),
    (
        "L7",
        "of two claims one wins and the other is told who",
        By(&[
            "leases::l7_of_two_claims_on_one_tip_one_is_granted",
            "races::of_many_that_resume_one_run_one_holds_it",
        ]),
    ),
    (
        "L8",
        "two runs are independent",
        By(&[
            "leases::l8_different_runs_are_independent",
            "races::many_runs_at_once_in_a_fresh_repository_all_complete",
        ]),
    ),
    (
        "L9",
        "a holder's second claim is refused as its own",
        By(&["leases::l9_the_holder_s_second_claim_is_refused_as_its_own"]),
    ),
    (
        "D1",
        "an attempt has an owner and number 1",
        By(&["attempts::d1_an_attempt_records_its_owner_and_is_number_1"]),
    ),
    (
        "D2",
        "an open task is not started twice",
        By(&["attempts::d2_a_second_start_of_an_open_task_is_refused"]),
    ),
    (
        "D3",
        "a takeover closes the old attempt and opens number 2",
        By(&[
            "attempts::d3_after_a_takeover_the_old_attempt_is_closed_and_the_next_is_number_2",
            "crash::recovery_itself_is_killed",
        ]),
    ),
    (
        "D4",
        "after its end it can be held again",
        By(&["attempts::d4_after_its_end_a_run_can_be_held_again"]),
    ),
    (
        "D5",
        "a failure keeps class, words and the next try's time",
        By(&["attempts::d5_a_failure_keeps_its_class_and_words_and_the_time_of_the_next_try"]),
    ),
    (
        "D6",
        "stuck and cancelled are recorded as such",
        By(&["attempts::d6_stuck_and_cancelled_are_recorded_as_such"]),
    ),
    (
        "D7",
        "a cancellation leaves finished work alone, twice says so",
        By(&[
            "attempts::d7_cancelling_leaves_finished_tasks_alone_and_a_second_request_says_so",
            "control::a_cancel_from_elsewhere_stops_a_run_and_keeps_its_work",
        ]),
    ),
    (
        "D8",
        "what is over is never overwritten",
        By(&["attempts::d8_a_terminal_task_is_never_overwritten"]),
    ),
    (
        "D9",
        "without the lease nothing is written",
        By(&[
            "attempts::d9_without_the_lease_nothing_is_written_and_the_refusal_names_the_tokens",
            "zombie::c8_a_holder_stopped_before_its_swap_is_refused_when_it_wakes",
        ]),
    ),
    ("C1", "nobody holds: no crash", By(&["recovery::c1_a_run_that_nobody_holds_is_no_crash"])),
    (
        "C2",
        "a live holder: no crash",
        By(&["recovery::c2_c3_a_live_holder_is_never_dispossessed_however_long_it_is_silent"]),
    ),
    (
        "C3",
        "a silent holder whose process lives: no crash",
        By(&["left::c3_a_holder_that_only_sleeps_is_no_crash"]),
    ),
    (
        "C4",
        "dead before anything was in flight",
        By(&["recovery::c4_a_holder_that_died_in_planning_leaves_a_run_that_can_be_planned"]),
    ),
    (
        "C5",
        "what was in flight is named",
        By(&["recovery::c5_c6_the_state_names_what_was_in_flight"]),
    ),
    ("C6", "by its newest attempt", By(&["recovery::c5_c6_the_state_names_what_was_in_flight"])),
    (
        "C7",
        "where an attempt works is told while it does, and no longer",
        By(&[
            "agents::its_folder_is_told_while_it_works",
            "left::c15_a_slot_that_is_gone_keeps_nobody_from_going_on",
        ]),
    ),
    (
        "C8",
        "one's own process is alive, a dead one dead",
        By(&["code::a_holder_lives_until_its_lock_is_free"]),
    ),
    (
        "C9",
        "clearing closes the attempt and releases the lease",
        By(&[
            "recovery::c9_c10_a_takeover_closes_what_was_open_once",
            "crash::killed_at_random_times_with_eight_tasks_in_flight",
        ]),
    ),
    (
        "C10",
        "a second look finds nothing",
        By(&[
            "recovery::c9_c10_a_takeover_closes_what_was_open_once",
            "left::c15_what_was_left_is_told_apart",
        ]),
    ),
    (
        "C11",
        "only unfinished work is done again",
        By(&[
            "recovery::c11_only_unfinished_work_is_done_again_and_an_interruption_is_free",
            "crash::killed_at_random_times_with_eight_tasks_in_flight",
        ]),
    ),
    (
        "C12",
        "a crash in planning is recognised",
        By(&[
            "left::c12_a_run_without_a_plan_is_named_and_can_be_ended",
            "crowded::a_detached_run_is_confirmed_after_its_first_event_and_not_before",
        ]),
    ),
    (
        "C13",
        "a pause comes back whole, and from an older version too",
        By(&[
            "recovery::p1_p2_a_stopped_run_remembers_everything_and_has_no_holder",
            "tests::every_older_record_is_read_and_loses_nothing",
        ]),
    ),
    (
        "C14",
        "reading evidence deletes none",
        By(&[
            "recovery::c14_reading_evidence_never_deletes_it",
            "doctor::a_healthy_repository_is_well_and_not_written",
        ]),
    ),
    (
        "C15",
        "nothing, complete, killed, paused, a slot that is gone: told apart",
        By(&[
            "left::c15_what_was_left_is_told_apart",
            "left::c15_a_slot_that_is_gone_keeps_nobody_from_going_on",
        ]),
    ),
    (
        "C16",
        "clearing without a lock is safe, the report names the run",
        By(&[
            "left::c15_what_was_left_is_told_apart",
            "leases::l6_a_malformed_holder_is_an_error_and_not_contention",
        ]),
    ),
    (
        "C17",
        "a complete run offers nothing to resume",
        By(&[
            "recovery::c17_c18_a_complete_run_offers_nothing_to_resume_and_a_failed_one_does",
            "control::a_held_run_is_nobody_elses",
        ]),
    ),
    (
        "C18",
        "an unfinished one does",
        By(&[
            "recovery::c17_c18_a_complete_run_offers_nothing_to_resume_and_a_failed_one_does",
            "control::one_interrupt_keeps_the_work_and_can_be_resumed",
        ]),
    ),
    (
        "C19",
        "what had finished is not replayed",
        By(&["recovery::c19_what_had_finished_before_the_crash_is_judged_and_not_replayed"]),
    ),
    (
        "P1",
        "no pause: nothing",
        By(&["recovery::p1_p2_a_stopped_run_remembers_everything_and_has_no_holder"]),
    ),
    (
        "P2",
        "every field comes back, the reason too",
        By(&["recovery::p1_p2_a_stopped_run_remembers_everything_and_has_no_holder"]),
    ),
    (
        "P3",
        "a slot that nobody works in is gone after the next command",
        By(&["left::c15_what_was_left_is_told_apart"]),
    ),
    ("P4", "a release happens once", By(&["recovery::p4_a_release_happens_once"])),
    (
        "P5",
        "the store can't be read: nothing, and no error",
        Not(
            "a pause is the run's own state: a store that can't be read is an error by name, see damage::a_damaged_event_is_named_and_so_is_a_damaged_tip",
        ),
    ),
    (
        "T1",
        "a slot holds no copy of the state",
        By(&["life::git_in_a_slot_is_whole_and_the_users_is_not_in_it"]),
    ),
    (
        "T2",
        "one identity through worktree, root and link; what is written is seen",
        By(&["left::t2_t3_one_repository_is_one_identity_however_it_is_named"]),
    ),
    (
        "T3",
        "the identity is the real path, whatever folder one is in",
        By(&[
            "left::t2_t3_one_repository_is_one_identity_however_it_is_named",
            "places::a_separate_git_dir",
        ]),
    ),
    (
        "T4",
        "state of one run is never taken for another's",
        By(&["left::t4_a_chain_of_another_run_is_refused"]),
    ),
    (
        "T5",
        "a stop leaves no more behind than a success",
        By(&["left::t5_a_cancelled_run_leaves_no_more_than_one_that_completed"]),
    ),
    (
        "T6",
        "settings flow into a slot and never back",
        By(&[
            "life::the_users_configuration_of_files_goes_along_and_nothing_that_runs",
            "hostile::trap_config_of_the_slot",
        ]),
    ),
    (
        "T7",
        "a slot is made, found, taken down, made again",
        By(&[
            "content::a_slot_reopened_by_another_process_gives_the_same_tree",
            "left::c15_what_was_left_is_told_apart",
        ]),
    ),
    (
        "T8",
        "slots behind a link, and after a restart",
        By(&[
            "left::t8_t9_slots_behind_a_link_and_beside_the_users_worktrees",
            "crash::killed_at_random_times_with_eight_tasks_in_flight",
        ]),
    ),
    (
        "T9",
        "the user's own worktrees stay as they are",
        By(&["left::t8_t9_slots_behind_a_link_and_beside_the_users_worktrees"]),
    ),
    (
        "T10",
        "a folder without a git marker is recovered from",
        By(&["hostile::trap_no_git_at_all", "life::an_interrupted_removal_is_swept"]),
    ),
    ("T11", "no commits: an error by name", By(&["files::an_unborn_head"])),
    (
        "T12",
        "going on rewrites nothing of what was made",
        By(&["control::one_interrupt_keeps_the_work_and_can_be_resumed"]),
    ),
];

/// Every test of the project as `module::name`.
fn tests() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for folder in ["src", "tests/it"] {
        for path in crate::tidy::files(folder, "rs") {
            let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            let text = crate::tidy::text(&path);
            for part in text.split("#[test]").skip(1) {
                let name = part.split("fn ").nth(1).and_then(|rest| rest.split('(').next());
                found.insert(format!("{stem}::{}", name.unwrap_or_default()));
            }
        }
    }
    found
}

#[test]
fn every_behaviour_has_a_test_or_a_reason() {
    let tests = tests();
    for (name, what, shown) in TABLE {
        match shown {
            By(list) => {
                assert!(!list.is_empty(), "{name}: {what}");
                for test in *list {
                    assert!(tests.contains(*test), "{name} ({what}): there is no test '{test}'");
                }
            }
            Not(why) => assert!(why.len() > 20, "{name} ({what}): why not?"),
        }
    }
    let names: Vec<&str> = TABLE.iter().map(|(name, ..)| *name).collect();
    let numbered =
        |letter: &'static str, most: u32| (1..=most).map(move |n| format!("{letter}{n}"));
    let wanted = [("L", 9), ("D", 9), ("C", 19), ("P", 5), ("T", 12)];
    let wanted: Vec<String> = wanted.into_iter().flat_map(|(l, n)| numbered(l, n)).collect();
    assert_eq!(names, wanted);
}
