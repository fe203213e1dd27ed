//! The processes of a test: everything that inherited its variable.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// The variable; its value is the folder of the test. Agents see every `LC_*`.
pub(crate) const NAME: &str = "LC_CREW_AGENTS";

/// What is alive and carries the mark of this folder, with its command line.
pub(crate) fn alive(top: &Path) -> Vec<(i32, String)> {
    let mark = format!("{NAME}={}", top.display());
    let Ok(all) = fs::read_dir("/proc") else { return Vec::new() };
    let found = all.flatten().filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let environ = fs::read(entry.path().join("environ")).ok()?;
        let marked = environ.split(|byte| *byte == 0).any(|one| one == mark.as_bytes());
        let words = fs::read(entry.path().join("cmdline")).ok()?;
        let words = String::from_utf8_lossy(&words).replace('\0', " ");
        // A process that has ended and is not waited for has no words.
        (marked && !words.is_empty()).then_some((pid, words))
    });
    found.collect()
}

/// Ends all of them.
pub(crate) fn sweep(top: &Path) {
    for (pid, _) in alive(top) {
        // It may be gone in this moment.
        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
    }
}

/// What is alive after five seconds, which nothing should be.
pub(crate) fn left(top: &Path) -> Vec<String> {
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let alive = alive(top);
        if alive.is_empty() || Instant::now() > deadline {
            return alive.into_iter().map(|(pid, words)| format!("{pid} {words}")).collect();
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
