//! Writers killed, or failed, at every named step of an append and of recovery.
//! They need the feature `failpoints`.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;

use git_crew::store::Chains;

use super::child::{Orders, finish};
use super::fixture::{Repo, messages, run_ref};
use super::race::check;

const STEPS: [&str; 8] = [
    "object.fill",
    "object.written",
    "object.placed",
    "recent.recorded",
    "swap.locked",
    "swap.written",
    "swap.renamed",
    "swap.synced",
];

fn no_lock_is_left(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            no_lock_is_left(&path);
        }
        assert!(path.extension().is_none_or(|end| end != "lock"), "{}", path.display());
    }
}

fn all_are_there_once(repo: &Repo, orders: &Orders) {
    check(repo, std::slice::from_ref(orders));
    let name = run_ref(&orders.run);
    let want: Vec<String> = (0..orders.events).map(|n| format!("{}-{n}", orders.holder)).collect();
    assert_eq!(messages(&repo.store("reader"), &name), want, "{}", orders.fail);
    no_lock_is_left(&repo.git_dir().join("refs"));
}

/// Kills a writer at a point, lets the next one go on, and counts.
fn kill_and_go_on(repo: &Repo, run: &str, fail: &str) {
    let orders = Orders {
        events: 5,
        fail: fail.to_owned(),
        ..Orders::new(repo.path(), &format!("h-{run}"), run)
    };
    let status = orders.spawn().wait_with_output().unwrap().status;
    assert_eq!(status.signal(), Some(9), "{fail} was not reached");
    finish(Orders { fail: String::new(), again: true, ..orders.clone() }.spawn());
    all_are_there_once(repo, &orders);
}

#[test]
fn a_kill_at_any_step_loses_and_doubles_nothing() {
    let repo = Repo::new();
    for (n, step) in STEPS.iter().enumerate() {
        for at in [1, 2, 7] {
            let hits = if step.starts_with("object.") { at } else { at.min(3) };
            let run = format!("aaaa-kill-{n}-{at}");
            kill_and_go_on(&repo, &run, &format!("{step}@{hits}:kill"));
        }
    }
}

#[test]
fn a_failure_at_any_step_is_no_false_acknowledgement() {
    let repo = Repo::new();
    for (n, step) in STEPS.iter().enumerate() {
        for deed in ["err", "full"] {
            let orders = Orders {
                events: 4,
                fail: format!("{step}@2:{deed}"),
                ..Orders::new(repo.path(), &format!("h-{n}-{deed}"), &format!("aaaa-{n}-{deed}"))
            };
            finish(orders.spawn());
            all_are_there_once(&repo, &orders);
            assert_eq!(orders.acked().len(), 4);
        }
    }
}

#[test]
fn recovery_itself_may_be_killed() {
    let repo = Repo::new();
    for (n, step) in ["recover.alone", "recover.moved"].iter().enumerate() {
        let run = format!("aaaa-recover-{n}");
        let lock = repo.git_dir().join(format!("{}.lock", run_ref(&run)));
        std::fs::create_dir_all(lock.parent().unwrap()).unwrap();
        std::fs::write(&lock, "").unwrap();
        kill_and_go_on(&repo, &run, &format!("{step}:kill"));
    }
    // The third: after a reboot.
    let marker = repo.git_dir().join("crew/boot");
    std::fs::write(&marker, "another boot\n").unwrap();
    kill_and_go_on(&repo, "aaaa-recover-boot", "recover.refilled:kill");
    assert_ne!(std::fs::read_to_string(&marker).unwrap(), "another boot\n");
}

#[test]
fn a_stopped_writer_blocks_nobody_elses_ref() {
    let repo = Repo::new();
    let fail = "swap.locked@2:stop".to_owned();
    let stopped = Orders { events: 3, fail, ..Orders::new(repo.path(), "h-stop", "aaaa-stop") };
    let mut child = stopped.spawn();
    let lock = repo.git_dir().join(format!("{}.lock", run_ref("aaaa-stop")));
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !(lock.exists() && stopped.acked().len() == 1) {
        assert!(std::time::Instant::now() < deadline, "the writer did not stop");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let other = Orders { events: 3, ..Orders::new(repo.path(), "h-other", "aaaa-other") };
    finish(other.spawn());
    // Its own ref is not taken from it: it is stopped, not dead.
    assert!(lock.exists());
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGCONT).unwrap();
    assert!(child.wait().unwrap().success());
    all_are_there_once(&repo, &stopped);
    assert!(repo.store("h").tip(&run_ref("aaaa-other")).unwrap().is_some());
}
