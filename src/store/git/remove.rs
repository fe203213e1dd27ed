//! Removing a ref by git's own lock protocol: its lock, then that of
//! `packed-refs`, then the value read again under both; the packed line goes
//! before the loose file, so that no older value shows in between. Both locks are
//! held to the end, or a `git pack-refs` would pack the loose file once more.
//!
//! gix's transaction is not used: it takes its snapshot of `packed-refs` before
//! the lock, and a `git pack-refs` in between is then undone when the snapshot is
//! written back. Every ref that was packed meanwhile, the user's branches too,
//! would go back to an older value or be gone.
//!
//! Limit of git's protocol: a name that is removed and made again at the same
//! value while a `pack-refs` runs can vanish, since it removes a loose file by
//! its value alone. No name of ours comes back: attempts are numbered.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};

use super::{Inner, oid};
use crate::store::chain::Swap;
use crate::store::error::StoreError;
use crate::store::failpoint;
use crate::store::names::RefName;

/// How a lock file of ours begins.
const OURS: &str = "git-crew";

/// git's lock on `packed-refs`, freed with the value.
struct PackedLock {
    path: PathBuf,
    _held: Flock<File>,
}

impl Drop for PackedLock {
    fn drop(&mut self) {
        // One that stays is found and moved away like that of a killed process.
        let _ = fs::remove_file(&self.path);
    }
}

impl Inner {
    /// Removes a ref that is at `expected`.
    pub(in crate::store) fn remove_ref(
        &self,
        name: &RefName,
        expected: gix::ObjectId,
    ) -> Result<Swap, StoreError> {
        self.until_done(&self.ref_path(name.as_str()), || {
            let Some(_inside) = self.inside()? else { return Ok(None) };
            self.remove_once(name, expected)
        })
    }

    /// One try; `None` when one of the locks is held.
    pub(in crate::store) fn remove_once(
        &self,
        name: &RefName,
        expected: gix::ObjectId,
    ) -> Result<Option<Swap>, StoreError> {
        let path = self.ref_path(name.as_str());
        let Some(lock) = self.ref_lock(name, &path)? else { return Ok(None) };
        let Some(packed) = self.packed_lock()? else { return Ok(None) };
        let failed = |error| StoreError::io("remove the ref", &path, error);
        failpoint::hit("remove.locked").map_err(failed)?;
        let current = self.read_ref(name.as_str())?;
        if current != Some(expected) {
            return Ok(Some(Swap::Lost(current.map(oid))));
        }
        self.remove_packed(name)?;
        failpoint::hit("remove.packed").map_err(failed)?;
        remove_file(&path).map_err(failed)?;
        // A user who keeps logs of all refs has one of this one as well.
        remove_file(&self.common_dir.join("logs").join(name.as_str())).map_err(failed)?;
        failpoint::hit("remove.loose").map_err(failed)?;
        drop((packed, lock));
        self.tidy_above(&path).map_err(failed)?;
        Ok(Some(Swap::Won(oid(expected))))
    }

    /// git's lock on `packed-refs`; `None` while somebody holds it. It is needed
    /// also for a ref that is not in there: a `git pack-refs` at work may have
    /// read it already.
    ///
    /// Ours has a line in it, which git's never has, and an `flock` on it, which
    /// the kernel frees: so one that a killed process left can be told, and goes.
    fn packed_lock(&self) -> Result<Option<PackedLock>, StoreError> {
        let path = self.packed_lock_path();
        let failed = |error| StoreError::io("lock the packed refs", &path, error);
        let mut file = tempfile::NamedTempFile::new_in(self.crew_dir()).map_err(failed)?;
        writeln!(file, "{OURS} {}", std::process::id()).map_err(failed)?;
        let handle = file.as_file().try_clone().map_err(failed)?;
        let held = Flock::lock(handle, FlockArg::LockExclusiveNonblock);
        let held = held.map_err(|(_, errno)| failed(errno.into()))?;
        match fs::hard_link(file.path(), &path) {
            Ok(()) => Ok(Some(PackedLock { path, _held: held })),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.break_packed_lock()?;
                Ok(None)
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// Moves away a lock on `packed-refs` that a dead process of ours left.
    pub(in crate::store) fn break_packed_lock(&self) -> Result<(), StoreError> {
        let path = self.packed_lock_path();
        let Ok(mut file) = File::open(&path) else { return Ok(()) };
        let mut start = [0; OURS.len()];
        if file.read_exact(&mut start).is_err() || start != *OURS.as_bytes() {
            return Ok(());
        }
        // Whoever has this lock may move the file: it lives, or it is us.
        let Ok(held) = Flock::lock(file, FlockArg::LockExclusiveNonblock) else { return Ok(()) };
        let same = |a: &fs::Metadata, b: &fs::Metadata| (a.dev(), a.ino()) == (b.dev(), b.ino());
        match (held.metadata(), fs::symlink_metadata(&path)) {
            (Ok(a), Ok(b)) if same(&a, &b) => self.quarantine(&path),
            _ => Ok(()),
        }
    }

    fn packed_lock_path(&self) -> PathBuf {
        let mut path = self.packed_refs_path().into_os_string();
        path.push(".lock");
        path.into()
    }

    /// The file itself where the name is a symbolic link, as git takes it.
    fn packed_refs_path(&self) -> PathBuf {
        let path = self.ref_path("packed-refs");
        fs::canonicalize(&path).unwrap_or(path)
    }

    /// Takes a ref out of `packed-refs`, whose lock is held.
    fn remove_packed(&self, name: &RefName) -> Result<(), StoreError> {
        let path = self.packed_refs_path();
        let failed = |error| StoreError::io("write the packed refs", &path, error);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(failed(error)),
        };
        let Some(rest) = without(&text, name.as_str()) else { return Ok(()) };
        // In our own folder: a leftover `packed-refs.new` would stop git.
        let mut file = tempfile::NamedTempFile::new_in(self.crew_dir()).map_err(failed)?;
        file.write_all(&rest).map_err(failed)?;
        let mode = fs::metadata(&path).map_err(failed)?.permissions();
        file.as_file().set_permissions(mode).map_err(failed)?;
        if self.is_durable() {
            file.as_file().sync_all().map_err(failed)?;
        }
        file.persist(&path).map_err(|error| failed(error.error))?;
        let folder = path.parent().unwrap_or(&self.common_dir);
        self.sync_folders(folder, folder).map_err(failed)
    }

    /// Removes the folders that are empty now, up to `refs/crew`, and syncs the
    /// one that stays.
    fn tidy_above(&self, path: &Path) -> io::Result<()> {
        let top = self.ref_path("refs/crew");
        let mut folder = path.parent().unwrap_or(path);
        while folder.starts_with(&top) && folder != top && fs::remove_dir(folder).is_ok() {
            folder = folder.parent().unwrap_or(folder);
        }
        match self.sync_folders(folder, &self.common_dir) {
            // Somebody else tidies too.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            synced => synced,
        }
    }
}

/// A `packed-refs` file without one ref and what it peels to; `None` when the
/// ref is not in it.
fn without(text: &[u8], name: &str) -> Option<Vec<u8>> {
    let is_ours = |line: &[u8]| {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let value = line.iter().position(|byte| *byte == b' ');
        value.is_some_and(|at| !line.starts_with(b"#") && &line[at + 1..] == name.as_bytes())
    };
    let (mut rest, mut found, mut dropping) = (Vec::with_capacity(text.len()), false, false);
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        dropping = is_ours(line) || (dropping && line.starts_with(b"^"));
        found |= dropping;
        if !dropping {
            rest.extend_from_slice(line);
        }
    }
    found.then_some(rest)
}

fn remove_file(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(()),
        removed => removed,
    }
}

#[cfg(test)]
mod tests {
    use super::without;

    const HEAD: &str = "# pack-refs with: peeled fully-peeled sorted \n";

    fn text(lines: &[&str]) -> Vec<u8> {
        let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
        format!("{HEAD}{lines}").into_bytes()
    }

    #[test]
    fn only_the_named_line_goes_and_what_it_peels_to() {
        let all = text(&["1 refs/crew/a", "^2", "3 refs/crew/a/b", "4 refs/heads/refs/crew/a"]);
        let rest = text(&["3 refs/crew/a/b", "4 refs/heads/refs/crew/a"]);
        assert_eq!(without(&all, "refs/crew/a"), Some(rest));
        assert_eq!(without(&all, "refs/crew"), None);
        let cut = &all[..all.len() - 1];
        let rest = text(&["1 refs/crew/a", "^2", "3 refs/crew/a/b"]);
        assert_eq!(without(cut, "refs/heads/refs/crew/a"), Some(rest));
    }

    #[test]
    fn the_others_keep_what_they_peel_to() {
        let all = text(&["1 refs/crew/a", "2 refs/tags/t", "^3"]);
        assert_eq!(without(&all, "refs/crew/a"), Some(text(&["2 refs/tags/t", "^3"])));
    }
}
