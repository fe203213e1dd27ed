//! Large files (Git LFS) in a harvest: what the attributes give to LFS is stored
//! in the user's LFS store, and its pointer goes into the tree, as the program
//! would do it. Only where the user has such a store.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::plain::open;
use super::{Desk, HarvestError};
use crate::world::slots::keep_at;
use crate::world::slots::lfs::{POINTER, Pointer, store, tracked};

/// Stores what belongs to LFS and puts pointers into the index; returns the
/// paths that are left for git to read.
pub(super) fn keep(desk: &Desk<'_>, paths: &[Vec<u8>]) -> Result<Vec<Vec<u8>>, HarvestError> {
    let Some(store) = store(&desk.slot.home.repo.common_dir) else { return Ok(paths.to_vec()) };
    let named: Vec<&[u8]> = paths.iter().map(Vec::as_slice).collect();
    let call = desk.git().work_tree(&desk.slot.tree);
    let given = tracked(call, &named).map_err(|source| desk.failed(source))?;
    let mut rest = Vec::new();
    for path in paths {
        let full = keep_at(&desk.slot.tree, path);
        let mode = full.symlink_metadata().map(|meta| (meta.is_file(), mode(&meta)));
        match mode {
            Ok((true, mode)) if given.contains(path) => {
                let pointer = stored(&full, &store).map_err(HarvestError::io("keep", &full))?;
                match pointer {
                    Some(pointer) => add(desk, path, mode, &pointer)?,
                    None => rest.push(path.clone()),
                }
            }
            Ok(_) | Err(_) => rest.push(path.clone()),
        }
    }
    Ok(rest)
}

fn mode(meta: &fs::Metadata) -> &'static str {
    use std::os::unix::fs::MetadataExt;
    if meta.mode() & 0o100 == 0 { "100644" } else { "100755" }
}

/// Copies a file into the store, on the disk before it is named; `None` for a
/// file that is a pointer itself.
fn stored(path: &Path, store: &Path) -> std::io::Result<Option<Pointer>> {
    let mut file = open(path)?;
    let mut first = Vec::new();
    Read::by_ref(&mut file).take(POINTER).read_to_end(&mut first)?;
    if Pointer::parse(&first).is_some() || first.is_empty() {
        return Ok(None);
    }
    let mut part = tempfile::NamedTempFile::new_in(store)?;
    let mut hash = Sha256::new();
    let mut size = 0;
    let mut chunk = first;
    while !chunk.is_empty() {
        hash.update(&chunk);
        part.write_all(&chunk)?;
        size += chunk.len() as u64;
        chunk.clear();
        Read::by_ref(&mut file).take(1 << 20).read_to_end(&mut chunk)?;
    }
    let sha256 = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let pointer = Pointer { sha256, size };
    let place = pointer.place(store);
    if place.symlink_metadata().is_ok_and(|meta| meta.is_file() && meta.len() == size) {
        return Ok(Some(pointer));
    }
    let folder = place.parent().unwrap_or(store);
    fs::create_dir_all(folder)?;
    part.as_file().sync_all()?;
    part.persist(&place)?;
    File::open(folder)?.sync_all()?;
    Ok(Some(pointer))
}

fn add(desk: &Desk<'_>, path: &[u8], mode: &str, pointer: &Pointer) -> Result<(), HarvestError> {
    let text = pointer.text();
    let call = desk.git().args(["hash-object", "-w", "--no-filters", "--stdin"]);
    let id = call.input(text.as_bytes()).line().map_err(|source| desk.failed(source))?;
    let line = [mode.as_bytes(), b" ", id.as_bytes(), b"\t", path, b"\0"].concat();
    let call = desk.git().args(["update-index", "--add", "--replace", "-z", "--index-info"]);
    call.input(&line).run().map(|_| ()).map_err(|source| desk.failed(source))
}
