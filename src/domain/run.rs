//! A run: the state that its events fold into.

use std::collections::BTreeSet;

use super::attempt::Attempt;
use super::event::Unmerged;
use super::id::{Oid, RunId, TaskId};
use super::lease::Lease;
use super::task::{Task, TaskStatus};
use super::time::Timestamp;
use super::usage::Spent;

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RunStatus {
    /// Asked for; nobody has taken it up.
    Queued,
    /// A holder works out its graph.
    Planning,
    /// Tasks are being worked on, or wait for a holder.
    Running,
    /// A person has to decide before it can go on.
    Blocked,
    /// Every task completed.
    Completed,
    /// A task failed for good.
    Failed,
    /// A person cancelled it.
    Cancelled,
}

impl RunStatus {
    /// Every status, in the order of the documentation.
    pub const ALL: [Self; 7] = [
        Self::Queued,
        Self::Planning,
        Self::Running,
        Self::Blocked,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
    ];

    /// The status as a word, as it is stored and printed.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Planning => "planning",
            Self::Running => "running",
            Self::Blocked => "blocked",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing more happens unless a person reopens it.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        match self {
            Self::Blocked | Self::Completed | Self::Failed | Self::Cancelled => true,
            Self::Queued | Self::Planning | Self::Running => false,
        }
    }

    /// The one table of moves.
    #[must_use]
    pub fn may_become(self, next: Self) -> bool {
        use RunStatus as S;
        match self {
            S::Queued => matches!(next, S::Planning),
            S::Planning => matches!(next, S::Running | S::Failed | S::Cancelled),
            S::Running => matches!(next, S::Blocked | S::Completed | S::Failed | S::Cancelled),
            S::Blocked => matches!(next, S::Running),
            S::Failed | S::Cancelled => matches!(next, S::Planning | S::Running),
            S::Completed => false,
        }
    }
}

/// How a run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunEnd {
    /// Every task completed and the result holds them all.
    Completed,
    /// A person has to decide.
    Blocked,
    /// A task failed for good.
    Failed,
    /// A person cancelled it.
    Cancelled,
}

impl RunEnd {
    /// Every end.
    pub const ALL: [Self; 4] = [Self::Completed, Self::Blocked, Self::Failed, Self::Cancelled];

    /// The status that this end leads to.
    #[must_use]
    pub fn status(self) -> RunStatus {
        match self {
            Self::Completed => RunStatus::Completed,
            Self::Blocked => RunStatus::Blocked,
            Self::Failed => RunStatus::Failed,
            Self::Cancelled => RunStatus::Cancelled,
        }
    }
}

/// How a run was asked for: enough to resolve its plan again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The team, by name.
    pub team: String,
    /// The workflow, by name.
    pub workflow: String,
    /// An agent that plays every role, when one was named.
    pub agent: Option<String>,
    /// The most tasks at a time, when a number was given.
    pub jobs: Option<u32>,
    /// The longest the run may take, in milliseconds, when a limit was given.
    pub max_time_ms: Option<u64>,
}

/// One node of a run's graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutlineTask {
    /// Its id.
    pub id: TaskId,
    /// Its step's name as written.
    pub title: String,
    /// The role that plays it.
    pub role: String,
    /// The tasks whose results it starts from.
    pub needs: Vec<TaskId>,
}

impl OutlineTask {
    /// The task as it begins.
    #[must_use]
    pub fn begin(&self, planned_by: Option<TaskId>) -> Task {
        Task {
            id: self.id.clone(),
            title: self.title.clone(),
            role: self.role.clone(),
            needs: self.needs.clone(),
            planned_by,
            status: TaskStatus::Queued,
            attempts: Vec::new(),
            forgiven: 0,
            not_before: None,
            result: None,
            verified: false,
            why: None,
        }
    }
}

/// The graph of a run, without its texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    /// The tasks, in the order of the workflow.
    pub tasks: Vec<OutlineTask>,
    /// The most tasks at a time.
    pub jobs: u32,
}

impl Outline {
    /// The first task that a graph can't have: a second one of its id, one that
    /// needs a task that is not there, or one that can never be ready because
    /// it waits for itself.
    #[must_use]
    pub fn fault(&self) -> Option<&TaskId> {
        fault(self.tasks.iter().map(|task| (&task.id, task.needs.as_slice())))
    }
}

/// [`Outline::fault`] of any tasks and their needs.
pub fn fault<'a>(tasks: impl Iterator<Item = (&'a TaskId, &'a [TaskId])>) -> Option<&'a TaskId> {
    let tasks: Vec<_> = tasks.collect();
    let mut seen = BTreeSet::new();
    if let Some((id, _)) = tasks.iter().find(|(id, _)| !seen.insert(*id)) {
        return Some(id);
    }
    let mut ready = BTreeSet::new();
    loop {
        let next = tasks.iter().find(|(id, needs)| {
            !ready.contains(id) && needs.iter().all(|need| ready.contains(&need))
        });
        match next {
            Some((id, _)) => ready.insert(*id),
            None => break,
        };
    }
    tasks.iter().map(|(id, _)| *id).find(|id| !ready.contains(id))
}

/// The result of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunResult {
    /// The commit that holds what completed.
    pub commit: Oid,
    /// The tasks in it.
    pub merged: Vec<TaskId>,
    /// The tasks that do not merge.
    pub left: Vec<Unmerged>,
}

/// A run as its events fold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// What the user wants.
    pub goal: String,
    /// The commit it starts from.
    pub base: Oid,
    /// How it was asked for.
    pub request: Request,
    /// Where it stands.
    pub status: RunStatus,
    /// Who may write.
    pub lease: Lease,
    /// The most tasks at a time; 0 before it is planned.
    pub jobs: u32,
    /// Its tasks, in the order of the workflow.
    pub tasks: Vec<Task>,
    /// Somebody asked for it to be cancelled, and why; the holder answers.
    pub cancel: Option<String>,
    /// What completed, merged.
    pub result: Option<RunResult>,
    /// Why it stands where it stands, in one line.
    pub why: Option<String>,
    /// The number of its newest event.
    pub seq: u64,
    /// When it was asked for.
    pub created: Timestamp,
    /// When its newest event was written.
    pub updated: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
}

impl Run {
    /// The status that a reopened run goes to: one that ended before it was
    /// planned has no tasks yet and is planned now.
    #[must_use]
    pub fn reopened_status(&self) -> RunStatus {
        if self.tasks.is_empty() { RunStatus::Planning } else { RunStatus::Running }
    }

    /// The task of this id.
    #[must_use]
    pub fn task(&self, id: &TaskId) -> Option<&Task> {
        self.tasks.iter().find(|task| &task.id == id)
    }

    /// The weakest that an agent of this run was kept in, if that was less than a
    /// whole fence.
    #[must_use]
    pub fn weakest_sandbox(&self) -> Option<&str> {
        let attempts = self.tasks.iter().flat_map(|task| &task.attempts);
        let weak = attempts.filter(|attempt| !attempt.is_fenced());
        weak.map(|attempt| attempt.sandbox.as_str()).max_by_key(|words| words.starts_with("none"))
    }

    /// What its ended attempts used.
    #[must_use]
    pub fn spent(&self) -> Spent {
        let attempts = self.tasks.iter().flat_map(|task| &task.attempts);
        Spent::of(attempts.filter(|one| !one.is_open()).map(Attempt::usage))
    }

    /// Whether a task was skipped because its list is empty, not because of a
    /// task that it needs: nothing is missing then.
    #[must_use]
    pub fn is_void(&self, task: &Task) -> bool {
        let done = |id: &TaskId| self.task(id).is_some_and(|n| n.status == TaskStatus::Completed);
        task.status == TaskStatus::Skipped && task.needs.iter().all(done)
    }

    /// The first task that is not done, and not void either.
    #[must_use]
    pub fn unfinished(&self) -> Option<&Task> {
        let done = |task: &Task| task.status == TaskStatus::Completed || self.is_void(task);
        self.tasks.iter().find(|task| !done(task))
    }

    /// Whether checks passed on every task's result.
    #[must_use]
    pub fn verified(&self) -> bool {
        let mut made = self.tasks.iter().filter(|task| !self.is_void(task)).peekable();
        made.peek().is_some() && made.all(|task| task.verified)
    }

    /// The tasks that no other task needs.
    #[must_use]
    pub fn leaves(&self) -> Vec<&Task> {
        let needed = |id: &TaskId| self.tasks.iter().any(|task| task.needs.contains(id));
        self.tasks.iter().filter(|task| !needed(&task.id)).collect()
    }
}
