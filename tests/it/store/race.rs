//! Many processes on one ref, with and without git's housekeeping beside them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use git_crew::store::{Chains, GitStore, NewEntry, RefName, Swap};

use super::child::{Orders, quick};
use super::fixture::{Repo, entry, fsck, git_output, messages, open, run_ref};

/// Every acknowledged event is in its chain exactly once, with its tree, and
/// git finds nothing wrong.
pub(crate) fn check(repo: &Repo, writers: &[Orders]) -> usize {
    check_at(repo.path(), writers)
}

/// The same for a repository that is no [`Repo`].
pub(crate) fn check_at(repo: &Path, writers: &[Orders]) -> usize {
    let store = open(repo, "checker");
    let mut counts: BTreeMap<(String, String), u32> = BTreeMap::new();
    let mut runs: Vec<&str> = writers.iter().map(|writer| writer.run.as_str()).collect();
    runs.sort_unstable();
    runs.dedup();
    for run in runs {
        for message in readable(&store, run) {
            *counts.entry((run.to_owned(), message)).or_default() += 1;
        }
    }
    assert!(counts.values().all(|count| *count == 1), "an event is doubled: {counts:?}");
    let mut acked = 0;
    for writer in writers {
        for (message, id) in writer.acked() {
            let key = (writer.run.clone(), message.clone());
            assert!(counts.contains_key(&key), "lost: {message} of {}", writer.run);
            let path = format!("state/{}", writer.holder);
            let file = store.file(&id, &path);
            let file = file.unwrap_or_else(|error| panic!("lost: the tree of {message}: {error}"));
            let file = file.expect("the event's file");
            assert_eq!(String::from_utf8(file).unwrap(), message);
            acked += 1;
        }
    }
    fsck(repo);
    acked
}

/// A chain's messages; a chain that can't be read has lost its events.
fn readable(store: &GitStore, run: &str) -> Vec<String> {
    let (mut all, mut at) = (Vec::new(), store.tip(&run_ref(run)));
    loop {
        match at {
            Ok(None) => return all,
            Ok(Some(id)) => match store.entry(&id) {
                Ok(entry) => {
                    all.push(entry.message);
                    at = Ok(entry.parents.into_iter().next());
                }
                Err(error) => panic!("lost: the chain of {run} below {id}: {error}"),
            },
            Err(error) => panic!("lost: the tip of {run}: {error}"),
        }
    }
}

#[test]
fn sixteen_processes_on_one_chain_lose_and_double_nothing() {
    let repo = Repo::new();
    let writers: Vec<Orders> = (0..16)
        .map(|n| Orders { events: 12, ..Orders::new(repo.path(), &format!("h{n}"), "aaaa-race") })
        .collect();
    let children: Vec<_> = writers.iter().map(Orders::spawn).collect();
    let ends: Vec<_> = children.into_iter().map(|child| child.wait_with_output()).collect();
    assert_eq!(check(&repo, &writers), 16 * 12);
    assert!(ends.into_iter().all(|end| end.unwrap().status.success()), "a writer failed");
    assert_eq!(messages(&repo.store("h"), &run_ref("aaaa-race")).len(), 16 * 12);
}

#[test]
fn one_of_many_creates_a_ref() {
    let repo = Repo::new();
    for packed in [false, true] {
        let name = RefName::lease(if packed { "packed" } else { "loose" }).unwrap();
        if packed {
            repo.git(&["update-ref", "refs/heads/other", "HEAD"]);
            repo.git(&["pack-refs", "--all"]);
        }
        let start = std::sync::Barrier::new(16);
        let wins: usize = std::thread::scope(|scope| {
            let racers: Vec<_> = (0..16)
                .map(|n| {
                    let (start, name, repo) = (&start, &name, &repo);
                    scope.spawn(move || {
                        let store = repo.store(&format!("h{n}"));
                        // Byte for byte the same entry: the trap of "must not exist".
                        let same = NewEntry { ..entry("grant") };
                        start.wait();
                        let swap = store.append(name, None, &[same]).unwrap();
                        usize::from(matches!(swap, Swap::Won(_)))
                    })
                })
                .collect();
            racers.into_iter().map(|racer| racer.join().unwrap()).sum()
        });
        assert_eq!(wins, 1);
    }
}

/// Writers for some seconds while git runs `commands` in a loop.
fn storm(commands: &[&[&str]]) {
    #[expect(clippy::disallowed_methods, reason = "the nightly run asks for more")]
    let seconds =
        std::env::var("CREW_STORM_SECONDS").ok().and_then(|s| s.parse().ok()).unwrap_or(6);
    let repo = Repo::new();
    let writers: Vec<Orders> = (0..6)
        .map(|n| {
            let run = if n < 3 { "aaaa-shared".to_owned() } else { format!("aaaa-own-{n}") };
            let orders = Orders::new(repo.path(), &format!("h{n}"), &run);
            Orders { events: 100_000, seconds, ..orders }
        })
        .collect();
    let children: Vec<_> = writers.iter().map(Orders::spawn).collect();
    let over = AtomicBool::new(false);
    let (ends, passes) = std::thread::scope(|scope| {
        let keeper = scope.spawn(|| {
            let mut passes = 0;
            while !over.load(Ordering::Relaxed) {
                for command in commands {
                    // git itself may stop at a hole; only the events count.
                    passes += usize::from(git_output(repo.path(), command).status.success());
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            passes
        });
        let ends: Vec<_> = children.into_iter().map(|child| child.wait_with_output()).collect();
        over.store(true, Ordering::Relaxed);
        (ends, keeper.join().unwrap())
    });
    // What was lost says more than who stumbled over it.
    let acked = check(&repo, &writers);
    for end in ends.into_iter().map(Result::unwrap) {
        let errors = String::from_utf8_lossy(&end.stderr);
        assert!(end.status.success(), "a writer failed: {errors}");
    }
    println!("{commands:?}: {acked} acknowledged, {passes} passes of git succeeded");
    assert!(acked > 50, "the writers hardly wrote: {acked}");
}

#[test]
fn gc_that_prunes_now_takes_nothing_acknowledged() {
    storm(&[&["gc", "--quiet", "--prune=now"]]);
}

#[test]
fn prune_that_expires_now_takes_nothing_acknowledged() {
    storm(&[&["prune", "--expire=now"]]);
}

#[test]
fn repack_and_pack_refs_take_nothing_acknowledged() {
    storm(&[&["repack", "-a", "-d", "-q"], &["pack-refs", "--all"]]);
}

#[test]
fn a_leftover_lock_is_moved_away_and_a_live_one_is_waited_for() {
    let repo = Repo::new();
    let store = git_crew::store::GitStore::open(repo.path(), quick("h1")).unwrap();
    let name = run_ref("aaaa-stale");
    let lock = repo.git_dir().join(format!("{name}.lock"));
    std::fs::create_dir_all(lock.parent().unwrap()).unwrap();
    std::fs::write(&lock, "half a val").unwrap();
    let Swap::Won(tip) = store.append(&name, None, &[entry("1")]).unwrap() else { panic!() };
    let quarantine = repo.git_dir().join("crew/quarantine/refs-crew-runs-aaaa-stale.lock");
    assert_eq!(std::fs::read_to_string(quarantine).unwrap(), "half a val");
    // A lock that somebody works on changes, and is never moved.
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..15 {
                std::fs::write(&lock, n.to_string()).unwrap();
                std::thread::sleep(Duration::from_millis(60));
            }
            over.store(true, Ordering::Relaxed);
            std::fs::remove_file(&lock).expect("the live lock is still there");
        });
        while !lock.exists() {
            std::thread::yield_now();
        }
        let swap = store.append(&name, Some(&tip), &[entry("2")]).unwrap();
        assert!(matches!(swap, Swap::Won(_)));
        assert!(over.load(Ordering::Relaxed), "went past a live lock");
    });
    repo.fsck();
}

#[test]
fn a_lock_that_stays_is_named_after_the_wait() {
    let repo = Repo::new();
    let options = git_crew::store::Options { lock_wait: Duration::from_millis(200), ..quick("h1") };
    let store = git_crew::store::GitStore::open(repo.path(), options).unwrap();
    let name = run_ref("aaaa-held");
    let lock = repo.git_dir().join(format!("{name}.lock"));
    std::fs::create_dir_all(lock.parent().unwrap()).unwrap();
    std::fs::write(&lock, "").unwrap();
    match store.append(&name, None, &[entry("1")]) {
        Err(git_crew::store::StoreError::LockHeld { path }) => {
            assert_eq!(path.file_name(), lock.file_name());
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(store.tip(&name).unwrap(), None);
}
