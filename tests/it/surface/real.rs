//! The read commands on a repository that the store wrote.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use git_crew::domain::event::EventKind;
use git_crew::domain::id::{HolderId, Oid, Op, RunId};
use git_crew::domain::lease::{Facts, Life};
use git_crew::domain::run::{Outline, OutlineTask, Request};
use git_crew::domain::time::Timestamp;
use git_crew::store::git::{GitStore, Options};
use git_crew::store::ledger::{Ledger, Stamps};

struct Counter(u8);

impl Stamps for Counter {
    fn now(&mut self) -> Timestamp {
        Timestamp(1_700_000_000_000)
    }

    fn op(&mut self) -> Op {
        self.0 += 1;
        Op::new([self.0; 16])
    }
}

pub(super) fn git(dir: &Path, words: &[&str]) -> String {
    let said = Command::new("git").arg("-C").arg(dir).args(words).output().expect("git starts");
    assert!(said.status.success(), "git {words:?}");
    String::from_utf8(said.stdout).expect("UTF-8").trim().to_owned()
}

pub(super) fn crew(dir: &Path, words: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_git-crew"));
    command.current_dir(dir).args(words).env_clear().env("HOME", dir);
    let said = command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).output();
    let said = said.expect("the program starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (said.status.code(), text(said.stdout), text(said.stderr))
}

/// A repository with one run whose first task has been started.
fn repository() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    git(folder.path(), &["init", "-q"]);
    start(folder.path(), "1".repeat(40).parse().expect("forty digits"));
    folder
}

/// Writes a run from this commit whose first task has been started.
pub(super) fn start(dir: &Path, base: Oid) -> Ledger {
    let me = HolderId::new([7; 16]);
    let store = GitStore::open(dir, Options::new(me.clone())).expect("a repository");
    let id: RunId = "7kq2-fix".parse().expect("a part");
    let mut ledger = Ledger::new(Arc::new(store), id, me.clone(), Box::new(Counter(0)));
    let goal = "fix\u{1b}[2J it".to_owned();
    let request = Request { team: "t".into(), workflow: "w".into(), ..Request::default() };
    let created = EventKind::RunCreated { goal, base: base.clone(), request };
    ledger.write(vec![created], BTreeMap::new()).expect("created");
    let facts = Facts {
        holder: me,
        machine: "m".into(),
        boot: "b".into(),
        life: Life::Unknown,
        watched_ms: 0,
        force: false,
    };
    ledger.claim(&mut |_| Ok(facts.clone())).expect("granted");
    let task = "plan".parse().expect("a part");
    let node =
        OutlineTask { id: task, title: "Plan".into(), role: "planner".into(), needs: Vec::new() };
    let task = node.id.clone();
    let planned = EventKind::RunPlanned { outline: Outline { tasks: vec![node], jobs: 1 } };
    let started = EventKind::AttemptStarted {
        task,
        attempt: 1,
        agent: "sh".into(),
        base,
        slot: "7kq2-plan-1-abcdef".into(),
        mark: "m".into(),
        sandbox: "none".into(),
        resumes: None,
    };
    let packet = BTreeMap::from([("tasks/plan/packet.md".to_owned(), Some(b"Do it.\n".to_vec()))]);
    ledger.write(vec![planned, started], packet).expect("started");
    ledger
}

#[test]
fn what_the_store_wrote_is_shown_and_nothing_is_written() {
    let folder = repository();
    let dir = folder.path();
    let before = git(dir, &["for-each-ref"]);
    let (code, status, _) = crew(dir, &["status"]);
    assert_eq!(code, Some(0));
    assert!(status.contains("0/1 task") && status.contains("fix\\x1b[2J it"), "{status}");
    let (_, json, _) = crew(dir, &["show", "7k", "--json"]);
    let shown: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let stored = git(dir, &["show", "refs/crew/runs/7kq2-fix:run.json"]);
    let stored: serde_json::Value = serde_json::from_str(&stored).expect("JSON");
    for name in ["id", "status", "goal", "base", "verified"] {
        assert_eq!(shown["data"][name], stored[name], "{name}");
    }
    let (_, log, _) = crew(dir, &["log"]);
    let told = git(dir, &["log", "--reverse", "--format=%s", "refs/crew/runs/7kq2-fix"]);
    assert_eq!(log.lines().count(), told.lines().count());
    for (line, subject) in log.lines().zip(told.lines()) {
        assert!(line.ends_with(subject), "the log says {line}, git says {subject}");
    }
    assert_eq!(crew(dir, &["log", "-n", "1"]).1.lines().count(), 1);
    assert_eq!(crew(dir, &["show", "7k", "plan", "--prompt"]).1, "Do it.\n");
    assert_eq!(crew(dir, &["path", "7k", "plan"]).0, Some(5), "a slot that is gone");
    assert_eq!(crew(dir, &["__complete", "--", "show", "7"]).1.lines().count(), 1);
    assert_eq!(git(dir, &["for-each-ref"]), before);
}

#[test]
fn a_hole_in_a_chain_leaves_the_rest_readable_and_is_named() {
    let folder = repository();
    let dir = folder.path();
    let hole = git(dir, &["rev-parse", "refs/crew/runs/7kq2-fix~2"]);
    let (start, rest) = hole.split_at(2);
    // Without the copies of the last minutes, which would fill the hole.
    std::fs::remove_dir_all(dir.join(".git/crew/recent")).expect("it is there");
    std::fs::remove_file(dir.join(".git/objects").join(start).join(rest)).expect("it is loose");
    let (code, log, story) = crew(dir, &["log"]);
    assert_eq!(code, Some(70), "{story}");
    assert_eq!(log.lines().count(), 2, "{log}");
    assert!(story.contains(&hole), "{story}");
    assert_eq!(crew(dir, &["show"]).0, Some(0), "the state is whole");
}
