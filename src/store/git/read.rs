//! Reading objects, and walking trees by them.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::time::Duration;

use gix::bstr::ByteSlice;
use gix::objs::tree::EntryKind;
use gix::objs::{Kind, TreeRefIter};

use super::Inner;
use super::chains::damaged;
use super::objects::Batch;
use crate::store::error::StoreError;

/// A hole is looked at again after these: a pack may be new, a copy on its way.
const PAUSES: [Duration; 3] =
    [Duration::from_millis(1), Duration::from_millis(5), Duration::from_millis(20)];

/// Finds objects in a batch that is not written yet, then in the repository.
pub(in crate::store) struct Finder<'a> {
    pub(in crate::store) inner: &'a Inner,
    pub(in crate::store) batch: &'a Batch,
}

impl gix::objs::Find for Finder<'_> {
    fn try_find<'a>(
        &self,
        id: &gix::oid,
        buffer: &'a mut Vec<u8>,
    ) -> gix::Result<Option<gix::objs::Data<'a>>> {
        let found = match self.batch.get(id) {
            Some(object) => Some((object.kind, object.data.clone())),
            None => self.inner.find(id).map_err(gix::Error::from_error)?,
        };
        let Some((kind, data)) = found else { return Ok(None) };
        *buffer = data;
        Ok(Some(gix::objs::Data { kind, object_hash: self.inner.hash, data: buffer }))
    }
}

impl Inner {
    /// An object of this kind.
    pub(in crate::store) fn object(
        &self,
        id: gix::ObjectId,
        kind: Kind,
    ) -> Result<Vec<u8>, StoreError> {
        let what = match kind {
            Kind::Commit => "commit",
            Kind::Tree => "tree",
            Kind::Blob | Kind::Tag => "object",
        };
        match self.find(&id)? {
            Some((found, data)) if found == kind => Ok(data),
            Some(_) | None => Err(damaged(what, &id, None)),
        }
    }

    /// An object, wherever it is: one that a prune took is put back first.
    pub(in crate::store) fn find(
        &self,
        id: &gix::oid,
    ) -> Result<Option<(Kind, Vec<u8>)>, StoreError> {
        for pause in PAUSES {
            match self.find_stored(id) {
                Ok(Some(found)) => return Ok(Some(found)),
                Ok(None) => {}
                Err(_) => self.reopen()?,
            }
            if self.restore(&BTreeSet::from([id.to_owned()]))? == 0 {
                std::thread::sleep(pause);
            }
        }
        self.find_stored(id)
    }

    fn find_stored(&self, id: &gix::oid) -> Result<Option<(Kind, Vec<u8>)>, StoreError> {
        if let Some(found) = self.read_loose_object(id) {
            return Ok(Some(found));
        }
        let repo = self.local();
        match repo.try_find_object(id) {
            Ok(found) => Ok(found.map(|object| {
                let object = object.detach();
                (object.kind, object.data)
            })),
            Err(error) => Err(damaged("object", id, Some(error))),
        }
    }

    /// The entry at a path below a tree.
    pub(in crate::store) fn lookup(
        &self,
        root: gix::ObjectId,
        path: &str,
    ) -> Result<Option<(EntryKind, gix::ObjectId)>, StoreError> {
        let mut at = (EntryKind::Tree, root);
        for part in path.split('/') {
            if at.0 != EntryKind::Tree {
                return Ok(None);
            }
            let data = self.object(at.1, Kind::Tree)?;
            let mut found = None;
            for entry in TreeRefIter::from_bytes(&data, self.hash) {
                let entry = entry.map_err(|error| damaged("tree", &at.1, Some(error)))?;
                if entry.filename == part {
                    found = Some((entry.mode.kind(), entry.oid.to_owned()));
                }
            }
            match found {
                Some(next) => at = next,
                None => return Ok(None),
            }
        }
        Ok(Some(at))
    }

    /// The paths of all files below a tree that stands at `folder`.
    pub(in crate::store) fn files_below(
        &self,
        tree: gix::ObjectId,
        folder: &str,
    ) -> Result<Vec<String>, StoreError> {
        let (mut files, mut trees) = (Vec::new(), vec![(tree, folder.to_owned())]);
        while let Some((tree, folder)) = trees.pop() {
            let data = self.object(tree, Kind::Tree)?;
            for entry in TreeRefIter::from_bytes(&data, self.hash) {
                let entry = entry.map_err(|error| damaged("tree", &tree, Some(error)))?;
                let name = entry.filename.to_str_lossy();
                let path =
                    if folder.is_empty() { name.into_owned() } else { format!("{folder}/{name}") };
                match entry.mode.kind() {
                    EntryKind::Tree => trees.push((entry.oid.to_owned(), path)),
                    EntryKind::Blob | EntryKind::BlobExecutable | EntryKind::Link => {
                        files.push(path);
                    }
                    EntryKind::Commit => {}
                }
            }
        }
        files.sort();
        Ok(files)
    }

    /// Syncs an object that somebody else wrote, when it is loose: git syncs
    /// packs, and loose objects only where it is told to.
    pub(in crate::store) fn sync_existing(&self, id: &gix::oid) -> Result<(), StoreError> {
        if !self.is_durable() {
            return Ok(());
        }
        let path = self.loose_path(id);
        let synced = File::open(&path)
            .and_then(|file| file.sync_all())
            .and_then(|()| self.sync_folders(path.parent().unwrap_or(&path), &self.objects_dir));
        match synced {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(StoreError::io("sync the object", &path, error)),
            Ok(()) => Ok(()),
        }
    }
}
