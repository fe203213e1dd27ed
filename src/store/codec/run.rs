//! `run.json`: the state that a run's events fold to, as stored in each event's
//! tree.

use serde::{Deserialize, Serialize};

use crate::domain::attempt::Attempt;
use crate::domain::escape;
use crate::domain::id::{Oid, RunId, TaskId};
use crate::domain::lease::{Lease, Token};
use crate::domain::run::{Run, RunResult, RunStatus};
use crate::domain::task::{Task, TaskStatus};
use crate::domain::time::Timestamp;

use super::parts::{
    WireEnding, WireGrant, WireOutput, WireRequest, WireUnmerged, WireVerdict, WireWork, by_word,
};
use super::{CodecError, FORMAT, Format, check};

#[derive(Serialize, Deserialize)]
struct WireLease {
    token: u64,
    held: Option<WireGrant>,
}

#[derive(Serialize, Deserialize)]
struct WireAttempt {
    number: u32,
    agent: String,
    base: Oid,
    slot: String,
    mark: String,
    sandbox: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    resumes: Option<String>,
    token: u64,
    started: Timestamp,
    ended: Option<Timestamp>,
    ending: Option<WireEnding>,
    work: Option<WireWork>,
    output: Option<WireOutput>,
    verdict: Option<WireVerdict>,
}

#[derive(Serialize, Deserialize)]
struct WireTask {
    id: TaskId,
    title: String,
    role: String,
    status: String,
    needs: Vec<TaskId>,
    /// Since 1.2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    planned_by: Option<TaskId>,
    verified: bool,
    result: Option<Oid>,
    why: Option<String>,
    forgiven: u32,
    not_before: Option<Timestamp>,
    attempts: Vec<WireAttempt>,
}

/// The first fields are those that other programs may rely on.
#[derive(Serialize, Deserialize)]
struct WireRun {
    format: String,
    id: RunId,
    status: String,
    goal: String,
    base: Oid,
    result: Option<Oid>,
    verified: bool,
    why: Option<String>,
    seq: u64,
    created: Timestamp,
    updated: Timestamp,
    ended: Option<Timestamp>,
    request: WireRequest,
    jobs: u32,
    lease: WireLease,
    cancel: Option<String>,
    merged: Vec<TaskId>,
    left: Vec<WireUnmerged>,
    tasks: Vec<WireTask>,
}

/// A run's state as the bytes of `run.json`.
///
/// # Errors
/// Only if the value could not be written as JSON.
pub fn encode_run(run: &Run) -> Result<Vec<u8>, CodecError> {
    let wire = WireRun::from(run);
    let plain =
        serde_json::to_string_pretty(&wire).map_err(|e| CodecError::json("encoding", &e))?;
    // `git show <run>:run.json` goes to a terminal too.
    Ok((escape::json(&plain).into_owned() + "\n").into_bytes())
}

/// The state that the bytes of `run.json` hold.
///
/// # Errors
/// [`CodecError::Newer`] or [`CodecError::Malformed`]; never a panic.
pub fn decode_run(bytes: &[u8]) -> Result<(Run, Format), CodecError> {
    #[derive(Deserialize)]
    struct Header {
        format: String,
    }
    let header: Header =
        serde_json::from_slice(bytes).map_err(|e| CodecError::json("run.json", &e))?;
    let format: Format = header.format.parse()?;
    check(format)?;
    let wire: WireRun =
        serde_json::from_slice(bytes).map_err(|e| CodecError::json("run.json", &e))?;
    Ok((wire.try_into()?, format))
}

impl From<&Run> for WireRun {
    fn from(run: &Run) -> Self {
        let result = run.result.as_ref();
        Self {
            format: FORMAT.to_string(),
            id: run.id.clone(),
            status: run.status.word().to_owned(),
            goal: run.goal.clone(),
            base: run.base.clone(),
            result: result.map(|r| r.commit.clone()),
            verified: run.verified(),
            why: run.why.clone(),
            seq: run.seq,
            created: run.created,
            updated: run.updated,
            ended: run.ended,
            request: (&run.request).into(),
            jobs: run.jobs,
            lease: WireLease {
                token: run.lease.token.0,
                held: run.lease.held.as_ref().map(Into::into),
            },
            cancel: run.cancel.clone(),
            merged: result.map(|r| r.merged.clone()).unwrap_or_default(),
            left: result.map(|r| r.left.iter().map(Into::into).collect()).unwrap_or_default(),
            tasks: run.tasks.iter().map(Into::into).collect(),
        }
    }
}

impl TryFrom<WireRun> for Run {
    type Error = CodecError;
    fn try_from(wire: WireRun) -> Result<Self, CodecError> {
        let (merged, left) = (wire.merged, wire.left);
        let result = wire.result.map(|commit| RunResult {
            commit,
            merged,
            left: left.into_iter().map(Into::into).collect(),
        });
        Ok(Self {
            id: wire.id,
            goal: wire.goal,
            base: wire.base,
            request: wire.request.into(),
            status: by_word(&RunStatus::ALL, RunStatus::word, &wire.status)?,
            lease: Lease { token: Token(wire.lease.token), held: wire.lease.held.map(Into::into) },
            jobs: wire.jobs,
            tasks: wire.tasks.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
            cancel: wire.cancel,
            result,
            why: wire.why,
            seq: wire.seq,
            created: wire.created,
            updated: wire.updated,
            ended: wire.ended,
        })
    }
}

impl From<&Task> for WireTask {
    fn from(task: &Task) -> Self {
        Self {
            id: task.id.clone(),
            title: task.title.clone(),
            role: task.role.clone(),
            status: task.status.word().to_owned(),
            needs: task.needs.clone(),
            planned_by: task.planned_by.clone(),
            verified: task.verified,
            result: task.result.clone(),
            why: task.why.clone(),
            forgiven: task.forgiven,
            not_before: task.not_before,
            attempts: task.attempts.iter().map(Into::into).collect(),
        }
    }
}

impl TryFrom<WireTask> for Task {
    type Error = CodecError;
    fn try_from(wire: WireTask) -> Result<Self, CodecError> {
        Ok(Self {
            id: wire.id,
            title: wire.title,
            role: wire.role,
            needs: wire.needs,
            planned_by: wire.planned_by,
            status: by_word(&TaskStatus::ALL, TaskStatus::word, &wire.status)?,
            attempts: wire.attempts.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
            forgiven: wire.forgiven,
            not_before: wire.not_before,
            result: wire.result,
            verified: wire.verified,
            why: wire.why,
        })
    }
}

impl From<&Attempt> for WireAttempt {
    fn from(attempt: &Attempt) -> Self {
        Self {
            number: attempt.number,
            agent: attempt.agent.clone(),
            base: attempt.base.clone(),
            slot: attempt.slot.clone(),
            mark: attempt.mark.clone(),
            sandbox: attempt.sandbox.clone(),
            resumes: attempt.resumes.clone(),
            token: attempt.token.0,
            started: attempt.started,
            ended: attempt.ended,
            ending: attempt.ending.as_ref().map(Into::into),
            work: attempt.work.as_ref().map(Into::into),
            output: attempt.output.as_ref().map(Into::into),
            verdict: attempt.verdict.as_ref().map(Into::into),
        }
    }
}

impl TryFrom<WireAttempt> for Attempt {
    type Error = CodecError;
    fn try_from(wire: WireAttempt) -> Result<Self, CodecError> {
        Ok(Self {
            number: wire.number,
            agent: wire.agent,
            base: wire.base,
            slot: wire.slot,
            mark: wire.mark,
            sandbox: wire.sandbox,
            resumes: wire.resumes,
            token: Token(wire.token),
            started: wire.started,
            ended: wire.ended,
            ending: wire.ending.map(TryInto::try_into).transpose()?,
            work: wire.work.map(Into::into),
            output: wire.output.map(Into::into),
            verdict: wire.verdict.map(TryInto::try_into).transpose()?,
        })
    }
}
