//! Every kind of content that an agent can leave comes back in the result.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;

use git_crew::world::harvest::harvest;
use git_crew::world::slots::Kind;

use super::fixture::{Shape, World, agent, git_in, meta, put, try_git};

#[test]
fn nothing_changed_is_the_base() {
    let world = World::new();
    let got = world.attempt("true");
    assert_eq!(got.commit, world.base);
    assert_eq!(got.tree.as_str(), git_in(&world.user, &["rev-parse", "HEAD^{tree}"]));
    assert_eq!((got.changed.len(), got.agent_commits, got.keep), (0, 0, None));
}

#[test]
fn everything_in_the_tree_is_in_one_commit() {
    let world = World::new();
    let before = world.fingerprint();
    let got = world.attempt(
        "echo changed > README; git add README; echo again > README
         echo staged > staged; git add staged
         echo new > 'new file'; mkdir -p deep/er; echo x > deep/er/x
         rm src/a.txt; chmod +x src/b.txt; ln -s ../README src/link
         printf '\\000\\001\\377' > bin; ln -s /nowhere dangling",
    );
    assert_eq!(
        world.files(&got.commit),
        [
            "100644 .gitignore",
            "100644 README",
            "100644 bin",
            "120000 dangling",
            "100644 deep/er/x",
            "100644 new file",
            "100755 src/b.txt",
            "120000 src/link",
            "100644 staged",
        ]
    );
    assert_eq!(world.show(&got.commit, "README"), "again");
    assert_eq!(world.show(&got.commit, "src/link"), "../README");
    let changed: Vec<String> =
        got.changed.iter().map(|c| format!("{} {}", c.status, c.path)).collect();
    assert_eq!(changed.len(), 9);
    assert!(
        changed.contains(&"D src/a.txt".to_owned()) && changed.contains(&"M src/b.txt".to_owned())
    );
    assert_eq!(world.parents(&got.commit), [world.base.as_str()]);
    let text = git_in(&world.user, &["log", "-1", "--format=%an %cn %at %B", got.commit.as_str()]);
    assert_eq!(text, "codex user 1700000000 implement: result\n\nCrew-Run: r\nCrew-Task: t");
    assert!(got.left_out.is_empty() && got.strays.is_empty() && got.complaint.is_none());
    assert_eq!(world.fingerprint(), before);
    world.sound(&got.commit);
}

#[test]
fn the_agents_own_commits_are_the_history() {
    let world = World::new();
    let slot = world.make("s1");
    agent(&slot, "echo 1 > one; git add one; git commit -qm one; git checkout -qb mine");
    agent(&slot, "echo 2 > two; git add two; git commit -qm two; echo 3 > three");
    let tip = git_in(&slot.tree, &["rev-parse", "HEAD"]);
    let got = harvest(&slot, &meta()).unwrap();
    assert_eq!((got.agent_commits, got.rewrote_history), (2, false));
    assert_eq!(world.parents(&got.commit), [tip]);
    assert_eq!(world.show(&got.commit, "three"), "3");
    assert_eq!(got.changed.len(), 3);
    world.sound(&got.commit);
}

#[test]
fn rewritten_history_keeps_both_sides() {
    let world = World::new();
    let slot = world.make("s1");
    agent(
        &slot,
        "git commit -q --amend -m mine; echo 1 > one; git add .; git commit -qm one; echo 2 > two",
    );
    let tip = git_in(&slot.tree, &["rev-parse", "HEAD"]);
    let got = harvest(&slot, &meta()).unwrap();
    assert!(got.rewrote_history);
    assert_eq!(world.parents(&got.commit), [world.base.as_str(), &tip]);
    assert_eq!(world.show(&got.commit, "two"), "2");
    world.sound(&got.commit);
}

#[test]
fn an_orphan_branch_keeps_both_sides_too() {
    let world = World::new();
    let got = world.attempt(
        "git checkout -q --orphan new; git rm -rqf .; echo 1 > one; git add .; git commit -qm one",
    );
    assert!(got.rewrote_history);
    assert_eq!(world.files(&got.commit), ["100644 one"]);
    world.sound(&got.commit);
}

#[test]
fn other_branches_and_stashes_are_named_and_brought() {
    let world = World::new();
    let got = world.attempt(
        "echo s > README; git stash -q; git checkout -qb side; echo 1 > one; git add one
         git commit -qm one; git checkout -q --detach HEAD~1; git branch -q again other; git gc -q",
    );
    let names: Vec<&str> = got.strays.iter().map(|stray| stray.name.as_str()).collect();
    assert_eq!(names, ["refs/heads/side", "refs/stash"]);
    for stray in &got.strays {
        git_in(&world.user, &["cat-file", "-e", stray.id.as_str()]);
    }
    assert_eq!(got.commit, world.base);
    assert!(got.keep.is_some());
}

#[test]
fn files_of_nested_repositories_are_files() {
    let world = World::new();
    let before = world.fingerprint();
    let got = world.attempt(
        "git init -q nested; echo n > nested/n; cd nested; git add n; git commit -qm n; cd ..
         git init -q empty; echo e > empty/e; mkdir case; cp -r nested/.git case/.GIT; echo c > case/c
         git add nested 2>/dev/null; git commit -qm gitlink",
    );
    let files = world.files(&got.commit);
    for path in ["100644 nested/n", "100644 empty/e", "100644 case/c"] {
        assert!(files.iter().any(|file| file == path), "{path}");
    }
    assert!(
        !files.iter().any(|file| file.to_lowercase().contains(".git/") || file.starts_with("16"))
    );
    assert_eq!(world.fingerprint(), before);
    world.sound(&got.commit);
}

#[test]
fn what_is_ignored_is_listed_and_what_is_tracked_is_not_ignored() {
    let world = World::new();
    let got = world.attempt(
        "mkdir -p target/debug src/gen build; echo 12345 > target/debug/x; echo l > a.log
         echo keep > kept.log; git add -f kept.log; git commit -qm log
         echo s > staged.log; git add -f staged.log
         echo gen > src/.gitignore; echo 1 > src/gen/1; echo '*' > build/.gitignore; echo b > build/b",
    );
    let files = world.files(&got.commit);
    assert!(files.contains(&"100644 kept.log".to_owned()), "{files:?}");
    assert!(files.contains(&"100644 staged.log".to_owned()));
    assert!(files.contains(&"100644 src/.gitignore".to_owned()));
    assert!(
        !files.iter().any(|f| f.contains("target") || f.contains("a.log") || f.contains("gen/"))
    );
    // What only the agent's own rules hide comes first.
    let ignored: Vec<&str> = got.ignored.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!((got.ignored_total, got.newly_ignored), (5, 3), "{ignored:?}");
    let new = ignored.get(..3).unwrap();
    assert!(
        new.contains(&"src/gen/") && new.contains(&"build/b") && new.contains(&"build/.gitignore")
    );
    assert!(got.ignored.contains(&("target/".into(), 6)));
    world.sound(&got.commit);
}

#[test]
fn an_agents_exclude_file_hides_nothing() {
    let world = World::new();
    put(&world.common.join("info/exclude"), "mine\n");
    let got = world.attempt("echo '*' > ../git/info/exclude; echo 1 > one; echo 2 > mine");
    assert!(world.files(&got.commit).contains(&"100644 one".to_owned()));
    assert_eq!(got.ignored, [("mine".to_owned(), 2)]);
}

#[test]
fn names_of_any_bytes_are_kept() {
    let world = World::new();
    let slot = world.make("s1");
    let odd = ["new\nline", "tab\t", " lead", "-dash", ":colon", "*", "quote\"", "b\\s", "#h"];
    for name in odd {
        put(&slot.tree.join(name), name);
    }
    put(&slot.tree.join(OsStr::from_bytes(b"raw\xff\xfe/\xc0")), "raw");
    let got = harvest(&slot, &meta()).unwrap();
    assert_eq!(got.changed.len(), odd.len() + 1, "{:?}", got.left_out);
    assert!(got.changed.iter().any(|c| c.path == "raw\\xff\\xfe/\\xc0"));
    assert!(got.changed.iter().any(|c| c.path == "new\nline"));
    world.sound(&got.commit);
}

#[test]
fn names_that_git_refuses_are_named() {
    let world = World::new();
    let got = world.attempt(
        "echo 1 > git~1; echo 2 > two; mkdir -p 'x/.g\u{200c}it'; echo 3 > 'x/.g\u{200c}it/config'",
    );
    assert!(world.files(&got.commit).contains(&"100644 two".to_owned()));
    let left: Vec<&str> = got.left_out.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
    world.sound(&got.commit);
}

#[test]
fn line_endings_are_stored_as_git_stores_them() {
    let world = World::with(|user| {
        put(
            &user.join(".gitattributes"),
            "*.txt text eol=crlf\n*.x text working-tree-encoding=UTF-16LE\n",
        );
        put(&user.join("w.txt"), "one\r\n");
    });
    let slot = world.make("s1");
    assert_eq!(fs::read(slot.tree.join("src/a.txt")).unwrap(), b"a\r\n");
    put(&slot.tree.join("src/a.txt"), "a\r\nb\r\n");
    put(&slot.tree.join("odd.x"), b"\xd8\xd8\xd8");
    put(&slot.tree.join("even.x"), b"a\0\n\0");
    let got = harvest(&slot, &meta()).unwrap();
    let blob = |path: &str| git_in(&world.user, &["rev-parse", &format!("{}:{path}", got.commit)]);
    assert_eq!(git_in(&world.user, &["cat-file", "-s", &blob("src/a.txt")]), "4");
    assert_eq!(git_in(&world.user, &["cat-file", "-s", &blob("even.x")]), "2");
    // What can't be converted is kept as it is and takes nothing down.
    assert_eq!(git_in(&world.user, &["cat-file", "-s", &blob("odd.x")]), "3");
}

#[test]
fn a_file_in_place_of_a_folder_and_the_other_way_round() {
    let world = World::new();
    let got = world.attempt("rm -r src; echo f > src; rm README; mkdir README; echo x > README/x");
    assert_eq!(world.files(&got.commit), ["100644 .gitignore", "100644 README/x", "100644 src"]);
    let world = World::new();
    let got = world.attempt("mv src real; ln -s real src");
    assert_eq!(
        world.files(&got.commit),
        [
            "100644 .gitignore",
            "100644 README",
            "100644 real/a.txt",
            "100644 real/b.txt",
            "120000 src"
        ]
    );
}

#[test]
fn an_emptied_tree_is_an_empty_result() {
    let world = World::new();
    let got = world.attempt("rm -rf ./* .gitignore");
    assert_eq!(got.changed.iter().filter(|c| c.status == 'D').count(), 4);
    world.sound(&got.commit);
}

#[test]
fn submodules_stay_while_nobody_fills_them() {
    let world = World::with(|user| {
        let (sub, other) = (user.join("sub"), user.join("other-sub"));
        for dir in [&sub, &other] {
            fs::create_dir(dir).unwrap();
            git_in(dir, &["init", "-q"]);
            put(&dir.join("f"), "f");
            git_in(dir, &["add", "f"]);
            git_in(dir, &["commit", "-qm", "f"]);
        }
        git_in(user, &["-c", "advice.addEmbeddedRepo=false", "add", "-A"]);
    });
    let slot = world.make("s1");
    assert_eq!(fs::read_dir(slot.tree.join("sub")).unwrap().count(), 0);
    agent(
        &slot,
        "echo 1 > README; git init -q other-sub; echo 2 > other-sub/two; mkfifo other-sub/.gitattributes",
    );
    let got = harvest(&slot, &meta()).unwrap();
    let files = world.files(&got.commit);
    assert!(
        files.contains(&"160000 sub".to_owned()) && files.contains(&"160000 other-sub".to_owned())
    );
    assert_eq!(got.changed.len(), 1);
    assert_eq!((got.strays.len(), got.left_out.len()), (1, 1));
    let stray = got.strays.first().unwrap();
    assert_eq!(stray.name, "submodule other-sub");
    assert_eq!(world.show(&stray.id, "other-sub/two"), "2");
    // Files without a repository of their own are files.
    let second = world.make("s2");
    agent(&second, "echo 3 > sub/three");
    let got = harvest(&second, &meta()).unwrap();
    assert!(world.files(&got.commit).contains(&"100644 sub/three".to_owned()));
}

#[test]
fn a_slot_reopened_by_another_process_gives_the_same_tree() {
    let world = World::new();
    let slot = world.make("s1");
    agent(
        &slot,
        "echo 1 > one; git add one; git commit -qm one; rm README; echo b2 > src/b.txt; git branch side HEAD~1
         mkdir target; echo 1 > target/x; echo gen > src/.gitignore; echo 1 > src/gen",
    );
    let first = harvest(&slot, &meta()).unwrap();
    let again = world.slots.reopen("s1", &world.base).unwrap();
    let second = harvest(&again, &meta()).unwrap();
    assert_eq!((&first.commit, &first.tree), (&second.commit, &second.tree));
    assert_eq!(first.changed, second.changed);
    assert_eq!(first.ignored, second.ignored);
    assert_eq!((second.ignored_total, second.newly_ignored), (2, 1));
    assert_eq!(first.keep, second.keep);
}

#[test]
fn every_shape_of_repository_works() {
    for shape in [Shape::Sha256, Shape::Bare, Shape::LinkedPlace] {
        for kind in [Kind::Private, Kind::Linked] {
            let world = World::shaped(shape, kind, |_| {});
            let before = world.fingerprint();
            let slot = world.make("s1");
            agent(&slot, "echo 1 > one; git add one; git commit -qm one; echo 2 > two");
            let got = harvest(&slot, &meta()).unwrap();
            assert_eq!(got.agent_commits, 1, "{:?}", got.history_refused);
            assert_eq!(world.show(&got.commit, "two"), "2");
            world.slots.remove(&slot).unwrap();
            if kind == Kind::Private {
                assert_eq!(world.fingerprint(), before);
            } else {
                assert!(!git_in(&world.user, &["worktree", "list"]).contains("slots"));
            }
            world.sound(&got.commit);
        }
    }
}

#[test]
fn a_shallow_repository_works() {
    let world = World::new();
    put(&world.user.join("more"), "more");
    git_in(&world.user, &["add", "more"]);
    git_in(&world.user, &["commit", "-qm", "more"]);
    let url = format!("file://{}", world.user.display());
    git_in(world.top.path(), &["clone", "-q", "--depth=1", &url, "shallow"]);
    let clone = world.top.path().join("shallow");
    let base = git_in(&clone, &["rev-parse", "HEAD"]).parse().unwrap();
    let top = world.top.path().join("second");
    let slots = super::fixture::open(&top, &clone.join(".git"), Kind::Private);
    let slot = slots.make(&base, "s1").unwrap();
    agent(&slot, "echo 1 > one; git add one; git commit -qm one; git log --oneline; echo 2 > two");
    let got = harvest(&slot, &meta()).unwrap();
    assert_eq!((got.agent_commits, got.rewrote_history), (1, false), "{:?}", got.history_refused);
    assert!(try_git(&clone, &["fsck", "--strict"]).0);
}

/// Git compares times by the second: a change of the same size in the second of
/// the checkout must not depend on when it is harvested.
#[test]
fn a_change_of_the_same_size_in_the_same_second_is_kept() {
    let second = || {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        i64::try_from(now.unwrap().as_secs()).unwrap()
    };
    let next = |from: i64| {
        while second() <= from {
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
    };
    let world = World::new();
    for n in 0..20 {
        next(second());
        let slot = world.make(&format!("s{n}"));
        let made = slot.tree.join("src/a.txt").symlink_metadata().unwrap().mtime();
        std::fs::write(slot.tree.join("README"), "right\n").unwrap();
        if slot.tree.join("README").symlink_metadata().unwrap().mtime() != made {
            continue;
        }
        next(made);
        let got = harvest(&slot, &meta()).unwrap();
        assert_eq!(world.show(&got.commit, "README"), "right");
        return;
    }
    panic!("no checkout and change within one second in twenty tries");
}

/// Git compares whole seconds: to it such a file is as it was.
#[test]
fn an_edit_of_the_same_size_in_the_second_of_the_checkout_is_kept() {
    let world = World::new();
    let got = world.attempt("echo again > README; sleep 1.1");
    assert_eq!(world.show(&got.commit, "README"), "again");
    assert_eq!(got.changed.len(), 1);
}
