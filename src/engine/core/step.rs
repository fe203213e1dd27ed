//! The state of one step of the core: what it has planned so far, tried on a
//! scratch copy of the run.

use std::sync::Arc;

use crate::domain::event::{Event, EventKind};
use crate::domain::fold;
use crate::domain::id::{HolderId, Op};
use crate::domain::plan::Plan;
use crate::domain::run::Run;
use crate::engine::io::{Effect, Files};

use super::Moment;

/// One step's work: a scratch copy of the run that the events are tried on.
pub(super) struct Step {
    pub(super) run: Run,
    pub(super) moment: Moment,
    pub(super) events: Vec<EventKind>,
    pub(super) files: Files,
    pub(super) effects: Vec<Effect>,
    pub(super) plan: Arc<Plan>,
}

impl Step {
    /// Plans an event: later decisions of this step see the state it leaves.
    pub(super) fn event(&mut self, kind: EventKind) {
        let event = Event {
            seq: self.run.seq + 1,
            at: self.moment.now,
            op: Op::new([0; 16]),
            by: match &self.run.lease.held {
                Some(grant) => grant.holder.clone(),
                None => HolderId::new([0; 16]),
            },
            token: Some(self.run.lease.token),
            kind,
        };
        // An event that does not fit is left in the list: the ledger's decide
        // refuses it by name, which says more than a panic here.
        if let Ok(run) = fold::apply(Some(self.run.clone()), &self.run.id.clone(), &event) {
            self.run = run;
        }
        self.events.push(event.kind);
    }

    pub(super) fn finish(mut self) -> Vec<Effect> {
        if !self.events.is_empty() {
            self.effects.insert(0, Effect::Write { events: self.events, files: self.files });
        }
        self.effects
    }
}
