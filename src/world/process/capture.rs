//! What a program prints, in bounded memory: the first and the last bytes, the
//! count and the digest of all.
//!
//! Promises: at most `head + tail` bytes and one buffer are held per stream,
//! whatever is printed (no lines are looked for); the live file never takes
//! more than twice its bound on disk.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// What is kept of one stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captured {
    /// The first bytes.
    pub head: Vec<u8>,
    /// The last bytes, after those of `head`.
    pub tail: Vec<u8>,
    /// How many bytes were printed in all.
    pub bytes: u64,
    /// The SHA-256 of all of them, in hexadecimal.
    pub sha256: String,
}

impl Captured {
    /// How many bytes between `head` and `tail` were not kept.
    #[must_use]
    pub fn cut(&self) -> u64 {
        self.bytes.saturating_sub((self.head.len() + self.tail.len()) as u64)
    }

    /// What was kept, as text: bytes that are not UTF-8 become `\u{FFFD}`, and
    /// where something is missing a line of its own says how much. Control
    /// characters are as they came: whoever shows them escapes them.
    #[must_use]
    pub fn text(&self) -> String {
        let cut = self.cut();
        if cut == 0 {
            let whole = [self.head.as_slice(), self.tail.as_slice()].concat();
            return String::from_utf8_lossy(&whole).into_owned();
        }
        let head = String::from_utf8_lossy(&self.head);
        let tail = String::from_utf8_lossy(&self.tail);
        format!("{head}\n[... {cut} of {} bytes not kept ...]\n{tail}", self.bytes)
    }
}

/// Collects one stream.
pub(super) struct Capture {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    limits: (usize, usize),
    bytes: u64,
    hash: Sha256,
}

impl Capture {
    pub(super) fn new(head: usize, tail: usize) -> Self {
        let limits = (head, tail);
        Self { head: Vec::new(), tail: VecDeque::new(), limits, bytes: 0, hash: Sha256::new() }
    }

    pub(super) fn push(&mut self, chunk: &[u8]) {
        self.bytes += chunk.len() as u64;
        self.hash.update(chunk);
        let room = self.limits.0 - self.head.len();
        let (first, rest) = chunk.split_at(room.min(chunk.len()));
        extend(&mut self.head, first, self.limits.0);
        let rest = rest.get(rest.len().saturating_sub(self.limits.1)..).unwrap_or_default();
        let over = (self.tail.len() + rest.len()).saturating_sub(self.limits.1);
        self.tail.drain(..over);
        if self.tail.capacity() < self.tail.len() + rest.len() {
            let wanted = (self.tail.capacity() * 2).max(1 << 16).min(self.limits.1);
            let wanted = wanted.max(self.tail.len() + rest.len());
            self.tail.reserve_exact(wanted - self.tail.len());
        }
        self.tail.extend(rest);
    }

    /// What was collected so far; the collector is empty afterwards.
    pub(super) fn take(&mut self) -> Captured {
        let (head, tail) = self.limits;
        let Self { head, tail, bytes, hash, .. } = std::mem::replace(self, Self::new(head, tail));
        let sha256 = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Captured { head, tail: tail.into(), bytes, sha256 }
    }
}

/// Appends without ever asking for more than `limit` in all.
fn extend(into: &mut Vec<u8>, bytes: &[u8], limit: usize) {
    if into.capacity() < into.len() + bytes.len() {
        let wanted = (into.capacity() * 2).max(1 << 16).min(limit).max(into.len() + bytes.len());
        into.reserve_exact(wanted - into.len());
    }
    into.extend_from_slice(bytes);
}

/// The file that shows other processes what is being printed.
pub(super) struct Live {
    path: PathBuf,
    file: Option<File>,
    written: usize,
    cap: usize,
    /// The first thing that went wrong; nothing is written after it.
    pub(super) trouble: Option<String>,
}

impl Live {
    /// Begins the file anew.
    pub(super) fn new(path: &Path, cap: usize) -> Self {
        let cap = cap.max(1 << 20);
        let mut live = Self { path: path.to_owned(), file: None, written: 0, cap, trouble: None };
        let opened = live.open();
        live.note(opened);
        live
    }

    fn open(&mut self) -> io::Result<()> {
        let mut how = OpenOptions::new();
        how.write(true).create(true).truncate(true).mode(0o600);
        self.file = Some(how.custom_flags(nix::libc::O_NOFOLLOW).open(&self.path)?);
        self.written = 0;
        Ok(())
    }

    pub(super) fn push(&mut self, chunk: &[u8]) {
        let done = self.write(chunk);
        self.note(done);
    }

    fn write(&mut self, chunk: &[u8]) -> io::Result<()> {
        if self.file.is_some() && self.written + chunk.len() > self.cap {
            let mut old = self.path.clone().into_os_string();
            old.push(".1");
            std::fs::rename(&self.path, old)?;
            self.open()?;
        }
        if let Some(file) = &mut self.file {
            file.write_all(chunk)?;
            self.written += chunk.len();
        }
        Ok(())
    }

    fn note(&mut self, done: io::Result<()>) {
        if let Err(error) = done {
            self.file = None;
            self.trouble = Some(format!("live output '{}' stopped: {error}", self.path.display()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn captured(chunks: &[&[u8]], head: usize, tail: usize) -> Captured {
        let mut capture = Capture::new(head, tail);
        chunks.iter().for_each(|chunk| capture.push(chunk));
        capture.take()
    }

    #[test]
    fn keeps_ends_and_counts_the_middle_for_any_split() {
        let all: Vec<u8> = (0..=255).cycle().take(1000).collect();
        for size in [1, 2, 3, 7, 10, 64, 999, 1000] {
            let chunks: Vec<&[u8]> = all.chunks(size).collect();
            let got = captured(&chunks, 10, 20);
            assert_eq!(got.head, all[..10], "{size}");
            assert_eq!(got.tail, all[980..], "{size}");
            assert_eq!((got.bytes, got.cut()), (1000, 970), "{size}");
            assert_eq!(got.sha256, captured(&[&all], 1000, 0).sha256, "{size}");
        }
    }

    #[test]
    fn nothing_is_cut_where_everything_fits() {
        let got = captured(&[b"ab\xc3", b"\xbc\x00c"], 3, 3);
        assert_eq!((got.text().as_str(), got.cut()), ("abü\0c", 0));
        assert_eq!(captured(&[], 3, 3).text(), "");
    }

    #[test]
    fn a_cut_is_said_with_its_size() {
        let got = captured(&[b"0123456789"], 2, 3);
        assert_eq!(got.text(), "01\n[... 5 of 10 bytes not kept ...]\n789");
        let none = captured(&[b"0123456789"], 0, 0);
        assert_eq!(none.text(), "\n[... 10 of 10 bytes not kept ...]\n");
    }

    #[test]
    fn the_live_file_is_bounded() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("live");
        let mut live = Live::new(&path, 0);
        for _ in 0..100 {
            live.push(&[b'x'; 1 << 16]);
        }
        assert_eq!(live.trouble, None);
        let sizes: u64 = std::fs::read_dir(folder.path())
            .expect("a folder")
            .map(|entry| entry.expect("an entry").metadata().expect("metadata").len())
            .sum();
        assert!((1 << 16..=2 << 20).contains(&sizes), "{sizes}");
    }

    #[test]
    fn a_live_file_that_cannot_be_written_is_told_once() {
        let mut live = Live::new(Path::new("/nonexistent/live"), 0);
        live.push(b"x");
        assert!(live.trouble.is_some_and(|text| text.contains("/nonexistent/live")));
    }
}
