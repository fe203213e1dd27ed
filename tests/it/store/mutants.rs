//! Each rule of the store is taken away in a process of its own, and the very
//! test that defends the promise has to fail, and for that reason.

use std::process::Command;

/// What a test said under a mutant; `None` when it could not run here.
fn run(test: &str, mutant: &str) -> (bool, Option<String>) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]);
    command.env("CREW_MUTANT", mutant).env("RUST_BACKTRACE", "0").env("CREW_STORM_SECONDS", "4");
    // As many as it takes; `.ci/run` may ask for more of the tests themselves.
    command.env("CREW_CUTS", "20");
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("running 1 test"), "no test '{test}'");
    if let Some(why) = said.lines().find(|line| line.contains("skipped: ")) {
        println!("{why}");
        return (output.status.success(), None);
    }
    (output.status.success(), Some(said))
}

/// The test fails under the mutant with one of these words, and passes without.
fn caught(mutant: &str, test: &str, words: &[&str]) {
    let (passed, said) = run(test, mutant);
    let Some(said) = said else { return };
    assert!(!passed, "'{test}' does not notice '{mutant}'");
    let why = said.lines().find(|line| words.iter().any(|word| line.contains(word)));
    let why = why.unwrap_or_else(|| panic!("'{test}' fails for another reason: {said}"));
    println!("{mutant}: {}", why.chars().take(160).collect::<String>());
    let (passed, said) = run(test, "");
    assert!(passed, "'{test}' fails without '{mutant}', too: {said:?}");
}

#[test]
fn a_swap_that_does_not_compare_is_noticed() {
    let race = "store::race::sixteen_processes_on_one_chain_lose_and_double_nothing";
    caught("no-cas", race, &["lost: "]);
}

#[test]
fn a_write_without_the_newest_token_is_noticed() {
    caught("no-token", "store::ledger::who_was_fenced_off_writes_nothing", &["two holders: "]);
}

#[test]
fn objects_that_are_not_synced_are_noticed() {
    let cut = "store::power::a_power_cut_takes_nothing_acknowledged";
    caught("no-object-sync", cut, &["lost: "]);
}

#[test]
fn folders_that_are_not_synced_are_noticed() {
    let order = "store::syncs::everything_is_on_disk_before_it_is_acknowledged";
    caught("no-folder-sync", order, &["not synced: "]);
}

#[test]
fn objects_that_are_not_synced_are_noticed_without_a_power_cut() {
    let order = "store::syncs::everything_is_on_disk_before_it_is_acknowledged";
    caught("no-object-sync", order, &["not synced: "]);
}

#[test]
fn a_store_without_recent_objects_is_noticed() {
    let prune = "store::race::prune_that_expires_now_takes_nothing_acknowledged";
    caught("no-recent", prune, &["lost: "]);
}

#[test]
fn events_without_an_id_of_their_own_are_noticed() {
    let doubt = "store::ledger::an_event_whose_answer_was_lost_is_not_written_twice";
    caught("no-op", doubt, &["an event is doubled: "]);
}
