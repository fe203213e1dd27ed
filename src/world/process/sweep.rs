//! Finding and killing what outlived its supervisor.
//!
//! Promises: never this process, never its ancestors, never a helper's own
//! daemons, never a later process of the same number.
//!
//! Limits: where no control group can be made, what has erased its environment,
//! left every parent of ours *and* outlived both the shim and the process that
//! started the shim can't be told from a stranger; the fence keeps a program from
//! killing its shim. Programs
//! that ask a service outside (`systemd-run`, `at`, a container daemon) to
//! start something are not followed.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::prctl;
use nix::unistd::{Pid, getsid};

use super::oneshot::HELPER_MARK;
use super::{ProcessError, gate, group, sys, tree};

/// The variable that marks everything one attempt started.
pub const MARK: &str = "CREW_MARK";

/// How long a sweep tries before it calls what is left unkillable.
pub(super) const DEADLINE: Duration = Duration::from_secs(5);

/// The shortest mark that can be searched for, in bytes: it must not be a guess.
const SHORTEST: usize = 16;

static SUBREAPER: AtomicBool = AtomicBool::new(false);

/// What a sweep found, as `<pid> <name>`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Killed, and gone.
    pub killed: Vec<String>,
    /// Sent `SIGKILL`, and still there five seconds later.
    pub unkillable: Vec<String>,
}

/// Makes this process the new parent of whatever loses its own below it, so
/// that a program that kills its shim is still found. To be called once, by a
/// process whose only direct children come from this module; it may then kill
/// any other child in a session of its own.
///
/// # Errors
/// [`ProcessError::Io`] where the kernel refuses (Linux before 3.4).
pub fn become_subreaper() -> Result<(), ProcessError> {
    prctl::set_child_subreaper(true)
        .map_err(|errno| ProcessError::Io { subject: "subreaper".into(), source: errno.into() })?;
    SUBREAPER.store(true, Ordering::Relaxed);
    Ok(())
}

/// A process in the middle of its exec shows no environment for a moment: only
/// nothing found twice, this far apart, is nothing.
const MID_EXEC: Duration = Duration::from_millis(20);

/// Kills every process with `CREW_MARK=<marker>` in its environment and
/// everything under it: for recovery, when whoever supervised it is gone.
/// Blocks for up to five seconds. A process may own another user's id: the
/// mark is random, so whoever has it was given it by us.
///
/// # Errors
/// [`ProcessError::Mark`] for a marker that is too short to be random.
pub fn sweep_marked(marker: &str) -> Result<Swept, ProcessError> {
    if marker.len() < SHORTEST || marker.contains('\0') {
        return Err(ProcessError::Mark { mark: marker.escape_debug().to_string() });
    }
    let line = format!("{MARK}={marker}");
    let spared = ancestors();
    let marked = |pid: i32| !spared.contains(&pid) && has(pid, line.as_bytes());
    let list = || {
        let roots = all().into_iter().filter(|pid| marked(*pid)).collect();
        let mut found = tree::under(roots);
        found.retain(|pid| !spared.contains(pid));
        found
    };
    let mut swept = until_none(list, marked, MID_EXEC);
    swept.killed.extend(group::sweep(marker));
    Ok(swept)
}

/// Kills what this process has adopted, if it is a subreaper.
pub(super) fn sweep_adopted() -> Swept {
    if !SUBREAPER.load(Ordering::Relaxed) {
        return Swept::default();
    }
    let swept = until_none(|| tree::under(adopted()), stray, Duration::ZERO);
    for pid in adopted() {
        // Only to free its number; it may be gone or never end.
        let _ = sys::reap(Some(pid));
    }
    swept
}

/// Kills everything under a shim that does not answer, and the shim. Its
/// number is its own until somebody waits for it.
pub(super) fn sweep_under(shim: i32) -> Swept {
    let mut swept = until_none(
        || tree::descendants(shim),
        |pid| tree::stat(pid).is_some_and(|stat| stat.parent == shim),
        Duration::ZERO,
    );
    tree::kill_all(|| vec![shim], |_| true);
    let adopted = sweep_adopted();
    swept.killed.extend(adopted.killed);
    swept.unkillable.extend(adopted.unkillable);
    swept
}

/// Kills what `list` gives until it gives nothing living twice, `pause` apart.
fn until_none(list: impl Fn() -> Vec<i32>, root: impl Fn(i32) -> bool, pause: Duration) -> Swept {
    let living = || {
        let mut found = list();
        found.retain(|pid| tree::stat(*pid).is_some_and(|stat| tree::alive(&stat)));
        found
    };
    let begun = Instant::now();
    let mut swept = Swept::default();
    let mut empty = 0;
    while empty < 2 {
        let found = living();
        if found.is_empty() {
            empty += 1;
            thread::sleep(pause);
            continue;
        }
        empty = 0;
        let names = tree::names(&found);
        if begun.elapsed() > DEADLINE {
            swept.killed.retain(|name| !names.contains(name));
            swept.unkillable = names;
            return swept;
        }
        let new = names.into_iter().filter(|name| !swept.killed.contains(name));
        let new: Vec<String> = new.collect();
        swept.killed.extend(new);
        tree::kill_all(&list, &root);
        thread::sleep(Duration::from_millis(5));
    }
    swept
}

/// The numbers of all processes.
pub(super) fn all() -> Vec<i32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// Whether a process was started with exactly this in its environment.
fn has(pid: i32, line: &[u8]) -> bool {
    fs::read(format!("/proc/{pid}/environ"))
        .is_ok_and(|environ| environ.split(|byte| *byte == 0).any(|entry| entry == line))
}

/// What the processes above this one were started with for a variable, as far
/// as they let themselves be read.
pub(in crate::world) fn ancestor_values(name: &str) -> Vec<OsString> {
    let start = format!("{name}=");
    let value = |entry: &[u8]| entry.strip_prefix(start.as_bytes()).map(<[u8]>::to_vec);
    ancestors()
        .into_iter()
        .skip(1)
        .filter_map(|pid| fs::read(format!("/proc/{pid}/environ")).ok())
        .filter_map(|environ| environ.split(|byte| *byte == 0).find_map(value))
        .map(OsString::from_vec)
        .collect()
}

/// This process, its parent, and so on.
fn ancestors() -> Vec<i32> {
    let mut chain = vec![Pid::this().as_raw()];
    while let Some(parent) = chain.last().and_then(|pid| tree::stat(*pid)).map(|stat| stat.parent) {
        if parent <= 0 || chain.contains(&parent) {
            break;
        }
        chain.push(parent);
    }
    chain
}

/// Children that nobody here started. No child is started while this looks.
fn adopted() -> Vec<i32> {
    let ours = gate::shut();
    let mut found = tree::children(Pid::this().as_raw());
    found.retain(|pid| u32::try_from(*pid).is_ok_and(|pid| !ours.contains(&pid)) && stray(*pid));
    found
}

/// Whether a child of this process comes from a supervised program: those have
/// sessions of their own, and helpers a mark.
fn stray(pid: i32) -> bool {
    let session = getsid(None).map_or(0, Pid::as_raw);
    let helper = format!("{HELPER_MARK}={}", std::process::id());
    tree::stat(pid)
        .is_some_and(|stat| stat.parent == Pid::this().as_raw() && stat.session != session)
        && !has(pid, helper.as_bytes())
}
