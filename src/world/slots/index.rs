//! Git's index file, read and cut down by own code.
//!
//! Two uses. Right after a checkout the index holds, for every file, the object
//! it came from and what `lstat` said of it: a table that tells later which
//! files need no second look, as long as its bytes were kept where no agent
//! could write. And an agent's own index, which is hostile input, tells which
//! paths it had staged.
//!
//! Promises: every length is checked; what is kept is at most a small multiple
//! of the file.
//! Limits: versions 2, 3 and 4; no split index (its shared part is not looked
//! for), sparse folders are returned as they stand.

use std::fs::Metadata;
use std::ops::Range;
use std::os::unix::fs::MetadataExt;

use sha1::Sha1;
use sha2::{Digest, Sha256};

/// A file that is not an index that git could have written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a damaged index")]
pub struct DamagedIndex;

/// What an entry knows of its file: ten words as they stand in the index.
const STAT_BYTES: usize = 40;

/// How many times longer than the file all its names together may be.
const SHARING: usize = 4;

/// One entry of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The path, as bytes, from the top of the working tree.
    pub(crate) path: Vec<u8>,
    /// Git's mode: 0o100644, 0o100755, 0o120000 or 0o160000.
    pub(crate) mode: u32,
    stat: [u32; 10],
    range: Range<usize>,
}

impl Entry {
    /// Whether this is a submodule.
    pub(crate) fn is_gitlink(&self) -> bool {
        self.mode & 0o170_000 == 0o160_000
    }

    /// Whether this is a file, not a link.
    pub(crate) fn is_file(&self) -> bool {
        self.mode & 0o170_000 == 0o100_000
    }

    /// The size of the file, its low 32 bits.
    pub(crate) fn size(&self) -> u32 {
        let [.., size] = self.stat;
        size
    }

    /// Whether the file is as it was when the index was written at `written`
    /// (seconds and nanoseconds). A file whose time is not older than the index
    /// may have been changed in the same tick and counts as changed.
    pub(crate) fn is_unchanged(&self, file: &Metadata, written: (i64, i64)) -> bool {
        self.stat == stat(file, self.mode)
            && (file.mtime(), file.mtime_nsec()) < written
            && (file.ctime(), file.ctime_nsec()) < written
    }
}

/// An index in memory.
#[derive(Clone, Debug)]
pub(crate) struct Index {
    bytes: Vec<u8>,
    /// The entries, in git's order.
    pub(crate) entries: Vec<Entry>,
    end: usize,
    hash: usize,
}

impl Index {
    /// Reads an index of a repository whose object ids have `hash` bytes.
    ///
    /// # Errors
    /// [`DamagedIndex`] for anything but a whole index of a known version.
    pub(crate) fn parse(bytes: Vec<u8>, hash: usize) -> Result<Self, DamagedIndex> {
        let version = word(&bytes, 4)?;
        if bytes.get(..4) != Some(b"DIRC") || !(2..=4).contains(&version) {
            return Err(DamagedIndex);
        }
        let count = word(&bytes, 8)?;
        let mut entries: Vec<Entry> = Vec::new();
        let mut at = 12;
        let mut names = 0;
        for _ in 0..count {
            let before = entries.last().map_or(&[][..], |entry| entry.path.as_slice());
            let (entry, next) = read_entry(&bytes, at, (version, hash), before)?;
            names += entry.path.len();
            // Version 4 shares beginnings: a small file could stand for a
            // great many long names.
            if names / SHARING > bytes.len() {
                return Err(DamagedIndex);
            }
            entries.push(entry);
            at = next;
        }
        Ok(Self { bytes, entries, end: at, hash })
    }

    /// The tree that the index was made from, if it says so: an index that was
    /// just read from one tree does.
    pub(crate) fn tree(&self) -> Option<String> {
        let mut at = self.end;
        while at + 8 + self.hash <= self.bytes.len() {
            let size = usize::try_from(word(&self.bytes, at + 4).ok()?).ok()?;
            let body = self.bytes.get(at + 8..(at + 8).checked_add(size)?)?;
            if self.bytes.get(at..at + 4) == Some(b"TREE") {
                return root_tree(body, self.hash);
            }
            at = at + 8 + size;
        }
        None
    }

    /// The bytes of an entry's object id.
    pub(crate) fn id(&self, entry: &Entry) -> &[u8] {
        let from = entry.range.start + STAT_BYTES;
        self.bytes.get(from..from + self.hash).unwrap_or_default()
    }

    /// The bytes of an index without the entries that `keep` refuses. Only for
    /// version 2, where an entry's bytes stand alone. Entries that `doubted`
    /// names lose what `lstat` said of their files: git compares times by the
    /// second and would take a file of the same size, changed in the second of
    /// the checkout, for unchanged.
    pub(crate) fn cut(
        &self,
        keep: impl Fn(&Entry) -> bool,
        doubted: impl Fn(&Entry) -> bool,
    ) -> Vec<u8> {
        let kept: Vec<&Entry> = self.entries.iter().filter(|entry| keep(entry)).collect();
        let mut bytes = self.bytes.clone();
        for entry in kept.iter().filter(|entry| doubted(entry)) {
            forget(bytes.get_mut(entry.range.clone()).unwrap_or_default());
        }
        if kept.len() == self.entries.len() {
            return bytes;
        }
        let count = u32::try_from(kept.len()).unwrap_or(u32::MAX);
        let mut out = Vec::with_capacity(self.bytes.len());
        out.extend_from_slice(b"DIRC\0\0\0\x02");
        out.extend_from_slice(&count.to_be_bytes());
        for entry in kept {
            out.extend_from_slice(bytes.get(entry.range.clone()).unwrap_or_default());
        }
        // Git does not look at the checksum of an index that it reads.
        out.extend(std::iter::repeat_n(0, self.hash));
        out
    }

    /// Takes down what `lstat` says now of the file of the entry `n`.
    pub(crate) fn restat(&mut self, n: usize, file: &Metadata) {
        let Some(entry) = self.entries.get_mut(n) else { return };
        entry.stat = stat(file, entry.mode);
        for (word, value) in entry.stat.into_iter().enumerate() {
            let at = entry.range.start + 4 * word;
            if let Some(bytes) = self.bytes.get_mut(at..at + 4) {
                bytes.copy_from_slice(&value.to_be_bytes());
            }
        }
    }
}

/// What an entry of this mode knows of a file.
fn stat(file: &Metadata, mode: u32) -> [u32; 10] {
    #[expect(clippy::cast_possible_truncation, reason = "the index keeps the low 32 bits")]
    #[expect(clippy::cast_sign_loss, reason = "the index keeps the low 32 bits")]
    [
        file.ctime() as u32,
        file.ctime_nsec() as u32,
        file.mtime() as u32,
        file.mtime_nsec() as u32,
        file.dev() as u32,
        file.ino() as u32,
        mode,
        file.uid(),
        file.gid(),
        file.size() as u32,
    ]
}

/// Puts the right checksum at the end of an index: other programs than git do
/// look at it.
pub(crate) fn seal(bytes: &mut [u8], hash: usize) {
    let Some((body, end)) = bytes.split_at_checked(bytes.len().saturating_sub(hash)) else {
        return;
    };
    let sum = match end.len() {
        32 => Sha256::digest(body).to_vec(),
        _ => Sha1::digest(body).to_vec(),
    };
    let from = body.len();
    if let Some(end) = bytes.get_mut(from..).filter(|end| end.len() == sum.len()) {
        end.copy_from_slice(&sum);
    }
}

/// Takes from an entry's bytes what they know of the file, but for its mode.
fn forget(entry: &mut [u8]) {
    const MODE: Range<usize> = 24..28;
    for (at, byte) in entry.iter_mut().enumerate().take(STAT_BYTES) {
        if !MODE.contains(&at) {
            *byte = 0;
        }
    }
}

fn root_tree(body: &[u8], hash: usize) -> Option<String> {
    let line = body.iter().position(|b| *b == b'\n')?;
    // An empty path, then the number of entries; -1 stands for "not known".
    if body.first() != Some(&0) || body.get(1) == Some(&b'-') {
        return None;
    }
    let id = body.get(line + 1..line + 1 + hash)?;
    Some(id.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn word(bytes: &[u8], at: usize) -> Result<u32, DamagedIndex> {
    let four = bytes.get(at..at + 4).and_then(|four| four.try_into().ok());
    four.map(u32::from_be_bytes).ok_or(DamagedIndex)
}

fn read_entry(
    bytes: &[u8],
    at: usize,
    (version, hash): (u32, usize),
    before: &[u8],
) -> Result<(Entry, usize), DamagedIndex> {
    let mut stat = [0; 10];
    for (n, slot) in stat.iter_mut().enumerate() {
        *slot = word(bytes, at + 4 * n)?;
    }
    let flags_at = at + STAT_BYTES + hash;
    let flags = bytes.get(flags_at).copied().ok_or(DamagedIndex)?;
    let extended = flags & 0x40 != 0;
    let name_at = flags_at + if extended { 4 } else { 2 };
    let (kept, name_at) = if version == 4 { shared(bytes, name_at, before)? } else { (0, name_at) };
    let rest = bytes.get(name_at..).ok_or(DamagedIndex)?;
    let len = rest.iter().position(|b| *b == 0).ok_or(DamagedIndex)?;
    let mut path = before.get(..kept).ok_or(DamagedIndex)?.to_vec();
    path.extend_from_slice(rest.get(..len).ok_or(DamagedIndex)?);
    let next = match version {
        4 => name_at + len + 1,
        // One to eight NUL bytes, so that an entry's length divides by eight.
        _ => at + ((name_at + len - at) / 8 + 1) * 8,
    };
    if next > bytes.len() {
        return Err(DamagedIndex);
    }
    let [.., mode, _, _, _] = stat;
    Ok((Entry { path, mode, stat, range: at..next }, next))
}

/// How much of the path before is shared, in version 4: git's offset encoding
/// of the number of bytes to drop.
fn shared(bytes: &[u8], mut at: usize, before: &[u8]) -> Result<(usize, usize), DamagedIndex> {
    let mut next = || {
        let byte = bytes.get(at).copied().ok_or(DamagedIndex);
        at += 1;
        byte
    };
    let mut byte = next()?;
    let mut drop = usize::from(byte & 0x7f);
    while byte & 0x80 != 0 {
        byte = next()?;
        drop = drop.checked_add(1).filter(|n| *n < usize::MAX >> 8).ok_or(DamagedIndex)?;
        drop = (drop << 7) | usize::from(byte & 0x7f);
    }
    let kept = before.len().checked_sub(drop).ok_or(DamagedIndex)?;
    Ok((kept, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &[u8]) -> Vec<u8> {
        let mut out = vec![0; STAT_BYTES + 20];
        out[26] = 0x81;
        out[27] = 0xa4;
        out.extend_from_slice(&[0, u8::try_from(path.len()).unwrap()]);
        out.extend_from_slice(path);
        out.resize((out.len() / 8 + 1) * 8, 0);
        out
    }

    fn index(paths: &[&[u8]]) -> Vec<u8> {
        let mut out = b"DIRC\0\0\0\x02\0\0\0".to_vec();
        out.push(u8::try_from(paths.len()).unwrap());
        for path in paths {
            out.extend(entry(path));
        }
        out.resize(out.len() + 20, 0);
        out
    }

    #[test]
    fn paths_come_back_and_can_be_left_out() {
        let paths: [&[u8]; 3] = [b"a", b"b/\xff\n", b"seven77"];
        let index = Index::parse(index(&paths), 20).unwrap();
        assert!(index.entries.iter().map(|e| e.path.as_slice()).eq(paths));
        assert!(index.entries.iter().all(|e| e.mode == 0o100_644));
        let fewer = Index::parse(index.cut(|e| e.path != b"a", |_| false), 20).unwrap();
        assert!(fewer.entries.iter().map(|e| e.path.as_slice()).eq([paths[1], paths[2]]));
    }

    #[test]
    fn a_doubted_entry_keeps_its_mode_and_its_object_only() {
        let mut bytes = index(&[b"a", b"b"]);
        bytes[12..12 + STAT_BYTES].fill(1);
        let known = Index::parse(bytes, 20).unwrap();
        for dropped in [b"b".as_slice(), b"none"] {
            let cut = known.cut(|e| e.path != dropped, |e| e.path == b"a");
            let cut = Index::parse(cut, 20).unwrap();
            assert_eq!(cut.entries[0].stat, [0, 0, 0, 0, 0, 0, 0x0101_0101, 0, 0, 0]);
            assert_eq!(cut.id(&cut.entries[0]), known.id(&known.entries[0]));
        }
    }

    #[test]
    fn every_cut_of_an_index_is_refused_or_harmless() {
        let whole = index(&[b"a", b"b/c", b"d"]);
        for len in 0..whole.len() - 20 {
            assert!(Index::parse(whole[..len].to_vec(), 20).is_err(), "{len}");
        }
        for at in 0..whole.len() {
            let mut bent = whole.clone();
            bent[at] ^= 0xff;
            let _ = Index::parse(bent, 20);
        }
    }
}
