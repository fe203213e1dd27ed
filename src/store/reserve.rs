//! Room on the disk that is kept for a run's last words: a file of ours that is
//! given up when the disk is full, so that how the attempts ended can still be
//! written, and that nobody holds the run any more.
//!
//! It is made when a run begins or is taken up, so also after it was used. Every
//! process of the repository shares it; who gives it up has to stop.
//!
//! Limits: a program that goes on filling the disk takes this room as well, and
//! a file system that has run out of files, not of bytes, gains one only.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::error::StoreError;
use super::git::GitStore;
use super::git::objects::make_folder;
use crate::domain::defaults;

/// The least that one small append takes: with less left a disk is full.
const LEAST: usize = 64 << 10;

impl GitStore {
    /// Makes the reserve, unless it is there.
    ///
    /// # Errors
    /// `DiskFull` when there is no room for it: there is none for a run either.
    pub fn make_reserve(&self) -> Result<(), StoreError> {
        let path = self.reserve_path();
        let failed = |error| StoreError::io("write", &path, error);
        let size = defaults::RESERVE as u64;
        let is_whole = |meta: &fs::Metadata| meta.len() == size && meta.blocks() * 512 >= size;
        if fs::metadata(&path).as_ref().is_ok_and(is_whole) {
            return Ok(());
        }
        make_folder(&self.inner.crew_dir()).map_err(failed)?;
        let new = path.with_extension(std::process::id().to_string());
        let made = fill(&new, defaults::RESERVE).and_then(|()| fs::rename(&new, &path));
        made.inspect_err(|_| drop(fs::remove_file(&new))).map_err(failed)
    }

    /// Gives the reserve's room back. It is made again by the next
    /// [`GitStore::make_reserve`].
    pub fn release_reserve(&self) {
        if let Err(error) = fs::remove_file(self.reserve_path()) {
            tracing::warn!(%error, "no room was kept in reserve");
        }
    }

    /// Whether there is no room for one more append, by trying.
    #[must_use]
    pub fn is_full(&self) -> bool {
        let probe = self.reserve_path().with_extension(format!("probe{}", std::process::id()));
        let tried = fill(&probe, LEAST);
        // Whether or not it was made.
        let _ = fs::remove_file(&probe);
        let full = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded];
        tried.is_err_and(|error| full.contains(&error.kind()))
    }

    fn reserve_path(&self) -> PathBuf {
        self.inner.crew_dir().join("reserve")
    }
}

/// Writes bytes that no file system can make smaller.
fn fill(path: &Path, size: usize) -> io::Result<()> {
    let mut bytes = vec![0; size];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    OpenOptions::new().write(true).create(true).truncate(true).open(path)?.write_all(&bytes)
}
