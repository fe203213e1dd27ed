//! One repository is one place, whichever of its folders a command starts in.

use std::path::Path;
use std::process::Command;

use git_crew::engine::place::Place;
use git_crew::world::environment::Incoming;

fn git(dir: &Path, args: &[&str]) {
    let mut command = Command::new("git");
    command.args(["-c", "user.name=u", "-c", "user.email=u@example.invalid"]);
    let done = command.args(args).current_dir(dir).output().expect("git starts");
    assert!(done.status.success(), "{args:?}: {}", String::from_utf8_lossy(&done.stderr));
}

#[test]
fn the_slots_are_the_same_from_every_folder_and_worktree() {
    let folder = tempfile::tempdir().expect("a folder");
    let top = folder.path().join("app");
    std::fs::create_dir_all(top.join("deep/er")).expect("folders");
    git(&top, &["init", "-q"]);
    git(&top, &["commit", "-q", "--allow-empty", "-m", "c"]);
    let linked = folder.path().join("linked");
    git(&top, &["worktree", "add", "-q", "--detach", linked.to_str().expect("text")]);
    let home = folder.path().join("home");
    let incoming = || {
        let path = std::env::var_os("PATH").unwrap_or_default();
        Incoming::new([("HOME".into(), home.clone().into()), ("PATH".into(), path)], vec![])
    };
    let root = |dir: &Path| {
        let place = Place::open(dir, incoming()).expect("opens");
        place.slots().expect("has slots").root().to_owned()
    };
    let first = root(&top);
    assert!(first.to_string_lossy().contains("/app-"), "{}", first.display());
    for other in [top.join("deep/er"), top.join("deep/.."), linked, top.join(".git")] {
        assert_eq!(root(&other), first, "{}", other.display());
    }
}
