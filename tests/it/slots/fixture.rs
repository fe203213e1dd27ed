//! A user's repository, slots on it, and the proof that nothing of it changed.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use git_crew::domain::id::Oid;
use git_crew::domain::time::Timestamp;
use git_crew::world::git::Git;
use git_crew::world::harvest::{Harvest, MAX_HISTORY, ResultMeta, harvest};
use git_crew::world::slots::{Ground, Kind, Person, RepoPaths, Slot, Slots};

/// How the user's repository is laid out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Plain,
    Sha256,
    Bare,
    LinkedPlace,
}

pub(super) struct World {
    pub(super) top: tempfile::TempDir,
    pub(super) user: PathBuf,
    pub(super) common: PathBuf,
    pub(super) base: Oid,
    pub(super) slots: Slots,
}

/// Runs git as a person would, in `dir`, and returns what it printed.
pub(super) fn git_in(dir: &Path, args: &[&str]) -> String {
    let (ok, text) = try_git(dir, args);
    assert!(ok, "git {args:?}: {text}");
    text
}

pub(super) fn try_git(dir: &Path, args: &[&str]) -> (bool, String) {
    let done = command("git", dir).args(args).output().unwrap();
    let text = if done.status.success() { done.stdout } else { done.stderr };
    (done.status.success(), String::from_utf8_lossy(&text).trim_end().to_owned())
}

fn command(program: &str, dir: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(dir).env_clear().env("PATH", std::env::var_os("PATH").unwrap());
    command.env("HOME", dir).env("GIT_CONFIG_NOSYSTEM", "1");
    for role in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{role}_NAME"), "agent").env(format!("GIT_{role}_EMAIL"), "a@b");
    }
    command
}

/// Runs a shell script the way an agent would: in the slot's tree.
pub(super) fn agent(slot: &Slot, script: &str) {
    let done = command("sh", &slot.tree).args(["-ec", script]).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

pub(super) fn put(path: &Path, bytes: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

pub(super) fn person(name: &str) -> Person {
    Person { name: name.to_owned(), email: format!("{name}@example.org") }
}

pub(super) fn meta() -> ResultMeta {
    ResultMeta {
        author: person("codex"),
        committer: person("user"),
        at: Timestamp(1_700_000_000_000),
        subject: "implement: result".into(),
        trailers: vec![("Crew-Run".into(), "r".into()), ("Crew-Task".into(), "t".into())],
        keep_message: "git-crew r/t/1".into(),
        max_history: MAX_HISTORY,
    }
}

pub(super) fn program() -> Git {
    Git::new("git", &std::env::var_os("PATH").unwrap(), None)
}

impl World {
    pub(super) fn new() -> Self {
        Self::shaped(Shape::Plain, Kind::Private, |_| {})
    }

    pub(super) fn with(prepare: impl FnOnce(&Path)) -> Self {
        Self::shaped(Shape::Plain, Kind::Private, prepare)
    }

    /// A repository with a few files, and `prepare`'s before the commit.
    pub(super) fn shaped(shape: Shape, kind: Kind, prepare: impl FnOnce(&Path)) -> Self {
        let top = tempfile::tempdir().unwrap();
        let user = top.path().join("user");
        fs::create_dir(&user).unwrap();
        let format = if shape == Shape::Sha256 { "sha256" } else { "sha1" };
        git_in(&user, &["init", "-q", "-b", "main", "--object-format", format]);
        git_in(&user, &["config", "user.name", "user"]);
        git_in(&user, &["config", "user.email", "user@example.org"]);
        put(&user.join("README"), "hello\n");
        put(&user.join("src/a.txt"), "a\n");
        put(&user.join("src/b.txt"), "b\n");
        put(&user.join(".gitignore"), "target/\n*.log\n");
        prepare(&user);
        git_in(&user, &["add", "-A"]);
        git_in(&user, &["commit", "-qm", "base"]);
        git_in(&user, &["branch", "other"]);
        git_in(&user, &["tag", "-a", "v1", "-m", "v1"]);
        let base: Oid = git_in(&user, &["rev-parse", "HEAD"]).parse().unwrap();
        let user = match shape {
            Shape::Plain | Shape::Sha256 => user,
            Shape::Bare => {
                git_in(top.path(), &["clone", "-q", "--bare", "user", "bare"]);
                top.path().join("bare")
            }
            Shape::LinkedPlace => {
                git_in(&user, &["worktree", "add", "-q", "../place", "other"]);
                top.path().join("place")
            }
        };
        let common = git_in(&user, &["rev-parse", "--path-format=absolute", "--git-common-dir"]);
        let common = PathBuf::from(common);
        let slots = open(top.path(), &common, kind);
        Self { top, user, common, base, slots }
    }

    pub(super) fn make(&self, key: &str) -> Slot {
        self.slots.make(&self.base, key).unwrap()
    }

    /// Runs an agent's script in a fresh slot and harvests it.
    pub(super) fn attempt(&self, script: &str) -> Harvest {
        let slot = self.make("s1");
        agent(&slot, script);
        harvest(&slot, &meta()).unwrap()
    }

    pub(super) fn show(&self, commit: &Oid, path: &str) -> String {
        git_in(&self.common, &["show", &format!("{commit}:{path}")])
    }

    /// `mode path` of every file of a commit.
    pub(super) fn files(&self, commit: &Oid) -> Vec<String> {
        let list = git_in(&self.common, &["ls-tree", "-r", "-z", "--full-tree", commit.as_str()]);
        let list = list.trim_end_matches('\0').split('\0');
        list.map(|line| {
            let (meta, path) = line.split_once('\t').unwrap();
            format!("{} {path}", meta.split(' ').next().unwrap())
        })
        .collect()
    }

    pub(super) fn parents(&self, commit: &Oid) -> Vec<String> {
        let line = git_in(&self.common, &["rev-list", "--parents", "-n1", commit.as_str()]);
        line.split(' ').skip(1).map(str::to_owned).collect()
    }

    /// Everything of the user's but the objects: paths, modes and contents, of
    /// the checkout also times.
    pub(super) fn fingerprint(&self) -> BTreeMap<PathBuf, String> {
        let mut seen = BTreeMap::new();
        for top in [self.user.as_path(), self.common.as_path()] {
            list(top, &self.common.join("objects"), &mut seen);
        }
        seen
    }

    /// The result is whole, and the user's objects are sound.
    pub(super) fn sound(&self, commit: &Oid) {
        let text = git_in(&self.common, &["fsck", "--full", "--strict", "--no-dangling"]);
        assert_eq!(text, "");
        git_in(&self.common, &["rev-list", "--objects", commit.as_str()]);
    }
}

pub(super) fn open(top: &Path, common: &Path, kind: Kind) -> Slots {
    let repo = RepoPaths {
        common_dir: common.to_owned(),
        object_dir: common.join("objects"),
        name: "app".into(),
    };
    let ground = Ground::read(program(), repo, person("user")).unwrap();
    Slots::open(&ground, &top.join("state/slots"), kind).unwrap()
}

fn list(folder: &Path, skip: &Path, seen: &mut BTreeMap<PathBuf, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let meta = path.symlink_metadata().unwrap();
        let content = match (meta.is_dir(), meta.is_symlink()) {
            (true, _) => String::new(),
            (_, true) => format!("{:?}", fs::read_link(&path).unwrap()),
            (false, false) => {
                format!("{:?} {}.{}", fs::read(&path).unwrap(), meta.mtime(), meta.mtime_nsec())
            }
        };
        let mode = meta.permissions().mode();
        if path == skip {
            continue;
        }
        if meta.is_dir() {
            list(&path, skip, seen);
        }
        seen.insert(path, format!("{mode:o} {content}"));
    }
}

/// The names in a folder.
pub(super) fn names(folder: &Path) -> Vec<String> {
    let list = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        list.map(|e| OsStr::to_string_lossy(&e.unwrap().file_name()).into_owned()).collect();
    names.sort();
    names
}

/// Makes a chain of `depth` folders, with a file in every hundredth, from the
/// inside out: no path is ever too long for the system.
pub(super) fn deepen(top: &Path, depth: usize) {
    let (chain, next) = (top.join("d"), top.join("next"));
    fs::create_dir(&chain).unwrap();
    for n in 0..depth {
        if n % 100 == 0 {
            fs::write(chain.join("file"), n.to_string()).unwrap();
        }
        fs::create_dir(&next).unwrap();
        fs::rename(&chain, next.join("d")).unwrap();
        fs::rename(&next, &chain).unwrap();
    }
}
