//! Handing a result over to the user's objects.
//!
//! It arrives as one pack that git itself writes, checks and syncs, with a
//! `.keep` file that was there before the pack could be seen: no housekeeping
//! of the user takes it before a ref stands. The folder is synced here, which
//! git leaves out.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Desk, HarvestError, ResultMeta, Stray};
use crate::domain::id::Oid;
use crate::world::git::GitError;

/// What a pack must leave free: the events that tell of it come after.
const LEFT: u64 = 256 << 10;

/// What became of the delivery.
#[derive(Debug, Default)]
pub(super) struct Delivered {
    pub(super) keep: Option<PathBuf>,
    pub(super) complaint: Option<String>,
}

/// Packs everything that the commit and the strays need beyond the base and
/// gives it to the user's objects.
pub(super) fn deliver(
    desk: &Desk<'_>,
    commit: &Oid,
    strays: &[Stray],
    meta: &ResultMeta,
) -> Result<Delivered, HarvestError> {
    let base = &desk.slot.base;
    let mut input = String::new();
    for id in std::iter::once(commit).chain(strays.iter().map(|stray| &stray.id)) {
        if id != base {
            input.push_str(&format!("{id}\n"));
        }
    }
    if input.is_empty() {
        return Ok(Delivered::default());
    }
    // Only the base is taken for granted: what else the user has now may be
    // unreachable and gone in a moment.
    input.push_str(&format!("^{base}\n"));
    let path = desk.dir.path().join("out.pack");
    let file = File::create(&path).map_err(HarvestError::io("write", &path))?;
    let call = desk.git().args(["pack-objects", "--revs", "--stdout", "-q"]);
    let packed = call.input(input.as_bytes()).output_file(file).run();
    packed.map_err(|source| desk.failed(source))?;
    let (answer, complaint) = match index_pack(desk, &path, meta, true)? {
        Ok(answer) => (answer, None),
        Err(complaint) => match index_pack(desk, &path, meta, false)? {
            Ok(answer) => (answer, Some(complaint)),
            Err(again) => {
                let command = "git index-pack".into();
                let failed = GitError::Failed { command, code: Some(128), stderr: again };
                return Err(desk.failed(failed));
            }
        },
    };
    let keep = sync(desk, &answer, meta)?;
    Ok(Delivered { keep, complaint })
}

/// Runs `index-pack` in the user's repository: what it printed, or what it had
/// against the pack.
fn index_pack(
    desk: &Desk<'_>,
    pack: &Path,
    meta: &ResultMeta,
    strict: bool,
) -> Result<Result<String, String>, HarvestError> {
    let repo = &desk.slot.home.repo;
    let file = File::open(pack).map_err(HarvestError::io("read", pack))?;
    has_room(&file, &repo.object_dir).map_err(HarvestError::io("write to", &repo.object_dir))?;
    let message: String = meta.keep_message.chars().filter(|c| !c.is_control()).collect();
    let call = desk.slot.home.git.at(&repo.common_dir).deadline(super::DEADLINE);
    let call = call.env("GIT_OBJECT_DIRECTORY", &repo.object_dir).input_file(file);
    let call = call.setting("core.fsync=pack,pack-metadata,reference");
    let call = call.setting("core.fsyncMethod=fsync").args(["index-pack", "--stdin"]);
    let call = call.arg(format!("--keep={message}"));
    let call = if strict { call.args(["--strict", "--fsck-objects"]) } else { call };
    match call.line() {
        Ok(answer) => Ok(Ok(answer)),
        Err(GitError::Failed { stderr, .. }) => Ok(Err(stderr)),
        Err(other) => Err(desk.failed(other)),
    }
}

/// Looks before a pack is written: git leaves half a pack behind where the disk
/// is full, and that would take the room of the events that have to say so.
fn has_room(pack: &File, object_dir: &Path) -> std::io::Result<()> {
    let need = pack.metadata()?.len() + LEFT;
    let stat = nix::sys::statvfs::statvfs(object_dir)?;
    #[expect(clippy::useless_conversion, reason = "the width differs between targets")]
    let room = u64::from(stat.blocks_available()).saturating_mul(u64::from(stat.fragment_size()));
    if room < need {
        return Err(ErrorKind::StorageFull.into());
    }
    Ok(())
}

/// Syncs the keep file and the folder; the answer is `keep <hash>`, or `pack
/// <hash>` when the same pack and its keep file were there already.
fn sync(desk: &Desk<'_>, answer: &str, meta: &ResultMeta) -> Result<Option<PathBuf>, HarvestError> {
    let hash = answer.split_whitespace().last().unwrap_or_default();
    let folder = desk.slot.home.repo.object_dir.join("pack");
    let keep = folder.join(format!("pack-{hash}.keep"));
    File::open(&keep).and_then(|file| file.sync_all()).map_err(HarvestError::io("sync", &keep))?;
    File::open(&folder)
        .and_then(|folder| folder.sync_all())
        .map_err(HarvestError::io("sync", &folder))?;
    Ok(is_ours(&keep, &meta.keep_message).then_some(keep))
}

fn is_ours(keep: &Path, message: &str) -> bool {
    let message: String = message.chars().filter(|c| !c.is_control()).collect();
    let mut text = Vec::new();
    let read = File::open(keep).and_then(|file| file.take(4096).read_to_end(&mut text));
    read.is_ok() && text.trim_ascii_end() == message.trim_end().as_bytes()
}

/// Releases every pack of ours whose `.keep` is older than `age`: its ref has
/// stood for long enough, or nothing will ever name it. Foreign `.keep` files
/// stay. How many were released.
///
/// # Errors
/// The pack folder can't be read; a single file that can't be released is left.
pub fn release_old_keeps(
    object_dir: &Path,
    ours: &str,
    age: Duration,
) -> Result<u32, HarvestError> {
    let folder = object_dir.join("pack");
    let failed = |source| HarvestError::Io { doing: "list", path: folder.clone(), source };
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(failed(error)),
    };
    let mut released = 0;
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_none_or(|ending| ending != "keep") {
            continue;
        }
        let old = path
            .metadata()
            .and_then(|data| data.modified())
            .is_ok_and(|written| written.elapsed().is_ok_and(|passed| passed >= age));
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let message = text.trim_end();
        if old && message.starts_with(ours) && release_keep(&path, message).unwrap_or(false) {
            released += 1;
        }
    }
    Ok(released)
}

/// Removes a keep file that a harvest made, once a ref has pinned its commit
/// for long enough. `message` is the one it was made with: a keep file with any
/// other text is somebody else's and stays. One that is gone is no error.
/// Returns whether a file was removed.
///
/// # Errors
/// [`HarvestError::Io`] when it can't be removed.
pub fn release_keep(keep: &Path, message: &str) -> Result<bool, HarvestError> {
    let named = keep.extension().is_some_and(|extension| extension == "keep");
    if !named || !is_ours(keep, message) {
        return Ok(false);
    }
    match fs::remove_file(keep) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(false),
        Err(e) => Err(HarvestError::io("remove", keep)(e)),
    }
}
