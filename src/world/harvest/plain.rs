//! Reading a folder that a hostile program filled: no link is followed, no
//! pipe is waited for, nothing is read without a bound.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{Error, ErrorKind, Read, Result};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;

/// Opens a regular file for reading, and nothing else: the last part of the
/// path may not be a link, and a pipe does not block.
pub(super) fn open(path: &Path) -> Result<File> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let file = fs::OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(Error::new(ErrorKind::InvalidInput, "not a regular file"));
    }
    Ok(file)
}

/// Refuses anything but a folder, a link to one included.
fn folder(path: &Path) -> Result<()> {
    let is_dir = path.symlink_metadata()?.is_dir();
    is_dir.then_some(()).ok_or_else(|| Error::new(ErrorKind::NotADirectory, "not a folder"))
}

/// Reads the file `name` below `top`, at most `max` bytes; neither `top` nor
/// the folders between may be a link.
pub(super) fn read(top: &Path, name: &[u8], max: u64) -> Result<Vec<u8>> {
    folder(top)?;
    let mut path = top.to_owned();
    let mut parts = name.split(|b| *b == b'/').peekable();
    while let Some(part) = parts.next() {
        if part.is_empty() || part == b"." || part == b".." || part.contains(&0) {
            return Err(Error::new(ErrorKind::InvalidInput, "not a plain path"));
        }
        path.push(OsStr::from_bytes(part));
        if parts.peek().is_some() {
            folder(&path)?;
        }
    }
    let mut bytes = Vec::new();
    open(&path)?.take(max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max {
        return Err(ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}

/// The regular files below `top/name` with their paths from `top`, at most `max`
/// of them; an error when anything but folders and regular files is there.
pub(super) fn files(top: &Path, name: &[u8], max: usize) -> Result<Vec<Vec<u8>>> {
    folder(top)?;
    let mut found = Vec::new();
    let mut open = vec![name.to_vec()];
    while let Some(below) = open.pop() {
        let path: PathBuf = top.join(OsStr::from_bytes(&below));
        folder(&path)?;
        for entry in fs::read_dir(&path)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            let child = [&below, &b"/"[..], entry.file_name().as_bytes()].concat();
            match (kind.is_dir(), kind.is_file()) {
                (true, _) => open.push(child),
                (_, true) => found.push(child),
                (false, false) => {
                    return Err(Error::new(ErrorKind::InvalidInput, "a link or a special file"));
                }
            }
            if found.len() + open.len() > max {
                return Err(Error::new(ErrorKind::InvalidInput, "too many files"));
            }
        }
    }
    Ok(found)
}

/// A path as text: bytes that are not UTF-8 become `\xNN`.
pub(super) fn shown(path: &[u8]) -> String {
    let mut out = String::new();
    for chunk in path.utf8_chunks() {
        out.push_str(chunk.valid());
        for byte in chunk.invalid() {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_and_pipes_are_refused_and_a_bound_is_a_bound() {
        let top = tempfile::tempdir().unwrap();
        let at = |name: &str| top.path().join(name);
        fs::create_dir(at("d")).unwrap();
        fs::write(at("d/f"), b"12345").unwrap();
        symlink(at("d"), at("l")).unwrap();
        symlink(at("d/f"), at("s")).unwrap();
        nix::unistd::mkfifo(&at("p"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(read(top.path(), b"d/f", 5).unwrap(), b"12345");
        assert!(read(&at("l"), b"f", 5).is_err());
        assert!(files(&at("l"), b"", 5).is_err());
        for bad in [&b"l/f"[..], b"s", b"p", b"d", b"../d/f", b"d//f", b""] {
            assert!(read(top.path(), bad, 5).is_err(), "{}", shown(bad));
        }
        assert!(read(top.path(), b"d/f", 4).is_err());
        assert_eq!(files(top.path(), b"d", 9).unwrap(), [b"d/f".to_vec()]);
        assert!(files(top.path(), b"l", 9).is_err());
    }

    #[test]
    fn a_path_is_text_whatever_its_bytes() {
        assert_eq!(shown(b"a\xff/\xc3\xbc"), "a\\xff/\u{fc}");
    }
}
