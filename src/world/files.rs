//! Files that belong to nobody else here: what is installed for the user, and
//! what an attempt at work prints.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::unistd::AccessFlags;

/// Writes a file whole or not at all, readable for all, and the folders above it.
///
/// # Errors
/// What the file system says.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    // A temporary file is its owner's alone; what is installed is for reading.
    file.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
    file.persist(path)?;
    Ok(())
}

/// Whether a folder can be written, or made below the nearest one that is there.
#[must_use]
pub fn is_writable(folder: &Path) -> bool {
    let there = folder.ancestors().find(|path| path.exists());
    there.is_some_and(|path| nix::unistd::access(path, AccessFlags::W_OK).is_ok())
}

/// The program that a name or path leads to, by the value of `PATH`.
#[must_use]
pub fn program(name: &str, path: &OsStr) -> Option<PathBuf> {
    let runs =
        |path: &PathBuf| path.is_file() && nix::unistd::access(path, AccessFlags::X_OK).is_ok();
    if name.contains('/') {
        return Some(PathBuf::from(name)).filter(runs);
    }
    std::env::split_paths(path).map(|folder| folder.join(name)).find(runs)
}

/// The names in a folder, sorted; none where it can't be read.
#[must_use]
pub fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Follows a live file, over its rotation to `<path>.1`, by offsets that count
/// from where the first look began. What is open stays readable when it is
/// removed.
///
/// Limit: where it is rotated twice between two looks, what was in between is
/// skipped; the whole is kept elsewhere.
#[derive(Debug)]
pub struct LiveTail {
    path: PathBuf,
    file: File,
    /// The offset of the first byte of `file`.
    base: u64,
    /// What was rotated away, and the offset of its first byte.
    old: Option<(File, u64)>,
}

impl LiveTail {
    /// Opens a live file, `None` when there is none.
    ///
    /// # Errors
    /// What the file system says.
    pub fn open(path: &Path) -> io::Result<Option<Self>> {
        let Some(file) = present(File::open(path))? else { return Ok(None) };
        let old = present(File::open(rotated(path)))?;
        let base = old.as_ref().map_or(Ok(0), |old| old.metadata().map(|meta| meta.len()))?;
        Ok(Some(Self { path: path.to_owned(), file, base, old: old.map(|old| (old, 0)) }))
    }

    /// All there is from this offset on.
    ///
    /// # Errors
    /// What the file system says.
    pub fn read(&mut self, from: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.turn(from)?;
        if let Some((old, start)) = &mut self.old
            && from < self.base
        {
            old.seek(SeekFrom::Start(from.saturating_sub(*start)))?;
            old.read_to_end(&mut bytes)?;
        }
        self.file.seek(SeekFrom::Start(from.saturating_sub(self.base)))?;
        self.file.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Goes over to the file that has taken the path, if one has.
    fn turn(&mut self, from: u64) -> io::Result<()> {
        let Some(now) = present(File::open(&self.path))? else { return Ok(()) };
        // The inode of an open file is not given to another one.
        if same(&now, &self.file)? {
            return Ok(());
        }
        let length = self.file.metadata()?.len();
        let before = present(File::open(rotated(&self.path)))?;
        let (old, start) = match before {
            Some(before) if !same(&before, &self.file)? => (before, from),
            Some(_) | None => (self.file.try_clone()?, self.base),
        };
        let skipped = !same(&old, &self.file)?;
        self.base = if skipped { start + old.metadata()?.len() } else { start + length };
        self.old = Some((old, start));
        self.file = now;
        Ok(())
    }
}

fn rotated(path: &Path) -> PathBuf {
    let mut old = path.as_os_str().to_owned();
    old.push(".1");
    old.into()
}

fn same(one: &File, other: &File) -> io::Result<bool> {
    let (one, other) = (one.metadata()?, other.metadata()?);
    Ok((one.dev(), one.ino()) == (other.dev(), other.ino()))
}

fn present(opened: io::Result<File>) -> io::Result<Option<File>> {
    match opened {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the supervisor does when the file is full.
    fn rotate(path: &Path) {
        fs::rename(path, rotated(path)).expect("renamed");
    }

    #[test]
    fn a_tail_follows_over_rotations_and_removal() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("t.1.out");
        assert!(LiveTail::open(&path).expect("looked").is_none());
        fs::write(&path, "one ").expect("written");
        let mut tail = LiveTail::open(&path).expect("looked").expect("there");
        assert_eq!(tail.read(0).expect("read"), b"one ");
        rotate(&path);
        fs::write(&path, "two ").expect("written");
        assert_eq!(tail.read(4).expect("read"), b"two ");
        assert_eq!(tail.read(2).expect("read"), b"e two ");
        rotate(&path);
        fs::write(&path, "three").expect("written");
        fs::remove_dir_all(folder.path()).expect("removed");
        assert_eq!(tail.read(8).expect("read"), b"", "nothing of the new file was seen");
    }

    #[test]
    fn a_tail_that_was_outrun_skips_and_goes_on() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("t.1.out");
        fs::write(&path, "aaaa").expect("written");
        let mut tail = LiveTail::open(&path).expect("looked").expect("there");
        assert_eq!(tail.read(0).expect("read"), b"aaaa");
        for text in ["bbbb", "cc", "d"] {
            rotate(&path);
            fs::write(&path, text).expect("written");
        }
        assert_eq!(tail.read(4).expect("read"), b"ccd");
        assert_eq!(tail.read(7).expect("read"), b"");
        fs::write(&path, "de").expect("written");
        assert_eq!(tail.read(7).expect("read"), b"e");
    }

    #[test]
    fn a_file_is_written_whole_and_for_all_to_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a/b/c");
        write_whole(&path, b"1").expect("written");
        write_whole(&path, b"2").expect("written");
        assert_eq!(fs::read(&path).expect("read"), b"2");
        assert_eq!(fs::metadata(&path).expect("there").mode() & 0o777, 0o644);
        assert_eq!(fs::read_dir(folder.path().join("a/b")).expect("listed").count(), 1);
    }
}
