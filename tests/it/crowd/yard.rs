//! A repository, a home for the program, and what has to be true of every run
//! in it, read with plain git.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::store::fixture::{fsck, git, git_command};

/// What a program said and how it ended.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Waits for the end of a program.
pub(crate) fn said(child: Child) -> Said {
    let done = child.wait_with_output().expect("it ends");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Said { code: done.status.code(), out: text(done.stdout), err: text(done.stderr) }
}

/// Waits until `done` says something.
#[track_caller]
pub(crate) fn until<T>(what: &str, mut done: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(value) = done() {
            return value;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// How long a storm lasts: `CREW_STORM_SECONDS`, or this.
pub(crate) fn storm_seconds(default: u64) -> Duration {
    #[expect(clippy::disallowed_methods, reason = "the nightly run asks for more")]
    let asked = std::env::var("CREW_STORM_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(asked.unwrap_or(default))
}

/// The repository and the home. What came of it is killed when it goes.
pub(crate) struct Yard {
    top: tempfile::TempDir,
    repo: PathBuf,
}

impl Yard {
    pub(crate) fn new() -> Self {
        let top = tempfile::Builder::new().prefix("crew-yard-").tempdir().unwrap();
        let repo = top.path().join("repo");
        Self::made(top, repo)
    }

    /// The same with the repository in another place.
    pub(crate) fn at(repo: &Path) -> Self {
        let top = tempfile::Builder::new().prefix("crew-yard-").tempdir().unwrap();
        Self::made(top, repo.to_owned())
    }

    fn made(top: tempfile::TempDir, repo: PathBuf) -> Self {
        std::fs::create_dir_all(&repo).unwrap();
        let outside = top.path().join("outside");
        std::fs::create_dir(&outside).unwrap();
        git(&repo, &["init", "-q", "-b", "main"]);
        for (key, value) in [
            ("user.name", "User"),
            ("user.email", "user@example.invalid"),
            ("gc.auto", "0"),
            ("crew.grace", "1"),
            // What tasks leave there, the tests look at.
            ("crew.allowWrite", outside.to_str().unwrap()),
        ] {
            git(&repo, &["config", key, value]);
        }
        std::fs::write(repo.join("README"), "hello\n").unwrap();
        git(&repo, &["add", "-A"]);
        git(&repo, &["commit", "-qm", "base"]);
        git(&repo, &["pack-refs", "--all"]);
        Self { top, repo }
    }

    pub(crate) fn top(&self) -> &Path {
        self.top.path()
    }

    /// The place for files that tasks write outside the repository.
    pub(crate) fn outside(&self, name: &str) -> PathBuf {
        self.top().join("outside").join(name)
    }

    pub(crate) fn repo(&self) -> &Path {
        &self.repo
    }

    pub(crate) fn git(&self, words: &[&str]) -> String {
        git(&self.repo, words)
    }

    /// The team `t` with these steps: name, keys, script of the agent. The
    /// agent is a command line that finds its script by the task's name.
    pub(crate) fn steps(&self, steps: &[(&str, &str, &str)]) {
        let config = self.top().join("config/git-crew");
        for folder in ["teams", "workflows", "scripts"] {
            std::fs::create_dir_all(config.join(folder)).unwrap();
        }
        let mut text = "---\nname: t\nmaxConcurrency: 8\n---\n".to_owned();
        for (name, keys, script) in steps {
            std::fs::write(config.join("scripts").join(name), script).unwrap();
            text.push_str(&format!("## {name}\nrole: hand\nagent: fake\n{keys}\n\n{{goal}}\n\n"));
        }
        std::fs::write(config.join("workflows/t.workflow.md"), text).unwrap();
        let team = "---\nname: t\ndefaultWorkflow: t\nmaxConcurrency: 8\n---\n\
                    - hand: agent=demo-hand works\n";
        std::fs::write(config.join("teams/t.team.md"), team).unwrap();
        let line = format!("cat >/dev/null; . {}/scripts/$CREW_TASK", config.display());
        self.git(&["config", "crew.agent.fake.command", &line]);
    }

    /// The program in the repository.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_git-crew"));
        command.args(words).current_dir(&self.repo).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.top().join("home")).env("LANG", "C.UTF-8");
        for name in ["CONFIG", "STATE", "CACHE", "DATA"] {
            command.env(format!("XDG_{name}_HOME"), self.top().join(name.to_lowercase()));
        }
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn spawn(&self, words: &[&str]) -> Child {
        self.command(words).spawn().expect("it starts")
    }

    /// The program, which has to end with this code.
    #[track_caller]
    pub(crate) fn crew(&self, words: &[&str], code: i32) -> Said {
        let said = said(self.spawn(words));
        assert_eq!(said.code, Some(code), "{words:?}: {}{}", said.out, said.err);
        said
    }

    pub(crate) fn runs(&self) -> Vec<String> {
        let refs = self.git(&["for-each-ref", "--format=%(refname:lstrip=3)", "refs/crew/runs"]);
        refs.lines().map(str::to_owned).collect()
    }

    /// The subjects of a run's events, oldest first.
    pub(crate) fn events(&self, run: &str) -> Vec<String> {
        let name = format!("refs/crew/runs/{run}");
        let log = self.git(&["log", "--reverse", "--first-parent", "--format=%s", &name]);
        log.lines().map(str::to_owned).collect()
    }

    pub(crate) fn state(&self, run: &str) -> serde_json::Value {
        let text = self.git(&["show", &format!("refs/crew/runs/{run}:run.json")]);
        serde_json::from_str(&text).expect("run.json is JSON")
    }

    /// Each event of a run once and in order, each grant under the next token,
    /// its end in the journal once, its results readable to the last blob.
    #[track_caller]
    pub(crate) fn sound(&self, run: &str) {
        let name = format!("refs/crew/runs/{run}");
        let bodies = self.git(&["log", "--reverse", "--first-parent", "--format=%B", &name]);
        let values = |key: &str| -> Vec<u64> {
            let found = bodies.lines().filter_map(|line| line.strip_prefix(key));
            found.map(|text| text.trim().parse().expect("a number")).collect()
        };
        let seqs = values("Crew-Seq: ");
        let want: Vec<u64> = (1..=seqs.len() as u64).collect();
        assert_eq!(seqs, want, "an event is missing or doubled in {run}");
        let ops: Vec<&str> = bodies.lines().filter(|line| line.starts_with("Crew-Op: ")).collect();
        let different: std::collections::BTreeSet<_> = ops.iter().collect();
        assert_eq!(ops.len(), different.len(), "an event is doubled in {run}");
        let tokens = values("Crew-Token: ");
        assert!(tokens.is_sorted(), "two holders: an older token after a newer one: {tokens:?}");
        for commit in self.git(&["log", "--first-parent", "--format=%H", &name]).lines() {
            self.git(&["ls-tree", "-r", commit]);
        }
    }

    /// Every object below every ref of ours can be read.
    #[track_caller]
    pub(crate) fn readable(&self) {
        let output = git_command(
            &self.repo,
            &["rev-list", "--objects", "--missing=error", "--glob=refs/crew"],
        )
        .output()
        .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "lost: {errors}");
        fsck(&self.repo);
    }

    /// How often each run begins and ends in the journal.
    pub(crate) fn journal(&self) -> BTreeMap<String, u32> {
        let log = self.git(&["log", "--first-parent", "--format=%s", "refs/crew"]);
        let mut counts = BTreeMap::new();
        for line in log.lines() {
            let words: Vec<&str> = line.splitn(3, ": ").collect();
            if let [run, what, ..] = words.as_slice() {
                *counts.entry(format!("{run} {what}")).or_default() += 1;
            }
        }
        counts
    }
}

/// Kills a process that was not waited for.
pub(crate) fn signal(child: &Child, signal: nix::sys::signal::Signal) {
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    nix::sys::signal::kill(pid, signal).expect("it is there");
}
