//! Slots: the working trees that agents and checks get.
//!
//! ```text
//! <root>/<key>/<repo>/   the working tree; its `.git` is a file: "gitdir: ../git"
//! <root>/<key>/git/      a git dir of its own: HEAD detached at the base, the user's
//!                        objects by objects/info/alternates, the user's branches,
//!                        tags and remote branches as packed-refs, for reading
//! <root>/<key>/tmp       TMPDIR      <root>/<key>/in, out    hand-over
//! ```
//!
//! Promises: nothing of a slot is seen by `git status`, `branch`, `gc` in the
//! user's repository, and nothing there is written; slots can be made at the
//! same time by any number of threads and processes; a folder that is there
//! already is never reused but by the pool ([`Slots::take`]), which hands on only
//! what it can show to be clean; what is removed is removed by own code, without
//! following a link and without running git.
//!
//! Limits: filters do not run. Line endings and modes follow the repository's own
//! configuration; the user's global one is not read. Submodules and large files
//! come only by [`Slots::furnish`], from what the user has of them. [`Kind::Linked`] is weaker: its agent can write the user's objects.

mod clean;
mod copy;
mod furnish;
pub mod index;
mod keep;
mod layout;
pub(crate) mod lfs;
mod linked;
pub(crate) mod modules;
mod park;
mod pool;
mod private;
mod ready;
mod remove;
mod room;
mod shelf;
mod traits;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::git::{Git, GitError};
use crate::domain::id::Oid;

pub use copy::{Copying, leads_out};
pub use furnish::Furnished;
pub(crate) use keep::at as keep_at;
pub use keep::{BadKeep, Keep};
pub use layout::default_root;
pub use pool::{Pooling, Returned, is_pooled};
pub(crate) use private::{Carried, alternates, hollow, list_refs};
pub use room::free;
pub use shelf::{Shelved, bytes};

/// Where the user's repository is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepoPaths {
    /// The git dir that all its worktrees share; absolute.
    pub common_dir: PathBuf,
    /// Its objects; absolute.
    pub object_dir: PathBuf,
    /// Its name, for people: the working trees are called by it.
    pub name: String,
}

/// How much a slot has of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A git dir of its own: nothing the agent does with git reaches the user's.
    Private,
    /// A registered worktree of the user's repository, seen in `git worktree
    /// list`. Weaker: it shares objects and refs with the user.
    Linked,
}

impl Kind {
    /// The word that is stored with an attempt.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Linked => "linked",
        }
    }
}

/// A name and an address, as in a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The name.
    pub name: String,
    /// The address.
    pub email: String,
}

/// Why a slot could not be made or removed.
#[derive(Debug, thiserror::Error)]
pub enum SlotError {
    /// A key that is no plain folder name.
    #[error("'{0}' can't be the name of a slot")]
    BadKey(String),
    /// The folder is there already: left by a dead attempt, or in use.
    #[error("the slot's folder is there already: '{}'", .0.display())]
    Occupied(PathBuf),
    /// The slot's folder is gone.
    #[error("the slot's folder is gone: '{}'", .0.display())]
    Gone(PathBuf),
    /// A submodule's commit that the user does not have.
    #[error("commit {commit} of the submodule '{path}' is not in this repository")]
    Submodule {
        /// Where the submodule is.
        path: String,
        /// The commit.
        commit: Oid,
    },
    /// A disk without room for what is to be written.
    #[error(
        "{} MB more and {} MB of reserve do not fit: {} MB are free at '{}'",
        need >> 20, reserve >> 20, free >> 20, path.display()
    )]
    NoRoom {
        /// Where.
        path: PathBuf,
        /// The bytes that are to be written.
        need: u64,
        /// The bytes that are free.
        free: u64,
        /// The bytes that must stay free.
        reserve: u64,
    },
    /// A slot that can't be shown to be clean.
    #[error("the slot '{}' can't be used again: {why}", path.display())]
    Unfit {
        /// Its folder.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// Something is mounted in the slot; nothing was removed.
    #[error("a file system is mounted in the slot at '{}'", .0.display())]
    Mounted(PathBuf),
    /// A folder or file of the slot could not be written, read or removed.
    #[error("can't {doing} '{}'", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Git could not do its part.
    #[error("can't fill the slot '{}'", path.display())]
    Git {
        /// The slot's folder.
        path: PathBuf,
        /// What git said.
        source: GitError,
    },
    /// The user's repository could not be read.
    #[error("can't read the repository '{}'", path.display())]
    Repository {
        /// Its git dir.
        path: PathBuf,
        /// What git said.
        source: GitError,
    },
}

impl SlotError {
    fn io(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { doing, path, source }
    }
}

/// What was on disk right after the checkout: the bytes of the index, kept in
/// memory where no agent can write, and the time it was written.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub(crate) index: Vec<u8>,
    pub(crate) written: (i64, i64),
    /// The refs that were copied, so that the agent's own can be told from them.
    pub(crate) refs: Vec<u8>,
}

/// One working tree and what belongs to it.
#[derive(Clone, Debug)]
pub struct Slot {
    /// Its name under the root.
    pub key: String,
    /// The folder that holds everything of it.
    pub dir: PathBuf,
    /// The working tree.
    pub tree: PathBuf,
    /// The git dir of the working tree. Hostile once an agent ran: no git may be
    /// run with it from outside.
    pub git_dir: PathBuf,
    /// The folder for temporary files.
    pub tmp: PathBuf,
    /// The folder for what the agent is given beside the tree.
    pub inbox: PathBuf,
    /// The folder for what the agent hands over beside the tree.
    pub outbox: PathBuf,
    /// The commit that was checked out.
    pub base: Oid,
    /// What it has of its own.
    pub kind: Kind,
    pub(crate) snapshot: Option<Arc<Snapshot>>,
    pub(crate) home: Arc<Home>,
    pub(crate) set_up: Option<ready::SetUp>,
    /// Build folders that an earlier attempt left.
    pub(crate) kept: Vec<Vec<u8>>,
    pub(crate) modules: Vec<modules::Module>,
    pub(crate) berth: Option<Arc<pool::Berth>>,
}

/// What all slots of one repository share.
#[derive(Debug)]
pub(crate) struct Home {
    pub(crate) git: Git,
    pub(crate) repo: RepoPaths,
    pub(crate) carried: Carried,
    pub(crate) who: Person,
}

/// What all slots of a repository share, whatever their root. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Ground {
    home: Arc<Home>,
}

impl Ground {
    /// Reads the repository's configuration, by two calls of git. `who` is the
    /// identity that git has in the slots.
    ///
    /// # Errors
    /// [`SlotError::Repository`] when git is too old or can't read the
    /// repository.
    pub fn read(git: Git, repo: RepoPaths, who: Person) -> Result<Self, SlotError> {
        let failed = |source| SlotError::Repository { path: repo.common_dir.clone(), source };
        git.version().map_err(failed)?;
        let carried = Carried::read(&git, &repo).map_err(failed)?;
        Ok(Self { home: Arc::new(Home { git, repo, carried, who }) })
    }
}

/// The slots of one repository under one root.
#[derive(Clone, Debug)]
pub struct Slots {
    root: PathBuf,
    kind: Kind,
    home: Arc<Home>,
    pool: Option<Arc<Pooling>>,
}

impl Slots {
    /// Prepares to make slots under `root`, which is made if need be.
    ///
    /// # Errors
    /// [`SlotError::Io`] when the root can't be made.
    pub fn open(ground: &Ground, root: &Path, kind: Kind) -> Result<Self, SlotError> {
        let home = Arc::clone(&ground.home);
        let root = layout::prepare_root(root, &home.repo.common_dir)?;
        Ok(Self { root, kind, home, pool: None })
    }

    /// The folder that holds the slots: the ceiling for git's search for a
    /// repository is the slot's own folder below it.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What these slots have of their own.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Makes the slot `key` with the files of `base`.
    ///
    /// # Errors
    /// [`SlotError::Occupied`] when the folder is there already; whatever else
    /// goes wrong, what was made is removed again.
    pub fn make(&self, base: &Oid, key: &str) -> Result<Slot, SlotError> {
        let slot = layout::claim(layout::slot(self, base, key)?)?;
        let filled = match self.kind {
            Kind::Private => private::fill(&self.home, slot.clone()),
            Kind::Linked => linked::fill(&self.home, slot.clone()),
        };
        if filled.is_err() {
            // The first fault is the one to report; a rest is found as Occupied.
            let _ = self.remove(&slot);
        }
        filled
    }

    /// The slot that another process made, as far as it is still there. Its
    /// files are not trusted: a harvest reads every one.
    ///
    /// # Errors
    /// [`SlotError::Gone`] when its folder is not there.
    pub fn reopen(&self, key: &str, base: &Oid) -> Result<Slot, SlotError> {
        let mut slot = layout::slot(self, base, key)?;
        if let Some(name) = pool::target(&self.root, key) {
            slot = layout::slot_at(self, base, key, &name)?;
            slot.berth = self.lock_berth(&name).map(Arc::new);
        }
        if !slot.dir.symlink_metadata().is_ok_and(|dir| dir.is_dir()) {
            return Err(SlotError::Gone(slot.dir));
        }
        if self.kind == Kind::Linked {
            linked::find(&self.home, &mut slot);
        }
        Ok(slot)
    }

    /// Removes everything of a slot: by own code, links not followed, closed
    /// folders opened, whatever the depth. A slot that is gone is no error.
    ///
    /// # Errors
    /// [`SlotError::Mounted`] before anything is touched when a file system is
    /// mounted inside; [`SlotError::Io`] when something can't be removed: the
    /// rest is then out of the way under the root and [`Slots::sweep`] tries again.
    pub fn remove(&self, slot: &Slot) -> Result<(), SlotError> {
        remove::tree(&slot.dir, &self.root)?;
        self.unlink(slot)?;
        match slot.kind {
            Kind::Private => Ok(()),
            Kind::Linked => linked::unregister(&self.home, slot),
        }
    }

    /// Removes what interrupted removals left under the root; how many there were.
    ///
    /// # Errors
    /// As [`Slots::remove`], for the first that can't be removed.
    pub fn sweep(&self) -> Result<usize, SlotError> {
        remove::sweep(&self.root)
    }
}
