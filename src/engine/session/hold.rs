//! Getting hold of a run: by beginning it, by taking up one that was left, by
//! reopening one that is over. Whoever has a [`Held`] may write the run.

use std::time::Duration;

use crate::domain::decide::Refusal;
use crate::domain::event::EventKind;
use crate::domain::id::{RunId, TaskId};
use crate::domain::lease::Facts;
use crate::domain::plan::Plan;
use crate::domain::run::{Outline, Run, RunStatus};
use crate::domain::task::TaskStatus;
use crate::engine::io::PLAN;
use crate::engine::place::{Place, PlaceError};
use crate::engine::{books, undo};
use crate::store::RefName;
use crate::store::ledger::{Files, Ledger};
use crate::store::runs::{self, LedgerError};

use super::{Prepared, SessionError};

/// A run that this process holds.
pub struct Held {
    /// Its chain.
    pub ledger: Ledger,
    /// Its plan.
    pub plan: Plan,
    pub(super) jobs: Option<u32>,
    pub(super) max_time: Option<Duration>,
    /// The sign of life of this process; dropped last.
    pub(super) life: crate::store::holder::Holder,
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Held").field("ledger", &self.ledger).finish_non_exhaustive()
    }
}

impl Held {
    /// The same run, with these limits instead of its own where they are given.
    #[must_use]
    pub fn limited(mut self, jobs: Option<u32>, max_time: Option<Duration>) -> Self {
        self.jobs = jobs;
        self.max_time = max_time.or(self.max_time);
        self
    }
}

/// Whether nothing of git-crew is in the repository yet.
///
/// # Errors
/// The journal's ref can't be read.
pub fn is_fresh(place: &Place) -> Result<bool, SessionError> {
    Ok(place.chains.tip(&RefName::journal())?.is_none())
}

/// Writes a run's first events: it is asked for, this process holds it, its plan
/// is fixed. When this returns, the run exists and survives a power cut.
///
/// # Errors
/// Nothing was written then.
pub fn begin(place: &Place, prepared: &Prepared) -> Result<Held, SessionError> {
    std::thread::scope(|scope| {
        // The events wait for the disk; git can say meanwhile what the slots
        // need. If it can't, it is asked again, and the fault told, then.
        scope.spawn(|| drop(place.ground()));
        begin_now(place, prepared)
    })
}

fn begin_now(place: &Place, prepared: &Prepared) -> Result<Held, SessionError> {
    undo::init(place)?;
    place.store.make_reserve()?;
    books::settle_all(place)?;
    let id = RunId::new(place.random.u32(), &prepared.plan.goal);
    let life = place.hold()?;
    let mut ledger = place.ledger(&id);
    let created = EventKind::RunCreated {
        goal: prepared.plan.goal.clone(),
        base: prepared.base.clone(),
        request: prepared.request.clone(),
    };
    let outline = Outline {
        jobs: prepared.plan.max_concurrency,
        tasks: prepared.plan.tasks.iter().map(Into::into).collect(),
    };
    let plan = prepared
        .plan
        .stored()
        .map_err(|error| SessionError::NoPlan { run: id.clone(), why: error.to_string() })?;
    let files = Files::from([(PLAN.to_owned(), Some(plan))]);
    let facts = place.facts_for_new()?;
    ledger.begin(created, &facts, EventKind::RunPlanned { outline }, files)?;
    let first = ledger.written().first().map(|event| event.op.clone());
    if let (Some(op), Some(tip)) = (first, ledger.tip().cloned()) {
        let goal = prepared.plan.goal.lines().next().unwrap_or_default();
        books::tell(place, &id, &op, &format!("{id}: begun: {goal}"), Some(tip))?;
    }
    Ok(Held { ledger, plan: prepared.plan.clone(), jobs: None, max_time: prepared.max_time, life })
}

/// Takes up a run that was left: by its process's death, by an interrupt, or,
/// with `force`, by a person's word.
///
/// # Errors
/// The holder is, or may be, alive; or there is nothing to go on with.
pub fn take_up(place: &Place, id: &RunId, force: bool) -> Result<Held, SessionError> {
    place.incoming.depth().map_err(PlaceError::from)?;
    undo::init(place)?;
    let run = runs::load(place.chains.as_ref(), id)?.run;
    if run.status.is_terminal() {
        books::close(place, id)?;
        return Err(SessionError::Nothing {
            run: id.clone(),
            status: run.status,
            what: "there is nothing to resume".to_owned(),
        });
    }
    claim(place, id, &|now| {
        if now.status.is_terminal() {
            return Err(Refusal::RunOver { status: now.status });
        }
        // A person's word is about the holder that was there when it was given.
        Ok(force && now.lease.token == run.lease.token)
    })
}

/// Takes the lease. `may` looks at the newest state: whether it is still to be
/// taken, and whether by force.
fn claim(
    place: &Place,
    id: &RunId,
    may: &dyn Fn(&Run) -> Result<bool, Refusal>,
) -> Result<Held, SessionError> {
    // What a prune took of its holder's last writes; git works here next, and
    // git does not know of the copies.
    place.store.heal()?;
    // Without it the run can still be cancelled, or go on as far as it gets.
    if let Err(error) = place.store.make_reserve() {
        tracing::warn!(%error, "no room can be kept in reserve");
    }
    let life = place.hold()?;
    let mut ledger = place.ledger(id);
    let me = place.facts_for_new()?;
    let mut taken = false;
    ledger.claim(&mut |run| {
        taken = run.lease.held.is_some();
        Ok(Facts { life: place.life(run), force: may(run)?, ..me.clone() })
    })?;
    let op = ledger.written().first().map(|event| event.op.clone());
    if let (true, Some(op)) = (taken, op) {
        books::tell(place, id, &op, &format!("{id}: taken over"), ledger.tip().cloned())?;
    }
    let plan = plan_of(place, id, &ledger)?;
    let request = ledger.run().map(|run| &run.request);
    let limit = request.and_then(|request| request.max_time_ms).map(Duration::from_millis);
    Ok(Held { ledger, plan, jobs: None, max_time: limit, life })
}

fn plan_of(place: &Place, id: &RunId, ledger: &Ledger) -> Result<Plan, SessionError> {
    let bad = |why: String| SessionError::NoPlan { run: id.clone(), why };
    let tip = ledger.tip().ok_or_else(|| bad("it has no events".to_owned()))?;
    let bytes =
        place.chains.file(tip, PLAN)?.ok_or_else(|| bad("plan.json is not there".to_owned()))?;
    serde_json::from_slice(&bytes).map_err(|error| bad(error.to_string()))
}

/// Reopens an ended run: these tasks, or every one that did not complete, are
/// tried again.
///
/// # Errors
/// The run completed, is held, or has no such task.
pub fn reopen(place: &Place, id: &RunId, tasks: &[TaskId]) -> Result<Held, SessionError> {
    undo::init(place)?;
    let run = runs::load(place.chains.as_ref(), id)?.run;
    let nothing = |what: &str| SessionError::Nothing {
        run: id.clone(),
        status: run.status,
        what: what.to_owned(),
    };
    match run.status {
        RunStatus::Completed => return Err(nothing("there is nothing to try again")),
        RunStatus::Queued | RunStatus::Planning | RunStatus::Running => {
            return Err(nothing("it is not over"));
        }
        RunStatus::Blocked | RunStatus::Failed | RunStatus::Cancelled => {}
    }
    let chosen = to_reopen(&run, tasks)?;
    let status = run.status;
    let mut held = claim(place, id, &|now| {
        if now.status == status {
            Ok(false)
        } else {
            Err(Refusal::RunMove { from: now.status, to: RunStatus::Running })
        }
    })?;
    let mut events = vec![EventKind::RunReopened];
    events.extend(chosen.into_iter().map(|task| EventKind::TaskReopened { task }));
    held.ledger.write(events, Files::new())?;
    Ok(held)
}

/// The named tasks, what was skipped because of them, and what they need; with
/// no names, everything that did not complete.
fn to_reopen(run: &Run, named: &[TaskId]) -> Result<Vec<TaskId>, SessionError> {
    for id in named {
        let task =
            run.task(id).ok_or_else(|| Refusal::NoTask(id.clone())).map_err(LedgerError::from)?;
        if task.status == TaskStatus::Completed {
            return Err(SessionError::Nothing {
                run: run.id.clone(),
                status: run.status,
                what: format!("task '{id}' is completed"),
            });
        }
    }
    let open = run.tasks.iter().filter(|task| task.status != TaskStatus::Completed);
    let wanted = |id: &TaskId, status: TaskStatus| {
        named.is_empty() || named.contains(id) || status == TaskStatus::Skipped
    };
    Ok(open.filter(|task| wanted(&task.id, task.status)).map(|task| task.id.clone()).collect())
}
