//! A long run brings many packs, all newer than the store that reads them.

use std::fs::File;

use git_crew::store::{Chains, RefName};

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
