//! Chains in a git repository.
//!
//! [`GitStore`] opens a repository from any folder of it and is cheap to clone.
//! What it promises is in [`super::chain`]; how it keeps the promise:
//! `objects` writes an entry's objects and syncs them, `swap` moves the ref
//! under git's own lock protocol and syncs that, `remove` takes one away, `refs` reads what the disk says
//! and never a cached value, `read` and `loose` read objects, `chains` puts them
//! together.
//!
//! Limits: reftable repositories are refused; `core.sharedRepository` is not
//! applied to what we write; a `refs/crew/*` that is a symbolic ref is damage.

pub(super) mod chains;
mod loose;
pub(super) mod objects;
mod read;
mod refs;
mod remove;
pub(super) mod swap;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::error::StoreError;
use super::recent::Recent;
use crate::domain::id::{HolderId, Oid};

/// What an acknowledged event outlives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Durability {
    /// A power cut: every step is synced before the next (`crew.durability=full`).
    #[default]
    Full,
    /// The end of the process, but not of the machine.
    None,
}

/// How a repository is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// Who writes: names our files below `.git/crew/`.
    pub holder: HolderId,
    /// What an acknowledged event outlives.
    pub durability: Durability,
    /// How long a swap waits for a ref's lock. Above 10 s, so that a leftover
    /// lock is recognised and moved away before the wait is over.
    pub lock_wait: Duration,
    /// How long a ref's lock stands unchanged before it counts as left over.
    pub stale_after: Duration,
    /// How long copies of appended objects are kept.
    pub keep_recent: Duration,
}

impl Options {
    /// Full durability, 20 s of patience with a lock, 10 s until it counts as
    /// left over, and copies for ten minutes.
    #[must_use]
    pub fn new(holder: HolderId) -> Self {
        Self {
            holder,
            durability: Durability::Full,
            lock_wait: Duration::from_secs(20),
            stale_after: Duration::from_secs(10),
            keep_recent: Duration::from_secs(600),
        }
    }
}

pub(super) struct Inner {
    /// Opened anew when it can't find its way any more: see [`Inner::reopen`].
    repo: Mutex<gix::ThreadSafeRepository>,
    /// Where the search for the repository began.
    origin: PathBuf,
    pub(super) git_dir: PathBuf,
    pub(super) common_dir: PathBuf,
    pub(super) objects_dir: PathBuf,
    pub(super) hash: gix::hash::Kind,
    pub(super) options: Options,
    /// Whether `git replace` is in use: objects are then read by gix alone.
    replaces: bool,
    /// Folders whose entry in their parent is known to be on disk.
    synced: Mutex<BTreeMap<PathBuf, objects::Birth>>,
    recent: Mutex<Recent>,
    /// Whether this process has looked after its dead predecessors.
    recovered: Mutex<bool>,
}

/// A repository as a store of chains. Clones share what is open.
#[derive(Clone)]
pub struct GitStore {
    pub(super) inner: Arc<Inner>,
}

impl fmt::Debug for GitStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GitStore").field("git_dir", &self.inner.git_dir).finish_non_exhaustive()
    }
}

/// How gix opens a repository. Each harvest brings a pack of its own, and gix
/// fixes at the opening how many packs it can ever see: by default a tenth more
/// than there are, and everything in the next one is "missing". The number here
/// is room for a long run, at a few hundred kilobytes.
fn opening() -> gix::sec::trust::Mapping<gix::open::Options> {
    let room =
        || gix::odb::store::init::Slots::AsNeededByDiskState { multiplier: 2.0, minimum: 8192 };
    let mut map = gix::sec::trust::Mapping::<gix::open::Options>::default();
    map.full = map.full.object_store_slots(room());
    map.reduced = map.reduced.object_store_slots(room());
    map
}

impl GitStore {
    /// Opens the repository that `path` is in: a checkout, a folder of one, a
    /// linked worktree, a submodule, a git directory or a bare repository.
    /// `GIT_DIR` and its companions in the environment count as they do for git.
    ///
    /// # Errors
    /// `NotARepository` when there is none, `Reftable` when its refs can't be
    /// read.
    pub fn open(path: impl AsRef<Path>, options: Options) -> Result<Self, StoreError> {
        let path = path.as_ref();
        let repo = discover(path)?;
        let local = repo.to_thread_local();
        if is_reftable(&local) {
            return Err(StoreError::Reftable { path: local.common_dir().to_owned() });
        }
        let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let inner = Inner {
            git_dir: absolute(local.git_dir()),
            common_dir: real(local.common_dir()),
            objects_dir: real(repo.objects_dir()),
            hash: local.object_hash(),
            options,
            replaces: local.objects.store_ref().replacements().next().is_some(),
            synced: Mutex::default(),
            recent: Mutex::default(),
            recovered: Mutex::default(),
            repo: Mutex::new(repo),
            origin: path.to_owned(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The git directory of this checkout (a linked worktree has its own).
    #[must_use]
    pub fn git_dir(&self) -> &Path {
        &self.inner.git_dir
    }

    /// The git directory that all worktrees share; `refs/crew/*` and `crew/`
    /// live there.
    #[must_use]
    pub fn common_dir(&self) -> &Path {
        &self.inner.common_dir
    }

    /// The checkout, `None` for a bare repository.
    #[must_use]
    pub fn work_dir(&self) -> Option<PathBuf> {
        let repo = self.inner.local();
        repo.workdir().map(|dir| std::path::absolute(dir).unwrap_or(dir.to_owned()))
    }

    /// Who writes through this store.
    #[must_use]
    pub fn holder(&self) -> &HolderId {
        &self.inner.options.holder
    }

    /// Puts back everything that any holder has a copy of and the database lacks,
    /// and looks at the packs anew. For whoever reads without this store (a
    /// `git` that works in the repository) and has failed: housekeeping may have
    /// been in its way. Answers how many objects were put back.
    ///
    /// # Errors
    /// When one could not be put back.
    pub fn heal(&self) -> Result<usize, StoreError> {
        self.inner.reopen()?;
        self.inner.refill()
    }

    /// The id of the empty tree in this repository's hash.
    #[must_use]
    pub fn empty_tree(&self) -> Oid {
        oid(gix::ObjectId::empty_tree(self.inner.hash))
    }
}

impl Inner {
    /// The folder of our own files, shared by all worktrees.
    pub(super) fn crew_dir(&self) -> PathBuf {
        self.common_dir.join("crew")
    }

    pub(super) fn is_durable(&self) -> bool {
        self.options.durability == Durability::Full
    }

    /// The repository, for one thread and one piece of work.
    pub(super) fn local(&self) -> gix::Repository {
        self.repo.lock().unwrap_or_else(PoisonError::into_inner).to_thread_local()
    }

    /// Opens the repository anew, for whom reading it has failed: gix does not
    /// give back the room of packs that are gone (see [`opening`]), so that a
    /// process that lives while `git repack` works beside it for long meets the
    /// end of it, and every search fails from then on.
    pub(super) fn reopen(&self) -> Result<(), StoreError> {
        let fresh = discover(&self.origin)?;
        *self.repo.lock().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    fn synced(&self) -> MutexGuard<'_, BTreeMap<PathBuf, objects::Birth>> {
        self.synced.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Recovers before the first append of this process; a failure is tried
    /// again with the next.
    pub(super) fn recover_once(&self) -> Result<(), StoreError> {
        let mut recovered = self.recovered.lock().unwrap_or_else(PoisonError::into_inner);
        if !*recovered {
            self.recover()?;
            *recovered = true;
        }
        Ok(())
    }
}

fn discover(path: &Path) -> Result<gix::ThreadSafeRepository, StoreError> {
    gix::ThreadSafeRepository::discover_with_environment_overrides_opts(
        path,
        Default::default(),
        opening(),
    )
    .map_err(|error| StoreError::NotARepository { path: path.to_owned(), source: Box::new(error) })
}

/// gix opens a reftable repository without a word and fails at the first ref.
fn is_reftable(repo: &gix::Repository) -> bool {
    let storage = repo.config_snapshot().string("extensions.refStorage");
    storage.is_some_and(|kind| !kind.eq_ignore_ascii_case(b"files"))
}

fn real(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

pub(super) fn oid(id: gix::ObjectId) -> Oid {
    id.to_string().parse().expect("a hash prints as an object id")
}

pub(super) fn hash(id: &Oid) -> gix::ObjectId {
    gix::ObjectId::from_hex(id.as_str().as_bytes()).expect("an object id is all digits")
}
