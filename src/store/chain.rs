//! The contract of a store of chains: a chain is a ref whose first-parent
//! history is a list of entries, and it grows only by compare-and-swap.
//!
//! What an implementation promises: an append or a move either wins whole or
//! changes nothing; `Swap::Won` is answered only when the entry outlives
//! whatever the implementation's durability is made for; a ref is never moved
//! from a value that the caller did not name. One contract suite runs against
//! both implementations, memory and git.

use std::collections::BTreeMap;

use super::error::StoreError;
use super::names::RefName;
use crate::domain::id::Oid;
use crate::domain::time::Timestamp;

/// The name and the address in a commit's header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// What people read.
    pub name: String,
    /// What tells two of the same name apart.
    pub email: String,
}

impl Person {
    /// A person by name and address.
    #[must_use]
    pub fn new(name: impl Into<String>, email: impl Into<String>) -> Self {
        Self { name: name.into(), email: email.into() }
    }
}

/// How an entry's tree differs from its first parent's (from the empty tree
/// when it has none).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum TreeEdit {
    /// Not at all.
    #[default]
    Keep,
    /// These paths (slash-separated, relative) get this content; `None` removes
    /// a file or a whole folder, and removing what is not there is no error.
    Put(BTreeMap<String, Option<Vec<u8>>>),
    /// It is this very tree, which exists (the tree of a commit or of a merge).
    Whole(Oid),
}

/// An entry to be appended. Its first parent is the entry before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEntry {
    /// The commit message, stored as it is; no NUL.
    pub message: String,
    /// The entry's tree.
    pub tree: TreeEdit,
    /// Parents after the first; they exist.
    pub extra_parents: Vec<Oid>,
    /// Now. An entry whose parent is newer gets the parent's second.
    pub at: Timestamp,
    /// The commit's author.
    pub author: Person,
    /// The commit's committer; the author when it is none.
    pub committer: Option<Person>,
}

/// An entry as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The commit.
    pub id: Oid,
    /// Its parents; the first is the entry before it.
    pub parents: Vec<Oid>,
    /// Its tree.
    pub tree: Oid,
    /// Its message, whole.
    pub message: String,
    /// Its author.
    pub author: Person,
    /// Its commit time, whole seconds.
    pub at: Timestamp,
}

/// What became of a compare-and-swap.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a lost swap has written nothing"]
pub enum Swap {
    /// The ref now is at this commit, durably.
    Won(Oid),
    /// The ref was at another value, this one; nothing was changed.
    Lost(Option<Oid>),
}

impl Swap {
    /// The new tip when the swap was won.
    #[must_use]
    pub fn won(&self) -> Option<&Oid> {
        match self {
            Self::Won(tip) => Some(tip),
            Self::Lost(_) => None,
        }
    }
}

/// A store of chains.
pub trait Chains: Send + Sync {
    /// The value of a ref, `None` when there is no such ref.
    ///
    /// # Errors
    /// `Damaged` when a value is there but can't be read.
    fn tip(&self, name: &RefName) -> Result<Option<Oid>, StoreError>;

    /// Reads a commit.
    ///
    /// # Errors
    /// `Damaged` when it is missing or is no commit.
    fn entry(&self, id: &Oid) -> Result<Entry, StoreError>;

    /// Reads a file of a commit's tree, `None` when the tree has no such file.
    ///
    /// # Errors
    /// `Damaged` when an object on the way can't be read.
    fn file(&self, commit: &Oid, path: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// The paths of all files below a folder (`""` is the root) of a commit's
    /// tree, from the root, sorted.
    ///
    /// # Errors
    /// `Damaged` when an object on the way can't be read.
    fn files(&self, commit: &Oid, folder: &str) -> Result<Vec<String>, StoreError>;

    /// Appends entries, all in one swap, each the first parent of the next. It
    /// wins only if the ref is at `expected` (`None`: does not exist) meanwhile.
    ///
    /// # Errors
    /// Any of [`StoreError`]; after all but `Unsettled` nothing was appended.
    fn append(
        &self,
        name: &RefName,
        expected: Option<&Oid>,
        entries: &[NewEntry],
    ) -> Result<Swap, StoreError>;

    /// Moves a ref to a commit that exists, under the rules of `append`.
    ///
    /// # Errors
    /// Any of [`StoreError`]; after all but `Unsettled` nothing was moved.
    fn point(&self, name: &RefName, expected: Option<&Oid>, new: &Oid) -> Result<Swap, StoreError>;

    /// Removes a ref of the kinds work, results, kept, attic or run, if it is
    /// at `expected`. `Won` carries the value that it had.
    ///
    /// # Errors
    /// `Protected` for the journal, its alias, the notes and leases.
    fn remove(&self, name: &RefName, expected: &Oid) -> Result<Swap, StoreError>;

    /// Our refs below a prefix (a constant of `names`), sorted. Foreign names
    /// are left out.
    ///
    /// # Errors
    /// `Damaged` when a value can't be read.
    fn list(&self, prefix: &str) -> Result<Vec<(RefName, Oid)>, StoreError>;

    /// Makes the symbolic ref that lets `git log refs/crew` work, when it is
    /// not there. The journal exists.
    ///
    /// # Errors
    /// When it can't be written.
    fn make_alias(&self) -> Result<(), StoreError>;

    /// Looks whether everything appended in the last minutes is still there and
    /// puts back what a `git prune` beside us took. Called about every second
    /// by whoever appends, and once before it exits. Answers how many objects
    /// were put back.
    ///
    /// # Errors
    /// When one could not be put back.
    fn recheck(&self) -> Result<usize, StoreError> {
        Ok(0)
    }
}

/// Checks what no implementation may store.
pub(super) fn check_entry(new: &NewEntry) -> Result<(), StoreError> {
    if new.message.contains('\0') {
        return Err(StoreError::Invalid { what: "a message with a NUL byte".into() });
    }
    for person in [Some(&new.author), new.committer.as_ref()].into_iter().flatten() {
        let bad = |text: &str| text.contains(['<', '>', '\n', '\0']);
        if bad(&person.name) || bad(&person.email) || person.email.is_empty() {
            let what = format!("the person '{}'", person.name.escape_debug());
            return Err(StoreError::Invalid { what });
        }
    }
    Ok(())
}

/// Checks a path of a tree: relative, no empty part, no `.`, `..` or `.git`.
pub(super) fn check_path(path: &str) -> Result<(), StoreError> {
    let good = |part: &str| {
        !matches!(part, "" | "." | "..")
            && !part.eq_ignore_ascii_case(".git")
            && !part.contains('\0')
    };
    if path.split('/').all(good) {
        return Ok(());
    }
    Err(StoreError::Invalid { what: format!("the path '{}'", path.escape_debug()) })
}
