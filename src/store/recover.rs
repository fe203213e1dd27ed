//! What a process does about its dead predecessors before its first append.
//!
//! Three things only. A `<ref>.lock` that nobody works on any more is moved to
//! `crew/quarantine/`: its event was never acknowledged. So is a lock of ours on
//! `packed-refs`, known by what is in it; one of git's is git's business. After a reboot, loose
//! objects that do not hash to their name are moved there too, since fsck and gc
//! stop at them, and objects that a segment of recent objects still has are put
//! back. A ref is never moved: a value that stays unreadable is damage, which a
//! person has to see.
//!
//! A lock counts as left over only under `write.lock` held exclusively (no
//! git-crew is inside a swap then) and after it stood unchanged, same file and
//! same time, for [`Options::stale_after`] (no git is either). That time is
//! waited for outside the exclusive section.
//!
//! Limit: the search for broken objects looks at files that changed since the
//! recovery after the boot before.
//!
//! [`Options::stale_after`]: super::git::Options::stale_after

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use nix::fcntl::{Flock, FlockArg};

use super::error::StoreError;
use super::failpoint;
use super::git::Inner;
use super::git::objects::make_folder;
use super::git::swap::Backoff;

/// How long the exclusive section is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// A file's identity: device, inode, and when it was written.
type Identity = (u64, u64, i64, i64);

fn identity(path: &Path) -> Option<Identity> {
    let meta = fs::symlink_metadata(path).ok()?;
    Some((meta.dev(), meta.ino(), meta.mtime(), meta.mtime_nsec()))
}

/// Watches one lock file, to tell a lock at work from one left behind.
#[derive(Debug, Default)]
pub(super) struct Watch {
    seen: Option<(Identity, Instant)>,
}

impl Watch {
    /// Looks at the lock: its identity once it stood unchanged for `time`.
    pub(super) fn look(&mut self, lock: &Path, time: Duration) -> Option<Identity> {
        let now = identity(lock);
        match (now, self.seen) {
            (Some(now), Some((before, since))) if now == before => {
                (since.elapsed() >= time).then_some(now)
            }
            (now, _) => {
                self.seen = now.map(|now| (now, Instant::now()));
                None
            }
        }
    }
}

impl Inner {
    /// `write.lock` exclusively, `None` when somebody is inside for too long.
    pub(super) fn alone(&self) -> Result<Option<Flock<File>>, StoreError> {
        let deadline = Instant::now() + PATIENCE;
        let mut wait = Backoff::new();
        loop {
            if let Some(lock) = self.try_write_lock(FlockArg::LockExclusiveNonblock)? {
                return Ok(Some(lock));
            }
            if Instant::now() >= deadline {
                return Ok(None);
            }
            wait.pause();
        }
    }

    /// Moves a lock away that stood unchanged, if it still does.
    pub(super) fn break_lock(&self, lock: &Path, seen: Identity) -> Result<(), StoreError> {
        let Some(_alone) = self.alone()? else { return Ok(()) };
        if identity(lock) != Some(seen) {
            return Ok(());
        }
        let failed = |error| StoreError::io("move the leftover lock", lock, error);
        failpoint::hit("recover.alone").map_err(failed)?;
        self.quarantine(lock)?;
        failpoint::hit("recover.moved").map_err(failed)
    }

    /// Moves a file of no further use out of git's sight.
    pub(super) fn quarantine(&self, path: &Path) -> Result<(), StoreError> {
        let folder = self.crew_dir().join("quarantine");
        let failed = |error| StoreError::io("move to quarantine", path, error);
        make_folder(&folder).map_err(failed)?;
        let inside = path.strip_prefix(&self.common_dir).unwrap_or(path);
        let flat = inside.to_string_lossy().replace(['/', '\\'], "-");
        let mut target = folder.join(&flat);
        let mut n = 1;
        while target.symlink_metadata().is_ok() {
            n += 1;
            target = folder.join(format!("{flat}.{n}"));
        }
        match fs::rename(path, &target) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Runs once before the first append of a process.
    pub(super) fn recover(&self) -> Result<(), StoreError> {
        self.break_packed_lock()?;
        let Some(boot) = boot_id() else { return Ok(()) };
        let marker = self.crew_dir().join("boot");
        let failed = |error| StoreError::io("write", &marker, error);
        let is_settled = || fs::read_to_string(&marker).is_ok_and(|known| known.trim() == boot);
        if is_settled() {
            return Ok(());
        }
        let Some(since) = fs::metadata(&marker).and_then(|meta| meta.modified()).ok() else {
            return write_marker(&marker, &boot).map_err(failed);
        };
        let Some(_alone) = self.alone()? else {
            return Err(StoreError::LockHeld { path: self.write_lock_path() });
        };
        if is_settled() {
            return Ok(());
        }
        self.quarantine_objects(since)?;
        self.refill()?;
        failpoint::hit("recover.refilled").map_err(failed)?;
        write_marker(&marker, &boot).map_err(failed)
    }

    /// Moves loose objects away that are not what their name says.
    fn quarantine_objects(&self, since: SystemTime) -> Result<(), StoreError> {
        for path in self.loose_since(since)? {
            if !self.is_whole(&path) {
                self.quarantine(&path)?;
            }
        }
        Ok(())
    }

    fn loose_since(&self, since: SystemTime) -> Result<Vec<PathBuf>, StoreError> {
        let failed = |error| StoreError::io("list the objects", &self.objects_dir, error);
        let is_hex = |path: &Path, length: usize| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            name.len() == length && name.bytes().all(|byte| byte.is_ascii_hexdigit())
        };
        let mut found = Vec::new();
        for folder in fs::read_dir(&self.objects_dir).map_err(failed)? {
            let folder = folder.map_err(failed)?.path();
            // Folders come and go under git's hands.
            let Ok(files) = fs::read_dir(&folder) else { continue };
            let files = files.flatten().map(|file| file.path());
            let names = files.filter(|file| is_hex(file, self.hash.len_in_hex() - 2));
            found.extend(names.filter(|_| is_hex(&folder, 2)).filter(|file| {
                let changed = fs::metadata(file).and_then(|meta| meta.modified());
                changed.is_ok_and(|changed| changed >= since)
            }));
        }
        Ok(found)
    }

    fn is_whole(&self, path: &Path) -> bool {
        let part = |path: Option<&Path>| path.and_then(Path::file_name).map(|name| name.to_owned());
        let (Some(folder), Some(file)) = (part(path.parent()), part(Some(path))) else {
            return true;
        };
        let hex = format!("{}{}", folder.display(), file.display());
        let Ok(id) = gix::ObjectId::from_hex(hex.as_bytes()) else { return true };
        let loose = gix::odb::loose::Store::at(&self.objects_dir, self.hash);
        let mut buffer = Vec::new();
        match loose.try_find(&id, &mut buffer) {
            Ok(Some(object)) => gix::objs::compute_hash(self.hash, object.kind, object.data)
                .is_ok_and(|found| found == id),
            Ok(None) => true,
            Err(_) => false,
        }
    }

    /// Puts back what the segments of all holders have and the database lacks.
    pub(super) fn refill(&self) -> Result<usize, StoreError> {
        let mut restored = 0;
        for segment in self.segments()? {
            let missing = self.missing(&self.segment_ids(&segment))?;
            if !missing.is_empty() {
                restored += self.restore(&missing)?;
            }
        }
        Ok(restored)
    }
}

fn boot_id() -> Option<String> {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(text.trim().to_owned())
}

/// Each writer has a temporary name of its own: several may start at once.
fn write_marker(marker: &Path, boot: &str) -> io::Result<()> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    if let Some(folder) = marker.parent() {
        make_folder(folder)?;
    }
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    let temporary = marker.with_extension(format!("tmp{}-{n}", std::process::id()));
    let mut file = OpenOptions::new().write(true).create_new(true).open(&temporary)?;
    let written = writeln!(file, "{boot}").and_then(|()| file.sync_all());
    let written = written.and_then(|()| fs::rename(&temporary, marker));
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}
