//! Worktrees that are made ready for builds, by the user's settings.

use super::sandbox::{Sandbox, step};
use super::story;

fn with(sandbox: &Sandbox, settings: &[(&str, &str)]) {
    sandbox.by_user(|sandbox| {
        for (key, value) in settings {
            sandbox.git(&["config", key, value]);
        }
    });
}

/// A setup that counts how often it ran, in an ignored folder.
const COUNT: &str = "mkdir -p made; echo ran >>made/times; echo set up >&2";

#[test]
fn a_setup_runs_once_a_slot_and_again_when_its_files_change() {
    let times = |line: &str| format!("test $(wc -l <made/times) = {line} && echo {line} >count");
    let sandbox = Sandbox::with(&[
        step("first", &[], &format!("echo made/ >.gitignore; {}", times("1"))),
        step("second", &["dependsOn: first"], &times("1")),
        step("third", &["dependsOn: second"], &format!("{}; echo 1 >lock", times("1"))),
        step("fourth", &["dependsOn: third"], &times("2")),
    ]);
    with(&sandbox, &[("crew.setup", COUNT), ("crew.setupKey", "lock"), ("crew.keep", "made")]);
    // The first base does not ignore what the setup makes, so it is not kept.
    let (id, _) = sandbox.run(&[], 0);
    let run = story::sound(&sandbox, &id);
    assert!(story::standing(&run).starts_with("completed"), "{}", story::standing(&run));
    let log = sandbox.crew(&["log", &id, "first", "--output"]).exits(0).out;
    assert!(log.contains("set up"), "{log}");
}

#[test]
fn a_setup_that_fails_is_a_failed_attempt_that_says_so() {
    let sandbox = Sandbox::with(&[step("first", &["retries: 0"], "echo one >made")]);
    with(&sandbox, &[("crew.setup", "echo no such package >&2; exit 3")]);
    let (id, _) = sandbox.run(&[], 1);
    let told = sandbox.crew(&["show", &id, "first"]).exits(0).out;
    let why = "the setup 'echo no such package >&2; exit 3' exited with 3: no such package";
    assert!(told.contains(why), "{told}");
    let state = story::state(&sandbox, &id);
    assert_eq!(state["tasks"][0]["attempts"][0]["ending"]["class"], "setup", "{state}");
}

#[test]
fn a_setup_that_never_ends_is_stopped() {
    let sandbox = Sandbox::with(&[step("first", &["retries: 0"], "true")]);
    with(&sandbox, &[("crew.setup", "sleep 1000"), ("crew.setupTimeout", "1")]);
    let (id, _) = sandbox.run(&[], 1);
    let told = sandbox.crew(&["show", &id, "first"]).exits(0).out;
    assert!(told.contains("crew.setupTimeout"), "{told}");
}

#[test]
fn a_disk_without_room_refuses_the_run_before_it_begins() {
    let sandbox = Sandbox::with(&[step("first", &[], "true")]);
    with(&sandbox, &[("crew.minFree", "1000000000")]);
    let before = sandbox.ours();
    let said = sandbox.crew(&["run", "--team", "t", "do it"]);
    assert!(
        said.err.contains("MB are free") && said.err.contains("git crew prune"),
        "{}",
        said.err
    );
    assert_eq!(sandbox.ours(), before);
}

#[test]
fn a_setting_that_leads_out_is_refused_by_name() {
    let sandbox = Sandbox::with(&[step("first", &[], "true")]);
    for (key, value) in
        [("crew.copy", "../secrets"), ("crew.keep", "/tmp"), ("crew.slotsMax", "many")]
    {
        with(&sandbox, &[(key, value)]);
        let said = sandbox.crew(&["run", "--team", "t", "do it"]);
        assert!(said.err.contains(&key.to_lowercase()), "{}", said.err);
        sandbox.by_user(|sandbox| {
            sandbox.git(&["config", "--unset", key]);
        });
    }
}
