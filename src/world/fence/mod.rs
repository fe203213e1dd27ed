//! The fence round an agent or a check: a description of what it may do, how
//! much of it this kernel can keep, and the keeping, between fork and exec.
//!
//! Promises: a fenced program writes below the folders that were granted and
//! nowhere else, sends signals to nobody but its own, and changes nobody's
//! limits; what was promised is kept or the program does not start; what this
//! kernel can't keep is named by the [`Grade`], never claimed.
//!
//! Limits: `docs/sandbox.md` has them all. Reading and the network are open;
//! landlock has no right for `chmod`, `flock` and (before its ninth version)
//! for connecting to a socket by path. A descriptor that was open before is not
//! asked again; the shim closes them.

mod container;
pub mod control;
mod enforce;
mod filter;
mod grade;
pub mod probe;
mod reading;
pub mod state;
mod support;

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub(in crate::world) use container::arguments;
pub use container::{sockets, try_bwrap};
pub use enforce::FenceError;
pub(in crate::world) use enforce::enforce;
pub use grade::{Grade, LEAST_ABI};
pub use support::{Absent, Support};

/// How much of the machine a program and everything that it starts may use
/// together. What can't be kept here is an error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// Processes and threads.
    pub processes: Option<u64>,
}

/// What a program may do. Everything that is not granted here is for reading.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fence {
    /// Folders below which everything may be written. Each must be there: a
    /// rule hangs on the folder, not on its name.
    #[serde(with = "paths")]
    pub writable: Vec<PathBuf>,
    /// Single files that may be written in place. Whoever replaces one by a
    /// rename has lost it.
    #[serde(with = "paths")]
    pub files: Vec<PathBuf>,
    /// What may not be read; whatever is in a folder, too.
    #[serde(with = "paths")]
    pub hidden: Vec<PathBuf>,
    /// What may be read although it lies below something hidden.
    #[serde(with = "paths")]
    pub readable: Vec<PathBuf>,
    /// `bwrap`, to put a box round the fence.
    #[serde(with = "maybe")]
    pub bwrap: Option<PathBuf>,
    /// How much of the machine it may use.
    pub bounds: Bounds,
    /// The version of landlock that was counted on; none is 0. A kernel with
    /// less is an error, not a weaker fence.
    pub abi: u32,
    /// Whether a filter keeps it from changing others' limits and priorities.
    pub filter: bool,
}

impl Fence {
    /// The fence that this machine can keep, with nothing granted yet.
    #[must_use]
    pub fn new(support: &Support) -> Self {
        Self { abi: support.usable_abi(), filter: support.filter, ..Self::default() }
    }

    /// Grants folders.
    #[must_use]
    pub fn with<P: AsRef<Path>>(mut self, folders: impl IntoIterator<Item = P>) -> Self {
        self.writable.extend(folders.into_iter().map(|folder| folder.as_ref().to_owned()));
        self
    }
}

/// Paths on the wire: they need not be UTF-8, JSON strings must be.
mod paths {
    use super::{Deserialize, OsStrExt, OsString, OsStringExt, PathBuf, Serialize};
    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(paths: &[PathBuf], to: S) -> Result<S::Ok, S::Error> {
        let bytes: Vec<&[u8]> = paths.iter().map(|path| path.as_os_str().as_bytes()).collect();
        bytes.serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Vec<PathBuf>, D::Error> {
        let bytes = Vec::<Vec<u8>>::deserialize(from)?;
        Ok(bytes.into_iter().map(|path| OsString::from_vec(path).into()).collect())
    }
}

/// The same for one that may be missing.
mod maybe {
    use super::{PathBuf, paths};
    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        path: &Option<PathBuf>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        paths::serialize(path.as_slice(), to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<PathBuf>, D::Error> {
        Ok(paths::deserialize(from)?.into_iter().next())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_is_no_text_survives_the_wire() {
        let path: PathBuf = OsString::from_vec(vec![b'/', 0xff, b'a']).into();
        let fence = Fence { abi: 7, bwrap: Some(path.clone()), ..Fence::default() }.with([&path]);
        let json = serde_json::to_vec(&fence).unwrap();
        assert_eq!(serde_json::from_slice::<Fence>(&json).unwrap(), fence);
    }
}
