//! One contract, checked on memory and on every shape of git repository.

use git_crew::domain::id::Oid;
use git_crew::domain::time::Timestamp;
use git_crew::store::{
    Chains, GitStore, MemoryStore, NewEntry, RefName, StoreError, Swap, TreeEdit, names,
};

use super::child::{Orders, finish};
use super::fixture::{Repo, entry, entry_with, git, messages, open, run, run_ref};

fn won(swap: Swap) -> Oid {
    match swap {
        Swap::Won(tip) => tip,
        Swap::Lost(seen) => panic!("lost against {seen:?}"),
    }
}

fn appends_only_on_the_tip(store: &dyn Chains) {
    let name = run_ref("aaaa-tip");
    assert_eq!(store.tip(&name).unwrap(), None);
    let one = won(store.append(&name, None, &[entry("one")]).unwrap());
    assert_eq!(store.append(&name, None, &[entry("x")]).unwrap(), Swap::Lost(Some(one.clone())));
    let three = won(store.append(&name, Some(&one), &[entry("two"), entry("three")]).unwrap());
    assert_eq!(
        store.append(&name, Some(&one), &[entry("y")]).unwrap(),
        Swap::Lost(Some(three.clone()))
    );
    assert_eq!(store.tip(&name).unwrap(), Some(three.clone()));
    assert_eq!(messages(store, &name), ["one", "two", "three"]);
    let absent = run_ref("aaaa-absent");
    assert_eq!(store.append(&absent, Some(&one), &[entry("z")]).unwrap(), Swap::Lost(None));
    assert!(matches!(store.append(&name, Some(&three), &[]), Err(StoreError::Invalid { .. })));
    // A swap from a value to itself is no licence to create.
    assert_eq!(store.point(&name, None, &three).unwrap(), Swap::Lost(Some(three)));
}

fn keeps_messages_and_people_whole(store: &dyn Chains) {
    let name = run_ref("aaaa-text");
    let message = "subject: ä\n\nbody\n\nCrew-Op: 1\n";
    let first = NewEntry { at: Timestamp(1_700_000_000_999), ..entry(message) };
    let id = won(store.append(&name, None, std::slice::from_ref(&first)).unwrap());
    let back = store.entry(&id).unwrap();
    assert_eq!(back.message, message);
    assert_eq!(back.author, first.author);
    assert_eq!(back.at, Timestamp(1_700_000_000_000));
    assert_eq!(back.parents, []);
    let nul = store.append(&name, Some(&id), &[entry("a\0b")]);
    assert!(matches!(nul, Err(StoreError::Invalid { .. })));
    let mut bad = entry("x");
    bad.author.name = "a\nparent 0".into();
    let bad = store.append(&name, Some(&id), &[bad]);
    assert!(matches!(bad, Err(StoreError::Invalid { .. })));
    assert_eq!(store.tip(&name).unwrap(), Some(id));
}

fn time_never_falls_along_a_chain(store: &dyn Chains) {
    let name = run_ref("aaaa-time");
    let at = |ms| NewEntry { at: Timestamp(ms), ..entry("e") };
    let id = won(store.append(&name, None, &[at(50_000), at(10_000), at(60_000)]).unwrap());
    let last = store.entry(&id).unwrap();
    let middle = store.entry(&last.parents[0]).unwrap();
    assert_eq!((middle.at, last.at), (Timestamp(50_000), Timestamp(60_000)));
}

fn trees_are_edited_relative_to_the_parent(store: &dyn Chains) {
    let name = run_ref("aaaa-tree");
    let steps = [
        entry_with("1", &[("run.json", Some("{}")), ("tasks/a/x", Some("x")), ("b", Some("b"))]),
        entry("2"),
        entry_with("3", &[("tasks/a/x", None), ("tasks/a/y", Some("y")), ("absent", None)]),
        entry_with("4", &[("b/c/d", Some("b became a folder"))]),
        entry_with("5", &[("b", Some("and a file again")), ("tasks", None), ("no/such", None)]),
        entry_with("6", &[("b", None), ("run.json", None)]),
    ];
    let mut tips = Vec::new();
    for step in steps {
        tips.push(won(store.append(&name, tips.last(), &[step]).unwrap()));
    }
    let all = |n: usize| store.files(&tips[n], "").unwrap();
    assert_eq!(all(0), ["b", "run.json", "tasks/a/x"]);
    assert_eq!(store.entry(&tips[1]).unwrap().tree, store.entry(&tips[0]).unwrap().tree);
    assert_eq!(all(2), ["b", "run.json", "tasks/a/y"]);
    assert_eq!(store.files(&tips[2], "tasks").unwrap(), ["tasks/a/y"]);
    assert_eq!(store.files(&tips[2], "tas").unwrap(), [""; 0]);
    assert_eq!(store.files(&tips[2], "b").unwrap(), [""; 0]);
    assert_eq!(all(3), ["b/c/d", "run.json", "tasks/a/y"]);
    assert_eq!(all(4), ["b", "run.json"]);
    assert_eq!(all(5), [""; 0]);
    assert_eq!(store.file(&tips[0], "tasks/a/x").unwrap().as_deref(), Some(b"x".as_slice()));
    assert_eq!(store.file(&tips[0], "tasks/a").unwrap(), None);
    assert_eq!(store.file(&tips[0], "tasks/a/x/y").unwrap(), None);
    assert_eq!(store.file(&tips[2], "tasks/a/x").unwrap(), None);
    let tree = store.entry(&tips[0]).unwrap().tree;
    let whole = NewEntry { tree: TreeEdit::Whole(tree.clone()), ..entry("7") };
    let last = won(store.append(&name, tips.last(), &[whole]).unwrap());
    assert_eq!(store.entry(&last).unwrap().tree, tree);
    for bad in ["", "/a", "a/", "a//b", "../a", "a/./b", ".git/x", "a/.GIT/b"] {
        let refused = store.append(&name, Some(&last), &[entry_with("8", &[(bad, Some("x"))])]);
        assert!(matches!(refused, Err(StoreError::Invalid { .. })), "{bad}");
    }
}

fn a_batch_sees_its_own_trees(store: &dyn Chains) {
    let name = run_ref("aaaa-batch");
    let steps = [
        entry_with("1", &[("a/b/c", Some("1"))]),
        entry_with("2", &[("a/b/d", Some("2"))]),
        entry_with("3", &[("a/b/c", None)]),
    ];
    let id = won(store.append(&name, None, &steps).unwrap());
    assert_eq!(store.files(&id, "").unwrap(), ["a/b/d"]);
    let second = store.entry(&id).unwrap().parents[0].clone();
    assert_eq!(store.files(&second, "a").unwrap(), ["a/b/c", "a/b/d"]);
}

fn further_parents_come_after_the_first(store: &dyn Chains) {
    let other = won(store.append(&run_ref("aaaa-other"), None, &[entry("o")]).unwrap());
    let journal = RefName::journal();
    let one = won(store.append(&journal, None, &[entry("1")]).unwrap());
    let merge = NewEntry { extra_parents: vec![other.clone()], ..entry("2") };
    let two = won(store.append(&journal, Some(&one), &[merge]).unwrap());
    assert_eq!(store.entry(&two).unwrap().parents, [one.clone(), other]);
    let missing: Oid = "1234".repeat(one.as_str().len() / 4).parse().unwrap();
    let bad = NewEntry { extra_parents: vec![missing], ..entry("3") };
    let refused = store.append(&journal, Some(&two), &[bad]);
    assert!(matches!(refused, Err(StoreError::Damaged { .. })));
    store.make_alias().unwrap();
    store.make_alias().unwrap();
}

fn refs_are_pointed_listed_and_removed(store: &dyn Chains) {
    let id = won(store.append(&run_ref("bbbb-list"), None, &[entry("o")]).unwrap());
    let next = won(store.append(&run_ref("bbbb-list"), Some(&id), &[entry("p")]).unwrap());
    let work = RefName::work(&run("bbbb-list"), &"task".parse().unwrap(), 1);
    assert_eq!(won(store.point(&work, None, &id).unwrap()), id);
    assert_eq!(store.point(&work, Some(&next), &next).unwrap(), Swap::Lost(Some(id.clone())));
    assert_eq!(won(store.point(&work, Some(&id), &next).unwrap()), next);
    let missing: Oid = "1234".repeat(id.as_str().len() / 4).parse().unwrap();
    assert!(matches!(store.point(&work, Some(&next), &missing), Err(StoreError::Damaged { .. })));
    let listed = store.list(&RefName::work_of(&run("bbbb-list"))).unwrap();
    assert_eq!(listed, [(work.clone(), next.clone())]);
    let runs: Vec<_> = store.list(names::RUNS).unwrap();
    assert!(runs.iter().all(|(name, _)| name.as_str().starts_with(names::RUNS)));
    assert!(runs.contains(&(run_ref("bbbb-list"), next.clone())));
    assert_eq!(store.remove(&work, &id).unwrap(), Swap::Lost(Some(next.clone())));
    assert_eq!(won(store.remove(&work, &next).unwrap()), next);
    assert_eq!(store.remove(&work, &next).unwrap(), Swap::Lost(None));
    assert_eq!(store.tip(&work).unwrap(), None);
    let lease = RefName::lease("tick").unwrap();
    won(store.point(&lease, None, &id).unwrap());
    for name in [lease, RefName::journal(), RefName::alias(), RefName::notes()] {
        assert!(matches!(store.remove(&name, &id), Err(StoreError::Protected { .. })), "{name}");
    }
}

fn whole_contract(store: &dyn Chains) {
    appends_only_on_the_tip(store);
    keeps_messages_and_people_whole(store);
    time_never_falls_along_a_chain(store);
    trees_are_edited_relative_to_the_parent(store);
    a_batch_sees_its_own_trees(store);
    further_parents_come_after_the_first(store);
    refs_are_pointed_listed_and_removed(store);
    store.recheck().unwrap();
}

#[test]
fn memory_keeps_the_contract() {
    whole_contract(&MemoryStore::new());
}

#[test]
fn a_repository_keeps_the_contract() {
    let repo = Repo::new();
    whole_contract(&repo.store("h1"));
    repo.fsck();
    let log = repo.git(&["log", "--format=%s", "--first-parent", "refs/crew"]);
    assert_eq!(log, "2\n1");
    assert_eq!(repo.git(&["status", "--porcelain"]), "");
}

#[test]
fn a_sha256_repository_keeps_the_contract() {
    let repo = Repo::empty(&["--object-format=sha256"]);
    whole_contract(&repo.store("h1"));
    repo.fsck();
}

#[test]
fn packed_refs_keep_the_contract() {
    let repo = Repo::new();
    let store = repo.store("h1");
    let name = run_ref("aaaa-packed");
    let mut tips = vec![won(store.append(&name, None, &[entry("1")]).unwrap())];
    for n in 2..6 {
        repo.git(&["pack-refs", "--all"]);
        assert!(!repo.git_dir().join(name.as_str()).exists());
        assert_eq!(store.tip(&name).unwrap().as_ref(), tips.last());
        assert_eq!(store.list(names::RUNS).unwrap().len(), 1);
        let lost = store.append(&name, None, &[entry("no")]).unwrap();
        assert_eq!(lost, Swap::Lost(tips.last().cloned()));
        tips.push(won(store.append(&name, tips.last(), &[entry(&n.to_string())]).unwrap()));
    }
    assert_eq!(messages(&store, &name), ["1", "2", "3", "4", "5"]);
    repo.git(&["pack-refs", "--all"]);
    won(store.remove(&name, tips.last().unwrap()).unwrap());
    assert_eq!(store.tip(&name).unwrap(), None);
    repo.fsck();
}

/// The repository is found from wherever git finds it, and `refs/crew` is one
/// for all its worktrees.
#[test]
fn opens_whatever_git_opens() {
    let repo = Repo::new();
    let store = repo.store("h1");
    let tip = won(store.append(&run_ref("aaaa-open"), None, &[entry("1")]).unwrap());
    repo.commit(&[("sub/folder/file", "x")]);
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name).display().to_string();
    repo.git(&["worktree", "add", "-q", "--detach", &at("linked")]);
    let from = |path: &std::path::Path| -> GitStore {
        let found = open(path, "h2");
        assert_eq!(found.tip(&run_ref("aaaa-open")).unwrap(), Some(tip.clone()), "{path:?}");
        found
    };
    from(&repo.path().join("sub/folder"));
    from(&repo.git_dir());
    let linked = from(&place.path().join("linked"));
    assert_eq!(linked.common_dir(), store.common_dir());
    assert_ne!(linked.git_dir(), store.git_dir());
    won(linked.append(&run_ref("aaaa-linked"), None, &[entry("1")]).unwrap());
    assert!(store.tip(&run_ref("aaaa-linked")).unwrap().is_some());
    git(place.path(), &["clone", "-q", "--mirror", repo.path().to_str().unwrap(), "bare"]);
    let bare = from(&place.path().join("bare"));
    assert_eq!(bare.work_dir(), None);
    git(place.path(), &["init", "-q", "--separate-git-dir", &at("elsewhere"), "separate"]);
    let separate = open(&place.path().join("separate"), "h2");
    whole_contract(&separate);
    assert!(place.path().join("elsewhere/refs/crew/log").exists());
    repo.git(&[
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "--quiet",
        "add",
        &at("bare"),
        "module",
    ]);
    let module = open(&repo.path().join("module"), "h2");
    won(module.append(&run_ref("cccc-module"), None, &[entry("1")]).unwrap());
    assert_eq!(store.tip(&run_ref("cccc-module")).unwrap(), None);
    assert!(repo.git_dir().join("modules/module/refs/crew/runs/cccc-module").exists());
}

/// As in a hook, or under `git --git-dir`: the environment names the repository.
#[test]
fn the_environment_names_the_repository_as_for_git() {
    let repo = Repo::new();
    let elsewhere = tempfile::tempdir().unwrap();
    let acks = elsewhere.path().join("acks");
    let orders = Orders { acks, events: 2, ..Orders::new(elsewhere.path(), "h-env", "aaaa-env") };
    let mut command = orders.command();
    command.env("GIT_DIR", repo.git_dir()).env("GIT_INDEX_FILE", "/nonexistent/index");
    finish(command.spawn().unwrap());
    assert_eq!(messages(&repo.store("h"), &run_ref("aaaa-env")), ["h-env-0", "h-env-1"]);
}

/// Many first appends at once in one process: each has to settle the boot.
#[test]
fn first_appends_do_not_stand_in_each_others_way() {
    let repo = Repo::new();
    for boot in [None, Some("another boot\n")] {
        if let Some(boot) = boot {
            std::fs::write(repo.git_dir().join("crew/boot"), boot).unwrap();
        }
        let start = std::sync::Barrier::new(12);
        std::thread::scope(|scope| {
            for n in 0..12 {
                let (repo, start) = (&repo, &start);
                scope.spawn(move || {
                    let store = repo.store(&format!("h{n}"));
                    let name = run_ref(&format!("{}-{n}", if boot.is_some() { "b" } else { "a" }));
                    start.wait();
                    won(store.append(&name, None, &[entry("1")]).unwrap());
                });
            }
        });
    }
    let left = std::fs::read_dir(repo.git_dir().join("crew")).unwrap().flatten();
    let names: Vec<_> = left.map(|entry| entry.file_name().into_string().unwrap()).collect();
    assert!(names.iter().all(|name| !name.contains("tmp")), "{names:?}");
}

#[test]
fn what_cannot_be_served_is_refused_by_name() {
    let nowhere = tempfile::tempdir().unwrap();
    let options = || git_crew::store::Options::new("h1".parse().unwrap());
    let refused = GitStore::open(nowhere.path(), options()).unwrap_err();
    assert!(matches!(refused, StoreError::NotARepository { .. }), "{refused:?}");
    let repo = Repo::empty(&["--ref-format=reftable"]);
    let refused = GitStore::open(repo.path(), options()).unwrap_err();
    assert!(matches!(refused, StoreError::Reftable { .. }), "{refused:?}");
}

#[test]
fn a_name_is_never_file_and_folder() {
    let repo = Repo::new();
    let head = repo.git(&["rev-parse", "HEAD"]);
    let store = repo.store("h1");
    for packed in [false, true] {
        let (above, below) = if packed { ("cccc", "dddd") } else { ("eeee", "ffff") };
        repo.git(&["update-ref", &format!("refs/crew/work/{above}"), &head]);
        repo.git(&["update-ref", &format!("refs/crew/runs/{below}/x"), &head]);
        if packed {
            repo.git(&["pack-refs", "--all"]);
        }
        let work = RefName::work(&run(above), &"t".parse().unwrap(), 1);
        for name in [work, run_ref(below)] {
            let refused = store.append(&name, None, &[entry("1")]);
            assert!(matches!(refused, Err(StoreError::NameClash { .. })), "{name}: {refused:?}");
        }
    }
    // An empty folder that git left behind is no clash.
    std::fs::create_dir_all(repo.git_dir().join("refs/crew/runs/gggg/x/y")).unwrap();
    won(store.append(&run_ref("gggg"), None, &[entry("1")]).unwrap());
    repo.fsck();
}

#[test]
fn a_garbled_ref_falls_back_to_the_packed_value_or_is_damage() {
    let repo = Repo::new();
    let store = repo.store("h1");
    let name = run_ref("aaaa-garbled");
    let tip = won(store.append(&name, None, &[entry("1")]).unwrap());
    repo.git(&["pack-refs", "--all"]);
    let file = repo.git_dir().join(name.as_str());
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    for garbage in ["", "\n", "0123", "ref: refs/heads/main\n", &"0".repeat(40)] {
        std::fs::write(&file, garbage).unwrap();
        assert_eq!(store.tip(&name).unwrap(), Some(tip.clone()), "{garbage:?}");
        assert_eq!(store.list(names::RUNS).unwrap(), [(name.clone(), tip.clone())]);
    }
    let two = won(store.append(&name, Some(&tip), &[entry("2")]).unwrap());
    assert_eq!(store.tip(&name).unwrap(), Some(two));
    let lone = run_ref("aaaa-lone");
    std::fs::write(repo.git_dir().join(lone.as_str()), "").unwrap();
    for refused in [store.tip(&lone).err(), store.append(&lone, None, &[entry("1")]).err()] {
        match refused {
            Some(StoreError::Damaged { name, .. }) => assert_eq!(name, lone.as_str()),
            other => panic!("{other:?}"),
        }
    }
    assert!(matches!(store.list(names::RUNS), Err(StoreError::Damaged { .. })));
}
