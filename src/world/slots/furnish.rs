//! What a slot gets beside the files that git tracks: submodules, large files,
//! ignored files of the user's checkout; and what a setup command made there.

use sha2::{Digest, Sha256};

use super::clean::{Wanted, foreign};
use super::copy::{Copying, copy};
use super::index::Index;
use super::keep::Keep;
use super::ready::SetUp;
use super::{Kind, Slot, SlotError, Slots, lfs, modules};

/// What came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Furnished {
    /// Submodules.
    pub modules: usize,
    /// Large files.
    pub large: usize,
    /// Ignored files of the user's.
    pub copied: usize,
}

impl Slots {
    /// Puts into a slot what its base needs and git alone does not bring. A slot
    /// for which this fails is not to be used.
    ///
    /// # Errors
    /// A submodule's commit is missing, a disk is full, git or a file fails.
    pub fn furnish(
        &self,
        slot: &mut Slot,
        copying: Option<&Copying>,
    ) -> Result<Furnished, SlotError> {
        let mut came = Furnished::default();
        if slot.kind == Kind::Private {
            slot.modules = modules::fill(slot)?;
            came.modules = slot.modules.len();
            came.large = lfs::place(slot)?;
        }
        if let Some(copying) = copying {
            came.copied = copy(slot, copying)?;
        }
        Ok(came)
    }
}

impl Slot {
    /// A hash of a setup command and of the files that it depends on, as the base
    /// has them. A path may name a folder.
    #[must_use]
    pub fn setup_stamp(&self, command: &str, files: &[String]) -> String {
        let mut hash = Sha256::new();
        hash.update(command.as_bytes());
        if let Some(index) = self.index() {
            for name in files {
                hash.update([0]);
                hash.update(name.as_bytes());
                let name = name.trim_end_matches('/').as_bytes();
                let named = index.entries.iter().filter(|entry| {
                    entry.path.strip_prefix(name).is_some_and(|r| r.is_empty() || r[0] == b'/')
                });
                for entry in named {
                    hash.update([0]);
                    hash.update(&entry.path);
                    hash.update([0]);
                    hash.update(index.id(entry));
                }
            }
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whether the last setup here was this one and everything it made is there.
    #[must_use]
    pub fn is_set_up(&self, stamp: &str) -> bool {
        self.set_up.as_ref().is_some_and(|done| done.stamp == stamp)
    }

    /// Paths that git does not track; of an untracked folder only the folder.
    ///
    /// # Errors
    /// The tree can't be read.
    pub fn untracked(&self) -> Result<Vec<Vec<u8>>, SlotError> {
        let index = self.index().ok_or_else(|| SlotError::Unfit {
            path: self.dir.clone(),
            why: "its index is not known".to_owned(),
        })?;
        let written = self.snapshot.as_ref().map_or((0, 0), |snapshot| snapshot.written);
        let wanted = Wanted { index: &index, written, keep: &Keep::default(), folder: None };
        let mut paths = foreign(&self.tree, &wanted)?;
        paths.retain(|path| {
            path != b".git" && index.entries.iter().all(|entry| entry.path != *path)
        });
        Ok(paths)
    }

    /// Takes down that a setup was done; `before` is what was untracked before it.
    ///
    /// # Errors
    /// As [`Slot::untracked`].
    pub fn record_setup(&mut self, stamp: String, before: &[Vec<u8>]) -> Result<(), SlotError> {
        let mut made = self.untracked()?;
        // What stayed from an earlier one counts, unless it was copied just now.
        made.retain(|path| !before.contains(path) || self.kept.contains(path));
        self.set_up = Some(SetUp { stamp, made });
        Ok(())
    }

    fn index(&self) -> Option<Index> {
        let snapshot = self.snapshot.as_ref()?;
        Index::parse(snapshot.index.clone(), self.home.carried.hash()).ok()
    }
}
