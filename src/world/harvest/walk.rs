//! The walk over a slot's working tree: which files differ from the base, which
//! are new, which are ignored, which can't be kept.
//!
//! What is ignored: a path that is tracked (by the base, by the agent's own
//! commits, or staged by the agent) never is. Any other path is ignored when
//! the `.gitignore` files as they stand in the slot or the user's own
//! `info/exclude` say so, as `git add` would have it; the agent's
//! `info/exclude` has no say. New lines in a `.gitignore` do count, because an
//! agent that sets up a build must be able to keep its products out, but what
//! only they hide is listed first and counted apart, so that nobody hides work
//! in silence.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};

use super::plain::shown;
use super::{Desk, HarvestError};
use crate::world::slots::index::Entry;

/// The most ignored paths that are listed.
pub(super) const LISTED: usize = 200;

/// After so many questions to git about ever deeper new folders, the rest is
/// asked in one.
const ROUNDS: usize = 16;

/// What the rules of one file ignore.
#[derive(Debug, Default)]
pub(super) struct Ignored {
    /// How many paths.
    pub(super) total: u64,
    /// The first paths (folders with a slash at the end) and their bytes.
    pub(super) listed: Vec<(String, u64)>,
}

/// What the walk found. Paths are bytes from the top of the tree.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Files and links to be read: new ones and those that may have changed.
    pub(super) changed: Vec<Vec<u8>>,
    /// For each entry of the base's index: its path is still there.
    pub(super) present: Vec<bool>,
    /// What is ignored, by the file whose rule says so.
    pub(super) ignored: BTreeMap<Vec<u8>, Ignored>,
    /// What could not be kept, and why.
    pub(super) left_out: Vec<(String, String)>,
    /// Submodules of the base that have a repository inside.
    pub(super) populated: Vec<Vec<u8>>,
}

/// A path that only the ignore rules decide about.
struct Undecided {
    path: Vec<u8>,
    is_dir: bool,
    size: u64,
}

struct Walk<'a> {
    tree: &'a Path,
    base: BTreeMap<&'a [u8], usize>,
    entries: &'a [Entry],
    written: (i64, i64),
    extra: &'a BTreeSet<Vec<u8>>,
    dirs: BTreeSet<&'a [u8]>,
    found: Found,
    undecided: Vec<Undecided>,
}

/// What counts as tracked.
#[derive(Debug)]
pub(super) struct Tracked<'a> {
    /// The base's index.
    pub(super) entries: &'a [Entry],
    /// When that was written.
    pub(super) written: (i64, i64),
    /// Further paths.
    pub(super) extra: &'a BTreeSet<Vec<u8>>,
}

/// Walks the slot's tree below the folder `start`; an empty one is the top.
pub(super) fn walk(
    desk: &Desk<'_>,
    tracked: &Tracked<'_>,
    start: &[u8],
) -> Result<Found, HarvestError> {
    let Tracked { entries, written, extra } = *tracked;
    let base: BTreeMap<&[u8], usize> =
        entries.iter().enumerate().map(|(n, entry)| (entry.path.as_slice(), n)).collect();
    let dirs = base.keys().copied().chain(extra.iter().map(Vec::as_slice)).flat_map(parents);
    let found = Found { present: vec![false; entries.len()], ..Found::default() };
    let mut walk = Walk {
        tree: &desk.slot.tree,
        dirs: dirs.collect(),
        base,
        entries,
        written,
        extra,
        found,
        undecided: Vec::new(),
    };
    let mut open = vec![start.to_vec()];
    while let Some(folder) = open.pop() {
        walk.folder(&folder, &mut open)?;
    }
    let mut round = 0;
    while !walk.undecided.is_empty() {
        round += 1;
        walk.decide(desk, round >= ROUNDS)?;
    }
    let mut found = walk.found;
    found.changed.sort_unstable();
    Ok(found)
}

/// The folders that lead to a path.
fn parents(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
    slashes.map(|(at, _)| path.get(..at).unwrap_or_default())
}

impl Walk<'_> {
    fn at(&self, path: &[u8]) -> PathBuf {
        self.tree.join(OsStr::from_bytes(path))
    }

    /// The names in a folder, opened up if need be; `None` when it can't be read.
    fn names(&mut self, folder: &[u8]) -> Option<Vec<Vec<u8>>> {
        let path = self.at(folder);
        let list = || -> std::io::Result<Vec<Vec<u8>>> {
            let names = fs::read_dir(&path)?;
            names.map(|entry| Ok(entry?.file_name().as_bytes().to_vec())).collect()
        };
        // A folder may be listed and yet be closed to a look at what is in it.
        let closed = access(&path, AccessFlags::R_OK | AccessFlags::X_OK).is_err();
        if closed && path.symlink_metadata().is_ok_and(|meta| meta.is_dir()) {
            // It is the slot's own; if this fails the listing says why.
            let _ = fs::set_permissions(&path, fs::Permissions::from_mode(0o700));
        }
        match list() {
            Ok(names) => Some(names),
            Err(e) => {
                self.found.left_out.push((shown(folder), format!("unreadable folder: {e}")));
                self.keep_below(folder);
                None
            }
        }
    }

    /// What can't be looked at is not taken for deleted.
    fn keep_below(&mut self, folder: &[u8]) {
        let below = [folder, b"/"].concat();
        for (path, n) in self.base.range(below.as_slice()..) {
            if !path.starts_with(&below) {
                break;
            }
            if let Some(present) = self.found.present.get_mut(*n) {
                *present = true;
            }
        }
    }

    fn folder(&mut self, folder: &[u8], open: &mut Vec<Vec<u8>>) -> Result<(), HarvestError> {
        let Some(names) = self.names(folder) else {
            return if folder.is_empty() { Err(self.unreadable()) } else { Ok(()) };
        };
        for name in names {
            if name.eq_ignore_ascii_case(b".git") {
                continue;
            }
            let path = if folder.is_empty() { name } else { [folder, b"/", &name].concat() };
            match self.at(&path).symlink_metadata() {
                Ok(meta) => self.look(path, &meta, open),
                Err(e) if e.kind() == ErrorKind::NotFound => {}
                Err(e) => self.leave(&path, e.to_string()),
            }
        }
        Ok(())
    }

    fn unreadable(&self) -> HarvestError {
        HarvestError::SlotGone(self.tree.to_owned())
    }

    /// Lists a path as not kept; what the base has of it stays.
    fn leave(&mut self, path: &[u8], why: String) {
        self.found.left_out.push((shown(path), why));
        if let Some(present) = self.base.get(path).and_then(|n| self.found.present.get_mut(*n)) {
            *present = true;
        }
    }

    fn look(&mut self, path: Vec<u8>, meta: &Metadata, open: &mut Vec<Vec<u8>>) {
        let known = self.base.get(path.as_slice()).copied();
        let entry = known.and_then(|n| self.entries.get(n));
        if meta.is_dir() {
            if entry.is_some_and(Entry::is_gitlink) && self.submodule(&path, known) {
                return;
            }
            if self.dirs.contains(path.as_slice()) || entry.is_some_and(Entry::is_gitlink) {
                open.push(path);
            } else {
                self.undecided.push(Undecided { path, is_dir: true, size: 0 });
            }
            return;
        }
        if !meta.is_file() && !meta.is_symlink() {
            self.special(&path);
            return;
        }
        if let Some(present) = known.and_then(|n| self.found.present.get_mut(n)) {
            *present = true;
        }
        if entry.is_some_and(|entry| entry.is_unchanged(meta, self.written)) {
            return;
        }
        if known.is_some() || self.extra.contains(&path) {
            self.take(path, meta);
        } else {
            self.undecided.push(Undecided { path, is_dir: false, size: meta.size() });
        }
    }

    /// A folder where the base has a submodule: whether that is all there is to
    /// say. A folder with files and no repository in it is a folder like others.
    fn submodule(&mut self, path: &[u8], known: Option<usize>) -> bool {
        let names = self.names(path).unwrap_or_default();
        let populated = names.iter().any(|name| name.eq_ignore_ascii_case(b".git"));
        if !populated && !names.is_empty() {
            return false;
        }
        if let Some(present) = known.and_then(|n| self.found.present.get_mut(n)) {
            *present = true;
        }
        if populated {
            self.found.populated.push(path.to_vec());
        }
        true
    }

    /// Neither file, link nor folder. Git would wait for ever for a pipe that
    /// has the name of one of its own files.
    fn special(&mut self, path: &[u8]) {
        let name = path.rsplit(|b| *b == b'/').next().unwrap_or_default();
        let own = [&b".gitignore"[..], b".gitattributes", b".gitmodules"];
        if own.iter().any(|own| name.eq_ignore_ascii_case(own)) {
            // When it stays, git's deadline ends the harvest with an error.
            let _ = fs::remove_file(self.at(path));
        }
        self.found.left_out.push((shown(path), "a pipe, socket or device".into()));
    }

    /// Marks a file to be read, if it can be.
    fn take(&mut self, path: Vec<u8>, meta: &Metadata) {
        let full = self.at(&path);
        let denied = || meta.is_file() && access(&full, AccessFlags::R_OK).is_err();
        if denied() && meta.nlink() == 1 {
            // The slot's own file; with a second name it might be somebody else's.
            let mode = meta.mode() & 0o777 | 0o400;
            let _ = fs::set_permissions(&full, fs::Permissions::from_mode(mode));
        }
        if denied() {
            self.leave(&path, "unreadable file".into());
        } else {
            self.found.changed.push(path);
        }
    }

    /// Asks git about everything undecided and looks into the folders that are
    /// not ignored; with `all`, looks into them first.
    fn decide(&mut self, desk: &Desk<'_>, all: bool) -> Result<(), HarvestError> {
        let mut asked = std::mem::take(&mut self.undecided);
        while all && asked.iter().any(|one| one.is_dir) {
            let (dirs, files): (Vec<_>, Vec<_>) = asked.into_iter().partition(|one| one.is_dir);
            for dir in dirs {
                self.folder(&dir.path, &mut Vec::new())?;
            }
            asked = files;
            asked.append(&mut self.undecided);
        }
        if asked.is_empty() {
            return Ok(());
        }
        let sources = ask(desk, &asked)?;
        for (one, source) in asked.into_iter().zip(sources) {
            match source {
                Some(source) => self.ignore(&one, source),
                None if one.is_dir => self.folder(&one.path, &mut Vec::new())?,
                None => match self.at(&one.path).symlink_metadata() {
                    Ok(meta) => self.take(one.path, &meta),
                    Err(e) => self.leave(&one.path, e.to_string()),
                },
            }
        }
        Ok(())
    }

    fn ignore(&mut self, one: &Undecided, source: Vec<u8>) {
        let size = if one.is_dir { bytes_below(&self.at(&one.path)) } else { one.size };
        let slash = if one.is_dir { "/" } else { "" };
        let ignored = self.found.ignored.entry(source).or_default();
        ignored.total += 1;
        if ignored.listed.len() < LISTED {
            ignored.listed.push((shown(&one.path) + slash, size));
        }
    }
}

/// For each path the file whose rule ignores it, if one does.
fn ask(desk: &Desk<'_>, paths: &[Undecided]) -> Result<Vec<Option<Vec<u8>>>, HarvestError> {
    let mut input = Vec::new();
    for one in paths {
        // A name that starts with a colon would be taken for magic.
        input.extend_from_slice(b"./");
        input.extend_from_slice(&one.path);
        input.push(0);
    }
    let args = ["check-ignore", "--stdin", "-z", "--verbose", "--non-matching", "--no-index"];
    let call = desk.git().work_tree(&desk.slot.tree).args(args).input(&input);
    let (_, answer) = call.run_or(&[1]).map_err(|source| desk.failed(source))?;
    let mut fields = answer.split(|b| *b == 0);
    let mut sources = Vec::with_capacity(paths.len());
    while let (Some(source), Some(_), Some(rule), Some(_)) =
        (fields.next(), fields.next(), fields.next(), fields.next())
    {
        let ignored = !source.is_empty() && !rule.starts_with(b"!");
        sources.push(ignored.then(|| source.to_vec()));
    }
    if sources.len() == paths.len() {
        Ok(sources)
    } else {
        Err(desk.failed(crate::world::git::GitError::Garbled { command: args.join(" ") }))
    }
}

/// The bytes of all regular files below a folder; what can't be read counts nothing.
fn bytes_below(folder: &Path) -> u64 {
    let mut sum = 0;
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(meta) if meta.is_dir() => open.push(entry.path()),
                Ok(meta) if meta.is_file() => sum += meta.size(),
                Ok(_) | Err(_) => {}
            }
        }
    }
    sum
}
