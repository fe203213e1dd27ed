//! Clocks, and the names of this machine and this boot.
//!
//! Promises: nothing outside reads a clock; tests bring a [`FixedClock`]. The
//! machine's name is never its secret id itself, and two machines never get
//! the same one by a guess of ours.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use sha2::{Digest, Sha256};

use crate::domain::time::Timestamp;

/// Where time comes from.
pub trait Clock: Send + Sync {
    /// The wall clock, for people; it may step.
    fn now(&self) -> Timestamp;

    /// Time since an arbitrary point in this process. Never steps back; stands
    /// still while the machine is suspended.
    fn monotonic(&self) -> Duration;
}

/// The machine's clocks.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    start: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { start: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "this is where the wall clock is read")]
        let now = SystemTime::now();
        let ms = match now.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
            Err(e) => i64::try_from(e.duration().as_millis()).map_or(i64::MIN, |ms| -ms),
        };
        Timestamp(ms)
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }
}

/// A clock that stands until it is moved.
#[derive(Debug, Default)]
pub struct FixedClock {
    now: AtomicI64,
    passed: AtomicI64,
}

impl FixedClock {
    /// A clock that shows this time.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self { now: AtomicI64::new(now.0), passed: AtomicI64::new(0) }
    }

    /// Lets so many milliseconds pass on both clocks.
    pub fn pass_ms(&self, ms: u32) {
        self.now.fetch_add(ms.into(), Ordering::SeqCst);
        self.passed.fetch_add(ms.into(), Ordering::SeqCst);
    }

    /// Steps the wall clock alone, forwards or back.
    pub fn step_ms(&self, ms: i64) {
        self.now.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.now.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        let passed = self.passed.load(Ordering::SeqCst);
        Duration::from_millis(u64::try_from(passed).unwrap_or_default())
    }
}

/// Time since the machine started, suspended time included, in steps of 10 ms.
///
/// # Errors
/// Where there is no `/proc/uptime`.
pub fn boottime() -> io::Result<Duration> {
    let text = fs::read_to_string("/proc/uptime")?;
    let seconds = text.split_ascii_whitespace().next().and_then(|first| first.parse().ok());
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no number in /proc/uptime"))
}

/// The name of this boot: another one after every restart.
///
/// # Errors
/// Where there is no `/proc/sys/kernel/random/boot_id`.
pub fn boot_id() -> io::Result<String> {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    let id: String = text.chars().filter(char::is_ascii_hexdigit).collect();
    if id.len() == 32 {
        Ok(id)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidData, "no id in boot_id"))
    }
}

/// The name of this machine: a hash of `/etc/machine-id` (which its makers ask
/// to keep private, and a grant may be pushed), 32 hexadecimal digits.
///
/// A machine without one is named after its boot (`boot-…`), so after a restart
/// it counts as another machine, and what it held is taken over by force only.
/// An id of our own in the repository's folder would be wrong in the dangerous
/// direction: a folder shared over a network would give two machines one name.
///
/// # Errors
/// Where there is neither a machine id nor a boot id.
pub fn machine_id() -> io::Result<String> {
    let files = ["/etc/machine-id", "/var/lib/dbus/machine-id"];
    match files.iter().find_map(|file| machine_id_in(Path::new(file))) {
        Some(id) => Ok(id),
        None => boot_id().map(|id| format!("boot-{id}")),
    }
}

fn machine_id_in(file: &Path) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let id = text.trim();
    let valid = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    // A file that says "uninitialized", or nothing but zeros, names nobody.
    (valid && id.bytes().any(|byte| byte != b'0')).then(|| {
        let digest = Sha256::digest(format!("git-crew machine {id}"));
        digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fixed_clock_moves_when_told() {
        let clock = FixedClock::new(Timestamp(1000));
        clock.pass_ms(500);
        clock.step_ms(-2000);
        assert_eq!((clock.now(), clock.monotonic()), (Timestamp(-500), Duration::from_millis(500)));
    }

    #[test]
    fn the_system_clock_is_after_this_was_written() {
        let clock = SystemClock::default();
        assert!(clock.now() > Timestamp(1_750_000_000_000));
        let before = clock.monotonic();
        assert!(clock.monotonic() >= before);
    }

    #[test]
    fn boots_and_machines_have_stable_names() {
        assert_eq!(boot_id().ok(), boot_id().ok());
        assert_eq!(machine_id().expect("a name"), machine_id().expect("a name"));
        assert!(boottime().expect("a time") > Duration::ZERO);
    }

    #[test]
    fn a_machine_id_is_hashed_or_refused() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let read = |text: &str| {
            fs::write(file.path(), text).expect("written");
            machine_id_in(file.path())
        };
        let id = "0123456789abcdef0123456789abcdef";
        let name = read(&format!("{id}\n")).expect("a name");
        assert!(name.len() == 32 && name != id);
        for bad in ["", "uninitialized\n", &"0".repeat(32), "0123"] {
            assert_eq!(read(bad), None, "{bad}");
        }
        assert_eq!(machine_id_in(Path::new("/nonexistent")), None);
    }
}
