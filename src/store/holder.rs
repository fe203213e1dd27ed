//! The sign of life of a process that may hold a lease: a file below
//! `crew/holders/` that the process keeps locked until it ends.
//!
//! The kernel frees the lock at death and keeps it while the process is stopped;
//! it is per file, so it tells the truth across PID namespaces. The file is made
//! under a hidden name, locked, then renamed: nobody ever sees it unlocked while
//! its owner lives. Agents do not inherit it (`O_CLOEXEC`).
//!
//! Limit: where `flock` may not reach the other process (network file systems,
//! FUSE, 9p, virtiofs) the answer is [`Liveness::Unknowable`].

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use super::error::StoreError;
use super::git::GitStore;
use super::git::objects::make_folder;
use crate::domain::id::HolderId;

/// What is known about another process of this machine and this boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Liveness {
    /// It holds its lock: running or stopped.
    Alive,
    /// Nobody holds its lock.
    Dead,
    /// The file system does not tell.
    Unknowable,
}

/// The life of this process as a holder; it ends with the value.
#[derive(Debug)]
pub struct Holder {
    path: PathBuf,
    _lock: Flock<File>,
}

impl Holder {
    /// Begins the life of the store's holder. Keep the value as long as the
    /// process may write.
    ///
    /// # Errors
    /// `LockHeld` when a living process has that id, or when the file can't be
    /// written.
    pub fn take(store: &GitStore) -> Result<Self, StoreError> {
        let folder = folder(store);
        let path = folder.join(store.holder().as_str());
        if liveness_of(&path) == Liveness::Alive {
            return Err(StoreError::LockHeld { path });
        }
        let failed = |error| StoreError::io("write", &path, error);
        make_folder(&folder).map_err(failed)?;
        let hidden = folder.join(format!(".{}.{}", store.holder(), std::process::id()));
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .open(&hidden)
            .map_err(failed)?;
        writeln!(file, "pid {}", std::process::id()).map_err(failed)?;
        let lock = Flock::lock(file, FlockArg::LockExclusiveNonblock)
            .map_err(|(_, errno)| failed(errno.into()))?;
        fs::rename(&hidden, &path).map_err(failed)?;
        Ok(Self { path, _lock: lock })
    }
}

impl Drop for Holder {
    /// The file goes while it is still locked; one that stays behind is unlocked
    /// and says `Dead` just as well.
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Whether the process behind `holder` lives. Asked only about a holder of this
/// machine and this boot; a holder without a file has ended.
#[must_use]
pub fn liveness(store: &GitStore, holder: &HolderId) -> Liveness {
    let folder = folder(store);
    if !is_kernel_wide(store.common_dir()) {
        return Liveness::Unknowable;
    }
    liveness_of(&folder.join(holder.as_str()))
}

/// Every holder that has left a sign of life here, and what it says.
///
/// # Errors
/// When the folder can't be read; one that is not there is empty.
pub fn all(store: &GitStore) -> Result<Vec<(HolderId, Liveness)>, StoreError> {
    let folder = folder(store);
    let failed = |error| StoreError::io("list the folder", &folder, error);
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let name = entry.map_err(failed)?.file_name();
        let Some(id) = name.to_str().and_then(|name| name.parse::<HolderId>().ok()) else {
            continue;
        };
        let life = liveness(store, &id);
        found.push((id, life));
    }
    found.sort();
    Ok(found)
}

fn folder(store: &GitStore) -> PathBuf {
    store.common_dir().join("crew").join("holders")
}

fn liveness_of(path: &Path) -> Liveness {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Liveness::Dead,
        Err(_) => return Liveness::Unknowable,
    };
    match Flock::lock(file, FlockArg::LockSharedNonblock) {
        Ok(_) => Liveness::Dead,
        Err((_, Errno::EWOULDBLOCK)) => Liveness::Alive,
        Err(_) => Liveness::Unknowable,
    }
}

/// File systems on which a lock may be unknown to the process next door.
#[cfg(target_os = "linux")]
fn is_kernel_wide(path: &Path) -> bool {
    // NFS, 9p, FUSE and virtiofs, CIFS, SMB, SMB2, Coda, AFS, Ceph, GFS2, Lustre.
    const SHARED: [i64; 12] = [
        0x6969,
        0x0102_1997,
        0x6573_5546,
        0xFF53_4D42,
        0x517B,
        0xFE53_4D42,
        0x7375_7245,
        0x5346_414F,
        0x6B41_4653,
        0x00C3_6400,
        0x0116_1970,
        0x0BD0_0BD0,
    ];
    match nix::sys::statfs::statfs(path) {
        #[expect(clippy::useless_conversion, reason = "the width differs between targets")]
        Ok(stat) => !SHARED.contains(&(i64::from(stat.filesystem_type().0) & 0xFFFF_FFFF)),
        Err(_) => false,
    }
}

#[cfg(not(target_os = "linux"))]
fn is_kernel_wide(_path: &Path) -> bool {
    false
}
