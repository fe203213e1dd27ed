//! Removing a folder that a hostile program filled.
//!
//! The folder is first renamed into a trash folder, so that a slot is there or
//! gone and never half there. Then every folder found inside is itself moved to
//! the top of the trash before it is looked into: paths stay short and no depth
//! costs a descriptor or stack. A mount point can't be renamed, so nothing is
//! ever deleted on another file system. Links are removed, not followed.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{IFlags, ioctl_getflags, ioctl_setflags};

use super::SlotError;

/// What the names of trash folders begin with.
pub(super) const TRASH: &str = ".trash-";

/// A trash folder that takes what is to go, one thing after the other.
#[derive(Debug)]
pub(super) struct Bin {
    folder: PathBuf,
    next: u64,
}

impl Bin {
    /// Makes one below `root`, which must be on the file system of what it takes.
    pub(super) fn new(root: &Path) -> Result<Self, SlotError> {
        let made = tempfile::Builder::new().prefix(TRASH).tempdir_in(root);
        let folder = made.map_err(SlotError::io("make a folder in", root))?.keep();
        Ok(Self { folder, next: 0 })
    }

    /// Moves something in, of whatever kind; where it lies now.
    pub(super) fn take(&mut self, path: &Path) -> Result<PathBuf, SlotError> {
        let moved = self.folder.join(self.next.to_string());
        self.next += 1;
        rename(path, &moved).map_err(SlotError::io("remove", path))?;
        Ok(moved)
    }

    /// Removes everything in it.
    pub(super) fn empty(&mut self) -> Result<(), SlotError> {
        empty(&self.folder)
    }
}

impl Drop for Bin {
    /// What was interrupted by a fault is tried once; the rest is swept later.
    fn drop(&mut self) {
        let _ = empty(&self.folder);
    }
}

/// Removes `dir` by way of a trash folder below `root`, which must be on the
/// same file system.
pub(super) fn tree(dir: &Path, root: &Path) -> Result<(), SlotError> {
    if dir.symlink_metadata().is_err_and(|e| e.kind() == ErrorKind::NotFound) {
        return Ok(());
    }
    refuse_mounts(dir)?;
    let mut bin = Bin::new(root)?;
    bin.take(dir)?;
    bin.empty()
}

/// Removes what interrupted removals left.
pub(super) fn sweep(root: &Path) -> Result<usize, SlotError> {
    let list = fs::read_dir(root).map_err(SlotError::io("read", root))?;
    let mut swept = 0;
    for entry in list.flatten() {
        if entry.file_name().as_bytes().starts_with(TRASH.as_bytes()) {
            let path = entry.path();
            refuse_mounts(&path)?;
            empty(&path)?;
            swept += 1;
        }
    }
    Ok(swept)
}

/// Removes a trash folder and everything in it.
fn empty(trash: &Path) -> Result<(), SlotError> {
    if trash.symlink_metadata().is_err_and(|e| e.kind() == ErrorKind::NotFound) {
        return Ok(());
    }
    let mut next: u64 = 1;
    loop {
        let mut folders = 0;
        for path in children(trash).map_err(SlotError::io("read", trash))? {
            folders += 1;
            hoist(&path, trash, &mut next).map_err(SlotError::io("remove", &path))?;
        }
        if folders == 0 {
            break;
        }
    }
    fs::remove_dir(trash).map_err(SlotError::io("remove", trash))
}

/// Empties one folder at the top of the trash, moving its folders up beside it,
/// and removes it.
fn hoist(path: &Path, trash: &Path, next: &mut u64) -> std::io::Result<()> {
    if !path.symlink_metadata()?.is_dir() {
        return unlink(path);
    }
    for child in opened(path, children)? {
        if !child.symlink_metadata()?.is_dir() {
            opened(path, |_| unlink(&child))?;
            continue;
        }
        if fs::remove_dir(&child).is_ok() {
            continue;
        }
        let beside = loop {
            let beside = trash.join(next.to_string());
            *next += 1;
            if beside.symlink_metadata().is_err() {
                break beside;
            }
        };
        opened(path, |_| rename(&child, &beside))?;
    }
    fs::remove_dir(path)
}

/// Removes anything but a folder.
pub(super) fn unlink(path: &Path) -> std::io::Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() == ErrorKind::PermissionDenied => {
            unlock(path);
            fs::remove_file(path)
        }
        done => done,
    }
}

fn children(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect()
}

/// Does something in a folder; where that is denied, opens the folder and does
/// it again.
fn opened<T>(folder: &Path, act: impl Fn(&Path) -> std::io::Result<T>) -> std::io::Result<T> {
    match act(folder) {
        Err(e) if e.kind() == ErrorKind::PermissionDenied => {
            unlock(folder);
            fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
            act(folder)
        }
        done => done,
    }
}

/// Takes from a file or folder the marks that forbid every change of it, where
/// this process may: they are root's to set.
fn unlock(path: &Path) {
    let plain = path.symlink_metadata().is_ok_and(|meta| meta.is_dir() || meta.is_file());
    let file = plain.then(|| super::traits::opened(path)).and_then(Result::ok);
    if let Some(file) = file
        && let Ok(flags) = ioctl_getflags(&file)
        && flags.intersects(IFlags::IMMUTABLE | IFlags::APPEND)
    {
        // When this is refused, so is what comes next, and that is reported.
        let _ = ioctl_setflags(&file, flags - IFlags::IMMUTABLE - IFlags::APPEND);
    }
}

/// Moves a folder. Moving writes its `..`, which a closed folder denies.
fn rename(from: &Path, to: &Path) -> std::io::Result<()> {
    match fs::rename(from, to) {
        Err(e) if e.kind() == ErrorKind::PermissionDenied => {
            unlock(from);
            if from.symlink_metadata()?.is_dir() {
                fs::set_permissions(from, fs::Permissions::from_mode(0o700))?;
            }
            fs::rename(from, to)
        }
        done => done,
    }
}

/// Refuses a folder below which something is mounted, before anything moves.
/// Where the system has no list of mounts, the renames find out.
pub(super) fn refuse_mounts(dir: &Path) -> Result<(), SlotError> {
    let Ok(list) = fs::read("/proc/self/mountinfo") else { return Ok(()) };
    let real = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    for line in list.split(|b| *b == b'\n') {
        let Some(point) = line.split(|b| *b == b' ').nth(4) else { continue };
        let point = PathBuf::from(std::ffi::OsString::from_vec(unescape(point)));
        if point.starts_with(&real) {
            return Err(SlotError::Mounted(point));
        }
    }
    Ok(())
}

/// Undoes `\040` and its like.
fn unescape(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        let digits = (*byte == b'\\').then(|| after.get(..3)).flatten();
        let value = digits
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        out.push(value.unwrap_or(*byte));
        rest = if value.is_some() { after.get(3..).unwrap_or_default() } else { after };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_points_are_read_back_as_they_are() {
        assert_eq!(unescape(br"/a\040b\134c"), b"/a b\\c");
        assert_eq!(unescape(br"/a\04"), br"/a\04");
    }
}
