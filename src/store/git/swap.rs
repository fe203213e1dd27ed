//! The compare-and-swap of one ref, by git's own lock protocol: take
//! `<ref>.lock`, read the ref again under it, write and sync the new value,
//! rename, sync the folders; only then it is won. The objects of an append are
//! synced under the lock, at the same time as its file.
//!
//! gix's own transaction is not used: where a `packed-refs` file exists it takes
//! that file's lock for every update, so all refs wait for each other, and it
//! syncs nothing. Around every swap `crew/write.lock` is held shared: whoever
//! holds it exclusively knows that no crew process is in here.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use gix::lock::acquire::Fail;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use super::objects::make_folder;
use super::{Inner, oid};
use crate::store::chain::Swap;
use crate::store::error::StoreError;
use crate::store::failpoint;
use crate::store::names::RefName;
use crate::store::recover::Watch;

/// Puts on disk what a swap needs there, and the lock's file with it.
pub(in crate::store) type Settle<'a> =
    dyn FnMut(Option<(PathBuf, File)>) -> Result<(), StoreError> + 'a;

impl Inner {
    /// The file that is locked shared around every swap.
    pub(in crate::store) fn write_lock_path(&self) -> PathBuf {
        self.crew_dir().join("write.lock")
    }

    /// Takes `crew/write.lock`; `None` when `how` does not wait and it is taken.
    pub(in crate::store) fn try_write_lock(
        &self,
        how: FlockArg,
    ) -> Result<Option<Flock<File>>, StoreError> {
        let path = self.write_lock_path();
        let open = || OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = open()
            .or_else(|error| match error.kind() {
                io::ErrorKind::NotFound => make_folder(&self.crew_dir()).and_then(|()| open()),
                _ => Err(error),
            })
            .map_err(|error| StoreError::io("open the lock", &path, error))?;
        match Flock::lock(file, how) {
            Ok(lock) => Ok(Some(lock)),
            Err((_, Errno::EWOULDBLOCK | Errno::EINTR)) => Ok(None),
            Err((_, errno)) => Err(StoreError::io("take the lock", &path, errno.into())),
        }
    }

    /// `crew/write.lock` as everybody holds it inside a swap. Not waited for in
    /// the kernel: a stopped process that is alone must not stop us for ever.
    pub(super) fn inside(&self) -> Result<Option<Flock<File>>, StoreError> {
        self.try_write_lock(FlockArg::LockSharedNonblock)
    }

    /// Tries something that needs the lock of a ref until it is done, the wait
    /// is over, or the lock turns out to be left over, is moved away and then
    /// free.
    pub(in crate::store) fn until_done<T>(
        &self,
        path: &Path,
        mut attempt: impl FnMut() -> Result<Option<T>, StoreError>,
    ) -> Result<T, StoreError> {
        let lock = lock_path(path);
        let deadline = Instant::now() + self.options.lock_wait;
        let (mut wait, mut watch) = (Backoff::new(), Watch::default());
        loop {
            if let Some(done) = attempt()? {
                return Ok(done);
            }
            if Instant::now() >= deadline {
                let held = [lock, self.ref_path("packed-refs.lock")];
                let mut held = held.into_iter().filter(|path| fs::symlink_metadata(path).is_ok());
                let path = held.next().unwrap_or_else(|| self.write_lock_path());
                return Err(StoreError::LockHeld { path });
            }
            if let Some(seen) = watch.look(&lock, self.options.stale_after) {
                self.break_lock(&lock, seen)?;
            }
            wait.pause();
        }
    }

    /// Moves a ref from `expected` to `new`, whose objects are on disk.
    pub(in crate::store) fn swap(
        &self,
        name: &RefName,
        expected: Option<gix::ObjectId>,
        new: gix::ObjectId,
    ) -> Result<Swap, StoreError> {
        let path = self.ref_path(name.as_str());
        let failed = |error| StoreError::io("write the ref", &path, error);
        self.swap_with(name, expected, new, &mut |lock| {
            lock.map_or(Ok(()), |(_, lock)| lock.sync_all().map_err(failed))
        })
    }

    /// As [`Inner::swap`], with objects that are put on disk when the ref is
    /// locked and still at `expected`: `sync` does that, and syncs the lock's
    /// file, which it gets where writes are durable, at the same time. A writer
    /// that loses the race has then synced nothing.
    pub(in crate::store) fn swap_with(
        &self,
        name: &RefName,
        expected: Option<gix::ObjectId>,
        new: gix::ObjectId,
        sync: &mut Settle<'_>,
    ) -> Result<Swap, StoreError> {
        let path = self.ref_path(name.as_str());
        self.until_done(&path, || {
            let Some(_inside) = self.inside()? else { return Ok(None) };
            let Some(lock) = self.ref_lock(name, &path)? else { return Ok(None) };
            if let Some(lost) = self.check_locked(name, &path, expected)? {
                return Ok(Some(lost));
            }
            self.commit_lock(name, &path, lock, (new, &mut *sync))
        })
    }

    /// What the ref's lock shows: whether the race is lost.
    fn check_locked(
        &self,
        name: &RefName,
        path: &Path,
        expected: Option<gix::ObjectId>,
    ) -> Result<Option<Swap>, StoreError> {
        failpoint::hit("swap.locked").map_err(|error| StoreError::io("lock", path, error))?;
        let current = self.read_ref(name.as_str())?;
        if current != expected && !failpoint::mutant("no-cas") {
            return Ok(Some(Swap::Lost(current.map(oid))));
        }
        if expected.is_none()
            && let Some(other) = self.clash(name)?
        {
            return Err(StoreError::NameClash { name: name.clone(), other });
        }
        Ok(None)
    }

    /// git's own lock on a ref; `None` when it has to be tried again.
    pub(super) fn ref_lock(
        &self,
        name: &RefName,
        path: &Path,
    ) -> Result<Option<gix::lock::File>, StoreError> {
        let taken = gix::lock::File::acquire_to_update_resource(path, Fail::Immediately, None, 0);
        let error = match taken {
            Ok(lock) => return Ok(Some(lock)),
            Err(error) => error,
        };
        let kind = error.downcast_any_ref::<io::Error>().map(io::Error::kind);
        match kind {
            Some(io::ErrorKind::AlreadyExists) => Ok(None),
            Some(io::ErrorKind::NotFound) => {
                let folder = path.parent().unwrap_or(path);
                match make_folder(folder) {
                    Err(error) if error.kind() == io::ErrorKind::NotADirectory => {}
                    Err(error) => return Err(StoreError::io("make the folder", folder, error)),
                    Ok(()) => {}
                }
                Ok(None)
            }
            Some(io::ErrorKind::NotADirectory) => match self.clash(name)? {
                Some(other) => Err(StoreError::NameClash { name: name.clone(), other }),
                None => Ok(None),
            },
            Some(_) | None => Err(StoreError::git("lock the ref", path, error)),
        }
    }

    fn commit_lock(
        &self,
        name: &RefName,
        path: &Path,
        mut lock: gix::lock::File,
        (new, sync): (gix::ObjectId, &mut Settle<'_>),
    ) -> Result<Option<Swap>, StoreError> {
        let failed = |error| StoreError::io("write the ref", path, error);
        lock.write_all(format!("{new}\n").as_bytes()).map_err(failed)?;
        let file = match self.is_durable() {
            true => Some(lock.with_mut(|file| file.try_clone()).map_err(failed)?),
            false => None,
        };
        sync(file.map(|file| (path.to_owned(), file)))?;
        failpoint::hit("swap.written").map_err(failed)?;
        remove_empty_folders(path);
        if let Err(error) = lock.commit() {
            return match error.error.kind() {
                io::ErrorKind::NotFound => Ok(None),
                _ => Err(failed(error.error)),
            };
        }
        failpoint::hit("swap.renamed")
            .and_then(|()| self.sync_ref(path))
            .and_then(|()| failpoint::hit("swap.synced"))
            .map_err(|error| StoreError::Unsettled { name: name.clone(), source: error.into() })?;
        Ok(Some(Swap::Won(oid(new))))
    }
}

/// Where a ref's value is, made durable.
impl Inner {
    /// Syncs a ref's folders, and `packed-refs` when a `git pack-refs` beside
    /// us has moved the value there: git does not sync that file.
    fn sync_ref(&self, path: &Path) -> io::Result<()> {
        let folder = path.parent().unwrap_or(path);
        match self.sync_folders(folder, &self.common_dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
            Ok(()) => {}
        }
        if !self.is_durable() || fs::symlink_metadata(path).is_ok() {
            return Ok(());
        }
        match File::open(self.ref_path("packed-refs")) {
            Ok(packed) => packed.sync_all()?,
            // The ref was removed on purpose meanwhile, or moved on.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        File::open(&self.common_dir)?.sync_all()
    }
}

/// The alias, which is no chain.
impl Inner {
    /// Makes the alias of the journal, once.
    pub(in crate::store) fn make_alias(&self) -> Result<(), StoreError> {
        let name = RefName::alias();
        let path = self.ref_path(name.as_str());
        let failed = |error| StoreError::io("write the ref", &path, error);
        self.until_done(&path, || {
            let Some(_inside) = self.inside()? else { return Ok(None) };
            if fs::symlink_metadata(&path).is_ok() {
                return Ok(Some(()));
            }
            let Some(mut lock) = self.ref_lock(&name, &path)? else { return Ok(None) };
            lock.write_all(format!("ref: {}\n", RefName::journal()).as_bytes()).map_err(failed)?;
            if self.is_durable() {
                lock.with_mut(|file| file.sync_all()).map_err(failed)?;
            }
            failpoint::hit("alias.written").map_err(failed)?;
            lock.commit().map_err(|error| failed(error.error))?;
            let folder = path.parent().unwrap_or(&path);
            self.sync_folders(folder, &self.common_dir).map_err(failed)?;
            Ok(Some(()))
        })
    }
}

/// Empty folders in a ref's place, which git leaves behind and removes too.
pub(in crate::store) fn remove_empty_folders(path: &Path) {
    let Ok(entries) = fs::read_dir(path) else { return };
    for entry in entries.flatten() {
        remove_empty_folders(&entry.path());
    }
    // A folder that is not empty stays, and the rename says so.
    let _ = fs::remove_dir(path);
}

fn lock_path(path: &Path) -> PathBuf {
    let mut lock = path.as_os_str().to_owned();
    lock.push(".lock");
    lock.into()
}

/// Waits that grow, with jitter, so that writers of one ref don't march in step.
pub(in crate::store) struct Backoff {
    step: u32,
}

impl Backoff {
    pub(in crate::store) fn new() -> Self {
        Self { step: 0 }
    }

    pub(in crate::store) fn pause(&mut self) {
        self.step = (self.step + 1).min(8);
        let mut random = [0u8; 2];
        // Without a random source the waits are equal, and still waits.
        let _ = getrandom::fill(&mut random);
        let most = 400 * u64::from(self.step * self.step);
        let micros = 200 + u64::from(u16::from_le_bytes(random)) * most / 65_536;
        std::thread::sleep(Duration::from_micros(micros));
    }
}
