//! The journal, and what remains of a run when it is over.
//!
//! Everything here is idempotent: whoever is killed in the middle, the next
//! command that looks at the run finishes it by the same lines.

use std::time::Duration;

use crate::domain::escape::escaped;
use crate::domain::event::EventKind;
use crate::domain::id::{Oid, Op, RunId};
use crate::domain::run::Run;
use crate::domain::words::{SUBJECT_COLUMNS, clip};
use crate::store::journal::{self, Note};
use crate::store::runs::{self, LedgerError};
use crate::store::{NewEntry, Person, RefName, StoreError, Swap, TreeEdit, names};

use crate::world::harvest::release_old_keeps;

use super::place::Place;
use super::worker::{KEEP_MARK, passed};

/// Creates the journal and its alias, if they are not there. `true` when they
/// were made now.
///
/// # Errors
/// Whatever the store says.
pub fn open(place: &Place) -> Result<bool, StoreError> {
    let fresh = place.chains.tip(&RefName::journal())?.is_none();
    journal::ensure(place.chains.as_ref(), &author(place), place.clock.now())?;
    Ok(fresh)
}

fn author(place: &Place) -> Person {
    Person::new("crew", format!("{}@crew.invalid", place.store.holder()))
}

/// Writes one line about a run into the journal, escaped and cut. `op` makes it be written once.
///
/// # Errors
/// Whatever the store says.
pub fn tell(
    place: &Place,
    run: &RunId,
    op: &Op,
    subject: &str,
    keeps: Option<Oid>,
) -> Result<(), StoreError> {
    let subject = clip(&escaped(subject), SUBJECT_COLUMNS - 1);
    let message = format!("{subject}\n\nCrew-Run: {run}\nCrew-Op: {op}\n");
    let note =
        Note { op: op.clone(), message, keeps, author: author(place), at: place.clock.now() };
    journal::record(place.chains.as_ref(), &note).map(drop)
}

/// Settles the books of a run that is over: its results are kept by one ref, it
/// is in the journal, the refs of single attempts go. Does nothing to a run that
/// is not over, and nothing twice.
///
/// # Errors
/// Whatever the store says; what is done stays done.
pub fn close(place: &Place, id: &RunId) -> Result<(), LedgerError> {
    let chains = place.chains.as_ref();
    let loaded = runs::load(chains, id)?;
    let run = &loaded.run;
    if !run.status.is_terminal() || run.lease.held.is_some() {
        return Ok(());
    }
    let work = chains.list(&RefName::work_of(id))?;
    if !work.is_empty() {
        keep(place, run, &work)?;
        passed("books.kept")?;
    }
    let op = end_op(place, run, &loaded.tip)?;
    let why = run.why.clone().unwrap_or_default();
    tell(place, id, &op, &format!("{id}: {}: {why}", run.status.word()), Some(loaded.tip.clone()))?;
    passed("books.told")?;
    for (name, tip) in work {
        // Lost means that somebody else settles the same books.
        let _ = chains.remove(&name, &tip)?;
    }
    Ok(())
}

/// The op of the event that ended the run: the journal's entry carries the same.
fn end_op(place: &Place, run: &Run, tip: &Oid) -> Result<Op, LedgerError> {
    for item in runs::history(place.chains.as_ref(), &run.id, tip.clone()) {
        let (_, event) = item?;
        if matches!(event.kind, EventKind::RunEnded { .. }) {
            return Ok(event.op);
        }
    }
    Err(LedgerError::NoState { run: run.id.clone(), commit: tip.clone() })
}

/// One commit with one parent per attempt's result, so that none is lost when
/// its own ref goes.
fn keep(place: &Place, run: &Run, work: &[(RefName, Oid)]) -> Result<(), StoreError> {
    let chains = place.chains.as_ref();
    let name = RefName::kept(&run.id);
    loop {
        let old = chains.tip(&name)?;
        let held = match &old {
            Some(tip) => chains.entry(tip)?.parents,
            None => Vec::new(),
        };
        let parents: Vec<Oid> =
            work.iter().map(|(_, tip)| tip.clone()).filter(|tip| !held.contains(tip)).collect();
        if parents.is_empty() && old.is_some() {
            return Ok(());
        }
        let mut unique = Vec::new();
        for parent in parents {
            if !unique.contains(&parent) {
                unique.push(parent);
            }
        }
        let entry = NewEntry {
            message: format!("{}: the work of every attempt\n\nCrew-Run: {}\n", run.id, run.id),
            tree: TreeEdit::Keep,
            extra_parents: unique,
            at: place.clock.now(),
            author: author(place),
            committer: None,
        };
        if let Swap::Won(_) = chains.append(&name, old.as_ref(), &[entry])? {
            return Ok(());
        }
    }
}

/// How long a harvested pack is kept from git's housekeeping after it came: its
/// ref has stood for as long by then.
const KEPT: Duration = Duration::from_secs(600);

/// Puts back what a prune took of others' last writes, settles the books of
/// every run whose process died before it could, and releases packs whose refs have stood long enough.
///
/// # Errors
/// Whatever the store says of the refs; a run that can't be read is left alone.
pub fn settle_all(place: &Place) -> Result<(), StoreError> {
    // A prune may have outlived the process whose writes it took.
    place.store.heal()?;
    let objects = place.store.common_dir().join("objects");
    if let Err(error) = release_old_keeps(&objects, KEEP_MARK, KEPT) {
        tracing::warn!(%error, "packs of ours stay kept");
    }
    let mut ids: Vec<RunId> =
        place.chains.list(names::WORK)?.into_iter().filter_map(|(name, _)| name.run_id()).collect();
    ids.dedup();
    for id in ids {
        // An unreadable run is for `doctor` to report, not for this one to stop at.
        let _ = close(place, &id);
    }
    Ok(())
}
