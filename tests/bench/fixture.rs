//! Repositories, runs and clocks for the benchmark.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use git_crew::domain::event::EventKind;
use git_crew::domain::id::{HolderId, Op, RunId};
use git_crew::domain::lease::{Facts, Life};
use git_crew::domain::run::{Outline, OutlineTask, Request};
use git_crew::domain::time::Timestamp;
use git_crew::store::git::{Durability, GitStore, Options};
use git_crew::store::ledger::{Files, Ledger, Stamps};

/// The built program.
pub(crate) const CREW: &str = env!("CARGO_BIN_EXE_git-crew");

/// A repository in a temporary folder, removed with the value.
pub(crate) struct Repo {
    dir: tempfile::TempDir,
}

impl Repo {
    /// A repository with one commit of these files, packed, its refs packed.
    pub(crate) fn new(files: impl IntoIterator<Item = (String, Vec<u8>)>) -> Self {
        let repo = Self { dir: tempfile::tempdir().expect("a temporary folder") };
        fs::create_dir(repo.path()).expect("a folder");
        repo.git(&["init", "-q", "-b", "main"]);
        for (key, value) in [("gc.auto", "0"), ("user.name", "a"), ("user.email", "a@b.invalid")] {
            repo.git(&["config", key, value]);
        }
        for (path, bytes) in files {
            let path = repo.path().join(path);
            fs::create_dir_all(path.parent().expect("below the repository")).expect("a folder");
            fs::write(path, bytes).expect("a file");
        }
        repo.git(&["add", "-A"]);
        repo.git(&["commit", "-q", "--allow-empty", "-m", "base"]);
        repo.git(&["repack", "-adq"]);
        repo.git(&["pack-refs", "--all"]);
        repo
    }

    /// The checkout.
    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("repo")
    }

    /// A folder beside the checkout, made if need be.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::create_dir_all(&path).expect("a folder");
        path
    }

    /// A program in the checkout, with an environment that no machine's
    /// settings reach.
    pub(crate) fn command(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(args).current_dir(self.path()).env_clear().stdin(Stdio::null());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.beside("home")).env("XDG_STATE_HOME", self.beside("state"));
        command.envs([("GIT_CONFIG_NOSYSTEM", "1"), ("LC_ALL", "C")]);
        command
    }

    /// What git prints.
    pub(crate) fn git(&self, args: &[&str]) -> String {
        output(&mut self.command("git", args))
    }

    /// The repository as a store that writes as `who`.
    pub(crate) fn store(&self, who: u8, durability: Durability) -> GitStore {
        let options = Options { durability, ..Options::new(HolderId::new([who; 16])) };
        GitStore::open(self.path(), options).expect("a repository")
    }
}

/// What a program prints; it must succeed.
pub(crate) fn output(command: &mut Command) -> String {
    let said = command.output().expect("the program starts");
    let errors = String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success(), "{command:?}: {errors}");
    String::from_utf8_lossy(&said.stdout).trim_end().to_owned()
}

/// Files that do not compress to less than half: 3,000 of 13 kB are a pack of
/// about 20 MB.
pub(crate) fn files(count: usize, bytes: usize) -> Vec<(String, Vec<u8>)> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut text = move || {
        let mut text = Vec::with_capacity(bytes + 16);
        while text.len() < bytes {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            text.extend_from_slice(format!("{state:016x}").as_bytes());
        }
        text
    };
    (0..count).map(|n| (format!("d{}/s{}/f{n}.txt", n % 50, n % 7), text())).collect()
}

/// How long something takes.
pub(crate) fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

/// Milliseconds.
pub(crate) fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// The value below which this share of the times is.
pub(crate) fn share(times: &[Duration], percent: usize) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort();
    let at = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(at).copied().unwrap_or_default()
}

/// The median.
pub(crate) fn median(times: &[Duration]) -> Duration {
    share(times, 50)
}

/// Times that count up, ids that never repeat.
struct Counter(u64);

impl Stamps for Counter {
    fn now(&mut self) -> Timestamp {
        Timestamp(1_700_000_000_000)
    }

    fn op(&mut self) -> Op {
        self.0 += 1;
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.0.to_be_bytes());
        Op::new(bytes)
    }
}

/// A run of two tasks that this process holds and has planned.
pub(crate) fn begin(store: &GitStore, number: u32) -> Ledger {
    let me = store.holder().clone();
    let id = RunId::new(number, "measure how fast it is");
    let chains = Arc::new(store.clone());
    let start = u64::from(number) << 32;
    let mut ledger = Ledger::new(chains, id, me.clone(), Box::new(Counter(start)));
    let facts = Facts {
        holder: me,
        machine: "m".into(),
        boot: "b".into(),
        life: Life::Unknown,
        watched_ms: 0,
        force: false,
    };
    let created = EventKind::RunCreated {
        goal: "measure how fast it is".into(),
        base: "1".repeat(40).parse().expect("forty digits"),
        request: Request { team: "t".into(), workflow: "w".into(), ..Request::default() },
    };
    let tasks = ["one", "two"].map(|name| OutlineTask {
        id: name.parse().expect("a part"),
        title: name.into(),
        role: "worker".into(),
        needs: Vec::new(),
    });
    let planned =
        EventKind::RunPlanned { outline: Outline { jobs: 2, tasks: tasks.into_iter().collect() } };
    ledger.begin(created, &facts, planned, Files::new()).expect("the run begins");
    ledger
}

/// Whether a program can be started.
pub(crate) fn has(program: &str) -> bool {
    Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The checkout of `repo` as an argument.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("a path of plain text")
}
