//! Events to state. `apply` judges nothing but consistency: whether an event was
//! allowed was `decide`'s question, asked before it was written. An event that
//! does not fit its predecessor is damage or forgery and is named as such.

use super::attempt::{Attempt, Judgement};
use super::event::{Authority, Event, EventKind};
use super::id::{RunId, TaskId};
use super::lease::{Lease, Token};
use super::revision;
use super::run::{Run, RunResult, RunStatus};
use super::task::{Task, TaskEnd, TaskStatus};

/// A chain that does not fold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Corrupt {
    /// The chain does not begin with `run-created`, or has a second one.
    #[error("event {seq}: '{word}' where the chain should begin")]
    Beginning {
        /// The event's number.
        seq: u64,
        /// The event's name.
        word: &'static str,
    },
    /// Numbers that do not follow on each other.
    #[error("event {found} where {expected} was due")]
    Order {
        /// The number that was due.
        expected: u64,
        /// The number that came.
        found: u64,
    },
    /// An owner event that its writer had no right to.
    #[error("event {seq}: '{word}' by a process that does not hold the run")]
    Unowned {
        /// The event's number.
        seq: u64,
        /// The event's name.
        word: &'static str,
    },
    /// A token that does not rise by one.
    #[error("event {seq}: token {found} was granted where {expected} was due")]
    Token {
        /// The event's number.
        seq: u64,
        /// The token that was due.
        expected: Token,
        /// The token that was granted.
        found: Token,
    },
    /// A move that the tables do not have.
    #[error("event {seq}: '{word}' does not fit where {what} stands")]
    Move {
        /// The event's number.
        seq: u64,
        /// The event's name.
        word: &'static str,
        /// The run, or the task's id.
        what: String,
    },
}

/// Folds one event into a run; `None` is a run without events.
///
/// # Errors
/// [`Corrupt`] names the event that does not fit.
pub fn apply(run: Option<Run>, id: &RunId, event: &Event) -> Result<Run, Corrupt> {
    let word = event.kind.word();
    let mut run = match (run, &event.kind) {
        (None, EventKind::RunCreated { .. }) => return created(id, event),
        (None, _) | (Some(_), EventKind::RunCreated { .. }) => {
            return Err(Corrupt::Beginning { seq: event.seq, word });
        }
        (Some(run), _) => run,
    };
    if event.seq != run.seq + 1 {
        return Err(Corrupt::Order { expected: run.seq + 1, found: event.seq });
    }
    let owned = event.token.is_some_and(|token| run.lease.is_held_by(&event.by, token));
    if event.kind.authority() == Authority::Owner && !owned {
        return Err(Corrupt::Unowned { seq: event.seq, word });
    }
    change(&mut run, event)?;
    run.seq = event.seq;
    run.updated = event.at;
    Ok(run)
}

/// Folds a whole chain, oldest event first.
///
/// # Errors
/// [`Corrupt`], also for a chain without events.
pub fn fold<'a>(id: &RunId, events: impl IntoIterator<Item = &'a Event>) -> Result<Run, Corrupt> {
    let mut run = None;
    for event in events {
        run = Some(apply(run, id, event)?);
    }
    run.ok_or(Corrupt::Beginning { seq: 0, word: "nothing" })
}

fn created(id: &RunId, event: &Event) -> Result<Run, Corrupt> {
    let EventKind::RunCreated { goal, base, request } = &event.kind else {
        return Err(Corrupt::Beginning { seq: event.seq, word: event.kind.word() });
    };
    if event.seq != 1 {
        return Err(Corrupt::Order { expected: 1, found: event.seq });
    }
    Ok(Run {
        id: id.clone(),
        goal: goal.clone(),
        base: base.clone(),
        request: request.clone(),
        status: RunStatus::Queued,
        lease: Lease::default(),
        jobs: 0,
        tasks: Vec::new(),
        cancel: None,
        result: None,
        why: None,
        seq: 1,
        created: event.at,
        updated: event.at,
        ended: None,
    })
}

fn change(run: &mut Run, event: &Event) -> Result<(), Corrupt> {
    match &event.kind {
        EventKind::RunCreated { .. } | EventKind::Noted { .. } => Ok(()),
        EventKind::LeaseGranted { token, grant, because } => {
            let expected = run.lease.token.next();
            if *token != expected {
                return Err(Corrupt::Token { seq: event.seq, expected, found: *token });
            }
            if event.by != grant.holder || !run.lease.admits(grant, *because) {
                return Err(misfit(event, "the lease"));
            }
            run.lease = Lease { token: *token, held: Some(grant.clone()) };
            if run.status == RunStatus::Queued {
                run.status = RunStatus::Planning;
            }
            Ok(())
        }
        EventKind::LeaseReleased => {
            run.lease.held = None;
            Ok(())
        }
        // It would stop a run that somebody reopens later.
        EventKind::CancelRequested { .. } if run.status.is_terminal() => {
            Err(misfit(event, "the run"))
        }
        EventKind::CancelRequested { why } => {
            run.cancel.get_or_insert_with(|| why.clone());
            Ok(())
        }
        EventKind::RunPlanned { .. }
        | EventKind::RunEnded { .. }
        | EventKind::RunReopened
        | EventKind::ResultMade { .. } => change_run(run, event),
        EventKind::PlanRevised { task, tasks, why } => {
            let in_time = run.status == RunStatus::Running;
            let revised = revision::tasks(run, task, tasks, why).ok().filter(|_| in_time);
            run.tasks = revised.ok_or_else(|| misfit(event, task.as_str()))?;
            Ok(())
        }
        EventKind::AttemptStarted { task, .. }
        | EventKind::AttemptEnded { task, .. }
        | EventKind::VerdictReached { task, .. }
        | EventKind::RetryPlanned { task, .. }
        | EventKind::TaskEnded { task, .. }
        | EventKind::TaskReopened { task } => {
            let in_time = run.status == RunStatus::Running;
            let found = find(run, task).filter(|_| in_time);
            change_task(found.ok_or_else(|| misfit(event, task.as_str()))?, event)?;
            if matches!(event.kind, EventKind::TaskReopened { .. }) {
                // What was merged is not what will have completed.
                run.result = None;
            }
            Ok(())
        }
    }
}

fn misfit(event: &Event, what: &str) -> Corrupt {
    Corrupt::Move { seq: event.seq, word: event.kind.word(), what: what.to_owned() }
}

fn find<'a>(run: &'a mut Run, id: &TaskId) -> Option<&'a mut Task> {
    run.tasks.iter_mut().find(|task| &task.id == id)
}

fn go(run: &mut Run, event: &Event, status: RunStatus) -> Result<(), Corrupt> {
    if !run.status.may_become(status) {
        return Err(misfit(event, "the run"));
    }
    run.status = status;
    Ok(())
}

fn change_run(run: &mut Run, event: &Event) -> Result<(), Corrupt> {
    match &event.kind {
        EventKind::RunPlanned { outline } => {
            if run.status != RunStatus::Planning {
                return Err(misfit(event, "the run"));
            }
            go(run, event, RunStatus::Running)?;
            run.jobs = outline.jobs;
            run.tasks = outline.tasks.iter().map(|task| task.begin(None)).collect();
            Ok(())
        }
        EventKind::RunEnded { end, why } => {
            go(run, event, end.status())?;
            run.why = Some(why.clone());
            run.ended = Some(event.at);
            run.cancel = None;
            Ok(())
        }
        EventKind::RunReopened => {
            if !run.status.is_terminal() {
                return Err(misfit(event, "the run"));
            }
            go(run, event, run.reopened_status())?;
            run.why = None;
            run.ended = None;
            run.result = None;
            Ok(())
        }
        EventKind::ResultMade { commit, merged, left } => {
            if run.status != RunStatus::Running {
                return Err(misfit(event, "the run"));
            }
            run.result = Some(RunResult {
                commit: commit.clone(),
                merged: merged.clone(),
                left: left.clone(),
            });
            Ok(())
        }
        EventKind::RunCreated { .. }
        | EventKind::LeaseGranted { .. }
        | EventKind::LeaseReleased
        | EventKind::PlanRevised { .. }
        | EventKind::AttemptStarted { .. }
        | EventKind::AttemptEnded { .. }
        | EventKind::VerdictReached { .. }
        | EventKind::RetryPlanned { .. }
        | EventKind::TaskEnded { .. }
        | EventKind::TaskReopened { .. }
        | EventKind::CancelRequested { .. }
        | EventKind::Noted { .. } => Err(misfit(event, "the run")),
    }
}

/// Whether the event speaks of the attempt that is due (the next one, the open
/// one, or the newest one that is not judged) and, where its move is not the
/// only one to its status, starts from the right place.
fn fits(task: &Task, kind: &EventKind) -> bool {
    match kind {
        EventKind::AttemptStarted { attempt, .. } => *attempt == task.next_attempt(),
        EventKind::AttemptEnded { attempt, .. } => {
            task.open().is_some_and(|open| open.number == *attempt)
        }
        EventKind::VerdictReached { attempt, .. } => {
            let last = task.last().filter(|last| last.verdict.is_none());
            task.status == TaskStatus::Verifying && last.is_some_and(|last| last.number == *attempt)
        }
        EventKind::TaskReopened { .. } => task.status.is_terminal(),
        EventKind::RunCreated { .. }
        | EventKind::LeaseGranted { .. }
        | EventKind::LeaseReleased
        | EventKind::RunPlanned { .. }
        | EventKind::PlanRevised { .. }
        | EventKind::RetryPlanned { .. }
        | EventKind::TaskEnded { .. }
        | EventKind::ResultMade { .. }
        | EventKind::RunEnded { .. }
        | EventKind::RunReopened
        | EventKind::CancelRequested { .. }
        | EventKind::Noted { .. } => true,
    }
}

fn change_task(task: &mut Task, event: &Event) -> Result<(), Corrupt> {
    let misfit = misfit(event, task.id.as_str());
    if !fits(task, &event.kind) {
        return Err(misfit);
    }
    let mut go = |status: TaskStatus| {
        if !task.status.may_become(status) {
            return Err(misfit.clone());
        }
        task.status = status;
        task.not_before = None;
        Ok(())
    };
    match &event.kind {
        EventKind::AttemptStarted { .. } => {
            go(TaskStatus::Running)?;
            task.why = None;
            task.attempts.push(started(event).ok_or(misfit)?);
        }
        EventKind::AttemptEnded { ending, work, output, .. } => {
            go(ending.status())?;
            let last = task.attempts.last_mut().ok_or(misfit)?;
            last.ended = Some(event.at);
            last.ending = Some(ending.clone());
            last.work = Some(work.clone());
            last.output = Some(output.clone());
        }
        EventKind::VerdictReached { verdict, .. } => {
            let last = task.attempts.last_mut().ok_or(misfit)?;
            last.verdict = Some(verdict.clone());
        }
        EventKind::RetryPlanned { not_before, why, .. } => {
            go(TaskStatus::Waiting)?;
            task.not_before = Some(*not_before);
            task.why = Some(why.clone());
        }
        EventKind::TaskEnded { end, why, .. } => {
            go(end.status())?;
            task.why = Some(why.clone());
            if *end == TaskEnd::Completed {
                complete(task);
            }
        }
        EventKind::TaskReopened { .. } => {
            go(TaskStatus::Queued)?;
            task.why = None;
            task.forgiven = u32::try_from(task.attempts.len()).unwrap_or(u32::MAX);
        }
        EventKind::RunCreated { .. }
        | EventKind::LeaseGranted { .. }
        | EventKind::LeaseReleased
        | EventKind::RunPlanned { .. }
        | EventKind::PlanRevised { .. }
        | EventKind::ResultMade { .. }
        | EventKind::RunEnded { .. }
        | EventKind::RunReopened
        | EventKind::CancelRequested { .. }
        | EventKind::Noted { .. } => return Err(misfit),
    }
    Ok(())
}

fn complete(task: &mut Task) {
    let Some(last) = task.attempts.last() else { return };
    task.result = last.work.as_ref().and_then(|work| work.commit.clone());
    task.verified = last.verdict.as_ref().is_some_and(|v| v.result == Judgement::Passed);
}

fn started(event: &Event) -> Option<Attempt> {
    let EventKind::AttemptStarted { attempt, agent, base, slot, mark, sandbox, resumes, .. } =
        &event.kind
    else {
        return None;
    };
    Some(Attempt {
        number: *attempt,
        agent: agent.clone(),
        base: base.clone(),
        slot: slot.clone(),
        mark: mark.clone(),
        sandbox: sandbox.clone(),
        resumes: resumes.clone(),
        token: event.token.unwrap_or_default(),
        started: event.at,
        ended: None,
        ending: None,
        work: None,
        output: None,
        verdict: None,
    })
}

#[cfg(test)]
#[path = "fold_tests.rs"]
mod tests;
