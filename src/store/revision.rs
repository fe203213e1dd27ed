//! From what a person types to commits.

use gix::bstr::ByteSlice;

use super::error::StoreError;
use super::git::{GitStore, hash, oid};
use crate::domain::id::Oid;

/// Where `HEAD` is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The full name of the branch that is checked out; `None` when detached.
    pub branch: Option<String>,
    /// The commit.
    pub commit: Oid,
}

impl GitStore {
    /// Where `HEAD` of this checkout is.
    ///
    /// # Errors
    /// `UnbornHead` when its branch has no commit yet.
    pub fn head(&self) -> Result<Head, StoreError> {
        let repo = self.inner.local();
        let failed = |error| StoreError::Git { doing: "read HEAD", source: Box::new(error) };
        let mut head = repo.head().map_err(failed)?;
        let branch = head.referent_name().map(|name| name.as_bstr().to_str_lossy().into_owned());
        if head.is_unborn() {
            return Err(StoreError::UnbornHead { branch: branch.unwrap_or_default() });
        }
        let commit = head.peel_to_commit().map_err(failed)?;
        Ok(Head { branch, commit: oid(commit.id) })
    }

    /// The commit that a revision names, as `git rev-parse <spec>^{commit}`.
    ///
    /// # Errors
    /// `UnbornHead` for a `HEAD` without a commit, `UnknownRevision` when it
    /// names nothing or no commit.
    pub fn resolve(&self, spec: &str) -> Result<Oid, StoreError> {
        // The look-up rule that makes the alias work is not gix's.
        let asked = if spec == "refs/crew" { "refs/crew/log" } else { spec };
        let look = || {
            let repo = self.inner.local();
            let found = repo.rev_parse_single(asked).and_then(|id| id.object());
            found.and_then(|object| object.peel_to_commit()).map(|commit| commit.id)
        };
        let found = match look() {
            Ok(id) => Ok(id),
            Err(_) => {
                self.inner.reopen()?;
                look()
            }
        };
        match found {
            Ok(id) => Ok(oid(id)),
            Err(error) => {
                let of_head = ["HEAD", "@"].iter().any(|head| spec.starts_with(head));
                if of_head {
                    self.head()?;
                }
                Err(StoreError::UnknownRevision { spec: spec.to_owned(), source: Box::new(error) })
            }
        }
    }

    /// Whether `old` is `new` or among its ancestors.
    ///
    /// # Errors
    /// When history can't be read.
    pub fn is_ancestor(&self, old: &Oid, new: &Oid) -> Result<bool, StoreError> {
        let ask = || super::merge::is_ancestor(&self.inner.local(), hash(old), hash(new));
        ask().or_else(|_| self.heal().and_then(|_| ask()))
    }
}
