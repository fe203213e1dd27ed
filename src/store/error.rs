//! What can go wrong in the store, typed so that the surface can say what to do
//! about it.

use std::io;
use std::path::{Path, PathBuf};

use super::names::RefName;

/// An error of a library below, kept whole for the chain of causes.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No repository at the path or above it.
    #[error("not a git repository: '{}'", .path.display())]
    NotARepository {
        /// Where the search began.
        path: PathBuf,
        /// What was found instead.
        source: Cause,
    },
    /// The repository keeps its refs in a reftable, which can't be read.
    #[error("unsupported ref storage 'reftable' in '{}'", .path.display())]
    Reftable {
        /// The git directory.
        path: PathBuf,
    },
    /// `HEAD` names a branch without a commit.
    #[error("no commit yet on '{branch}'")]
    UnbornHead {
        /// The branch's full name.
        branch: String,
    },
    /// A revision that names nothing, or nothing that could be used.
    #[error("no commit found for '{spec}'")]
    UnknownRevision {
        /// The revision as given.
        spec: String,
        /// Why.
        source: Cause,
    },
    /// The file system or its permissions refuse to be written.
    #[error("cannot write to '{}'", .path.display())]
    ReadOnly {
        /// The path that was to be written.
        path: PathBuf,
        /// The answer of the file system.
        source: io::Error,
    },
    /// No space or no quota is left. Nothing was acknowledged.
    #[error("no space left to write '{}'", .path.display())]
    DiskFull {
        /// The path that was to be written.
        path: PathBuf,
        /// The answer of the file system.
        source: io::Error,
    },
    /// Somebody held a lock for longer than we wait.
    #[error("lock held by another process: '{}'", .path.display())]
    LockHeld {
        /// The lock file.
        path: PathBuf,
    },
    /// A ref, commit or object that can't be read. Nothing is moved back:
    /// only a person can know what else is lost.
    #[error("damaged {what} '{name}'")]
    Damaged {
        /// `ref`, `commit`, `tree` or `object`.
        what: &'static str,
        /// Its full name or id.
        name: String,
        /// What reading it said.
        source: Option<Cause>,
    },
    /// A ref whose name is a folder of another's, or the reverse.
    #[error("name '{name}' clashes with '{other}'")]
    NameClash {
        /// The ref that was to be made.
        name: RefName,
        /// The one that exists.
        other: String,
    },
    /// A ref that is never removed, or never written this way.
    #[error("protected ref '{name}'")]
    Protected {
        /// The ref.
        name: RefName,
    },
    /// The ref has moved but a sync after it failed: the event may or may not
    /// outlive a power cut. Look for its op before it is tried again.
    #[error("unknown outcome of writing '{name}'")]
    Unsettled {
        /// The ref.
        name: RefName,
        /// What failed.
        source: Cause,
    },
    /// Something that can't be stored as asked.
    #[error("cannot store {what}")]
    Invalid {
        /// What is wrong with it.
        what: String,
    },
    /// Any other answer of the file system.
    #[error("failed to {doing} '{}'", .path.display())]
    Io {
        /// The operation, as a verb.
        doing: &'static str,
        /// Its path.
        path: PathBuf,
        /// The answer.
        source: io::Error,
    },
    /// Any other answer of the git library.
    #[error("failed to {doing}")]
    Git {
        /// The operation, as a verb.
        doing: &'static str,
        /// The answer.
        source: Cause,
    },
}

impl StoreError {
    /// Sorts an answer of the file system into the kinds that people can act on.
    pub(super) fn io(doing: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::DiskFull { path, source }
            }
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
                Self::ReadOnly { path, source }
            }
            _ => Self::Io { doing, path, source },
        }
    }

    /// Wraps an answer of the git library; one that stems from the file system
    /// is sorted like any other.
    pub(super) fn git(doing: &'static str, path: &Path, error: gix::Error) -> Self {
        let inner = error.downcast_any_ref::<io::Error>();
        match inner.map(|inner| (inner.raw_os_error(), inner.kind())) {
            Some((Some(code), _)) => Self::io(doing, path, io::Error::from_raw_os_error(code)),
            Some((None, kind)) => Self::io(doing, path, io::Error::new(kind, error)),
            None => Self::Git { doing, source: Box::new(error) },
        }
    }

    /// Whether the same call may succeed in a moment: a lock that somebody
    /// holds, a disk that somebody clears.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::DiskFull { .. } | Self::LockHeld { .. })
    }

    /// Whether the disk may have what was asked although an error came back.
    #[must_use]
    pub fn is_unsettled(&self) -> bool {
        matches!(self, Self::Unsettled { .. })
    }
}
