//! Objects: written loose, each synced before it gets its name, then the folders
//! that name it.
//!
//! Objects are always written, also when the database has them already: an old
//! unreachable copy can be taken by a prune that is at work, a packed one with
//! its pack. The file is synced before the rename, so a power cut leaves no
//! empty object behind. Temporary files have the names git uses, so that git
//! clears away what a killed process leaves.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use gix::objs::Kind;
use gix::zlib::{Compression, stream::deflate};

use super::Inner;
use crate::store::error::StoreError;
use crate::store::failpoint;

/// How often a file is written again after git took its folder away.
const FOLDER_RACES: u32 = 200;

/// The most syncs of one batch at a time, beside our own.
const THREADS: usize = 7;

/// What tells a folder from another one made later under its name.
pub(in crate::store) type Birth = (u64, SystemTime);

/// An object, not compressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) struct Raw {
    pub(in crate::store) id: gix::ObjectId,
    pub(in crate::store) kind: Kind,
    pub(in crate::store) data: Vec<u8>,
}

/// Objects that belong to one swap, in the order they are to be written.
#[derive(Debug)]
pub(in crate::store) struct Batch {
    hash: gix::hash::Kind,
    pub(in crate::store) objects: Vec<Raw>,
}

impl Batch {
    pub(in crate::store) fn new(hash: gix::hash::Kind) -> Self {
        Self { hash, objects: Vec::new() }
    }

    /// Adds an object and answers its id.
    pub(in crate::store) fn add(
        &mut self,
        kind: Kind,
        data: Vec<u8>,
    ) -> Result<gix::ObjectId, StoreError> {
        let id = gix::objs::compute_hash(self.hash, kind, &data).map_err(|error| {
            StoreError::Git { doing: "hash an object", source: Box::new(error) }
        })?;
        if !self.objects.iter().any(|object| object.id == id) {
            self.objects.push(Raw { id, kind, data });
        }
        Ok(id)
    }

    /// An object of this batch.
    pub(in crate::store) fn get(&self, id: &gix::oid) -> Option<&Raw> {
        self.objects.iter().find(|object| object.id == id)
    }
}

impl Inner {
    /// The file of a loose object.
    pub(in crate::store) fn loose_path(&self, id: &gix::oid) -> PathBuf {
        let hex = id.to_string();
        let (folder, file) = hex.split_at(2);
        self.objects_dir.join(folder).join(file)
    }

    /// Writes objects and syncs them and their folders.
    pub(in crate::store) fn write_objects(&self, objects: &[Raw]) -> Result<(), StoreError> {
        let staged = self.stage(objects)?;
        self.settle(staged, &[])
    }

    /// Writes objects under temporary names, not yet synced: what is dropped
    /// here was cheap.
    pub(in crate::store) fn stage<'a>(
        &self,
        objects: &'a [Raw],
    ) -> Result<Vec<Staged<'a>>, StoreError> {
        objects.iter().map(|object| self.stage_one(object)).collect()
    }

    fn stage_one<'a>(&self, object: &'a Raw) -> Result<Staged<'a>, StoreError> {
        let path = self.loose_path(&object.id);
        let failed = |error| StoreError::io("write the object", &path, error);
        let folder = path.parent().unwrap_or(&path);
        let mut races = 0;
        loop {
            match temporary(folder) {
                Ok((temporary, file)) => {
                    let file = fill(object, &temporary, file).map_err(failed)?;
                    let path = path.clone();
                    return Ok(Staged { object, temporary: Some(temporary), file, path });
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound && races < FOLDER_RACES => {
                    races += 1;
                    make_folder(folder).map_err(failed)?;
                }
                Err(error) => return Err(failed(error)),
            }
        }
    }

    /// Syncs staged objects (and files beside them, at the same time), gives
    /// them their names, syncs the folders.
    pub(in crate::store) fn settle(
        &self,
        staged: Vec<Staged<'_>>,
        beside: &[(PathBuf, File)],
    ) -> Result<(), StoreError> {
        let failed = |path: &Path, error| StoreError::io("write the object", path, error);
        if self.is_durable() && !failpoint::mutant("no-object-sync") {
            let beside = beside.iter().map(|(path, file)| (path, file));
            let files: Vec<_> =
                staged.iter().map(|one| (&one.path, &one.file)).chain(beside).collect();
            each(&files, |(path, file)| file.sync_all().map_err(|error| failed(path, error)))?;
        }
        let mut folders = BTreeSet::new();
        let mut again = Vec::new();
        for one in staged {
            failpoint::hit("object.written").map_err(|error| failed(&one.path, error))?;
            folders.extend(one.path.parent().map(Path::to_owned));
            let (object, path) = (one.object, one.path.clone());
            match one.rename() {
                Err(error) if error.kind() == io::ErrorKind::NotFound => again.push(object.clone()),
                Err(error) => return Err(failed(&path, error)),
                Ok(()) => {}
            }
            failpoint::hit("object.placed").map_err(|error| failed(&path, error))?;
        }
        if !again.is_empty() {
            // A prune took the temporary file: git clears those away, too.
            self.write_objects(&again)?;
        }
        self.sync_all_folders(folders, &self.objects_dir)
    }

    /// As [`Inner::sync_folders`] for several, all at the same time. One that
    /// is gone went with what was in it: the check after the swap and the
    /// re-check see to the objects.
    fn sync_all_folders(&self, folders: BTreeSet<PathBuf>, top: &Path) -> Result<(), StoreError> {
        if !self.is_durable() || failpoint::mutant("no-folder-sync") {
            return Ok(());
        }
        let failed = |path: &Path, error| StoreError::io("sync the folder", path, error);
        let (mut wanted, mut births) = (BTreeSet::new(), Vec::new());
        for folder in folders {
            match self.unknown_above(&folder, top, &mut births) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(failed(&folder, error)),
                Ok(above) => wanted.extend(above),
            }
            wanted.insert(folder);
        }
        let wanted: Vec<PathBuf> = wanted.into_iter().collect();
        each(&wanted, |path| match File::open(path).and_then(|folder| folder.sync_all()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other.map_err(|error| failed(path, error)),
        })?;
        self.synced().extend(births);
        Ok(())
    }

    /// Syncs a folder and, up to `top`, every folder whose entry may be new, at
    /// the same time.
    pub(in crate::store) fn sync_folders(&self, folder: &Path, top: &Path) -> io::Result<()> {
        if !self.is_durable() || failpoint::mutant("no-folder-sync") {
            return Ok(());
        }
        let mut births = Vec::new();
        let mut wanted = self.unknown_above(folder, top, &mut births)?;
        wanted.push(folder.to_owned());
        each(&wanted, |path| File::open(path)?.sync_all())?;
        self.synced().extend(births);
        Ok(())
    }

    /// The folders above this one, up to `top`, that hold an entry which is not
    /// known to be on disk; and what is known of these entries once they are.
    fn unknown_above(
        &self,
        folder: &Path,
        top: &Path,
        births: &mut Vec<(PathBuf, Birth)>,
    ) -> io::Result<Vec<PathBuf>> {
        let (mut wanted, mut below) = (Vec::new(), folder);
        while below != top {
            let Some(above) = below.parent() else { break };
            let birth = birth(below)?;
            if birth.is_some() && self.synced().get(below) == birth.as_ref() {
                break;
            }
            wanted.push(above.to_owned());
            births.extend(birth.map(|birth| (below.to_owned(), birth)));
            below = above;
        }
        Ok(wanted)
    }
}

/// An object under a temporary name, which goes away with the value.
#[derive(Debug)]
pub(in crate::store) struct Staged<'a> {
    object: &'a Raw,
    path: PathBuf,
    temporary: Option<PathBuf>,
    file: File,
}

impl Staged<'_> {
    fn rename(mut self) -> io::Result<()> {
        let temporary = self.temporary.as_ref().expect("it is taken only here");
        fs::rename(temporary, &self.path)?;
        self.temporary = None;
        Ok(())
    }
}

impl Drop for Staged<'_> {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            let _ = fs::remove_file(temporary);
        }
    }
}

/// Runs `work` on all at the same time: syncs that overlap share one commit of
/// the file system's journal.
fn each<T: Sync, E: Send>(all: &[T], work: impl Fn(&T) -> Result<(), E> + Sync) -> Result<(), E> {
    match all {
        [] => Ok(()),
        [one] => work(one),
        [first, rest @ ..] => std::thread::scope(|scope| {
            let work = &work;
            let others: Vec<_> = rest
                .chunks(rest.len().div_ceil(THREADS))
                .map(|part| scope.spawn(move || part.iter().try_for_each(work)))
                .collect();
            let mine = work(first);
            others.into_iter().fold(mine, |sum, other| {
                let other = other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                sum.and(other)
            })
        }),
    }
}

/// Fills a temporary file, and removes it when that fails.
fn fill(object: &Raw, temporary: &Path, file: File) -> io::Result<File> {
    let mut out = deflate::Write::new(file, Compression::BEST_SPEED);
    let head = gix::objs::encode::loose_header(object.kind, object.data.len() as u64);
    let written = failpoint::hit("object.fill")
        .and_then(|()| out.write_all(&head))
        .and_then(|()| out.write_all(&object.data))
        .and_then(|()| out.flush());
    match written {
        Ok(()) => Ok(out.into_inner()),
        Err(error) => {
            let _ = fs::remove_file(temporary);
            Err(error)
        }
    }
}

/// A folder's identity, `None` where the file system does not tell births.
fn birth(folder: &Path) -> io::Result<Option<Birth>> {
    let meta = fs::metadata(folder)?;
    Ok(meta.created().ok().map(|created| (meta.ino(), created)))
}

/// Makes a folder and what is above it; one that is there is fine.
pub(in crate::store) fn make_folder(folder: &Path) -> io::Result<()> {
    match fs::create_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        // Taken away between two levels: the caller comes again.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn temporary(folder: &Path) -> io::Result<(PathBuf, File)> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    loop {
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!("tmp_obj_crew{}_{n}", std::process::id()));
        match OpenOptions::new().write(true).create_new(true).mode(0o444).open(&path) {
            Ok(file) => return Ok((path, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}
