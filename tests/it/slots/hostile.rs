//! Agents that want git to run something of theirs, or to reach the user.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use git_crew::world::harvest::{Harvest, HarvestError, harvest};
use git_crew::world::slots::{Kind, Slot};

use super::fixture::{Shape, World, agent, git_in, meta, names, put, try_git};

/// A script that leaves a sign, and a configuration that would run it on any
/// occasion that git knows.
fn arm(world: &World) -> (String, std::path::PathBuf) {
    let sign = world.top.path().join("ran");
    let trap = world.top.path().join("trap");
    put(&trap, format!("#!/bin/sh\necho \"$0\" >> {}\ncat\n", sign.display()));
    let hooks = world.top.path().join("hooks");
    for name in
        ["pre-commit", "post-commit", "post-index-change", "reference-transaction", "post-checkout"]
    {
        put(&hooks.join(name), fs::read(&trap).unwrap());
    }
    let (trap, hooks) = (trap.display(), hooks.display());
    let status = std::process::Command::new("chmod")
        .args(["-R", "+x", &trap.to_string(), &hooks.to_string()])
        .status();
    assert!(status.unwrap().success());
    let config = format!(
        "[core]\n\trepositoryformatversion = 0\n\tbare = false\n\tfsmonitor = {trap}\n\thooksPath = {hooks}\n\tattributesFile = /dev/null\n\tsshCommand = {trap}\n\tpager = {trap}\n\talternateRefsCommand = {trap}\n[filter \"evil\"]\n\tclean = {trap}\n\tsmudge = {trap}\n\tprocess = {trap}\n\trequired = true\n[diff \"evil\"]\n\ttextconv = {trap}\n\tcommand = {trap}\n[merge \"evil\"]\n\tdriver = {trap}\n[gpg]\n\tprogram = {trap}\n[commit]\n\tgpgSign = true\n[uploadpack]\n\tpackObjectsHook = {trap}\n"
    );
    (config, sign)
}

/// Harvests with a trap set, twice: from memory and as another process would.
fn sprung(set: impl Fn(&World, &Slot, &str)) -> (World, Harvest) {
    let world = World::new();
    let (config, sign) = arm(&world);
    let slot = world.make("s1");
    agent(&slot, "echo committed > c; git add c; git commit -qm c");
    put(&slot.tree.join(".gitattributes"), "* filter=evil diff=evil merge=evil\n");
    put(&slot.tree.join("README"), "edited\n");
    put(&slot.tree.join("new"), "new\n");
    set(&world, &slot, &config);
    let before = world.fingerprint();
    let got = harvest(&slot, &meta()).unwrap();
    let again = world.slots.reopen("s1", &world.base).unwrap();
    let second = harvest(&again, &meta()).unwrap();
    assert_eq!(got.tree, second.tree);
    assert!(!sign.exists(), "{:?}", fs::read_to_string(&sign));
    assert_eq!(world.show(&got.commit, "README"), "edited");
    assert_eq!(world.show(&got.commit, "new"), "new");
    assert_eq!(world.show(&got.commit, "c"), "committed");
    world.slots.remove(&slot).unwrap();
    assert!(!sign.exists(), "{:?}", fs::read_to_string(&sign));
    assert_eq!(world.fingerprint(), before);
    world.sound(&got.commit);
    (world, got)
}

fn replace_with_repository(slot: &Slot, at: &Path, config: &str) {
    git_in(&slot.dir, &["init", "-q", &at.display().to_string()]);
    let own = if at.join(".git").exists() { at.join(".git") } else { at.to_owned() };
    put(&own.join("config"), config);
}

#[test]
fn trap_git_file_to_another_git_dir() {
    sprung(|_, slot, config| {
        fs::remove_file(slot.tree.join(".git")).unwrap();
        let evil = slot.dir.join("evil");
        replace_with_repository(slot, &evil, config);
        put(&slot.tree.join(".git"), format!("gitdir: {}/.git\n", evil.display()));
    });
}

#[test]
fn trap_git_folder() {
    sprung(|_, slot, config| {
        fs::remove_file(slot.tree.join(".git")).unwrap();
        replace_with_repository(slot, &slot.tree, config);
    });
}

#[test]
fn trap_config_of_the_slot() {
    let (_, got) = sprung(|_, slot, config| put(&slot.git_dir.join("config"), config));
    assert_eq!(got.agent_commits, 1);
}

#[test]
fn trap_commondir() {
    sprung(|_, slot, config| {
        let evil = slot.dir.join("evil");
        replace_with_repository(slot, &evil, config);
        put(&slot.git_dir.join("commondir"), "../evil/.git\n");
    });
}

#[test]
fn trap_worktree_config() {
    sprung(|_, slot, config| {
        let both = "[extensions]\n\tworktreeConfig = true\n";
        put(&slot.git_dir.join("config"), both);
        put(&slot.git_dir.join("config.worktree"), config);
    });
}

#[test]
fn trap_nested_repository() {
    let (world, got) = sprung(|_, slot, config| {
        replace_with_repository(slot, &slot.tree.join("nested"), config);
        put(&slot.tree.join("nested/file"), "nested\n");
    });
    assert_eq!(world.show(&got.commit, "nested/file"), "nested");
}

#[test]
fn trap_hidden_edits() {
    sprung(|_, slot, _| {
        agent(
            slot,
            "git add -A; git update-index --skip-worktree README; git update-index --assume-unchanged new c",
        );
    });
}

#[test]
fn trap_git_folder_without_commits() {
    let (world, got) = sprung(|_, slot, config| {
        replace_with_repository(slot, &slot.tree.join("unborn"), config);
        put(&slot.tree.join("unborn/file"), "kept\n");
    });
    assert_eq!(world.show(&got.commit, "unborn/file"), "kept");
}

#[test]
fn trap_no_git_at_all() {
    sprung(|_, slot, _| fs::remove_file(slot.tree.join(".git")).unwrap());
}

#[test]
fn trap_hooks_in_the_slot() {
    sprung(|world, slot, _| {
        let from = world.top.path().join("hooks");
        fs::rename(from, slot.git_dir.join("hooks")).unwrap();
    });
}

#[test]
fn a_slot_without_its_git_dir_still_gives_its_files() {
    let world = World::new();
    let slot = world.make("s1");
    agent(&slot, "echo 1 > one; git add one; git commit -qm one; rm -rf .git ../git; echo 2 > two");
    let got = harvest(&slot, &meta()).unwrap();
    assert!(got.history_refused.is_some());
    assert_eq!(world.show(&got.commit, "one"), "1");
    assert_eq!(world.parents(&got.commit), [world.base.as_str()]);
}

#[test]
fn a_missing_tree_is_an_error_and_never_a_deletion() {
    let world = World::new();
    let slot = world.make("s1");
    fs::rename(&slot.tree, slot.dir.join("elsewhere")).unwrap();
    assert!(
        matches!(harvest(&slot, &meta()), Err(HarvestError::SlotGone(path)) if path == slot.tree)
    );
    symlink(slot.dir.join("elsewhere"), &slot.tree).unwrap();
    assert!(matches!(harvest(&slot, &meta()), Err(HarvestError::SlotGone(_))));
}

#[test]
fn a_foreign_store_is_not_followed() {
    let world = World::new();
    let secret = world.top.path().join("secret");
    fs::create_dir(&secret).unwrap();
    git_in(&secret, &["init", "-q"]);
    put(&secret.join("key"), "secret key");
    git_in(&secret, &["add", "."]);
    git_in(&secret, &["commit", "-qm", "secret"]);
    let id = git_in(&secret, &["rev-parse", "HEAD"]);
    let store = secret.join(".git/objects");
    let foreign = |plant: &dyn Fn(&Slot), key: &str| {
        let slot = world.make(key);
        put(&slot.git_dir.join("HEAD"), format!("{id}\n"));
        put(&slot.tree.join("one"), "1");
        plant(&slot);
        let before = names(&store);
        let got = harvest(&slot, &meta()).unwrap();
        assert!(got.history_refused.is_some(), "{key}");
        assert_eq!(world.show(&got.commit, "one"), "1");
        assert!(!try_git(&world.user, &["cat-file", "-e", &id]).0, "{key}");
        assert_eq!(names(&store), before, "{key}");
    };
    let line = format!("{}\n", store.display());
    foreign(&|slot| put(&slot.git_dir.join("objects/info/alternates"), &line), "s1");
    foreign(
        &|slot| {
            fs::remove_dir_all(slot.git_dir.join("objects/info")).unwrap();
            symlink(store.join("info"), slot.git_dir.join("objects/info")).unwrap();
            put(&store.join("info/alternates"), "");
            symlink(&store, slot.git_dir.join("objects/aa")).unwrap();
        },
        "s2",
    );
    foreign(
        &|slot| {
            fs::remove_dir_all(slot.git_dir.join("objects")).unwrap();
            symlink(&store, slot.git_dir.join("objects")).unwrap();
        },
        "s3",
    );
    assert!(store.join("info/alternates").exists());
    foreign(
        &|slot| {
            fs::remove_dir_all(&slot.git_dir).unwrap();
            symlink(secret.join(".git"), &slot.git_dir).unwrap();
        },
        "s5",
    );
    assert!(store.join("info/alternates").exists());
    let (path, name) = id.split_at(2);
    foreign(
        &|slot| {
            fs::create_dir_all(slot.git_dir.join("objects").join(path)).unwrap();
            symlink(
                store.join(path).join(name),
                slot.git_dir.join("objects").join(path).join(name),
            )
            .unwrap();
        },
        "s4",
    );
}

#[test]
fn objects_under_a_wrong_name_are_refused() {
    let world = World::new();
    let slot = world.make("s1");
    agent(
        &slot,
        "echo 1 > one; git add one; git commit -qm one
         a=$(git rev-parse HEAD:one); b=$(echo forged | git hash-object -w --stdin)
         p=../git/objects; f() { echo $p/$(echo $1 | cut -c1-2)/$(echo $1 | cut -c3-); }
         chmod u+w $(f $a); cp $(f $b) $(f $a)",
    );
    let got = harvest(&slot, &meta()).unwrap();
    assert!(got.history_refused.is_some());
    assert_eq!(world.show(&got.commit, "one"), "1");
    world.sound(&got.commit);
}

#[test]
fn forged_histories_are_refused_and_the_files_kept() {
    let world = World::new();
    let dotgit = "b=$(echo x | git hash-object -w --stdin)
        t=$(printf \"100644 blob $b\\tconfig\\n\" | git mktree)
        t=$(printf \"040000 tree $t\\t.git\\n\" | git mktree)";
    let forged = [
        ("s1", format!("{dotgit}; git update-ref --no-deref HEAD $(git commit-tree $t -p HEAD -m x)")),
        ("s2", format!("echo {} > ../git/HEAD", "12".repeat(20))),
        ("s3", "echo 'ref: ../../../user/.git/HEAD' > ../git/HEAD".to_owned()),
        ("s4", "rm ../git/HEAD; ln -s /etc/passwd ../git/HEAD".to_owned()),
        ("s5", "rm ../git/HEAD; mkfifo ../git/HEAD".to_owned()),
        ("s6", "head -c 100000 /dev/zero > ../git/HEAD".to_owned()),
        ("s7", "echo 'ref: refs/heads/a' > ../git/HEAD; echo 'ref: refs/heads/a' > ../git/refs/heads/a".to_owned()),
    ];
    for (key, script) in forged {
        let slot = world.make(key);
        agent(&slot, &format!("echo 1 > one; {script}"));
        let got = harvest(&slot, &meta()).unwrap();
        assert!(got.history_refused.is_some(), "{key}");
        assert_eq!(world.parents(&got.commit), [world.base.as_str()], "{key}");
        assert_eq!(world.show(&got.commit, "one"), "1", "{key}");
        world.sound(&got.commit);
    }
}

#[test]
fn planted_replacements_grafts_and_indexes_have_no_say() {
    let world = World::new();
    let slot = world.make("s1");
    agent(
        &slot,
        "echo 1 > one; git add one; git commit -qm one
         git replace HEAD HEAD~1; git rev-parse HEAD > ../git/shallow
         echo \"$(git rev-parse HEAD)\" > ../git/info/grafts
         mkdir -p ../git/objects/info/commit-graphs ../git/objects/pack
         echo junk > ../git/objects/info/commit-graph; echo junk > ../git/objects/pack/multi-pack-index
         echo junk > ../git/index; echo 2 > two",
    );
    let got = harvest(&slot, &meta()).unwrap();
    assert_eq!((got.agent_commits, got.rewrote_history), (1, false), "{:?}", got.history_refused);
    assert_eq!(world.show(&got.commit, "one"), "1");
    assert_eq!(world.show(&got.commit, "two"), "2");
}

#[test]
fn a_history_that_is_too_large_is_refused_and_the_files_kept() {
    let world = World::new();
    let slot = world.make("s1");
    agent(
        &slot,
        "head -c 300000 /dev/urandom > big; git add big; git commit -qm big; git rm -q big; git commit -qm gone; echo 1 > one",
    );
    let mut small = meta();
    small.max_history = 100_000;
    let got = harvest(&slot, &small).unwrap();
    assert!(got.history_refused.is_some());
    assert_eq!(world.show(&got.commit, "one"), "1");
}

#[test]
fn a_broken_stray_does_not_cost_the_history() {
    let world = World::new();
    let slot = world.make("s1");
    let script = "echo 1 > one; git add one; git commit -qm one; mkdir -p ../git/refs/heads/x";
    agent(&slot, &format!("{script}; echo {} > ../git/refs/heads/x/y", "34".repeat(20)));
    let got = harvest(&slot, &meta()).unwrap();
    assert_eq!((got.agent_commits, got.strays.len()), (1, 0));
    assert!(got.left_out.iter().any(|(name, _)| name == "refs/heads/x/y"), "{:?}", got.left_out);
}

#[test]
fn pipes_and_links_are_not_waited_for_or_followed() {
    let world = World::new();
    let outside = world.top.path().join("outside");
    put(&outside.join("secret"), "secret");
    let slot = world.make("s1");
    symlink(&outside, slot.tree.join("link")).unwrap();
    symlink(outside.join("secret"), slot.tree.join("file")).unwrap();
    agent(
        &slot,
        "mkfifo pipe; mkdir -p d e; mkfifo d/.gitignore d/.gitattributes; echo 1 > d/one
         rm .gitignore; mkfifo .gitignore; ln -s ../../../outside/secret e/.gitignore
         ln -s ../../../outside/secret e/.gitattributes; echo 2 > e/two",
    );
    let got = harvest(&slot, &meta()).unwrap();
    assert_eq!(world.show(&got.commit, "link"), outside.display().to_string());
    assert_eq!(world.show(&got.commit, "d/one"), "1");
    assert_eq!(world.show(&got.commit, "e/two"), "2");
    let mut left: Vec<&str> = got.left_out.iter().map(|(path, _)| path.as_str()).collect();
    left.sort_unstable();
    assert_eq!(left, [".gitignore", "d/.gitattributes", "d/.gitignore", "pipe"]);
    assert!(!world.files(&got.commit).iter().any(|file| file.contains("secret")));
}

#[test]
fn closed_files_and_folders_are_opened_and_kept() {
    let world = World::new();
    let slot = world.make("s1");
    agent(
        &slot,
        "mkdir d; echo 1 > d/one; echo 2 > two; chmod 000 d/one d two README; echo x > z; ln z z2; chmod 000 z",
    );
    let got = harvest(&slot, &meta()).unwrap();
    assert_eq!(world.show(&got.commit, "d/one"), "1");
    assert_eq!(world.show(&got.commit, "two"), "2");
    assert_eq!(world.show(&got.commit, "README"), "hello");
    if nix::unistd::geteuid().is_root() {
        eprintln!("skipped: root reads a file with two names and no right to read");
        assert!(got.left_out.is_empty());
    } else {
        assert_eq!(got.left_out.len(), 2, "{:?}", got.left_out);
    }
}

#[test]
fn a_suspicious_gitmodules_is_kept_and_complained_about() {
    let world = World::new();
    let got =
        world.attempt("printf '[submodule \"a\"]\\n\\tpath = a\\n\\turl = -evil\\n' > .gitmodules");
    assert!(got.complaint.is_some());
    assert!(world.show(&got.commit, ".gitmodules").contains("-evil"));
}

#[test]
fn the_linked_kind_falls_for_none_of_it_either() {
    let world = World::shaped(Shape::Plain, Kind::Linked, |_| {});
    let (config, sign) = arm(&world);
    let slot = world.make("s1");
    agent(&slot, "echo 1 > one; git add one; git commit -qm one");
    replace_with_repository(&slot, &slot.dir.join("evil"), &config);
    put(&slot.git_dir.join("commondir"), slot.dir.join("evil/.git").display().to_string());
    put(&slot.git_dir.join("config.worktree"), &config);
    put(&slot.tree.join(".gitattributes"), "* filter=evil\n");
    let got = harvest(&slot, &meta()).unwrap();
    world.slots.remove(&slot).unwrap();
    assert!(!sign.exists());
    assert_eq!(got.agent_commits, 1, "{:?}", got.history_refused);
    assert_eq!(git_in(&world.user, &["worktree", "list"]).lines().count(), 1);
}
