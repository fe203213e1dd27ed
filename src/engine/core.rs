//! From state to deeds. `step` takes what happened and answers what to do; it
//! never waits, reads or writes.
//!
//! It is driven by levels, not edges: what to do follows from the run's state
//! and from what is in flight, so a run that another process left behind goes on
//! by the same lines as one that never stopped.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::domain::attempt::{Ending, FailureClass, Judgement, Output, Verdict, Work};
use crate::domain::defaults;
use crate::domain::event::EventKind;
use crate::domain::id::TaskId;
use crate::domain::plan::Plan;
use crate::domain::run::{Run, RunEnd};
use crate::domain::task::{Task, TaskEnd, TaskStatus};
use crate::domain::time::Timestamp;

use super::io::{Effect, Files, Input, Stop, Urgency};
use super::{judge, scheduler};

mod close;
mod expand;
mod step;
use step::Step;

/// What a task in flight is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flight {
    Preparing,
    Working,
    Checking,
    Expanding,
}

/// What varies from step to step.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Now.
    pub now: Timestamp,
    /// A random number in `[0, 1)` for back-off.
    pub jitter: f64,
}

/// The engine's mind: what is in flight, and whether to stop.
#[derive(Debug)]
pub struct Core {
    plan: Arc<Plan>,
    /// The most tasks at a time, instead of the run's own number.
    jobs: Option<u32>,
    flights: BTreeMap<TaskId, Flight>,
    stop: Option<Stop>,
    /// When agents that were asked to stop for a cancellation are killed.
    kill_at: Option<Timestamp>,
    merging: bool,
    finished: bool,
}

impl Core {
    /// A core for a run that is planned.
    #[must_use]
    pub fn new(plan: impl Into<Arc<Plan>>, jobs: Option<u32>) -> Self {
        Self {
            plan: plan.into(),
            jobs,
            flights: BTreeMap::new(),
            stop: None,
            kill_at: None,
            merging: false,
            finished: false,
        }
    }

    /// The plan that it follows.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Whether something is being prepared, worked on or checked.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.flights.is_empty() && !self.merging
    }

    /// [`Core::step_all`] for one thing that happened.
    pub fn step(&mut self, run: &Run, moment: Moment, input: Input) -> Vec<Effect> {
        self.step_all(run, moment, vec![input])
    }

    /// Takes what happened, answers what to do. `run` is the newest state. What
    /// comes of all inputs is one append.
    pub fn step_all(&mut self, run: &Run, moment: Moment, mut all: Vec<Input>) -> Vec<Effect> {
        // The events of the end were not written: it has not ended.
        let over = self.finished && !all.iter().any(|input| matches!(input, Input::Undone(_)));
        if over || all.is_empty() {
            return Vec::new();
        }
        // A stop counts first: nothing may be started beside it.
        all.sort_by_key(|input| !matches!(input, Input::Stop(_)));
        let mut step = Step {
            run: run.clone(),
            moment,
            events: Vec::new(),
            files: Files::new(),
            effects: Vec::new(),
            plan: Arc::clone(&self.plan),
        };
        all.into_iter().for_each(|input| self.take(&mut step, input));
        if let (None, Some(why)) = (&self.stop, step.run.cancel.clone()) {
            self.halt(&mut step, Stop::Cancel(why));
        }
        self.lose_patience(&mut step);
        self.settle(&mut step);
        if self.stop.is_none() {
            self.start(&mut step);
        }
        self.close(&mut step);
        if matches!(self.stop, Some(Stop::Lost(_))) {
            // Fenced off: what happened here is the next holder's to tell.
            step.events.clear();
        }
        step.finish()
    }

    fn take(&mut self, step: &mut Step, input: Input) {
        match input {
            Input::Begin | Input::Tick => {}
            Input::Stop(stop) => self.halt(step, stop),
            Input::Prepared { task, attempt, base, slot, mark, sandbox, resumes, files } => {
                self.flights.remove(&task);
                if self.stop.is_some() {
                    return;
                }
                let Some(agent) = judge::player(&step.plan, &step.run, &task) else { return };
                step.event(EventKind::AttemptStarted {
                    task: task.clone(),
                    attempt,
                    agent,
                    base,
                    slot,
                    mark,
                    sandbox,
                    resumes,
                });
                step.files.extend(files);
                self.flights.insert(task.clone(), Flight::Working);
                step.effects.push(Effect::Launch { task, attempt });
            }
            Input::Unprepared { task, why } | Input::Unexpanded { task, why } => {
                self.flights.remove(&task);
                step.event(EventKind::TaskEnded { task, end: TaskEnd::NeedsAttention, why });
            }
            Input::Ended { task, attempt, ending, halted, work, output, files } => {
                self.flights.remove(&task);
                let ending = self.ending(ending, halted);
                judge::stops(&ending).into_iter().for_each(|stop| self.halt(step, stop));
                step.event(EventKind::AttemptEnded { task, attempt, ending, work: *work, output });
                step.files.extend(files);
            }
            Input::Judged { task, attempt, verdict, files } => {
                self.flights.remove(&task);
                step.event(EventKind::VerdictReached { task, attempt, verdict });
                step.files.extend(files);
            }
            Input::Unjudged { task, why } => {
                self.flights.remove(&task);
                if let Some(why) = why {
                    step.event(EventKind::TaskEnded { task, end: TaskEnd::NeedsAttention, why });
                }
            }
            Input::Expanded { task, artifact } => self.expanded(step, task, artifact),
            Input::Broken { task, why } => self.broken(step, task, why),
            Input::Undone(effect) => self.undo(*effect),
            Input::Merged { commit, merged, left } => {
                self.merging = false;
                let end = self.run_end(&step.run, !left.is_empty());
                let why = judge::summary(&step.run, end, &left, self.stop.as_ref());
                step.event(EventKind::ResultMade { commit, merged, left });
                self.end(step, end, why);
            }
            Input::Unmerged { why } => {
                self.merging = false;
                self.end(step, RunEnd::Blocked, why);
            }
        }
    }

    /// A worker that broke leaves its task to a person, its work in its slot.
    fn broken(&mut self, step: &mut Step, task: TaskId, why: String) {
        self.flights.remove(&task);
        let open = step.run.task(&task).and_then(Task::open).map(|open| open.number);
        if let Some(attempt) = open {
            let ending = Ending::Failed { class: FailureClass::Internal, why: why.clone() };
            let (work, output) = (Work::default(), Output::default());
            let task = task.clone();
            step.event(EventKind::AttemptEnded { task, attempt, ending, work, output });
        }
        step.event(EventKind::TaskEnded { task, end: TaskEnd::NeedsAttention, why });
    }

    /// Forgets what was announced and not begun.
    fn undo(&mut self, effect: Effect) {
        match effect {
            Effect::Prepare { task, .. }
            | Effect::Launch { task, .. }
            | Effect::Expand { task }
            | Effect::Check { task, .. } => {
                self.flights.remove(&task);
            }
            Effect::Merge { .. } => self.merging = false,
            Effect::Finish(_) => self.finished = false,
            // Who could not write the new plan lost the run.
            Effect::Write { .. } | Effect::Follow(_) | Effect::Halt { .. } | Effect::Wake(_) => {}
        }
    }

    /// What an attempt's end means when it was we who stopped it.
    fn ending(&self, ending: Ending, halted: bool) -> Ending {
        match &self.stop {
            Some(Stop::Interrupt | Stop::Lost(_)) if halted => Ending::Interrupted,
            Some(Stop::Cancel(_) | Stop::Fail(_)) if halted => Ending::Cancelled,
            Some(_) | None => ending,
        }
    }

    /// Stops what is in flight. A second request kills.
    fn halt(&mut self, step: &mut Step, stop: Stop) {
        let again = self.stop.is_some() || matches!(stop, Stop::Lost(_));
        let urgency = if again { Urgency::Kill } else { Urgency::Ask };
        if matches!(stop, Stop::Cancel(_)) && self.stop.is_none() {
            let at = step.moment.now.plus_ms(defaults::CANCEL_GRACE_MS);
            self.kill_at = Some(at);
            step.effects.push(Effect::Wake(at));
        }
        let graver = matches!(stop, Stop::Lost(_)) || self.stop.is_none();
        if graver {
            self.stop = Some(stop);
        }
        for (task, flight) in &self.flights {
            if !matches!(flight, Flight::Preparing | Flight::Expanding) {
                step.effects.push(Effect::Halt { task: task.clone(), urgency });
            }
        }
    }

    /// A person who cancels waits for the answer: what was asked to stop and has
    /// not, is killed.
    fn lose_patience(&mut self, step: &mut Step) {
        if self.kill_at.take_if(|at| *at <= step.moment.now).is_none() {
            return;
        }
        let halt = |task: &TaskId| Effect::Halt { task: task.clone(), urgency: Urgency::Kill };
        step.effects.extend(self.flights.keys().map(halt));
    }

    /// Draws every conclusion that the state alone allows, until none is left.
    fn settle(&mut self, step: &mut Step) {
        if matches!(self.stop, Some(Stop::Lost(_))) {
            return;
        }
        loop {
            let conclusion = self.conclude(step);
            match conclusion {
                Some(kind) => step.event(kind),
                None => return,
            }
        }
    }

    fn conclude(&self, step: &Step) -> Option<EventKind> {
        let idle = |task: &&Task| !self.flights.contains_key(&task.id);
        let judged = step
            .run
            .tasks
            .iter()
            .filter(|task| task.status == TaskStatus::Verifying)
            .filter(idle)
            .find_map(|task| self.conclude_task(step, task));
        if judged.is_some() {
            return judged;
        }
        if let Some(Stop::Cancel(why) | Stop::Fail(why)) = &self.stop {
            let mut open =
                step.run.tasks.iter().filter(|task| {
                    !task.status.is_terminal() && task.status != TaskStatus::Running
                });
            return open.find(idle).map(|task| EventKind::TaskEnded {
                task: task.id.clone(),
                end: TaskEnd::Cancelled,
                why: why.clone(),
            });
        }
        scheduler::hopeless(&step.run).map(|(task, dead)| EventKind::TaskEnded {
            task: task.id.clone(),
            end: TaskEnd::Skipped,
            why: format!("'{}' is {}", dead.id, dead.status.word()),
        })
    }

    /// A task whose agent is done: the verdict, or what follows from it.
    fn conclude_task(&self, step: &Step, task: &Task) -> Option<EventKind> {
        let planned = step.plan.task(&task.id)?;
        let last = task.last()?;
        if last.ending == Some(Ending::Finished) && last.verdict.is_none() {
            let work = last.work.as_ref()?;
            if planned.is_checked() {
                return None;
            }
            return Some(EventKind::VerdictReached {
                task: task.id.clone(),
                attempt: last.number,
                verdict: Verdict {
                    result: Judgement::Unverified,
                    tree: work.tree.clone()?,
                    checks: Vec::new(),
                    sandbox: "none".to_owned(),
                },
            });
        }
        if expand::is_due(&step.plan, &step.run, task) {
            return None;
        }
        Some(judge::next(planned, task, step.moment))
    }

    /// Starts what may start: checks first, since they free dependents.
    fn start(&mut self, step: &mut Step) {
        for task in &step.run.tasks {
            let unjudged = task.status == TaskStatus::Verifying
                && task.last().is_some_and(|last| last.verdict.is_none());
            if unjudged && !self.flights.contains_key(&task.id) {
                let attempt = task.last().map_or(1, |last| last.number);
                self.flights.insert(task.id.clone(), Flight::Checking);
                step.effects.push(Effect::Check { task: task.id.clone(), attempt });
            }
        }
        self.expand(step);
        let busy: BTreeSet<TaskId> = self.flights.keys().cloned().collect();
        let jobs = self.jobs.unwrap_or(step.run.jobs);
        let room = (jobs.max(1) as usize).saturating_sub(busy.len());
        for task in scheduler::ready(&step.run, &busy, step.moment.now).into_iter().take(room) {
            self.flights.insert(task.id.clone(), Flight::Preparing);
            let attempt = task.next_attempt();
            step.effects.push(Effect::Prepare { task: task.id.clone(), attempt });
        }
        if let Some(at) = scheduler::next_due(&step.run, step.moment.now) {
            step.effects.push(Effect::Wake(at));
        }
    }
}

#[cfg(test)]
#[path = "core_tests.rs"]
mod tests;
