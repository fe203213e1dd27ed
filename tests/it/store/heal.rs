//! Objects that vanish or break, and disks that are full.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use git_crew::domain::id::Oid;
use git_crew::store::{Chains, GitStore, Options, StoreError, Swap};

use super::fixture::{Mount, Repo, entry, entry_with, holder, messages, open, run_ref};

fn loose(git_dir: &Path, id: &Oid) -> PathBuf {
    let (folder, file) = id.as_str().split_at(2);
    git_dir.join("objects").join(folder).join(file)
}

fn tip(swap: Swap) -> Oid {
    swap.won().cloned().expect("nobody else writes")
}

#[test]
fn a_pruned_object_is_put_back_by_whoever_meets_the_hole() {
    let repo = Repo::new();
    let store = repo.store("h1");
    let name = run_ref("aaaa-heal");
    let one = tip(store.append(&name, None, &[entry_with("1", &[("a/b", Some("x"))])]).unwrap());
    let two = tip(store.append(&name, Some(&one), &[entry("2")]).unwrap());
    let tree = store.entry(&one).unwrap().tree;
    for gone in [&one, &tree, &two] {
        let file = loose(&repo.git_dir(), gone);
        std::fs::remove_file(&file).unwrap();
        let reader = repo.store("reader");
        assert_eq!(messages(&reader, &name), ["1", "2"]);
        assert_eq!(reader.file(&two, "a/b").unwrap().as_deref(), Some(b"x".as_slice()));
        assert!(file.exists(), "the object was not put back");
    }
    // Cut off, as after a power cut without syncs.
    std::fs::remove_file(loose(&repo.git_dir(), &one)).unwrap();
    std::fs::write(loose(&repo.git_dir(), &one), "").unwrap();
    assert_eq!(messages(&repo.store("reader"), &name), ["1", "2"]);
    repo.fsck();
    for gone in [&one, &tree, &two] {
        std::fs::remove_file(loose(&repo.git_dir(), gone)).unwrap();
    }
    assert_eq!(store.recheck().unwrap(), 3);
    assert_eq!(store.recheck().unwrap(), 0);
    repo.fsck();
}

#[test]
fn a_hole_that_nobody_can_fill_is_damage_by_name() {
    let repo = Repo::new();
    let options = Options { keep_recent: Duration::ZERO, ..Options::new(holder("h1")) };
    let store = GitStore::open(repo.path(), options).unwrap();
    let name = run_ref("aaaa-hole");
    let one = tip(store.append(&name, None, &[entry("1")]).unwrap());
    let segments = repo.git_dir().join("crew/recent/h1");
    assert_eq!(std::fs::read_dir(&segments).unwrap().count(), 1);
    std::thread::sleep(Duration::from_millis(2));
    store.recheck().unwrap();
    assert!(!segments.exists() || std::fs::read_dir(&segments).unwrap().count() == 0);
    std::fs::remove_file(loose(&repo.git_dir(), &one)).unwrap();
    for refused in [store.entry(&one).err(), store.append(&name, Some(&one), &[entry("2")]).err()] {
        match refused {
            Some(StoreError::Damaged { what: "commit", name, .. }) => {
                assert_eq!(name, one.as_str())
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(store.tip(&name).unwrap(), Some(one), "a ref is never moved back");
}

/// Says that the machine was started again since `since`.
pub(super) fn reboot(git_dir: &Path, since: SystemTime) {
    let marker = git_dir.join("crew/boot");
    std::fs::write(&marker, "another boot\n").unwrap();
    std::fs::File::options().write(true).open(&marker).unwrap().set_modified(since).unwrap();
}

#[test]
fn after_a_reboot_broken_objects_are_out_of_the_way() {
    let repo = Repo::new();
    let store = repo.store("h1");
    let name = run_ref("aaaa-boot");
    let one = tip(store.append(&name, None, &[entry("1")]).unwrap());
    let broken = repo.git_dir().join("objects/ab").join("cd".repeat(19));
    std::fs::create_dir_all(broken.parent().unwrap()).unwrap();
    std::fs::write(&broken, "").unwrap();
    let old = repo.git_dir().join("objects/ab").join("ef".repeat(19));
    std::fs::write(&old, "broken long ago, not ours to judge").unwrap();
    let hour = Duration::from_secs(3600);
    let file = std::fs::File::options().write(true).open(&old).unwrap();
    file.set_modified(SystemTime::now() - 2 * hour).unwrap();
    std::fs::remove_file(loose(&repo.git_dir(), &one)).unwrap();
    // The same boot: nothing is looked for.
    tip(repo.store("h2").append(&run_ref("aaaa-x"), None, &[entry("x")]).unwrap());
    assert!(broken.exists());
    reboot(&repo.git_dir(), SystemTime::now() - hour);
    tip(repo.store("h3").append(&run_ref("aaaa-y"), None, &[entry("y")]).unwrap());
    assert!(!broken.exists() && old.exists());
    assert!(loose(&repo.git_dir(), &one).exists(), "not put back");
    let quarantine = repo.git_dir().join("crew/quarantine");
    assert_eq!(std::fs::read_dir(quarantine).unwrap().count(), 1);
    std::fs::remove_file(old).unwrap();
    repo.fsck();
}

#[test]
fn a_full_disk_refuses_and_loses_nothing() {
    let Some(mount) = Mount::new(&["-t", "tmpfs", "-o", "size=2m", "tmpfs"]) else { return };
    let dir = mount.path().join("repo");
    std::fs::create_dir(&dir).unwrap();
    super::fixture::git(&dir, &["init", "-q"]);
    let filler = mount.path().join("filler");
    std::fs::write(&filler, vec![0u8; 1 << 20]).unwrap();
    let store = open(&dir, "h1");
    let name = run_ref("aaaa-full");
    let (mut at, mut n) = (None, 0);
    let refused = loop {
        let new = entry_with(&n.to_string(), &[(&format!("f{n}"), Some(&"x".repeat(2_000)))]);
        match store.append(&name, at.as_ref(), &[new]) {
            Ok(swap) => at = Some(tip(swap)),
            Err(error) => break error,
        }
        n += 1;
        assert!(n < 10_000, "the disk does not fill");
    };
    assert!(matches!(refused, StoreError::DiskFull { .. }), "{refused:?}");
    assert_eq!(store.tip(&name).unwrap(), at, "an event that was refused is in the chain");
    let want: Vec<String> = (0..n).map(|n| n.to_string()).collect();
    assert_eq!(messages(&store, &name), want);
    std::fs::remove_file(&filler).unwrap();
    for extra in ["more", "and more"] {
        at = Some(tip(store.append(&name, at.as_ref(), &[entry(extra)]).unwrap()));
    }
    assert_eq!(messages(&open(&dir, "h2"), &name).len(), want.len() + 2);
    super::fixture::git(&dir, &["fsck", "--strict", "--no-dangling"]);
}

#[test]
fn a_read_only_repository_can_be_read_and_says_so() {
    let Some(mount) = Mount::new(&["-t", "tmpfs", "-o", "size=4m", "tmpfs"]) else { return };
    let dir = mount.path().join("repo");
    std::fs::create_dir(&dir).unwrap();
    super::fixture::git(&dir, &["init", "-q"]);
    let name = run_ref("aaaa-ro");
    let one = tip(open(&dir, "h1").append(&name, None, &[entry("1")]).unwrap());
    let remount = ["-o", "remount,ro"];
    let status = std::process::Command::new("mount").args(remount).arg(mount.path()).status();
    assert!(status.unwrap().success());
    let store = open(&dir, "h2");
    assert_eq!(messages(&store, &name), ["1"]);
    let refused = store.append(&name, Some(&one), &[entry("2")]);
    assert!(matches!(refused, Err(StoreError::ReadOnly { .. })), "{refused:?}");
}
