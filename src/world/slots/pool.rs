//! The pool: slots that wait for their next attempt with their files in place.
//!
//! ```text
//! <root>/warm-<id>/            a slot of the pool; its path never changes, so that
//!                              builds in it stay valid
//! <root>/<key>                 a link to it while an attempt has it
//! <root>/.pool/warm-<id>/lock  held by the process that uses or changes the slot
//! <root>/.pool/warm-<id>/ready what we wrote there; only while it waits
//! ```
//!
//! Promises: nobody gets a slot that somebody else has (`flock`); what an attempt
//! left is not in the next one's tree, but for what `crew.keep` names; a slot that
//! can't be shown clean is removed; a name is never used twice, so whoever still
//! writes to a removed slot writes into nothing. A slot that lost its process has
//! neither a `ready` file nor a lock: with a link it waits for recovery, without
//! one its work was kept and it is removed.
//!
//! Limits: build folders are handed on as they are; another machine's root may
//! not be shared by two machines. Where the file system tells no lock, two
//! processes that share it must not share the root.

use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::fcntl::{Flock, FlockArg};

use super::keep::Keep;
use super::ready::Ready;
use super::{Kind, Slot, SlotError, Slots, layout, park, private, remove};
use crate::domain::id::Oid;

/// The folder of what we know about the slots of the pool.
pub(super) const POOL: &str = ".pool";

/// What the names of slots of the pool begin with.
pub(super) const NAME: &str = "warm-";

/// What the pool may hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pooling {
    /// The most slots; 0 means none.
    pub max: usize,
    /// Build folders that stay.
    pub keep: Keep,
    /// This boot: what was written before it is not trusted to be on the disk.
    pub boot: String,
}

/// One slot's place in the pool, locked by this process.
#[derive(Debug)]
pub(crate) struct Berth {
    pub(super) name: String,
    folder: PathBuf,
    _lock: Flock<File>,
}

/// What became of a slot that was given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returned {
    /// It waits in the pool.
    Pooled,
    /// It was removed.
    Removed,
    /// Somebody else had taken it over; it was left alone.
    Lost,
}

impl Berth {
    pub(super) fn ready(&self) -> PathBuf {
        self.folder.join("ready")
    }

    /// Forgets the slot; its folder must be gone by now.
    fn forget(&self) -> Result<(), SlotError> {
        for name in ["ready", "lock"] {
            gone(fs::remove_file(self.folder.join(name)))
                .map_err(SlotError::io("remove", &self.folder))?;
        }
        gone(fs::remove_dir(&self.folder)).map_err(SlotError::io("remove", &self.folder))
    }
}

/// What is not there need not be removed.
fn gone(done: std::io::Result<()>) -> std::io::Result<()> {
    match done {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

fn lock(file: File) -> Option<Flock<File>> {
    Flock::lock(file, FlockArg::LockExclusiveNonblock).ok()
}

/// The slot that a key leads to, if it leads to one of the pool.
pub(super) fn target(root: &Path, key: &str) -> Option<String> {
    let link = fs::read_link(root.join(key)).ok()?;
    let name = link.to_str().filter(|name| name.starts_with(NAME) && !name.contains('/'))?;
    Some(name.to_owned())
}

/// Whether a folder below a root of slots is known to its pool.
#[must_use]
pub fn is_pooled(root: &Path, name: &str) -> bool {
    name.starts_with(NAME) && root.join(POOL).join(name).is_dir()
}

impl Slots {
    /// The same slots with a pool. Registered worktrees have none.
    #[must_use]
    pub fn pooled(mut self, pooling: Pooling) -> Self {
        let used = pooling.max > 0 && self.kind == Kind::Private;
        self.pool = used.then(|| Arc::new(pooling));
        self
    }

    /// A slot with the files of `base` for the attempt `key`: one that waits in the
    /// pool, else a new one of the pool, else, when that is full, one for this
    /// attempt alone.
    ///
    /// # Errors
    /// As [`Slots::make`].
    pub fn take(&self, base: &Oid, key: &str) -> Result<Slot, SlotError> {
        let Some(pooling) = &self.pool else { return self.make(base, key) };
        let link = layout::slot(self, base, key)?.dir;
        if link.symlink_metadata().is_ok() {
            return Err(SlotError::Occupied(link));
        }
        for name in self.waiting(base)? {
            let Some(berth) = self.lock_berth(&name) else { continue };
            let Some(ready) = Ready::take(&berth.ready()) else { continue };
            let slot = layout::slot_at(self, base, key, &name)?;
            match park::refresh(self, slot.clone(), &ready) {
                Ok(mut slot) => {
                    let berth = Arc::new(berth);
                    slot.berth = Some(berth);
                    return self.link(slot);
                }
                Err(error) => {
                    tracing::debug!(%error, name, "a slot of the pool can't be used again");
                    self.discard(&slot.dir, &berth)?;
                }
            }
        }
        let Some(berth) = self.new_berth(pooling)? else { return self.make(base, key) };
        let slot = layout::slot_at(self, base, key, &berth.name)?;
        let filled = layout::claim(slot.clone()).and_then(|slot| private::fill(&self.home, slot));
        match filled {
            Ok(mut slot) => {
                slot.berth = Some(Arc::new(berth));
                self.link(slot)
            }
            Err(error) => {
                // The first fault is the one to report; a rest is found later.
                let _ = self.discard(&slot.dir, &berth);
                Err(error)
            }
        }
    }

    /// The last step: from here on the slot is the attempt's.
    fn link(&self, slot: Slot) -> Result<Slot, SlotError> {
        let link = self.root.join(&slot.key);
        let name = slot.dir.file_name().unwrap_or_default();
        let failed = |error: std::io::Error| match error.kind() {
            ErrorKind::AlreadyExists => SlotError::Occupied(link.clone()),
            _ => SlotError::io("make", &link)(error),
        };
        let linked = symlink(name, &link).map_err(failed);
        if let (Err(_), Some(berth)) = (&linked, &slot.berth) {
            let _ = self.discard(&slot.dir, berth);
        }
        linked.map(|()| slot)
    }

    /// Gives back a slot whose work is in a commit that a ref pins, and in which
    /// nothing runs any more. What goes wrong on the way costs the slot, not the
    /// caller.
    ///
    /// # Errors
    /// As [`Slots::remove`], for a slot that could not be cleaned.
    pub fn give_back(&self, slot: Slot) -> Result<Returned, SlotError> {
        let (Some(pooling), Some(berth)) = (&self.pool, &slot.berth) else {
            return self.remove(&slot).map(|()| Returned::Removed);
        };
        // Whoever recovered the attempt in our place has the slot, too.
        if target(&self.root, &slot.key).as_ref() != Some(&berth.name) {
            return Ok(Returned::Lost);
        }
        let link = self.root.join(&slot.key);
        fs::remove_file(&link).map_err(SlotError::io("remove", &link))?;
        match park::park(self, &slot, berth, pooling) {
            Ok(()) => Ok(Returned::Pooled),
            Err(error) => {
                tracing::debug!(%error, name = berth.name, "a slot does not go back to the pool");
                self.discard(&slot.dir, berth).map(|()| Returned::Removed)
            }
        }
    }

    /// Removes what leads to a removed slot, if it was one of the pool.
    pub(super) fn unlink(&self, slot: &Slot) -> Result<(), SlotError> {
        let link = self.root.join(&slot.key);
        if target(&self.root, &slot.key).is_some() {
            gone(fs::remove_file(&link)).map_err(SlotError::io("remove", &link))?;
        }
        slot.berth.as_ref().map_or(Ok(()), |berth| berth.forget())
    }

    /// Removes what leads to the slot of this key when there is no slot: somebody
    /// took it away. A key that leads nowhere is no error.
    ///
    /// # Errors
    /// The link can't be removed.
    pub fn forget(&self, key: &str) -> Result<(), SlotError> {
        let link = self.root.join(key);
        let Some(name) = target(&self.root, key) else { return Ok(()) };
        if self.root.join(name).exists() {
            return Ok(());
        }
        gone(fs::remove_file(&link)).map_err(SlotError::io("remove", &link))
    }

    /// Removes a slot of the pool and what is known of it.
    pub(super) fn discard(&self, folder: &Path, berth: &Berth) -> Result<(), SlotError> {
        gone(fs::remove_file(berth.ready())).map_err(SlotError::io("remove", &berth.ready()))?;
        remove::tree(folder, &self.root)?;
        berth.forget()
    }

    fn pool_folder(&self) -> PathBuf {
        self.root.join(POOL)
    }

    /// The names in the pool.
    pub(super) fn berths(&self) -> Vec<String> {
        let list = fs::read_dir(self.pool_folder()).into_iter().flatten().flatten();
        let names = list.filter_map(|entry| entry.file_name().into_string().ok());
        let mut names: Vec<String> = names.filter(|name| name.starts_with(NAME)).collect();
        names.sort();
        names
    }

    /// Those that wait, the ones with this base first.
    fn waiting(&self, base: &Oid) -> Result<Vec<String>, SlotError> {
        let mut names = Vec::new();
        for name in self.berths() {
            let path = self.pool_folder().join(&name).join("ready");
            match Ready::base(&path) {
                Some(there) => names.push((there != base.as_str(), name)),
                None => self.clear(&name)?,
            }
        }
        names.sort();
        Ok(names.into_iter().map(|(_, name)| name).collect())
    }

    /// Removes what a process left in the pool that died while it made or cleaned
    /// a slot: nobody's, and without work in it.
    fn clear(&self, name: &str) -> Result<(), SlotError> {
        let Some(berth) = self.lock_berth(name) else { return Ok(()) };
        if Ready::base(&berth.ready()).is_some() || self.is_linked(name) {
            return Ok(());
        }
        remove::tree(&self.root.join(name), &self.root)?;
        berth.forget()
    }

    /// Whether an attempt has this slot, alive or waiting for recovery.
    pub(super) fn is_linked(&self, name: &str) -> bool {
        let list = fs::read_dir(&self.root).into_iter().flatten().flatten();
        let leads = |path: PathBuf| fs::read_link(path).is_ok_and(|to| to == Path::new(name));
        list.map(|entry| entry.path()).any(leads)
    }

    /// Locks a place of the pool; `None` when somebody has it or it is gone.
    pub(super) fn lock_berth(&self, name: &str) -> Option<Berth> {
        let folder = self.pool_folder().join(name);
        let file = File::open(folder.join("lock")).ok()?;
        let lock = lock(file)?;
        // Whoever had it may have removed it.
        folder.join("lock").exists().then(|| Berth { name: name.to_owned(), folder, _lock: lock })
    }

    /// A new place, unless the pool is full.
    fn new_berth(&self, pooling: &Pooling) -> Result<Option<Berth>, SlotError> {
        let pool = self.pool_folder();
        fs::create_dir_all(&pool).map_err(SlotError::io("make", &pool))?;
        let turn = create(&pool.join("lock"))?;
        let _turn = Flock::lock(turn, FlockArg::LockExclusive)
            .map_err(|(_, errno)| SlotError::io("lock", &pool)(errno.into()))?;
        if self.berths().len() >= pooling.max {
            return Ok(None);
        }
        let made = tempfile::Builder::new().prefix(".new-").tempdir_in(&pool);
        let made = made.map_err(SlotError::io("make a folder in", &pool))?;
        let file = create(&made.path().join("lock"))?;
        let Some(lock) = lock(file) else { return Ok(None) };
        let random = made.path().file_name().unwrap_or_default().as_bytes();
        let name: String = random.iter().skip(5).map(|byte| format!("{byte:02x}")).collect();
        let name = format!("{NAME}{name}");
        let folder = pool.join(&name);
        fs::rename(made.keep(), &folder).map_err(SlotError::io("make", &folder))?;
        Ok(Some(Berth { name, folder, _lock: lock }))
    }
}

fn create(path: &Path) -> Result<File, SlotError> {
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(false).open(path);
    file.map_err(SlotError::io("write", path))
}
