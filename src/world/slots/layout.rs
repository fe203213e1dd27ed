//! Where slots lie and what their folders are called.

use std::ffi::OsStr;
use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::{Slot, SlotError, Slots};
use crate::domain::id::Oid;

/// What a slot's folder holds beside the working tree.
const BESIDE: [&str; 4] = ["git", "tmp", "in", "out"];

/// The longest name of a slot or a working tree, in bytes.
const MAX_NAME: usize = 64;

/// Where slots lie when nothing is configured:
/// `<state>/git-crew/<repo>-<hash>/slots`, the hash being of the shared git
/// dir's path, so that two repositories of one name never meet.
#[must_use]
pub fn default_root(state_home: &Path, name: &str, common_dir: &Path) -> PathBuf {
    let hash = Sha256::digest(common_dir.as_os_str().as_bytes());
    let hash: String = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let mut path = state_home.join("git-crew");
    path.push(format!("{}-{hash}", plain(name)));
    path.push("slots");
    path
}

/// A folder name made of a repository's name: letters, digits, dots, dashes.
fn plain(name: &str) -> String {
    let keep = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let kept: String = name.chars().map(|c| if keep(c) { c } else { '-' }).take(MAX_NAME).collect();
    let kept = kept.trim_matches(['-', '.']);
    if kept.is_empty() { "repository".to_owned() } else { kept.to_owned() }
}

fn tree_name(name: &str) -> String {
    let name = plain(name);
    let taken = BESIDE.iter().any(|beside| name.eq_ignore_ascii_case(beside));
    if taken { format!("{name}-tree") } else { name }
}

fn check_key(key: &str) -> Result<(), SlotError> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let bytes = key.as_bytes();
    let good = !key.is_empty() && key.len() <= 3 * MAX_NAME && bytes.iter().all(|b| plain(*b));
    let begins = bytes.first().is_some_and(|b| *b != b'-');
    (good && begins).then_some(()).ok_or_else(|| SlotError::BadKey(key.escape_debug().to_string()))
}

/// Makes the root and, where it lies inside somebody's checkout, hides it there.
pub(super) fn prepare_root(root: &Path, common_dir: &Path) -> Result<PathBuf, SlotError> {
    fs::create_dir_all(root).map_err(SlotError::io("make", root))?;
    let root = root.canonicalize().map_err(SlotError::io("find", root))?;
    let common = common_dir.canonicalize().unwrap_or_else(|_| common_dir.to_owned());
    let inside = root.ancestors().any(|folder| folder.join(".git").symlink_metadata().is_ok());
    if inside && !root.starts_with(common) {
        write_once(&root.join(".gitignore"), b"*\n")?;
        write_once(&root.join("CACHEDIR.TAG"), b"Signature: 8a477f597d28d172789f06886806bc55\n")?;
    }
    Ok(root)
}

fn write_once(path: &Path, text: &[u8]) -> Result<(), SlotError> {
    match fs::OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(mut file) => file.write_all(text).map_err(SlotError::io("write", path)),
        Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(e) => Err(SlotError::io("write", path)(e)),
    }
}

/// The paths of a slot, whether it is there or not.
pub(super) fn slot(slots: &Slots, base: &Oid, key: &str) -> Result<Slot, SlotError> {
    slot_at(slots, base, key, key)
}

/// The same for a slot whose folder has another name than its attempt.
pub(super) fn slot_at(slots: &Slots, base: &Oid, key: &str, name: &str) -> Result<Slot, SlotError> {
    check_key(key)?;
    check_key(name)?;
    let dir = slots.root.join(name);
    let [git, tmp, inbox, outbox] = BESIDE.map(|name| dir.join(OsStr::new(name)));
    Ok(Slot {
        key: key.to_owned(),
        tree: dir.join(tree_name(&slots.home.repo.name)),
        git_dir: git,
        tmp,
        inbox,
        outbox,
        dir,
        base: base.clone(),
        kind: slots.kind,
        snapshot: None,
        home: Arc::clone(&slots.home),
        set_up: None,
        kept: Vec::new(),
        modules: Vec::new(),
        berth: None,
    })
}

/// Makes the slot's folder, which only one caller can, and its empty folders.
pub(super) fn claim(slot: Slot) -> Result<Slot, SlotError> {
    match fs::create_dir(&slot.dir) {
        Ok(()) => {}
        Err(e) if e.kind() == ErrorKind::AlreadyExists => {
            return Err(SlotError::Occupied(slot.dir));
        }
        Err(e) => return Err(SlotError::io("make", &slot.dir)(e)),
    }
    folders(&slot)?;
    Ok(slot)
}

/// Makes the empty folders beside the working tree.
pub(super) fn folders(slot: &Slot) -> Result<(), SlotError> {
    for folder in [&slot.tmp, &slot.inbox, &slot.outbox] {
        fs::create_dir(folder).map_err(SlotError::io("make", folder))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_working_tree_never_has_the_name_of_a_folder_beside_it() {
        for name in ["git", "GIT", "tmp", "in", "Out"] {
            assert!(tree_name(name).ends_with("-tree"), "{name}");
        }
        assert_eq!(tree_name("my repo\n"), "my-repo");
        assert_eq!(tree_name("../.."), "repository");
        assert_eq!(tree_name(""), "repository");
    }

    #[test]
    fn two_repositories_of_one_name_have_two_roots() {
        let root = |dir: &str| default_root(Path::new("/s"), "app", Path::new(dir));
        assert_ne!(root("/a/app/.git"), root("/b/app/.git"));
        assert!(root("/a/app/.git").starts_with("/s/git-crew"));
    }

    #[test]
    fn a_key_is_one_plain_folder_name() {
        for bad in ["", "..", "a/b", "-a", ".a", "A", "a b", "a\n"] {
            assert!(check_key(bad).is_err(), "{bad:?}");
        }
        assert!(check_key("7kq2-implement-1").is_ok());
    }
}
