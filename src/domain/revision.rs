//! What a revision of the plan does to the needs of the tasks that are there:
//! one rule for the run's state and for its plan.
//!
//! ```text
//! tasks that came of 'x'      a task that needs 'x'
//! behind it (a plan)          needs 'x' and the last of the new tasks
//! in its place (a list)       needs the new tasks instead
//! in its place, none          needs what 'x' needed
//! ```
//!
//! "The last" are those that no other new task needs: who has them, has all.

use super::id::TaskId;
use super::run::{OutlineTask, Run, fault};
use super::task::{Task, TaskStatus};

/// One revision, as far as needs care.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    about: TaskId,
    instead: Vec<TaskId>,
}

impl Change {
    /// The change that new tasks (each with its needs) make: behind the task they
    /// are about, or in its place.
    pub fn new<'a>(
        about: &TaskId,
        its_needs: &[TaskId],
        in_place: bool,
        tasks: impl Iterator<Item = (&'a TaskId, &'a [TaskId])>,
    ) -> Self {
        let tasks: Vec<(&TaskId, &[TaskId])> = tasks.collect();
        let last = |id: &TaskId| tasks.iter().all(|(_, needs)| !needs.contains(id));
        let ends = tasks.iter().filter(|(id, _)| last(id)).map(|(id, _)| (*id).clone());
        let instead = match (in_place, tasks.is_empty()) {
            (false, _) => std::iter::once(about.clone()).chain(ends).collect(),
            (true, false) => ends.collect(),
            (true, true) => its_needs.to_vec(),
        };
        Self { about: about.clone(), instead }
    }

    /// Changes the needs of one task that was there before.
    pub fn rewire(&self, needs: &mut Vec<TaskId>) {
        let Some(at) = needs.iter().position(|need| *need == self.about) else { return };
        needs.splice(at..=at, self.instead.iter().cloned());
        let mut seen = std::collections::BTreeSet::new();
        needs.retain(|need| seen.insert(need.clone()));
    }
}

/// Why a revision does not fit the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Misfit {
    /// The task does not stand so that any could come of it.
    Place,
    /// With this task the run would have no graph: its name is taken, or it waits
    /// for itself or for a task that is not there.
    Graph(TaskId),
}

/// A run's tasks after a revision.
///
/// # Errors
/// [`Misfit`].
pub fn tasks(
    run: &Run,
    about: &TaskId,
    new: &[OutlineTask],
    why: &str,
) -> Result<Vec<Task>, Misfit> {
    let at = run.tasks.iter().position(|task| task.id == *about).ok_or(Misfit::Place)?;
    let old = &run.tasks[at];
    let in_place = match old.status {
        TaskStatus::Verifying if !new.is_empty() => false,
        TaskStatus::Queued if old.attempts.is_empty() => true,
        _ => return Err(Misfit::Place),
    };
    let ids = new.iter().map(|task| (&task.id, task.needs.as_slice()));
    let change = Change::new(about, &old.needs, in_place, ids);
    let mut all = run.tasks.clone();
    for task in &mut all {
        change.rewire(&mut task.needs);
    }
    let begun = new.iter().map(|task| task.begin(Some(about.clone())));
    match (in_place, new.is_empty()) {
        (false, _) => drop(all.splice(at + 1..=at, begun)),
        (true, false) => drop(all.splice(at..=at, begun)),
        (true, true) => {
            all[at].status = TaskStatus::Skipped;
            all[at].why = Some(why.to_owned());
        }
    }
    match fault(all.iter().map(|task| (&task.id, task.needs.as_slice()))) {
        Some(task) => Err(Misfit::Graph(task.clone())),
        None => Ok(all),
    }
}
