//! Making a repository ready for runs, and taking that back.

use std::path::PathBuf;

use crate::domain::id::{HolderId, Oid, RunId};
use crate::store::holder::Liveness;
use crate::store::undo::Forgotten;
use crate::store::{RefName, StoreError};

use super::books;
use super::place::Place;

/// A repository that is ready for runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Initialised {
    /// It was made ready now; `false` when it was before.
    pub fresh: bool,
}

/// Creates the journal, its alias and `.git/crew/`, and writes down what was
/// there before, so that it can be taken back. Doing it twice changes nothing.
///
/// # Errors
/// Whatever the store says; the next call goes on from there.
pub fn init(place: &Place) -> Result<Initialised, StoreError> {
    let journal = RefName::journal();
    if place.chains.tip(&journal)?.is_none() {
        place.store.remember_before()?;
    }
    let fresh = books::open(place)?;
    if fresh && let Some(tip) = place.chains.tip(&journal)? {
        place.store.remember_made(&tip)?;
    }
    Ok(Initialised { fresh })
}

/// Why an init can't be taken back.
#[derive(Debug, thiserror::Error)]
pub enum UndoError {
    /// The store said no.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A process is at work here.
    #[error("process '{0}' is at work in this repository")]
    Held(HolderId),
    /// A process that may be at work: the file system does not tell.
    #[error("can't tell whether process '{0}' is still at work: this file system does not say")]
    Unknowable(HolderId),
    /// There is more than an init.
    #[error("{}", told(.runs))]
    Runs {
        /// The runs that are there; none when only the journal tells of some.
        runs: Vec<RunId>,
    },
    /// Somebody else wrote in the same moment.
    #[error("somebody else is writing to refs/crew")]
    Busy,
}

fn told(runs: &[RunId]) -> String {
    let names: Vec<&str> = runs.iter().take(5).map(RunId::as_str).collect();
    let more = if runs.len() > names.len() { " and others" } else { "" };
    match names.as_slice() {
        [] => "the journal tells of runs".to_owned(),
        names => format!("there are runs: {}{more}", names.join(", ")),
    }
}

/// What taking back an init has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Undone {
    /// There was something to take back.
    pub was: bool,
    /// The runs whose refs are gone. Their objects stay until git's own
    /// housekeeping.
    pub runs: Vec<RunId>,
    /// What stays because it is not ours to delete.
    pub kept: Vec<PathBuf>,
}

/// Leaves what was there before [`init`], byte for byte where nothing but an
/// init was done. With `force` the refs of runs go, too, each from the value
/// seen here.
///
/// # Errors
/// [`UndoError::Runs`] without `force`; [`UndoError::Held`] always while a process
/// is at work. Nothing was changed then.
pub fn undo(place: &Place, force: bool) -> Result<Undone, UndoError> {
    let refs = place.store.ours()?;
    if refs.is_empty() && !place.store.is_initialised() {
        return Ok(Undone::default());
    }
    let mut runs: Vec<RunId> = refs.iter().filter_map(|(name, _)| name.run_id()).collect();
    runs.sort();
    runs.dedup();
    if !force && (!runs.is_empty() || tells_of_runs(place, &refs)?) {
        return Err(UndoError::Runs { runs });
    }
    match place.store.forget(&refs)? {
        Forgotten::Done(kept) => Ok(Undone { was: true, runs, kept }),
        Forgotten::Held(id, Liveness::Alive | Liveness::Dead) => Err(UndoError::Held(id)),
        Forgotten::Held(id, Liveness::Unknowable) => Err(UndoError::Unknowable(id)),
        Forgotten::Moved => Err(UndoError::Busy),
    }
}

/// Whether anything but a fresh journal is there.
fn tells_of_runs(place: &Place, refs: &[(RefName, Oid)]) -> Result<bool, StoreError> {
    for (name, tip) in refs {
        if *name != RefName::journal() || !place.chains.entry(tip)?.parents.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}
