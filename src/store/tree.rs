//! What differs between two trees, without a checkout and without guessing
//! renames.

use std::collections::BTreeMap;

use gix::objs::tree::EntryMode;
use gix::objs::{Kind, TreeRefIter};

use super::error::StoreError;
use super::git::{GitStore, Inner, chains::damaged, hash, oid};
use crate::domain::id::Oid;

/// How a path differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// Its content or its executable bit differs.
    Modified,
    /// It is gone.
    Deleted,
    /// It became another type: file, symbolic link, submodule.
    Retyped,
}

impl ChangeKind {
    /// The letter that `git diff --name-status` prints.
    #[must_use]
    pub fn letter(self) -> char {
        match self {
            Self::Added => 'A',
            Self::Modified => 'M',
            Self::Deleted => 'D',
            Self::Retyped => 'T',
        }
    }
}

/// One path that differs between two trees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeChange {
    /// How.
    pub kind: ChangeKind,
    /// The path from the root; bytes that are not UTF-8 are escaped as `\xNN`.
    pub path: String,
    /// The mode before, as in `git ls-tree` (0o100644, 0o100755, 0o120000,
    /// 0o160000); 0 when it is new.
    pub old_mode: u32,
    /// The mode after; 0 when it is gone.
    pub new_mode: u32,
    /// The object after, `None` when it is gone.
    pub new: Option<Oid>,
}

impl GitStore {
    /// The tree of a commit.
    ///
    /// # Errors
    /// `Damaged` when the commit can't be read.
    pub fn tree_of(&self, commit: &Oid) -> Result<Oid, StoreError> {
        Ok(self.inner.entry(hash(commit))?.tree)
    }

    /// The paths that differ between two trees, sorted by path. A folder that
    /// became a file is its files deleted and a file added.
    ///
    /// # Errors
    /// `Damaged` when a tree can't be read.
    pub fn changes(&self, old: &Oid, new: &Oid) -> Result<Vec<TreeChange>, StoreError> {
        let mut found = Vec::new();
        let mut pairs = vec![(Some(hash(old)), Some(hash(new)), Vec::new())];
        while let Some((old, new, folder)) = pairs.pop() {
            if old == new {
                continue;
            }
            let (mut before, after) = (self.inner.level(old)?, self.inner.level(new)?);
            for (name, (mode, id)) in after {
                let old = before.remove(&name);
                if old != Some((mode, id)) {
                    compare(join(&folder, &name), old, Some((mode, id)), &mut found, &mut pairs);
                }
            }
            for (name, old) in before {
                compare(join(&folder, &name), Some(old), None, &mut found, &mut pairs);
            }
        }
        found.sort_by(|a, b| a.path.cmp(&b.path).then(b.kind.cmp(&a.kind)));
        Ok(found)
    }
}

type Node = (EntryMode, gix::ObjectId);
type Level = BTreeMap<Vec<u8>, Node>;
type Pair = (Option<gix::ObjectId>, Option<gix::ObjectId>, Vec<u8>);

impl Inner {
    fn level(&self, tree: Option<gix::ObjectId>) -> Result<Level, StoreError> {
        let Some(tree) = tree else { return Ok(Level::new()) };
        let data = self.object(tree, Kind::Tree)?;
        TreeRefIter::from_bytes(&data, self.hash)
            .map(|entry| {
                let entry = entry.map_err(|error| damaged("tree", &tree, Some(error)))?;
                Ok((entry.filename.to_vec(), (entry.mode, entry.oid.to_owned())))
            })
            .collect()
    }
}

fn compare(
    path: Vec<u8>,
    old: Option<Node>,
    new: Option<Node>,
    found: &mut Vec<TreeChange>,
    pairs: &mut Vec<Pair>,
) {
    let tree = |node: Option<Node>| node.filter(|(mode, _)| mode.is_tree()).map(|(_, id)| id);
    let leaf = |node: Option<Node>| node.filter(|(mode, _)| !mode.is_tree());
    if tree(old).is_some() || tree(new).is_some() {
        pairs.push((tree(old), tree(new), path.clone()));
    }
    let kind = match (leaf(old), leaf(new)) {
        (None, None) => return,
        (None, Some(_)) => ChangeKind::Added,
        (Some(_), None) => ChangeKind::Deleted,
        (Some((a, _)), Some((b, _)))
            if a.is_blob() == b.is_blob() && a.is_link() == b.is_link() =>
        {
            ChangeKind::Modified
        }
        (Some(_), Some(_)) => ChangeKind::Retyped,
    };
    let mode = |node: Option<Node>| leaf(node).map_or(0, |(mode, _)| u32::from(mode.value()));
    found.push(TreeChange {
        kind,
        path: printable(&path),
        old_mode: mode(old),
        new_mode: mode(new),
        new: leaf(new).map(|(_, id)| oid(id)),
    });
}

fn join(folder: &[u8], name: &[u8]) -> Vec<u8> {
    if folder.is_empty() { name.to_vec() } else { [folder, b"/", name].concat() }
}

/// A path as text, with bytes that are not UTF-8 as `\xNN`.
pub(super) fn printable(path: &[u8]) -> String {
    let mut text = String::new();
    for chunk in path.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}
