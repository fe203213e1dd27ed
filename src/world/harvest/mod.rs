//! The harvest: what an attempt left in its slot becomes one commit, and no
//! program that the agent planted gets to run.
//!
//! Promises: git never runs with the slot's git dir, index or configuration:
//! each harvest has a git dir of its own, and the slot is only a folder of
//! files. The result holds the agent's own commits as history and, on top, one
//! commit with everything in the working tree: staged or not, new, deleted,
//! binary, modes, links, and the files of nested repositories. What is
//! ignored, what can't be kept and why, and what the agent left on other
//! branches is named. Everything new reaches the user's objects as one synced
//! pack with a `.keep` beside it, and nothing of the user's is changed.
//!
//! Limits: everything that ran in the slot must be dead before. Filters never
//! run: their files are kept as they lie, but for LFS, whose work is done here
//! where the user has a store for it. What was staged and then
//! removed from the tree is not kept. A commit that the agent itself left
//! behind (by a reset or an amend) is not looked for. A submodule with a
//! repository inside keeps the commit that the base names; if its files were
//! changed, they go into a commit of their own, listed as a stray.
//!
//! Everything here assumes that the working tree can be hostile.

mod deliver;
mod history;
mod lfs;
mod plain;
mod stage;
mod walk;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use super::git::{Call, GitError};
use super::slots::index::{DamagedIndex, Index};
use super::slots::{Person, Slot, SlotError, hollow};
use crate::domain::attempt::Change;
use crate::domain::id::Oid;
use crate::domain::time::Timestamp;

pub use deliver::{release_keep, release_old_keeps};

/// How long one call of git may take in a harvest.
const DEADLINE: Duration = Duration::from_secs(600);

/// The largest pack that an agent's own commits may make, in bytes.
pub const MAX_HISTORY: u64 = 2 << 30;

/// What the result commit says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResultMeta {
    /// The agent.
    pub author: Person,
    /// The user.
    pub committer: Person,
    /// The time of the commit.
    pub at: Timestamp,
    /// The first line of the message.
    pub subject: String,
    /// Trailers, in order.
    pub trailers: Vec<(String, String)>,
    /// One line for the `.keep` file, so that people know whose it is.
    pub keep_message: String,
    /// The largest pack that the agent's own commits may make, in bytes;
    /// [`MAX_HISTORY`] unless a smaller one is wanted.
    pub max_history: u64,
}

/// A commit that the agent left elsewhere than in its history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stray {
    /// The ref that holds it (`refs/stash`), or `submodule <path>`.
    pub name: String,
    /// The object; it is in the pack, and lives as long as something pins it.
    pub id: Oid,
}

/// What an attempt left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Harvest {
    /// The commit that holds everything; the base when nothing was changed.
    pub commit: Oid,
    /// Its tree.
    pub tree: Oid,
    /// What differs from the base.
    pub changed: Vec<Change>,
    /// How many commits are the agent's own.
    pub agent_commits: u32,
    /// The agent's history does not lead to the base. The result commit then
    /// has the base as first parent and the agent's tip as second.
    pub rewrote_history: bool,
    /// Why the agent's own commits are not in the result, if they are not; the
    /// files are.
    pub history_refused: Option<String>,
    /// The first ignored paths and their bytes, those first that only a new or
    /// changed `.gitignore` hides; folders end in a slash and count as one.
    pub ignored: Vec<(String, u64)>,
    /// How many ignored paths there were.
    pub ignored_total: u64,
    /// How many of these only a new or changed `.gitignore` hides.
    pub newly_ignored: u64,
    /// Paths that could not be kept, and why.
    pub left_out: Vec<(String, String)>,
    /// Other branches, tags and stashes of the agent.
    pub strays: Vec<Stray>,
    /// What git's object check says against the result, if anything: a
    /// `.gitmodules` that a clone would refuse, for one. It is kept all the same.
    pub complaint: Option<String>,
    /// The `.keep` file beside the new pack; `None` when there was nothing new.
    /// To be removed by [`release_keep`] when a ref has pinned the commit for
    /// long enough.
    pub keep: Option<PathBuf>,
}

/// Why nothing could be harvested. The slot is as it was.
#[derive(Debug, thiserror::Error)]
pub enum HarvestError {
    /// The slot's working tree is gone, or no folder; never taken for "all deleted".
    #[error("the slot's working tree is gone: '{}'", .0.display())]
    SlotGone(PathBuf),
    /// A folder for the harvest could not be made or used.
    #[error("can't {doing} '{}'", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The git dir for the harvest could not be made.
    #[error("can't prepare the harvest")]
    Prepare(#[source] SlotError),
    /// Git could not do its part.
    #[error("can't harvest '{}'", slot.display())]
    Git {
        /// The slot's folder.
        slot: PathBuf,
        /// What git said.
        source: GitError,
    },
    /// An index that was made here can't be read.
    #[error("can't harvest '{}'", slot.display())]
    Index {
        /// The slot's folder.
        slot: PathBuf,
        /// What is wrong.
        source: DamagedIndex,
    },
}

impl HarvestError {
    /// Whether it failed for want of room on the disk.
    #[must_use]
    pub fn lacks_room(&self) -> bool {
        let full = [std::io::ErrorKind::StorageFull, std::io::ErrorKind::QuotaExceeded];
        matches!(self, Self::Io { source, .. } if full.contains(&source.kind()))
    }

    fn io(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { doing, path, source }
    }
}

/// What is ignored, in the order in which it is told.
#[derive(Debug, Default)]
struct Listing {
    first: Vec<(String, u64)>,
    total: u64,
    newly: u64,
}

impl Listing {
    /// Puts what only a `.gitignore` among the changes hides before the rest.
    fn new(ignored: BTreeMap<Vec<u8>, walk::Ignored>, changed: &[Change]) -> Self {
        let mut listing = Self::default();
        let mut rest = Vec::new();
        let changed: BTreeSet<&str> = changed.iter().map(|change| change.path.as_str()).collect();
        for (source, ignored) in ignored {
            let name = plain::shown(&source);
            // A rule file that is itself ignored is new, too.
            let own = ignored.listed.iter().any(|(path, _)| *path == name);
            listing.total += ignored.total;
            if own || changed.contains(name.as_str()) {
                listing.newly += ignored.total;
                listing.first.extend(ignored.listed);
            } else {
                rest.extend(ignored.listed);
            }
        }
        listing.first.extend(rest);
        listing.first.truncate(walk::LISTED);
        listing
    }
}

/// The place of one harvest: a folder with a git dir of our own.
#[derive(Debug)]
struct Desk<'a> {
    slot: &'a Slot,
    dir: TempDir,
    git_dir: PathBuf,
    index: PathBuf,
}

impl<'a> Desk<'a> {
    fn new(slot: &'a Slot) -> Result<Self, HarvestError> {
        let dir = tempfile::Builder::new().prefix("harvest-").tempdir_in(&slot.dir);
        let dir = dir.map_err(HarvestError::io("make a folder in", &slot.dir))?;
        let git_dir = dir.path().join("git");
        let store = slot.home.repo.object_dir.as_path();
        hollow(&git_dir, "ref: refs/heads/none", &[store], &slot.home, None)
            .map_err(HarvestError::Prepare)?;
        Ok(Self { slot, index: git_dir.join("index"), git_dir, dir })
    }

    /// A call of git in our git dir, with our index.
    fn git(&self) -> Call<'_> {
        self.slot.home.git.at(&self.git_dir).index(&self.index).deadline(DEADLINE)
    }

    fn failed(&self, source: GitError) -> HarvestError {
        HarvestError::Git { slot: self.slot.dir.clone(), source }
    }

    fn oid(&self, text: &str) -> Result<Oid, HarvestError> {
        let garbled = |_| self.failed(GitError::Garbled { command: "an object id".into() });
        text.trim().parse().map_err(garbled)
    }

    fn parse(&self, bytes: Vec<u8>) -> Result<Index, HarvestError> {
        let damaged = |source| HarvestError::Index { slot: self.slot.dir.clone(), source };
        Index::parse(bytes, self.slot.home.carried.hash()).map_err(damaged)
    }

    /// The base's index and the time it was written: what was kept in memory at
    /// the checkout, or else a fresh one that knows no file.
    fn base_index(&self) -> Result<(Index, (i64, i64)), HarvestError> {
        if let Some(snapshot) = &self.slot.snapshot {
            return Ok((self.parse(snapshot.index.clone())?, snapshot.written));
        }
        let call = self.git().args(["read-tree", self.slot.base.as_str()]);
        call.run().map_err(|source| self.failed(source))?;
        let bytes = std::fs::read(&self.index);
        let bytes = bytes.map_err(HarvestError::io("read", &self.index))?;
        Ok((self.parse(bytes)?, (i64::MIN, 0)))
    }

    fn base_tree(&self, index: &Index) -> Result<Oid, HarvestError> {
        if let Some(known) = index.tree().and_then(|tree| tree.parse().ok()) {
            return Ok(known);
        }
        let of = format!("{}^{{tree}}", self.slot.base);
        let call = self.git().args(["rev-parse", "--verify", "--end-of-options", &of]);
        self.oid(&call.line().map_err(|source| self.failed(source))?)
    }
}

/// Gathers everything that an attempt left in its slot into one commit in the
/// user's objects. No ref is made. Harvesting twice gives the same content.
///
/// # Errors
/// [`HarvestError::SlotGone`] when the working tree is not there; the other
/// kinds when the harvest itself could not be done. The slot stays.
pub fn harvest(slot: &Slot, meta: &ResultMeta) -> Result<Harvest, HarvestError> {
    for folder in [&slot.dir, &slot.tree] {
        if !folder.symlink_metadata().is_ok_and(|meta| meta.is_dir()) {
            return Err(HarvestError::SlotGone(folder.clone()));
        }
    }
    let desk = Desk::new(slot)?;
    let history = history::collect(&desk, meta.max_history)?;
    let (index, written) = desk.base_index()?;
    let base_tree = desk.base_tree(&index)?;
    let mut tracked: BTreeSet<Vec<u8>> = history.paths.iter().cloned().collect();
    let mut left_out = history.left_out.clone();
    match history::staged(slot) {
        Ok(paths) => tracked.extend(paths),
        Err(why) => left_out.push(("what the agent staged".into(), why)),
    }
    let tracked = walk::Tracked { entries: &index.entries, written, extra: &tracked };
    let mut found = walk::walk(&desk, &tracked, b"")?;
    let (tree, changed) = stage::stage(&desk, &index, &base_tree, &mut found)?;
    let unchanged = tree == base_tree && history.agent_commits == 0 && !history.rewrote;
    let commit = match unchanged {
        true => slot.base.clone(),
        false => stage::commit(&desk, &tree, &history.parents(&slot.base), meta)?,
    };
    let mut strays = history.strays.clone();
    strays.extend(stage::submodules(&desk, &mut found, &commit, meta)?);
    left_out.extend(found.left_out);
    let delivered = deliver::deliver(&desk, &commit, &strays, meta)?;
    let ignored = Listing::new(found.ignored, &changed);
    Ok(Harvest {
        changed,
        commit,
        tree,
        agent_commits: history.agent_commits,
        rewrote_history: history.rewrote,
        history_refused: history.refused,
        ignored: ignored.first,
        ignored_total: ignored.total,
        newly_ignored: ignored.newly,
        left_out,
        strays,
        complaint: delivered.complaint,
        keep: delivered.keep,
    })
}
