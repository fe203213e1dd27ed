//! Making a used working tree clean: what is as we wrote it stays, build folders
//! that are to be kept stay, everything else goes.
//!
//! What we wrote is told by an index that no agent could reach: a file stays only
//! if its size, inode, owner, both times to the nanosecond are those of the index
//! and none is as young as the index itself. A file that differs in any of these
//! is not read but removed, and written again by the next checkout: it may have
//! further names elsewhere, and attributes that no index knows. A folder stays
//! only if owner, mode, flags and attributes are those of one just made.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Metadata};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::SlotError;
use super::index::{Entry, Index};
use super::keep::{Keep, at};
use super::remove::{self, Bin};
use super::traits::Traits;

/// What a working tree is compared with.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    /// What we wrote.
    pub(super) index: &'a Index,
    /// When we wrote the index.
    pub(super) written: (i64, i64),
    /// What else stays.
    pub(super) keep: &'a Keep,
    /// What a folder is like; `None`: whatever it is like.
    pub(super) folder: Option<&'a Traits>,
}

/// What stayed.
#[derive(Debug, Default)]
pub(super) struct Cleaned {
    /// For each entry of the index: it is there as it was written.
    pub(super) present: Vec<bool>,
    /// Build folders, as paths of the tree.
    pub(super) kept: Vec<Vec<u8>>,
}

struct Walk<'a> {
    tree: &'a Path,
    wanted: &'a Wanted<'a>,
    files: BTreeMap<&'a [u8], usize>,
    folders: BTreeSet<&'a [u8]>,
    /// `None`: nothing is removed, only listed.
    bin: Option<&'a mut Bin>,
    cleaned: Cleaned,
    foreign: Vec<Vec<u8>>,
    emptied: Vec<Vec<u8>>,
}

/// Cleans the tree; what has to go as a whole goes into `bin`.
pub(super) fn clean(tree: &Path, wanted: &Wanted<'_>, bin: &mut Bin) -> Result<Cleaned, SlotError> {
    let mut walk = Walk::new(tree, wanted, Some(bin));
    walk.all()?;
    while let Some(folder) = walk.emptied.pop() {
        if !folder.is_empty() && fs::remove_dir(at(tree, &folder)).is_ok() {
            walk.emptied.push(parent(&folder).to_vec());
        }
    }
    Ok(walk.cleaned)
}

/// The paths that differ from what we wrote or are not ours; of a folder that is
/// not ours only the folder. Nothing is changed.
pub(super) fn foreign(tree: &Path, wanted: &Wanted<'_>) -> Result<Vec<Vec<u8>>, SlotError> {
    let mut walk = Walk::new(tree, wanted, None);
    walk.all()?;
    let mut foreign = walk.foreign;
    let gone = walk.cleaned.present.iter().zip(&wanted.index.entries);
    foreign.extend(gone.filter(|(present, _)| !**present).map(|(_, entry)| entry.path.clone()));
    foreign.sort_unstable();
    foreign.dedup();
    Ok(foreign)
}

fn parent(path: &[u8]) -> &[u8] {
    let slash = path.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
    path.get(..slash).unwrap_or_default()
}

impl<'a> Walk<'a> {
    fn new(tree: &'a Path, wanted: &'a Wanted<'a>, bin: Option<&'a mut Bin>) -> Self {
        let entries = &wanted.index.entries;
        let files = entries.iter().enumerate().map(|(n, entry)| (entry.path.as_slice(), n));
        let mut folders = BTreeSet::new();
        for entry in entries {
            let mut folder = parent(&entry.path);
            while !folder.is_empty() && folders.insert(folder) {
                folder = parent(folder);
            }
        }
        let present = vec![false; entries.len()];
        Self {
            tree,
            wanted,
            files: files.collect(),
            folders,
            bin,
            cleaned: Cleaned { present, kept: Vec::new() },
            foreign: Vec::new(),
            emptied: Vec::new(),
        }
    }

    fn all(&mut self) -> Result<(), SlotError> {
        let mut open = vec![Vec::new()];
        while let Some(folder) = open.pop() {
            let full = at(self.tree, &folder);
            let mut stay = 0;
            for entry in fs::read_dir(&full).map_err(SlotError::io("read", &full))? {
                let entry = entry.map_err(SlotError::io("read", &full))?;
                let name = entry.file_name();
                let path = match folder.is_empty() {
                    true => name.as_bytes().to_vec(),
                    false => [folder.as_slice(), b"/", name.as_bytes()].concat(),
                };
                let meta = entry.metadata().map_err(SlotError::io("read", &entry.path()))?;
                if self.stays(&path, &meta, &mut open) {
                    stay += 1;
                } else {
                    self.drop(path, &meta)?;
                }
            }
            if stay == 0 {
                self.emptied.push(folder);
            }
        }
        Ok(())
    }

    /// Whether this may stay; a folder that may is put on the list of those to be
    /// looked into.
    fn stays(&mut self, path: &[u8], meta: &Metadata, open: &mut Vec<Vec<u8>>) -> bool {
        if let Some(n) = self.files.get(path).copied() {
            let same = self.wanted.index.entries.get(n).is_some_and(|entry| self.same(entry, meta));
            if let Some(present) = self.cleaned.present.get_mut(n) {
                *present = same;
            }
            return same;
        }
        if self.folders.contains(path) && meta.is_dir() && self.is_plain(path) {
            open.push(path.to_vec());
            return true;
        }
        if meta.is_dir() && self.wanted.keep.holds(path) {
            self.cleaned.kept.push(path.to_vec());
            return true;
        }
        false
    }

    fn same(&self, entry: &Entry, meta: &Metadata) -> bool {
        if entry.is_gitlink() {
            let empty = || fs::read_dir(at(self.tree, &entry.path)).is_ok_and(|l| l.count() == 0);
            return meta.is_dir() && self.is_plain(&entry.path) && empty();
        }
        entry.is_unchanged(meta, self.wanted.written)
    }

    fn is_plain(&self, folder: &[u8]) -> bool {
        let Some(wanted) = self.wanted.folder else { return true };
        Traits::of(&at(self.tree, folder)).is_ok_and(|traits| traits == *wanted)
    }

    fn drop(&mut self, path: Vec<u8>, meta: &Metadata) -> Result<(), SlotError> {
        let Some(bin) = self.bin.as_mut() else {
            self.foreign.push(path);
            return Ok(());
        };
        let full = at(self.tree, &path);
        if meta.is_dir() {
            bin.take(&full).map(|_| ())
        } else {
            remove::unlink(&full).map_err(SlotError::io("remove", &full))
        }
    }
}
