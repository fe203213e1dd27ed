//! Starts a program in a repository of its own and hears it out.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::marks::{self, sweep};
use crate::programs::{Ask, Home, KEYS, Program, Start, words};
use crate::server::Server;

/// How long a program goes on after there was enough of it.
const MORE: Duration = Duration::from_secs(3);
/// The longest that a call may take, on a machine with much else to do.
const LIMIT: Duration = Duration::from_secs(150);

/// What a program printed and how it ended.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub(crate) code: Option<i32>,
    /// Whether we ended it.
    pub(crate) late: bool,
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) took: Duration,
}

/// Waits for the end, or makes it: 3 s after `enough`, and at the latest after
/// the limit. Says whether it did.
fn wait(mut child: Child, enough: &impl Fn() -> bool) -> (ExitStatus, bool) {
    let begun = Instant::now();
    let group = Pid::from_raw(i32::try_from(child.id()).expect("a pid"));
    let mut since = None;
    loop {
        if let Some(status) = child.try_wait().expect("it is ours") {
            return (status, false);
        }
        if since.is_none() && enough() {
            since = Some(Instant::now());
        }
        let over = since.is_some_and(|at: Instant| at.elapsed() > MORE);
        if over || begun.elapsed() > LIMIT {
            // It may be gone in this moment.
            let _ = killpg(group, Signal::SIGKILL);
            return (child.wait().expect("it is ours"), true);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A repository, a home, and a program that works there.
pub(crate) struct Place {
    top: tempfile::TempDir,
    pub(crate) program: Program,
    home: Home,
}

impl Place {
    pub(crate) fn new(program: Program, server: &Server) -> Self {
        let top = tempfile::Builder::new().prefix("crew-raw-").tempdir().expect("a folder");
        let home = Home::new(top.path(), program, server);
        let place = Self { top, program, home };
        fs::create_dir(place.tree()).expect("a folder");
        fs::write(place.tree().join("greeting.txt"), "hello old world\n").expect("a file");
        place.git(&["init", "-q", "-b", "main"]);
        place.git(&["add", "-A"]);
        let who = ["-c", "user.name=User", "-c", "user.email=user@example.org"];
        place.git(&[&who[..], &["commit", "-qm", "base"]].concat());
        place
    }

    pub(crate) fn top(&self) -> &Path {
        self.top.path()
    }

    /// The folder in which it works.
    pub(crate) fn tree(&self) -> PathBuf {
        self.top.path().join("tree")
    }

    pub(crate) fn git(&self, words: &[&str]) {
        let mut git = Command::new("git");
        git.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        let status = git.args(words).current_dir(self.tree()).status().expect("git");
        assert!(status.success(), "git {words:?}");
    }

    /// What differs from the first commit, as git names it.
    pub(crate) fn changed(&self) -> Vec<String> {
        let mut git = Command::new("git");
        git.args(["status", "--porcelain", "--untracked-files=all"]).current_dir(self.tree());
        let out = git.output().expect("git").stdout;
        let lines = String::from_utf8_lossy(&out).into_owned();
        lines.lines().filter_map(|line| line.get(3..)).map(str::to_owned).collect()
    }

    /// Calls the program and hears it out; ends it 3 s after there is `enough`
    /// of it.
    pub(crate) fn run(&self, server: &Server, ask: &Ask, enough: impl Fn() -> bool) -> Heard {
        let said = |name: &str| self.top.path().join(name);
        let mut command = Command::new(self.program.name());
        command.args(words(self.program, ask)).current_dir(self.tree());
        command.env_clear().envs(self.home.environment(server));
        if ask.start == Start::NoLogin {
            for name in KEYS {
                command.env_remove(name);
            }
        }
        command.env(marks::NAME, self.top.path()).process_group(0);
        command.stdin(Stdio::null());
        if ask.by_stdin {
            fs::write(said("prompt"), &ask.prompt).expect("a file");
            command.stdin(File::open(said("prompt")).expect("a file"));
        }
        command.stdout(File::create(said("out")).expect("a file"));
        command.stderr(File::create(said("err")).expect("a file"));
        let begun = Instant::now();
        let child = command.spawn().expect("it starts");
        let (status, late) = wait(child, &enough);
        let took = begun.elapsed();
        sweep(self.top.path());
        let text = |name| String::from_utf8_lossy(&fs::read(said(name)).expect("a file")).into();
        Heard { code: status.code(), late, out: text("out"), err: text("err"), took }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        sweep(self.top.path());
    }
}
