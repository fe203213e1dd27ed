//! `doctor`: every ill has a name, a cause and a remedy.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::real::{git, start};

/// What was found, by check: weight, cause and remedy in one text.
fn ask(dir: &Path) -> (Option<i32>, Vec<(String, String)>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_git-crew"));
    command.current_dir(dir).args(["doctor", "--json"]).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("HOME", dir.parent().expect("a folder above").join("home"));
    command.env("GIT_CEILING_DIRECTORIES", dir.parent().expect("a folder above"));
    let said = command.output().expect("the program starts");
    let told: serde_json::Value = serde_json::from_slice(&said.stdout).expect("JSON");
    let findings = told["data"]["findings"].as_array().expect("a list");
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let one = |one: &serde_json::Value| {
        let all = ["weight", "cause", "remedy"].map(|name| text(&one[name])).join(" | ");
        (text(&one["check"]), all)
    };
    (said.status.code(), findings.iter().map(one).collect())
}

fn of(found: &[(String, String)], check: &str) -> String {
    let lines: Vec<&str> =
        found.iter().filter(|(name, _)| name == check).map(|(_, text)| text.as_str()).collect();
    assert!(!lines.is_empty(), "no check '{check}' in {found:?}");
    lines.join("\n")
}

fn repository() -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("repo");
    fs::create_dir_all(folder.path().join("home")).expect("made");
    git(folder.path(), &["init", "-q", "repo"]);
    let who = ["-c", "user.name=a", "-c", "user.email=a@b"];
    git(&dir, &[&who[..], &["commit", "-q", "--allow-empty", "-m", "one"]].concat());
    (folder, dir)
}

#[test]
fn a_healthy_repository_is_well_and_not_written() {
    let (_folder, dir) = repository();
    git(&dir, &["config", "crew.agent.x.command", "sh -c true"]);
    let (code, found) = ask(&dir);
    assert_eq!(code, Some(0), "{found:?}");
    for check in ["git", "ref-storage", "refspecs", "locks", "holders", "runs", "left-runs"] {
        assert!(of(&found, check).starts_with("good"), "{found:?}");
    }
    for check in ["repository", "worktrees", "slots", "keep-files", "agents"] {
        assert!(of(&found, check).starts_with("good"), "{found:?}");
    }
    assert!(of(&found, "manual").contains("git crew man --install"));
    of(&found, "machine-id");
    assert!(!dir.join(".git/crew").exists(), "it only looks");
}

#[test]
fn every_ill_is_named_with_its_remedy() {
    let (folder, dir) = repository();
    drop(start(&dir, git(&dir, &["rev-parse", "HEAD"]).parse().expect("an id")));
    git(&dir, &["config", "remote.origin.fetch", "+refs/*:refs/*"]);
    git(&dir, &["config", "crew.agent.x.command", "no-such-program --go"]);
    git(&dir, &["config", "crew.worktrees", "trees"]);
    fs::create_dir_all(dir.join("trees/left-over")).expect("made");
    let lock = dir.join(".git/refs/crew/log.lock");
    fs::write(&lock, "").expect("written");
    let keep = dir.join(".git/objects/pack/pack-1.keep");
    fs::create_dir_all(dir.join(".git/objects/pack")).expect("made");
    fs::write(&keep, "git-crew: gone/plan/1\n").expect("written");
    for path in [&lock, &keep] {
        let old = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000);
        let file = fs::File::options().write(true).open(path).expect("there");
        file.set_modified(old).expect("set");
    }
    let (code, found) = ask(&dir);
    assert_eq!(code, Some(1));
    assert!(of(&found, "refspecs").contains("'+refs/*:refs/*'"));
    assert!(of(&found, "agents").contains("'no-such-program'"));
    assert!(of(&found, "worktrees").contains("inside the checkout"));
    assert!(of(&found, "slots").contains("left-over"));
    assert!(of(&found, "locks").contains("log.lock"));
    assert!(of(&found, "keep-files").contains("pack-1.keep"));
    let left = of(&found, "left-runs");
    assert!(left.contains("git crew resume 7kq2-fix --force"), "another machine's run: {left}");
    drop(folder);
}

#[test]
fn damage_is_named_by_run_event_and_object() {
    let (_folder, dir) = repository();
    drop(start(&dir, git(&dir, &["rev-parse", "HEAD"]).parse().expect("an id")));
    let hole = git(&dir, &["rev-parse", "refs/crew/runs/7kq2-fix~2"]);
    fs::remove_dir_all(dir.join(".git/crew/recent")).expect("it is there");
    let (first, rest) = hole.split_at(2);
    fs::remove_file(dir.join(".git/objects").join(first).join(rest)).expect("it is loose");
    let (code, found) = ask(&dir);
    assert_eq!(code, Some(1));
    let runs = of(&found, "runs");
    assert!(runs.starts_with("wrong") && runs.contains("7kq2-fix"), "{runs}");
    assert!(runs.contains(&hole) && runs.contains("git crew log 7kq2-fix"), "{runs}");
}

#[test]
fn what_is_no_repository_is_a_finding() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("nothing");
    fs::create_dir(&dir).expect("made");
    let (code, found) = ask(&dir);
    assert_eq!(code, Some(1));
    assert!(of(&found, "repository").contains("git init"));
}

#[test]
fn the_heaviest_finding_decides_the_exit_code() {
    let (_folder, dir) = repository();
    let weights = |found: &[(String, String)]| {
        let count =
            |weight: &str| found.iter().filter(|(_, text)| text.starts_with(weight)).count();
        (count("note") > 0, count("wrong"))
    };
    // Nothing but 'sh' is configured and no page is installed: worth knowing.
    let (code, found) = ask(&dir);
    assert_eq!((code, weights(&found)), (Some(0), (true, 0)), "{found:?}");
    git(&dir, &["config", "remote.origin.fetch", "+refs/*:refs/*"]);
    let (code, found) = ask(&dir);
    assert_eq!((code, weights(&found)), (Some(1), (true, 1)), "{found:?}");
    git(&dir, &["config", "remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*"]);
    assert_eq!(ask(&dir).0, Some(0));
}
