//! A run as text: its tasks as a tree, its result, why it stands where it
//! stands, what was kept, and the next command.
//!
//! A task stands under the deepest task that everything it needs goes through;
//! a task that is the only one under another goes on at the same depth, so a
//! chain is a straight line and a fan-out is a branch.

use std::collections::BTreeMap;

use super::attempt::{AttemptView, WorkView};
use super::run::{RunView, TaskView};
use super::text::{Label, Line, Text, table};
use super::usage::{cost_of_all, tokens};
use super::words::{duration, list, list_some};
use crate::domain::id::Oid;
use crate::domain::words::plural;

/// The most conflicting paths that one line names.
const NAMED: usize = 5;

/// The label of a status or standing.
#[must_use]
pub fn label(standing: &str) -> Label {
    match standing {
        "completed" | "passed" => Label::Good,
        "failed" | "blocked" | "needs_attention" => Label::Bad,
        "cancelled" | "skipped" | "interrupted" | "waiting" | "unverified" => Label::Warn,
        other if other.ends_with("unverified") => Label::Warn,
        _ => Label::Plain,
    }
}

/// The whole answer of `git crew show`.
#[must_use]
pub fn text(run: &RunView) -> Text {
    let mut text = Text::new();
    text.push(
        Line::new()
            .with(Label::Id, &run.id)
            .with(Label::Plain, "  ")
            .with(label(&run.standing), &run.standing),
    );
    text.push(Line::new().with(Label::Strong, &run.goal));
    let took = match run.ended {
        Some(_) => format!(", took {}", duration(run.took_ms)),
        None => String::new(),
    };
    let origin = format!("asked {}{took}, from {}", run.asked, short(&run.base));
    text.push(Line::new().with(Label::Dim, &origin));
    text.gap();
    text.append(tasks(run));
    text.gap();
    text.append(facts(run));
    text
}

fn facts(run: &RunView) -> Text {
    let mut rows = Vec::new();
    let row = |name: &str, line: Line| vec![Line::new().with(Label::Dim, name), line];
    if let Some(why) = &run.why {
        rows.push(row("why", Line::plain(why)));
    }
    if let Some(why) = &run.cancel {
        rows.push(row("cancel", Line::new().with(Label::Warn, &format!("asked for: {why}"))));
    }
    if let Some(holder) = &run.holder {
        rows.push(row("holder", holder_line(holder)));
    }
    if let Some(result) = &run.result {
        let line = Line::new()
            .with(Label::Id, short(result))
            .with(Label::Plain, &format!(" holds {}", list(&run.merged)));
        rows.push(row("result", line));
    }
    for left in &run.left {
        let paths = list_some(&left.paths, NAMED);
        let line = Line::new()
            .with(Label::Id, &left.task)
            .with(Label::Bad, &format!(" does not merge: conflicts in {paths}"));
        rows.push(row("left out", line));
    }
    if let Some(sandbox) = &run.weakest_sandbox {
        let line = Line::new()
            .with(Label::Warn, sandbox)
            .with(Label::Plain, "; what is not kept: ")
            .with(Label::Hint, "git crew doctor --sandbox");
        rows.push(row("sandbox", line));
    }
    if let Some(spent) = &run.spent {
        let words = format!("{}, {}", tokens(&spent.usage), cost_of_all(spent));
        rows.push(row("used", Line::plain(&words)));
    }
    for (at, command) in run.next.iter().enumerate() {
        let name = if at == 0 { "next" } else { "" };
        rows.push(row(name, Line::new().with(Label::Hint, command)));
    }
    table(rows)
}

fn holder_line(holder: &super::run::HolderView) -> Line {
    let id = holder.id.get(..8).unwrap_or(&holder.id);
    let (label, life) = match holder.life {
        "alive" => (Label::Good, "alive"),
        "dead" => (Label::Bad, "dead"),
        _ => (Label::Warn, "not known to be alive"),
    };
    Line::new()
        .with(Label::Id, id)
        .with(Label::Plain, &format!(", token {}, ", holder.token))
        .with(label, life)
}

/// The first twelve digits of an object id; other text as it is.
#[must_use]
pub fn short(commit: &str) -> &str {
    if commit.parse::<Oid>().is_ok() { commit.get(..12).unwrap_or(commit) } else { commit }
}

/// The tree of tasks.
fn tasks(run: &RunView) -> Text {
    if run.tasks.is_empty() {
        let mut text = Text::new();
        text.push(Line::new().with(Label::Dim, "no tasks yet: the run is not planned"));
        return text;
    }
    let mut tree = Tree { run, below: children(run), rows: Vec::new() };
    tree.level(None, "");
    table(tree.rows)
}

struct Tree<'a> {
    run: &'a RunView,
    below: BTreeMap<Option<usize>, Vec<usize>>,
    rows: Vec<Vec<Line>>,
}

impl Tree<'_> {
    fn level(&mut self, parent: Option<usize>, indent: &str) {
        let mut here: Vec<usize> = self.below.get(&parent).cloned().unwrap_or_default();
        while !here.is_empty() {
            let at = here.remove(0);
            let below = self.below.get(&at.into()).cloned().unwrap_or_default();
            // The only task below goes on at this depth, if nothing else follows here.
            let straight = below.len() == 1 && here.is_empty();
            let last = here.is_empty() && !straight;
            let inner = format!("{indent}{}", if last { "   " } else { "│  " });
            self.task(at, &format!("{indent}{}", if last { "└─ " } else { "├─ " }), &inner);
            if straight {
                here = below;
            } else {
                self.level(Some(at), &inner);
            }
        }
    }

    fn task(&mut self, at: usize, guide: &str, inner: &str) {
        let Some(task) = self.run.tasks.get(at) else { return };
        self.rows.push(vec![
            Line::new().with(Label::Dim, guide).with(Label::Id, &task.id),
            Line::new().with(label(&task.standing), &task.standing),
            Line::new().with(Label::Dim, &task.took_ms.map(duration).unwrap_or_default()),
            remarks(task),
        ]);
        if !tells_more(task) {
            return;
        }
        let has_below = self.below.contains_key(&Some(at));
        let stem = if has_below { "│ " } else { "  " };
        for attempt in &task.attempts {
            let name = format!("attempt {}", attempt.number);
            self.rows.push(vec![
                Line::new().with(Label::Dim, &format!("{inner}{stem}{name}")),
                Line::new().with(label(attempt.status), attempt.status),
                Line::new().with(Label::Dim, &duration(attempt.took_ms)),
                outcome(attempt),
            ]);
        }
    }
}

/// Attempts get lines of their own unless there is one and it went well.
fn tells_more(task: &TaskView) -> bool {
    match task.attempts.as_slice() {
        [] => false,
        [one] => !matches!(one.status, "running" | "finished" | "passed" | "unverified"),
        [_, _, ..] => true,
    }
}

fn remarks(task: &TaskView) -> Line {
    let mut line = Line::new();
    if !task.needs.is_empty() {
        line.push(Label::Dim, &format!("after {}", list(&task.needs)));
    }
    if let Some(why) = task.why.as_ref().filter(|_| task.status != "completed") {
        separate(&mut line);
        line.push(Label::Warn, why);
    }
    if !tells_more(task)
        && let Some(attempt) = task.attempts.last()
    {
        separate(&mut line);
        line.push(Label::Plain, &format!("on {}", attempt.agent));
        if let Some(work) = &attempt.work {
            kept(&mut line, work);
        }
    }
    line
}

fn outcome(attempt: &AttemptView) -> Line {
    let mut line = Line::plain(&format!("on {}", attempt.agent));
    if let Some(why) = attempt.why.as_ref().filter(|_| attempt.status == "failed") {
        separate(&mut line);
        match attempt.class {
            Some(class) => line.push(Label::Bad, &format!("{class}: {why}")),
            None => line.push(Label::Bad, why),
        }
    }
    if let Some(work) = &attempt.work {
        kept(&mut line, work);
    }
    line
}

fn separate(line: &mut Line) {
    if !line.spans().is_empty() {
        line.push(Label::Dim, "; ");
    }
}

/// What was kept and what was not.
fn kept(line: &mut Line, work: &WorkView) {
    separate(line);
    match &work.commit {
        Some(commit) if work.changed_total > 0 => {
            line.push(Label::Plain, "kept ");
            line.push(Label::Id, short(commit));
            line.push(Label::Dim, &format!(" ({})", plural(work.changed_total, "path")));
        }
        Some(_) | None => line.push(Label::Plain, "nothing changed"),
    }
    let mut lost = Vec::new();
    if work.ignored_total > 0 {
        lost.push(format!("{} ignored", work.ignored_total));
    }
    if !work.left_out.is_empty() {
        lost.push(format!("{} that could not be", work.left_out.len()));
    }
    if !lost.is_empty() {
        separate(line);
        let label = if work.left_out.is_empty() { Label::Dim } else { Label::Bad };
        line.push(label, &format!("not kept: {}", list(&lost)));
    }
}

/// Which tasks stand under which: under the deepest common ancestor of what they
/// need. Tasks come after what they need; one that doesn't (damage) is a root.
fn children(run: &RunView) -> BTreeMap<Option<usize>, Vec<usize>> {
    let mut paths: Vec<Vec<usize>> = Vec::new();
    let mut below: BTreeMap<Option<usize>, Vec<usize>> = BTreeMap::new();
    let place = |id: &String| run.tasks.iter().position(|task| &task.id == id);
    for (at, task) in run.tasks.iter().enumerate() {
        let mut common: Option<Vec<usize>> = None;
        for need in task.needs.iter().filter_map(place).filter(|need| *need < at) {
            let path: &Vec<usize> = &paths[need];
            common = Some(match common {
                None => path.clone(),
                Some(before) => {
                    before.iter().zip(path).take_while(|(a, b)| a == b).map(|(a, _)| *a).collect()
                }
            });
        }
        let mut path = common.unwrap_or_default();
        below.entry(path.last().copied()).or_default().push(at);
        path.push(at);
        paths.push(path);
    }
    below
}

#[cfg(test)]
#[path = "tree_tests.rs"]
mod tests;
