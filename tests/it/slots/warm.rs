//! Slots that are used again: whatever an attempt left, the next one finds a
//! fresh checkout.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use git_crew::domain::id::Oid;
use git_crew::world::harvest::harvest;
use git_crew::world::slots::{Keep, Pooling, Returned, Slot, SlotError, Slots};

use super::fixture::{World, agent, git_in, meta, names, put};

pub(super) fn pooling(max: usize, keep: &[&str]) -> Pooling {
    let keep: Vec<String> = keep.iter().map(|name| (*name).to_owned()).collect();
    Pooling { max, keep: Keep::new(&keep).unwrap(), boot: "this boot".into() }
}

pub(super) fn pooled(world: &World, keep: &[&str]) -> Slots {
    world.slots.clone().pooled(pooling(4, keep))
}

/// Takes a slot, lets `act` do its worst in it, gives it back.
pub(super) fn used(
    slots: &Slots,
    base: &Oid,
    key: &str,
    act: impl FnOnce(&Slot),
) -> (Was, Returned) {
    let slot = slots.take(base, key).unwrap();
    act(&slot);
    harvest(&slot, &meta()).unwrap();
    let was = Was { dir: slot.dir.clone(), tree: slot.tree.clone() };
    (was, slots.give_back(slot).unwrap())
}

/// Where a slot was.
pub(super) struct Was {
    pub(super) dir: PathBuf,
    pub(super) tree: PathBuf,
}

/// Every path of a slot's folder but its git dir: kind, mode, owner, content,
/// number of names, attributes.
fn listing(slot: &Slot, but: &[&str]) -> BTreeMap<PathBuf, String> {
    let mut seen = BTreeMap::new();
    let mut open = vec![slot.dir.clone()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let meta = path.symlink_metadata().unwrap();
            if path == slot.git_dir || but.iter().any(|name| path.ends_with(name)) {
                continue;
            }
            let mut names = Vec::with_capacity(1 << 12);
            rustix::fs::llistxattr(&path, rustix::buffer::spare_capacity(&mut names)).unwrap();
            let (content, links) = if meta.is_dir() {
                open.push(path.clone());
                (Vec::new(), 0)
            } else if meta.is_symlink() {
                (fs::read_link(&path).unwrap().as_os_str().as_bytes().to_vec(), 1)
            } else {
                (fs::read(&path).unwrap(), meta.nlink())
            };
            let what = format!(
                "{:o} {}:{} {links} {names:?} {content:?}",
                meta.permissions().mode() | if meta.is_dir() { 0 } else { meta.mode() & 0o170_000 },
                meta.uid(),
                meta.gid()
            );
            seen.insert(path.strip_prefix(&slot.dir).unwrap().to_owned(), what);
        }
    }
    seen
}

/// Compares a reused slot with one that was just made, and asks git.
pub(super) fn is_fresh(world: &World, slot: &Slot, but: &[&str]) {
    let fresh = world.slots.make(&slot.base, &format!("{}-fresh", slot.key)).unwrap();
    let (here, there) = (listing(slot, but), listing(&fresh, but));
    let differ: Vec<_> = here
        .iter()
        .filter(|(path, what)| there.get(*path) != Some(what))
        .chain(there.iter().filter(|(path, _)| !here.contains_key(*path)))
        .collect();
    assert!(differ.is_empty(), "{differ:?}");
    assert_eq!(git_in(&slot.tree, &["status", "--porcelain", "--ignored"]), "");
    assert_eq!(git_in(&slot.tree, &["rev-parse", "HEAD"]), slot.base.as_str());
    // The index says what is there without a look into any file, and is sound.
    assert_eq!(git_in(&slot.tree, &["diff-files", "--name-only"]), "");
    assert_eq!(git_in(&slot.tree, &["fsck", "--strict", "--no-dangling"]), "");
    let refs = ["for-each-ref", "--format=%(refname) %(objectname)"];
    assert_eq!(git_in(&slot.tree, &refs), git_in(&fresh.tree, &refs));
    assert_eq!(
        fs::read(slot.git_dir.join("config")).unwrap(),
        fs::read(fresh.git_dir.join("config")).unwrap()
    );
    world.slots.remove(&fresh).unwrap();
}

pub(super) fn command(program: &str, dir: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(dir).stdin(Stdio::null()).stdout(Stdio::null());
    command
}

#[test]
fn what_did_not_change_keeps_its_inode_and_its_time() {
    let world = World::new();
    let slots = pooled(&world, &[]);
    let stat = |slot: &Slot, path: &str| {
        let meta = slot.tree.join(path).symlink_metadata().unwrap();
        (meta.ino(), meta.mtime(), meta.mtime_nsec())
    };
    let mut before = Vec::new();
    let paths = ["README", "src/a.txt", "src/b.txt"];
    let (was, _) = used(&slots, &world.base, "one", |slot| {
        before = paths.iter().map(|path| stat(slot, path)).collect();
        put(&slot.tree.join("src/b.txt"), "other\n");
        let top = slot.tree.symlink_metadata().unwrap().ino();
        before.push((top, 0, 0));
    });
    for key in ["two", "three"] {
        let next = slots.take(&world.base, key).unwrap();
        assert_eq!(next.dir, was.dir);
        assert_eq!(stat(&next, "README"), before[0]);
        assert_eq!(stat(&next, "src/a.txt"), before[1]);
        assert_ne!(stat(&next, "src/b.txt"), before[2]);
        assert_ne!(stat(&next, ".").0, before[3].0, "the top folder is the old one");
        slots.give_back(next).unwrap();
    }
}

#[test]
fn another_base_comes_out_of_the_same_slot() {
    let world = World::new();
    let slots = pooled(&world, &[]);
    let (was, _) = used(&slots, &world.base, "one", |slot| agent(slot, "echo x > src/a.txt"));
    git_in(&world.user, &["rm", "-q", "src/b.txt"]);
    put(&world.user.join("src/a.txt"), "a2\n");
    put(&world.user.join("new/er/file"), "new\n");
    git_in(&world.user, &["add", "-A"]);
    git_in(&world.user, &["commit", "-qm", "next"]);
    let next: Oid = git_in(&world.user, &["rev-parse", "HEAD"]).parse().unwrap();
    for (key, base) in [("two", &next), ("three", &world.base), ("four", &next)] {
        let slot = slots.take(base, key).unwrap();
        assert_eq!(slot.dir, was.dir);
        is_fresh(&world, &slot, &[]);
        agent(&slot, "echo 1 > one; git add one; git commit -qm one");
        let got = harvest(&slot, &meta()).unwrap();
        assert_eq!((got.changed.len(), got.agent_commits), (1, 1));
        assert_eq!(slots.give_back(slot).unwrap(), Returned::Pooled);
    }
}

/// A process that works in a folder until it is told to end.
struct Lodger(Child);

impl Lodger {
    fn start(dir: &Path, script: &str) -> Self {
        let mut shell = command("sh", dir);
        let shell = shell.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = shell.spawn().unwrap();
        // Only what it has said proves that it is there.
        let mut said = [0];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut said).unwrap();
        Self(child)
    }
}

impl Drop for Lodger {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        self.0.wait().unwrap();
    }
}

#[test]
fn a_slot_that_somebody_is_still_in_is_removed() {
    let world = World::new();
    let slots = pooled(&world, &[]);
    let dwell: [(&str, &str); 3] = [
        ("working", "echo; cat >/dev/null"),
        ("reading", "exec 3<README; cd /; echo; cat >/dev/null"),
        ("writing", "exec 3>>src/a.txt; cd /; echo; cat >/dev/null"),
    ];
    for (key, script) in dwell {
        let slot = slots.take(&world.base, key).unwrap();
        let lodger = Lodger::start(&slot.tree, script);
        let dir = slot.dir.clone();
        assert_eq!(slots.give_back(slot).unwrap(), Returned::Removed, "{key}");
        drop(lodger);
        assert!(!dir.exists(), "{key}");
        assert_eq!(names(&slots.root().join(".pool")), ["lock"], "{key}");
        let next = slots.take(&world.base, &format!("{key}-next")).unwrap();
        assert_ne!(next.dir, dir, "{key}: a name was used twice");
        is_fresh(&world, &next, &[]);
        slots.remove(&next).unwrap();
        assert_eq!(names(slots.root()), [".pool"]);
    }
}

#[test]
fn build_folders_stay_when_they_are_named_and_ignored() {
    let world = World::new();
    let slots = pooled(&world, &["target", "src", "plain"]);
    let outside = world.top.path().join("outside");
    put(&outside, "theirs");
    let (was, returned) = used(&slots, &world.base, "one", |slot| {
        put(&slot.tree.join("target/debug/app"), "built");
        put(&slot.tree.join("src/target/deps/lib"), "built");
        put(&slot.tree.join("plain/not-ignored"), "no");
        let debug = slot.tree.join("target/debug");
        fs::hard_link(debug.join("app"), debug.join("app-twin")).unwrap();
        fs::hard_link(&outside, debug.join("shared")).unwrap();
        agent(slot, "mkfifo target/pipe; echo '!target' >> .gitignore; echo plain >> .gitignore");
    });
    assert_eq!(returned, Returned::Pooled);
    let next = slots.take(&world.base, "two").unwrap();
    assert_eq!(next.dir, was.dir);
    let at = |path: &str| next.tree.join(path);
    assert_eq!(fs::read(at("target/debug/app")).unwrap(), b"built");
    assert_eq!(at("target/debug/app").symlink_metadata().unwrap().nlink(), 2);
    assert!(at("src/target/deps/lib").exists());
    for gone in ["target/debug/shared", "target/pipe", "plain"] {
        assert!(at(gone).symlink_metadata().is_err(), "{gone}");
    }
    assert_eq!(git_in(&next.tree, &["status", "--porcelain"]), "");
    fs::write(at("target/debug/app"), "again").unwrap();
    assert_eq!(fs::read(&outside).unwrap(), b"theirs");
    // A base that tracks what another ignores gets its own files.
    put(&world.user.join("target/tracked"), "t");
    git_in(&world.user, &["add", "-f", "target/tracked"]);
    git_in(&world.user, &["commit", "-qm", "tracked"]);
    let base: Oid = git_in(&world.user, &["rev-parse", "HEAD"]).parse().unwrap();
    slots.give_back(next).unwrap();
    let third = slots.take(&base, "three").unwrap();
    assert_eq!(names(&third.tree.join("target")), ["tracked"]);
    assert_eq!(third.dir, was.dir);
}

#[test]
fn a_kept_folder_that_became_a_link_is_removed() {
    let world = World::new();
    let slots = pooled(&world, &["target"]);
    let outside = world.top.path().join("outside");
    put(&outside.join("f"), "theirs");
    used(&slots, &world.base, "one", |slot| symlink(&outside, slot.tree.join("target")).unwrap());
    let next = slots.take(&world.base, "two").unwrap();
    is_fresh(&world, &next, &[]);
    assert!(outside.join("f").exists());
}

#[test]
fn the_pool_is_bounded_and_nobody_gets_what_another_has() {
    let world = World::new();
    let slots = world.slots.clone().pooled(pooling(2, &[]));
    let four: Vec<Slot> =
        (0..4).map(|n| slots.take(&world.base, &format!("k{n}")).unwrap()).collect();
    let mut dirs: Vec<&PathBuf> = four.iter().map(|slot| &slot.dir).collect();
    dirs.sort();
    dirs.dedup();
    assert_eq!(dirs.len(), 4);
    assert!(matches!(slots.take(&world.base, "k1"), Err(SlotError::Occupied(_))));
    let back: Vec<Returned> = four.into_iter().map(|slot| slots.give_back(slot).unwrap()).collect();
    assert_eq!(back.iter().filter(|one| **one == Returned::Pooled).count(), 2);
    assert_eq!(names(slots.root()).iter().filter(|name| name.starts_with("warm-")).count(), 2);
    assert_eq!(names(slots.root()).len(), 3);
}

#[test]
fn threads_and_processes_share_the_pool() {
    let world = World::new();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let world = &world;
            scope.spawn(move || {
                // Each with a pool of its own, as another process would have.
                let slots = pooled(world, &[]);
                for round in 0..6 {
                    let key = format!("t{thread}-{round}");
                    let slot = slots.take(&world.base, &key).unwrap();
                    assert_eq!(names(&slot.tree), [".git", ".gitignore", "README", "src"]);
                    put(&slot.tree.join("mine"), &key);
                    let got = harvest(&slot, &meta()).unwrap();
                    assert_eq!(world.show(&got.commit, "mine"), key);
                    let _ = slots.give_back(slot).unwrap();
                }
            });
        }
    });
    assert!(pooled(&world, &[]).root().read_dir().unwrap().count() <= 5);
}

#[test]
fn a_dead_process_leaves_its_slot_to_recovery_and_never_to_the_pool() {
    let world = World::new();
    let slots = pooled(&world, &[]);
    let slot = slots.take(&world.base, "one").unwrap();
    put(&slot.tree.join("work"), "work");
    let (dir, key) = (slot.dir.clone(), slot.key.clone());
    // The lock goes with the process.
    drop(slot);
    let other = slots.take(&world.base, "two").unwrap();
    assert_ne!(other.dir, dir, "unharvested work was handed on");
    let again = slots.reopen(&key, &world.base).unwrap();
    assert_eq!(again.dir, dir);
    let got = harvest(&again, &meta()).unwrap();
    assert_eq!(world.show(&got.commit, "work"), "work");
    slots.remove(&again).unwrap();
    assert!(matches!(slots.reopen(&key, &world.base), Err(SlotError::Gone(_))));
    slots.remove(&other).unwrap();
    assert_eq!(names(slots.root()), [".pool"]);
    assert_eq!(names(&slots.root().join(".pool")), ["lock"]);
}

#[test]
fn a_slot_that_another_process_took_over_is_left_alone() {
    let world = World::new();
    let slots = pooled(&world, &[]);
    let slot = slots.take(&world.base, "one").unwrap();
    // The holder was fenced off while it slept; another process recovers.
    let recovered = slots.reopen("one", &world.base).unwrap();
    slots.remove(&recovered).unwrap();
    assert_eq!(slots.give_back(slot).unwrap(), Returned::Lost);
    assert_eq!(names(slots.root()), [".pool"]);
    let next = slots.take(&world.base, "two").unwrap();
    assert_eq!(names(slots.root()).len(), 3);
    slots.remove(&next).unwrap();
}

#[test]
fn what_was_written_before_the_last_start_of_the_machine_is_written_again() {
    let world = World::new();
    let slots = pooled(&world, &["target"]);
    let mut before = 0;
    let (was, _) = used(&slots, &world.base, "one", |slot| {
        put(&slot.tree.join("target/f"), "built");
        before = slot.tree.join("README").symlink_metadata().unwrap().ino();
    });
    let next_boot = Pooling { boot: "next boot".into(), ..pooling(4, &["target"]) };
    let slot = world.slots.clone().pooled(next_boot).take(&world.base, "two").unwrap();
    assert_eq!(slot.dir, was.dir);
    assert_ne!(slot.tree.join("README").symlink_metadata().unwrap().ino(), before);
    assert!(slot.tree.join("target/f").exists());
    is_fresh_but_target(&slot);
}

fn is_fresh_but_target(slot: &Slot) {
    assert_eq!(git_in(&slot.tree, &["status", "--porcelain"]), "");
    assert_eq!(names(&slot.tree), [".git", ".gitignore", "README", "src", "target"]);
}

#[test]
fn a_record_that_is_damaged_costs_the_slot_and_nothing_else() {
    let world = World::new();
    let slots = pooled(&world, &[]);
    let damages: [fn(&mut Vec<u8>); 4] = [
        |bytes| bytes.truncate(bytes.len() - 10),
        |bytes| bytes.clear(),
        |bytes| *bytes.last_mut().unwrap() ^= 1,
        |bytes| bytes[0] = b'x',
    ];
    for (n, damage) in damages.iter().enumerate() {
        let (was, _) = used(&slots, &world.base, &format!("a{n}"), |_| {});
        let name = was.dir.file_name().unwrap();
        let path = slots.root().join(".pool").join(name).join("ready");
        let mut bytes = fs::read(&path).unwrap();
        damage(&mut bytes);
        fs::write(&path, bytes).unwrap();
        // Somebody wrote into it meanwhile.
        put(&was.tree.join("README"), "other\n");
        let next = slots.take(&world.base, &format!("b{n}")).unwrap();
        is_fresh(&world, &next, &[]);
        slots.remove(&next).unwrap();
        slots.take(&world.base, &format!("c{n}")).map(|slot| slots.remove(&slot)).unwrap().unwrap();
        assert_eq!(names(slots.root()), [".pool"], "{n}");
    }
}

#[test]
fn a_change_while_a_slot_waits_is_undone() {
    let world = World::new();
    let slots = pooled(&world, &[]);
    for (n, change) in ["echo 1 > new", "echo HELLO > README", "rm src/a.txt", "mkdir empty"]
        .into_iter()
        .enumerate()
    {
        let (was, _) = used(&slots, &world.base, &format!("a{n}"), |_| {});
        assert!(command("sh", &was.tree).args(["-c", change]).status().unwrap().success());
        let next = slots.take(&world.base, &format!("b{n}")).unwrap();
        is_fresh(&world, &next, &[]);
        slots.give_back(next).unwrap();
    }
}
