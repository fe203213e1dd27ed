//! One task as text, in full: every attempt with what it changed, what was not
//! kept and what its checks printed.

use super::attempt::{AttemptView, CheckView, WorkView};
use super::run::TaskView;
use super::text::{Label, Line, Text};
use super::tree::{label, short};
use super::usage::{cost, tokens};
use super::words::{duration, list, size};
use crate::domain::words::plural;

/// The answer of `git crew show RUN TASK`; one attempt of it if a number is given.
#[must_use]
pub fn text(run: &str, task: &TaskView, only: Option<u32>) -> Text {
    let mut text = Text::new();
    let mut head = Line::new()
        .with(Label::Dim, &format!("{run} "))
        .with(Label::Id, &task.id)
        .with(Label::Plain, "  ");
    head.push(label(&task.standing), &task.standing);
    text.push(head);
    text.push(Line::new().with(Label::Strong, &task.title));
    let mut role = format!("played by {}", task.role);
    if let Some(planner) = &task.planned_by {
        role.push_str(&format!(", planned by {planner}"));
    }
    if !task.needs.is_empty() {
        role.push_str(&format!(", after {}", list(&task.needs)));
    }
    text.push(Line::new().with(Label::Dim, &role));
    if let Some(why) = &task.why {
        text.push(Line::new().with(Label::Warn, why));
    }
    let wanted = |attempt: &&AttemptView| only.is_none_or(|number| attempt.number == number);
    for attempt in task.attempts.iter().filter(wanted) {
        text.gap();
        text.append(attempt_text(attempt));
    }
    text
}

fn attempt_text(attempt: &AttemptView) -> Text {
    let mut text = Text::new();
    let took = duration(attempt.took_ms);
    let head = Line::new()
        .with(Label::Strong, &format!("attempt {}", attempt.number))
        .with(Label::Plain, "  ")
        .with(label(attempt.status), attempt.status)
        .with(Label::Dim, &format!("  {took} on {}, from {}", attempt.agent, short(&attempt.base)));
    text.push(head);
    text.push(Line::plain("  ").with(Label::Dim, &format!("sandbox: {}", attempt.sandbox)));
    account_text(&mut text, attempt);
    if let Some(why) = attempt.why.as_ref().filter(|_| attempt.status == "failed") {
        let class = attempt.class.map(|class| format!("{class}: ")).unwrap_or_default();
        text.push(Line::plain("  ").with(Label::Bad, &format!("{class}{why}")));
    }
    if let Some(work) = &attempt.work {
        work_text(&mut text, work);
    }
    if let Some(output) = &attempt.output {
        text.push(Line::plain("  ").with(Label::Dim, &format!("printed {}", size(output.bytes))));
        if !output.leaked.is_empty() {
            let leaked = format!("left running and killed: {}", list(&output.leaked));
            text.push(Line::plain("  ").with(Label::Warn, &leaked));
        }
    }
    if let Some(verdict) = &attempt.verdict {
        let words = format!("checks ({}): {}", verdict.sandbox, verdict.result);
        text.push(Line::plain("  ").with(label(verdict.result), &words));
        for check in &verdict.checks {
            check_text(&mut text, check);
        }
    }
    text
}

/// What the agent told of itself.
fn account_text(text: &mut Text, attempt: &AttemptView) {
    let mut told = Vec::new();
    told.extend(attempt.version.as_ref().map(|version| format!("version {version}")));
    told.extend(attempt.model.clone());
    match (&attempt.resumes, &attempt.session) {
        (Some(old), Some(new)) if old != new => {
            told.push(format!("session {new}, which goes on with {old}"));
        }
        (Some(session), _) => told.push(format!("goes on with session {session}")),
        (None, Some(session)) => told.push(format!("session {session}")),
        (None, None) => {}
    }
    if !told.is_empty() {
        let words = format!("told: {}", told.join(", "));
        text.push(Line::plain("  ").with(Label::Dim, &words));
    }
    if let Some(used) = &attempt.usage {
        let words = format!("used {}, {}", tokens(used), cost(used));
        text.push(Line::plain("  ").with(Label::Dim, &words));
    }
}

fn work_text(text: &mut Text, work: &WorkView) {
    let mut line = Line::plain("  ");
    match &work.commit {
        Some(commit) => {
            line.push(Label::Plain, "kept ");
            line.push(Label::Id, short(commit));
        }
        None => line.push(Label::Plain, "nothing kept"),
    }
    line.push(Label::Dim, &format!(", {} changed", plural(work.changed_total, "path")));
    if work.agent_commits > 0 {
        let commits = plural(work.agent_commits.into(), "commit");
        line.push(Label::Dim, &format!(", {commits} of the agent's own"));
    }
    if work.rewrote_history {
        line.push(Label::Warn, ", history rewritten");
    }
    text.push(line);
    for change in &work.changed {
        text.push(
            Line::plain("    ")
                .with(Label::Dim, &format!("{} ", change.status))
                .with(Label::Plain, &change.path),
        );
    }
    more(text, work.changed.len(), work.changed_total);
    if work.ignored_total > 0 {
        let words = format!("{} not kept", plural(work.ignored_total, "ignored path"));
        text.push(Line::plain("  ").with(Label::Warn, &words));
    }
    for ignored in &work.ignored {
        let line = Line::plain("    ").with(Label::Plain, &ignored.path);
        text.push(line.with(Label::Dim, &format!("  {}", size(ignored.bytes))));
    }
    more(text, work.ignored.len(), work.ignored_total);
    for left in &work.left_out {
        let words = format!("could not be kept: {}: {}", left.path, left.why);
        text.push(Line::plain("  ").with(Label::Bad, &words));
    }
}

fn more(text: &mut Text, shown: usize, total: u64) {
    let rest = total.saturating_sub(u64::try_from(shown).unwrap_or(u64::MAX));
    if rest > 0 {
        text.push(Line::plain("    ").with(Label::Dim, &format!("and {rest} more")));
    }
}

fn check_text(text: &mut Text, check: &CheckView) {
    let (label, words) = match check.code {
        Some(0) => (Label::Good, "passed".to_owned()),
        Some(code) => (Label::Bad, format!("exit code {code}")),
        None => (Label::Bad, "stopped".to_owned()),
    };
    let took = duration(i64::try_from(check.took_ms).unwrap_or(i64::MAX));
    let whose = if check.from_plan { ", the plan's own" } else { "" };
    text.push(
        Line::plain("    ")
            .with(Label::Plain, &check.command)
            .with(Label::Plain, "  ")
            .with(label, &words)
            .with(Label::Dim, &format!("  {took}{whose}")),
    );
    if !check.passed {
        for line in check.tail.lines() {
            text.push(Line::plain("      ").with(Label::Dim, line));
        }
    }
}
