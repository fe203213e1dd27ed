//! A run, its tasks and their attempts as plain data for a reader. The JSON of
//! `git crew show --json` is this, the text is made of it (`tree`, `task`).
//!
//! Promise: a task or a run that completed without a check says
//! `completed, unverified` in `standing`; what was not kept is counted; what is
//! not known is absent.

use serde::Serialize;

use super::attempt::AttemptView;
use super::next;
use super::usage::SpentView;
use super::words::{age, rfc3339};
use crate::domain::event::Unmerged;
use crate::domain::id::TaskId;
use crate::domain::lease::Life;
use crate::domain::run::{Run, RunResult, RunStatus};
use crate::domain::task::{Task, TaskStatus};
use crate::domain::time::Timestamp;

/// What an observer adds to a run: when it looks and what it knows of the holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The reader's clock.
    pub now: Timestamp,
    /// Whether the holder lives, as far as this machine can tell.
    pub life: Life,
}

/// A run.
#[derive(Clone, Debug, Serialize)]
pub struct RunView {
    /// Its id.
    pub id: String,
    /// Its status, a word of the status table.
    pub status: &'static str,
    /// The status with its reservation: `completed, unverified`.
    pub standing: String,
    /// Whether checks passed on every task's result.
    pub verified: bool,
    /// What the user wants.
    pub goal: String,
    /// The commit it starts from.
    pub base: String,
    /// The commit that holds what completed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// The ref that names that commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result_ref: Option<String>,
    /// The tasks in it.
    pub merged: Vec<String>,
    /// The tasks that do not merge, and where.
    pub left: Vec<LeftView>,
    /// Its tasks, in the order of the workflow.
    pub tasks: Vec<TaskView>,
    /// The team.
    pub team: String,
    /// The workflow.
    pub workflow: String,
    /// The weakest that one of its agents was kept in, if less than `fenced`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weakest_sandbox: Option<String>,
    /// Why it stands where it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Somebody asked for it to be cancelled, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancel: Option<String>,
    /// Who may write it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holder: Option<HolderView>,
    /// How many events it has.
    pub events: u64,
    /// When it was asked for, RFC 3339.
    pub created: String,
    /// When its newest event was written, RFC 3339.
    pub updated: String,
    /// When it ended, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
    /// From the request to the end, or to now, in milliseconds.
    pub took_ms: i64,
    /// What its ended attempts used, as their agents told; absent when none did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spent: Option<SpentView>,
    /// Commands that make sense next, the best first.
    pub next: Vec<String>,
    /// How long ago it was asked for, in words.
    #[serde(skip)]
    pub asked: String,
}

/// Who holds a run.
#[derive(Clone, Debug, Serialize)]
pub struct HolderView {
    /// The process incarnation.
    pub id: String,
    /// Its token.
    pub token: u64,
    /// Its machine.
    pub machine: String,
    /// `alive`, `dead` or `unknown`, as this machine sees it.
    pub life: &'static str,
}

/// A task that did not merge.
#[derive(Clone, Debug, Serialize)]
pub struct LeftView {
    /// The task.
    pub task: String,
    /// The paths that conflict.
    pub paths: Vec<String>,
}

/// A task.
#[derive(Clone, Debug, Serialize)]
pub struct TaskView {
    /// Its id.
    pub id: String,
    /// Its step's name as written.
    pub title: String,
    /// The role that plays it.
    pub role: String,
    /// Its status, a word of the status table.
    pub status: &'static str,
    /// The status with its reservation.
    pub standing: String,
    /// Whether checks passed on its result.
    pub verified: bool,
    /// The tasks it starts from.
    pub needs: Vec<String>,
    /// The task whose plan or list it came of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub planned_by: Option<String>,
    /// Its attempts, oldest first.
    pub attempts: Vec<AttemptView>,
    /// The commit that counts as its result.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// Why it stands where it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Its next attempt starts no sooner, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_before: Option<String>,
    /// What its ended attempts used; absent when none told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spent: Option<SpentView>,
    /// All its attempts together, in milliseconds; absent before the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub took_ms: Option<i64>,
}

/// `completed, unverified` for what completed without a passed check.
#[must_use]
pub fn standing(status: &str, completed: bool, verified: bool) -> String {
    if completed && !verified { format!("{status}, unverified") } else { status.to_owned() }
}

/// What is to be said of a run that is not over and that nobody is known to work
/// on: its status alone would read as if somebody did.
#[must_use]
pub fn unattended(status: RunStatus, holder: Option<Life>) -> &'static str {
    match holder {
        _ if status.is_terminal() => "",
        Some(Life::Alive) => "",
        Some(Life::Unknown) => ", holder unknown",
        Some(Life::Dead) => ", holder dead",
        None => ", interrupted",
    }
}

impl RunView {
    /// The run as this observer sees it.
    #[must_use]
    pub fn new(run: &Run, seen: Seen) -> Self {
        let completed = run.status == RunStatus::Completed;
        let holder = run.lease.held.as_ref().map(|grant| HolderView {
            id: grant.holder.to_string(),
            token: run.lease.token.0,
            machine: grant.machine.clone(),
            life: life(seen.life),
        });
        Self {
            id: run.id.to_string(),
            status: run.status.word(),
            standing: standing(run.status.word(), completed, run.verified())
                + unattended(run.status, run.lease.held.as_ref().map(|_| seen.life)),
            verified: run.verified(),
            goal: run.goal.clone(),
            base: run.base.to_string(),
            result: run.result.as_ref().map(|result| result.commit.to_string()),
            result_ref: run.result.as_ref().map(|_| next::result_ref(&run.id)),
            merged: run.result.as_ref().map(|result| names(&result.merged)).unwrap_or_default(),
            left: run.result.as_ref().map(left).unwrap_or_default(),
            tasks: run.tasks.iter().map(|task| TaskView::new(task, seen.now)).collect(),
            team: run.request.team.clone(),
            workflow: run.request.workflow.clone(),
            weakest_sandbox: run.weakest_sandbox().map(str::to_owned),
            why: run.why.clone().filter(|why| !why.is_empty()),
            cancel: run.cancel.clone(),
            holder,
            events: run.seq,
            created: rfc3339(run.created),
            updated: rfc3339(run.updated),
            ended: run.ended.map(rfc3339),
            took_ms: run.ended.unwrap_or(seen.now).since_ms(run.created).max(0),
            spent: SpentView::of(run.spent()),
            next: next::commands(run, seen.life),
            asked: age(run.created, seen.now),
        }
    }
}

fn life(life: Life) -> &'static str {
    match life {
        Life::Alive => "alive",
        Life::Dead => "dead",
        Life::Unknown => "unknown",
    }
}

fn names(ids: &[TaskId]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

fn left(result: &RunResult) -> Vec<LeftView> {
    let left =
        |left: &Unmerged| LeftView { task: left.task.to_string(), paths: left.paths.clone() };
    result.left.iter().map(left).collect()
}

impl TaskView {
    /// The task as it stands `now`.
    #[must_use]
    pub fn new(task: &Task, now: Timestamp) -> Self {
        let completed = task.status == TaskStatus::Completed;
        let attempts: Vec<AttemptView> =
            task.attempts.iter().map(|attempt| AttemptView::new(attempt, now)).collect();
        let took: i64 = attempts.iter().map(|attempt| attempt.took_ms).sum();
        Self {
            id: task.id.to_string(),
            title: task.title.clone(),
            role: task.role.clone(),
            status: task.status.word(),
            standing: standing(task.status.word(), completed, task.verified),
            verified: task.verified,
            needs: names(&task.needs),
            spent: SpentView::of(task.spent()),
            planned_by: task.planned_by.as_ref().map(ToString::to_string),
            took_ms: (!attempts.is_empty()).then_some(took),
            attempts,
            result: task.result.as_ref().map(ToString::to_string),
            why: task.why.clone().filter(|why| !why.is_empty()),
            not_before: task.not_before.map(rfc3339),
        }
    }
}
