//! What `init` found and what it made, so that it can be taken back.
//!
//! Before the first object is written, `crew/init.json` says which folders were
//! there; afterwards, which commit was made. A process killed in between leaves
//! the first half, and whoever makes the journal then goes on with it.
//!
//! [`GitStore::forget`] promises: what was there before an init alone is there
//! byte for byte, modes included; a ref goes only from the value that the caller
//! saw, and nothing goes while another process holds a run; a file that is not
//! known to be ours stays.
//!
//! Limit: what git itself did to our refs and objects since (packed them, removed
//! what was unreachable) is not turned back; nothing of the user's is in that.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::chain::Chains;
use super::error::StoreError;
use super::git::objects::make_folder;
use super::git::swap::remove_empty_folders;
use super::git::{GitStore, Inner, hash};
use super::holder::{self, Liveness};
use super::names::{ALL, RefName};
use crate::domain::id::{HolderId, Oid};

/// The folders that an init may make, beside the objects'.
const FOLDERS: [&str; 3] = ["crew", "refs/crew", "refs/refs"];

/// What we keep in `crew/`. What was put into quarantine is not ours to delete.
const OURS: [&str; 9] = [
    "background",
    "boot",
    "holders",
    "live",
    "recent",
    "reserve",
    "trust",
    "write.lock",
    "init.json",
];

/// What became of an attempt to take everything back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Forgotten {
    /// All of it is gone, but for these files, which are not ours to delete.
    Done(Vec<PathBuf>),
    /// Nothing was changed: this holder lives, or can't be told from one that does.
    Held(HolderId, Liveness),
    /// Somebody is at work on our refs; what is gone is gone.
    Moved,
}

/// The file itself.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    /// Its format.
    version: String,
    /// Which of our folders, and which of the objects', were there before.
    folders: BTreeSet<String>,
    /// The file of the empty tree as it was: ours takes its place.
    empty_tree: Option<Vec<u8>>,
    /// What was made.
    made: Option<Made>,
}

/// What an init made.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Made {
    commit: Oid,
    tree: Oid,
    /// When the tree's file was written, in seconds and nanoseconds. git touches
    /// an object that it would write again: then it is no longer ours alone.
    tree_written: Option<(i64, i64)>,
}

impl GitStore {
    /// Writes down what is there before anything is made, unless that was done.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn remember_before(&self) -> Result<(), StoreError> {
        let inner = &self.inner;
        let path = inner.record_path();
        if path.exists() {
            return Ok(());
        }
        let mut folders = BTreeSet::new();
        for name in FOLDERS {
            if inner.common_dir.join(name).is_dir() {
                folders.insert(name.to_owned());
            }
        }
        let objects = &inner.objects_dir;
        let failed = |error| StoreError::io("list the folder", objects, error);
        for entry in fs::read_dir(objects).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
            if name.len() == 2 {
                folders.insert(format!("objects/{name}"));
            }
        }
        let tree = inner.loose_path(&hash(&self.empty_tree()));
        let empty_tree = match fs::read(&tree) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(StoreError::io("read the object", &tree, error)),
        };
        let record = Record { version: "1.0".into(), folders, empty_tree, made: None };
        inner.write_record(&record, true)
    }

    /// Completes what [`GitStore::remember_before`] began: this commit was made.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn remember_made(&self, commit: &Oid) -> Result<(), StoreError> {
        let Some(mut record) = self.inner.read_record() else { return Ok(()) };
        if record.made.is_some() {
            return Ok(());
        }
        let tree = self.entry(commit)?.tree;
        let written = fs::metadata(self.inner.loose_path(&hash(&tree)));
        let tree_written = written.ok().map(|meta| (meta.mtime(), meta.mtime_nsec()));
        record.made = Some(Made { commit: commit.clone(), tree, tree_written });
        self.inner.write_record(&record, false)
    }
}

impl GitStore {
    /// Every ref of ours, as it is: what [`GitStore::forget`] has to be told.
    ///
    /// # Errors
    /// Whatever the store says.
    pub fn ours(&self) -> Result<Vec<(RefName, Oid)>, StoreError> {
        let mut all = self.list(ALL)?;
        let notes = RefName::notes();
        all.extend(self.tip(&notes)?.map(|tip| (notes, tip)));
        Ok(all)
    }

    /// Whether there is anything of an init.
    #[must_use]
    pub fn is_initialised(&self) -> bool {
        let inner = &self.inner;
        inner.record_path().exists() || inner.ref_path(RefName::alias().as_str()).exists()
    }

    /// Removes these refs, which are all there are, the alias, and what an init
    /// made. The objects of an init go only where it was all that was written;
    /// others stay until git's own housekeeping.
    ///
    /// # Errors
    /// Whatever the file system says; calling it again goes on from there.
    pub fn forget(&self, refs: &[(RefName, Oid)]) -> Result<Forgotten, StoreError> {
        let inner = &self.inner;
        let Some(alone) = inner.alone()? else { return Ok(Forgotten::Moved) };
        for (id, life) in holder::all(self)? {
            if life != Liveness::Dead {
                return Ok(Forgotten::Held(id, life));
            }
        }
        if self.ours()? != refs {
            return Ok(Forgotten::Moved);
        }
        let mut record = inner.read_record();
        let is_made = |record: &Record, tip: &Oid| {
            record.made.as_ref().is_some_and(|made| made.commit == *tip)
        };
        if let Some(record) = &mut record
            && !refs.iter().all(|(name, tip)| *name == RefName::journal() && is_made(record, tip))
        {
            // Others build on it; a second try must know that as well.
            record.made = None;
            inner.write_record(record, false)?;
        }
        if !inner.forget_refs(refs)? {
            return Ok(Forgotten::Moved);
        }
        if let Some(made) = record.as_ref().and_then(|record| record.made.clone()) {
            inner.forget_objects(&made, record.as_ref())?;
        }
        inner.forget_folders(record.as_ref())?;
        drop(alone);
        Ok(Forgotten::Done(inner.rest()))
    }
}

impl Inner {
    /// The alias first: one that dangles makes fsck fail.
    fn forget_refs(&self, refs: &[(RefName, Oid)]) -> Result<bool, StoreError> {
        remove(&self.ref_path(RefName::alias().as_str()))?;
        for (name, tip) in refs {
            let path = self.ref_path(name.as_str());
            let removed = self.until_done(&path, || self.remove_once(name, hash(tip)))?;
            if removed.won().is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn forget_objects(&self, made: &Made, record: Option<&Record>) -> Result<(), StoreError> {
        let known = |folder: &Path| {
            let name = folder.file_name().unwrap_or_default().to_string_lossy();
            record.is_some_and(|record| record.folders.contains(&format!("objects/{name}")))
        };
        let commit = self.loose_path(&hash(&made.commit));
        let tree = self.loose_path(&hash(&made.tree));
        remove(&commit)?;
        let written = fs::metadata(&tree).ok().map(|meta| (meta.mtime(), meta.mtime_nsec()));
        match record.and_then(|record| record.empty_tree.as_ref()) {
            Some(bytes) => put_back(&tree, bytes)?,
            None if written == made.tree_written => remove(&tree)?,
            None => {}
        }
        for path in [&commit, &tree] {
            if let Some(folder) = path.parent().filter(|folder| !known(folder)) {
                // One that is not empty has become the user's.
                let _ = fs::remove_dir(folder);
            }
        }
        Ok(())
    }

    fn forget_folders(&self, record: Option<&Record>) -> Result<(), StoreError> {
        let crew = self.crew_dir();
        let unfinished = fs::read_dir(&crew).into_iter().flatten().flatten();
        let unfinished = unfinished.map(|entry| entry.file_name());
        let unfinished = unfinished.filter(|name| name.as_encoded_bytes().starts_with(b".tmp"));
        for name in unfinished.chain(OURS.map(OsString::from)) {
            let path = crew.join(name);
            let gone = match fs::symlink_metadata(&path) {
                Ok(meta) if meta.is_dir() => fs::remove_dir_all(&path),
                Ok(_) => fs::remove_file(&path),
                Err(_) => Ok(()),
            };
            match gone {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(StoreError::io("remove", &path, error));
                }
                Ok(()) | Err(_) => {}
            }
        }
        for name in FOLDERS {
            let path = self.common_dir.join(name);
            if record.is_some_and(|record| record.folders.contains(name)) {
                make_folder(&path).map_err(|error| StoreError::io("make", &path, error))?;
            } else {
                remove_empty_folders(&path);
            }
        }
        Ok(())
    }

    /// What is still there of ours.
    fn rest(&self) -> Vec<PathBuf> {
        let quarantine = self.crew_dir().join("quarantine");
        let foreign = self.common_dir.join("refs/crew");
        let is_full =
            |path: &PathBuf| fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some());
        [quarantine, foreign].into_iter().filter(is_full).collect()
    }

    fn record_path(&self) -> PathBuf {
        self.crew_dir().join("init.json")
    }

    /// `None` when there is none, or one that can't be read: then nothing is
    /// known to be ours beyond what our names say.
    fn read_record(&self) -> Option<Record> {
        let bytes = fs::read(self.record_path()).ok()?;
        let record: Record = serde_json::from_slice(&bytes).ok()?;
        record.version.starts_with("1.").then_some(record)
    }

    fn write_record(&self, record: &Record, first: bool) -> Result<(), StoreError> {
        let path = self.record_path();
        let failed = |error| StoreError::io("write", &path, error);
        let folder = self.crew_dir();
        make_folder(&folder).map_err(failed)?;
        let mut file = tempfile::NamedTempFile::new_in(&folder).map_err(failed)?;
        let bytes = serde_json::to_vec(record).map_err(|error| failed(error.into()))?;
        file.write_all(&bytes).map_err(failed)?;
        file.as_file().sync_all().map_err(failed)?;
        let kept = if first { file.persist_noclobber(&path) } else { file.persist(&path) };
        match kept {
            Ok(_) => Ok(()),
            // Another process was faster; what it saw is as good.
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(failed(error.error)),
        }
    }
}

fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(StoreError::io("remove", path, error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Gives an object the bytes that it had: git's are as good as ours, and were
/// there first.
fn put_back(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    if fs::read(path).is_ok_and(|now| now == bytes) {
        return Ok(());
    }
    let failed = |error| StoreError::io("write the object", path, error);
    let folder = path.parent().unwrap_or(path);
    make_folder(folder).map_err(failed)?;
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    file.as_file().set_permissions(fs::Permissions::from_mode(0o444)).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(path).map(drop).map_err(|error| failed(error.error))
}
