//! A user with a repository, one of the programs and `git crew`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::marks;
use crate::programs::{Home, Program};
use crate::server::script::Conversation;
use crate::server::{Kind, Server};

/// What `git crew` said and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// The same, if it ended with this code.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "--- out\n{}\n--- err\n{}", self.out, self.err);
        self
    }
}

/// What an agent gets of its own accord; all else goes by `crew.env`.
const KNOWN: [&str; 5] =
    ["ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "ANTHROPIC_MODEL", "OPENAI_API_KEY", "IS_SANDBOX"];

/// Everything; when it goes, the checkout must be as it was, nothing of it alive
/// and no request unanswered for want of a script.
pub(crate) struct Rig {
    top: tempfile::TempDir,
    home: Home,
    pub(crate) program: Program,
    pub(crate) server: Server,
    before: String,
}

fn put(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(path, text).expect("a file");
}

/// A step of a workflow: heading, keys, text.
pub(crate) fn step(name: &str, keys: &[&str], text: &str) -> String {
    let keys: String = keys.iter().map(|key| format!("{key}\n")).collect();
    format!("## {name}\nrole: hand\n{keys}\n{text}\n\n")
}

impl Rig {
    /// The team `t` of these steps, each played by the program.
    pub(crate) fn new(program: Program, script: Vec<Conversation>, steps: &[String]) -> Self {
        let top = tempfile::Builder::new().prefix("crew-agents-").tempdir().expect("a folder");
        let server = Server::start(script);
        let home = Home::new(top.path(), program, &server);
        let mut rig = Self { top, home, program, server, before: String::new() };
        let config = rig.top.path().join("config/git-crew");
        let text = format!("---\nname: t\nmaxConcurrency: 4\n---\n{}", steps.concat());
        put(&config.join("workflows/t.workflow.md"), &text);
        let roles = "- hand: agent=executor works\n";
        let text = format!("---\nname: t\ndefaultWorkflow: t\nmaxConcurrency: 4\n---\n{roles}");
        put(&config.join("teams/t.team.md"), &text);
        put(&rig.user().join("greeting.txt"), "hello old world\n");
        put(&rig.user().join("other.txt"), "other\n");
        rig.git(&["init", "-q", "-b", "main"]);
        rig.set_up();
        rig.git(&["add", "-A"]);
        rig.git(&["commit", "-qm", "base"]);
        put(&rig.user().join("other.txt"), "the user is at it\n");
        rig.before = rig.checkout();
        rig
    }

    fn set_up(&self) {
        let own = self.home.own(&self.server);
        let names = own.iter().map(|(name, _)| *name).filter(|name| !KNOWN.contains(name));
        let names: Vec<&str> = names.collect();
        let name = self.program.name();
        for (key, value) in [
            ("user.name", "User"),
            ("user.email", "user@example.org"),
            ("crew.grace", "2"),
            ("crew.defaultAgent", name),
            ("crew.env", &names.join(" ")),
        ] {
            self.git(&["config", key, value]);
        }
    }

    /// The user's checkout.
    pub(crate) fn user(&self) -> PathBuf {
        self.top.path().join("user")
    }

    fn command(&self, program: &str) -> Command {
        fs::create_dir_all(self.user()).expect("a folder");
        let mut command = Command::new(program);
        command.current_dir(self.user()).env_clear().envs(self.home.environment(&self.server));
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        command.env(marks::NAME, self.top.path()).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// What git answers.
    #[track_caller]
    pub(crate) fn git(&self, words: &[&str]) -> String {
        let said = heard(self.command("git").args(words).spawn().expect("git"));
        said.exits(0).out.trim_end().to_owned()
    }

    /// Starts `git crew`.
    pub(crate) fn start(&self, words: &[&str]) -> Child {
        self.command(env!("CARGO_BIN_EXE_git-crew")).args(words).spawn().expect("it starts")
    }

    /// Hears `git crew` out.
    pub(crate) fn crew(&self, words: &[&str]) -> Said {
        heard(self.start(words))
    }

    /// Runs the team on its goal.
    pub(crate) fn run(&self) -> Said {
        self.crew(&["run", "--team", "t", "do it"])
    }

    /// The name of the only run.
    #[track_caller]
    pub(crate) fn id(&self) -> String {
        let all = self.git(&["for-each-ref", "--format=%(refname:lstrip=3)", "refs/crew/runs"]);
        assert_eq!(all.lines().count(), 1, "one run: {all}");
        all
    }

    /// `run.json` of the only run.
    pub(crate) fn state(&self) -> Value {
        let text = self.git(&["show", &format!("refs/crew/runs/{}:run.json", self.id())]);
        serde_json::from_str(&text).expect("JSON")
    }

    /// What stands at a path in the result of the run.
    pub(crate) fn result(&self, path: &str) -> String {
        self.git(&["show", &format!("refs/crew/results/{}:{path}", self.id())])
    }

    /// Waits until the model was asked so often.
    #[track_caller]
    pub(crate) fn until_asked(&self, marker: &str, times: usize) {
        let deadline = Instant::now() + Duration::from_secs(120);
        while self.server.asked(marker) < times {
            assert!(Instant::now() < deadline, "the model was never asked: {marker}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The marked processes that are alive.
    pub(crate) fn alive(&self) -> Vec<(i32, String)> {
        marks::alive(self.top.path())
    }

    /// What a user would miss first: branch, index, files, refs of their own.
    fn checkout(&self) -> String {
        let files = self.git(&["status", "--porcelain=v2", "--branch", "--untracked-files=all"]);
        let refs = self.git(&["for-each-ref", "refs/heads", "refs/tags", "refs/stash"]);
        let text = fs::read_to_string(self.user().join("other.txt")).expect("a file");
        format!("{files}\n{refs}\n{text}")
    }
}

/// Waits for the end of `git crew`.
pub(crate) fn heard(child: Child) -> Said {
    let done = child.wait_with_output().expect("it ends");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Said { code: done.status.code(), out: text(done.stdout), err: text(done.stderr) }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return marks::sweep(self.top.path());
        }
        let left = marks::left(self.top.path());
        marks::sweep(self.top.path());
        assert_eq!(left, Vec::<String>::new(), "these were left alive");
        assert_eq!(self.checkout(), self.before, "the checkout is not what it was");
        let lost = self.server.seen().into_iter().filter(|seen| seen.kind == Kind::Unknown);
        let lost: Vec<String> = lost.map(|seen| seen.request.path).collect();
        assert_eq!(lost, Vec::<String>::new(), "the server has no answer to these");
    }
}
