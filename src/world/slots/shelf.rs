//! What lies under a root of slots besides the work at hand: for those who look
//! after the disk.

use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::traits::opened;
use super::{Slot, SlotError, Slots, hollow, pool, remove};
use crate::domain::id::Oid;

/// What something under a root of slots is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shelved {
    /// A slot of the pool that waits.
    Waiting {
        /// Its name.
        name: String,
    },
    /// The slot of an attempt, by its key.
    Keyed {
        /// The key.
        key: String,
    },
    /// What an interrupted removal left.
    Trash,
}

/// The bytes that a file or folder takes on the disk; links are not followed, and
/// what can't be read counts nothing.
#[must_use]
pub fn bytes(path: &Path) -> u64 {
    let mut sum = 0;
    let mut open = vec![path.to_owned()];
    while let Some(path) = open.pop() {
        let Ok(meta) = path.symlink_metadata() else { continue };
        // A file of several names is shared by them.
        let names = if meta.is_dir() { 1 } else { meta.nlink().max(1) };
        sum += meta.blocks() * 512 / names;
        if meta.is_dir() {
            open.extend(fs::read_dir(&path).into_iter().flatten().flatten().map(|e| e.path()));
        }
    }
    sum
}

impl Slots {
    /// Everything under the root, with the folder that it is.
    ///
    /// # Errors
    /// The root can't be read.
    pub fn shelf(&self) -> Result<Vec<(Shelved, PathBuf)>, SlotError> {
        let list = fs::read_dir(&self.root).map_err(SlotError::io("read", &self.root))?;
        let mut found = Vec::new();
        for entry in list.flatten() {
            let Ok(name) = entry.file_name().into_string() else { continue };
            let path = entry.path();
            if name.starts_with(remove::TRASH) {
                found.push((Shelved::Trash, path));
            } else if name.starts_with(pool::NAME) {
                if !self.is_linked(&name) {
                    found.push((Shelved::Waiting { name }, path));
                }
            } else if let Some(name) = pool::target(&self.root, &name) {
                found.push((
                    Shelved::Keyed { key: entry.file_name().to_string_lossy().into() },
                    self.root.join(name),
                ));
            } else if !name.starts_with('.') && path.is_dir() {
                found.push((Shelved::Keyed { key: name }, path));
            }
        }
        found.sort_by(|one, other| one.1.cmp(&other.1));
        Ok(found)
    }

    /// Removes a slot of the pool that nobody has; whether it did.
    ///
    /// # Errors
    /// As [`Slots::remove`].
    pub fn evict(&self, name: &str) -> Result<bool, SlotError> {
        let Some(berth) = self.lock_berth(name).filter(|_| !self.is_linked(name)) else {
            return Ok(false);
        };
        self.discard(&self.root.join(name), &berth).map(|()| true)
    }

    /// Whether nobody has this slot of the pool at the moment.
    #[must_use]
    pub fn is_free(&self, name: &str) -> bool {
        self.lock_berth(name).is_some() && !self.is_linked(name)
    }

    /// A slot by its key alone, to be looked at or removed; its base is what its
    /// HEAD says, whoever wrote that.
    ///
    /// # Errors
    /// As [`Slots::reopen`].
    pub fn reopen_any(&self, key: &str) -> Result<Slot, SlotError> {
        let mut text = Vec::new();
        let head = self.root.join(key).join("git/HEAD");
        let read = opened(&head).and_then(|file| file.take(200).read_to_end(&mut text));
        let named = read.ok().and_then(|_| String::from_utf8(text).ok()?.trim().parse().ok());
        let none = "0".repeat(2 * self.home.carried.hash());
        let base = named.or_else(|| none.parse().ok());
        let base = base.ok_or_else(|| SlotError::BadKey(key.to_owned()))?;
        self.reopen(key, &base)
    }

    /// A slot with the files of `base` that is made at the first call and found by
    /// all later ones; never half there.
    ///
    /// # Errors
    /// As [`Slots::make`].
    pub fn make_once(&self, base: &Oid, key: &str) -> Result<Slot, SlotError> {
        match self.reopen(key, base) {
            Err(SlotError::Gone(_)) => {}
            found => return found,
        }
        let part = tempfile::Builder::new().prefix("part").tempdir_in(&self.root);
        let part = part.map_err(SlotError::io("make a folder in", &self.root))?;
        let name = part.path().file_name().unwrap_or_default();
        let name: String = name.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        let made = self.make(base, &format!("part-{name}"))?;
        let place = self.root.join(key);
        let moved = fs::rename(&made.dir, &place);
        if moved.is_err() && !place.is_dir() {
            self.remove(&made)?;
            return Err(SlotError::Occupied(place));
        }
        if moved.is_err() {
            // Somebody else was faster.
            self.remove(&made)?;
        }
        self.reopen(key, base)
    }

    /// Whether a checkout is as it was made: nothing changed, nothing new that is
    /// not ignored, no commit, no branch.
    ///
    /// # Errors
    /// Git or a file fails.
    pub fn is_pristine(&self, slot: &Slot) -> Result<bool, SlotError> {
        let head = fs::read(slot.git_dir.join("HEAD")).unwrap_or_default();
        let heads = ["refs/heads", "refs/stash", "refs/tags"];
        let any = |name: &&str| {
            let path = slot.git_dir.join(name);
            path.is_file() || fs::read_dir(path).is_ok_and(|list| list.count() > 0)
        };
        if head.trim_ascii() != slot.base.as_str().as_bytes() || heads.iter().any(any) {
            return Ok(false);
        }
        let desk = tempfile::Builder::new().prefix(remove::TRASH).tempdir_in(&self.root);
        let desk = desk.map_err(SlotError::io("make a folder in", &self.root))?;
        let (git_dir, index) = (desk.path().join("git"), desk.path().join("index"));
        let home = &slot.home;
        hollow(&git_dir, slot.base.as_str(), &[&home.repo.object_dir], home, None)?;
        let failed = |source| SlotError::Git { path: slot.dir.clone(), source };
        let git = || home.git.at(&git_dir).index(&index);
        git().args(["read-tree", slot.base.as_str()]).run().map_err(failed)?;
        let call = git().work_tree(&slot.tree).args(["status", "--porcelain", "-z"]);
        Ok(call.arg("--untracked-files=normal").run().map_err(failed)?.is_empty())
    }
}
