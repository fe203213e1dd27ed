//! The rules of the house that no compiler knows: which layer may see which,
//! how long a file may be, what no file may hold.
//!
//! Each rule is a pure function of a file's text, tried here on a bad sample
//! before it judges the tree: a rule that can't fail protects nothing.

mod content;
mod layers;
mod reach;

use std::fs;
use std::path::{Path, PathBuf};

/// The folder of the project.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below `folder` (a path inside the project) whose name ends in
/// `.ext`, as paths inside the project, sorted.
pub(crate) fn files(folder: &str, ext: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    walk(&root().join(folder), &mut found);
    let mut found: Vec<PathBuf> = found
        .into_iter()
        .filter(|path| ext.is_empty() || path.extension().is_some_and(|end| end == ext))
        .map(|path| path.strip_prefix(root()).expect("below the root").to_owned())
        .collect();
    found.sort();
    found
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    const FOREIGN: [&str; 2] = [".git", "target"];
    for entry in fs::read_dir(folder).expect("a folder of the project") {
        let entry = entry.expect("an entry");
        let kind = entry.file_type().expect("a kind");
        if FOREIGN.iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        match kind {
            kind if kind.is_dir() => walk(&entry.path(), found),
            kind if kind.is_file() => found.push(entry.path()),
            _ => {}
        }
    }
}

/// The text of a file of the project.
pub(crate) fn text(path: &Path) -> String {
    let bytes = fs::read(root().join(path)).expect("a file of the project");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Fails with every fault, one a line.
#[track_caller]
pub(crate) fn none(faults: &[String]) {
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}
