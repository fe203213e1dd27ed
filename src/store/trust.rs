//! Which objects a person has trusted to run here: `crew/trust`, a line
//! `<object id> <path>` each.
//!
//! It is a file and no ref: trust is this person's on this machine, and must not
//! arrive with a fetch. It is written whole under git's own kind of lock, so that
//! two commands at a time lose nothing of each other's.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use gix::lock::acquire::Fail;

use super::error::StoreError;
use super::git::objects::make_folder;
use super::git::{GitStore, hash, oid};
use crate::domain::id::Oid;

/// How long another command that writes the file is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

impl GitStore {
    /// The object at a path of a commit.
    ///
    /// # Errors
    /// `Damaged` when the commit or a tree can't be read.
    pub fn object_at(&self, commit: &Oid, path: &str) -> Result<Option<Oid>, StoreError> {
        let tree = self.tree_of(commit)?;
        Ok(self.inner.lookup(hash(&tree), path)?.map(|(_, id)| oid(id)))
    }

    /// The trusted objects, each with the path under which it was trusted. Lines
    /// that say something else trust nothing.
    ///
    /// # Errors
    /// The file can't be read.
    pub fn trusted(&self) -> Result<BTreeMap<Oid, String>, StoreError> {
        let path = self.trust_path();
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
            Err(error) => return Err(StoreError::io("read", &path, error)),
        };
        let text = String::from_utf8_lossy(&text);
        let line = |line: &str| {
            let (id, path) = line.split_once(' ')?;
            Some((id.parse().ok()?, path.to_owned()))
        };
        Ok(text.lines().filter_map(line).collect())
    }

    /// Changes what is trusted.
    ///
    /// # Errors
    /// The file can't be written, or somebody else writes it for too long.
    pub fn change_trust(
        &self,
        change: impl FnOnce(&mut BTreeMap<Oid, String>),
    ) -> Result<(), StoreError> {
        let path = self.trust_path();
        let failed = |error| StoreError::io("write", &path, error);
        make_folder(&self.inner.crew_dir()).map_err(failed)?;
        let wait = Fail::AfterDurationWithBackoff(PATIENCE);
        let mut lock = gix::lock::File::acquire_to_update_resource(&path, wait, None, 0)
            .map_err(|error| StoreError::git("lock the list of trusted files", &path, error))?;
        let mut all = self.trusted()?;
        change(&mut all);
        for (id, path) in &all {
            writeln!(lock, "{id} {path}").map_err(failed)?;
        }
        lock.with_mut(|file| file.sync_all()).map_err(failed)?;
        lock.commit().map(drop).map_err(|error| failed(error.error))
    }

    fn trust_path(&self) -> PathBuf {
        self.inner.crew_dir().join("trust")
    }
}
