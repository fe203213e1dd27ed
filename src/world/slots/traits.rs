//! What a folder is besides its files: owner, mode, extended attributes, flags.
//! Git knows nothing of these, so a slot's are compared with those of a folder
//! that was just made beside it.

use std::ffi::CStr;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::libc::{O_CLOEXEC, O_NOFOLLOW, O_NONBLOCK};
use rustix::fs::{ioctl_getflags, lgetxattr, llistxattr};
use rustix::io::Errno;

/// The most bytes of attributes' names, and of one value.
const MOST: usize = 64 << 10;

/// What is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Traits {
    owner: (u32, u32),
    mode: u32,
    flags: u32,
    attributes: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Traits {
    /// Reads them; links are not followed.
    pub(super) fn of(folder: &Path) -> io::Result<Self> {
        let meta = folder.symlink_metadata()?;
        Ok(Self {
            owner: (meta.uid(), meta.gid()),
            mode: meta.mode(),
            flags: flags(folder),
            attributes: attributes(folder)?,
        })
    }

    /// Permission bits, for a record of what folders were made with.
    pub(super) fn mode(&self) -> u32 {
        self.mode
    }
}

/// Opens a file or folder for a look at it: no link is followed, nothing waited for.
pub(super) fn opened(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC).open(path)
}

/// The flags by which ext4 and btrfs say how they store a folder; they change
/// by themselves.
const STORAGE: u32 = 0x1000_0000 | 0x0008_0000 | 0x0000_1000 | 0x0000_0700;

/// All flags but those; none where a file system has none.
fn flags(folder: &Path) -> u32 {
    let file = opened(folder).ok();
    let flags = file.and_then(|file| ioctl_getflags(&file).ok());
    flags.map_or(0, |flags| flags.bits() & !STORAGE)
}

/// All but those of the system's own security modules, which label every folder.
fn attributes(folder: &Path) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut names = Vec::with_capacity(256);
    loop {
        names.clear();
        match llistxattr(folder, rustix::buffer::spare_capacity(&mut names)) {
            Ok(_) => break,
            Err(Errno::NOTSUP | Errno::NOSYS) => return Ok(Vec::new()),
            Err(Errno::RANGE) if names.capacity() < MOST => names.reserve(MOST),
            Err(error) => return Err(error.into()),
        }
    }
    let mut found = Vec::new();
    for name in names.split_inclusive(|byte| *byte == 0) {
        let Ok(name) = CStr::from_bytes_with_nul(name) else { continue };
        if name.to_bytes().starts_with(b"security.") {
            continue;
        }
        let mut value = Vec::with_capacity(MOST);
        lgetxattr(folder, name, rustix::buffer::spare_capacity(&mut value))?;
        found.push((name.to_bytes().to_vec(), value));
    }
    found.sort();
    Ok(found)
}
