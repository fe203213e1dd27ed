//! What a process that died has left, and how the next one takes it up: its
//! processes are ended, its work is harvested, its attempts are closed as
//! interrupted. Nothing is moved back and nothing finished is run again.

use crate::domain::account::Account;
use crate::domain::attempt::{Ending, Output, Work};
use crate::domain::event::{Event, EventKind};
use crate::domain::id::{Oid, TaskId};
use crate::domain::run::Run;
use crate::store::ledger::{Files, Ledger};
use crate::store::runs::LedgerError;
use crate::store::{RefName, StoreError};
use crate::world::harvest::harvest;
use crate::world::live;
use crate::world::process::sweep_marked;
use crate::world::slots::SlotError;

use super::shop::Shop;
use super::worker::{adopt, healed, keep_session, passed, pin_strays, point};

/// An attempt that nobody looks after any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orphan {
    /// Whose.
    pub task: TaskId,
    /// Which.
    pub attempt: u32,
    /// The program that was at work.
    pub agent: String,
    /// The commit it started from.
    pub base: Oid,
    /// Its working tree.
    pub slot: String,
    /// The mark of its processes.
    pub mark: String,
}

/// The attempts that were open when their process died.
#[must_use]
pub fn orphans(run: &Run) -> Vec<Orphan> {
    run.tasks
        .iter()
        .filter_map(|task| {
            let open = task.open()?;
            Some(Orphan {
                task: task.id.clone(),
                attempt: open.number,
                agent: open.agent.clone(),
                base: open.base.clone(),
                slot: open.slot.clone(),
                mark: open.mark.clone(),
            })
        })
        .collect()
}

/// Ends, harvests and closes every orphan; `told` gets each event that says so.
///
/// # Errors
/// When the chain can't be written. What can't be harvested stays in its slot
/// and is named in the event.
pub fn recover(
    shop: &Shop,
    ledger: &mut Ledger,
    told: &mut dyn FnMut(&Event),
) -> Result<usize, LedgerError> {
    let orphans = ledger.run().map(orphans).unwrap_or_default();
    for orphan in &orphans {
        let killed = sweep_marked(&orphan.mark).map(|swept| swept.killed).unwrap_or_default();
        let work = salvage(shop, orphan).map_err(LedgerError::Store)?;
        passed("recovery.salvaged").map_err(LedgerError::Store)?;
        let leaked = killed.into_iter().take(20).collect();
        let output = Output { leaked, account: last_told(shop, orphan), ..Output::default() };
        let ended = EventKind::AttemptEnded {
            task: orphan.task.clone(),
            attempt: orphan.attempt,
            ending: Ending::Interrupted,
            work,
            output,
        };
        ledger.write(vec![ended], Files::new())?;
        ledger.written().iter().for_each(&mut *told);
    }
    Ok(orphans.len())
}

/// What an orphan's agent had told of itself: nobody read the end of its stream.
fn last_told(shop: &Shop, orphan: &Orphan) -> Account {
    let path = live::path(&shop.live, &orphan.task, orphan.attempt);
    let account = live::read(&path).map(|(activity, _)| activity.account).unwrap_or_default();
    // It would be taken for one that still runs.
    let _ = std::fs::remove_file(path);
    keep_session(shop, &orphan.task, &orphan.agent, &account);
    account
}

/// What is left of an orphan's work: its slot's content, or what the dead
/// process had already pinned.
fn salvage(shop: &Shop, orphan: &Orphan) -> Result<Work, StoreError> {
    let name = RefName::work(shop.id(), &orphan.task, orphan.attempt);
    let pinned = shop.chains.tip(&name)?;
    let stays = |why: String| Work {
        commit: pinned.clone(),
        left_out: vec![(orphan.slot.clone(), why)],
        ..Work::default()
    };
    let slot = match shop.slots.reopen(&orphan.slot, &orphan.base) {
        Ok(slot) => slot,
        Err(SlotError::Gone(_)) => {
            // What stays is found by doctor; the work is what counts.
            let _ = shop.slots.forget(&orphan.slot);
            return pinned_work(shop, orphan, pinned);
        }
        Err(error) => return Ok(stays(error.to_string())),
    };
    let meta = super::worker::meta(shop, &orphan.task, orphan.attempt, &orphan.agent);
    let harvested = match healed(shop, || harvest(&slot, &meta)) {
        Ok(harvested) => harvested,
        // The slot was being made or removed: what is pinned is all there is.
        Err(error) => return Ok(stays(error.to_string())),
    };
    point(shop, &name, &harvested.commit)?;
    pin_strays(shop, &harvested)?;
    let mut work = adopt(&harvested);
    if let Err(error) = shop.slots.remove(&slot) {
        work.left_out.push((slot.dir.display().to_string(), error.to_string()));
    }
    Ok(work)
}

/// The work of a slot that is gone: the ref was moved before it was removed.
fn pinned_work(shop: &Shop, orphan: &Orphan, pinned: Option<Oid>) -> Result<Work, StoreError> {
    let Some(commit) = pinned else { return Ok(Work::default()) };
    let tree = shop.store.tree_of(&commit)?;
    let changes = shop.store.changes(&shop.store.tree_of(&orphan.base)?, &tree)?;
    let changed = changes.iter().take(Work::LISTED / 4).map(|change| {
        crate::domain::attempt::Change { status: change.kind.letter(), path: change.path.clone() }
    });
    Ok(Work {
        changed: changed.collect(),
        changed_total: changes.len() as u64,
        commit: Some(commit),
        tree: Some(tree),
        ..Work::default()
    })
}
