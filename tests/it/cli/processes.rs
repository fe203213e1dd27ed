//! Processes that came of a sandbox: by a variable that every agent and check
//! gets, by their folder, and by the marks of attempts.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::sandbox::Sandbox;

/// The variable by which they are found; its value is the sandbox's folder.
pub(crate) const MARKER: &str = "LC_CREW_E2E";

/// The marks of all attempts in the repository's runs.
pub(crate) fn marks(sandbox: &Sandbox) -> Vec<String> {
    let dir = sandbox.user();
    let told = sandbox.try_git(dir, &["log", "--glob=refs/crew/runs/*", "--format=%B"]).out;
    let marked = told.lines().filter_map(|line| line.split_once("\"mark\":\""));
    marked.filter_map(|(_, rest)| Some(rest.split_once('"')?.0.to_owned())).collect()
}

fn environ(pid: i32) -> Vec<Vec<u8>> {
    let bytes = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    bytes.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect()
}

fn is_of(pid: i32, top: &Path, marks: &[String]) -> bool {
    let marker = [MARKER.as_bytes(), b"=", top.as_os_str().as_bytes()].concat();
    let entries = environ(pid);
    let marked = |mark: &String| entries.contains(&format!("CREW_MARK={mark}").into_bytes());
    let inside = fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(top));
    entries.contains(&marker) || inside || marks.iter().any(marked)
}

/// Everything alive of a sandbox, but this process.
pub(crate) fn alive(top: &Path, marks: &[String]) -> Vec<i32> {
    let me = i32::try_from(std::process::id()).unwrap();
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| *pid != me && is_of(*pid, top, marks) && !is_zombie(*pid)).collect()
}

fn is_zombie(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with(['Z', 'X']))
}

/// What is still alive after five seconds, by name; it is killed.
pub(crate) fn left(top: &Path, marks: &[String]) -> Vec<String> {
    let deadline = Instant::now() + Duration::from_secs(5);
    let patience = !std::thread::panicking();
    loop {
        let pids = alive(top, marks);
        if pids.is_empty() || !patience || Instant::now() > deadline {
            return pids.into_iter().map(end).collect();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn end(pid: i32) -> String {
    let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words = String::from_utf8_lossy(&words).replace('\0', " ");
    // It may end by itself in this moment.
    let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
    format!("{pid} {words}")
}

/// Sends a signal to a child that has not been waited for.
pub(crate) fn signal(child: &std::process::Child, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).expect("it is there");
}
