//! What has happened: facts in the past tense, with the data needed to fold
//! them and no more. The stored form is the store's business (`store::codec`),
//! the words are the view's.
//!
//! To add an event: a variant here, an arm in [`EventKind::authority`],
//! `decide`, `apply`, the codec and the words. The compiler asks for each.

use super::attempt::{Ending, Output, Verdict, Work};
use super::id::{HolderId, Oid, Op, TaskId};
use super::lease::{Because, Grant, Token};
use super::run::{Outline, OutlineTask, Request, RunEnd};
use super::task::TaskEnd;
use super::time::Timestamp;

/// One event of a run's chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its place in the chain, from 1.
    pub seq: u64,
    /// When it was written, for people.
    pub at: Timestamp,
    /// Its random id: two equal events are never one object.
    pub op: Op,
    /// The process that wrote it.
    pub by: HolderId,
    /// The writer's token; control events carry none.
    pub token: Option<Token>,
    /// What happened.
    pub kind: EventKind,
}

/// Who may write an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authority {
    /// Only the holder of the lease, under its token.
    Owner,
    /// Anyone: a request or a remark that changes no task by itself.
    Control,
    /// The event that grants: its own rules.
    Claim,
}

/// A task whose result could not be merged, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmerged {
    /// The task.
    pub task: TaskId,
    /// The paths that conflict.
    pub paths: Vec<String>,
}

/// What happened.
#[expect(clippy::large_enum_variant, reason = "a run has few events, and they are rarely moved")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// A run was asked for.
    RunCreated {
        /// What the user wants.
        goal: String,
        /// The commit it starts from.
        base: Oid,
        /// How it was asked for.
        request: Request,
    },
    /// A process may write from here on; every earlier token is void.
    LeaseGranted {
        /// The new token.
        token: Token,
        /// To whom.
        grant: Grant,
        /// Why it was allowed.
        because: Because,
    },
    /// The holder gave the lease back.
    LeaseReleased,
    /// The graph of tasks is fixed.
    RunPlanned {
        /// The graph; the texts are in `plan.json`.
        outline: Outline,
    },
    /// Tasks came of a task: behind it (its agent wrote a plan), or in its place
    /// (it is done once for each line of a list). A list without lines brings
    /// none, and the task is skipped.
    PlanRevised {
        /// Of which.
        task: TaskId,
        /// The new ones, each after its needs; the texts are in `plan.json`.
        tasks: Vec<OutlineTask>,
        /// One line for people.
        why: String,
    },
    /// An agent is about to be started.
    AttemptStarted {
        /// Whose attempt.
        task: TaskId,
        /// 1 for the first.
        attempt: u32,
        /// The program.
        agent: String,
        /// The commit it starts from.
        base: Oid,
        /// Its working tree.
        slot: String,
        /// The mark its processes carry.
        mark: String,
        /// What keeps the agent from the rest of the machine; `none` says that
        /// nothing does.
        sandbox: String,
        /// The session of an earlier attempt that it goes on with.
        resumes: Option<String>,
    },
    /// Nothing of the attempt runs any more and its work is kept.
    AttemptEnded {
        /// Whose attempt.
        task: TaskId,
        /// Which one.
        attempt: u32,
        /// How.
        ending: Ending,
        /// What it left.
        work: Work,
        /// What it printed.
        output: Output,
    },
    /// The checks of an attempt's result have run, or there are none.
    VerdictReached {
        /// Whose.
        task: TaskId,
        /// Which attempt.
        attempt: u32,
        /// The verdict.
        verdict: Verdict,
    },
    /// Another attempt will follow.
    RetryPlanned {
        /// Whose.
        task: TaskId,
        /// Not before this time of the holder's clock.
        not_before: Timestamp,
        /// Why the last one is not enough.
        why: String,
    },
    /// A task has reached its end.
    TaskEnded {
        /// Which.
        task: TaskId,
        /// How.
        end: TaskEnd,
        /// One line for people.
        why: String,
    },
    /// A person asked for an ended task to be tried again.
    TaskReopened {
        /// Which.
        task: TaskId,
    },
    /// What completed was merged into one commit.
    ResultMade {
        /// The commit.
        commit: Oid,
        /// The tasks whose results are in it.
        merged: Vec<TaskId>,
        /// The tasks whose results are not, and where they conflict.
        left: Vec<Unmerged>,
    },
    /// The run is over until somebody reopens it.
    RunEnded {
        /// How.
        end: RunEnd,
        /// One line for people.
        why: String,
    },
    /// A person asked for an ended run to go on.
    RunReopened,
    /// Somebody asks the holder to stop the run.
    CancelRequested {
        /// One line for people.
        why: String,
    },
    /// Somebody says something.
    Noted {
        /// What.
        text: String,
    },
}

impl EventKind {
    /// The event's name, as it is stored in `Crew-Event`.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::RunCreated { .. } => "run-created",
            Self::LeaseGranted { .. } => "lease-granted",
            Self::LeaseReleased => "lease-released",
            Self::RunPlanned { .. } => "run-planned",
            Self::PlanRevised { .. } => "plan-revised",
            Self::AttemptStarted { .. } => "attempt-started",
            Self::AttemptEnded { .. } => "attempt-ended",
            Self::VerdictReached { .. } => "verdict-reached",
            Self::RetryPlanned { .. } => "retry-planned",
            Self::TaskEnded { .. } => "task-ended",
            Self::TaskReopened { .. } => "task-reopened",
            Self::ResultMade { .. } => "result-made",
            Self::RunEnded { .. } => "run-ended",
            Self::RunReopened => "run-reopened",
            Self::CancelRequested { .. } => "cancel-requested",
            Self::Noted { .. } => "noted",
        }
    }

    /// Who may write it: the one table of owner and control events.
    #[must_use]
    pub fn authority(&self) -> Authority {
        match self {
            Self::LeaseGranted { .. } => Authority::Claim,
            Self::RunCreated { .. } | Self::CancelRequested { .. } | Self::Noted { .. } => {
                Authority::Control
            }
            Self::LeaseReleased
            | Self::RunPlanned { .. }
            | Self::PlanRevised { .. }
            | Self::AttemptStarted { .. }
            | Self::AttemptEnded { .. }
            | Self::VerdictReached { .. }
            | Self::RetryPlanned { .. }
            | Self::TaskEnded { .. }
            | Self::TaskReopened { .. }
            | Self::ResultMade { .. }
            | Self::RunEnded { .. }
            | Self::RunReopened => Authority::Owner,
        }
    }

    /// The task it is about, if it is about one.
    #[must_use]
    pub fn task(&self) -> Option<&TaskId> {
        match self {
            Self::PlanRevised { task, .. }
            | Self::AttemptStarted { task, .. }
            | Self::AttemptEnded { task, .. }
            | Self::VerdictReached { task, .. }
            | Self::RetryPlanned { task, .. }
            | Self::TaskEnded { task, .. }
            | Self::TaskReopened { task } => Some(task),
            Self::RunCreated { .. }
            | Self::LeaseGranted { .. }
            | Self::LeaseReleased
            | Self::RunPlanned { .. }
            | Self::ResultMade { .. }
            | Self::RunEnded { .. }
            | Self::RunReopened
            | Self::CancelRequested { .. }
            | Self::Noted { .. } => None,
        }
    }

    /// The attempt it is about, if it is about one.
    #[must_use]
    pub fn attempt(&self) -> Option<u32> {
        match self {
            Self::AttemptStarted { attempt, .. }
            | Self::AttemptEnded { attempt, .. }
            | Self::VerdictReached { attempt, .. } => Some(*attempt),
            Self::RunCreated { .. }
            | Self::LeaseGranted { .. }
            | Self::LeaseReleased
            | Self::RunPlanned { .. }
            | Self::PlanRevised { .. }
            | Self::RetryPlanned { .. }
            | Self::TaskEnded { .. }
            | Self::TaskReopened { .. }
            | Self::ResultMade { .. }
            | Self::RunEnded { .. }
            | Self::RunReopened
            | Self::CancelRequested { .. }
            | Self::Noted { .. } => None,
        }
    }
}
