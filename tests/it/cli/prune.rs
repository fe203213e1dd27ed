//! `git crew prune` and `git crew path --clean`.

use std::path::{Path, PathBuf};

use super::sandbox::{Sandbox, put, step, until};

fn items(sandbox: &Sandbox, more: &[&str]) -> Vec<(String, PathBuf, bool)> {
    let words = [&["prune", "--json"], more].concat();
    let said = sandbox.crew(&words).exits(0).out;
    let data: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    let all = data["data"]["items"].as_array().expect("a list").clone();
    let text = |item: &serde_json::Value, key: &str| item[key].as_str().unwrap_or("").to_owned();
    all.iter()
        .map(|item| (text(item, "kind"), text(item, "path").into(), item["removed"] == true))
        .collect()
}

fn clean(sandbox: &Sandbox, id: &str, task: &str) -> PathBuf {
    let said = sandbox.crew(&["path", "--clean", id, task]).exits(0).out;
    PathBuf::from(said.trim_end_matches('\n'))
}

#[test]
fn a_person_gets_a_clean_checkout_of_the_work() {
    let sandbox =
        Sandbox::with(&[step("first", &[], "echo one >made; git config core.fsmonitor x")]);
    let (id, _) = sandbox.run(&[], 0);
    let path = clean(&sandbox, &id, "first");
    assert_eq!(std::fs::read_to_string(path.join("made")).expect("there"), "one\n");
    assert_eq!(sandbox.git_in(&path, &["status", "--porcelain"]), "");
    let subject = sandbox.git_in(&path, &["log", "-1", "--format=%s"]);
    assert!(subject.starts_with("first: "), "{subject}");
    assert!(!sandbox.try_git(&path, &["config", "core.fsmonitor"]).out.contains('x'));
    put(&path.join("note"), "mine");
    assert_eq!(clean(&sandbox, &id, "first"), path, "the same at each call");
    assert!(path.join("note").exists());
    // What a person did in it is nowhere else.
    assert!(items(&sandbox, &[]).contains(&("checkout".into(), folder(&path), false)));
    std::fs::remove_file(path.join("note")).expect("there");
    sandbox.git_in(
        &path,
        &["-c", "user.name=a", "-c", "user.email=b", "commit", "-q", "--allow-empty", "-m", "mine"],
    );
    assert!(items(&sandbox, &[]).contains(&("checkout".into(), folder(&path), false)));
    sandbox.git_in(&path, &["reset", "-q", "--hard", "HEAD~1"]);
    assert!(items(&sandbox, &[]).contains(&("checkout".into(), folder(&path), true)));
    assert!(!path.exists());
    let _ = until("it is made anew", || Some(clean(&sandbox, &id, "first")));
}

fn folder(tree: &Path) -> PathBuf {
    tree.parent().expect("a folder").to_owned()
}

#[test]
fn a_dry_run_says_what_and_how_much_and_removes_nothing() {
    let sandbox = Sandbox::with(&[step("first", &[], "echo one >made")]);
    sandbox.run(&[], 0);
    let first = items(&sandbox, &["--dry-run"]);
    assert_eq!(first.iter().map(|item| item.0.as_str()).collect::<Vec<_>>(), ["pool"]);
    assert!(first.iter().all(|(_, path, removed)| path.is_dir() && !removed));
    let said = sandbox.crew(&["prune", "--dry-run"]).exits(0).out;
    assert!(said.contains("would remove 1 thing, ") && said.contains("iB"), "{said}");
    let gone = items(&sandbox, &[]);
    assert!(gone.iter().all(|(_, path, removed)| !path.exists() && *removed), "{gone:?}");
    let said = sandbox.crew(&["prune"]).exits(0).out;
    assert_eq!(said, "removed 0 things, 0 bytes\n");
}

#[test]
fn nothing_goes_that_no_ref_keeps() {
    let sandbox = Sandbox::new();
    let up = sandbox.outside("up");
    let script = format!("echo one >made; touch {}; sleep 1000", up.display());
    sandbox.workflow(&[step("first", &[], &script)]);
    let mut child = sandbox.start(&[]);
    until("the agent", || up.exists().then_some(()));
    let id = sandbox.newest();
    let path = sandbox.crew(&["path", &id, "first"]).exits(0).out;
    let tree = PathBuf::from(path.trim_end());
    let said = sandbox.crew(&["prune"]).exits(0).out;
    assert!(said.contains("is at work in it") && tree.join("made").exists(), "{said}");
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    let said = sandbox.crew(&["prune"]).exits(0).out;
    assert!(
        said.contains(&format!("git crew resume {id}")) && tree.join("made").exists(),
        "{said}"
    );
    // What no run knows is not taken for rubbish.
    let unknown = tree.parent().and_then(Path::parent).expect("the root").join("abcd-x-1-000000");
    put(&unknown.join("work"), "w");
    let said = sandbox.crew(&["prune"]).exits(0).out;
    assert!(said.contains("no run of this repository knows it") && unknown.exists(), "{said}");
    sandbox.crew(&["cancel", &id]).exits(0);
    assert!(!tree.exists());
}

#[test]
fn what_was_moved_away_goes_when_it_is_old() {
    let sandbox = Sandbox::with(&[step("first", &[], "true")]);
    sandbox.run(&[], 0);
    let quarantine = sandbox.common().join("crew/quarantine/file");
    put(&quarantine, "q");
    let live = sandbox.common().join("crew/live/zzzz-gone");
    put(&live.join("a.1.out"), "out");
    let found = items(&sandbox, &[]);
    assert!(found.contains(&("quarantine".into(), quarantine.clone(), false)), "{found:?}");
    assert!(found.contains(&("live".into(), live.clone(), false)), "{found:?}");
    let found = items(&sandbox, &["--older-than", "1ms"]);
    assert!(found.contains(&("quarantine".into(), quarantine.clone(), true)), "{found:?}");
    assert!(!quarantine.exists() && !live.exists());
}
