//! Processes: what they are given, what is kept of them, that they end.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use git_crew::world::process::{Limits, OutputSpec, Report, Spec, Stdin, StopRequest, Supervisor};
use tokio::sync::watch;

mod depth;
mod escape;
mod flood;
mod helper;
mod run;

/// A supervisor whose shim is the built program.
fn supervisor() -> Supervisor {
    Supervisor { shim: env!("CARGO_BIN_EXE_git-crew").into() }
}

/// `sh -c script` in `/`, unlimited, with a grace of ten seconds.
fn script(text: &str) -> Spec {
    Spec {
        program: "sh".into(),
        args: vec!["-c".into(), text.into()],
        cwd: "/".into(),
        env: vec![(OsString::from("PATH"), std::env::var_os("PATH").unwrap())],
        stdin: Stdin::Null,
        limits: Limits { wall: None, idle: None, grace: Duration::from_secs(10) },
        output: OutputSpec { live: None, head: 1 << 20, tail: 1 << 20 },
        fence: None,
    }
}

/// Runs to the end, on a runtime of its own.
fn run(spec: Spec) -> Report {
    let (_ask, stop) = watch::channel(StopRequest::None);
    runtime().block_on(supervisor().run(spec, stop)).expect("a report")
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// A mark that nobody else has.
fn mark() -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    format!("test-{}-{next}-{}", std::process::id(), now.as_nanos())
}

/// `<pid> <command line>` of every living process whose environment or command
/// line holds the text.
fn alive(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let pid = entry.file_name().to_string_lossy().into_owned();
        let read = |name: &str| std::fs::read(Path::new("/proc").join(&pid).join(name));
        let (Ok(environ), Ok(line)) = (read("environ"), read("cmdline")) else { continue };
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        let state = String::from_utf8_lossy(&read("stat").unwrap_or_default()).into_owned();
        let ended = state.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with(['Z', 'X']));
        if !ended && (String::from_utf8_lossy(&environ).contains(text) || line.contains(text)) {
            found.push(format!("{pid} {line}"));
        }
    }
    found
}

/// Fails if something with this mark still lives after twenty seconds.
fn assert_gone(mark: &str, what: &str) {
    assert!(poll(|| alive(mark).is_empty()), "{what}: still alive: {:?}", alive(mark));
}

/// Whether `truth` becomes true within twenty seconds.
fn poll(truth: impl Fn() -> bool) -> bool {
    let end = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !truth() {
        if std::time::Instant::now() > end {
            return false;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    true
}
