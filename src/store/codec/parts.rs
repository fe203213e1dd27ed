//! Wire forms that events and states share. Field names are fixed.

use serde::{Deserialize, Serialize};

use crate::domain::attempt::{
    Change, CheckRun, Ending, FailureClass, Judgement, Output, Verdict, Work,
};
use crate::domain::event::Unmerged;
use crate::domain::id::{HolderId, Oid, TaskId};
use crate::domain::lease::{Because, Binding, Grant};
use crate::domain::run::{OutlineTask, Request};

use super::CodecError;
use super::account::WireAccount;

/// Finds the value of a closed vocabulary by its word.
pub(super) fn by_word<T: Copy>(
    all: &[T],
    word: impl Fn(T) -> &'static str,
    text: &str,
) -> Result<T, CodecError> {
    all.iter()
        .copied()
        .find(|value| word(*value) == text)
        .ok_or_else(|| CodecError::Malformed(format!("unknown word '{}'", text.escape_debug())))
}

#[derive(Serialize, Deserialize)]
pub(super) struct WireRequest {
    team: String,
    workflow: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    agent: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    jobs: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_time_ms: Option<u64>,
}

impl From<&Request> for WireRequest {
    fn from(request: &Request) -> Self {
        let Request { team, workflow, agent, jobs, max_time_ms } = request.clone();
        Self { team, workflow, agent, jobs, max_time_ms }
    }
}

impl From<WireRequest> for Request {
    fn from(wire: WireRequest) -> Self {
        let WireRequest { team, workflow, agent, jobs, max_time_ms } = wire;
        Self { team, workflow, agent, jobs, max_time_ms }
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct WireGrant {
    holder: HolderId,
    machine: String,
    boot: String,
    /// Absent for a lease bound to a local lock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    renews_ms: Option<u64>,
}

impl From<&Grant> for WireGrant {
    fn from(grant: &Grant) -> Self {
        let renews_ms = match grant.binding {
            Binding::Local => None,
            Binding::Renews { ttl_ms } => Some(ttl_ms),
        };
        let Grant { holder, machine, boot, .. } = grant.clone();
        Self { holder, machine, boot, renews_ms }
    }
}

impl From<WireGrant> for Grant {
    fn from(wire: WireGrant) -> Self {
        let binding = wire.renews_ms.map_or(Binding::Local, |ttl_ms| Binding::Renews { ttl_ms });
        Self { holder: wire.holder, machine: wire.machine, boot: wire.boot, binding }
    }
}

const BECAUSE: [Because; 5] =
    [Because::Free, Because::HolderDied, Because::Rebooted, Because::Silent, Because::Forced];

pub(super) fn because_word(because: Because) -> &'static str {
    match because {
        Because::Free => "free",
        Because::HolderDied => "holder-died",
        Because::Rebooted => "rebooted",
        Because::Silent => "silent",
        Because::Forced => "forced",
    }
}

pub(super) fn because(text: &str) -> Result<Because, CodecError> {
    by_word(&BECAUSE, because_word, text)
}

#[derive(Serialize, Deserialize)]
pub(super) struct WireOutlineTask {
    id: TaskId,
    title: String,
    role: String,
    needs: Vec<TaskId>,
}

impl From<&OutlineTask> for WireOutlineTask {
    fn from(task: &OutlineTask) -> Self {
        let OutlineTask { id, title, role, needs } = task.clone();
        Self { id, title, role, needs }
    }
}

impl From<WireOutlineTask> for OutlineTask {
    fn from(wire: WireOutlineTask) -> Self {
        let WireOutlineTask { id, title, role, needs } = wire;
        Self { id, title, role, needs }
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct WireEnding {
    how: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    class: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

impl From<&Ending> for WireEnding {
    fn from(ending: &Ending) -> Self {
        let plain = |how: &str| Self { how: how.to_owned(), class: None, why: None };
        match ending {
            Ending::Finished => plain("finished"),
            Ending::Interrupted => plain("interrupted"),
            Ending::Cancelled => plain("cancelled"),
            Ending::Failed { class, why } => Self {
                how: "failed".to_owned(),
                class: Some(class.word().to_owned()),
                why: Some(why.clone()),
            },
        }
    }
}

impl TryFrom<WireEnding> for Ending {
    type Error = CodecError;
    fn try_from(wire: WireEnding) -> Result<Self, CodecError> {
        match wire.how.as_str() {
            "finished" => Ok(Self::Finished),
            "interrupted" => Ok(Self::Interrupted),
            "cancelled" => Ok(Self::Cancelled),
            "failed" => {
                let class = wire.class.unwrap_or_default();
                let class = by_word(&FailureClass::ALL, FailureClass::word, &class)?;
                Ok(Self::Failed { class, why: wire.why.unwrap_or_default() })
            }
            other => {
                Err(CodecError::Malformed(format!("unknown ending '{}'", other.escape_debug())))
            }
        }
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct WireWork {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    commit: Option<Oid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tree: Option<Oid>,
    /// `[status, path]`
    changed: Vec<(char, String)>,
    changed_total: u64,
    agent_commits: u32,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    rewrote_history: bool,
    /// `[path, bytes]`
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    ignored: Vec<(String, u64)>,
    #[serde(default)]
    ignored_total: u64,
    /// `[path, why]`
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    left_out: Vec<(String, String)>,
}

impl From<&Work> for WireWork {
    fn from(work: &Work) -> Self {
        let work = work.clone();
        Self {
            commit: work.commit,
            tree: work.tree,
            changed: work.changed.into_iter().map(|c| (c.status, c.path)).collect(),
            changed_total: work.changed_total,
            agent_commits: work.agent_commits,
            rewrote_history: work.rewrote_history,
            ignored: work.ignored,
            ignored_total: work.ignored_total,
            left_out: work.left_out,
        }
    }
}

impl From<WireWork> for Work {
    fn from(wire: WireWork) -> Self {
        let change = |(status, path)| Change { status, path };
        Self {
            commit: wire.commit,
            tree: wire.tree,
            changed: wire.changed.into_iter().map(change).collect(),
            changed_total: wire.changed_total,
            agent_commits: wire.agent_commits,
            rewrote_history: wire.rewrote_history,
            ignored: wire.ignored,
            ignored_total: wire.ignored_total,
            left_out: wire.left_out,
        }
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct WireOutput {
    bytes: u64,
    sha256: String,
    /// Since 1.1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    err_sha256: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    leaked: Vec<String>,
    #[serde(default, skip_serializing_if = "WireAccount::is_empty")]
    account: WireAccount,
}

impl From<&Output> for WireOutput {
    fn from(output: &Output) -> Self {
        let Output { bytes, sha256, err_sha256, leaked, account } = output.clone();
        Self { bytes, sha256, err_sha256, leaked, account: account.into() }
    }
}

impl From<WireOutput> for Output {
    fn from(wire: WireOutput) -> Self {
        let WireOutput { bytes, sha256, err_sha256, leaked, account } = wire;
        Self { bytes, sha256, err_sha256, leaked, account: account.into() }
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct WireCheck {
    command: String,
    code: Option<i32>,
    took_ms: u64,
    sha256: String,
    /// Since 1.1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    err_sha256: Option<String>,
    tail: String,
    /// Since 1.2.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    from_plan: bool,
}

#[derive(Serialize, Deserialize)]
pub(super) struct WireVerdict {
    result: String,
    tree: Oid,
    checks: Vec<WireCheck>,
    sandbox: String,
}

impl From<&Verdict> for WireVerdict {
    fn from(verdict: &Verdict) -> Self {
        let check = |run: &CheckRun| {
            let CheckRun { command, code, took_ms, sha256, err_sha256, tail, from_plan } =
                run.clone();
            WireCheck { command, code, took_ms, sha256, err_sha256, tail, from_plan }
        };
        Self {
            result: verdict.result.word().to_owned(),
            tree: verdict.tree.clone(),
            checks: verdict.checks.iter().map(check).collect(),
            sandbox: verdict.sandbox.clone(),
        }
    }
}

impl TryFrom<WireVerdict> for Verdict {
    type Error = CodecError;
    fn try_from(wire: WireVerdict) -> Result<Self, CodecError> {
        let check = |wire: WireCheck| {
            let WireCheck { command, code, took_ms, sha256, err_sha256, tail, from_plan } = wire;
            CheckRun { command, code, took_ms, sha256, err_sha256, tail, from_plan }
        };
        Ok(Self {
            result: by_word(&Judgement::ALL, Judgement::word, &wire.result)?,
            tree: wire.tree,
            checks: wire.checks.into_iter().map(check).collect(),
            sandbox: wire.sandbox,
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct WireUnmerged {
    task: TaskId,
    paths: Vec<String>,
}

impl From<&Unmerged> for WireUnmerged {
    fn from(unmerged: &Unmerged) -> Self {
        Self { task: unmerged.task.clone(), paths: unmerged.paths.clone() }
    }
}

impl From<WireUnmerged> for Unmerged {
    fn from(wire: WireUnmerged) -> Self {
        Self { task: wire.task, paths: wire.paths }
    }
}
