//! The end of a run: the merge of what completed, the last events.

use crate::domain::event::EventKind;
use crate::domain::run::{Run, RunEnd};
use crate::domain::task::TaskStatus;
use crate::engine::io::{Effect, Finish, Stop};
use crate::engine::{judge, scheduler};

use super::Core;
use super::step::Step;

impl Core {
    /// Ends the run when nothing is left to do.
    pub(super) fn close(&mut self, step: &mut Step) {
        if !self.is_idle() || self.finished {
            return;
        }
        match &self.stop {
            Some(Stop::Lost(why)) => {
                self.finished = true;
                step.effects.push(Effect::Finish(Finish::Lost(why.clone())));
                return;
            }
            Some(Stop::Interrupt) if !step.run.status.is_terminal() => {
                self.finished = true;
                step.event(EventKind::LeaseReleased);
                step.effects.push(Effect::Finish(Finish::Interrupted));
                return;
            }
            Some(Stop::Interrupt | Stop::Cancel(_) | Stop::Fail(_)) | None => {}
        }
        if step.run.status.is_terminal() || step.run.tasks.iter().any(|t| !t.status.is_terminal()) {
            return;
        }
        let tasks = scheduler::results(&step.run);
        if tasks.is_empty() {
            let end = self.run_end(&step.run, false);
            let why = judge::summary(&step.run, end, &[], self.stop.as_ref());
            self.end(step, end, why);
        } else {
            self.merging = true;
            step.effects.push(Effect::Merge { tasks });
        }
    }

    pub(super) fn run_end(&self, run: &Run, unmerged: bool) -> RunEnd {
        let any = |status| run.tasks.iter().any(|task| task.status == status);
        match &self.stop {
            Some(Stop::Cancel(_)) => RunEnd::Cancelled,
            Some(Stop::Fail(_)) => judge::stopped(run),
            _ if any(TaskStatus::Failed) => RunEnd::Failed,
            _ if unmerged || any(TaskStatus::NeedsAttention) => RunEnd::Blocked,
            _ if run.unfinished().is_none() => RunEnd::Completed,
            _ => RunEnd::Cancelled,
        }
    }

    pub(super) fn end(&mut self, step: &mut Step, end: RunEnd, why: String) {
        self.finished = true;
        step.event(EventKind::RunEnded { end, why });
        step.event(EventKind::LeaseReleased);
        step.effects.push(Effect::Finish(Finish::Over));
    }
}
