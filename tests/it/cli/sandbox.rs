//! A user's repository and a home of its own, in which the built program runs.
//!
//! Every sandbox proves two promises when it ends, whatever the test was about:
//! the user's checkout, index, stash, settings and refs are what they were, and
//! no process that came of it is alive. Limit: a shim of a check is only seen
//! through the check that it runs.

use std::cell::RefCell;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::fingerprint::{self, Fingerprint};
use super::processes;

/// What a program said and how it ended; `None` for one that was killed.
#[derive(Clone, Debug)]
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

    /// Refused: this code, one error that holds `words`, a hint with a command,
    /// nothing as an answer.
    #[track_caller]
    pub(crate) fn refused(self, code: i32, words: &[&str]) -> Self {
        let said = self.exits(code);
        assert_eq!(said.out, "", "a refusal is no answer: {}", said.err);
        let errors = said.err.lines().filter(|line| line.starts_with("error: ")).count();
        assert_eq!(errors, 1, "{}", said.err);
        for word in words {
            assert!(said.err.contains(word), "no '{word}' in: {}", said.err);
        }
        let next = said.err.lines().any(|line| {
            (line.starts_with("hint: ") || line.starts_with("  because ")) && line.contains("git ")
        });
        assert!(next, "no next command: {}", said.err);
        said
    }
}

/// The repository, the home, and what they were like.
pub(crate) struct Sandbox {
    top: tempfile::TempDir,
    user: PathBuf,
    before: RefCell<Fingerprint>,
}

/// Waits until `done` says yes.
#[track_caller]
pub(crate) fn until<T>(what: &str, mut done: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(40);
    loop {
        if let Some(value) = done() {
            return value;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

pub(crate) fn put(path: &Path, bytes: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// A step of a workflow: heading, keys, script.
pub(crate) fn step(name: &str, keys: &[&str], script: &str) -> String {
    let mut keys: String = keys.iter().map(|key| format!("{key}\n")).collect();
    if !keys.contains("role:") {
        keys.insert_str(0, "role: hand\n");
    }
    if !keys.contains("agent:") {
        keys.push_str("agent: sh\n");
    }
    format!("## {name}\n{keys}\n{{goal}}\n\n```sh\n{script}\n```\n\n")
}

impl Sandbox {
    /// A repository with history, packed refs and a dirty checkout.
    pub(crate) fn new() -> Self {
        let sandbox = Self::bare_home(&["init", "-q", "-b", "main", "user"]);
        sandbox.fill();
        sandbox.seal();
        sandbox
    }

    /// The same with a workflow of these steps that the team `t` follows.
    pub(crate) fn with(steps: &[String]) -> Self {
        let sandbox = Self::new();
        sandbox.workflow(steps);
        sandbox
    }

    /// A home and whatever `git init` with these words makes of `user`, empty.
    pub(crate) fn bare_home(init: &[&str]) -> Self {
        let top = tempfile::Builder::new().prefix("crew-e2e-").tempdir().unwrap();
        for folder in ["home", "config", "state", "cache", "data", "tmp"] {
            fs::create_dir(top.path().join(folder)).unwrap();
        }
        let user = top.path().join("user");
        let sandbox = Self { user, before: RefCell::default(), top };
        sandbox.git_in(sandbox.top(), init);
        sandbox.identify();
        sandbox.seal();
        sandbox
    }

    /// The home of another sandbox, and a repository in it as the user's.
    pub(crate) fn of(other: &Self, user: &Path) -> Self {
        let top = tempfile::Builder::new().prefix("crew-e2e-").tempdir().unwrap();
        for folder in ["home", "state", "cache", "data", "tmp"] {
            fs::create_dir(top.path().join(folder)).unwrap();
        }
        std::os::unix::fs::symlink(other.top().join("config"), top.path().join("config")).unwrap();
        let sandbox = Self { user: user.to_owned(), before: RefCell::default(), top };
        sandbox.seal();
        sandbox
    }

    fn identify(&self) {
        self.git(&["config", "user.name", "User"]);
        self.git(&["config", "user.email", "user@example.org"]);
        self.git(&["config", "crew.grace", "1"]);
        // What tasks leave there, the tests look at.
        self.git(&["config", "crew.allowWrite", self.top().join("tmp").to_str().unwrap()]);
    }

    /// The same repository as seen from another folder, with a life of its own.
    pub(crate) fn at(&self, folder: &Path) -> Crew<'_> {
        Crew { sandbox: self, dir: folder.to_owned(), env: Vec::new() }
    }

    fn fill(&self) {
        put(&self.user.join("README"), "hello\n");
        put(&self.user.join("src/a.txt"), "a\n");
        put(&self.user.join("src/b.txt"), "b\n");
        put(&self.user.join(".gitignore"), "*.log\n");
        self.git(&["add", "-A"]);
        self.git(&["commit", "-qm", "base"]);
        self.git(&["branch", "other"]);
        self.git(&["tag", "-a", "v1", "-m", "v1"]);
        self.git(&["update-ref", "refs/remotes/origin/main", "HEAD"]);
        self.git(&["pack-refs", "--all"]);
        put(&self.user.join("src/a.txt"), "stashed\n");
        self.git(&["stash", "-q"]);
        put(&self.user.join("src/a.txt"), "staged\n");
        self.git(&["add", "src/a.txt"]);
        put(&self.user.join("src/b.txt"), "not staged\n");
        put(&self.user.join("untracked.txt"), "untracked\n");
        put(&self.user.join("ignored.log"), "ignored\n");
    }

    /// The folder of everything.
    pub(crate) fn top(&self) -> &Path {
        self.top.path()
    }

    /// The user's checkout.
    pub(crate) fn user(&self) -> &Path {
        &self.user
    }

    /// The repository's shared git directory.
    pub(crate) fn common(&self) -> PathBuf {
        self.git(&["rev-parse", "--path-format=absolute", "--git-common-dir"]).into()
    }

    /// The folder for files that tasks write outside the repository.
    pub(crate) fn outside(&self, name: &str) -> PathBuf {
        self.top().join("tmp").join(name)
    }

    /// Writes the team `t`, its workflow and its agents into the config folder.
    pub(crate) fn workflow(&self, steps: &[String]) {
        let text = format!("---\nname: t\nmaxConcurrency: 8\n---\n{}", steps.concat());
        self.config_file("workflows/t.workflow.md", &text);
        let roles = "- hand: agent=demo-hand works\n- reader: agent=verifier reads\n";
        let team = format!("---\nname: t\ndefaultWorkflow: t\nmaxConcurrency: 8\n---\n{roles}");
        self.config_file("teams/t.team.md", &team);
    }

    /// Writes a file of the user's config folder of git-crew.
    pub(crate) fn config_file(&self, name: &str, text: impl AsRef<[u8]>) {
        self.by_user(|sandbox| put(&sandbox.top().join("config/git-crew").join(name), text));
    }

    /// What the user does: from here on things are to stay as this leaves them.
    pub(crate) fn by_user<T>(&self, deed: impl FnOnce(&Self) -> T) -> T {
        self.unchanged();
        let done = deed(self);
        self.seal();
        done
    }

    /// From here on things are to stay as they are.
    pub(crate) fn seal(&self) {
        *self.before.borrow_mut() = fingerprint::take(self);
    }

    /// The promise about the user's things, now.
    #[track_caller]
    pub(crate) fn unchanged(&self) {
        fingerprint::compare(&self.before.borrow(), &fingerprint::take(self));
    }

    /// A command in the sandbox's environment and nothing else of ours.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>, dir: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(dir).env_clear().env("PATH", std::env::var_os("PATH").unwrap());
        command.env("HOME", self.top().join("home")).env("LANG", "C.UTF-8");
        for name in ["CONFIG", "STATE", "CACHE", "DATA"] {
            command.env(format!("XDG_{name}_HOME"), self.top().join(name.to_lowercase()));
        }
        command.env("TMPDIR", self.top().join("tmp"));
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        // Agents and checks see every LC_*.
        command.env(processes::MARKER, self.top()).stdin(Stdio::null());
        command
    }

    /// What git answers as the user runs it, without its last line end.
    #[track_caller]
    pub(crate) fn git(&self, words: &[&str]) -> String {
        self.git_in(&self.user, words)
    }

    #[track_caller]
    pub(crate) fn git_in(&self, dir: &Path, words: &[&str]) -> String {
        let said = self.try_git(dir, words);
        assert_eq!(said.code, Some(0), "git {words:?}: {}", said.err);
        said.out.trim_end_matches('\n').to_owned()
    }

    pub(crate) fn try_git(&self, dir: &Path, words: &[&str]) -> Said {
        let mut git = self.command("git", dir);
        git.args(words).env("GIT_OPTIONAL_LOCKS", "0");
        heard(&mut git)
    }

    /// The program in the user's checkout.
    #[track_caller]
    pub(crate) fn crew(&self, words: &[&str]) -> Said {
        self.at(&self.user).run(words)
    }

    /// A run of team `t` that is to end with this code, and its id.
    #[track_caller]
    pub(crate) fn run(&self, more: &[&str], code: i32) -> (String, Said) {
        let mut words = vec!["run", "--team", "t", "do it"];
        words.extend(more);
        let said = self.crew(&words).exits(code);
        let told = said.err.lines().find_map(|line| line.strip_prefix("run "));
        (told.expect("it says which run it is").to_owned(), said)
    }

    /// Starts a run of team `t` and leaves it to itself.
    pub(crate) fn start(&self, more: &[&str]) -> Child {
        let mut words = vec!["run", "--team", "t", "do it"];
        words.extend(more);
        self.at(&self.user).spawn(&words)
    }

    /// The run that was written to last.
    #[track_caller]
    pub(crate) fn newest(&self) -> String {
        let format = ["for-each-ref", "--sort=-committerdate", "--count=1"];
        let more = ["--format=%(refname:lstrip=3)", "refs/crew/runs"];
        let id = self.git(&[&format[..], &more[..]].concat());
        assert!(!id.is_empty(), "there is no run");
        id
    }

    /// Every ref and file of ours in the repository; equal means that nothing
    /// was written.
    pub(crate) fn ours(&self) -> Vec<String> {
        let mut all = fingerprint::files_below(&self.common().join("crew"));
        all.extend(
            self.git(&["for-each-ref", "refs/crew", "refs/refs"]).lines().map(str::to_owned),
        );
        all
    }
}

/// The program as a person starts it in some folder.
pub(crate) struct Crew<'a> {
    sandbox: &'a Sandbox,
    dir: PathBuf,
    env: Vec<(String, String)>,
}

impl Crew<'_> {
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = self.sandbox.command(env!("CARGO_BIN_EXE_git-crew"), &self.dir);
        command.args(words).envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    #[track_caller]
    pub(crate) fn run(&self, words: &[&str]) -> Said {
        heard(&mut self.command(words))
    }

    pub(crate) fn spawn(&self, words: &[&str]) -> Child {
        let mut command = self.command(words);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts")
    }
}

fn heard(command: &mut Command) -> Said {
    said(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts"))
}

/// Waits for the end of a program that was started.
pub(crate) fn said(child: Child) -> Said {
    let done = child.wait_with_output().expect("it ends");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    Said { code: done.status.code(), out: text(done.stdout), err: text(done.stderr) }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let marks = if self.user.exists() { processes::marks(self) } else { Vec::new() };
        let left = processes::left(self.top(), &marks);
        // A test that failed already has more to say than this.
        if std::thread::panicking() {
            return;
        }
        assert!(left.is_empty(), "these processes were left alive: {left:#?}");
        self.unchanged();
    }
}
