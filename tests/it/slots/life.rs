//! Making and removing slots.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::thread;

use git_crew::world::harvest::{harvest, release_keep};
use git_crew::world::slots::{Kind, SlotError};

use super::fixture::{Shape, World, agent, deepen, git_in, meta, names, open, put, try_git};

#[test]
fn git_in_a_slot_is_whole_and_the_users_is_not_in_it() {
    let world = World::new();
    git_in(&world.user, &["remote", "add", "origin", "https://example.org/x"]);
    git_in(&world.user, &["update-ref", "refs/remotes/origin/main", "HEAD"]);
    git_in(&world.user, &["symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main"]);
    git_in(&world.user, &["update-ref", "refs/crew/log", "HEAD"]);
    git_in(&world.user, &["pack-refs", "--all"]);
    git_in(&world.user, &["branch", "loose"]);
    let before = world.fingerprint();
    let slot = world.make("s1");
    let run = |args: &[&str]| git_in(&slot.tree, args);
    assert_eq!(run(&["status", "--porcelain"]), "");
    assert_eq!(run(&["rev-parse", "HEAD"]), world.base.as_str());
    assert_eq!(
        run(&["for-each-ref", "--format=%(refname)"]),
        "refs/heads/loose\nrefs/heads/main\nrefs/heads/other\nrefs/remotes/origin/HEAD\nrefs/remotes/origin/main\nrefs/tags/v1"
    );
    assert_eq!(run(&["symbolic-ref", "refs/remotes/origin/HEAD"]), "refs/remotes/origin/main");
    assert_eq!(run(&["config", "user.email"]), "user@example.org");
    assert_eq!(run(&["remote"]), "");
    assert_eq!(run(&["describe", "--tags"]), "v1");
    agent(
        &slot,
        "echo 1 > README; git stash -q; git stash pop -q; git commit -qam 1; git checkout -q main
         git merge -q HEAD@{1}; git rebase -q other; git branch -D loose; git tag x; git gc -q --prune=now; git fsck",
    );
    assert_eq!(world.fingerprint(), before);
    world.slots.remove(&slot).unwrap();
    assert_eq!(world.fingerprint(), before);
    assert_eq!(names(world.slots.root()), Vec::<String>::new());
}

#[test]
fn the_users_configuration_of_files_goes_along_and_nothing_that_runs() {
    let world = World::with(|user| {
        git_in(user, &["config", "core.autocrlf", "true"]);
        git_in(user, &["config", "filter.evil.clean", "touch /tmp/never"]);
        git_in(user, &["config", "alias.x", "!touch /tmp/never"]);
    });
    let slot = world.make("s1");
    assert_eq!(fs::read(slot.tree.join("README")).unwrap(), b"hello\r\n");
    assert_eq!(git_in(&slot.tree, &["config", "core.autocrlf"]), "true");
    assert!(!try_git(&slot.tree, &["config", "filter.evil.clean"]).0);
    agent(&slot, "printf 'more\\r\\n' >> README");
    let got = harvest(&slot, &meta()).unwrap();
    assert_eq!(world.show(&got.commit, "README"), "hello\nmore");
}

#[test]
fn sixteen_at_once() {
    for kind in [Kind::Private, Kind::Linked] {
        let world = World::shaped(Shape::Plain, kind, |user| {
            for n in 0..200 {
                put(&user.join(format!("many/{n}")), n.to_string());
            }
        });
        let before = world.fingerprint();
        thread::scope(|scope| {
            let all: Vec<_> = (0..16)
                .map(|n| {
                    let world = &world;
                    scope.spawn(move || {
                        let slot = world.make(&format!("s{n}"));
                        put(&slot.tree.join("mine"), n.to_string());
                        let got = harvest(&slot, &meta()).unwrap();
                        world.slots.remove(&slot).unwrap();
                        (n, got)
                    })
                })
                .collect();
            for thread in all {
                let (n, got) = thread.join().unwrap();
                assert_eq!(world.show(&got.commit, "mine"), n.to_string());
                assert_eq!(got.changed.len(), 1);
            }
        });
        if kind == Kind::Private {
            assert_eq!(world.fingerprint(), before);
        }
        assert_eq!(git_in(&world.user, &["worktree", "list"]).lines().count(), 1);
        assert_eq!(names(world.slots.root()), Vec::<String>::new());
    }
}

#[test]
fn a_folder_that_is_there_is_never_reused() {
    let world = World::new();
    let slot = world.make("s1");
    put(&slot.tree.join("left"), "behind");
    let again = world.slots.make(&world.base, "s1");
    assert!(matches!(again, Err(SlotError::Occupied(path)) if path == slot.dir));
    assert!(slot.tree.join("left").exists());
}

#[test]
fn a_slot_that_cannot_be_filled_leaves_nothing() {
    let world = World::new();
    let missing = "12".repeat(20).parse().unwrap();
    assert!(matches!(world.slots.make(&missing, "s1"), Err(SlotError::Git { .. })));
    assert_eq!(names(world.slots.root()), Vec::<String>::new());
    assert!(matches!(world.slots.reopen("s1", &world.base), Err(SlotError::Gone(_))));
}

#[test]
fn a_root_inside_a_checkout_hides_itself() {
    let world = World::new();
    let slots = open(&world.user, &world.common, Kind::Private);
    let slot = slots.make(&world.base, "s1").unwrap();
    put(&slot.tree.join("new"), "new");
    assert_eq!(git_in(&world.user, &["status", "--porcelain"]), "");
    assert!(slots.root().join("CACHEDIR.TAG").exists());
    let got = harvest(&slot, &meta()).unwrap();
    assert_eq!(world.show(&got.commit, "new"), "new");
}

#[test]
fn housekeeping_of_the_user_takes_nothing_that_was_harvested() {
    let world = World::new();
    let slot = world.make("s1");
    agent(&slot, "echo 1 > one; git add one; git commit -qm one; echo 2 > two");
    let got = harvest(&slot, &meta()).unwrap();
    for args in [&["gc", "-q", "--prune=now"][..], &["repack", "-adq"], &["prune", "--expire=now"]]
    {
        git_in(&world.user, args);
    }
    world.sound(&got.commit);
    assert_eq!(git_in(&slot.tree, &["status", "--porcelain"]), "?? two");
    let keep = got.keep.unwrap();
    assert!(!release_keep(&keep, "somebody else's").unwrap());
    assert!(keep.exists());
    assert!(release_keep(&keep, &meta().keep_message).unwrap());
    assert!(!release_keep(&keep, &meta().keep_message).unwrap());
    git_in(&world.user, &["gc", "-q", "--prune=now"]);
    assert!(!try_git(&world.user, &["cat-file", "-e", got.commit.as_str()]).0);
}

#[test]
fn removal_opens_what_is_closed_and_follows_nothing() {
    let world = World::new();
    let outside = world.top.path().join("outside");
    put(&outside.join("file"), "stays");
    let slot = world.make("s1");
    let closed = slot.tree.join("closed/in/side");
    put(&closed.join("f"), "f");
    for path in [closed.as_path(), closed.parent().unwrap(), &slot.tree.join("closed"), &slot.tmp] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o000)).unwrap();
    }
    symlink(&outside, slot.tree.join("link")).unwrap();
    symlink("/", slot.dir.join("root")).unwrap();
    world.slots.remove(&slot).unwrap();
    assert_eq!(fs::read(outside.join("file")).unwrap(), b"stays");
    assert_eq!(names(world.slots.root()), Vec::<String>::new());
    world.slots.remove(&slot).unwrap();
}

#[test]
fn removal_of_a_very_deep_tree() {
    let world = World::new();
    let slot = world.make("s1");
    deepen(&slot.tree, 5000);
    world.slots.remove(&slot).unwrap();
    assert_eq!(names(world.slots.root()), Vec::<String>::new());
}

#[test]
fn a_file_too_deep_to_be_named_is_named_as_left_out() {
    let world = World::new();
    let slot = world.make("s1");
    deepen(&slot.tree, 3000);
    put(&slot.tree.join("one"), "1");
    let got = harvest(&slot, &meta()).unwrap();
    assert_eq!(world.show(&got.commit, "one"), "1");
    let deepest = got.changed.iter().map(|change| change.path.len()).max().unwrap();
    assert!(deepest > 3000, "{deepest}");
    assert!(!got.left_out.is_empty());
    world.slots.remove(&slot).unwrap();
}

#[test]
fn removal_refuses_a_mount_before_touching_anything() {
    let world = World::new();
    let slot = world.make("s1");
    let point = slot.tree.join("mnt");
    fs::create_dir(&point).unwrap();
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "none"])
        .arg(&point)
        .status()
        .is_ok_and(|status| status.success());
    if !mounted {
        eprintln!("skipped: no right to mount");
        return;
    }
    put(&point.join("precious"), "p");
    let refused = world.slots.remove(&slot);
    let whole = point.join("precious").exists() && slot.tree.join("README").exists();
    assert!(std::process::Command::new("umount").arg(&point).status().unwrap().success());
    assert!(matches!(refused, Err(SlotError::Mounted(path)) if path == point));
    assert!(whole);
    world.slots.remove(&slot).unwrap();
}

#[test]
fn an_interrupted_removal_is_swept() {
    let world = World::new();
    let slot = world.make("s1");
    put(&world.slots.root().join(".trash-abc/0/x/y"), "y");
    assert_eq!(world.slots.sweep().unwrap(), 1);
    assert_eq!(names(world.slots.root()), ["s1"]);
    assert!(Path::new(&slot.tree).exists());
}
