//! Facts as words: the one line that an event is called by, in commit subjects
//! and in `git crew log`, and how wide text is.
//!
//! Promise: what [`subject`] returns is one line of fewer than
//! [`SUBJECT_COLUMNS`] columns without a character that a terminal would obey.

use unicode_width::UnicodeWidthChar;

use super::attempt::{CheckRun, Ending, Judgement, Verdict, Work};
use super::escape::escaped;
use super::event::{Event, EventKind, Unmerged};
use super::id::{HolderId, Oid, TaskId};
use super::lease::{Because, Grant, Token};
use super::run::Outline;

/// A subject has fewer columns than this.
pub const SUBJECT_COLUMNS: usize = 72;

/// The fewest columns that a long task name is cut to.
const LEAST_NAME: usize = 24;

/// How many columns a terminal gives this text, once escaped.
#[must_use]
pub fn columns(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// The beginning of `text` in at most `most` columns, with `…` where it was cut.
#[must_use]
pub fn clip(text: &str, most: usize) -> String {
    if columns(text) <= most {
        return text.to_owned();
    }
    let mut used = 0;
    let mut out = String::new();
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used >= most {
            break;
        }
        out.push(c);
    }
    if most > 0 {
        out.truncate(out.trim_end().len());
        out.push('…');
    }
    out
}

/// A number with its noun: `1 task`, `2 tasks`.
#[must_use]
pub fn plural(count: u64, noun: &str) -> String {
    if count == 1 {
        return format!("1 {noun}");
    }
    match noun.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{count} {stem}ies"),
        Some(_) | None => format!("{count} {noun}s"),
    }
}

fn many(count: usize, noun: &str) -> String {
    plural(u64::try_from(count).unwrap_or(u64::MAX), noun)
}

/// What a person wants to read of an event: its commit's subject.
#[must_use]
pub fn subject(event: &Event) -> String {
    match &event.kind {
        EventKind::RunCreated { goal, .. } => line("run created", goal),
        EventKind::LeaseGranted { token, grant, because } => granted(*token, grant, *because),
        EventKind::LeaseReleased => released(event.token, &event.by),
        EventKind::RunPlanned { outline } => planned(outline),
        EventKind::PlanRevised { task, tasks, why } => revised(task, tasks.len(), why),
        EventKind::AttemptStarted { task, attempt, agent, resumes, .. } => {
            let same = if resumes.is_some() { ", same session" } else { "" };
            about(task, &format!("attempt {attempt} started on {}{same}", escaped(agent)))
        }
        EventKind::AttemptEnded { task, attempt, ending, work, .. } => {
            attempt_ended(task, *attempt, ending, work)
        }
        EventKind::VerdictReached { task, attempt, verdict } => judged(task, *attempt, verdict),
        EventKind::RetryPlanned { task, why, .. } => {
            about(task, &with_why("another attempt follows", why))
        }
        EventKind::TaskEnded { task, end, why } => about(task, &with_why(end.status().word(), why)),
        EventKind::TaskReopened { task } => about(task, "reopened"),
        EventKind::ResultMade { commit, merged, left } => result(commit, merged, left),
        EventKind::RunEnded { end, why } => line(&format!("run {}", end.status().word()), why),
        EventKind::RunReopened => "run reopened".to_owned(),
        EventKind::CancelRequested { why } => line("cancelling was asked for", why),
        EventKind::Noted { text } => line("note", text),
    }
}

/// How the checks of an attempt came out, without its name: `passed 2 checks`.
#[must_use]
pub fn verdict(verdict: &Verdict) -> String {
    match verdict.result {
        Judgement::Passed => format!("passed {}", many(verdict.checks.len(), "check")),
        Judgement::Unverified => match verdict.checks.len() {
            0 => "unverified, it has no check".to_owned(),
            own => format!("unverified, it passed only {} of its plan", many(own, "check")),
        },
        Judgement::Failed => match verdict.checks.iter().find(|check| !check.passed()) {
            Some(check) => format!("failed {}", check_words(check)),
            None => "failed its checks".to_owned(),
        },
    }
}

/// How an agent's part ended, without its name: `failed (exit): exit code 3`.
#[must_use]
pub fn ending(ending: &Ending) -> String {
    match ending {
        Ending::Finished => "finished".to_owned(),
        Ending::Failed { class, why } => with_why(&format!("failed ({})", class.word()), why),
        Ending::Interrupted => "interrupted".to_owned(),
        Ending::Cancelled => "cancelled".to_owned(),
    }
}

fn check_words(check: &CheckRun) -> String {
    let command = clip(&escaped(&check.command), 32);
    match check.code {
        Some(code) => format!("'{command}' with exit code {code}"),
        None => format!("'{command}', which was stopped"),
    }
}

fn with_why(what: &str, why: &str) -> String {
    if why.trim().is_empty() { what.to_owned() } else { format!("{what}: {}", escaped(why.trim())) }
}

fn fit(text: &str) -> String {
    clip(text, SUBJECT_COLUMNS - 1)
}

fn line(what: &str, why: &str) -> String {
    fit(&with_why(what, why))
}

/// `task: rest`. A task's name may fill a line by itself; it is cut before the
/// rest is, for the rest is the news.
fn about(task: &TaskId, rest: &str) -> String {
    let room = SUBJECT_COLUMNS - 3;
    let name = clip(task.as_str(), room.saturating_sub(columns(rest)).max(LEAST_NAME));
    fit(&format!("{name}: {rest}"))
}

fn short(holder: &HolderId) -> &str {
    holder.as_str().get(..8).unwrap_or(holder.as_str())
}

fn granted(token: Token, grant: &Grant, because: Because) -> String {
    let why = match because {
        Because::Free => "",
        Because::HolderDied => "the holder before it died",
        Because::Rebooted => "its machine has booted again",
        Because::Silent => "the holder before it fell silent",
        Because::Forced => "by force",
    };
    line(&format!("lease granted to {}, token {token}", short(&grant.holder)), why)
}

fn released(token: Option<Token>, by: &HolderId) -> String {
    match token {
        Some(token) => fit(&format!("lease released by {}, token {token}", short(by))),
        None => fit(&format!("lease released by {}", short(by))),
    }
}

fn planned(outline: &Outline) -> String {
    let tasks = many(outline.tasks.len(), "task");
    fit(&format!("planned {tasks}, at most {} at a time", outline.jobs))
}

fn revised(task: &TaskId, new: usize, why: &str) -> String {
    match new {
        0 => about(task, &with_why("nothing to do", why)),
        1 => about(task, &with_why("1 task follows", why)),
        many => about(task, &with_why(&format!("{many} tasks follow"), why)),
    }
}

fn attempt_ended(task: &TaskId, attempt: u32, how: &Ending, work: &Work) -> String {
    let left = match work.changed_total {
        0 => "nothing changed".to_owned(),
        count => format!("{} kept", plural(count, "changed path")),
    };
    let rest = match how {
        Ending::Failed { .. } => format!("attempt {attempt} {}", ending(how)),
        Ending::Finished | Ending::Interrupted | Ending::Cancelled => {
            format!("attempt {attempt} {}, {left}", ending(how))
        }
    };
    about(task, &rest)
}

fn judged(task: &TaskId, attempt: u32, verdict_: &Verdict) -> String {
    let words = verdict(verdict_);
    let is = if verdict_.result == Judgement::Unverified { "is " } else { "" };
    about(task, &format!("attempt {attempt} {is}{words}"))
}

fn result(commit: &Oid, merged: &[TaskId], left: &[Unmerged]) -> String {
    let rest = match left.len() {
        0 => String::new(),
        count => format!(", {} left out", many(count, "conflicting task")),
    };
    fit(&format!("result {} holds {}{rest}", commit.short(), many(merged.len(), "task")))
}

#[cfg(test)]
#[path = "words_tests.rs"]
mod tests;
