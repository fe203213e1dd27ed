//! A git dir made by hand, and its working tree.
//!
//! It borrows the user's objects and owns everything else, so that an agent
//! can commit, stash, branch, rebase and collect garbage in it and the user's
//! repository does not change by a byte.

use std::fs;
use std::io::Read;
use std::num::NonZero;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::{Home, Person, RepoPaths, Slot, SlotError, Snapshot};
use crate::world::git::{Git, GitError};

/// What a slot takes over from the repository's configuration: how files are
/// written and read. Nothing that names a program.
const CARRIED: [&str; 8] = [
    "core.filemode",
    "core.symlinks",
    "core.ignorecase",
    "core.precomposeunicode",
    "core.eol",
    "core.autocrlf",
    "core.checkroundtripencoding",
    "core.bigfilethreshold",
];

/// The most threads that one checkout uses.
const MAX_WORKERS: usize = 8;

/// The largest file of the repository's `info/` and `shallow` that is copied.
const MAX_COPIED: u64 = 16 << 20;

/// How long the clock of a file system may stand still.
const TICK: Duration = Duration::from_millis(200);

/// The first line of a `packed-refs` file that is in order and not peeled.
const SORTED: &[u8] = b"# pack-refs with: sorted \n";

/// The parts of a repository's configuration that go along.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Carried {
    settings: Vec<(String, String)>,
    sha256: bool,
}

impl Carried {
    /// Reads them by one call of git.
    pub(crate) fn read(git: &Git, repo: &RepoPaths) -> Result<Self, GitError> {
        let list = git.at(&repo.common_dir).args(["config", "--includes", "--list", "-z"]);
        let list = list.run()?;
        let mut carried = Self::default();
        for entry in list.split(|b| *b == 0) {
            let entry = String::from_utf8_lossy(entry);
            let (name, value) = entry.split_once('\n').unwrap_or((&entry, "true"));
            if name == "extensions.objectformat" {
                carried.sha256 = value.eq_ignore_ascii_case("sha256");
            }
            if CARRIED.contains(&name) {
                carried.settings.push((name.to_owned(), value.to_owned()));
            }
        }
        Ok(carried)
    }

    /// Bytes of an object id.
    pub(crate) fn hash(&self) -> usize {
        if self.sha256 { 32 } else { 20 }
    }

    /// A whole configuration file; with an identity where people's commits are made.
    fn config(&self, who: Option<&Person>) -> String {
        let mut text = String::from("[core]\n\tbare = false\n\tlogAllRefUpdates = true\n");
        text.push_str(if self.sha256 {
            "\trepositoryFormatVersion = 1\n[extensions]\n\tobjectFormat = sha256\n[core]\n"
        } else {
            "\trepositoryFormatVersion = 0\n"
        });
        for (name, value) in &self.settings {
            let name = name.strip_prefix("core.").unwrap_or(name);
            text.push_str(&format!("\t{name} = {}\n", quoted(value)));
        }
        text.push_str("[gc]\n\tauto = 0\n[maintenance]\n\tauto = false\n");
        if let Some(who) = who {
            let (name, email) = (quoted(&who.name), quoted(&who.email));
            text.push_str(&format!("[user]\n\tname = {name}\n\temail = {email}\n"));
        }
        text
    }
}

/// A value as git's configuration grammar wants it.
pub(super) fn quoted(value: &str) -> String {
    let mut out = String::from("\"");
    for c in value.chars().filter(|c| *c != '\0') {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Makes the git dir `dir`: no object of its own, HEAD at `head`, the objects of
/// `stores` to read from, the user's own ignore rules and shallow border.
pub(crate) fn hollow(
    dir: &Path,
    head: &str,
    stores: &[&Path],
    home: &Home,
    who: Option<&Person>,
) -> Result<(), SlotError> {
    for folder in ["objects/info", "objects/pack", "refs/heads", "info"] {
        let folder = dir.join(folder);
        fs::create_dir_all(&folder).map_err(SlotError::io("make", &folder))?;
    }
    let put = |name: &str, bytes: &[u8]| {
        let path = dir.join(name);
        fs::write(&path, bytes).map_err(SlotError::io("write", &path))
    };
    put("HEAD", format!("{head}\n").as_bytes())?;
    put("config", home.carried.config(who).as_bytes())?;
    put("objects/info/alternates", &alternates(stores))?;
    for name in ["info/exclude", "shallow"] {
        let from = home.repo.common_dir.join(name);
        if let Some(bytes) = copied(&from).map_err(SlotError::io("read", &from))? {
            put(name, &bytes)?;
        }
    }
    Ok(())
}

/// The text of an alternates file: one path a line, quoted where git would
/// take it for something else.
pub(crate) fn alternates(stores: &[&Path]) -> Vec<u8> {
    let mut out = Vec::new();
    for store in stores {
        let path = store.as_os_str().as_bytes();
        let plain = !path.contains(&b'\n') && !path.starts_with(b"\"") && !path.starts_with(b"#");
        if plain {
            out.extend_from_slice(path);
        } else {
            out.push(b'"');
            for byte in path {
                match byte {
                    b'"' | b'\\' => out.extend([b'\\', *byte]),
                    b'\n' => out.extend(b"\\n"),
                    byte => out.push(*byte),
                }
            }
            out.push(b'"');
        }
        out.push(b'\n');
    }
    out
}

fn copied(path: &Path) -> std::io::Result<Option<Vec<u8>>> {
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    let mut bytes = Vec::new();
    file.take(MAX_COPIED + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_COPIED {
        return Err(std::io::ErrorKind::FileTooLarge.into());
    }
    Ok(Some(bytes))
}

/// Fills a claimed slot.
pub(super) fn fill(home: &Home, mut slot: Slot) -> Result<Slot, SlotError> {
    fs::create_dir(&slot.tree).map_err(SlotError::io("make", &slot.tree))?;
    let refs = prepare(home, &slot)?;
    check_out(home, &mut slot, refs)?;
    Ok(slot)
}

/// Makes the git dir and the file in the tree that leads to it; returns the list
/// of the refs that were copied.
pub(super) fn prepare(home: &Home, slot: &Slot) -> Result<Vec<u8>, SlotError> {
    hollow(&slot.git_dir, slot.base.as_str(), &[&home.repo.object_dir], home, Some(&home.who))?;
    let refs = copy_refs(home, slot)?;
    let link = slot.tree.join(".git");
    fs::write(&link, b"gitdir: ../git\n").map_err(SlotError::io("write", &link))?;
    Ok(refs)
}

/// Writes the files of the base and keeps what git wrote down about them.
pub(super) fn check_out(home: &Home, slot: &mut Slot, refs: Vec<u8>) -> Result<(), SlotError> {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    // Even on few cores a second worker hides the waits for the disk.
    let workers = cores.clamp(2, MAX_WORKERS);
    let call = home.git.at(&slot.git_dir).work_tree(&slot.tree);
    let call = call.setting(format!("checkout.workers={workers}"));
    call.args(["read-tree", "--reset", "-u", "--no-recurse-submodules", slot.base.as_str()])
        .run()
        .map_err(|source| SlotError::Git { path: slot.dir.clone(), source })?;
    slot.snapshot = Some(Arc::new(snapshot(&slot.git_dir.join("index"), refs)?));
    Ok(())
}

/// A time of the file system's own clock after `than`. What was written in the
/// same tick as the index would count as changed.
pub(super) fn later(folder: &Path, than: (i64, i64)) -> Result<(i64, i64), SlotError> {
    let probe = folder.join("clock");
    let step = Duration::from_millis(1);
    let mut waited = Duration::ZERO;
    loop {
        fs::write(&probe, b"").map_err(SlotError::io("write", &probe))?;
        let meta = probe.symlink_metadata().map_err(SlotError::io("read", &probe))?;
        fs::remove_file(&probe).map_err(SlotError::io("remove", &probe))?;
        let now = (meta.ctime(), meta.ctime_nsec());
        if now > than || waited >= TICK {
            return Ok(now);
        }
        thread::sleep(step);
        waited += step;
    }
}

pub(super) fn snapshot(index: &Path, refs: Vec<u8>) -> Result<Snapshot, SlotError> {
    let read = || -> std::io::Result<_> {
        let meta = fs::symlink_metadata(index)?;
        Ok((fs::read(index)?, (meta.mtime(), meta.mtime_nsec())))
    };
    let (bytes, written) = read().map_err(SlotError::io("read", index))?;
    // The last files are as young as the index, and no agent runs yet.
    let written = later(index.parent().unwrap_or(index), written)?;
    Ok(Snapshot { index: bytes, written, refs })
}

/// Lists the user's branches, tags and remote branches: `<id> <name>` or, for a
/// symbolic one, `<id> <name> <target>`, a line each, in order.
pub(crate) fn list_refs(home: &Home) -> Result<Vec<u8>, GitError> {
    let format = "--format=%(objectname) %(refname) %(symref)";
    let folders = ["refs/heads", "refs/remotes", "refs/tags"];
    home.git.at(&home.repo.common_dir).args(["for-each-ref", format]).args(folders).run()
}

fn copy_refs(home: &Home, slot: &Slot) -> Result<Vec<u8>, SlotError> {
    let list = list_refs(home)
        .map_err(|source| SlotError::Repository { path: home.repo.common_dir.clone(), source })?;
    let mut packed = SORTED.to_vec();
    for line in list.split(|b| *b == b'\n').filter(|line| !line.is_empty()) {
        let mut parts = line.splitn(3, |b| *b == b' ');
        let (id, name, target) = (parts.next(), parts.next(), parts.next().unwrap_or_default());
        let (Some(id), Some(name)) = (id, name) else { continue };
        if target.is_empty() {
            packed.extend([id, b" ", name, b"\n"].concat());
        } else {
            write_symbolic(&slot.git_dir, name, target)?;
        }
    }
    let path = slot.git_dir.join("packed-refs");
    fs::write(&path, packed).map_err(SlotError::io("write", &path))?;
    Ok(list)
}

fn write_symbolic(git_dir: &Path, name: &[u8], target: &[u8]) -> Result<(), SlotError> {
    let path = git_dir.join(std::ffi::OsStr::from_bytes(name));
    let folder = path.parent().unwrap_or(git_dir);
    fs::create_dir_all(folder).map_err(SlotError::io("make", folder))?;
    fs::write(&path, [b"ref: ", target, b"\n"].concat()).map_err(SlotError::io("write", &path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_break_out_of_its_line() {
        assert_eq!(quoted("a\"b\\\n[core]"), r#""a\"b\\\n[core]""#);
    }

    #[test]
    fn a_store_of_any_name_stays_one_line() {
        assert_eq!(alternates(&[Path::new("/a b")]), b"/a b\n");
        assert_eq!(alternates(&[Path::new("/a\nb")]), b"\"/a\\nb\"\n");
    }
}
