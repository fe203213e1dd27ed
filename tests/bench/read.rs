//! How long the commands take that a person runs without thinking.

use git_crew::domain::event::EventKind;
use git_crew::domain::run::RunEnd;
use git_crew::domain::task::TaskEnd;
use git_crew::store::git::Durability;
use git_crew::store::ledger::Files;

use crate::fixture::{self, CREW, Repo, median, ms, share, timed};
use crate::{Figure, Target};

/// Runs in the repository; ten of them are not over.
const RUNS: u32 = 1000;

/// Events of the long run.
const EVENTS: u32 = 1000;

/// How often each command is started.
const STARTS: u32 = 25;

/// Starts `ours` and `theirs` in turn, whole processes.
fn compare(repo: &Repo, name: &'static str, ours: &[&str], theirs: &[&str]) -> Figure {
    let crew = || drop(fixture::output(&mut repo.command(CREW, ours)));
    let git = || drop(fixture::output(&mut repo.command("git", theirs)));
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        a.push(timed(crew));
        b.push(timed(git));
    }
    Figure {
        name,
        value: ms(median(&a)),
        target: Target::None,
        unit: "ms",
        baseline: format!(
            "p99 {:.1} ms; git {}: median {:.1} ms",
            ms(share(&a, 99)),
            theirs.first().unwrap_or(&""),
            ms(median(&b))
        ),
    }
}

fn ends() -> Vec<EventKind> {
    let task = |name: &str| EventKind::TaskEnded {
        task: name.parse().expect("a part"),
        end: TaskEnd::Cancelled,
        why: "measured".into(),
    };
    let end = EventKind::RunEnded { end: RunEnd::Cancelled, why: "measured".into() };
    let asked = EventKind::CancelRequested { why: "measured".into() };
    vec![asked, task("one"), task("two"), end, EventKind::LeaseReleased]
}

/// A listing of many runs.
pub(crate) fn status() -> Vec<Figure> {
    let repo = Repo::new([]);
    let store = repo.store(1, Durability::None);
    for number in 0..RUNS {
        let mut ledger = fixture::begin(&store, number);
        if number >= 10 {
            ledger.write(ends(), Files::new()).expect("the run ends");
        }
    }
    let tips =
        ["for-each-ref", "--format=%(refname) %(trailers:key=Crew-Status)", "refs/crew/runs"];
    let loose = compare(&repo, "status: 1,000 runs, loose", &["status"], &tips);
    repo.git(&["gc", "-q"]);
    let packed = compare(&repo, "status: 1,000 runs, after git gc", &["status"], &tips);
    let all = compare(&repo, "status -a: 1,000 runs, after git gc", &["status", "-a"], &tips);
    let target = Target::AtMost(30.0);
    vec![Figure { target, ..loose }, Figure { target, ..packed }, all]
}

/// One long run.
pub(crate) fn show() -> Vec<Figure> {
    let repo = Repo::new([]);
    let mut ledger = fixture::begin(&repo.store(1, Durability::None), 1);
    for part in 0..EVENTS / 100 {
        let note = |n: u32| EventKind::Noted { text: format!("note {part} {n}") };
        ledger.write((0..100).map(note).collect(), Files::new()).expect("the run goes on");
    }
    let name = format!("refs/crew/runs/{}", ledger.id());
    let git = ["log", "--format=%s", name.as_str()];
    let show = compare(&repo, "show: a run of 1,000 events", &["show"], &git);
    let log = compare(&repo, "log: a run of 1,000 events", &["log"], &git);
    vec![Figure { target: Target::AtMost(30.0), ..show }, log]
}
