//! Named points at which a test build can be made to fail, stop or kill itself.
//!
//! `CREW_FAIL="append.renamed:kill"` kills the process with `SIGKILL` at that
//! point, `:stop` stops it, `:panic` panics there, `:err` makes the point answer an I/O error, `:full`
//! an out-of-space error, `:wait-300` waits as many milliseconds.
//! `append.renamed@3:kill` is for the third hit, `@*` for all. A list is separated
//! by commas. Without the feature a point compiles to nothing.
//!
//! `CREW_MUTANT="no-cas"` takes one rule of the store away, so that a test can
//! show that its absence would be noticed. Without the feature no rule can be.

use std::io;

/// Passes the point `name`.
///
/// # Errors
/// Only in a test build that was told so.
#[cfg(not(feature = "failpoints"))]
#[inline]
pub fn hit(_name: &str) -> io::Result<()> {
    Ok(())
}

/// Passes the point `name`.
///
/// # Errors
/// Only in a test build that was told so.
#[cfg(feature = "failpoints")]
pub fn hit(name: &str) -> io::Result<()> {
    armed::hit(name)
}

/// Whether the rule `name` is taken away from this process.
#[cfg(not(feature = "failpoints"))]
#[inline]
#[must_use]
pub const fn mutant(_name: &str) -> bool {
    false
}

/// Whether the rule `name` is taken away from this process.
#[cfg(feature = "failpoints")]
#[must_use]
pub fn mutant(name: &str) -> bool {
    armed::mutant(name)
}

#[cfg(feature = "failpoints")]
mod armed {
    use std::collections::BTreeMap;
    use std::io;
    use std::sync::{Mutex, OnceLock, PoisonError};

    use nix::sys::signal::{Signal, kill};
    use nix::unistd::getpid;

    struct Arm {
        /// The hit that counts; `None` for all.
        at: Option<u32>,
        deed: String,
    }

    fn arms() -> &'static BTreeMap<String, Arm> {
        static ARMS: OnceLock<BTreeMap<String, Arm>> = OnceLock::new();
        ARMS.get_or_init(|| {
            #[expect(clippy::disallowed_methods, reason = "a test build's own switch")]
            let text = std::env::var("CREW_FAIL").unwrap_or_default();
            text.split(',').filter_map(parse).collect()
        })
    }

    fn parse(one: &str) -> Option<(String, Arm)> {
        let (point, deed) = one.rsplit_once(':')?;
        let (name, at) = point.split_once('@').unwrap_or((point, "1"));
        let at = if at == "*" { None } else { Some(at.parse().ok()?) };
        Some((name.to_owned(), Arm { at, deed: deed.to_owned() }))
    }

    fn count(name: &str) -> u32 {
        static HITS: Mutex<BTreeMap<String, u32>> = Mutex::new(BTreeMap::new());
        let mut hits = HITS.lock().unwrap_or_else(PoisonError::into_inner);
        let n = hits.entry(name.to_owned()).or_default();
        *n += 1;
        *n
    }

    pub(super) fn mutant(name: &str) -> bool {
        static MUTANT: OnceLock<String> = OnceLock::new();
        let on = MUTANT.get_or_init(|| {
            #[expect(clippy::disallowed_methods, reason = "a test build's own switch")]
            std::env::var("CREW_MUTANT").unwrap_or_default()
        });
        on == name
    }

    pub(super) fn hit(name: &str) -> io::Result<()> {
        let Some(arm) = arms().get(name) else { return Ok(()) };
        let hit = count(name);
        if arm.at.is_some_and(|at| at != hit) {
            return Ok(());
        }
        if let Some(ms) = arm.deed.strip_prefix("wait-").and_then(|ms| ms.parse().ok()) {
            std::thread::sleep(std::time::Duration::from_millis(ms));
            return Ok(());
        }
        match arm.deed.as_str() {
            "kill" => deliver(Signal::SIGKILL),
            "stop" => deliver(Signal::SIGSTOP),
            "panic" => panic!("failpoint {name}"),
            "full" => Err(io::Error::from_raw_os_error(nix::libc::ENOSPC)),
            _ => Err(io::Error::other(format!("failpoint {name}"))),
        }
    }

    fn deliver(signal: Signal) -> io::Result<()> {
        kill(getpid(), signal)?;
        Ok(())
    }
}
