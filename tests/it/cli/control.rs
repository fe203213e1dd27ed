//! Stopping, going on, trying again, taking over.

use std::process::Child;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use git_crew::domain::run::Run;

use super::processes::signal;
use super::sandbox::{Said, Sandbox, said, step, until};
use super::story;

/// Two steps: one is done at once, one works until it is stopped.
fn two(stubborn: bool) -> Sandbox {
    let sandbox = Sandbox::new();
    let up = sandbox.outside("up").display().to_string();
    let deaf = if stubborn { "trap '' TERM HUP INT; " } else { "" };
    let slow = format!(
        "{deaf}echo half >made; git add made; echo more >other; test -e {up} && exit 0; \
         echo up >{up}; sleep 300 & wait; sleep 300"
    );
    sandbox.workflow(&[
        step("quick", &[], "echo quick >quick"),
        step("slow", &["dependsOn: quick"], &slow),
    ]);
    sandbox
}

/// Starts the run and waits until its slow step has written.
fn begun(sandbox: &Sandbox) -> (Child, String) {
    let child = sandbox.start(&[]);
    until("the slow step", || sandbox.outside("up").exists().then_some(()));
    (child, sandbox.newest())
}

/// The slow step was cut off and what it had made is in a commit.
fn half_is_kept(sandbox: &Sandbox, run: &Run) {
    story::all_work_is_kept(sandbox, run);
    let first = &run.tasks[1].attempts[0];
    let commit = first.work.as_ref().and_then(|work| work.commit.clone()).expect("it is kept");
    assert_eq!(sandbox.git(&["show", &format!("{commit}:made")]), "half");
    assert_eq!(sandbox.git(&["show", &format!("{commit}:other")]), "more");
}

fn resumable(sandbox: &Sandbox, id: &str) -> Run {
    let run = story::sound(sandbox, id);
    assert_eq!(run.status.word(), "running");
    assert!(run.lease.held.is_none(), "the lease is given back");
    assert_eq!(run.tasks[0].status.word(), "completed");
    assert_eq!(format!("{:?}", run.tasks[1].attempts[0].ending), "Some(Interrupted)");
    half_is_kept(sandbox, &run);
    run
}

#[track_caller]
fn resumes(sandbox: &Sandbox, id: &str) -> Said {
    let said = sandbox.crew(&["resume", id]).exits(0);
    let run = story::sound(sandbox, id);
    assert_eq!(story::standing(&run), "completed quick=completed slow=completed");
    assert_eq!(run.tasks[0].attempts.len(), 1, "what is finished is not run again");
    assert_eq!(run.tasks[1].attempts.len(), 2);
    half_is_kept(sandbox, &run);
    said
}

#[test]
fn one_interrupt_keeps_the_work_and_can_be_resumed() {
    for sign in [Signal::SIGINT, Signal::SIGHUP, Signal::SIGTERM] {
        let sandbox = two(false);
        let (child, id) = begun(&sandbox);
        signal(&child, sign);
        let left = said(child).exits(130);
        assert!(left.err.contains(&format!("git crew resume {id}")), "{}", left.err);
        resumable(&sandbox, &id);
        resumes(&sandbox, &id);
    }
}

#[test]
fn a_second_interrupt_kills_at_once() {
    let sandbox = two(true);
    sandbox.by_user(|sandbox| sandbox.git(&["config", "crew.grace", "300"]));
    let (child, id) = begun(&sandbox);
    signal(&child, Signal::SIGINT);
    std::thread::sleep(Duration::from_millis(400));
    signal(&child, Signal::SIGINT);
    let asked = Instant::now();
    said(child).exits(130);
    assert!(asked.elapsed() < Duration::from_secs(20), "{:?}", asked.elapsed());
    resumable(&sandbox, &id);
    resumes(&sandbox, &id);
}

#[test]
fn a_cancel_from_elsewhere_stops_a_run_and_keeps_its_work() {
    for stubborn in [false, true] {
        let sandbox = two(stubborn);
        let (child, id) = begun(&sandbox);
        let asked = Instant::now();
        let why = ["cancel", &id, "--why", "the wrong branch"];
        let told = sandbox.crew(&why).exits(0);
        // An agent that does not listen has its second of grace.
        let most = Duration::from_secs(if stubborn { 6 } else { 4 });
        assert!(asked.elapsed() < most, "{:?}", asked.elapsed());
        assert!(told.out.contains("the wrong branch"), "{}", told.out);
        assert_eq!(said(child).code, Some(1));
        let run = story::sound(&sandbox, &id);
        assert_eq!(story::standing(&run), "cancelled quick=completed slow=cancelled");
        half_is_kept(&sandbox, &run);
        sandbox.crew(&["cancel", &id]).refused(1, &[&id, "cancelled"]);
        sandbox.crew(&["resume", &id]).refused(1, &[&id, "cancelled"]);
    }
}

#[test]
fn a_run_that_nobody_holds_is_cancelled_by_the_command_itself() {
    let sandbox = two(false);
    let (child, id) = begun(&sandbox);
    signal(&child, Signal::SIGKILL);
    said(child);
    sandbox.crew(&["cancel", &id]).exits(0);
    let run = story::sound(&sandbox, &id);
    assert_eq!(story::standing(&run), "cancelled quick=completed slow=cancelled");
    half_is_kept(&sandbox, &run);
}

#[test]
fn a_held_run_is_nobody_elses() {
    let sandbox = two(false);
    let (child, id) = begun(&sandbox);
    let before = sandbox.git(&["rev-parse", &format!("refs/crew/runs/{id}")]);
    for words in [&["resume", &id][..], &["retry", &id]] {
        let refused = sandbox.crew(words);
        assert!(matches!(refused.code, Some(1 | 4)), "{}", refused.err);
        assert!(refused.err.contains(&id) && refused.out.is_empty(), "{}", refused.err);
    }
    sandbox.crew(&["resume", &id]).refused(4, &[&id, "alive"]);
    assert_eq!(sandbox.git(&["rev-parse", &format!("refs/crew/runs/{id}")]), before);
    // Another run of the same repository is no matter to it.
    let other = sandbox.run(&[], 0).0;
    assert_ne!(other, id);
    signal(&child, Signal::SIGINT);
    said(child).exits(130);
    resumes(&sandbox, &id);
    sandbox.crew(&["resume", &id]).refused(1, &[&id, "completed"]);
}

#[test]
fn what_failed_is_tried_again_when_asked() {
    let sandbox = Sandbox::new();
    let flag = sandbox.outside("flag").display().to_string();
    sandbox.workflow(&[
        step("ok", &[], "echo ok >ok"),
        step("weak", &["dependsOn: ok", "retries: 0"], &format!("test -e {flag}; echo it >weak")),
        step("after", &["dependsOn: weak"], "test -s weak; echo after >after"),
    ]);
    let (id, _) = sandbox.run(&[], 1);
    let run = story::sound(&sandbox, &id);
    assert_eq!(story::standing(&run), "failed ok=completed weak=failed after=skipped");
    sandbox.crew(&["retry", &id, "nothing"]).refused(5, &["'nothing'"]);
    sandbox.crew(&["retry", &id, "ok"]).refused(1, &["'ok'"]);
    std::fs::write(sandbox.outside("flag"), "").unwrap();
    sandbox.crew(&["retry", &id, "weak"]).exits(0);
    let run = story::sound(&sandbox, &id);
    assert_eq!(story::standing(&run), "completed ok=completed weak=completed after=completed");
    assert_eq!(run.tasks[0].attempts.len(), 1);
    story::all_work_is_kept(&sandbox, &run);
    sandbox.crew(&["retry", &id]).refused(1, &[&id, "completed"]);
}

#[test]
fn a_zombie_is_refused_and_its_agents_die() {
    let sandbox = Sandbox::new();
    let noted = sandbox.outside("noted");
    let file = noted.display().to_string();
    let script = format!("echo $CREW_ATTEMPT >>{file}; test $CREW_ATTEMPT -gt 1 || sleep 300");
    sandbox.workflow(&[step("one", &[], &script)]);
    let child = sandbox.start(&[]);
    until("the agent", || noted.exists().then_some(()));
    let id = sandbox.newest();
    signal(&child, Signal::SIGSTOP);
    sandbox.crew(&["resume", &id]).refused(4, &[&id, "alive"]);
    sandbox.crew(&["resume", &id, "--force"]).exits(0);
    let tip = sandbox.git(&["rev-parse", &format!("refs/crew/runs/{id}")]);
    let run = story::sound(&sandbox, &id);
    assert_eq!(story::standing(&run), "completed one=completed");
    signal(&child, Signal::SIGCONT);
    let zombie = said(child).exits(4);
    assert!(zombie.err.contains(&format!("git crew show {id}")), "{}", zombie.err);
    assert_eq!(sandbox.git(&["rev-parse", &format!("refs/crew/runs/{id}")]), tip);
    assert_eq!(std::fs::read_to_string(&noted).unwrap(), "1\n2\n");
    let journal = sandbox.git(&["log", "--first-parent", "--format=%s", "refs/crew"]);
    assert!(journal.contains(&format!("{id}: taken over")), "{journal}");
}

#[test]
fn a_taken_over_run_is_lost_to_a_process_that_still_works() {
    let sandbox = Sandbox::new();
    let up = sandbox.outside("up");
    let file = up.display().to_string();
    let script = format!("echo $CREW_ATTEMPT >>{file}; test $CREW_ATTEMPT -gt 1 || sleep 300");
    sandbox.workflow(&[step("one", &[], &script)]);
    let child = sandbox.start(&[]);
    until("the agent", || up.exists().then_some(()));
    let id = sandbox.newest();
    // The first is running, not stopped: it must notice by itself.
    sandbox.crew(&["resume", &id, "--force"]).exits(0);
    said(child).exits(4);
    let run = story::sound(&sandbox, &id);
    assert_eq!(story::standing(&run), "completed one=completed");
}
