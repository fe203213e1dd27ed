//! What may not be read (`crew.denyRead`). Rights of landlock add up: nothing
//! can be taken back below a folder that was granted. So reading is granted for
//! every neighbour on the way from the root to what is hidden.
//!
//! Limits: names can be listed everywhere. What is made later beside a hidden
//! path, or beside a folder on the way to it, can't be read either.

use std::fs;
use std::path::{Path, PathBuf};

/// A path as it really is, as far as it is there: links on the way to what will
/// be made later are resolved.
pub(super) fn real(path: &Path) -> PathBuf {
    let mut rest = Vec::new();
    for there in path.ancestors() {
        if let Ok(found) = there.canonicalize() {
            return rest.into_iter().rev().fold(found, |path, name| path.join(name));
        }
        rest.extend(there.file_name());
    }
    path.to_owned()
}

/// Everything that may be read while these real paths may not.
pub(super) fn open(hidden: &[PathBuf]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    visit(Path::new("/"), hidden, &mut found);
    found
}

fn visit(folder: &Path, hidden: &[PathBuf], found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        // A rule on a link would be one on what it leads to.
        if hidden.contains(&path) || entry.file_type().is_ok_and(|kind| kind.is_symlink()) {
            continue;
        }
        if hidden.iter().any(|hidden| hidden.starts_with(&path)) {
            visit(&path, hidden, found);
        } else {
            found.push(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_open_and_the_hidden_is_not_even_by_a_link() {
        let top = tempfile::tempdir().unwrap();
        let at = |name: &str| top.path().canonicalize().unwrap().join(name);
        fs::create_dir_all(at("home/.ssh")).unwrap();
        fs::create_dir_all(at("home/code")).unwrap();
        std::os::unix::fs::symlink(at("home/.ssh"), at("home/keys")).unwrap();
        let hidden = [real(&at("home/keys")), real(&at("home/later/key"))];
        assert_eq!(hidden, [at("home/.ssh"), at("home/later/key")]);
        let open = open(&hidden);
        assert!(open.contains(&at("home/code")));
        for closed in ["home/.ssh", "home/keys", "home", "home/later"] {
            assert!(!open.contains(&at(closed)), "{closed}");
        }
        assert!(open.iter().all(|path| !at("home/.ssh/id").starts_with(path)));
    }
}
