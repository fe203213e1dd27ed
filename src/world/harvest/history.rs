//! The agent's own commits: read from its git dir as plain files, taken over
//! object by object through git's strict checks.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::plain::{files, read, shown};
use super::{Desk, HarvestError, Stray};
use crate::domain::id::Oid;
use crate::world::git::GitError;
use crate::world::slots::index::Index;
use crate::world::slots::{Kind, Slot, alternates, hollow, list_refs};

/// The largest HEAD or ref that is read, in bytes.
const MAX_REF: u64 = 4096;

/// The largest `packed-refs` or index of an agent that is read, in bytes.
const MAX_LIST: u64 = 64 << 20;

/// How many symbolic refs may lead to one another.
const MAX_HOPS: usize = 5;

/// The most refs of an agent that are kept.
const MAX_STRAYS: usize = 200;

/// The most files in an agent's object folder, loose objects and packs.
const MAX_OBJECT_FILES: usize = 2_000_000;

/// The most refs of the user that are named to git as already there.
const MAX_KNOWN: usize = 4000;

/// What the agent committed.
#[derive(Debug, Default)]
pub(super) struct History {
    /// The tip of its own commits, if it has any.
    pub(super) tip: Option<Oid>,
    pub(super) agent_commits: u32,
    pub(super) rewrote: bool,
    pub(super) refused: Option<String>,
    pub(super) strays: Vec<Stray>,
    /// Parts of its git dir that could not be used, and why.
    pub(super) left_out: Vec<(String, String)>,
    /// Paths that its commits added to the base's: tracked, whatever is ignored.
    pub(super) paths: BTreeSet<Vec<u8>>,
}

impl History {
    /// The parents of the result commit.
    pub(super) fn parents(&self, base: &Oid) -> Vec<Oid> {
        match &self.tip {
            None => vec![base.clone()],
            Some(tip) if self.rewrote => vec![base.clone(), tip.clone()],
            Some(tip) => vec![tip.clone()],
        }
    }
}

/// Finds the agent's commits and takes them over. What can't be taken is
/// refused, with the reason, and never costs the files.
pub(super) fn collect(desk: &Desk<'_>, max: u64) -> Result<History, HarvestError> {
    let slot = desk.slot;
    let (tip, headless) = match head(slot) {
        Ok(tip) => (tip, None),
        Err(e) => (None, Some(format!("unreadable HEAD: {e}"))),
    };
    let known = known(slot);
    let mut left_out = Vec::new();
    let mut strays = match strays(slot, &known, tip.as_ref()) {
        Ok(strays) => strays,
        Err(e) => {
            left_out.push(("other branches".into(), e.to_string()));
            Vec::new()
        }
    };
    let own = tip.clone().filter(|tip| *tip != slot.base);
    let wanted: Vec<Oid> =
        own.iter().chain(strays.iter().map(|stray| &stray.id)).cloned().collect();
    let mut refused = None;
    if !wanted.is_empty() {
        let negative: Vec<&Oid> = known.values().take(MAX_KNOWN).collect();
        refused = import(desk, &wanted, &negative, max).err();
        if let (Some(why), Some(tip), false) = (&refused, &own, strays.is_empty()) {
            // A broken stray must not cost the history.
            left_out.extend(strays.drain(..).map(|stray| (stray.name, why.clone())));
            refused = import(desk, std::slice::from_ref(tip), &negative, max).err();
        }
    }
    if let Some(why) = &refused {
        left_out.extend(strays.drain(..).map(|stray| (stray.name, why.clone())));
    }
    let costs = own.is_some() && refused.is_some();
    let own = own.filter(|_| refused.is_none());
    let refused = headless.or(refused.filter(|_| costs));
    measure(desk, History { tip: own, refused, strays, left_out, ..History::default() })
}

/// Counts the commits and finds the paths they added.
fn measure(desk: &Desk<'_>, mut history: History) -> Result<History, HarvestError> {
    let Some(tip) = history.tip.clone() else { return Ok(history) };
    let base = desk.slot.base.as_str();
    let range = format!("{base}...{tip}");
    let call = desk.git().args(["rev-list", "--count", "--left-right", &range, "--"]);
    let counts = call.line().map_err(|source| desk.failed(source))?;
    let mut counts = counts.split_whitespace().map(|n| n.parse::<u32>().unwrap_or(u32::MAX));
    history.rewrote = counts.next() != Some(0);
    history.agent_commits = counts.next().unwrap_or(0);
    if history.agent_commits == 0 {
        // It went back to an older commit: that is no history of its own.
        history.tip = None;
        return Ok(history);
    }
    let args = ["diff-tree", "-r", "-z", "--name-only", "--no-renames", "--diff-filter=A"];
    let call = desk.git().args(args).args([base, tip.as_str(), "--"]);
    let list = call.run().map_err(|source| desk.failed(source))?;
    let paths = list.split(|b| *b == 0).filter(|path| !path.is_empty());
    history.paths = paths.map(<[u8]>::to_vec).collect();
    Ok(history)
}

/// The paths in the agent's own index: what it staged counts as tracked. The
/// error is why it could not be read.
pub(super) fn staged(slot: &Slot) -> Result<Vec<Vec<u8>>, String> {
    let bytes = match read(&slot.git_dir, b"index", MAX_LIST) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e.to_string()),
    };
    let index = Index::parse(bytes, slot.home.carried.hash()).map_err(|e| e.to_string())?;
    let files = index.entries.into_iter().filter(|entry| !entry.is_gitlink());
    Ok(files.map(|entry| entry.path).collect())
}

/// The folder that holds the refs of the slot's repository.
fn refs_dir(slot: &Slot) -> &Path {
    match slot.kind {
        Kind::Private => &slot.git_dir,
        Kind::Linked => &slot.home.repo.common_dir,
    }
}

/// Where HEAD leads; `None` for a branch without a commit.
fn head(slot: &Slot) -> std::io::Result<Option<Oid>> {
    let mut text = read(&slot.git_dir, b"HEAD", MAX_REF)?;
    for _ in 0..MAX_HOPS {
        let value = text.trim_ascii();
        let Some(name) = value.strip_prefix(b"ref:") else {
            let id = String::from_utf8_lossy(value).parse();
            return id.map(Some).map_err(std::io::Error::other);
        };
        let name = name.trim_ascii().to_vec();
        if !name.starts_with(b"refs/") {
            return Err(std::io::Error::other("HEAD leads out of 'refs/'"));
        }
        match read(refs_dir(slot), &name, MAX_REF) {
            Ok(next) => text = next,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return Ok(packed(refs_dir(slot)).remove(&name));
            }
            Err(e) => return Err(e),
        }
    }
    Err(std::io::Error::other("too many symbolic refs"))
}

/// Lines of `<id> <name>`; others are passed over.
fn listed(bytes: &[u8]) -> BTreeMap<Vec<u8>, Oid> {
    let mut refs = BTreeMap::new();
    for line in bytes.split(|b| *b == b'\n') {
        let mut parts = line.splitn(3, |b| *b == b' ');
        let (Some(id), Some(name)) = (parts.next(), parts.next()) else { continue };
        if let Ok(id) = String::from_utf8_lossy(id).parse() {
            refs.insert(name.to_vec(), id);
        }
    }
    refs
}

fn packed(git_dir: &Path) -> BTreeMap<Vec<u8>, Oid> {
    listed(&read(git_dir, b"packed-refs", MAX_LIST).unwrap_or_default())
}

/// The refs that the slot was given.
fn known(slot: &Slot) -> BTreeMap<Vec<u8>, Oid> {
    match &slot.snapshot {
        Some(snapshot) => listed(&snapshot.refs),
        // Without the list of then, the refs of now; a difference is only noise.
        None => listed(&list_refs(&slot.home).unwrap_or_default()),
    }
}

/// Refs that the agent made or moved. In a linked slot they are the user's own
/// and not looked at.
fn strays(
    slot: &Slot,
    known: &BTreeMap<Vec<u8>, Oid>,
    tip: Option<&Oid>,
) -> std::io::Result<Vec<Stray>> {
    if slot.kind == Kind::Linked {
        return Ok(Vec::new());
    }
    let mut refs = packed(&slot.git_dir);
    for name in files(&slot.git_dir, b"refs", MAX_STRAYS * 50)? {
        let value = read(&slot.git_dir, &name, MAX_REF).unwrap_or_default();
        if let Ok(id) = String::from_utf8_lossy(value.trim_ascii()).parse() {
            refs.insert(name, id);
        }
    }
    let own = |name: &Vec<u8>, id: &Oid| known.get(name) != Some(id);
    let elsewhere = |id: &Oid| Some(id) != tip && *id != slot.base;
    let refs = refs.into_iter().filter(|(name, id)| own(name, id) && elsewhere(id));
    Ok(refs.take(MAX_STRAYS).map(|(name, id)| Stray { name: shown(&name), id }).collect())
}

/// Copies what leads to `tips` and is not known yet into our own objects.
/// The error is the reason in words.
fn import(desk: &Desk<'_>, tips: &[Oid], known: &[&Oid], max: u64) -> Result<(), String> {
    let slot = desk.slot;
    let user = slot.home.repo.object_dir.as_path();
    let words = |e: GitError| e.to_string();
    let store = slot.git_dir.join("objects");
    let stores = match slot.kind {
        Kind::Private => {
            disarm(&slot.git_dir, user).map_err(|e| format!("unusable object folder: {e}"))?;
            vec![store.as_path(), user]
        }
        Kind::Linked => vec![user],
    };
    let look = tempfile::Builder::new().prefix("look-").tempdir_in(desk.dir.path());
    let look = look.map_err(|e| e.to_string())?;
    hollow(look.path(), "ref: refs/heads/none", &stores, &slot.home, None)
        .map_err(|e| e.to_string())?;
    let mut input = String::new();
    for tip in tips {
        input.push_str(&format!("{tip}\n"));
    }
    input.push_str(&format!("^{}\n", slot.base));
    for id in known {
        input.push_str(&format!("^{id}\n"));
    }
    let path = desk.dir.path().join("in.pack");
    let file = File::create(&path).map_err(|e| e.to_string())?;
    let args = ["pack-objects", "--revs", "--stdout", "-q", "--no-reuse-object"];
    let call = slot.home.git.at(look.path()).deadline(super::DEADLINE).output_file(file);
    call.args(args).arg("--no-reuse-delta").input(input.as_bytes()).run().map_err(words)?;
    let file = File::open(&path).map_err(|e| e.to_string())?;
    let limit = format!("--max-input-size={max}");
    let args = ["index-pack", "--stdin", "--strict", "--fsck-objects", &limit];
    let taken = desk.git().args(args).input_file(file).run().map_err(words);
    // It is large and not needed any more; the folder goes at the end anyway.
    let _ = fs::remove_file(&path);
    taken.map(|_| ())
}

/// Makes an agent's object folder safe to read from: no link in it, no borrowed
/// store but the user's, no index over packs or commits that could lie.
fn disarm(git_dir: &Path, user: &Path) -> std::io::Result<()> {
    // First of all that these are folders and files of the slot's own: through
    // a link, what is removed here would be somebody else's.
    let there = files(git_dir, b"objects", MAX_OBJECT_FILES)?;
    let info = git_dir.join("objects/info");
    if info.symlink_metadata().is_ok() {
        fs::remove_dir_all(&info)?;
    }
    for name in there.iter().filter(|name| name.starts_with(b"objects/pack/multi-pack-index")) {
        fs::remove_file(git_dir.join(std::ffi::OsStr::from_bytes(name)))?;
    }
    fs::create_dir(&info)?;
    fs::write(info.join("alternates"), alternates(&[user]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_refs_is_read_with_or_without_targets() {
        let id = "ab".repeat(20);
        let text =
            format!("# pack-refs with: sorted \n{id} refs/tags/a\n^{id}\n{id} refs/b refs/c\n");
        let refs = listed(text.as_bytes());
        assert_eq!(refs.keys().map(|k| shown(k)).collect::<Vec<_>>(), ["refs/b", "refs/tags/a"]);
    }
}
