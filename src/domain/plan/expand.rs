//! Tasks that become more tasks while the run goes on: a step that plans, and a
//! step that is done once for each line of an artifact. Here is what becomes of
//! a plan; of a run's state the fold makes the same, by the same
//! [`Change`](crate::domain::revision::Change).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::id::{MAX_PART, TaskId, slug};
use crate::domain::revision::Change;
use crate::domain::{defaults, escape};

use super::{Plan, PlannedTask, SH};

/// What more tasks come of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Expand {
    /// Its agent writes a plan; the tasks of it follow.
    Plan {
        /// What each of them must pass, if it may change files.
        #[serde(rename = "checks")]
        checks: Vec<String>,
    },
    /// It is done once for each line of an artifact, instead of itself.
    Foreach {
        /// The artifact.
        #[serde(rename = "of")]
        of: String,
    },
}

/// One line of a list, with its number from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its place among the lines that are not empty.
    pub number: usize,
    /// The line, without the space around it.
    pub text: String,
}

/// Why a list can't be worked off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemFault(String);

impl fmt::Display for ItemFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The lines of a list that are not empty.
///
/// # Errors
/// It is not text, a line is too long or holds control characters, or there are
/// too many.
pub fn items(name: &str, bytes: &[u8]) -> Result<Vec<Item>, ItemFault> {
    let fault = |cause: String| ItemFault(format!("'{name}': {cause}"));
    if bytes.len() > defaults::MAX_PLAN_BYTES {
        let most = defaults::MAX_PLAN_BYTES;
        return Err(fault(format!("a file of {} bytes; {most} is the most", bytes.len())));
    }
    let text = std::str::from_utf8(bytes).map_err(|e| {
        fault(format!("a byte that is not UTF-8 text, at offset {}", e.valid_up_to()))
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line.trim()));
    let lines: Vec<(usize, &str)> = lines.filter(|(_, line)| !line.is_empty()).collect();
    let most = defaults::MAX_PLAN_TASKS;
    if lines.len() > most {
        return Err(fault(format!("{} lines; {most} is the most", lines.len())));
    }
    for (at, line) in &lines {
        if line.len() > defaults::MAX_ITEM {
            let (found, most) = (line.len(), defaults::MAX_ITEM);
            return Err(fault(format!("line {at} has {found} bytes; {most} is the most")));
        }
        if line.chars().any(|c| c.is_control() && c != '\t') {
            return Err(fault(format!("line {at} holds control characters")));
        }
    }
    let numbered = lines.into_iter().enumerate();
    Ok(numbered.map(|(at, (_, line))| Item { number: at + 1, text: line.to_owned() }).collect())
}

/// The artifact that more tasks are made from, and who makes it.
#[must_use]
pub fn artifact<'a>(plan: &'a Plan, task: &'a PlannedTask) -> Option<(&'a TaskId, &'a str)> {
    match task.expand.as_ref()? {
        Expand::Plan { .. } => Some((&task.id, task.output.as_deref()?)),
        Expand::Foreach { of } => {
            let maker = plan.tasks.iter().find(|other| other.output.as_ref() == Some(of))?;
            Some((&maker.id, of))
        }
    }
}

/// Whether a task's artifact is a list that other tasks are made from.
#[must_use]
pub fn lists(plan: &Plan, task: &PlannedTask) -> bool {
    let Some(name) = &task.output else { return false };
    plan.tasks
        .iter()
        .any(|other| matches!(&other.expand, Some(Expand::Foreach { of }) if of == name))
}

/// A step's tasks for the lines of its list.
///
/// # Errors
/// A task of the run has the name of one of them, or they are too much for an
/// event.
pub fn of_items(
    plan: &Plan,
    step: &PlannedTask,
    items: &[Item],
) -> Result<Vec<PlannedTask>, ItemFault> {
    let mut tasks = Vec::new();
    for item in items {
        let id = item_id(&step.id, item);
        let Some(id) = id.filter(|id| plan.task(id).is_none()) else {
            let shown = escape::word(&item.text, 60);
            return Err(ItemFault(format!("line {} ('{shown}'): no free name", item.number)));
        };
        let shown = escape::word(&item.text, defaults::MAX_ITEM);
        let text = if step.players().contains(&SH) {
            // what an agent wrote is no part of a script
            step.text.clone()
        } else {
            step.text.replace("{item}", &shown)
        };
        tasks.push(PlannedTask {
            id,
            title: escape::word(&format!("{}: {shown}", step.title), 100),
            text,
            output: step.output.as_ref().map(|name| numbered(name, item.number)),
            expand: None,
            planned_by: Some(step.id.clone()),
            item: Some(item.text.clone()),
            ..step.clone()
        });
    }
    let one = |task: &PlannedTask| {
        let needs: usize = task.needs.iter().map(|need| need.as_str().len() + 4).sum();
        task.id.as_str().len() + task.title.len() + task.role.len() + needs + 60
    };
    let (bytes, most) = (tasks.iter().map(one).sum::<usize>(), defaults::MAX_PLAN_NAMES);
    if bytes > most {
        let cause = format!("the names of its tasks have {bytes} bytes; {most} is the most");
        return Err(ItemFault(cause));
    }
    Ok(tasks)
}

/// `<step>-<number>-<slug of the line>`, as long as a name may be.
fn item_id(step: &TaskId, item: &Item) -> Option<TaskId> {
    let number = item.number.to_string();
    let stem = step.as_str();
    // a long step name leaves room for the number at least
    let stem = stem.get(..stem.len().min(40)).unwrap_or(stem).trim_end_matches('-');
    let full = match slug(&item.text) {
        Some(words) => format!("{stem}-{number}-{words}"),
        None => format!("{stem}-{number}"),
    };
    let most = full.len().min(MAX_PART);
    full.get(..most)?.trim_end_matches('-').parse().ok()
}

/// `notes.md` for the second line is `notes-2.md`.
fn numbered(name: &str, number: usize) -> String {
    match name.rsplit_once('.') {
        Some((stem, ending)) => format!("{stem}-{number}.{ending}"),
        None => format!("{name}-{number}"),
    }
}

impl Plan {
    /// The plan with more tasks that came of one: behind it, or in its place.
    #[must_use]
    pub fn revised(&self, about: &TaskId, inserted: Vec<PlannedTask>) -> Self {
        let Some(at) = self.tasks.iter().position(|task| task.id == *about) else {
            return self.clone();
        };
        let old = &self.tasks[at];
        let ids = inserted.iter().map(|task| (&task.id, task.needs.as_slice()));
        let in_place = !matches!(old.expand, Some(Expand::Plan { .. }));
        let change = Change::new(about, &old.needs, in_place, ids);
        let mut plan = self.clone();
        for task in &mut plan.tasks {
            change.rewire(&mut task.needs);
            if in_place {
                reread(&mut task.reads, old, &inserted);
            }
        }
        if in_place {
            // without lines it stays, as a task that was skipped
            let gone = usize::from(!inserted.is_empty());
            plan.tasks.splice(at..at + gone, inserted);
        } else {
            plan.tasks.splice(at + 1..=at, inserted);
        }
        plan
    }
}

/// Who reads the artifact of a step reads those of all its tasks.
fn reread(reads: &mut Vec<String>, old: &PlannedTask, inserted: &[PlannedTask]) {
    let Some(at) = reads.iter().position(|name| Some(name) == old.output.as_ref()) else { return };
    reads.splice(at..=at, inserted.iter().filter_map(|task| task.output.clone()));
}

#[cfg(test)]
mod tests;
