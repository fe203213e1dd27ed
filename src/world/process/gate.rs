//! The one door through which processes are started, and the list of those
//! that are ours and alive.
//!
//! A sweep for runaways looks at this process's children and must tell those
//! that were started on purpose from those that were adopted; it holds the
//! door shut while it looks.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

static OURS: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// Shuts the door: the numbers of the children that were started on purpose
/// and have not been waited for; no other is started while this is held.
pub(super) fn shut() -> MutexGuard<'static, BTreeSet<u32>> {
    // A set of numbers is whole after any panic.
    OURS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A child on the list; it leaves the list with this value, to be dropped once
/// the child has been waited for. Dropped earlier, the child counts as a
/// runaway, which is right for one that nobody waits for any more.
pub(super) struct Ours(u32);

impl Drop for Ours {
    fn drop(&mut self) {
        shut().remove(&self.0);
    }
}

/// Starts a process and records its number before any sweep can see it.
pub(super) fn spawn<T>(start: impl FnOnce() -> io::Result<(u32, T)>) -> io::Result<(T, Ours)> {
    let mut ours = shut();
    let (pid, child) = start()?;
    ours.insert(pid);
    Ok((child, Ours(pid)))
}
