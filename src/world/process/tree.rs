//! Processes as `/proc` shows them, and killing whole trees of them.
//!
//! Promises: a signal goes through a process descriptor whose owner was looked
//! at again after it was opened, so a reused number is never hit. Limits: the
//! kernel's list of children is a snapshot; whoever needs certainty repeats.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use nix::sys::signal::Signal;
use nix::unistd::Pid;

use super::sys::PidFd;

/// What `/proc/<pid>/stat` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stat {
    /// The program's short name, unprintable characters escaped.
    pub(super) comm: String,
    /// One letter; `Z` and `X` have ended.
    pub(super) state: char,
    /// The parent.
    pub(super) parent: i32,
    /// The session.
    pub(super) session: i32,
}

fn parse_stat(text: &str) -> Option<Stat> {
    let (comm, rest) = text.split_once('(')?.1.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    let mut number = || fields.next()?.parse::<i32>().ok();
    let (parent, _group, session) = (number()?, number()?, number()?);
    Some(Stat { comm: comm.escape_debug().to_string(), state, parent, session })
}

fn proc(pid: i32) -> PathBuf {
    PathBuf::from("/proc").join(pid.to_string())
}

/// What is known of a process; `None` when it is gone.
pub(super) fn stat(pid: i32) -> Option<Stat> {
    let bytes = fs::read(proc(pid).join("stat")).ok()?;
    parse_stat(&String::from_utf8_lossy(&bytes))
}

/// The children of all threads of a process.
pub(super) fn children(pid: i32) -> Vec<i32> {
    let Ok(threads) = fs::read_dir(proc(pid).join("task")) else { return Vec::new() };
    threads
        .flatten()
        .filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok())
        .flat_map(|list| {
            list.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<i32>>()
        })
        .collect()
}

/// Everything under a process, nearest first.
pub(super) fn descendants(root: i32) -> Vec<i32> {
    under(children(root))
}

/// These processes and everything under them, nearest first.
pub(super) fn under(mut found: Vec<i32>) -> Vec<i32> {
    let mut next = 0;
    while let Some(pid) = found.get(next).copied() {
        // A snapshot taken while processes move may show one of them twice.
        for child in children(pid) {
            if !found.contains(&child) {
                found.push(child);
            }
        }
        next += 1;
    }
    found
}

/// `<pid> <name>` for each that is alive.
pub(super) fn names(pids: &[i32]) -> Vec<String> {
    pids.iter()
        .filter_map(|pid| stat(*pid).map(|stat| (pid, stat)))
        .filter(|(_, stat)| alive(stat))
        .map(|(pid, stat)| format!("{pid} {}", stat.comm))
        .collect()
}

/// Whether it can still run.
pub(super) fn alive(stat: &Stat) -> bool {
    !matches!(stat.state, 'Z' | 'X')
}

/// How many processes are held stopped at once: each costs a descriptor.
const BATCH: usize = 512;

/// Stops everything that `list` gives until nothing new comes up, then kills
/// it: what is stopped can't start another. A process is stopped only if, once
/// nobody else can take its number unseen, `root` holds of it or its parent is
/// on the list; it is killed through the descriptor it was stopped by.
pub(super) fn kill_all(list: impl Fn() -> Vec<i32>, root: impl Fn(i32) -> bool) {
    let mut held: BTreeMap<i32, PidFd> = BTreeMap::new();
    // A fork bomb that outruns this many rounds meets the caller's next one.
    for _ in 0..64 {
        let found = list();
        let known = held.len();
        for pid in &found {
            if held.contains_key(pid) || held.len() >= BATCH {
                continue;
            }
            let Ok(fd) = PidFd::open(Pid::from_raw(*pid)) else { continue };
            let parent = stat(*pid).map(|stat| stat.parent);
            if root(*pid) || parent.is_some_and(|parent| found.contains(&parent)) {
                // A process that has ended since needs no signal.
                let _ = fd.send(Signal::SIGSTOP);
                held.insert(*pid, fd);
            }
        }
        if held.len() == known {
            break;
        }
    }
    for fd in held.values() {
        let _ = fd.send(Signal::SIGKILL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_what_it_likes() {
        let stat = parse_stat("7 (a) S 1\n(b) ) Z 12 34 56 0 -1").expect("a process");
        assert_eq!((stat.comm.as_str(), stat.state), ("a) S 1\\n(b) ", 'Z'));
        assert_eq!((stat.parent, stat.session), (12, 56));
        assert!(!alive(&stat));
        assert_eq!(parse_stat("7 (a"), None);
    }
}
