//! What becomes of an attempt's slot when the attempt is over.

use crate::world::process::Report;
use crate::world::slots::Slot;

use super::{Shop, line};

/// Gives back a slot whose work is pinned; with processes in it that can't be
/// killed it is removed instead. The fault, if it could not be done.
pub(super) fn give_back(shop: &Shop, slot: Slot, report: &Report) -> Option<(String, String)> {
    let name = slot.dir.display().to_string();
    let haunted = report.leaked.iter().any(|left| left.starts_with("unkillable"));
    let done = match haunted {
        true => shop.slots.remove(&slot),
        false => shop.slots.give_back(slot).map(|_| ()),
    };
    done.err().map(|error| (name, line(&error)))
}
