//! From an attempt's slot to one that waits, and from one that waits to the next
//! attempt's.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::clean::{Cleaned, Wanted, clean};
use super::index::{Index, seal};
use super::keep::{self, at};
use super::pool::{Berth, Pooling};
use super::ready::Ready;
use super::remove::Bin;
use super::traits::Traits;
use super::{Slot, SlotError, Slots, layout, private, remove};
use crate::world::process::residents;

fn unfit(slot: &Slot, why: impl Into<String>) -> SlotError {
    SlotError::Unfit { path: slot.dir.clone(), why: why.into() }
}

/// Cleans a slot and lets it wait. On an error it is in no state to be used.
pub(super) fn park(
    slots: &Slots,
    slot: &Slot,
    berth: &Berth,
    pooling: &Pooling,
) -> Result<(), SlotError> {
    let snapshot = slot.snapshot.as_ref().ok_or_else(|| unfit(slot, "made by another process"))?;
    if let Some(resident) = residents(&slot.dir).into_iter().next() {
        return Err(unfit(slot, format!("'{resident}' is still in it")));
    }
    remove::refuse_mounts(&slot.dir)?;
    let parsed = Index::parse(snapshot.index.clone(), slot.home.carried.hash());
    let mut index = parsed.map_err(|error| unfit(slot, error.to_string()))?;
    // From here on the path leads to new folders: whoever knew the old ones by
    // descriptor, by working folder or by a rule of its fence has nothing of these.
    let mut bin = Bin::new(&slots.root)?;
    let old = bin.take(&slot.dir)?.join(slot.tree.file_name().unwrap_or_default());
    for folder in [&slot.dir, &slot.tree] {
        fs::create_dir(folder).map_err(SlotError::io("make", folder))?;
    }
    let folder = Traits::of(&slot.tree).map_err(SlotError::io("read", &slot.tree))?;
    let (written, keep) = (snapshot.written, &pooling.keep);
    let wanted = Wanted { index: &index, written, keep, folder: Some(&folder) };
    let cleaned = clean(&old, &wanted, &mut bin)?;
    let kept: Vec<PathBuf> = cleaned.kept.iter().map(|path| at(&old, path)).collect();
    keep::vet(&kept)?;
    let written = move_up(slot, &old, &mut index, &cleaned)?;
    let ready = Ready {
        base: slot.base.to_string(),
        whole: is_whole(&cleaned),
        written,
        boot: pooling.boot.clone(),
        mode: folder.mode(),
        set_up: slot.set_up.clone().filter(|one| one.made.iter().all(|p| cleaned.kept.contains(p))),
        index: left(&index, &cleaned.present),
    };
    ready.put(&berth.ready())?;
    // The slot is clean without it, and what stays is swept later.
    if let Err(error) = bin.empty() {
        tracing::debug!(%error, "the rest of a slot stays for now");
    }
    Ok(())
}

fn is_whole(cleaned: &Cleaned) -> bool {
    cleaned.present.iter().all(|present| *present)
}

/// The index without what is not there any more.
fn left(index: &Index, present: &[bool]) -> Vec<u8> {
    let mut there = present.iter();
    let gone: BTreeSet<&[u8]> = index
        .entries
        .iter()
        .filter(|_| there.next() != Some(&true))
        .map(|entry| entry.path.as_slice())
        .collect();
    index.cut(|entry| !gone.contains(entry.path.as_slice()), |_| false)
}

/// Moves what is in the top folder to the new one, which changes the times of
/// the files there; the time that all of this is older than.
fn move_up(
    slot: &Slot,
    old: &Path,
    index: &mut Index,
    cleaned: &Cleaned,
) -> Result<(i64, i64), SlotError> {
    for entry in fs::read_dir(old).map_err(SlotError::io("read", old))? {
        let entry = entry.map_err(SlotError::io("read", old))?;
        let to = slot.tree.join(entry.file_name());
        fs::rename(entry.path(), &to).map_err(SlotError::io("move", &to))?;
    }
    let mut newest = (0, 0);
    for (n, present) in cleaned.present.iter().enumerate() {
        let Some(entry) = index.entries.get(n).filter(|_| *present) else { continue };
        if entry.path.contains(&b'/') || entry.is_gitlink() {
            continue;
        }
        let path = at(&slot.tree, &entry.path);
        let meta = path.symlink_metadata().map_err(SlotError::io("read", &path))?;
        newest = newest.max((meta.ctime(), meta.ctime_nsec()));
        index.restat(n, &meta);
    }
    private::later(&slot.dir, newest)
}

/// Makes of a waiting slot one with the files of `slot.base` and a fresh git dir.
/// On an error it is in no state to be used.
pub(super) fn refresh(slots: &Slots, mut slot: Slot, ready: &Ready) -> Result<Slot, SlotError> {
    let Some(pooling) = &slots.pool else { return Err(unfit(&slot, "there is no pool")) };
    remove::refuse_mounts(&slot.dir)?;
    let index = index_of(&slot, ready, pooling)?;
    let names = fs::read_dir(&slot.dir).map_err(SlotError::io("read", &slot.dir))?.count();
    if names != 1 || !slot.tree.symlink_metadata().is_ok_and(|meta| meta.is_dir()) {
        return Err(unfit(&slot, "there is more in it than its files"));
    }
    layout::folders(&slot)?;
    let folder = Traits::of(&slot.tmp).map_err(SlotError::io("read", &slot.tmp))?;
    if folder.mode() != ready.mode {
        return Err(unfit(&slot, "folders are made with other permissions now"));
    }
    let keep = &pooling.keep;
    let wanted = Wanted { index: &index, written: ready.written, keep, folder: Some(&folder) };
    let mut bin = Bin::new(&slots.root)?;
    let mut cleaned = clean(&slot.tree, &wanted, &mut bin)?;
    let refs = private::prepare(&slots.home, &slot)?;
    keep::untracked_only(&slot, &mut cleaned.kept, &mut bin)?;
    let mut bytes = left(&index, &cleaned.present);
    seal(&mut bytes, slot.home.carried.hash());
    let path = slot.git_dir.join("index");
    fs::write(&path, bytes).map_err(SlotError::io("write", &path))?;
    let same_boot = ready.boot == pooling.boot;
    if same_boot && ready.whole && is_whole(&cleaned) && ready.base == slot.base.as_str() {
        slot.snapshot = Some(Arc::new(private::snapshot(&path, refs)?));
    } else {
        private::check_out(&slots.home, &mut slot, refs)?;
    }
    keep::ignored_only(&slot, &mut cleaned.kept, &mut bin)?;
    let set_up = ready.set_up.clone();
    slot.kept = cleaned.kept.clone();
    slot.set_up = set_up.filter(|one| one.made.iter().all(|path| cleaned.kept.contains(path)));
    bin.empty()?;
    Ok(slot)
}

/// The index of a waiting slot. One that was written before the machine was last
/// started says nothing about what reached the disk: then no file is known.
fn index_of(slot: &Slot, ready: &Ready, pooling: &Pooling) -> Result<Index, SlotError> {
    let parse = |bytes| {
        let parsed = Index::parse(bytes, slot.home.carried.hash());
        parsed.map_err(|error| unfit(slot, error.to_string()))
    };
    let index = parse(ready.index.clone())?;
    if ready.boot == pooling.boot {
        return Ok(index);
    }
    parse(index.cut(|_| false, |_| false))
}
