//! What git-crew has on the disk that nobody needs any more.
//!
//! Promise: nothing goes whose work no ref pins. What can't be shown to be kept
//! elsewhere is named, with the reason, and stays.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::domain::attempt::Attempt;
use crate::domain::id::Oid;
use crate::domain::lease::Life;
use crate::domain::run::Run;
use crate::store::{RefName, runs};
use crate::world::files;
use crate::world::slots::{self, Shelved, SlotError, Slots};

use super::place::{Place, PlaceError};

/// What something on the disk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A slot that waits for a task.
    Pool,
    /// The slot of an attempt that is over.
    Slot,
    /// A checkout in which results were checked.
    Check,
    /// A checkout for a person.
    Look,
    /// What an agent printed in a run that is over.
    Live,
    /// Damaged objects and locks that were moved away.
    Quarantine,
    /// The rest of an interrupted removal.
    Trash,
}

impl Kind {
    /// The word that is printed.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Pool => "pool",
            Self::Slot => "slot",
            Self::Check => "check",
            Self::Look => "checkout",
            Self::Live => "live",
            Self::Quarantine => "quarantine",
            Self::Trash => "trash",
        }
    }
}

/// One thing on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// What it is.
    pub kind: Kind,
    /// Where it is.
    pub path: PathBuf,
    /// How much it takes.
    pub bytes: u64,
    /// Why it stays; `None`: it may go, or is gone.
    pub stays: Option<String>,
}

/// What is to be done.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    /// Only look.
    pub dry: bool,
    /// Quarantine and output of unknown runs go only when they are older.
    pub older: Duration,
}

/// Looks at everything and, unless only asked to look, removes what may go.
///
/// # Errors
/// The runs or a folder can't be read. A thing that can't be removed stays and
/// says why.
pub fn prune(place: &Place, wish: Wish) -> Result<Vec<Item>, PlaceError> {
    let all = Runs::read(place)?;
    let mut items = Vec::new();
    if place.slots_root()?.is_dir() {
        let of = |key: &str| all.slot_stays(place, key);
        shelf(&place.slots()?, Kind::Slot, wish, &of, &mut items)?;
    }
    for (slots, kind) in [(place.checkouts()?, Kind::Check), (place.looks()?, Kind::Look)] {
        let of = |key: &str| match kind {
            Kind::Check => all.check_stays(place, key),
            _ => None,
        };
        shelf(&slots, kind, wish, &of, &mut items)?;
    }
    let crew = place.store.common_dir().join("crew");
    for path in below(&crew.join("live")) {
        let stays = all.live_stays(&path, wish.older);
        items.push(plain(Kind::Live, path, stays, wish));
    }
    for path in below(&crew.join("quarantine")) {
        let stays = (!is_older(&path, wish.older)).then(|| "not old enough".to_owned());
        items.push(plain(Kind::Quarantine, path, stays, wish));
    }
    Ok(items)
}

/// The runs of the repository.
struct Runs(Vec<Run>);

impl Runs {
    fn read(place: &Place) -> Result<Self, PlaceError> {
        let chains = place.chains.as_ref();
        let rows = runs::list(chains)?;
        // What belongs to a run that can't be read belongs to none that is known.
        Ok(Self(
            rows.iter().filter_map(|row| Some(runs::load(chains, &row.id).ok()?.run)).collect(),
        ))
    }

    fn attempt(&self, key: &str) -> Option<(&Run, &crate::domain::task::Task, &Attempt)> {
        self.0.iter().find_map(|run| {
            run.tasks.iter().find_map(|task| {
                let attempt = task.attempts.iter().find(|attempt| attempt.slot == key)?;
                Some((run, task, attempt))
            })
        })
    }

    /// Why the slot of an attempt stays.
    fn slot_stays(&self, place: &Place, key: &str) -> Option<String> {
        let Some((run, task, attempt)) = self.attempt(key) else {
            return Some("no run of this repository knows it".to_owned());
        };
        if attempt.is_open() {
            return Some(match place.life(run) {
                Life::Alive => format!("run {} is at work in it", run.id),
                _ => format!("its work is not kept yet: git crew resume {}", run.id),
            });
        }
        let work = attempt.work.clone().unwrap_or_default();
        let unharvested = work.left_out.iter().any(|(path, _)| path == key);
        let name = RefName::work(&run.id, &task.id, attempt.number);
        let pinned =
            work.commit.as_ref().is_some_and(|commit| is_pinned(place, run, &name, commit));
        (unharvested || !pinned)
            .then(|| "what is in it is in no commit that a ref keeps".to_owned())
    }

    /// Why a checkout for checks stays: its run may be using it.
    fn check_stays(&self, place: &Place, key: &str) -> Option<String> {
        let known = key.rsplit_once("-check-").and_then(|(slot, _)| self.attempt(slot));
        let Some((run, ..)) = known else {
            return Some("no run of this repository knows it".to_owned());
        };
        let used = run.lease.held.is_some() && place.life(run) != Life::Dead;
        used.then(|| format!("run {} may be at work in it", run.id))
    }

    fn live_stays(&self, path: &Path, older: Duration) -> Option<String> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        match self.0.iter().find(|run| run.id.as_str() == name) {
            Some(run) if run.status.is_terminal() => None,
            Some(run) => Some(format!("run {} is not over", run.id)),
            None if is_older(path, older) => None,
            None => Some("no run of this repository knows it, and it is not old".to_owned()),
        }
    }
}

/// Whether a ref holds this commit: the attempt's own, or the one that keeps the
/// work of the run.
fn is_pinned(place: &Place, run: &Run, name: &RefName, commit: &Oid) -> bool {
    let chains = place.chains.as_ref();
    if chains.tip(name).is_ok_and(|tip| tip.as_ref() == Some(commit)) {
        return true;
    }
    let mut next = chains.tip(&RefName::kept(&run.id)).ok().flatten();
    while let Some(tip) = next {
        let Ok(entry) = chains.entry(&tip) else { return false };
        if entry.parents.contains(commit) {
            return true;
        }
        // The first parent of an entry is the one before it, if there is one.
        next = entry.parents.first().filter(|parent| is_entry(place, run, parent)).cloned();
    }
    false
}

fn is_entry(place: &Place, run: &Run, commit: &Oid) -> bool {
    let mark = format!("Crew-Run: {}", run.id);
    let entry = place.chains.entry(commit);
    entry.is_ok_and(|entry| {
        entry.message.contains(&mark) && !entry.message.contains("Crew-Attempt: ")
    })
}

/// What lies under a root of slots.
fn shelf(
    slots: &Slots,
    kind: Kind,
    wish: Wish,
    stays: &dyn Fn(&str) -> Option<String>,
    items: &mut Vec<Item>,
) -> Result<(), SlotError> {
    for (what, path) in slots.shelf()? {
        let bytes = slots::bytes(&path);
        let mut item = Item { kind, path, bytes, stays: None };
        let done = match &what {
            Shelved::Trash => {
                item.kind = Kind::Trash;
                if wish.dry { Ok(()) } else { slots.sweep().map(|_| ()) }
            }
            Shelved::Waiting { name } => {
                item.kind = Kind::Pool;
                evict(slots, name, wish, &mut item)
            }
            Shelved::Keyed { key } => {
                item.stays = stays(key);
                keyed(slots, key, wish, &mut item)
            }
        };
        if let Err(error) = done {
            item.stays = Some(error.to_string());
        }
        items.push(item);
    }
    Ok(())
}

fn evict(slots: &Slots, name: &str, wish: Wish, item: &mut Item) -> Result<(), SlotError> {
    let gone = if wish.dry { slots.is_free(name) } else { slots.evict(name)? };
    if !gone {
        item.stays = Some("a process is making or cleaning it".to_owned());
    }
    Ok(())
}

fn keyed(slots: &Slots, key: &str, wish: Wish, item: &mut Item) -> Result<(), SlotError> {
    if item.stays.is_some() {
        return Ok(());
    }
    let slot = slots.reopen_any(key)?;
    // Its name ends with the commit that it was made from.
    let made_from = key.rsplit('-').next().unwrap_or_default();
    let moved = !slot.base.as_str().starts_with(made_from);
    if item.kind == Kind::Look && (moved || !slots.is_pristine(&slot)?) {
        item.stays = Some("it was changed since it was made".to_owned());
        return Ok(());
    }
    if wish.dry { Ok(()) } else { slots.remove(&slot) }
}

fn plain(kind: Kind, path: PathBuf, stays: Option<String>, wish: Wish) -> Item {
    let bytes = slots::bytes(&path);
    let mut item = Item { kind, path, bytes, stays };
    if item.stays.is_none() && !wish.dry {
        let removed = if item.path.is_dir() {
            fs::remove_dir_all(&item.path)
        } else {
            fs::remove_file(&item.path)
        };
        item.stays = removed.err().map(|error| error.to_string());
    }
    item
}

fn below(folder: &Path) -> Vec<PathBuf> {
    files::names(folder).into_iter().map(|name| folder.join(name)).collect()
}

fn is_older(path: &Path, than: Duration) -> bool {
    let modified = path.symlink_metadata().and_then(|meta| meta.modified());
    modified.is_ok_and(|at| at.elapsed().is_ok_and(|passed| passed >= than))
}
