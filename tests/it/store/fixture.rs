//! Repositories and entries for the store's tests.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use git_crew::domain::id::{HolderId, Oid, RunId};
use git_crew::domain::time::Timestamp;
use git_crew::store::{Chains, GitStore, NewEntry, Options, Person, RefName, TreeEdit};

/// A repository in a temporary folder, removed with the value.
pub(crate) struct Repo {
    pub(crate) dir: tempfile::TempDir,
}

/// `git` with an environment that no machine's settings reach.
pub(crate) fn git_command(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new("git");
    command.args(args).current_dir(dir).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.envs([
        ("HOME", "/nonexistent"),
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_AUTHOR_NAME", "a"),
        ("GIT_AUTHOR_EMAIL", "a@example.invalid"),
        ("GIT_COMMITTER_NAME", "c"),
        ("GIT_COMMITTER_EMAIL", "c@example.invalid"),
    ]);
    command
}

pub(crate) fn git_output(dir: &Path, args: &[&str]) -> Output {
    git_command(dir, args).output().expect("git can be started")
}

/// What `git` prints, which must succeed.
pub(crate) fn git(dir: &Path, args: &[&str]) -> String {
    let output = git_output(dir, args);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {args:?} in {}: {errors}", dir.display());
    String::from_utf8(output.stdout).expect("git prints text").trim_end().to_owned()
}

impl Repo {
    /// An empty repository.
    pub(crate) fn empty(args: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let init: Vec<&str> = ["init", "-q", "-b", "main"].iter().chain(args).copied().collect();
        git(dir.path(), &init);
        git(dir.path(), &["config", "gc.auto", "0"]);
        Self { dir }
    }

    /// A repository with one commit.
    pub(crate) fn new() -> Self {
        let repo = Self::empty(&[]);
        repo.commit(&[("README", "hello\n")]);
        repo
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn git_dir(&self) -> PathBuf {
        self.path().join(".git")
    }

    pub(crate) fn git(&self, args: &[&str]) -> String {
        git(self.path(), args)
    }

    /// Writes files and commits them on the branch that is checked out.
    pub(crate) fn commit(&self, files: &[(&str, &str)]) -> Oid {
        for (path, text) in files {
            let path = self.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", "c"]);
        self.git(&["rev-parse", "HEAD"]).parse().unwrap()
    }

    pub(crate) fn store(&self, holder: &str) -> GitStore {
        open(self.path(), holder)
    }

    pub(crate) fn fsck(&self) {
        fsck(self.path());
    }
}

/// fsck finds nothing, not even a dangling alias.
pub(crate) fn fsck(dir: &Path) {
    let output = git_output(dir, &["fsck", "--full", "--strict", "--no-dangling"]);
    let said = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "fsck: {said}");
}

pub(crate) fn holder(name: &str) -> HolderId {
    name.parse().unwrap()
}

pub(crate) fn open(path: &Path, name: &str) -> GitStore {
    GitStore::open(path, Options::new(holder(name))).unwrap()
}

pub(crate) fn run(name: &str) -> RunId {
    name.parse().unwrap()
}

pub(crate) fn run_ref(name: &str) -> RefName {
    RefName::run(&run(name))
}

/// An entry with a message and nothing else.
pub(crate) fn entry(message: &str) -> NewEntry {
    NewEntry {
        message: message.to_owned(),
        tree: TreeEdit::Keep,
        extra_parents: Vec::new(),
        at: Timestamp(1_700_000_000_000),
        author: Person::new("crew", "h1@crew.invalid"),
        committer: None,
    }
}

/// An entry that writes files; `None` removes.
pub(crate) fn entry_with(message: &str, files: &[(&str, Option<&str>)]) -> NewEntry {
    let edits = files
        .iter()
        .map(|(path, text)| ((*path).to_owned(), text.map(|text| text.as_bytes().to_vec())))
        .collect();
    NewEntry { tree: TreeEdit::Put(edits), ..entry(message) }
}

/// The messages of a chain, oldest first.
pub(crate) fn messages(store: &dyn Chains, name: &RefName) -> Vec<String> {
    let mut all = Vec::new();
    let mut at = store.tip(name).unwrap();
    while let Some(id) = at {
        let entry = store.entry(&id).unwrap();
        all.push(entry.message);
        at = entry.parents.first().cloned();
    }
    all.reverse();
    all
}

/// A mounted file system that goes with the value; `None` where mounting is not
/// allowed.
pub(crate) struct Mount(tempfile::TempDir);

impl Mount {
    pub(crate) fn new(args: &[&str]) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let output = std::process::Command::new("mount").args(args).arg(dir.path()).output();
        match output {
            Ok(output) if output.status.success() => Some(Self(dir)),
            Ok(output) => {
                println!("skipped: mount: {}", String::from_utf8_lossy(&output.stderr).trim());
                None
            }
            Err(error) => {
                println!("skipped: mount: {error}");
                None
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(self.0.path()).status();
    }
}

/// How much a test does: what this variable of the environment says, else the
/// few of a quick run. `.ci/run` asks for more.
pub(crate) fn asked(name: &str, default: u64) -> u64 {
    #[expect(clippy::disallowed_methods, reason = "a test is told how much it is to do")]
    let asked = std::env::var(name).ok().and_then(|text| text.parse().ok());
    asked.unwrap_or(default)
}
