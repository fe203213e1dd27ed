//! Chains in memory, for tests of everything above the store and as the model
//! that the git chains are compared with. Nothing survives the value; clones
//! share it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sha2::{Digest, Sha256};

use super::chain::{Chains, Entry, NewEntry, Swap, TreeEdit, check_entry, check_path};
use super::error::StoreError;
use super::names::{RefKind, RefName};
use crate::domain::id::Oid;
use crate::domain::time::Timestamp;

type Files = BTreeMap<String, Vec<u8>>;

#[derive(Debug, Default)]
struct State {
    refs: BTreeMap<RefName, Oid>,
    commits: BTreeMap<Oid, Entry>,
    trees: BTreeMap<Oid, Files>,
}

/// A store that is gone with its last clone.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    state: Arc<Mutex<State>>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn digest(kind: &str, parts: &[&[u8]]) -> Oid {
    let mut hasher = Sha256::new();
    hasher.update(kind.as_bytes());
    for part in parts {
        hasher.update(part.len().to_le_bytes());
        hasher.update(part);
    }
    let hex: String = hasher.finalize().iter().take(20).map(|byte| format!("{byte:02x}")).collect();
    hex.parse().expect("forty digits are an object id")
}

fn damaged(what: &'static str, id: &Oid) -> StoreError {
    StoreError::Damaged { what, name: id.to_string(), source: None }
}

impl State {
    fn commit(&self, id: &Oid) -> Result<&Entry, StoreError> {
        self.commits.get(id).ok_or_else(|| damaged("commit", id))
    }

    fn tree(&self, id: &Oid) -> Result<&Files, StoreError> {
        self.trees.get(id).ok_or_else(|| damaged("tree", id))
    }

    fn keep_tree(&mut self, files: Files) -> Oid {
        let parts: Vec<&[u8]> =
            files.iter().flat_map(|(path, data)| [path.as_bytes(), data.as_slice()]).collect();
        let id = digest("tree", &parts);
        self.trees.insert(id.clone(), files);
        id
    }

    fn new_tree(&mut self, parent: Option<&Entry>, edit: &TreeEdit) -> Result<Oid, StoreError> {
        let mut files = match parent {
            Some(parent) => self.tree(&parent.tree)?.clone(),
            None => Files::new(),
        };
        match edit {
            TreeEdit::Keep => {}
            TreeEdit::Whole(tree) => {
                self.tree(tree)?;
                return Ok(tree.clone());
            }
            TreeEdit::Put(edits) => {
                for (path, data) in edits {
                    check_path(path)?;
                    put(&mut files, path, data.as_deref());
                }
            }
        }
        Ok(self.keep_tree(files))
    }

    fn add(&mut self, parent: Option<&Oid>, new: &NewEntry) -> Result<Oid, StoreError> {
        check_entry(new)?;
        let parent = parent.map(|id| self.commit(id)).transpose()?.cloned();
        for extra in &new.extra_parents {
            self.commit(extra)?;
        }
        let tree = self.new_tree(parent.as_ref(), &new.tree)?;
        let floor = parent.as_ref().map_or(0, |parent| parent.at.seconds());
        let at = Timestamp(new.at.seconds().max(floor).saturating_mul(1000));
        let first = parent.map(|parent| parent.id);
        let parents: Vec<Oid> = first.into_iter().chain(new.extra_parents.clone()).collect();
        let header = format!("{parents:?} {tree} {at:?} {:?} {:?}", new.author, new.committer);
        let id = digest("commit", &[header.as_bytes(), new.message.as_bytes()]);
        let (message, author) = (new.message.clone(), new.author.clone());
        self.commits
            .insert(id.clone(), Entry { id: id.clone(), parents, tree, message, author, at });
        Ok(id)
    }
}

fn put(files: &mut Files, path: &str, data: Option<&[u8]>) {
    let below = format!("{path}/");
    files.retain(|name, _| name != path && !name.starts_with(&below));
    if let Some(data) = data {
        files.retain(|name, _| !path.starts_with(&format!("{name}/")));
        files.insert(path.to_owned(), data.to_vec());
    }
}

impl Chains for MemoryStore {
    fn tip(&self, name: &RefName) -> Result<Option<Oid>, StoreError> {
        Ok(self.lock().refs.get(name).cloned())
    }

    fn entry(&self, id: &Oid) -> Result<Entry, StoreError> {
        self.lock().commit(id).cloned()
    }

    fn file(&self, commit: &Oid, path: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let state = self.lock();
        let tree = &state.commit(commit)?.tree;
        Ok(state.tree(tree)?.get(path).cloned())
    }

    fn files(&self, commit: &Oid, folder: &str) -> Result<Vec<String>, StoreError> {
        let state = self.lock();
        let tree = &state.commit(commit)?.tree;
        let below = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        Ok(state.tree(tree)?.keys().filter(|path| path.starts_with(&below)).cloned().collect())
    }

    fn append(
        &self,
        name: &RefName,
        expected: Option<&Oid>,
        entries: &[NewEntry],
    ) -> Result<Swap, StoreError> {
        let mut state = self.lock();
        if entries.is_empty() {
            return Err(StoreError::Invalid { what: "no entries".into() });
        }
        let tip = state.refs.get(name).cloned();
        if tip.as_ref() != expected {
            return Ok(Swap::Lost(tip));
        }
        let mut at = tip;
        for new in entries {
            at = Some(state.add(at.as_ref(), new)?);
        }
        let tip = at.expect("there is an entry");
        state.refs.insert(name.clone(), tip.clone());
        Ok(Swap::Won(tip))
    }

    fn point(&self, name: &RefName, expected: Option<&Oid>, new: &Oid) -> Result<Swap, StoreError> {
        let mut state = self.lock();
        state.commit(new)?;
        let tip = state.refs.get(name).cloned();
        if tip.as_ref() != expected {
            return Ok(Swap::Lost(tip));
        }
        state.refs.insert(name.clone(), new.clone());
        Ok(Swap::Won(new.clone()))
    }

    fn remove(&self, name: &RefName, expected: &Oid) -> Result<Swap, StoreError> {
        name.check_removable()?;
        let mut state = self.lock();
        let tip = state.refs.get(name).cloned();
        if tip.as_ref() != Some(expected) {
            return Ok(Swap::Lost(tip));
        }
        state.refs.remove(name);
        Ok(Swap::Won(expected.clone()))
    }

    fn list(&self, prefix: &str) -> Result<Vec<(RefName, Oid)>, StoreError> {
        let state = self.lock();
        let ours = |name: &RefName| name.as_str().starts_with(prefix);
        Ok(state
            .refs
            .iter()
            .filter(|(name, _)| ours(name) && name.kind() != RefKind::Alias)
            .map(|(name, tip)| (name.clone(), tip.clone()))
            .collect())
    }

    fn make_alias(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
