//! `init` and its undoing: what was there before is there again, byte for byte.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use git_crew::domain::id::HolderId;
use git_crew::store::git::{GitStore, Options};
use git_crew::store::holder::Holder;

use super::real::{crew, git, start};

/// Every path below a folder with its mode and its bytes.
fn listing(root: &Path) -> BTreeMap<String, (u32, Vec<u8>)> {
    let mut all = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("readable") {
            let path = entry.expect("readable").path();
            let meta = path.symlink_metadata().expect("there");
            let bytes =
                if meta.is_file() { fs::read(&path).expect("readable") } else { Vec::new() };
            let name = path.strip_prefix(root).expect("below").display().to_string();
            all.insert(name, (meta.permissions().mode(), bytes));
            if meta.is_dir() {
                folders.push(path);
            }
        }
    }
    all
}

fn commit(dir: &Path, args: &[&str]) {
    let who = ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty"];
    git(dir, &[&who[..], args].concat());
}

fn there_and_back(dir: &Path, git_dir: &Path) {
    let before = listing(git_dir);
    let (code, first, story) = crew(dir, &["init"]);
    assert_eq!((code, first.lines().count()), (Some(0), 1), "{first}{story}");
    assert!(first.starts_with("initialised refs/crew in "), "{first}");
    assert!(git(dir, &["log", "--format=%s", "refs/crew"]).contains("journal"));
    git(dir, &["fsck", "--strict"]);
    let made = listing(git_dir);
    assert_ne!(made, before);
    let (code, second, _) = crew(dir, &["init"]);
    assert_eq!(code, Some(0));
    assert!(second.starts_with("refs/crew is there already in "), "{second}");
    assert_eq!(listing(git_dir), made, "twice is once");
    let (code, undone, story) = crew(dir, &["init", "--undo"]);
    assert_eq!((code, undone.lines().count()), (Some(0), 1), "{story}");
    let after = listing(git_dir);
    let names = |all: &BTreeMap<String, _>| all.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&after), names(&before));
    assert!(after == before, "a file's bytes or mode differ");
    let (code, nothing, _) = crew(dir, &["init", "--undo"]);
    assert_eq!(code, Some(0));
    assert!(nothing.starts_with("nothing to take back"), "{nothing}");
    assert!(listing(git_dir) == before, "and that wrote nothing");
}

#[test]
fn a_fresh_repository() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path();
    git(dir, &["init", "-q"]);
    there_and_back(dir, &dir.join(".git"));
}

#[test]
fn one_with_the_empty_tree_and_packed_refs() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path();
    git(dir, &["init", "-q"]);
    // Another compression than ours: the user's own bytes have to come back.
    git(dir, &["config", "core.looseCompression", "9"]);
    commit(dir, &["-m", "empty"]);
    git(dir, &["tag", "one"]);
    git(dir, &["pack-refs", "--all"]);
    let tree = dir.join(".git/objects/4b/825dc642cb6eb9a060e54bf8d69288fbee4904");
    assert!(tree.exists(), "git wrote the empty tree");
    there_and_back(dir, &dir.join(".git"));
    git(dir, &["fsck", "--strict"]);
}

#[test]
fn one_with_folders_of_our_names_and_packs() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path();
    git(dir, &["init", "-q"]);
    commit(dir, &["-m", "empty"]);
    git(dir, &["repack", "-adq"]);
    git(dir, &["prune-packed"]);
    fs::create_dir_all(dir.join(".git/refs/crew")).expect("made");
    fs::create_dir_all(dir.join(".git/refs/refs")).expect("made");
    there_and_back(dir, &dir.join(".git"));
}

#[test]
fn a_bare_one_and_a_linked_worktree() {
    let folder = tempfile::tempdir().expect("a folder");
    let bare = folder.path().join("bare.git");
    git(folder.path(), &["init", "-q", "--bare", "bare.git"]);
    there_and_back(&bare, &bare);
    let main = folder.path().join("main");
    git(folder.path(), &["init", "-q", "main"]);
    commit(&main, &["-m", "one"]);
    git(&main, &["worktree", "add", "-q", "../linked"]);
    there_and_back(&folder.path().join("linked"), &main.join(".git"));
}

#[test]
fn one_that_hashes_with_sha256() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path();
    git(dir, &["init", "-q", "--object-format=sha256"]);
    there_and_back(dir, &dir.join(".git"));
}

#[test]
fn what_the_user_did_since_stays() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path();
    git(dir, &["init", "-q"]);
    assert_eq!(crew(dir, &["init"]).0, Some(0));
    // git finds our empty tree there and takes it for its own.
    commit(dir, &["-m", "empty"]);
    assert_eq!(crew(dir, &["init", "--undo"]).0, Some(0));
    git(dir, &["fsck", "--strict"]);
    assert!(dir.join(".git/objects/4b/825dc642cb6eb9a060e54bf8d69288fbee4904").exists());
    assert!(!dir.join(".git/crew").exists());
}

#[test]
fn runs_are_in_the_way_until_a_person_insists() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path();
    git(dir, &["init", "-q"]);
    commit(dir, &["-m", "one"]);
    assert_eq!(crew(dir, &["init"]).0, Some(0));
    drop(start(dir, git(dir, &["rev-parse", "HEAD"]).parse().expect("an id")));
    let before = listing(&dir.join(".git/refs"));
    let (code, _, story) = crew(dir, &["init", "--undo"]);
    assert_eq!(code, Some(1), "{story}");
    assert!(story.contains("7kq2-fix") && story.contains("--force"), "{story}");
    assert!(listing(&dir.join(".git/refs")) == before, "a refusal writes nothing");
    let tip = git(dir, &["rev-parse", "refs/crew/runs/7kq2-fix"]);

    let store = GitStore::open(dir, Options::new(HolderId::new([9; 16]))).expect("a repository");
    let life = Holder::take(&store).expect("taken");
    let (code, _, story) = crew(dir, &["init", "--undo", "--force"]);
    assert_eq!(code, Some(4), "{story}");
    assert!(story.contains("is at work"), "{story}");
    assert!(listing(&dir.join(".git/refs")) == before, "a refusal writes nothing");
    drop(life);

    let (code, told, story) = crew(dir, &["init", "--undo", "--force"]);
    assert_eq!(code, Some(0), "{story}");
    assert!(told.contains("deleted 1 run"), "{told}");
    assert_eq!(git(dir, &["for-each-ref", "refs/crew", "refs/refs"]), "");
    assert!(!dir.join(".git/crew").exists() && !dir.join(".git/refs/crew").exists());
    assert_eq!(git(dir, &["cat-file", "-t", &tip]), "commit", "objects stay");
    git(dir, &["fsck", "--strict"]);
}

#[test]
fn what_can_not_be_used_is_refused_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path();
    git(dir, &["init", "-q"]);
    git(dir, &["config", "core.repositoryFormatVersion", "1"]);
    git(dir, &["config", "extensions.refStorage", "reftable"]);
    let (code, _, story) = crew(dir, &["init"]);
    assert_eq!(code, Some(128), "{story}");
    assert!(story.contains("reftable"), "{story}");
}

#[test]
fn a_refspec_over_our_refs_is_warned_of() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path();
    git(dir, &["init", "-q"]);
    git(dir, &["config", "remote.origin.fetch", "+refs/*:refs/*"]);
    let (code, _, story) = crew(dir, &["init"]);
    assert_eq!(code, Some(0));
    assert!(story.contains("warning:") && story.contains("'+refs/*:refs/*'"), "{story}");
    let (_, json, _) = crew(dir, &["init", "--json"]);
    let told: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(told["data"]["done"], "nothing");
}
