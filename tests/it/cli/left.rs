//! What a run leaves, however it ends, and what the next command makes of it.

use std::path::PathBuf;
use std::process::Child;

use nix::sys::signal::Signal;
use serde_json::Value;

use super::processes::signal;
use super::sandbox::{Sandbox, said, step, until};
use super::story;

/// One step, whose first attempt works until it is stopped.
fn slow() -> Sandbox {
    let sandbox = Sandbox::new();
    let up = sandbox.outside("up").display().to_string();
    let script =
        format!("echo half >made; test -e {up} && exit 0; echo up >{up}; sleep 300 & wait");
    sandbox.workflow(&[step("one", &[], &script)]);
    sandbox
}

fn begun(sandbox: &Sandbox) -> (Child, String) {
    let child = sandbox.start(&[]);
    until("the agent", || sandbox.outside("up").exists().then_some(()));
    (child, sandbox.newest())
}

/// What doctor finds of one check: weight and cause.
fn finding(sandbox: &Sandbox, check: &str) -> (String, String) {
    let told = sandbox.crew(&["doctor", "--json"]);
    let told: Value = serde_json::from_str(&told.out).expect("JSON");
    let all = told["data"]["findings"].as_array().expect("findings").clone();
    let one = all.into_iter().find(|one| one["check"] == check).expect("the check is made");
    let text = |name: &str| one[name].as_str().expect("words").to_owned();
    (text("weight"), text("cause"))
}

/// The run is resumed by another process and nothing of the first is left.
#[track_caller]
fn goes_on(sandbox: &Sandbox, id: &str) {
    sandbox.crew(&["resume", id]).exits(0);
    let run = story::sound(sandbox, id);
    assert_eq!(story::standing(&run), "completed one=completed");
    let attempts = &run.tasks[0].attempts;
    assert_eq!(attempts.len(), 2);
    assert_eq!(format!("{:?}", attempts[0].ending), "Some(Interrupted)");
    story::all_work_is_kept(sandbox, &run);
    nothing_is_left(sandbox);
}

fn nothing_is_left(sandbox: &Sandbox) {
    for check in ["left-runs", "slots"] {
        let (weight, cause) = finding(sandbox, check);
        assert_eq!(weight, "good", "{check}: {cause}");
    }
}

#[test]
fn c15_what_was_left_is_told_apart() {
    // Nothing at all: nothing to clear, nothing to resume.
    let sandbox = slow();
    nothing_is_left(&sandbox);
    sandbox.crew(&["resume"]).refused(5, &["no run"]);
    // Killed in its work.
    let (child, id) = begun(&sandbox);
    signal(&child, Signal::SIGKILL);
    said(child);
    let (weight, cause) = finding(&sandbox, "left-runs");
    assert_eq!(weight, "wrong");
    assert!(cause.contains(&id) && cause.contains("died"), "{cause}");
    goes_on(&sandbox, &id);
    // Complete.
    sandbox.crew(&["resume", &id]).refused(1, &[&id, "completed"]);
    // Stopped by a person.
    let sandbox = slow();
    let (child, id) = begun(&sandbox);
    signal(&child, Signal::SIGINT);
    said(child).exits(130);
    let (weight, cause) = finding(&sandbox, "left-runs");
    assert_eq!(weight, "note");
    assert!(cause.contains(&id) && cause.contains("nobody works on it"), "{cause}");
    goes_on(&sandbox, &id);
}

#[test]
fn c15_a_slot_that_is_gone_keeps_nobody_from_going_on() {
    let sandbox = slow();
    let (child, id) = begun(&sandbox);
    let slot = PathBuf::from(sandbox.crew(&["path", &id, "one"]).exits(0).out.trim_end());
    signal(&child, Signal::SIGKILL);
    said(child);
    std::fs::remove_dir_all(slot.parent().expect("the slot around the tree")).expect("removed");
    sandbox.crew(&["path", &id, "one"]).refused(5, &["one"]);
    goes_on(&sandbox, &id);
}

/// A silent holder is alive as long as its process is, however long it is silent.
#[test]
fn c3_a_holder_that_only_sleeps_is_no_crash() {
    let sandbox = slow();
    let (child, id) = begun(&sandbox);
    signal(&child, Signal::SIGSTOP);
    assert_eq!(finding(&sandbox, "left-runs").0, "good");
    sandbox.crew(&["resume", &id]).refused(4, &[&id, "alive"]);
    signal(&child, Signal::SIGCONT);
    sandbox.crew(&["cancel", &id]).exits(0);
    assert_eq!(said(child).code, Some(1));
}

/// A run is created, held and planned by one append, so that no crash leaves one
/// without a plan; one that somebody made is answered by name.
#[test]
fn c12_a_run_without_a_plan_is_named_and_can_be_ended() {
    let sandbox = slow();
    let (child, id) = begun(&sandbox);
    signal(&child, Signal::SIGKILL);
    said(child);
    sandbox.crew(&["cancel", &id]).exits(0);
    let chain = format!("refs/crew/runs/{id}");
    let first = sandbox.git(&["rev-list", "--max-parents=0", &chain]);
    let told =
        sandbox.git(&["log", "--reverse", "--format=%(trailers:key=Crew-At,valueonly)", &chain]);
    let at: Vec<i64> = told.split_whitespace().map(|at| at.parse().expect("a time")).collect();
    assert!(at[2] - at[0] < 100, "created, granted and planned at once: {at:?}");
    sandbox.git(&["update-ref", &chain, &first]);
    sandbox.crew(&["resume", &id]).refused(70, &[&id, "plan"]);
    sandbox.crew(&["show", &id]).exits(0);
    let (_, cause) = finding(&sandbox, "left-runs");
    assert!(cause.contains(&id), "{cause}");
}

/// The same runs are seen from the root, a worktree, a subfolder, through a link
/// and with a slash at the end.
#[test]
fn t2_t3_one_repository_is_one_identity_however_it_is_named() {
    let sandbox = Sandbox::with(&[step("one", &[], "echo it >made")]);
    let place = sandbox.top().join("tmp/place");
    let link = sandbox.top().join("tmp/link");
    sandbox.by_user(|sandbox| {
        sandbox.git(&["worktree", "add", "-q", place.to_str().expect("UTF-8"), "other"]);
    });
    std::os::unix::fs::symlink(sandbox.user(), &link).expect("linked");
    let (id, _) = sandbox.run(&[], 0);
    let slash = format!("{}/", sandbox.user().display());
    let ids = |said: String| {
        let told: Value = serde_json::from_str(&said).expect("JSON");
        told["data"].to_string()
    };
    let seen = ids(sandbox.crew(&["show", &id, "--json"]).exits(0).out);
    for dir in [sandbox.user().join("src"), place, link.clone(), link.join("src")] {
        let told = sandbox.at(&dir).run(&["show", &id, "--json"]).exits(0);
        // "asked 2 seconds ago" is told in whole seconds.
        assert_eq!(ids(told.out), seen, "{}", dir.display());
    }
    let told = sandbox.at(sandbox.top()).run(&["-C", &slash, "show", "--json"]).exits(0);
    assert_eq!(ids(told.out), seen);
    // What one of them writes the others see.
    let (next, _) = sandbox.run(&[], 0);
    assert!(sandbox.at(&link).run(&["status"]).exits(0).out.contains(&next));
}

/// A chain under another run's name is nobody's state.
#[test]
fn t4_a_chain_of_another_run_is_refused() {
    let sandbox = Sandbox::with(&[step("one", &[], "true")]);
    let (id, _) = sandbox.run(&[], 0);
    sandbox.git(&["update-ref", "refs/crew/runs/zzzz-other", &format!("refs/crew/runs/{id}")]);
    for words in [&["show", "zzzz"][..], &["resume", "zzzz"], &["cancel", "zzzz"]] {
        sandbox.crew(words).refused(70, &["zzzz-other"]);
    }
    story::sound(&sandbox, &id);
}

/// What is there of ours beside the refs after a run: nothing that tells of how
/// it ended.
#[test]
fn t5_a_cancelled_run_leaves_no_more_than_one_that_completed() {
    let transient = |sandbox: &Sandbox, id: &str| {
        let below = |path: &str| {
            let mut names: Vec<String> = std::fs::read_dir(sandbox.common().join(path))
                .map(|all| {
                    all.map(|one| one.expect("a name").file_name().display().to_string()).collect()
                })
                .unwrap_or_default();
            names.sort();
            names
        };
        let refs = sandbox.git(&["for-each-ref", "--format=%(refname)", "refs/crew"]);
        let refs: Vec<String> = refs.lines().map(|name| name.replace(id, "RUN")).collect();
        nothing_is_left(sandbox);
        (below("crew"), below("crew/live"), below("crew/holders").len(), refs)
    };
    let done = slow();
    std::fs::write(done.outside("up"), "").expect("written");
    let (id, _) = done.run(&[], 0);
    let of_done = transient(&done, &id);
    let cancelled = slow();
    let (child, id) = begun(&cancelled);
    cancelled.crew(&["cancel", &id]).exits(0);
    said(child).exits(1);
    let mut of_cancelled = transient(&cancelled, &id);
    // Only what completed has a result, and what printed nothing no attic.
    let results = "refs/crew/results/RUN".to_owned();
    assert!(!of_cancelled.3.contains(&results) && of_done.3.contains(&results));
    of_cancelled.3.push(results);
    of_cancelled.3.sort();
    assert_eq!(of_cancelled, of_done);
}

#[test]
fn t8_t9_slots_behind_a_link_and_beside_the_users_worktrees() {
    for kind in ["private", "linked"] {
        let sandbox = Sandbox::with(&[
            step("one", &[], "echo it >made"),
            step("two", &["dependsOn: one"], "cat made >again"),
        ]);
        let real = sandbox.top().join("tmp/real");
        let link = sandbox.top().join("tmp/slots");
        std::fs::create_dir(&real).expect("made");
        std::os::unix::fs::symlink(&real, &link).expect("linked");
        let own = sandbox.top().join("tmp/own");
        sandbox.by_user(|sandbox| {
            sandbox.git(&["config", "crew.worktrees", link.to_str().expect("UTF-8")]);
            sandbox.git(&["config", "crew.slots", kind]);
            sandbox.git(&["worktree", "add", "-q", own.to_str().expect("UTF-8"), "other"]);
        });
        std::fs::write(own.join("mine"), "mine").expect("written");
        let before = sandbox.git(&["worktree", "list", "--porcelain"]);
        let (id, _) = sandbox.run(&[], 0);
        story::sound(&sandbox, &id);
        assert_eq!(sandbox.git(&["worktree", "list", "--porcelain"]), before, "{kind}");
        assert_eq!(sandbox.git_in(&own, &["status", "--porcelain"]), "?? mine", "{kind}");
        assert_eq!(sandbox.git(&["show", &format!("refs/crew/results/{id}:again")]), "it");
        nothing_is_left(&sandbox);
        if kind == "linked" {
            // Registering a worktree is what this kind is for: git's folder of
            // them has another time afterwards.
            sandbox.seal();
        }
    }
}
