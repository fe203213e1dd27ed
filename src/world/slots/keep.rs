//! Which build folders a slot keeps between two attempts (`crew.keep`), and what
//! is taken out of them: names that others hold as well, and what is neither
//! file, folder nor link.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::remove::{self, Bin};
use super::{Slot, SlotError};

/// A value of `crew.keep` that can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is neither a folder's name nor a path inside the repository")]
pub struct BadKeep(pub String);

/// Folders by name, at any depth, or by path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    names: Vec<Vec<u8>>,
    paths: Vec<Vec<u8>>,
}

impl Keep {
    /// From names (`target`) and paths (`web/node_modules`).
    ///
    /// # Errors
    /// The first that leaves the repository or names git's own folder.
    pub fn new(values: &[String]) -> Result<Self, BadKeep> {
        let mut keep = Self::default();
        for value in values {
            let path = value.strip_prefix("./").unwrap_or(value).trim_end_matches('/');
            let bad =
                |part: &str| matches!(part, "" | "." | "..") || part.eq_ignore_ascii_case(".git");
            if path.starts_with('/') || path.contains('\0') || path.split('/').any(bad) {
                return Err(BadKeep(value.escape_debug().to_string()));
            }
            let list = if path.contains('/') { &mut keep.paths } else { &mut keep.names };
            list.push(path.as_bytes().to_vec());
        }
        Ok(keep)
    }

    /// Whether there is anything to keep.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty() && self.paths.is_empty()
    }

    /// Whether the folder at this path of the tree is one to keep.
    pub(super) fn holds(&self, path: &[u8]) -> bool {
        let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        self.names.iter().any(|one| one == name) || self.paths.iter().any(|one| one == path)
    }
}

/// Takes out of kept folders what must not be handed on: special files, and
/// names of files that have further names outside these folders. Whoever holds
/// such a name would go on writing into the slot, or the slot into theirs.
pub(super) fn vet(folders: &[PathBuf]) -> Result<(), SlotError> {
    let mut shared: BTreeMap<(u64, u64), (u64, Vec<PathBuf>)> = BTreeMap::new();
    let mut open = folders.to_vec();
    while let Some(folder) = open.pop() {
        let list = fs::read_dir(&folder).map_err(SlotError::io("read", &folder))?;
        for entry in list {
            let entry = entry.map_err(SlotError::io("read", &folder))?;
            let path = entry.path();
            let meta = entry.metadata().map_err(SlotError::io("read", &path))?;
            if meta.is_dir() {
                open.push(path);
            } else if meta.is_file() && meta.nlink() > 1 {
                let names = shared.entry((meta.dev(), meta.ino()));
                let (_, names) = names.or_insert((meta.nlink(), Vec::new()));
                names.push(path);
            } else if !meta.is_file() && !meta.is_symlink() {
                remove(&path)?;
            }
        }
    }
    for (links, names) in shared.values() {
        if names.len() as u64 != *links {
            names.iter().try_for_each(|path| remove(path))?;
        }
    }
    Ok(())
}

fn remove(path: &Path) -> Result<(), SlotError> {
    remove::unlink(path).map_err(SlotError::io("remove", path))
}

/// Removes the kept folders in which the slot's base has files of its own.
pub(super) fn untracked_only(
    slot: &Slot,
    kept: &mut Vec<Vec<u8>>,
    bin: &mut Bin,
) -> Result<(), SlotError> {
    if kept.is_empty() {
        return Ok(());
    }
    let call = slot.home.git.at(&slot.git_dir).env("GIT_LITERAL_PATHSPECS", "1");
    let call = call.args(["ls-tree", "-z", "--name-only", slot.base.as_str(), "--"]);
    let list = call.args(kept.iter().map(|path| OsStr::from_bytes(path))).run();
    let list = list.map_err(|source| SlotError::Git { path: slot.dir.clone(), source })?;
    let tracked: Vec<&[u8]> = list.split(|byte| *byte == 0).collect();
    drop_if(slot, kept, bin, |path| tracked.contains(&path))
}

/// Removes the kept folders that the slot's base does not ignore.
pub(super) fn ignored_only(
    slot: &Slot,
    kept: &mut Vec<Vec<u8>>,
    bin: &mut Bin,
) -> Result<(), SlotError> {
    if kept.is_empty() {
        return Ok(());
    }
    // A name that starts with a colon would be taken for magic.
    let named = |path: &[u8]| [b"./", path, b"\0"].concat();
    let input: Vec<u8> = kept.iter().flat_map(|path| named(path)).collect();
    let call = slot.home.git.at(&slot.git_dir).work_tree(&slot.tree).input(&input);
    let asked = call.args(["check-ignore", "--stdin", "-z"]).run_or(&[1]);
    let (_, list) = asked.map_err(|source| SlotError::Git { path: slot.dir.clone(), source })?;
    let ignored: Vec<&[u8]> =
        list.split(|byte| *byte == 0).filter_map(|path| path.strip_prefix(b"./")).collect();
    drop_if(slot, kept, bin, |path| !ignored.contains(&path))
}

fn drop_if(
    slot: &Slot,
    kept: &mut Vec<Vec<u8>>,
    bin: &mut Bin,
    goes: impl Fn(&[u8]) -> bool,
) -> Result<(), SlotError> {
    for path in kept.iter().filter(|path| goes(path)) {
        bin.take(&at(&slot.tree, path))?;
    }
    kept.retain(|path| !goes(path));
    Ok(())
}

/// Where a path of the tree lies.
pub(crate) fn at(tree: &Path, path: &[u8]) -> PathBuf {
    tree.join(OsStr::from_bytes(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keep(values: &[&str]) -> Result<Keep, BadKeep> {
        Keep::new(&values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_name_is_meant_at_any_depth_and_a_path_at_its_place() {
        let keep = keep(&["target/", "./web/node_modules"]).unwrap();
        assert!(keep.holds(b"target") && keep.holds(b"a/b/target"));
        assert!(keep.holds(b"web/node_modules") && !keep.holds(b"a/web/node_modules"));
        assert!(!keep.holds(b"node_modules") && !keep.holds(b"a-target"));
    }

    #[test]
    fn nothing_outside_the_tree_can_be_named() {
        for bad in ["", "/", "/etc", "..", "a/../b", "a//b", ".git", "a/.GIT", ".", "a\0"] {
            assert!(keep(&[bad]).is_err(), "{bad:?}");
        }
    }
}
