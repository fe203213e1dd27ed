//! Whether a disk has room.

use std::path::Path;

use nix::sys::statvfs::statvfs;

use super::SlotError;

/// The bytes that this process may still write where `path` is; what can't be
/// told is not refused.
#[must_use]
pub fn free(path: &Path) -> u64 {
    let there = path.ancestors().find(|path| path.exists()).unwrap_or(path);
    statvfs(there).map_or(u64::MAX, |disk| {
        #[expect(clippy::useless_conversion, reason = "the width differs between targets")]
        let blocks = u64::from(disk.blocks_available());
        blocks.saturating_mul(disk.fragment_size())
    })
}

/// Refuses to write `need` bytes where less than `reserve` would stay free.
pub(super) fn check(path: &Path, need: u64, reserve: u64) -> Result<(), SlotError> {
    let free = free(path);
    if free >= need.saturating_add(reserve) {
        return Ok(());
    }
    Err(SlotError::NoRoom { path: path.to_owned(), need, free, reserve })
}
