//! A long run brings many packs, all newer than the store that reads them.

use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::panic::{catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use git_crew::domain::id::Oid;
use git_crew::store::{Chains, Durability, GitStore, Options, RefName, StoreError, Swap};

use super::fixture::*;

#[test]
fn a_store_sees_every_pack_that_comes_after_it_was_opened() {
    let repo = Repo::new();
    let store = repo.store("a");
    let mut made = Vec::new();
    for number in 0..60 {
        repo.git(&["commit", "--quiet", "--allow-empty", "-m", &format!("commit {number}")]);
        repo.git(&["repack", "--quiet", "-d"]);
        made.push(repo.git(&["rev-parse", "HEAD"]));
    }
    for id in made {
        let id = id.trim().parse().expect("git prints an object id");
        store.entry(&id).unwrap_or_else(|error| panic!("{id:?}: {error}"));
    }
}

/// Two rewrites of `packed-refs` can share a time stamp.
#[test]
fn removing_a_ref_brings_back_no_old_value_of_another() {
    let repo = Repo::new();
    let store = repo.store("a");
    let base = repo.git(&["rev-parse", "HEAD"]).parse().expect("an object id");
    let work = |attempt| {
        let task = "one".parse().expect("a slug");
        RefName::work(&run("aaaa-x"), &task, attempt)
    };
    for attempt in 1..=3 {
        assert!(store.point(&work(attempt), None, &base).expect("points").won().is_some());
    }
    repo.git(&["pack-refs", "--all"]);
    let packed = repo.git_dir().join("packed-refs");
    // From here on the store has seen the packed refs.
    assert!(store.remove(&work(1), &base).expect("removes").won().is_some());
    assert!(store.resolve("main").is_ok());
    let stamp = packed.metadata().and_then(|data| data.modified()).expect("a time");
    let newer = repo.commit(&[("README", "newer\n")]);
    repo.git(&["pack-refs", "--all"]);
    File::options().write(true).open(&packed).and_then(|f| f.set_modified(stamp)).expect("set");
    assert!(store.remove(&work(2), &base).expect("removes").won().is_some());
    assert_eq!(repo.git(&["rev-parse", "main"]), newer.as_str(), "the user's branch went back");
    repo.fsck();
}

/// `pack-refs` between the moment a removal reads the packed refs and the one in
/// which it writes them back is not undone.
#[test]
fn removing_refs_beside_pack_refs_turns_nothing_back() {
    let repo = Repo::new();
    let base: Oid = repo.git(&["rev-parse", "HEAD"]).parse().expect("an object id");
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                git_output(repo.path(), &["pack-refs", "--all", "--prune"]);
            }
        });
        for remover in 0..3 {
            let (repo, base, over) = (&repo, &base, &over);
            scope.spawn(move || make_and_remove(repo, &format!("r{remover}"), base, over));
        }
        let writing = catch_unwind(|| write_for(&repo, Duration::from_secs(4)));
        over.store(true, Ordering::Relaxed);
        writing.unwrap_or_else(|panic| resume_unwind(panic));
    });
    repo.fsck();
}

/// Makes refs and removes them, each name once, as attempts are numbered.
fn make_and_remove(repo: &Repo, id: &str, base: &Oid, over: &AtomicBool) {
    let options = Options { durability: Durability::None, ..Options::new(holder(id)) };
    let store = GitStore::open(repo.path(), options).unwrap();
    let mut attempt = 0;
    while !over.load(Ordering::Relaxed) {
        attempt += 1;
        let name = RefName::work(&run("aaaa-x"), &id.parse().unwrap(), attempt);
        assert!(store.point(&name, None, base).unwrap().won().is_some());
        // Long enough for it to be packed, most times.
        std::thread::sleep(Duration::from_millis(3));
        let swap = store.remove(&name, base).unwrap();
        assert!(swap.won().is_some(), "{swap:?}");
        assert_eq!(store.tip(&name).unwrap(), None, "it came back");
    }
}

/// Moves a chain and a branch of the user, alone on both; each must be where it
/// was left.
fn write_for(repo: &Repo, time: Duration) {
    let options = Options { durability: Durability::None, ..Options::new(holder("w")) };
    let store = GitStore::open(repo.path(), options).unwrap();
    let (name, until) = (run_ref("aaaa-w"), Instant::now() + time);
    let mut tip: Option<Oid> = None;
    while Instant::now() < until {
        let Swap::Won(new) = store.append(&name, tip.as_ref(), &[entry("e")]).unwrap() else {
            panic!("the chain went back from {tip:?} to {:?}", store.tip(&name));
        };
        repo.git(&["update-ref", "refs/heads/theirs", new.as_str()]);
        assert_eq!(repo.git(&["rev-parse", "theirs"]), new.as_str(), "the user's branch");
        tip = Some(new);
    }
}

#[test]
fn a_removal_leaves_the_packed_refs_as_git_would() {
    let repo = Repo::new();
    let store = repo.store("a");
    repo.git(&["tag", "-a", "-m", "t", "signed"]);
    let base = repo.git(&["rev-parse", "HEAD"]).parse().expect("an object id");
    let name = RefName::work(&run("aaaa-x"), &"one".parse().unwrap(), 1);
    let packed = repo.git_dir().join("packed-refs");
    repo.git(&["pack-refs", "--all"]);
    std::fs::set_permissions(&packed, Permissions::from_mode(0o664)).unwrap();
    let before = std::fs::read_to_string(&packed).unwrap();
    assert!(before.contains("\n^"), "a tag that is peeled: {before}");

    assert!(store.point(&name, None, &base).unwrap().won().is_some());
    repo.git(&["pack-refs", "--all", "--prune"]);
    std::fs::set_permissions(&packed, Permissions::from_mode(0o664)).unwrap();
    assert!(store.remove(&name, &base).unwrap().won().is_some());
    assert_eq!(std::fs::read_to_string(&packed).unwrap(), before);
    assert_eq!(packed.metadata().unwrap().permissions().mode() & 0o777, 0o664);
    assert!(!repo.git_dir().join("refs/crew/work").exists(), "empty folders stay behind");
    assert!(matches!(store.remove(&name, &base).unwrap(), Swap::Lost(None)));
}

#[test]
fn a_lock_of_the_packed_refs_that_stays_is_named() {
    let repo = Repo::new();
    let options = Options { lock_wait: Duration::from_millis(200), ..Options::new(holder("a")) };
    let store = GitStore::open(repo.path(), options).unwrap();
    let base = repo.git(&["rev-parse", "HEAD"]).parse().expect("an object id");
    let name = RefName::work(&run("aaaa-x"), &"one".parse().unwrap(), 1);
    assert!(store.point(&name, None, &base).unwrap().won().is_some());
    let lock = repo.git_dir().join("packed-refs.lock");
    std::fs::write(&lock, "").unwrap();
    match store.remove(&name, &base) {
        Err(StoreError::LockHeld { path }) => assert_eq!(path, lock.canonicalize().unwrap()),
        other => panic!("{other:?}"),
    }
    assert_eq!(store.tip(&name).unwrap(), Some(base), "nothing was removed");
    assert!(lock.exists(), "git's lock is not ours to break");
}

#[test]
fn a_lock_of_the_packed_refs_that_we_left_goes_before_the_next_append() {
    let repo = Repo::new();
    let append = |holder, run| {
        let swap = repo.store(holder).append(&run_ref(run), None, &[entry("1")]).unwrap();
        assert!(swap.won().is_some());
    };
    append("a", "aaaa-x");
    let lock = repo.git_dir().join("packed-refs.lock");
    std::fs::write(&lock, "git-crew 1\n").unwrap();
    let held = File::open(&lock).unwrap();
    let held = nix::fcntl::Flock::lock(held, nix::fcntl::FlockArg::LockExclusive).unwrap();
    append("b", "aaaa-y");
    assert!(lock.exists(), "its process lives");
    drop(held);
    append("c", "aaaa-z");
    assert!(!lock.exists(), "git is still locked out");
    let quarantine = repo.git_dir().join("crew/quarantine/packed-refs.lock");
    assert_eq!(std::fs::read_to_string(quarantine).unwrap(), "git-crew 1\n");
}
