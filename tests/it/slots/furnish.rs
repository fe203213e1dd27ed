//! What a slot gets beside the tracked files: copies, submodules, large files.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use git_crew::domain::id::Oid;
use git_crew::world::harvest::harvest;
use git_crew::world::slots::{Copying, Furnished, Kind, Returned, Slot, SlotError, leads_out};
use sha2::{Digest, Sha256};

use super::fixture::{World, agent, git_in, meta, names, open, put};
use super::warm::pooled;

fn copying(world: &World, patterns: &[&str]) -> Copying {
    Copying {
        checkout: world.user.clone(),
        git_dir: world.common.clone(),
        patterns: patterns.iter().map(|pattern| (*pattern).to_owned()).collect(),
        reserve: 0,
    }
}

/// A slot with copies, and how many files came.
fn copied(world: &World, key: &str, patterns: &[&str]) -> (Slot, usize) {
    let mut slot = world.make(key);
    let came = world.slots.furnish(&mut slot, Some(&copying(world, patterns))).unwrap();
    (slot, came.copied)
}

fn below(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for name in names(folder) {
        let path = folder.join(&name);
        if path.symlink_metadata().unwrap().is_dir() && name != ".git" {
            found.extend(below(&path).into_iter().map(|inner| format!("{name}/{inner}")));
        } else {
            found.push(name);
        }
    }
    found
}

#[test]
fn ignored_files_come_as_copies_of_their_own() {
    let world = World::with(|user| put(&user.join(".worktreeinclude"), "# mine\n/target/\n"));
    let user = |path: &str| world.user.join(path);
    put(&user("a.log"), "secret");
    fs::set_permissions(user("a.log"), fs::Permissions::from_mode(0o600)).unwrap();
    put(&user("src/b.log"), "deep");
    put(&user("target/debug/app"), "built");
    put(&user("untracked"), "work in progress");
    let before = world.fingerprint();
    let (slot, came) = copied(&world, "s1", &["*.log", "untracked", "README"]);
    assert_eq!(came, 3);
    assert_eq!(world.fingerprint(), before);
    let all = below(&slot.tree);
    assert!(all.contains(&"target/debug/app".to_owned()) && all.contains(&"src/b.log".to_owned()));
    assert!(!all.contains(&"untracked".to_owned()), "what is not ignored would be the agent's");
    let there = slot.tree.join("a.log").symlink_metadata().unwrap();
    let here = user("a.log").symlink_metadata().unwrap();
    assert_eq!((there.mode(), there.mtime_nsec()), (here.mode(), here.mtime_nsec()));
    assert_eq!((there.nlink(), here.nlink()), (1, 1));
    assert_ne!(there.ino(), here.ino());
    fs::write(slot.tree.join("a.log"), "changed").unwrap();
    assert_eq!(fs::read(user("a.log")).unwrap(), b"secret");
    let got = harvest(&slot, &meta()).unwrap();
    assert_eq!(got.commit, world.base, "{:?}", got.changed);
    assert_eq!(below(&slot.dir).iter().filter(|path| path.starts_with("copy-")).count(), 0);
}

#[test]
fn nothing_is_copied_through_a_link_or_from_outside() {
    let world = World::with(|user| {
        put(&user.join(".worktreeinclude"), "../outside/secret\n/../../etc/passwd\n*.log\nlink\n");
        put(&user.join(".gitignore"), "*.log\nlink\nnested/\n");
    });
    let outside = world.top.path().join("outside");
    put(&outside.join("secret"), "s");
    put(&outside.join("x.log"), "s");
    let user = |path: &str| world.user.join(path);
    symlink(&outside, user("link")).unwrap();
    symlink(&outside, user("src/deep.log")).unwrap();
    symlink("../../outside/secret", user("up.log")).unwrap();
    symlink("a.txt", user("src/fine.log")).unwrap();
    put(&user("nested/n.log"), "n");
    git_in(&user("nested"), &["init", "-q"]);
    let fifo = Command::new("mkfifo").arg(user("pipe.log")).status().unwrap();
    assert!(fifo.success());
    let (slot, came) = copied(&world, "s1", &[]);
    assert_eq!(came, 1, "{:?}", below(&slot.tree));
    assert_eq!(fs::read_link(slot.tree.join("src/fine.log")).unwrap(), Path::new("a.txt"));
    for bad in ["../x", "a/../b"] {
        assert!(leads_out(bad));
    }
}

#[test]
fn a_list_that_is_no_file_says_nothing() {
    for make in [
        |path: &Path| symlink("/etc/passwd", path).unwrap(),
        |path: &Path| assert!(Command::new("mkfifo").arg(path).status().unwrap().success()),
        |path: &Path| fs::create_dir(path).unwrap(),
        |path: &Path| fs::write(path, "*.log\n".repeat(1 << 18)).unwrap(),
    ] {
        let world = World::new();
        put(&world.user.join("a.log"), "a");
        make(&world.user.join(".worktreeinclude"));
        assert_eq!(copied(&world, "s1", &[]).1, 0);
    }
}

#[test]
fn what_is_there_already_is_not_copied_again() {
    let world = World::new();
    put(&world.user.join("target/app"), "theirs");
    put(&world.user.join("a.log"), "one");
    let slots = pooled(&world, &["target"]);
    let mut slot = slots.take(&world.base, "one").unwrap();
    let all = copying(&world, &["target", "*.log"]);
    assert_eq!(slots.furnish(&mut slot, Some(&all)).unwrap().copied, 2);
    put(&slot.tree.join("target/app"), "built here");
    assert_eq!(slots.give_back(slot).unwrap(), Returned::Pooled);
    put(&world.user.join("target/more"), "more");
    put(&world.user.join("a.log"), "two");
    let mut slot = slots.take(&world.base, "two").unwrap();
    assert_eq!(slots.furnish(&mut slot, Some(&all)).unwrap().copied, 1);
    assert_eq!(fs::read(slot.tree.join("target/app")).unwrap(), b"built here");
    assert_eq!(fs::read(slot.tree.join("a.log")).unwrap(), b"two");
    assert_eq!(names(&slot.tree.join("target")), ["app"]);
}

#[test]
fn without_room_nothing_is_copied() {
    let world = World::new();
    put(&world.user.join("a.log"), "a");
    let mut slot = world.make("s1");
    let greedy = Copying { reserve: u64::MAX, ..copying(&world, &["*.log"]) };
    match world.slots.furnish(&mut slot, Some(&greedy)) {
        Err(SlotError::NoRoom { need: 1, .. }) => {}
        Ok(_) => eprintln!("skipped: this file system shares blocks"),
        other => panic!("{other:?}"),
    }
}

/// A small file system of its own, for as long as the value lives.
struct Disk(PathBuf);

impl Disk {
    fn mount(at: &Path, options: &str) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", options, "none"]).arg(at).status();
        mounted.is_ok_and(|status| status.success()).then(|| Self(at.to_owned()))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_disk_that_fills_up_in_the_middle_leaves_nothing_half() {
    let world = World::new();
    for n in 0..300 {
        put(&world.user.join(format!("target/{}/{n}", n % 7)), "x");
    }
    let top = world.top.path().join("small");
    // Blocks are free to the end, room for names is not.
    let Some(_disk) = Disk::mount(&top, "size=20m,nr_inodes=200") else {
        return eprintln!("skipped: no right to mount");
    };
    let slots = open(&top, &world.common, Kind::Private);
    let mut slot = slots.make(&world.base, "s1").unwrap();
    let before = below(&slot.dir);
    let failed = slots.furnish(&mut slot, Some(&copying(&world, &["target"])));
    let full = |source: &std::io::Error| source.kind() == std::io::ErrorKind::StorageFull;
    assert!(matches!(&failed, Err(SlotError::Io { source, .. }) if full(source)), "{failed:?}");
    assert_eq!(below(&slot.dir), before);
    assert!(!slot.tree.join("target").exists());
}

/// A repository with a submodule in a submodule, each initialised.
fn nested() -> (World, Oid) {
    let world = World::new();
    let top = world.top.path();
    for (name, inner) in [("inner", None), ("outer", Some("inner"))] {
        let dir = top.join(name);
        fs::create_dir(&dir).unwrap();
        git_in(&dir, &["init", "-q"]);
        put(&dir.join("file"), name);
        put(&dir.join(".gitignore"), "built\n");
        if let Some(inner) = inner {
            add(&dir, &top.join(inner), "deep/inner");
        }
        git_in(&dir, &["add", "-A"]);
        git_in(&dir, &["commit", "-qm", name]);
    }
    add(&world.user, &top.join("outer"), "lib/outer");
    let allow = ["-c", "protocol.file.allow=always"];
    git_in(
        &world.user,
        &[&allow[..], &["submodule", "-q", "update", "--init", "--recursive"]].concat(),
    );
    git_in(&world.user, &["commit", "-qam", "modules"]);
    let base = git_in(&world.user, &["rev-parse", "HEAD"]).parse().unwrap();
    (world, base)
}

fn add(dir: &Path, from: &Path, at: &str) {
    let from = from.to_str().unwrap();
    git_in(
        dir,
        &[
            "-c",
            "protocol.file.allow=always",
            "submodule",
            "-q",
            "add",
            "--name",
            "the one",
            from,
            at,
        ],
    );
}

#[test]
fn submodules_come_from_what_the_user_has() {
    let (world, base) = nested();
    // Git renews the times of loose objects that it would write again.
    let all = || {
        let mut seen = world.fingerprint();
        seen.retain(|path, _| !path.components().any(|part| part.as_os_str() == "objects"));
        seen
    };
    let before = all();
    let slots = pooled(&world, &[]);
    for key in ["one", "two"] {
        let mut slot = slots.take(&base, key).unwrap();
        let came = slots.furnish(&mut slot, None).unwrap();
        assert_eq!(came, Furnished { modules: 2, ..Furnished::default() });
        let outer = slot.tree.join("lib/outer");
        assert_eq!(fs::read(outer.join("file")).unwrap(), b"outer");
        assert_eq!(fs::read(outer.join("deep/inner/file")).unwrap(), b"inner");
        assert_eq!(git_in(&slot.tree, &["status", "--porcelain"]), "");
        assert_eq!(git_in(&outer, &["status", "--porcelain"]), "");
        assert!(
            git_in(&slot.tree, &["submodule", "status"]).starts_with(' ')
                || !git_in(&slot.tree, &["submodule", "status"]).starts_with('-')
        );
        // Ignored products in it are no change.
        put(&outer.join("built"), "product");
        let got = harvest(&slot, &meta()).unwrap();
        assert_eq!((got.commit.as_str(), got.strays.len()), (base.as_str(), 0), "{:?}", got.strays);
        agent(&slot, "echo changed > lib/outer/file; git -C lib/outer commit -qam mine");
        let got = harvest(&slot, &meta()).unwrap();
        assert_eq!(got.strays.len(), 1);
        assert_eq!(world.show(&got.strays[0].id, "lib/outer/file"), "changed");
        assert_eq!(slots.give_back(slot).unwrap(), Returned::Pooled);
    }
    assert!(all() == before, "something of the user's changed");
}

#[test]
fn a_submodule_that_is_not_there_is_a_fault_or_an_empty_folder() {
    let (world, base) = nested();
    let mut slot = world.slots.make(&base, "one").unwrap();
    let modules = world.common.join("modules");
    let inner = modules.join("the one/modules/the one");
    fs::rename(&inner, inner.with_file_name("away")).unwrap();
    assert_eq!(world.slots.furnish(&mut slot, None).unwrap().modules, 1);
    world.slots.remove(&slot).unwrap();
    // Initialised, but its commit is gone.
    fs::remove_dir_all(modules.join("the one/objects")).unwrap();
    fs::create_dir(modules.join("the one/objects")).unwrap();
    let mut slot = world.slots.make(&base, "two").unwrap();
    let failed = world.slots.furnish(&mut slot, None);
    assert!(matches!(failed, Err(SlotError::Submodule { path, .. }) if path == "lib/outer"));
    world.slots.remove(&slot).unwrap();
    fs::remove_dir_all(&modules).unwrap();
    let mut slot = world.slots.make(&base, "three").unwrap();
    assert_eq!(world.slots.furnish(&mut slot, None).unwrap(), Furnished::default());
}

fn pointer(content: &str) -> (String, String) {
    let sum: String = Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect();
    let text = format!(
        "version https://git-lfs.github.com/spec/v1\noid sha256:{sum}\nsize {}\n",
        content.len()
    );
    (sum, text)
}

#[test]
fn large_files_come_from_the_users_store_and_go_back_to_it() {
    let (sum, text) = pointer("large content");
    let (_, missing) = pointer("never fetched");
    let world = World::with(|user| {
        put(&user.join(".gitattributes"), "*.bin filter=lfs -text\n");
        put(&user.join("a.bin"), &text);
        put(&user.join("b.bin"), &missing);
        put(&user.join("not-lfs"), &text);
    });
    let store = world.common.join("lfs/objects");
    let place = store.join(&sum[0..2]).join(&sum[2..4]).join(&sum);
    put(&place, "large content");
    // Git itself looks again at what is as young as its index.
    let old = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_500_000_000);
    fs::File::open(&place).unwrap().set_modified(old).unwrap();
    let slots = pooled(&world, &[]);
    for key in ["one", "two"] {
        let mut slot = slots.take(&world.base, key).unwrap();
        let came = slots.furnish(&mut slot, None).unwrap();
        assert_eq!(came.large, usize::from(key == "one"), "kept in its place for the second");
        let read = |path: &str| fs::read_to_string(slot.tree.join(path)).unwrap();
        assert_eq!((read("a.bin"), read("b.bin")), ("large content".into(), missing.clone()));
        assert_eq!(read("not-lfs"), text);
        assert_eq!(git_in(&slot.tree, &["status", "--porcelain"]), "");
        let got = harvest(&slot, &meta()).unwrap();
        assert_eq!(got.commit, world.base, "{:?}", got.changed);
        // Another process knows no times and reads it all.
        let again = slots.reopen(key, &world.base).unwrap();
        let got = harvest(&again, &meta()).unwrap();
        assert_eq!(got.commit, world.base, "{:?}", got.changed);
        let new = format!("new content of {key}");
        put(&slot.tree.join("new.bin"), &new);
        let got = harvest(&slot, &meta()).unwrap();
        let (sum, text) = pointer(&new);
        assert_eq!(world.show(&got.commit, "new.bin"), text.trim_end());
        let kept = store.join(&sum[0..2]).join(&sum[2..4]).join(&sum);
        assert_eq!(fs::read_to_string(kept).unwrap(), new);
        drop(again);
        assert_eq!(slots.give_back(slot).unwrap(), Returned::Pooled);
    }
}
