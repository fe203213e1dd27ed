//! A holder that is stopped in the middle of an append, dispossessed by a person
//! and then wakes up.

use nix::sys::signal::Signal;

use super::yard::{Yard, said, signal, until};

/// Stops the first process at `fail`, takes its run over by force, lets it go
/// on: it must have written nothing under its old token after the new grant.
fn stopped_at(fail: &str) {
    let yard = Yard::new();
    let pids = yard.outside("pids");
    let script = format!("echo $$ >>{}; sleep 2; echo it >made", pids.display());
    yard.steps(&[("one", "", &script), ("two", "", &script)]);
    let first = yard.command(&["run", "--team", "t", "go"]).env("CREW_FAIL", fail).spawn().unwrap();
    until("the first to stop", || is_stopped(first.id()).then_some(()));
    let run = yard.runs().pop().unwrap();
    let refused = yard.crew(&["resume", &run], 4);
    assert!(refused.err.contains("holds it"), "stopped is not dead: {}", refused.err);
    let second = yard.spawn(&["resume", "--force", &run]);
    let forced = |line: &String| line.contains("force");
    until("the grant", || yard.events(&run).iter().any(forced).then_some(()));
    let agents: Vec<i32> = std::fs::read_to_string(&pids)
        .unwrap_or_default()
        .lines()
        .filter_map(|line| line.parse().ok())
        .collect();
    signal(&first, Signal::SIGCONT);
    let (first, second) = (said(first), said(second));
    assert_eq!(second.code, Some(0), "{}{}", second.out, second.err);
    assert_eq!(first.code, Some(4), "the zombie was not refused: {}{}", first.out, first.err);
    yard.sound(&run);
    nothing_of_the_zombie(&yard, &run);
    assert_eq!(yard.state(&run)["status"], "completed");
    yard.readable();
    for pid in agents {
        until("the end of an agent", || {
            (!std::path::Path::new(&format!("/proc/{pid}")).exists()).then_some(())
        });
    }
}

/// The authors of the events, by the grant that they stand under.
fn nothing_of_the_zombie(yard: &Yard, run: &str) {
    let name = format!("refs/crew/runs/{run}");
    let log = yard.git(&["log", "--reverse", "--first-parent", "--format=%ae %s", &name]);
    let lines: Vec<&str> = log.lines().collect();
    let author = |line: &str| line.split(' ').next().unwrap_or_default().to_owned();
    let grant = lines.iter().position(|line| line.contains("force")).expect("a forced grant");
    let zombie = author(lines[0]);
    let late: Vec<_> = lines[grant..].iter().filter(|line| author(line) == zombie).collect();
    assert!(late.is_empty(), "two holders: the zombie wrote {late:#?}");
}

fn is_stopped(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
}

#[test]
fn c8_a_holder_stopped_before_its_swap_is_refused_when_it_wakes() {
    stopped_at("recent.recorded@7:stop");
}

#[test]
fn c8_a_holder_stopped_after_its_swap_is_refused_when_it_wakes() {
    stopped_at("swap.renamed@7:stop");
}
