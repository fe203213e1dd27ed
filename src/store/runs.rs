//! Runs as they are read: the newest state from the tip's `run.json`, the story
//! from the chain, a listing from the tips alone.
//!
//! It promises that reading never walks a whole chain unless the whole story was
//! asked for, and that a hole or a damaged event leaves the intact part readable
//! and is named.

use crate::domain::decide::Refusal;
use crate::domain::event::Event;
use crate::domain::fold::Corrupt;
use crate::domain::id::{Oid, RunId};
use crate::domain::run::{Run, RunStatus};
use crate::domain::time::Timestamp;

use super::chain::Chains;
use super::codec::{self, CodecError};
use super::error::StoreError;
use super::names::{self, RefName};
use super::parallel;

/// The file of an event's tree that holds the run's state.
pub const STATE: &str = "run.json";

/// Why a run can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// There is no such run.
    #[error("no run '{0}'")]
    NoRun(RunId),
    /// The domain says no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The store could not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The run is stored in a form that can't be read or must not be written on.
    #[error("run '{run}': {source}")]
    Format {
        /// The run.
        run: RunId,
        /// What is wrong.
        source: CodecError,
    },
    /// An event can't be read.
    #[error("run '{run}', event {commit}: {source}")]
    Event {
        /// The run.
        run: RunId,
        /// The event's commit.
        commit: Oid,
        /// What is wrong.
        source: CodecError,
    },
    /// The events do not fit each other.
    #[error("run '{run}': {source}")]
    Corrupt {
        /// The run.
        run: RunId,
        /// What is wrong.
        source: Corrupt,
    },
    /// The state that belongs to the tip is missing.
    #[error("run '{run}': event {commit} has no readable {STATE}")]
    NoState {
        /// The run.
        run: RunId,
        /// The event's commit.
        commit: Oid,
    },
    /// Somebody writes under this process's token.
    #[error("run '{run}': event {commit} carries this process's token and is not its own")]
    Compromised {
        /// The run.
        run: RunId,
        /// The foreign event.
        commit: Oid,
    },
    /// Others were faster every time.
    #[error("run '{0}': others were faster every time")]
    Busy(RunId),
}

/// The newest state of a run and the event that it belongs to.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The tip of the chain.
    pub tip: Oid,
    /// The state after it.
    pub run: Run,
}

/// Reads the newest state of a run.
///
/// # Errors
/// [`LedgerError::NoRun`], or what makes the tip unreadable.
pub fn load(chains: &dyn Chains, id: &RunId) -> Result<Loaded, LedgerError> {
    let tip = chains.tip(&RefName::run(id))?.ok_or_else(|| LedgerError::NoRun(id.clone()))?;
    let (run, _) = state_at(chains, id, &tip)?;
    Ok(Loaded { tip, run })
}

/// As [`load`] for each of these runs.
#[must_use]
pub fn load_all(chains: &dyn Chains, ids: &[RunId]) -> Vec<Result<Loaded, LedgerError>> {
    parallel::map(ids, |id| load(chains, id))
}

pub(super) fn state_at(
    chains: &dyn Chains,
    id: &RunId,
    commit: &Oid,
) -> Result<(Run, codec::Format), LedgerError> {
    let bytes = chains
        .file(commit, STATE)?
        .ok_or_else(|| LedgerError::NoState { run: id.clone(), commit: commit.clone() })?;
    let bad = |source| LedgerError::Format { run: id.clone(), source };
    let (run, format) = codec::decode_run(&bytes).map_err(bad)?;
    if &run.id != id {
        return Err(bad(CodecError::Malformed(format!("it is the state of run '{}'", run.id))));
    }
    Ok((run, format))
}

/// The events from the tip backwards, until `until` says stop or the chain
/// begins. An unreadable event ends the list as its last, failed item: the
/// intact part stays readable.
pub fn history<'a>(
    chains: &'a dyn Chains,
    id: &'a RunId,
    tip: Oid,
) -> impl Iterator<Item = Result<(Oid, Event), LedgerError>> + 'a {
    let mut next = Some(tip);
    std::iter::from_fn(move || {
        let commit = next.take()?;
        let read = read_event(chains, id, &commit);
        Some(read.map(|(event, parent)| {
            next = parent;
            (commit, event)
        }))
    })
}

fn read_event(
    chains: &dyn Chains,
    id: &RunId,
    commit: &Oid,
) -> Result<(Event, Option<Oid>), LedgerError> {
    let entry = chains.entry(commit)?;
    let bad = |source| LedgerError::Event { run: id.clone(), commit: commit.clone(), source };
    let (run, event, _) = codec::decode(&entry.message).map_err(bad)?;
    if &run != id {
        return Err(bad(CodecError::Malformed(format!("it belongs to run '{run}'"))));
    }
    Ok((event, entry.parents.into_iter().next()))
}

/// One row of a listing: what the tip's message says, without its tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The run.
    pub id: RunId,
    /// The tip of its chain.
    pub tip: Oid,
    /// Its status after the tip, or why that can't be read.
    pub status: Result<RunStatus, String>,
    /// When the tip was written, in whole seconds.
    pub updated: Timestamp,
}

/// Every run, newest tip first. A run that can't be read is listed as such.
///
/// # Errors
/// When the refs themselves can't be listed.
pub fn list(chains: &dyn Chains) -> Result<Vec<Row>, StoreError> {
    let tips = chains.list(names::RUNS)?;
    let tips: Vec<(RunId, Oid)> =
        tips.into_iter().filter_map(|(name, tip)| Some((name.run_id()?, tip))).collect();
    let mut rows = parallel::map(&tips, |(id, tip)| row(chains, id.clone(), tip.clone()));
    rows.sort_by(|a, b| b.updated.cmp(&a.updated).then_with(|| b.id.cmp(&a.id)));
    Ok(rows)
}

fn row(chains: &dyn Chains, id: RunId, tip: Oid) -> Row {
    match chains.entry(&tip) {
        Ok(entry) => Row {
            id,
            tip,
            status: codec::status_of(&entry.message).map_err(|error| error.to_string()),
            updated: entry.at,
        },
        Err(error) => {
            Row { id, tip, status: Err(error.to_string()), updated: Timestamp::default() }
        }
    }
}
