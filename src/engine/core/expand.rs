//! Tasks that come of tasks: when it is time, and the event that says so.
//!
//! A plan's tasks are written before the task that planned them is completed, in
//! one append with its end: nothing that waits for it can begin between.

use std::sync::Arc;

use crate::domain::attempt::{Ending, Judgement};
use crate::domain::event::EventKind;
use crate::domain::id::TaskId;
use crate::domain::plan::{self, Expand, Plan, PlannedTask, proposal};
use crate::domain::run::Run;
use crate::domain::task::{Task, TaskEnd, TaskStatus};
use crate::engine::io::{Effect, PLAN};
use crate::engine::scheduler;

use super::step::Step;
use super::{Core, Flight};

/// Whether a task's plan was found good and its tasks are not there yet.
pub(super) fn is_due(plan: &Plan, run: &Run, task: &Task) -> bool {
    let plans = plan.task(&task.id).is_some_and(|t| matches!(t.expand, Some(Expand::Plan { .. })));
    let good = task.status == TaskStatus::Verifying
        && task.last().is_some_and(|last| {
            last.ending == Some(Ending::Finished)
                && last.verdict.as_ref().is_some_and(|v| v.result != Judgement::Failed)
        });
    let there = run.tasks.iter().any(|other| other.planned_by.as_ref() == Some(&task.id));
    plans && good && !there
}

impl Core {
    /// Asks for the artifacts that more tasks come of now.
    pub(super) fn expand(&mut self, step: &mut Step) {
        let busy = self.flights.keys().cloned().collect();
        let lists =
            scheduler::ready(&step.run, &busy, step.moment.now).into_iter().filter(|task| {
                let planned = step.plan.task(&task.id);
                planned.is_some_and(|task| matches!(task.expand, Some(Expand::Foreach { .. })))
            });
        let plans = step.run.tasks.iter().filter(|task| {
            is_due(&step.plan, &step.run, task) && !self.flights.contains_key(&task.id)
        });
        let due: Vec<TaskId> = lists.chain(plans).map(|task| task.id.clone()).collect();
        for task in due {
            self.flights.insert(task.clone(), Flight::Expanding);
            step.effects.push(Effect::Expand { task });
        }
    }

    /// Makes the tasks of an artifact part of the run.
    pub(super) fn expanded(&mut self, step: &mut Step, task: TaskId, artifact: Option<Vec<u8>>) {
        self.flights.remove(&task);
        if self.stop.is_some() {
            return;
        }
        let Some(planned) = step.plan.task(&task) else { return };
        let made = inserted(&step.plan, planned, artifact.as_deref());
        let revised = made.and_then(|(tasks, why)| {
            let outline = tasks.iter().map(Into::into).collect();
            let plan = step.plan.revised(&task, tasks);
            let text = plan.stored().map_err(|error| error.to_string())?;
            Ok((outline, plan, text, why))
        });
        let (tasks, plan, text, why) = match revised {
            Ok(revised) => revised,
            Err(why) => {
                step.event(EventKind::TaskEnded { task, end: TaskEnd::NeedsAttention, why });
                return;
            }
        };
        step.event(EventKind::PlanRevised { task, tasks, why });
        step.files.insert(PLAN.to_owned(), Some(text));
        self.plan = Arc::new(plan);
        step.plan = Arc::clone(&self.plan);
        step.effects.push(Effect::Follow(Arc::clone(&self.plan)));
    }
}

/// The tasks, and one line that says what they are made from. It was looked at
/// when its attempt ended; by now another plan may have taken a name.
fn inserted(
    plan: &Plan,
    task: &PlannedTask,
    artifact: Option<&[u8]>,
) -> Result<(Vec<PlannedTask>, String), String> {
    let name = plan::artifact(plan, task).map_or("", |(_, name)| name);
    let bytes = artifact.ok_or_else(|| format!("its artifact '{name}' is not there"))?;
    match &task.expand {
        Some(Expand::Plan { .. }) => {
            let tasks =
                proposal::read(plan, task, bytes).map_err(|faults| proposal::line(&faults))?;
            Ok((tasks, format!("from '{name}'")))
        }
        Some(Expand::Foreach { .. }) => {
            let items = plan::items(name, bytes).map_err(|fault| fault.to_string())?;
            let tasks = plan::of_items(plan, task, &items).map_err(|fault| fault.to_string())?;
            let what = if tasks.is_empty() { "no line in" } else { "for each line of" };
            Ok((tasks, format!("{what} '{name}'")))
        }
        None => Err("internal error: no tasks come of it".to_owned()),
    }
}
