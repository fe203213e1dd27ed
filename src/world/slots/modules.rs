//! Submodules in a slot, as its base names them, from what the user has of them:
//! `modules/` in the git dir. Nothing is fetched.
//!
//! Each gets a git dir of its own inside the slot's (`git/modules/<name>`), which
//! borrows the objects of the user's. A submodule that the user never initialised
//! stays an empty folder, as in a new worktree; one whose commit is not there is
//! a fault.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use super::clean::{Wanted, foreign};
use super::index::Index;
use super::keep::{Keep, at};
use super::private::{self, check_out, hollow};
use super::traits::opened;
use super::{Home, RepoPaths, Slot, SlotError, Snapshot};
use crate::domain::id::Oid;

/// How deep submodules of submodules go.
const DEEPEST: usize = 8;

/// A submodule that was filled.
#[derive(Clone, Debug)]
pub(crate) struct Module {
    /// Its path from the top of the slot's tree.
    pub(crate) path: Vec<u8>,
    git_dir: PathBuf,
    commit: Oid,
    snapshot: Snapshot,
}

impl Module {
    /// Whether its files and its HEAD are as they were filled, and those of the
    /// submodules below it. `kept` are the paths of the slot's tree that are not
    /// ignored: what is none of them does not count.
    pub(crate) fn is_untouched(&self, slot: &Slot, kept: Option<&[Vec<u8>]>) -> bool {
        let mut head = Vec::new();
        let read = opened(&self.git_dir.join("HEAD"))
            .and_then(|file| file.take(200).read_to_end(&mut head));
        if read.is_err() || head.trim_ascii() != self.commit.as_str().as_bytes() {
            return false;
        }
        let bytes = self.snapshot.index.clone();
        let Ok(index) = Index::parse(bytes, slot.home.carried.hash()) else { return false };
        let (written, keep) = (self.snapshot.written, &Keep::default());
        let wanted = Wanted { index: &index, written, keep, folder: None };
        let known = |path: &Vec<u8>| {
            let full = [self.path.as_slice(), b"/", path].concat();
            let inner = slot.modules.iter().find(|one| one.path == full);
            let counts = |one: &Vec<u8>| one.starts_with(&full);
            path == b".git"
                || inner.is_some_and(|one| one.is_untouched(slot, kept))
                || (kept.is_some_and(|kept| !kept.iter().any(counts))
                    && index.entries.iter().all(|entry| entry.path != *path))
        };
        foreign(&at(&slot.tree, &self.path), &wanted).is_ok_and(|found| found.iter().all(known))
    }
}

/// Fills every submodule of the slot that the user has.
pub(super) fn fill(slot: &Slot) -> Result<Vec<Module>, SlotError> {
    let mut found = Vec::new();
    let home = &slot.home;
    below(home, slot, &home.repo.common_dir, &mut Vec::new(), &mut found)?;
    Ok(found)
}

/// Fills the submodules of a tree whose repository has its own below `users`.
fn below(
    home: &Home,
    tree: &Slot,
    users: &Path,
    above: &mut Vec<Vec<u8>>,
    found: &mut Vec<Module>,
) -> Result<(), SlotError> {
    let Some(snapshot) = &tree.snapshot else { return Ok(()) };
    let parsed = Index::parse(snapshot.index.clone(), home.carried.hash());
    let index = parsed
        .map_err(|error| SlotError::Unfit { path: tree.dir.clone(), why: error.to_string() })?;
    if above.len() >= DEEPEST || !index.entries.iter().any(super::index::Entry::is_gitlink) {
        return Ok(());
    }
    let names = names(home, tree)?;
    for entry in index.entries.iter().filter(|entry| entry.is_gitlink()) {
        let Some(name) = names.get(&entry.path) else { continue };
        let theirs = users.join("modules").join(name);
        if !theirs.join("objects").is_dir() || !theirs.join("HEAD").is_file() {
            continue;
        }
        let id: String = index.id(entry).iter().map(|byte| format!("{byte:02x}")).collect();
        let Ok(commit) = id.parse::<Oid>() else { continue };
        let module = one(home, tree, (name, &entry.path), &theirs, &commit)?;
        let mut path = above.concat();
        path.extend_from_slice(&entry.path);
        let Some(snapshot) = module.snapshot.as_deref().cloned() else { continue };
        let git_dir = module.git_dir.clone();
        found.push(Module { path, git_dir, commit, snapshot });
        above.push([entry.path.as_slice(), b"/"].concat());
        below(home, &module, &theirs, above, found)?;
        above.pop();
    }
    Ok(())
}

/// Fills one submodule; it comes back as a slot of its own.
fn one(
    home: &Home,
    tree: &Slot,
    (name, path): (&str, &[u8]),
    theirs: &Path,
    commit: &Oid,
) -> Result<Slot, SlotError> {
    let git_dir = tree.git_dir.join("modules").join(name);
    let folder = at(&tree.tree, path);
    let object_dir = theirs.join("objects");
    let repo =
        RepoPaths { common_dir: theirs.to_owned(), object_dir, name: home.repo.name.clone() };
    let (git, carried, who) = (home.git.clone(), home.carried.clone(), home.who.clone());
    let own = Home { git, repo, carried, who };
    hollow(&git_dir, commit.as_str(), &[&own.repo.object_dir], &own, Some(&own.who))?;
    fs::create_dir_all(&folder).map_err(SlotError::io("make", &folder))?;
    let up = path.iter().filter(|byte| **byte == b'/').count() + 1;
    let to = relative(&tree.tree, &tree.git_dir);
    let link = format!("gitdir: {}{}/modules/{name}\n", "../".repeat(up), to.display());
    fs::write(folder.join(".git"), link).map_err(SlotError::io("write", &folder))?;
    let config = tree.git_dir.join("config");
    let active = format!("[submodule {}]\n\tactive = true\n", private::quoted(name));
    OpenOptions::new()
        .append(true)
        .open(&config)
        .and_then(|mut file| file.write_all(active.as_bytes()))
        .map_err(SlotError::io("write", &config))?;
    let mut module = Slot {
        tree: folder,
        git_dir,
        base: commit.clone(),
        snapshot: None,
        modules: Vec::new(),
        ..tree.clone()
    };
    check_out(&own, &mut module, Vec::new()).map_err(|_| SlotError::Submodule {
        path: String::from_utf8_lossy(path).into_owned(),
        commit: commit.clone(),
    })?;
    Ok(module)
}

/// The way from a working tree to its git dir.
fn relative(tree: &Path, git_dir: &Path) -> PathBuf {
    let shared =
        tree.components().zip(git_dir.components()).take_while(|(one, two)| one == two).count();
    let mut way = PathBuf::new();
    tree.components().skip(shared).for_each(|_| way.push(".."));
    way.extend(git_dir.components().skip(shared));
    way
}

/// The names of the submodules, by path, as the commit's `.gitmodules` has them.
/// A name that is no plain path is passed over, as git does.
fn names(home: &Home, tree: &Slot) -> Result<BTreeMap<Vec<u8>, String>, SlotError> {
    let blob = format!("{}:.gitmodules", tree.base);
    let call = home.git.at(&tree.git_dir).args(["config", "-z", "--blob", &blob]);
    let call = call.args(["--get-regexp", r"^submodule\..*\.path$"]);
    // 1: none is named; 128: there is no such file, or it can't be read.
    let asked = call.run_or(&[1, 128]);
    let (_, list) = asked.map_err(|source| SlotError::Git { path: tree.dir.clone(), source })?;
    let mut names = BTreeMap::new();
    for entry in list.split(|byte| *byte == 0) {
        let entry = String::from_utf8_lossy(entry);
        let Some((key, path)) = entry.split_once('\n') else { continue };
        let name = key.strip_prefix("submodule.").and_then(|key| key.strip_suffix(".path"));
        let plain = |name: &&str| {
            let parts = Path::new(OsStr::from_bytes(name.as_bytes())).components();
            !name.is_empty() && parts.into_iter().all(|part| matches!(part, Component::Normal(_)))
        };
        if let Some(name) = name.filter(plain) {
            names.insert(path.as_bytes().to_vec(), name.to_owned());
        }
    }
    Ok(names)
}
