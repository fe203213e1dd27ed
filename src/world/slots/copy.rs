//! Ignored files of the user's checkout that a slot gets as well: secrets for
//! tests, settings, build folders.
//!
//! Which ones is said by patterns as in a `.gitignore`: those of `crew.copy` and
//! those of the checkout's `.worktreeinclude`. A file is copied only if it is also
//! ignored by the repository's own rules, so nothing is taken for the agent's work.
//!
//! Promises: what arrives is a copy of its own (sharing blocks where the file
//! system can, never a further name of the user's file); no link is followed on
//! either side, and none is copied that leads out of the tree; nothing that is
//! there is overwritten; all of it arrives or nothing.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File, FileTimes, Metadata, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};

use nix::libc::{O_NOFOLLOW, O_NONBLOCK};
use rustix::fs::ioctl_ficlone;

use super::keep::at;
use super::{Slot, SlotError, room};

/// The file of a checkout that says what to copy.
const INCLUDE: &str = ".worktreeinclude";

/// The largest such file, in bytes.
const MAX_INCLUDE: u64 = 1 << 20;

/// What is copied from where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Copying {
    /// The top of the user's checkout.
    pub checkout: PathBuf,
    /// Its git dir.
    pub git_dir: PathBuf,
    /// Patterns, besides those of the checkout's own file.
    pub patterns: Vec<String>,
    /// The bytes that must stay free.
    pub reserve: u64,
}

/// A pattern that leads out of the checkout.
#[must_use]
pub fn leads_out(pattern: &str) -> bool {
    pattern.trim_start_matches('!').split('/').any(|part| part == "..") || pattern.contains('\n')
}

impl Copying {
    /// All patterns; those of the file that lead out are passed over.
    fn patterns(&self) -> Vec<String> {
        let mut all = self.patterns.clone();
        all.extend(include(&self.checkout.join(INCLUDE)).lines().map(str::to_owned));
        all.retain(|line| {
            let out = leads_out(line);
            if out {
                tracing::warn!(pattern = line, "a pattern that leads out of the checkout");
            }
            !out && !line.trim().is_empty() && !line.starts_with('#')
        });
        all
    }
}

/// The text of the file; one that is no plain, short file says nothing.
fn include(path: &Path) -> String {
    let mut text = String::new();
    let mut options = OpenOptions::new();
    let Ok(file) = options.read(true).custom_flags(O_NOFOLLOW | O_NONBLOCK).open(path) else {
        return text;
    };
    let plain = file.metadata().is_ok_and(|meta| meta.is_file() && meta.len() <= MAX_INCLUDE);
    if !plain || file.take(MAX_INCLUDE).read_to_string(&mut text).is_err() {
        text.clear();
    }
    text
}

/// Copies; how many files came.
pub(super) fn copy(slot: &Slot, copying: &Copying) -> Result<usize, SlotError> {
    let patterns = copying.patterns();
    if patterns.is_empty() {
        return Ok(0);
    }
    let found = matching(slot, copying, &patterns)?;
    let wanted: Vec<&Vec<u8>> = found.iter().filter(|path| is_missing(slot, path)).collect();
    if wanted.is_empty() {
        return Ok(0);
    }
    let staging = tempfile::Builder::new().prefix("copy-").tempdir_in(&slot.dir);
    let staging = staging.map_err(SlotError::io("make a folder in", &slot.dir))?;
    let mut copier =
        Copier { from: &copying.checkout, to: staging.path(), folders: BTreeMap::new() };
    copier.check_room(slot, copying.reserve, &wanted)?;
    let mut copied = 0;
    for path in wanted {
        copied += usize::from(copier.one(path)?);
    }
    move_in(staging.path(), &slot.tree)?;
    Ok(copied)
}

/// The untracked files that the patterns name and the repository ignores.
fn matching(
    slot: &Slot,
    copying: &Copying,
    patterns: &[String],
) -> Result<Vec<Vec<u8>>, SlotError> {
    let failed = |source| SlotError::Git { path: slot.dir.clone(), source };
    let git = || slot.home.git.at(&copying.git_dir).work_tree(&copying.checkout);
    let rules = patterns.iter().map(|pattern| format!("--exclude={pattern}"));
    let call = git().args(["ls-files", "-z", "--others", "--ignored"]).args(rules);
    let list = call.run().map_err(failed)?;
    // A nested repository is named as a folder.
    let paths = list.split(|byte| *byte == 0).filter(|p| !p.is_empty() && !p.ends_with(b"/"));
    let input: Vec<u8> = paths.flat_map(|path| [b"./", path, b"\0"].concat()).collect();
    if input.is_empty() {
        return Ok(Vec::new());
    }
    let call = git().args(["check-ignore", "-z", "--stdin"]).input(&input);
    let (_, list) = call.run_or(&[1]).map_err(failed)?;
    let paths = list.split(|byte| *byte == 0).filter_map(|path| path.strip_prefix(b"./"));
    Ok(paths.map(<[u8]>::to_vec).collect())
}

/// Nothing is at the path, and no folder above it is one that was kept.
fn is_missing(slot: &Slot, path: &[u8]) -> bool {
    let kept = |folder: &Vec<u8>| {
        path.strip_prefix(folder.as_slice()).is_some_and(|rest| rest.first() == Some(&b'/'))
    };
    !slot.kept.iter().any(kept) && at(&slot.tree, path).symlink_metadata().is_err()
}

struct Copier<'a> {
    from: &'a Path,
    to: &'a Path,
    /// Folders of the checkout, and whether each is one and no link.
    folders: BTreeMap<PathBuf, bool>,
}

impl Copier<'_> {
    /// Whether all folders above a path of the checkout are folders.
    fn is_reached(&mut self, path: &Path) -> bool {
        let mut folder = self.from.to_owned();
        for part in path.parent().into_iter().flat_map(Path::components) {
            folder.push(part);
            let known = self.folders.entry(folder.clone());
            let real =
                known.or_insert_with(|| folder.symlink_metadata().is_ok_and(|meta| meta.is_dir()));
            if !*real {
                return false;
            }
        }
        true
    }

    /// Refuses what does not fit; where blocks can be shared nothing is needed.
    fn check_room(
        &mut self,
        slot: &Slot,
        reserve: u64,
        paths: &[&Vec<u8>],
    ) -> Result<(), SlotError> {
        let metas = paths.iter().filter_map(|path| at(self.from, path).symlink_metadata().ok());
        let need: u64 = metas.filter(Metadata::is_file).map(|meta| meta.len()).sum();
        room::check(&slot.dir, need, reserve).or_else(|short| {
            let probe = self.to.join("probe");
            let shared = paths.iter().map(|path| at(self.from, path)).find(|path| path.is_file());
            let shares = shared.is_some_and(|from| {
                let pair = opened(&from).and_then(|from| Ok((from, File::create(&probe)?)));
                pair.is_ok_and(|(from, to)| ioctl_ficlone(to, from).is_ok())
            });
            // When it stays, the whole staging folder goes with it.
            let _ = fs::remove_file(probe);
            if shares { Ok(()) } else { Err(short) }
        })
    }

    /// Copies one file or link; whether it did.
    fn one(&mut self, path: &[u8]) -> Result<bool, SlotError> {
        let relative = Path::new(OsStr::from_bytes(path));
        let (from, to) = (self.from.join(relative), self.to.join(relative));
        if !self.is_reached(relative) {
            return Ok(false);
        }
        let folder = to.parent().unwrap_or(self.to);
        fs::create_dir_all(folder).map_err(SlotError::io("make", folder))?;
        let meta = match from.symlink_metadata() {
            Ok(meta) => meta,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(false),
            Err(e) => return Err(SlotError::io("read", &from)(e)),
        };
        if meta.is_symlink() {
            let target = fs::read_link(&from).map_err(SlotError::io("read", &from))?;
            let inside = stays_inside(relative, &target);
            if inside {
                symlink(&target, &to).map_err(SlotError::io("make", &to))?;
            }
            return Ok(inside);
        }
        if !meta.is_file() {
            return Ok(false);
        }
        let source = opened(&from).map_err(SlotError::io("read", &from))?;
        fill(source, &to).map_err(SlotError::io("copy to", &to)).map(|()| true)
    }
}

fn opened(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().read(true).custom_flags(O_NOFOLLOW | O_NONBLOCK).open(path)
}

/// A copy with the mode and the times of the file, which builds look at.
pub(super) fn fill(mut source: File, to: &Path) -> std::io::Result<()> {
    let meta = source.metadata()?;
    let mut file = OpenOptions::new().write(true).create_new(true).open(to)?;
    if ioctl_ficlone(&file, &source).is_err() {
        std::io::copy(&mut source, &mut file)?;
    }
    file.set_permissions(fs::Permissions::from_mode(meta.mode() & 0o777))?;
    file.set_times(FileTimes::new().set_modified(meta.modified()?).set_accessed(meta.accessed()?))
}

/// Whether a link at this path of the tree leads to a place in the tree.
fn stays_inside(link: &Path, target: &Path) -> bool {
    let mut depth = link.parent().map_or(0, |folder| folder.components().count());
    for part in target.components() {
        match part {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir if depth > 0 => depth -= 1,
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return false,
        }
    }
    true
}

/// Moves what was staged into the tree, by whole folders where it can.
fn move_in(from: &Path, to: &Path) -> Result<(), SlotError> {
    for entry in fs::read_dir(from).map_err(SlotError::io("read", from))? {
        let entry = entry.map_err(SlotError::io("read", from))?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        match target.symlink_metadata() {
            Err(e) if e.kind() == ErrorKind::NotFound => {
                fs::rename(&path, &target).map_err(SlotError::io("move", &target))?;
            }
            Ok(there) if there.is_dir() && path.is_dir() => move_in(&path, &target)?,
            Ok(_) => {}
            Err(e) => return Err(SlotError::io("read", &target)(e)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_may_lead_only_where_the_tree_is() {
        let inside = |link: &str, to: &str| stays_inside(Path::new(link), Path::new(to));
        assert!(inside("a/b/link", "../../c") && inside("link", "a/../b") && inside("a/x", "./y"));
        for (link, to) in [("link", "/etc"), ("a/link", "../../etc"), ("link", "..")] {
            assert!(!inside(link, to), "{link} {to}");
        }
    }

    #[test]
    fn patterns_that_lead_out_are_known() {
        assert!(leads_out("../x") && leads_out("a/../../x") && leads_out("!../x"));
        assert!(!leads_out("/.env") && !leads_out("a..b/*.key"));
    }
}
