//! Large files (Git LFS) in a slot: where the base has a pointer and the user's
//! store has the content, the content is put in its place. No program runs and
//! nothing is fetched; a pointer whose content is not there stays.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::copy;
use super::index::{Index, seal};
use super::keep::at;
use super::private::later;
use super::{Slot, SlotError, Snapshot};
use crate::world::git::{Call, GitError};

/// A pointer is shorter than this.
pub(crate) const POINTER: u64 = 1024;

/// The first line of a pointer.
const VERSION: &str = "version https://git-lfs.github.com/spec/v1";

/// What a pointer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pointer {
    pub(crate) sha256: String,
    pub(crate) size: u64,
}

impl Pointer {
    /// Reads a pointer's text.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let mut lines = text.lines();
        (lines.next()? == VERSION).then_some(())?;
        let (mut sha256, mut size) = (None, None);
        for line in lines {
            match line.split_once(' ')? {
                ("oid", id) => sha256 = id.strip_prefix("sha256:"),
                ("size", bytes) => size = bytes.parse().ok(),
                _ => {}
            }
        }
        let plain = |id: &&str| id.len() == 64 && id.bytes().all(|b| b.is_ascii_hexdigit());
        let sha256 = sha256.filter(plain)?.to_ascii_lowercase();
        Some(Self { sha256, size: size? })
    }

    /// The pointer's text.
    pub(crate) fn text(&self) -> String {
        format!("{VERSION}\noid sha256:{}\nsize {}\n", self.sha256, self.size)
    }

    /// Where a store keeps the content.
    pub(crate) fn place(&self, store: &Path) -> PathBuf {
        let part = |range| self.sha256.get(range).unwrap_or_default();
        store.join(part(0..2)).join(part(2..4)).join(&self.sha256)
    }
}

/// The user's store, if there is one.
pub(crate) fn store(common_dir: &Path) -> Option<PathBuf> {
    Some(common_dir.join("lfs/objects")).filter(|store| store.is_dir())
}

/// Those of the paths that the attributes of the working tree give to LFS.
pub(crate) fn tracked(git: Call<'_>, paths: &[&[u8]]) -> Result<Vec<Vec<u8>>, GitError> {
    if paths.is_empty() {
        return Ok(Vec::new());
    }
    let input: Vec<u8> = paths.iter().flat_map(|path| [*path, b"\0"].concat()).collect();
    let list = git.args(["check-attr", "-z", "--stdin", "filter"]).input(&input).run()?;
    let fields: Vec<&[u8]> = list.split(|byte| *byte == 0).collect();
    let lfs = fields.chunks_exact(3).filter(|fields| fields.get(2) == Some(&&b"lfs"[..]));
    Ok(lfs.filter_map(|fields| fields.first().map(|path| path.to_vec())).collect())
}

/// Puts the contents in place and takes down in the slot's index what its files
/// are now; how many there were.
pub(super) fn place(slot: &mut Slot) -> Result<usize, SlotError> {
    let Some(store) = store(&slot.home.repo.common_dir) else { return Ok(0) };
    let Some(snapshot) = slot.snapshot.clone() else { return Ok(0) };
    let parsed = Index::parse(snapshot.index.clone(), slot.home.carried.hash());
    let unfit = |why: String| SlotError::Unfit { path: slot.dir.clone(), why };
    let mut index = parsed.map_err(|error| unfit(error.to_string()))?;
    let found = pointers(slot, &index)?;
    let mut placed = 0;
    for (n, pointer) in found {
        let Some(path) = index.entries.get(n).map(|entry| at(&slot.tree, &entry.path)) else {
            continue;
        };
        let Ok(content) = File::open(pointer.place(&store)) else { continue };
        if !content.metadata().is_ok_and(|meta| meta.is_file() && meta.len() == pointer.size) {
            continue;
        }
        replace(content, &path).map_err(SlotError::io("write", &path))?;
        let meta = path.symlink_metadata().map_err(SlotError::io("read", &path))?;
        index.restat(n, &meta);
        placed += 1;
    }
    if placed > 0 {
        let mut bytes = index.cut(|_| true, |_| false);
        seal(&mut bytes, slot.home.carried.hash());
        let path = slot.git_dir.join("index");
        let written = later(&slot.git_dir, (i64::MIN, 0))?;
        let written = later(&slot.git_dir, written)?;
        fs::write(&path, &bytes).map_err(SlotError::io("write", &path))?;
        let refs = snapshot.refs.clone();
        slot.snapshot = Some(Arc::new(Snapshot { index: bytes, written, refs }));
    }
    Ok(placed)
}

/// The entries that are pointers, by what is in the files of the slot.
fn pointers(slot: &Slot, index: &Index) -> Result<Vec<(usize, Pointer)>, SlotError> {
    let rules = index.entries.iter().filter(|entry| entry.path.ends_with(b".gitattributes"));
    let mut texts = rules.filter_map(|entry| fs::read(at(&slot.tree, &entry.path)).ok());
    if !texts.any(|text| text.windows(10).any(|part| part == b"filter=lfs")) {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for (n, entry) in index.entries.iter().enumerate() {
        if !entry.is_file() || u64::from(entry.size()) >= POINTER {
            continue;
        }
        let mut text = Vec::new();
        let file = File::open(at(&slot.tree, &entry.path));
        let read = file.and_then(|file| file.take(POINTER).read_to_end(&mut text));
        if let (Ok(_), Some(pointer)) = (read, Pointer::parse(&text)) {
            found.push((n, pointer));
        }
    }
    let path = |n: usize| index.entries.get(n).map_or(&[][..], |entry| entry.path.as_slice());
    let paths: Vec<&[u8]> = found.iter().map(|(n, _)| path(*n)).collect();
    let call = slot.home.git.at(&slot.git_dir).work_tree(&slot.tree);
    let given = tracked(call, &paths)
        .map_err(|source| SlotError::Git { path: slot.dir.clone(), source })?;
    found.retain(|(n, _)| given.iter().any(|one| one == path(*n)));
    Ok(found)
}

/// Puts a copy of the content in the place of a file, with the file's mode.
fn replace(content: File, path: &Path) -> std::io::Result<()> {
    let mode = path.symlink_metadata()?.permissions();
    let folder = path.parent().unwrap_or(path);
    let staging = tempfile::Builder::new().prefix(".lfs-").tempdir_in(folder)?;
    let copied = staging.path().join("content");
    copy::fill(content, &copied)?;
    fs::set_permissions(&copied, mode)?;
    fs::rename(&copied, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_is_read_and_written_as_it_was() {
        let text = format!("{VERSION}\noid sha256:{}\nsize 12\n", "ab".repeat(32));
        let pointer = Pointer::parse(text.as_bytes()).unwrap();
        assert_eq!((pointer.size, pointer.text()), (12, text));
        assert!(pointer.place(Path::new("/s")).starts_with("/s/ab/ab"));
        for bad in ["", "version x\n", "oid sha256:../../x\nsize 1\n"] {
            let with = format!("{VERSION}\n{bad}");
            assert!(Pointer::parse(with.as_bytes()).is_none(), "{bad}");
        }
    }
}
