//! The payload of one event: what its JSON line holds beyond the trailers.

use serde::{Deserialize, Serialize};

use crate::domain::event::EventKind;
use crate::domain::id::{Oid, TaskId};
use crate::domain::lease::Token;
use crate::domain::run::{Outline, RunEnd};
use crate::domain::task::TaskEnd;
use crate::domain::time::Timestamp;

use super::CodecError;
use super::parts::{
    WireEnding, WireGrant, WireOutlineTask, WireOutput, WireRequest, WireUnmerged, WireVerdict,
    WireWork, because, because_word, by_word,
};

/// Payloads by event name. The task and the attempt are trailers, not payload.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
pub(super) enum Payload {
    RunCreated {
        goal: String,
        base: Oid,
        request: WireRequest,
    },
    LeaseGranted {
        token: u64,
        grant: WireGrant,
        because: String,
    },
    LeaseReleased,
    RunPlanned {
        jobs: u32,
        tasks: Vec<WireOutlineTask>,
    },
    PlanRevised {
        tasks: Vec<WireOutlineTask>,
        why: String,
    },
    AttemptStarted {
        agent: String,
        base: Oid,
        slot: String,
        mark: String,
        sandbox: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        resumes: Option<String>,
    },
    AttemptEnded {
        ending: WireEnding,
        work: Box<WireWork>,
        output: WireOutput,
    },
    VerdictReached {
        verdict: WireVerdict,
    },
    RetryPlanned {
        not_before: Timestamp,
        why: String,
    },
    TaskEnded {
        end: String,
        why: String,
    },
    TaskReopened,
    ResultMade {
        commit: Oid,
        merged: Vec<TaskId>,
        left: Vec<WireUnmerged>,
    },
    RunEnded {
        end: String,
        why: String,
    },
    RunReopened,
    CancelRequested {
        why: String,
    },
    Noted {
        text: String,
    },
}

impl From<&EventKind> for Payload {
    fn from(kind: &EventKind) -> Self {
        match kind.clone() {
            EventKind::RunCreated { goal, base, request } => {
                Self::RunCreated { goal, base, request: (&request).into() }
            }
            EventKind::LeaseGranted { token, grant, because } => Self::LeaseGranted {
                token: token.0,
                grant: (&grant).into(),
                because: because_word(because).to_owned(),
            },
            EventKind::LeaseReleased => Self::LeaseReleased,
            EventKind::RunPlanned { outline } => Self::RunPlanned {
                jobs: outline.jobs,
                tasks: outline.tasks.iter().map(Into::into).collect(),
            },
            EventKind::PlanRevised { tasks, why, .. } => {
                Self::PlanRevised { tasks: tasks.iter().map(Into::into).collect(), why }
            }
            EventKind::AttemptStarted { agent, base, slot, mark, sandbox, resumes, .. } => {
                Self::AttemptStarted { agent, base, slot, mark, sandbox, resumes }
            }
            EventKind::AttemptEnded { ending, work, output, .. } => Self::AttemptEnded {
                ending: (&ending).into(),
                work: Box::new((&work).into()),
                output: (&output).into(),
            },
            EventKind::VerdictReached { verdict, .. } => {
                Self::VerdictReached { verdict: (&verdict).into() }
            }
            EventKind::RetryPlanned { not_before, why, .. } => {
                Self::RetryPlanned { not_before, why }
            }
            EventKind::TaskEnded { end, why, .. } => {
                Self::TaskEnded { end: end.status().word().to_owned(), why }
            }
            EventKind::TaskReopened { .. } => Self::TaskReopened,
            EventKind::ResultMade { commit, merged, left } => {
                Self::ResultMade { commit, merged, left: left.iter().map(Into::into).collect() }
            }
            EventKind::RunEnded { end, why } => {
                Self::RunEnded { end: end.status().word().to_owned(), why }
            }
            EventKind::RunReopened => Self::RunReopened,
            EventKind::CancelRequested { why } => Self::CancelRequested { why },
            EventKind::Noted { text } => Self::Noted { text },
        }
    }
}

/// What the trailers say of an event's subject.
pub(super) struct About {
    pub(super) task: Option<TaskId>,
    pub(super) attempt: Option<u32>,
}

impl About {
    fn task(&self) -> Result<TaskId, CodecError> {
        self.task.clone().ok_or_else(|| CodecError::Malformed("no Crew-Task".to_owned()))
    }

    fn attempt(&self) -> Result<u32, CodecError> {
        self.attempt.ok_or_else(|| CodecError::Malformed("no Crew-Attempt".to_owned()))
    }
}

impl Payload {
    /// The event that this payload and its trailers say.
    pub(super) fn into_kind(self, about: &About) -> Result<EventKind, CodecError> {
        match self {
            Self::PlanRevised { .. }
            | Self::AttemptStarted { .. }
            | Self::AttemptEnded { .. }
            | Self::VerdictReached { .. }
            | Self::RetryPlanned { .. }
            | Self::TaskEnded { .. }
            | Self::TaskReopened => self.into_task_kind(about),
            Self::RunCreated { goal, base, request } => {
                Ok(EventKind::RunCreated { goal, base, request: request.into() })
            }
            Self::LeaseGranted { token, grant, because: why } => Ok(EventKind::LeaseGranted {
                token: Token(token),
                grant: grant.into(),
                because: because(&why)?,
            }),
            Self::LeaseReleased => Ok(EventKind::LeaseReleased),
            Self::RunPlanned { jobs, tasks } => Ok(EventKind::RunPlanned {
                outline: Outline { jobs, tasks: tasks.into_iter().map(Into::into).collect() },
            }),
            Self::ResultMade { commit, merged, left } => Ok(EventKind::ResultMade {
                commit,
                merged,
                left: left.into_iter().map(Into::into).collect(),
            }),
            Self::RunEnded { end, why } => Ok(EventKind::RunEnded {
                end: by_word(&RunEnd::ALL, |end| end.status().word(), &end)?,
                why,
            }),
            Self::RunReopened => Ok(EventKind::RunReopened),
            Self::CancelRequested { why } => Ok(EventKind::CancelRequested { why }),
            Self::Noted { text } => Ok(EventKind::Noted { text }),
        }
    }

    fn into_task_kind(self, about: &About) -> Result<EventKind, CodecError> {
        let task = about.task()?;
        match self {
            Self::PlanRevised { tasks, why } => Ok(EventKind::PlanRevised {
                task,
                tasks: tasks.into_iter().map(Into::into).collect(),
                why,
            }),
            Self::AttemptStarted { agent, base, slot, mark, sandbox, resumes } => {
                Ok(EventKind::AttemptStarted {
                    task,
                    attempt: about.attempt()?,
                    agent,
                    base,
                    slot,
                    mark,
                    sandbox,
                    resumes,
                })
            }
            Self::AttemptEnded { ending, work, output } => Ok(EventKind::AttemptEnded {
                task,
                attempt: about.attempt()?,
                ending: ending.try_into()?,
                work: (*work).into(),
                output: output.into(),
            }),
            Self::VerdictReached { verdict } => Ok(EventKind::VerdictReached {
                task,
                attempt: about.attempt()?,
                verdict: verdict.try_into()?,
            }),
            Self::RetryPlanned { not_before, why } => {
                Ok(EventKind::RetryPlanned { task, not_before, why })
            }
            Self::TaskEnded { end, why } => Ok(EventKind::TaskEnded {
                task,
                end: by_word(&TaskEnd::ALL, |end| end.status().word(), &end)?,
                why,
            }),
            Self::TaskReopened => Ok(EventKind::TaskReopened { task }),
            Self::RunCreated { .. }
            | Self::LeaseGranted { .. }
            | Self::LeaseReleased
            | Self::RunPlanned { .. }
            | Self::ResultMade { .. }
            | Self::RunEnded { .. }
            | Self::RunReopened
            | Self::CancelRequested { .. }
            | Self::Noted { .. } => {
                Err(CodecError::Malformed("an event of a run with a task".to_owned()))
            }
        }
    }
}
