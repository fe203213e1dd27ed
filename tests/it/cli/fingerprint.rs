//! What the user's things look like: every file outside what is git-crew's own.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::sandbox::Sandbox;

/// Path or name, and everything about it.
pub(crate) type Fingerprint = BTreeMap<String, String>;

/// What is git-crew's in a git directory, and what git itself writes for objects.
const OURS: [&str; 7] =
    ["crew", "objects", "refs/crew", "refs/refs", "refs/notes", "logs/refs/crew", "packed-refs"];

/// The user's folders, settings and refs.
pub(crate) fn take(sandbox: &Sandbox) -> Fingerprint {
    let mut seen = Fingerprint::new();
    for folder in ["home", "config"] {
        list(&sandbox.top().join(folder), &[], &mut seen);
    }
    if !sandbox.user().exists() {
        return seen;
    }
    let git_dir = sandbox.common();
    let skipped: Vec<PathBuf> = OURS.iter().map(|name| git_dir.join(name)).collect();
    list(sandbox.user(), &skipped, &mut seen);
    list(&git_dir, &skipped, &mut seen);
    // Those folders hold ours beside the user's.
    seen.remove(&git_dir.display().to_string());
    for folder in ["refs", "logs", "logs/refs"] {
        seen.remove(&git_dir.join(folder).display().to_string());
    }
    let refs =
        sandbox.try_git(sandbox.user(), &["for-each-ref", "--format=%(refname) %(objectname)"]);
    for line in refs.out.lines() {
        let name = line.split(' ').next().unwrap_or_default();
        let ours = ["refs/crew/", "refs/refs/crew", "refs/notes/crew"];
        if !ours.iter().any(|start| name.starts_with(start)) {
            seen.insert(format!("ref {name}"), line.to_owned());
        }
    }
    seen.insert("stash".into(), sandbox.try_git(sandbox.user(), &["stash", "list"]).out);
    seen
}

fn list(folder: &Path, skipped: &[PathBuf], seen: &mut Fingerprint) {
    seen.insert(folder.display().to_string(), about(folder));
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if skipped.contains(&path) {
            continue;
        }
        if path.is_dir() && !path.is_symlink() {
            list(&path, skipped, seen);
        } else {
            seen.insert(path.display().to_string(), about(&path));
        }
    }
}

fn about(path: &Path) -> String {
    let Ok(meta) = path.symlink_metadata() else { return "gone".to_owned() };
    let content = if meta.is_symlink() {
        format!("{:?}", fs::read_link(path))
    } else if meta.is_file() {
        Sha256::digest(fs::read(path).unwrap()).iter().map(|byte| format!("{byte:02x}")).collect()
    } else {
        String::new()
    };
    format!("{:o} {}.{:09} {content}", meta.mode(), meta.mtime(), meta.mtime_nsec())
}

/// Fails with what differs.
#[track_caller]
pub(crate) fn compare(before: &Fingerprint, after: &Fingerprint) {
    let names = before.keys().chain(after.keys()).collect::<std::collections::BTreeSet<_>>();
    let differ: Vec<String> = names
        .into_iter()
        .filter(|name| before.get(*name) != after.get(*name))
        .map(|name| format!("{name}: {:?} became {:?}", before.get(name), after.get(name)))
        .collect();
    assert!(differ.is_empty(), "the user's things were touched: {differ:#?}");
}

/// Every path below a folder.
pub(crate) fn files_below(folder: &Path) -> Vec<String> {
    let mut seen = Fingerprint::new();
    if folder.exists() {
        list(folder, &[], &mut seen);
    }
    seen.into_keys().collect()
}
