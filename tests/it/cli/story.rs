//! A run's story as plain git tells it, and the laws that hold of every story.

use std::collections::BTreeSet;

use git_crew::domain::event::{Event, EventKind};
use git_crew::domain::fold;
use git_crew::domain::run::Run;
use git_crew::domain::task::TaskStatus;
use git_crew::store::codec;
use serde_json::Value;

use super::sandbox::Sandbox;

/// The events of a run, oldest first, as `git log` prints them.
#[track_caller]
pub(crate) fn events(sandbox: &Sandbox, id: &str) -> Vec<Event> {
    let name = format!("refs/crew/runs/{id}");
    let text = sandbox.git(&["log", "--reverse", "--first-parent", "-z", "--format=%B", &name]);
    let decoded = text.split('\0').filter(|message| !message.trim().is_empty()).map(|message| {
        let (run, event, _) = codec::decode(message).expect("every message can be read");
        assert_eq!(run.as_str(), id);
        event
    });
    decoded.collect()
}

/// `run.json` at the tip, as JSON.
#[track_caller]
pub(crate) fn state(sandbox: &Sandbox, id: &str) -> Value {
    let text = sandbox.git(&["show", &format!("refs/crew/runs/{id}:run.json")]);
    serde_json::from_str(&text).expect("run.json is JSON")
}

/// The state, after checking every law of a story: places contiguous from 1, no
/// operation twice, the fold of the messages is `run.json`, git finds nothing
/// wrong.
#[track_caller]
pub(crate) fn sound(sandbox: &Sandbox, id: &str) -> Run {
    let events = events(sandbox, id);
    let seqs: Vec<u64> = events.iter().map(|event| event.seq).collect();
    assert_eq!(seqs, (1..=events.len() as u64).collect::<Vec<_>>());
    let ops: BTreeSet<&str> = events.iter().map(|event| event.op.as_str()).collect();
    assert_eq!(ops.len(), events.len(), "an operation is there twice");
    let key = id.parse().expect("an id");
    let folded = events.iter().fold(None, |run, event| {
        Some(fold::apply(run, &key, event).expect("the events fit each other"))
    });
    let text = sandbox.git(&["show", &format!("refs/crew/runs/{id}:run.json")]);
    let (stored, _) = codec::decode_run(text.as_bytes()).expect("run.json can be read");
    assert_eq!(folded.as_ref(), Some(&stored), "the fold is not run.json");
    let fsck = sandbox.git(&["fsck", "--full", "--no-dangling", "--no-progress"]);
    assert_eq!(fsck, "");
    stored
}

/// How the run and its tasks stand: `completed a=completed b=failed`.
pub(crate) fn standing(run: &Run) -> String {
    let tasks = run.tasks.iter().map(|task| format!(" {}={}", task.id, task.status.word()));
    format!("{}{}", run.status.word(), tasks.collect::<String>())
}

/// Every attempt that is over has a commit that holds its work, reachable from a
/// ref, or made nothing.
#[track_caller]
pub(crate) fn all_work_is_kept(sandbox: &Sandbox, run: &Run) {
    for task in &run.tasks {
        for attempt in &task.attempts {
            let Some(commit) = attempt.work.as_ref().and_then(|work| work.commit.clone()) else {
                continue;
            };
            let holding =
                sandbox.git(&["for-each-ref", "--contains", commit.as_str(), "refs/crew"]);
            assert!(!holding.is_empty(), "{}@{}: {commit} is on no ref", task.id, attempt.number);
        }
    }
}

/// The tasks that completed.
pub(crate) fn completed(run: &Run) -> BTreeSet<String> {
    let done = run.tasks.iter().filter(|task| task.status == TaskStatus::Completed);
    done.map(|task| task.id.to_string()).collect()
}

/// The numbers of how often each event word is there, for comparison of runs
/// whose tasks ended in another order.
pub(crate) fn words(events: &[Event]) -> Vec<String> {
    let mut words: Vec<String> = events.iter().map(plain).collect();
    words.sort();
    words
}

/// An event without what differs from run to run: ids, times, places.
fn plain(event: &Event) -> String {
    let name = event.kind.word();
    let task = event.kind.task().map(|task| format!(" {task}")).unwrap_or_default();
    let attempt = event.kind.attempt().map(|number| format!("@{number}")).unwrap_or_default();
    let more = match &event.kind {
        EventKind::TaskEnded { end, .. } => format!(" {end:?}"),
        EventKind::VerdictReached { verdict, .. } => format!(" {:?}", verdict.result),
        EventKind::RunEnded { end, why } => format!(" {end:?} {why}"),
        EventKind::AttemptEnded { ending, work, .. } => {
            let changed: Vec<&str> = work.changed.iter().map(|one| one.path.as_str()).collect();
            let tree = work.tree.as_ref().map(ToString::to_string).unwrap_or_default();
            let ending = format!("{ending:?}");
            let ending = ending.split("why").next().unwrap_or_default();
            format!(" {ending} {changed:?} {tree}")
        }
        EventKind::ResultMade { merged, left, .. } => format!(" {merged:?} {left:?}"),
        EventKind::RunCreated { goal, request, .. } => format!(" {goal} {request:?}"),
        EventKind::RunPlanned { outline } => format!(" {outline:?}"),
        EventKind::PlanRevised { tasks, why, .. } => format!(" {tasks:?} {why}"),
        EventKind::LeaseGranted { .. }
        | EventKind::LeaseReleased
        | EventKind::AttemptStarted { .. }
        | EventKind::RetryPlanned { .. }
        | EventKind::TaskReopened { .. }
        | EventKind::RunReopened
        | EventKind::CancelRequested { .. }
        | EventKind::Noted { .. } => String::new(),
    };
    let token = event.token.map(|token| format!(" token {token}")).unwrap_or_default();
    format!("{name}{task}{attempt}{more}{token}")
}
