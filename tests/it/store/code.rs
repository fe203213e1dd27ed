//! The user's code as the store sees it: revisions, trees, merges, settings;
//! and the journal and the signs of life, which need a repository too.

use git_crew::domain::id::Oid;
use git_crew::domain::time::Timestamp;
use git_crew::store::holder::{Holder, Liveness, liveness};
use git_crew::store::journal::{self, Note};
use git_crew::store::merge::{Merged, Signature, Tip};
use git_crew::store::tree::ChangeKind;
use git_crew::store::{Chains, GitStore, MemoryStore, Person, RefName, StoreError};

use super::fixture::{Repo, entry, git, git_output, holder, messages, run_ref};

fn signature() -> Signature {
    Signature {
        author: Person::new("claude", "claude@crew.invalid"),
        committer: Person::new("me", "me@example.invalid"),
        message: "merge: two results\n\nCrew-Run: aaaa\n".into(),
        at: Timestamp(1_800_000_000_000),
    }
}

/// A commit on top of `base`, made aside; the checkout comes back.
fn branch(repo: &Repo, base: &Oid, files: &[(&str, Option<&str>)]) -> Oid {
    repo.git(&["checkout", "-q", "--detach", base.as_str()]);
    for (path, text) in files {
        let full = repo.path().join(path);
        match text {
            Some(text) => {
                std::fs::create_dir_all(full.parent().unwrap()).unwrap();
                std::fs::write(full, text).unwrap();
            }
            None => std::fs::remove_file(full).unwrap(),
        }
    }
    repo.git(&["add", "-A"]);
    repo.git(&["commit", "-q", "--allow-empty", "-m", "work"]);
    let made = repo.git(&["rev-parse", "HEAD"]).parse().unwrap();
    repo.git(&["checkout", "-q", "main"]);
    made
}

fn merge(store: &GitStore, base: &Oid, tips: &[(&str, &Oid)]) -> Merged {
    let tips: Vec<Tip> = tips
        .iter()
        .map(|(label, commit)| Tip { label: (*label).into(), commit: (*commit).clone() })
        .collect();
    store.merge(base, &tips, &signature()).unwrap()
}

fn lines(n: usize, change: Option<(usize, &str)>) -> String {
    (0..n)
        .map(|i| match change {
            Some((at, text)) if at == i => format!("{text}\n"),
            _ => format!("line {i}\n"),
        })
        .collect()
}

#[test]
fn results_merge_without_a_checkout() {
    let repo = Repo::new();
    let base = repo.commit(&[("src/a", &lines(30, None)), ("b", "b\n")]);
    let one =
        branch(&repo, &base, &[("src/a", Some(&lines(30, Some((2, "one"))))), ("n1", Some(""))]);
    let two = branch(&repo, &base, &[("src/a", Some(&lines(30, Some((27, "two")))))]);
    let three = branch(&repo, &base, &[("src/c", Some("c")), ("b", None)]);
    let store = repo.store("h1");
    let before = repo.git(&["count-objects"]);
    let merged = merge(&store, &base, &[("1", &one), ("2", &two), ("3", &three)]);
    assert_eq!(merged.conflicts, []);
    let commit = merged.commit.unwrap();
    assert_ne!(before, repo.git(&["count-objects"]));
    let parents = repo.git(&["log", "-1", "--format=%P", commit.as_str()]);
    assert_eq!(parents, format!("{one} {two} {three}"));
    let who = repo.git(&["log", "-1", "--format=%an <%ae> %cn <%ce> %ct", commit.as_str()]);
    assert_eq!(who, "claude <claude@crew.invalid> me <me@example.invalid> 1800000000");
    // git, asked step by step, comes to the same tree.
    let step = repo.git(&["merge-tree", "--write-tree", one.as_str(), two.as_str()]);
    let step = repo.git(&["commit-tree", "-p", one.as_str(), "-p", two.as_str(), "-m", "s", &step]);
    let tree = repo.git(&["merge-tree", "--write-tree", &step, three.as_str()]);
    assert_eq!(store.tree_of(&commit).unwrap().as_str(), tree);
    repo.git(&["update-ref", "refs/heads/kept", commit.as_str()]);
    assert_eq!(repo.git(&["status", "--porcelain"]), "");
    let unreachable = repo.git(&["fsck", "--unreachable", "--no-reflogs"]);
    assert!(!unreachable.contains(&commit.to_string()));
}

#[test]
fn what_conflicts_is_left_out_and_named() {
    let repo = Repo::new();
    let base =
        repo.commit(&[("a", "1\n"), ("old/x", &lines(20, None)), ("old/y", "y\n"), ("d", "d\n")]);
    let store = repo.store("h1");
    let one = branch(&repo, &base, &[("a", Some("one\n"))]);
    let two = branch(&repo, &base, &[("a", Some("two\n")), ("n", Some("n"))]);
    let three = branch(&repo, &base, &[("m", Some("m"))]);
    let merged = merge(&store, &base, &[("1", &one), ("2", &two), ("3", &three)]);
    assert_eq!(merged.conflicts.len(), 1);
    assert_eq!(
        (merged.conflicts[0].label.as_str(), &merged.conflicts[0].paths[..]),
        ("2", &["a".to_owned()][..])
    );
    let commit = merged.commit.unwrap();
    assert_eq!(store.files(&commit, "").unwrap(), ["README", "a", "d", "m", "old/x", "old/y"]);
    assert_eq!(store.entry(&commit).unwrap().parents, [one.clone(), three.clone()]);
    // Deleted here, changed there.
    let gone = branch(&repo, &base, &[("d", None)]);
    let kept = branch(&repo, &base, &[("d", Some("changed\n"))]);
    let merged = merge(&store, &base, &[("gone", &gone), ("kept", &kept)]);
    assert_eq!(merged.conflicts[0].paths, ["d"]);
    assert_eq!(merged.commit, Some(gone));
    // A file added to a folder that the other side renamed: git calls it a conflict.
    let text = lines(20, None);
    let files: &[(&str, Option<&str>)] =
        &[("old/x", None), ("old/y", None), ("new/x", Some(&text)), ("new/y", Some("y\n"))];
    let renamed = branch(&repo, &base, files);
    let added = branch(&repo, &base, &[("old/z", Some("z"))]);
    let merged = merge(&store, &base, &[("r", &renamed), ("z", &added)]);
    let git_says =
        git_output(repo.path(), &["merge-tree", "--write-tree", renamed.as_str(), added.as_str()]);
    assert_eq!(git_says.status.code(), Some(1));
    assert_eq!(merged.conflicts.len(), 1, "{merged:?}");
}

#[test]
fn nothing_is_written_where_a_commit_holds_all() {
    let repo = Repo::new();
    let base = repo.commit(&[("a", "1\n")]);
    let store = repo.store("h1");
    let tip = branch(&repo, &base, &[("a", Some("2\n"))]);
    let later = branch(&repo, &tip, &[("b", Some("b"))]);
    let objects = repo.git(&["count-objects"]);
    let commit = |merged: Merged| merged.commit;
    assert_eq!(commit(merge(&store, &base, &[])), None);
    assert_eq!(commit(merge(&store, &base, &[("t", &tip)])), Some(tip.clone()));
    assert_eq!(commit(merge(&store, &base, &[("t", &tip), ("l", &later)])), Some(later.clone()));
    assert_eq!(commit(merge(&store, &base, &[("l", &later), ("t", &tip)])), Some(later.clone()));
    assert_eq!(commit(merge(&store, &later, &[("t", &tip)])), Some(later));
    assert_eq!(repo.git(&["count-objects"]), objects);
    // A tip that does not descend from the base: the result holds both.
    let main = repo.commit(&[("main", "moved on\n")]);
    let merged = merge(&store, &main, &[("t", &tip)]).commit.unwrap();
    assert_eq!(store.entry(&merged).unwrap().parents, [main, tip]);
}

/// A repository's own attributes and drivers are data of strangers: no program
/// of theirs runs, and the user's index decides nothing.
#[test]
fn a_merge_runs_no_program() {
    let repo = Repo::new();
    let proof = repo.git_dir().join("ran");
    let evil = format!("touch {}; false", proof.display());
    for key in [
        "merge.evil.driver",
        "filter.evil.clean",
        "filter.evil.smudge",
        "diff.evil.textconv",
        "diff.evil.command",
    ] {
        repo.git(&["config", key, &evil]);
    }
    repo.git(&["config", "merge.renormalize", "true"]);
    repo.git(&["config", "merge.default", "evil"]);
    let attributes = "* merge=evil filter=evil diff=evil\n";
    std::fs::write(repo.git_dir().join("info/attributes"), attributes).unwrap();
    let plain = |args: &[&str]| {
        let mut all = vec!["-c", "filter.evil.clean=cat", "-c", "filter.evil.smudge=cat"];
        all.extend(args);
        git(repo.path(), &all)
    };
    let make = |base: &str, text: &str| -> Oid {
        plain(&["checkout", "-q", "--detach", base]);
        std::fs::write(repo.path().join("a"), text).unwrap();
        std::fs::write(repo.path().join(".gitattributes"), attributes).unwrap();
        plain(&["add", "-A"]);
        plain(&["commit", "-q", "-m", "x"]);
        plain(&["rev-parse", "HEAD"]).parse().unwrap()
    };
    let base = make("main", &lines(20, None));
    let one = make(base.as_str(), &lines(20, Some((1, "one"))));
    let two = make(base.as_str(), &lines(20, Some((18, "two"))));
    let three = make(base.as_str(), &lines(20, Some((18, "three"))));
    let _ = std::fs::remove_file(&proof);
    let store = repo.store("h1");
    let merged = merge(&store, &base, &[("1", &one), ("2", &two), ("3", &three)]);
    assert!(!proof.exists(), "a program of the repository ran");
    assert_eq!(merged.conflicts.len(), 1);
    let text = store.file(&merged.commit.unwrap(), "a").unwrap().unwrap();
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains("one\n") && text.contains("two\n"), "{text}");
}

#[test]
fn changes_are_those_of_git() {
    let repo = Repo::new();
    let old = repo.commit(&[
        ("same", "s"),
        ("m", "1"),
        ("gone/x", "x"),
        ("was-file", "f"),
        ("run", "r"),
        ("ty", "t"),
    ]);
    std::fs::remove_file(repo.path().join("was-file")).unwrap();
    std::fs::remove_file(repo.path().join("ty")).unwrap();
    std::fs::remove_dir_all(repo.path().join("gone")).unwrap();
    std::os::unix::fs::symlink("m", repo.path().join("ty")).unwrap();
    let run = repo.path().join("run");
    std::fs::set_permissions(run, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let odd = <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"caf\xe9");
    std::fs::write(repo.path().join(odd), "").unwrap();
    let new = repo.commit(&[("m", "2"), ("was-file/now-folder", "f"), ("add/deep/er", "a")]);
    let store = repo.store("h1");
    let trees = [&old, &new].map(|commit| store.tree_of(commit).unwrap());
    let found: Vec<String> = store
        .changes(&trees[0], &trees[1])
        .unwrap()
        .iter()
        .map(|change| format!("{}\t{}", change.kind.letter(), change.path))
        .collect();
    let args = ["-c", "core.quotePath=true", "diff-tree", "-r", "--no-renames", "--name-status"];
    let args: Vec<&str> = args.into_iter().chain(trees.iter().map(Oid::as_str)).collect();
    let said = repo.git(&args).replace("\"caf\\351\"", "caf\\xe9");
    let mut said: Vec<&str> = said.lines().collect();
    said.sort_by_key(|line| &line[2..]);
    assert_eq!(found, said);
    let changes = store.changes(&trees[0], &trees[1]).unwrap();
    let run = changes.iter().find(|change| change.path == "run").unwrap();
    assert_eq!(
        (run.kind, run.old_mode, run.new_mode),
        (ChangeKind::Modified, 0o100_644, 0o100_755)
    );
    assert_eq!(store.changes(&store.empty_tree(), &trees[1]).unwrap().len(), 8);
    assert_eq!(store.changes(&trees[1], &trees[1]).unwrap(), []);
}

#[test]
fn revisions_resolve_as_for_git() {
    let empty = Repo::empty(&[]);
    let store = empty.store("h1");
    for spec in ["HEAD", "HEAD~1", "@"] {
        match store.resolve(spec) {
            Err(StoreError::UnbornHead { branch }) => assert_eq!(branch, "refs/heads/main"),
            other => panic!("{other:?}"),
        }
    }
    assert!(matches!(store.head(), Err(StoreError::UnbornHead { .. })));
    let repo = Repo::new();
    let first = repo.git(&["rev-parse", "HEAD"]);
    let second = repo.commit(&[("a", "a")]);
    repo.git(&["tag", "-a", "v1", "-m", "v1", &first]);
    let store = repo.store("h1");
    for spec in ["HEAD", "main", "HEAD~1", "v1", "v1^{commit}", &first[..9], "main^"] {
        let said = repo.git(&["rev-parse", &format!("{spec}^{{commit}}")]);
        assert_eq!(store.resolve(spec).unwrap().as_str(), said, "{spec}");
    }
    for spec in ["nonsense", "HEAD~9", "HEAD:a", "HEAD^{tree}", "-x", "", "a..b"] {
        let refused = store.resolve(spec);
        assert!(matches!(refused, Err(StoreError::UnknownRevision { .. })), "{spec}: {refused:?}");
    }
    let head = store.head().unwrap();
    assert_eq!((head.branch.as_deref(), head.commit), (Some("refs/heads/main"), second.clone()));
    repo.git(&["checkout", "-q", "--detach"]);
    assert_eq!(store.head().unwrap().branch, None);
    let first: Oid = first.parse().unwrap();
    assert!(store.is_ancestor(&first, &second).unwrap());
    assert!(store.is_ancestor(&first, &first).unwrap());
    assert!(!store.is_ancestor(&second, &first).unwrap());
}

#[test]
fn settings_are_read_as_git_prints_them() {
    let repo = Repo::new();
    for (key, value) in
        [("crew.jobs", "4"), ("crew.Agent.Claude X.model", "opus = 1"), ("crewel.x", "1")]
    {
        repo.git(&["config", key, value]);
    }
    let config = repo.git_dir().join("config");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text + "[crew]\n\tflag\n\tempty =\n\tjobs = 5\n").unwrap();
    repo.git(&["config", "remote.mirror.fetch", "+refs/*:refs/*"]);
    repo.git(&["config", "remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*"]);
    let store = repo.store("h1");
    let have: Vec<String> =
        store.settings().iter().map(|(key, value)| format!("{key}={value}")).collect();
    let want = [
        "crew.jobs=4",
        "crew.Agent.Claude X.model=opus = 1",
        "crew.flag=true",
        "crew.empty=",
        "crew.jobs=5",
    ];
    assert_eq!(have, want);
    assert_eq!(store.fetches_over_us().unwrap(), [("mirror".into(), "+refs/*:refs/*".into())]);
    repo.git(&["config", "user.name", "Ann"]);
    repo.git(&["config", "user.email", "ann@example.invalid"]);
    assert_eq!(repo.store("h1").identity(), Person::new("Ann", "ann@example.invalid"));
}

fn note(op: &str, keeps: Option<Oid>) -> Note {
    Note {
        op: op.parse().unwrap(),
        message: format!("run began\n\nCrew-Op: {op}\n"),
        keeps,
        author: Person::new("crew", "h1@crew.invalid"),
        at: Timestamp(1_700_000_000_000),
    }
}

fn journal_is_idempotent(store: &dyn Chains) {
    let begin = journal::record(store, &note("a1", None)).unwrap();
    let run = store.append(&run_ref("aaaa-j"), None, &[entry("e")]).unwrap();
    let end = journal::record(store, &note("a2", run.won().cloned())).unwrap();
    assert_eq!(journal::record(store, &note("a1", None)).unwrap(), begin);
    assert_eq!(journal::record(store, &note("a2", None)).unwrap(), end);
    assert_eq!(store.entry(&end).unwrap().parents, [begin, run.won().cloned().unwrap()]);
    assert_eq!(messages(store, &RefName::journal()).len(), 3);
    let bad = Note { message: "no op".into(), ..note("a3", None) };
    assert!(matches!(journal::record(store, &bad), Err(StoreError::Invalid { .. })));
}

#[test]
fn the_journal_holds_each_op_once() {
    journal_is_idempotent(&MemoryStore::new());
    let repo = Repo::new();
    journal_is_idempotent(&repo.store("h1"));
    std::thread::scope(|scope| {
        for n in 0..6 {
            let repo = &repo;
            scope.spawn(move || {
                let store = repo.store(&format!("h{n}"));
                journal::record(&store, &note(&format!("b{}", n % 3), None)).unwrap();
            });
        }
    });
    assert_eq!(messages(&repo.store("h1"), &RefName::journal()).len(), 6);
    assert_eq!(repo.git(&["log", "--format=%s", "refs/crew", "--"]).lines().count(), 7);
    assert_eq!(repo.git(&["symbolic-ref", "refs/refs/crew"]), "refs/crew/log");
    repo.fsck();
}

#[test]
fn a_holder_lives_until_its_lock_is_free() {
    let repo = Repo::new();
    let store = repo.store("h1");
    let of = |name: &str| liveness(&store, &holder(name));
    if of("h1") == Liveness::Unknowable {
        println!("skipped: this file system does not tell");
        return;
    }
    assert_eq!(of("h1"), Liveness::Dead);
    let life = Holder::take(&store).unwrap();
    assert_eq!(of("h1"), Liveness::Alive);
    assert!(matches!(Holder::take(&repo.store("h1")), Err(StoreError::LockHeld { .. })));
    // A program started by the holder does not keep it alive.
    let mut sleeper = std::process::Command::new("sleep").arg("30").spawn().unwrap();
    drop(life);
    assert_eq!(of("h1"), Liveness::Dead);
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
    // A file whose owner died without a word.
    std::fs::write(repo.git_dir().join("crew/holders/h2"), "pid 1\n").unwrap();
    assert_eq!(of("h2"), Liveness::Dead);
    let _again = Holder::take(&repo.store("h2")).unwrap();
    assert_eq!(of("h2"), Liveness::Alive);
}
