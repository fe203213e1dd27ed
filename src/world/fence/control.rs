//! What decides what the user's next git command does, before and after an
//! attempt: configuration, hooks, `info`, the stash, all refs, and who may
//! write them.
//!
//! Promises: whatever of it differs is named, with a command that puts the old
//! back; contents that are replaced are kept beside the repository's own files.
//! Nothing is run, no link is followed, nothing is put back here.
//!
//! Limits: what the user changes at the same time looks just the same. The
//! contents of objects are not looked at. Where a fence keeps the contents, only
//! modes are compared, because no fence keeps those.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Files and folders, from the shared git dir. A folder stands for what is in it.
const WATCHED: [&str; 11] = [
    "",
    "HEAD",
    "config",
    "config.worktree",
    "hooks",
    "info",
    "objects",
    "objects/info",
    "refs",
    "refs/heads",
    "logs/refs/stash",
];

/// Those whose contents are looked into.
const FOLDERS: [&str; 3] = ["hooks", "info", "objects/info"];

/// What git and we write by ourselves in those folders.
const PASSING: [&str; 4] =
    ["info/refs", "objects/info/commit-graphs", "objects/info/packs", "objects/info/commit-graph"];

/// Our own refs.
const OURS: [&str; 3] = ["refs/crew/", "refs/refs/", "refs/notes/crew"];

/// The most bytes of a file that are compared and kept.
const MOST: u64 = 1 << 20;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    mode: u32,
    content: Vec<u8>,
}

/// How it stands.
#[derive(Clone, Debug)]
pub struct Control {
    dir: PathBuf,
    whole: bool,
    entries: BTreeMap<String, Entry>,
    refs: BTreeMap<String, String>,
}

impl Control {
    /// Looks at the repository with this shared git dir. `whole` is with contents
    /// and refs, for when no fence keeps them.
    #[must_use]
    pub fn look(dir: &Path, whole: bool) -> Self {
        let mut this =
            Self { dir: dir.to_owned(), whole, entries: BTreeMap::new(), refs: BTreeMap::new() };
        let mut names: Vec<String> = WATCHED.iter().map(|name| (*name).to_owned()).collect();
        for folder in FOLDERS {
            let entries = fs::read_dir(dir.join(folder)).into_iter().flatten().flatten();
            names.extend(
                entries.map(|entry| format!("{folder}/{}", entry.file_name().to_string_lossy())),
            );
        }
        names.retain(|name| !PASSING.contains(&name.as_str()));
        for name in names {
            if let Some(entry) = entry(&dir.join(&name), whole) {
                this.entries.insert(name, entry);
            }
        }
        if whole {
            this.refs = refs(dir);
        }
        this
    }

    /// What differs from this now, one line each: what it was, and the command
    /// that puts it back. Old contents go into `kept`.
    ///
    /// # Errors
    /// Old contents could not be kept.
    pub fn changes(&self, kept: &Path) -> io::Result<Vec<String>> {
        let now = Self::look(&self.dir, self.whole);
        let mut lines = Vec::new();
        for (name, was) in &self.entries {
            match now.entries.get(name) {
                Some(is) if is == was => {}
                Some(is) if is.content == was.content => lines.push(self.mode(name, was, is)),
                None if !self.whole => {}
                Some(_) | None => lines.push(self.content(name, was, kept)?),
            }
        }
        if self.whole {
            let new = now.entries.keys().filter(|name| !self.entries.contains_key(*name));
            lines.extend(new.map(|name| format!("{name} is new: rm -r {}", self.quoted(name))));
            lines.extend(self.moved(&now));
        }
        Ok(lines)
    }

    fn mode(&self, name: &str, was: &Entry, is: &Entry) -> String {
        let (old, new) = (was.mode & 0o7777, is.mode & 0o7777);
        let shown = if name.is_empty() { "the git dir" } else { name };
        format!("{shown} had the mode {old:o}, now {new:o}: chmod {old:o} {}", self.quoted(name))
    }

    fn content(&self, name: &str, was: &Entry, kept: &Path) -> io::Result<String> {
        if was.mode & 0o170_000 != 0o100_000 {
            return Ok(format!("{name} was replaced: ls -ld {}", self.quoted(name)));
        }
        let copy = kept.join(name.replace('/', "-"));
        fs::create_dir_all(kept)?;
        fs::write(&copy, &was.content)?;
        fs::set_permissions(&copy, fs::Permissions::from_mode(was.mode & 0o777))?;
        Ok(format!("{name} was changed: cp -p {} {}", quote(&copy), self.quoted(name)))
    }

    fn moved<'a>(&'a self, now: &'a Self) -> impl Iterator<Item = String> + 'a {
        let dir = quote(&self.dir);
        let git = move |words: String| format!("git --git-dir={dir} {words}");
        let (was, again) = (&self.refs, git.clone());
        let old = was.iter().filter(|(name, value)| now.refs.get(*name) != Some(value));
        let old = old.map(move |(name, value)| match value.strip_prefix("ref: ") {
            Some(target) => {
                format!("{name} was '{value}': {}", git(format!("symbolic-ref {name} {target}")))
            }
            None => format!("{name} was {value}: {}", git(format!("update-ref {name} {value}"))),
        });
        let new = now.refs.keys().filter(|name| !was.contains_key(*name));
        old.chain(
            new.map(move |name| {
                format!("{name} is new: {}", again(format!("update-ref -d {name}")))
            }),
        )
    }

    fn quoted(&self, name: &str) -> String {
        quote(&self.dir.join(name))
    }
}

/// A path as a shell takes it.
fn quote(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@:,".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

fn entry(path: &Path, whole: bool) -> Option<Entry> {
    let meta = path.symlink_metadata().ok()?;
    let content = if meta.is_symlink() {
        fs::read_link(path).map(|to| to.as_os_str().as_bytes().to_vec()).unwrap_or_default()
    } else if whole && meta.is_file() {
        let mut bytes = Vec::new();
        fs::File::open(path).and_then(|file| file.take(MOST).read_to_end(&mut bytes)).ok();
        bytes
    } else {
        Vec::new()
    };
    // A folder's own mode counts, what is in it is looked at by name.
    Some(Entry { mode: meta.mode(), content })
}

/// Every ref but ours, by name; a loose one hides a packed one.
fn refs(dir: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let packed = fs::read(dir.join("packed-refs")).unwrap_or_default();
    for line in String::from_utf8_lossy(&packed).lines() {
        if let Some((value, name)) = line.split_once(' ')
            && name.starts_with("refs/")
        {
            found.insert(name.to_owned(), value.to_owned());
        }
    }
    loose(dir, "refs", &mut found);
    found.retain(|name, _| !OURS.iter().any(|ours| name.starts_with(ours)));
    found
}

fn loose(dir: &Path, below: &str, found: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(dir.join(below)).into_iter().flatten().flatten() {
        let name = format!("{below}/{}", entry.file_name().to_string_lossy());
        let Ok(kind) = entry.file_type() else { continue };
        if OURS.iter().any(|ours| *ours == format!("{name}/")) || name.ends_with(".lock") {
            continue;
        }
        if kind.is_dir() {
            loose(dir, &name, found);
        } else if kind.is_file()
            && let Ok(text) = fs::read(entry.path())
        {
            found.insert(name, String::from_utf8_lossy(&text).trim_end().to_owned());
        }
    }
}

#[cfg(test)]
#[path = "control_tests.rs"]
mod tests;
