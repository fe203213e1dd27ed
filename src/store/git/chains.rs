//! The contract of chains, kept on a git repository.

use gix::bstr::ByteSlice;
use gix::objs::tree::EntryKind;
use gix::objs::{CommitRef, Kind, Tree, WriteTo};

use super::objects::{Batch, Raw};
use super::read::Finder;
use super::{GitStore, Inner, hash, oid};
use crate::domain::id::Oid;
use crate::domain::time::Timestamp;
use crate::store::chain::{
    Chains, Entry, NewEntry, Person, Swap, TreeEdit, check_entry, check_path,
};
use crate::store::error::StoreError;
use crate::store::names::RefName;

impl Chains for GitStore {
    fn tip(&self, name: &RefName) -> Result<Option<Oid>, StoreError> {
        Ok(self.inner.read_ref(name.as_str())?.map(oid))
    }

    fn entry(&self, id: &Oid) -> Result<Entry, StoreError> {
        self.inner.entry(hash(id))
    }

    fn file(&self, commit: &Oid, path: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let tree = self.inner.entry(hash(commit))?.tree;
        let Some((kind, id)) = self.inner.lookup(hash(&tree), path)? else { return Ok(None) };
        match kind {
            EntryKind::Blob | EntryKind::BlobExecutable | EntryKind::Link => {
                self.inner.object(id, Kind::Blob).map(Some)
            }
            EntryKind::Tree | EntryKind::Commit => Ok(None),
        }
    }

    fn files(&self, commit: &Oid, folder: &str) -> Result<Vec<String>, StoreError> {
        let root = hash(&self.inner.entry(hash(commit))?.tree);
        if folder.is_empty() {
            return self.inner.files_below(root, "");
        }
        match self.inner.lookup(root, folder)? {
            Some((EntryKind::Tree, id)) => self.inner.files_below(id, folder),
            Some(_) | None => Ok(Vec::new()),
        }
    }

    fn append(
        &self,
        name: &RefName,
        expected: Option<&Oid>,
        entries: &[NewEntry],
    ) -> Result<Swap, StoreError> {
        let expected = expected.map(hash);
        let current = self.inner.read_ref(name.as_str())?;
        if current != expected {
            return Ok(Swap::Lost(current.map(oid)));
        }
        let mut batch = Batch::new(self.inner.hash);
        let mut parent = expected.map(|id| self.inner.parent(id)).transpose()?;
        for new in entries {
            parent = Some(self.inner.build(&mut batch, parent.as_ref(), new)?);
        }
        let Some(last) = parent.filter(|_| !entries.is_empty()) else {
            return Err(StoreError::Invalid { what: "no entries".into() });
        };
        self.inner.recover_once()?;
        self.inner.commit_batch(name, expected, last.id, &batch)
    }

    fn point(&self, name: &RefName, expected: Option<&Oid>, new: &Oid) -> Result<Swap, StoreError> {
        let id = hash(new);
        self.inner.recover_once()?;
        self.inner.entry(id)?;
        self.inner.sync_existing(&id)?;
        self.inner.swap(name, expected.map(hash), id)
    }

    fn remove(&self, name: &RefName, expected: &Oid) -> Result<Swap, StoreError> {
        name.check_removable()?;
        self.inner.remove_ref(name, hash(expected))
    }

    fn list(&self, prefix: &str) -> Result<Vec<(RefName, Oid)>, StoreError> {
        self.inner.list_refs(prefix)
    }

    fn make_alias(&self) -> Result<(), StoreError> {
        self.inner.make_alias()
    }

    fn recheck(&self) -> Result<usize, StoreError> {
        self.inner.recheck_recent()
    }
}

/// What a new entry needs to know of the one before it.
struct Parent {
    id: gix::ObjectId,
    tree: gix::ObjectId,
    seconds: i64,
}

impl Inner {
    fn parent(&self, id: gix::ObjectId) -> Result<Parent, StoreError> {
        let entry = self.entry(id)?;
        Ok(Parent { id, tree: hash(&entry.tree), seconds: entry.at.seconds() })
    }

    /// Reads a commit.
    pub(in crate::store) fn entry(&self, id: gix::ObjectId) -> Result<Entry, StoreError> {
        let data = self.object(id, Kind::Commit)?;
        let read = || -> Result<Entry, gix::Error> {
            let commit = CommitRef::from_bytes(&data, self.hash)?;
            let author = commit.author()?;
            let text = |text: &gix::bstr::BStr| text.to_str_lossy().into_owned();
            Ok(Entry {
                id: oid(id),
                parents: commit.parents().map(oid).collect(),
                tree: oid(commit.tree()),
                message: text(commit.message),
                author: Person::new(text(author.name), text(author.email)),
                at: Timestamp(commit.committer()?.time()?.seconds.saturating_mul(1000)),
            })
        };
        read().map_err(|error| damaged("commit", &id, Some(error)))
    }

    /// Writes a batch, keeps a copy of it, moves the ref, and looks whether a
    /// prune took something in between.
    fn commit_batch(
        &self,
        name: &RefName,
        expected: Option<gix::ObjectId>,
        new: gix::ObjectId,
        batch: &Batch,
    ) -> Result<Swap, StoreError> {
        let path = self.ref_path(name.as_str());
        let failed = |error| StoreError::io("write the ref", &path, error);
        let staged = self.stage(&batch.objects)?;
        let current = self.read_ref(name.as_str())?;
        if current != expected {
            return Ok(Swap::Lost(current.map(oid)));
        }
        let copies = self.record_recent(&batch.objects)?;
        let mut staged = Some(staged);
        let swap = self.swap_with(name, expected, new, &mut |lock| match staged.take() {
            Some(staged) => {
                let mut beside = vec![(copies.0.clone(), copies.1.try_clone().map_err(failed)?)];
                beside.extend(lock);
                self.settle(staged, &beside)
            }
            // Only the lock had to be taken again.
            None => lock.map_or(Ok(()), |(_, lock)| lock.sync_all().map_err(failed)),
        })?;
        let is_gone = |object: &&Raw| !self.loose_path(&object.id).exists();
        if swap.won().is_some() && batch.objects.iter().any(|object| is_gone(&object)) {
            let gone: Vec<Raw> = batch.objects.iter().filter(is_gone).cloned().collect();
            self.write_objects(&gone).map_err(|error| StoreError::Unsettled {
                name: name.clone(),
                source: Box::new(error),
            })?;
        }
        Ok(swap)
    }

    fn build(
        &self,
        batch: &mut Batch,
        parent: Option<&Parent>,
        new: &NewEntry,
    ) -> Result<Parent, StoreError> {
        check_entry(new)?;
        for extra in &new.extra_parents {
            self.entry(hash(extra))?;
        }
        let empty = gix::ObjectId::empty_tree(self.hash);
        let before = parent.map_or(empty, |parent| parent.tree);
        let tree = match &new.tree {
            TreeEdit::Keep if parent.is_none() => batch.add(Kind::Tree, Vec::new())?,
            TreeEdit::Keep => before,
            TreeEdit::Whole(tree) => {
                self.object(hash(tree), Kind::Tree)?;
                hash(tree)
            }
            TreeEdit::Put(edits) => self.edit_tree(batch, before, edits)?,
        };
        let seconds = new.at.seconds().max(parent.map_or(0, |parent| parent.seconds));
        let first = parent.map(|parent| parent.id);
        let parents: Vec<_> = first.into_iter().chain(new.extra_parents.iter().map(hash)).collect();
        let data = commit_bytes(&tree, &parents, seconds, new);
        let id = batch.add(Kind::Commit, data)?;
        Ok(Parent { id, tree, seconds })
    }

    fn edit_tree(
        &self,
        batch: &mut Batch,
        before: gix::ObjectId,
        edits: &std::collections::BTreeMap<String, Option<Vec<u8>>>,
    ) -> Result<gix::ObjectId, StoreError> {
        let root = self.tree(batch, before)?;
        let mut blobs = Batch::new(self.hash);
        let finder = Finder { inner: self, batch };
        let mut editor = gix::objs::tree::Editor::new(root, &finder, self.hash);
        let failed = |error| StoreError::Git { doing: "edit a tree", source: Box::new(error) };
        for (path, data) in edits {
            check_path(path)?;
            match data {
                Some(data) => {
                    let id = blobs.add(Kind::Blob, data.clone())?;
                    editor.upsert(path.split('/'), EntryKind::Blob, id).map_err(failed)?;
                }
                None => drop(editor.remove(path.split('/')).map_err(failed)?),
            }
        }
        let id = editor.write(|tree| {
            let mut data = Vec::new();
            tree.write_to(&mut data)
                .map_err(|error| StoreError::Git { doing: "write a tree", source: error.into() })?;
            blobs.add(Kind::Tree, data)
        })?;
        for object in blobs.objects {
            batch.add(object.kind, object.data)?;
        }
        Ok(id)
    }

    fn tree(&self, batch: &Batch, id: gix::ObjectId) -> Result<Tree, StoreError> {
        let data = match batch.get(&id) {
            Some(object) => object.data.clone(),
            None => self.object(id, Kind::Tree)?,
        };
        gix::objs::TreeRef::from_bytes(&data, self.hash)
            .and_then(|tree| tree.entries.iter().map(|entry| Ok((*entry).into())).collect())
            .map(|entries| Tree { entries })
            .map_err(|error| damaged("tree", &id, Some(error)))
    }
}

pub(in crate::store) fn commit_bytes(
    tree: &gix::oid,
    parents: &[gix::ObjectId],
    seconds: i64,
    new: &NewEntry,
) -> Vec<u8> {
    let mut text = format!("tree {tree}\n");
    for parent in parents {
        text.push_str(&format!("parent {parent}\n"));
    }
    let committer = new.committer.as_ref().unwrap_or(&new.author);
    for (role, person) in [("author", &new.author), ("committer", committer)] {
        text.push_str(&format!("{role} {} <{}> {seconds} +0000\n", person.name, person.email));
    }
    text.push('\n');
    text.push_str(&new.message);
    text.into_bytes()
}

pub(in crate::store) fn damaged(
    what: &'static str,
    id: &gix::oid,
    source: Option<gix::Error>,
) -> StoreError {
    StoreError::Damaged { what, name: id.to_string(), source: source.map(|e| Box::new(e) as _) }
}
