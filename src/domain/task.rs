//! One task of a run: its status, its moves, its attempts.

use super::attempt::Attempt;
use super::id::{Oid, TaskId};
use super::time::Timestamp;
use super::usage::Spent;

/// Where a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TaskStatus {
    /// It has not been started, or starts anew.
    Queued,
    /// An agent is at work.
    Running,
    /// It waits for the time of its next attempt.
    Waiting,
    /// The agent is done; what it left is being judged.
    Verifying,
    /// Its result is part of the run.
    Completed,
    /// Its attempts are used up.
    Failed,
    /// A person cancelled the run.
    Cancelled,
    /// A task it needs did not complete.
    Skipped,
    /// A person has to decide.
    NeedsAttention,
}

impl TaskStatus {
    /// Every status, in the order of the documentation.
    pub const ALL: [Self; 9] = [
        Self::Queued,
        Self::Running,
        Self::Waiting,
        Self::Verifying,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
        Self::Skipped,
        Self::NeedsAttention,
    ];

    /// The status as a word, as it is stored and printed.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Verifying => "verifying",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
            Self::NeedsAttention => "needs_attention",
        }
    }

    /// Whether the task is over, unless a person reopens it.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        match self {
            Self::Completed
            | Self::Failed
            | Self::Cancelled
            | Self::Skipped
            | Self::NeedsAttention => true,
            Self::Queued | Self::Running | Self::Waiting | Self::Verifying => false,
        }
    }

    /// The one table of moves.
    #[must_use]
    pub fn may_become(self, next: Self) -> bool {
        use TaskStatus as S;
        match self {
            S::Queued => matches!(
                next,
                S::Running | S::Failed | S::Cancelled | S::Skipped | S::NeedsAttention
            ),
            S::Running => matches!(next, S::Verifying | S::Queued),
            S::Waiting => matches!(
                next,
                S::Running | S::Failed | S::Cancelled | S::Skipped | S::NeedsAttention
            ),
            S::Verifying => matches!(
                next,
                S::Waiting | S::Completed | S::Failed | S::Cancelled | S::NeedsAttention
            ),
            S::Failed | S::Cancelled | S::Skipped | S::NeedsAttention => matches!(next, S::Queued),
            S::Completed => false,
        }
    }
}

/// How a task ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskEnd {
    /// Its result counts.
    Completed,
    /// Its attempts are used up.
    Failed,
    /// The run was cancelled.
    Cancelled,
    /// A task it needs did not complete.
    Skipped,
    /// A person has to decide.
    NeedsAttention,
}

impl TaskEnd {
    /// Every end.
    pub const ALL: [Self; 5] =
        [Self::Completed, Self::Failed, Self::Cancelled, Self::Skipped, Self::NeedsAttention];

    /// The status that this end leads to.
    #[must_use]
    pub fn status(self) -> TaskStatus {
        match self {
            Self::Completed => TaskStatus::Completed,
            Self::Failed => TaskStatus::Failed,
            Self::Cancelled => TaskStatus::Cancelled,
            Self::Skipped => TaskStatus::Skipped,
            Self::NeedsAttention => TaskStatus::NeedsAttention,
        }
    }
}

/// One task of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Its id, the slug of its step's name.
    pub id: TaskId,
    /// Its step's name as written.
    pub title: String,
    /// The role that plays it.
    pub role: String,
    /// The tasks whose results it starts from.
    pub needs: Vec<TaskId>,
    /// The task whose plan or list it came of, when it was not there from the
    /// beginning.
    pub planned_by: Option<TaskId>,
    /// Where it stands.
    pub status: TaskStatus,
    /// Its attempts, oldest first; every one stays.
    pub attempts: Vec<Attempt>,
    /// How many attempts were used up before a person reopened it: they no
    /// longer count against its retries.
    pub forgiven: u32,
    /// When its next attempt may start, while it waits.
    pub not_before: Option<Timestamp>,
    /// The commit that counts as its result, once completed.
    pub result: Option<Oid>,
    /// Whether checks passed on that result.
    pub verified: bool,
    /// Why it stands where it stands, in one line.
    pub why: Option<String>,
}

impl Task {
    /// What its ended attempts used.
    #[must_use]
    pub fn spent(&self) -> Spent {
        Spent::of(self.attempts.iter().filter(|one| !one.is_open()).map(Attempt::usage))
    }

    /// The newest attempt.
    #[must_use]
    pub fn last(&self) -> Option<&Attempt> {
        self.attempts.last()
    }

    /// The attempt that an agent may still be working on.
    #[must_use]
    pub fn open(&self) -> Option<&Attempt> {
        self.attempts.last().filter(|attempt| attempt.is_open())
    }

    /// The number that the next attempt will have.
    #[must_use]
    pub fn next_attempt(&self) -> u32 {
        u32::try_from(self.attempts.len()).unwrap_or(u32::MAX).saturating_add(1)
    }
}
