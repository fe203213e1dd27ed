//! An attempt as plain data for a reader: how it ended, what it left, what its
//! checks said.

use serde::Serialize;

use super::usage::UsageView;
use super::words::rfc3339;
use crate::domain::account::Account;
use crate::domain::attempt::{Attempt, Ending, Judgement, Output, Verdict, Work};
use crate::domain::time::Timestamp;
use crate::domain::words;

/// An attempt.
#[derive(Clone, Debug, Serialize)]
pub struct AttemptView {
    /// 1 for the first.
    pub number: u32,
    /// The program that plays the role.
    pub agent: String,
    /// `running`, `finished`, `failed`, `interrupted`, `cancelled`, or once its
    /// checks have run `passed`, `failed`, `unverified`.
    pub status: &'static str,
    /// The class of the agent's failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<&'static str>,
    /// How it ended, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What kept its agent from the rest of the machine; `none`: nothing did.
    pub sandbox: String,
    /// The session of an earlier attempt that it went on with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resumes: Option<String>,
    /// The version of the agent's program, as it told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The model, as the agent told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The name under which the agent's program can go on with the conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// What it used, as the agent told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<UsageView>,
    /// The commit it started from.
    pub base: String,
    /// When it started, RFC 3339.
    pub started: String,
    /// When it ended, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
    /// How long it took so far, in milliseconds.
    pub took_ms: i64,
    /// What it left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub work: Option<WorkView>,
    /// What it printed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<OutputView>,
    /// What the checks said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<VerdictView>,
}

/// What an attempt left. Lists are cut where the event cut them; the totals are
/// whole.
#[derive(Clone, Debug, Serialize)]
pub struct WorkView {
    /// The commit that holds everything that was kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The first changed paths.
    pub changed: Vec<ChangeView>,
    /// How many paths changed.
    pub changed_total: u64,
    /// How many commits are the agent's own.
    pub agent_commits: u32,
    /// The agent moved its history away from the base.
    pub rewrote_history: bool,
    /// The first ignored paths, which were not kept.
    pub ignored: Vec<IgnoredView>,
    /// How many ignored paths there were.
    pub ignored_total: u64,
    /// Paths that could not be kept.
    pub left_out: Vec<LeftOutView>,
}

/// A changed path.
#[derive(Clone, Debug, Serialize)]
pub struct ChangeView {
    /// `A`, `M`, `D` or `T`.
    pub status: char,
    /// The path.
    pub path: String,
}

/// An ignored path.
#[derive(Clone, Debug, Serialize)]
pub struct IgnoredView {
    /// The path.
    pub path: String,
    /// Its size in bytes.
    pub bytes: u64,
}

/// A path that could not be kept.
#[derive(Clone, Debug, Serialize)]
pub struct LeftOutView {
    /// The path.
    pub path: String,
    /// Why.
    pub why: String,
}

/// What an attempt printed.
#[derive(Clone, Debug, Serialize)]
pub struct OutputView {
    /// Bytes on both streams.
    pub bytes: u64,
    /// SHA-256 of standard output.
    pub sha256: String,
    /// SHA-256 of standard error; absent where an older version stored it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub err_sha256: Option<String>,
    /// Processes that outlived the agent and were killed.
    pub leaked: Vec<String>,
}

/// What the checks said.
#[derive(Clone, Debug, Serialize)]
pub struct VerdictView {
    /// `passed`, `failed` or `unverified`.
    pub result: &'static str,
    /// The tree that was checked.
    pub tree: String,
    /// How the checks were confined.
    pub sandbox: String,
    /// The commands, in order.
    pub checks: Vec<CheckView>,
}

/// One check.
#[derive(Clone, Debug, Serialize)]
pub struct CheckView {
    /// The command line.
    pub command: String,
    /// Whether it passed.
    pub passed: bool,
    /// Its exit code; absent when it was stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<i32>,
    /// Milliseconds it took.
    pub took_ms: u64,
    /// SHA-256 of its standard output.
    pub sha256: String,
    /// SHA-256 of its standard error; absent where an older version stored it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub err_sha256: Option<String>,
    /// The kept end of its output.
    pub tail: String,
    /// An agent's plan brought it: it can fail a result and never verify it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub from_plan: bool,
}

impl AttemptView {
    /// The attempt as it stands `now`.
    #[must_use]
    pub fn new(attempt: &Attempt, now: Timestamp) -> Self {
        let (class, why) = match &attempt.ending {
            Some(Ending::Failed { class, why }) => (Some(class.word()), Some(why.clone())),
            Some(Ending::Finished) => (None, attempt.verdict.as_ref().map(words::verdict)),
            Some(Ending::Interrupted | Ending::Cancelled) | None => (None, None),
        };
        let account = attempt.output.as_ref().map(|output| output.account.clone());
        let Account { version, model, session, usage } = account.unwrap_or_default();
        Self {
            number: attempt.number,
            agent: attempt.agent.clone(),
            status: attempt_status(attempt),
            class,
            why,
            sandbox: attempt.sandbox.clone(),
            resumes: attempt.resumes.clone(),
            version,
            model,
            session,
            usage: usage.map(UsageView::from),
            base: attempt.base.to_string(),
            started: rfc3339(attempt.started),
            ended: attempt.ended.map(rfc3339),
            took_ms: attempt.ended.unwrap_or(now).since_ms(attempt.started).max(0),
            work: attempt.work.as_ref().map(work),
            output: attempt.output.as_ref().map(output),
            verdict: attempt.verdict.as_ref().map(verdict),
        }
    }
}

fn attempt_status(attempt: &Attempt) -> &'static str {
    match (&attempt.ending, attempt.verdict.as_ref().map(|verdict| verdict.result)) {
        (None, _) => "running",
        (Some(Ending::Finished), None) => "finished",
        (Some(Ending::Finished), Some(result)) => result.word(),
        (Some(Ending::Failed { .. }), _) => Judgement::Failed.word(),
        (Some(Ending::Interrupted), _) => "interrupted",
        (Some(Ending::Cancelled), _) => "cancelled",
    }
}

fn work(work: &Work) -> WorkView {
    WorkView {
        commit: work.commit.as_ref().map(ToString::to_string),
        changed: work
            .changed
            .iter()
            .map(|change| ChangeView { status: change.status, path: change.path.clone() })
            .collect(),
        changed_total: work.changed_total,
        agent_commits: work.agent_commits,
        rewrote_history: work.rewrote_history,
        ignored: work
            .ignored
            .iter()
            .map(|(path, bytes)| IgnoredView { path: path.clone(), bytes: *bytes })
            .collect(),
        ignored_total: work.ignored_total,
        left_out: work
            .left_out
            .iter()
            .map(|(path, why)| LeftOutView { path: path.clone(), why: why.clone() })
            .collect(),
    }
}

fn output(output: &Output) -> OutputView {
    OutputView {
        bytes: output.bytes,
        sha256: output.sha256.clone(),
        err_sha256: output.err_sha256.clone(),
        leaked: output.leaked.clone(),
    }
}

fn verdict(verdict: &Verdict) -> VerdictView {
    let checks = verdict
        .checks
        .iter()
        .map(|check| CheckView {
            command: check.command.clone(),
            passed: check.passed(),
            code: check.code,
            took_ms: check.took_ms,
            sha256: check.sha256.clone(),
            err_sha256: check.err_sha256.clone(),
            tail: check.tail.clone(),
            from_plan: check.from_plan,
        })
        .collect();
    VerdictView {
        result: verdict.result.word(),
        tree: verdict.tree.to_string(),
        sandbox: verdict.sandbox.clone(),
        checks,
    }
}
