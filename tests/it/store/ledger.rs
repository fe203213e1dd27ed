//! Runs on a real repository: one holder writes, and each event is written once.

#[cfg(feature = "failpoints")]
use std::process::{Command, Stdio};
use std::sync::Arc;

use git_crew::domain::event::EventKind;
use git_crew::domain::id::{HolderId, Op, RunId};
use git_crew::domain::lease::{Facts, Life};
use git_crew::domain::run::{Outline, OutlineTask, Request};
use git_crew::domain::time::Timestamp;
use git_crew::store::GitStore;
use git_crew::store::ledger::{Files, Ledger, Stamps};

use super::child::quick;
use super::fixture::Repo;
#[cfg(feature = "failpoints")]
use super::fixture::git;

struct Counter(u64, u8);

impl Stamps for Counter {
    fn now(&mut self) -> Timestamp {
        Timestamp(1_700_000_000_000)
    }

    fn op(&mut self) -> Op {
        self.0 += 1;
        let mut bytes = [self.1; 16];
        bytes[..8].copy_from_slice(&self.0.to_be_bytes());
        Op::new(bytes)
    }
}

fn id() -> RunId {
    RunId::new(7, "goal")
}

fn ledger(repo: &std::path::Path, who: u8) -> Ledger {
    let store = GitStore::open(repo, quick(&format!("h{who}"))).unwrap();
    Ledger::new(Arc::new(store), id(), HolderId::new([who; 16]), Box::new(Counter(0, who)))
}

fn facts(who: u8, force: bool) -> Facts {
    Facts {
        holder: HolderId::new([who; 16]),
        machine: "m".into(),
        boot: "b".into(),
        life: Life::Alive,
        watched_ms: 0,
        force,
    }
}

fn begin(ledger: &mut Ledger, who: u8) {
    let created = EventKind::RunCreated {
        goal: "goal".into(),
        base: "a".repeat(40).parse().unwrap(),
        request: Request::default(),
    };
    let task = OutlineTask {
        id: "one".parse().unwrap(),
        title: "one".into(),
        role: "r".into(),
        needs: Vec::new(),
    };
    let planned = EventKind::RunPlanned { outline: Outline { jobs: 1, tasks: vec![task] } };
    ledger.begin(created, &facts(who, false), planned, Files::new()).unwrap();
}

#[test]
fn who_was_fenced_off_writes_nothing() {
    let repo = Repo::new();
    let (mut first, mut second) = (ledger(repo.path(), 1), ledger(repo.path(), 2));
    begin(&mut first, 1);
    second.claim(&mut |_| Ok(facts(2, true))).expect("a person forces it");
    let before = repo.git(&["rev-parse", &format!("refs/crew/runs/{}", id())]);
    let late = first.write(vec![EventKind::LeaseReleased], Files::new()).map(drop);
    let after = repo.git(&["rev-parse", &format!("refs/crew/runs/{}", id())]);
    assert_eq!(before, after, "two holders: the first wrote after the second was granted");
    let late = late.expect_err("it was fenced off").to_string();
    assert!(late.contains("token 1 is void"), "{late}");
    second.write(vec![EventKind::LeaseReleased], Files::new()).expect("it holds the run");
}

/// Not a test of its own: writes notes into a run, and is made to doubt.
#[test]
fn ledger_child() {
    #[expect(clippy::disallowed_methods, reason = "the orders of the child")]
    let Ok(repo) = std::env::var("CREW_LEDGER_REPO") else { return };
    let mut ledger = ledger(repo.as_ref(), 1);
    begin(&mut ledger, 1);
    for n in 0..8 {
        let note = EventKind::Noted { text: format!("note {n}") };
        ledger.write(vec![note], Files::new()).expect("it is written, or found to be");
    }
}

/// An append whose answer was lost: the event is in the chain, the writer does
/// not know.
#[test]
#[cfg(feature = "failpoints")]
fn an_event_whose_answer_was_lost_is_not_written_twice() {
    for hit in [2, 5] {
        let repo = Repo::new();
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "store::ledger::ledger_child", "--nocapture"]);
        child.env("CREW_LEDGER_REPO", repo.path());
        child.env("CREW_FAIL", format!("swap.renamed@{hit}:err"));
        let end = child.stdout(Stdio::null()).stderr(Stdio::piped()).output().unwrap();
        let name = format!("refs/crew/runs/{}", id());
        let log = git(repo.path(), &["log", "--reverse", "--format=%B", &name]);
        for n in 0..8 {
            let times = log.lines().filter(|line| line.contains(&format!("note {n}\""))).count();
            assert!(times <= 1, "an event is doubled: note {n} is there {times} times");
            assert_eq!(times, 1, "lost: note {n}");
        }
        let ops: Vec<&str> = log.lines().filter(|line| line.starts_with("Crew-Op: ")).collect();
        let different: std::collections::BTreeSet<_> = ops.iter().collect();
        assert_eq!(ops.len(), different.len(), "an event is doubled: two have one op");
        assert!(end.status.success(), "{}", String::from_utf8_lossy(&end.stderr));
        repo.fsck();
    }
}
