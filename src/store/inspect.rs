//! What may have been left over beside the refs: locks and keep files. Looks
//! only.

use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::git::GitStore;

/// A file that is there for a while only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// Where.
    pub path: PathBuf,
    /// When it was written, in seconds since 1970.
    pub written: i64,
    /// What it says; empty for a lock.
    pub words: String,
}

impl GitStore {
    /// The locks on our refs, sorted; what can't be listed is left out.
    #[must_use]
    pub fn locks(&self) -> Vec<Leftover> {
        let mut found = Vec::new();
        let mut folders = vec![self.common_dir().join("refs/crew")];
        while let Some(folder) = folders.pop() {
            for path in entries(&folder) {
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|end| end == "lock") {
                    found.extend(leftover(path, ""));
                }
            }
        }
        found.sort_by(|a, b| a.path.cmp(&b.path));
        found
    }

    /// The keep files of packs that begin with these words, sorted.
    #[must_use]
    pub fn keeps(&self, begin: &str) -> Vec<Leftover> {
        let packs = self.common_dir().join("objects/pack");
        let keep = |path: &PathBuf| path.extension().is_some_and(|end| end == "keep");
        let mut found: Vec<Leftover> = entries(&packs)
            .into_iter()
            .filter(keep)
            .filter_map(|path| {
                let mut text = String::new();
                fs::File::open(&path).ok()?.take(4096).read_to_string(&mut text).ok()?;
                text.starts_with(begin).then(|| leftover(path, text.trim()))?
            })
            .collect();
        found.sort_by(|a, b| a.path.cmp(&b.path));
        found
    }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.filter_map(Result::ok).map(|entry| entry.path()).collect()
}

fn leftover(path: PathBuf, words: &str) -> Option<Leftover> {
    let written = fs::symlink_metadata(&path).ok()?.mtime();
    Some(Leftover { path, written, words: words.to_owned() })
}
