//! Merges on the object database: no checkout, no index, no program.
//!
//! Tips are merged one after the other onto a base; a tip that conflicts is left
//! out and named with its paths, the others go on. One commit with all merged
//! tips as parents is written at the end, nothing else.
//!
//! The verdict depends on the commits alone, not on the machine: attributes come
//! from the base's tree, merge drivers and renormalising filters are not run,
//! the algorithm is histogram as in git's own merge. A change that only a
//! renamed folder would move counts as a conflict, as it does for git.
//!
//! Limit: with several merge bases (criss-cross) git may find a conflict that is
//! not found here.

use std::collections::BTreeSet;

use gix::merge::blob::builtin_driver::text::Labels;
use gix::merge::plumbing::tree::{Conflict, Resolution, TreatAsUnresolved};
use gix::objs::{Kind, TreeRefIter, WriteTo};

use super::chain::{NewEntry, Person, TreeEdit, check_entry};
use super::error::StoreError;
use super::git::chains::commit_bytes;
use super::git::objects::Batch;
use super::git::{GitStore, Inner, hash, oid};
use super::tree::printable;
use crate::domain::id::Oid;
use crate::domain::time::Timestamp;

/// How often a merge is tried again that `git prune` may have got in the way of.
const TRIES: u32 = 3;

/// A commit to be merged, under the name it has in answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tip {
    /// What the commit is called, a task for instance.
    pub label: String,
    /// The commit.
    pub commit: Oid,
}

/// How the merge commit is written, when one is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Its author.
    pub author: Person,
    /// Its committer.
    pub committer: Person,
    /// Its message, whole, with trailers.
    pub message: String,
    /// Now.
    pub at: Timestamp,
}

/// A tip that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmergeable {
    /// The tip's label.
    pub label: String,
    /// The paths on which it conflicts with the base and the tips before it.
    pub paths: Vec<String>,
}

/// What became of a merge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    /// The commit that holds the base and every tip that merged; a tip itself
    /// or the base where that holds all. `None` when no tip could be merged.
    pub commit: Option<Oid>,
    /// The tips left out, in the order given.
    pub conflicts: Vec<Unmergeable>,
}

impl GitStore {
    /// Merges tips onto a base, in the order given. No ref is moved; the objects
    /// of the result are on disk, synced.
    ///
    /// # Errors
    /// `Damaged` or `Git` when history can't be read, or when the result can't
    /// be written.
    pub fn merge(
        &self,
        base: &Oid,
        tips: &[Tip],
        signature: &Signature,
    ) -> Result<Merged, StoreError> {
        let mut tries = 0;
        loop {
            match self.merge_once(base, tips, signature) {
                // Whoever reads past the store fails at a hole that the store
                // would have filled, and when it has no room for a new pack.
                Err(error) if tries < TRIES => {
                    tracing::debug!(%error, "merging again");
                    self.heal()?;
                    tries += 1;
                }
                done => return done,
            }
        }
    }

    fn merge_once(
        &self,
        base: &Oid,
        tips: &[Tip],
        signature: &Signature,
    ) -> Result<Merged, StoreError> {
        let repo = self.inner.local().with_object_memory();
        let mut work = Work { inner: &self.inner, repo, heads: vec![hash(base)], at: hash(base) };
        let (mut conflicts, mut merged) = (Vec::new(), 0);
        for tip in tips {
            let paths = work.add(hash(&tip.commit), hash(base))?;
            if paths.is_empty() {
                merged += 1;
            } else {
                let label = tip.label.clone();
                conflicts.push(Unmergeable { label, paths: paths.into_iter().collect() });
            }
        }
        let commit = if merged == 0 { None } else { Some(oid(work.finish(signature)?)) };
        Ok(Merged { commit, conflicts })
    }
}

/// A merge at work: commits that only stand for a step are in memory.
struct Work<'a> {
    inner: &'a Inner,
    repo: gix::Repository,
    /// What was merged, without commits that another of them contains.
    heads: Vec<gix::ObjectId>,
    at: gix::ObjectId,
}

impl Work<'_> {
    /// Merges one tip, or answers the paths on which it conflicts.
    fn add(
        &mut self,
        tip: gix::ObjectId,
        base: gix::ObjectId,
    ) -> Result<BTreeSet<String>, StoreError> {
        if is_ancestor(&self.repo, tip, self.at)? {
            return Ok(BTreeSet::new());
        }
        if is_ancestor(&self.repo, self.at, tip)? {
            (self.at, self.heads) = (tip, vec![tip]);
            return Ok(BTreeSet::new());
        }
        let (tree, conflicts) = self.merge_two(tip, base).map_err(failed)?;
        if !conflicts.is_empty() {
            return Ok(conflicts);
        }
        let mut heads = Vec::new();
        for head in &self.heads {
            if !is_ancestor(&self.repo, *head, tip)? {
                heads.push(*head);
            }
        }
        heads.push(tip);
        self.heads = heads;
        let step = NewEntry {
            message: String::new(),
            tree: TreeEdit::Keep,
            extra_parents: Vec::new(),
            at: Timestamp(0),
            author: Person::new("crew", "crew@localhost.invalid"),
            committer: None,
        };
        let step = commit_bytes(&tree, &[self.at, tip], 0, &step);
        self.at = gix::objs::Write::write_buf(&self.repo, Kind::Commit, &step).map_err(failed)?;
        Ok(BTreeSet::new())
    }

    fn merge_two(
        &self,
        tip: gix::ObjectId,
        base: gix::ObjectId,
    ) -> Result<(gix::ObjectId, BTreeSet<String>), gix::Error> {
        let repo = &self.repo;
        let mut diff_cache = repo.diff_resource_cache_for_tree_diff()?;
        let mut blobs = blob_merge(repo, base)?;
        let mut options: gix::merge::plumbing::tree::Options = repo.tree_merge_options()?.into();
        options.blob_merge.text.diff_algorithm = gix::diff::blob::Algorithm::Histogram;
        options.rewrites = Some(gix::diff::Rewrites::default());
        let options = gix::merge::plumbing::commit::Options {
            allow_missing_merge_base: true,
            tree_merge: options,
            use_first_merge_base: false,
        };
        let commit_graph = repo.commit_graph_if_enabled()?;
        let mut outcome = gix::merge::plumbing::commit(
            self.at,
            tip,
            Labels { ancestor: None, current: None, other: None },
            &mut repo.revision_graph(commit_graph.as_ref()),
            &mut diff_cache,
            &mut blobs,
            repo,
            &mut |id| id.to_string(),
            options,
        )?;
        let conflicts = paths_of(&outcome.tree_merge.conflicts);
        if !conflicts.is_empty() {
            return Ok((base, conflicts));
        }
        let tree = outcome.tree_merge.tree.write(|tree| {
            let mut data = Vec::new();
            tree.write_to(&mut data).map_err(gix::Error::from_error)?;
            gix::objs::Write::write_buf(repo, Kind::Tree, &data)
        })?;
        Ok((tree, conflicts))
    }

    /// Writes the result: the objects that are not in the repository yet.
    fn finish(mut self, signature: &Signature) -> Result<gix::ObjectId, StoreError> {
        if let [only] = self.heads.as_slice() {
            return Ok(*only);
        }
        let tree = self.repo.find_commit(self.at).and_then(|commit| commit.tree_id());
        let tree = tree.map_err(failed)?.detach();
        let mut seconds = signature.at.seconds().max(0);
        for head in &self.heads {
            seconds = seconds.max(self.inner.entry(*head)?.at.seconds());
        }
        let entry = NewEntry {
            message: signature.message.clone(),
            tree: TreeEdit::Keep,
            extra_parents: Vec::new(),
            at: signature.at,
            author: signature.author.clone(),
            committer: Some(signature.committer.clone()),
        };
        check_entry(&entry)?;
        let mut batch = Batch::new(self.inner.hash);
        self.collect(tree, &mut batch)?;
        let data = commit_bytes(&tree, &self.heads, seconds, &entry);
        let id = batch.add(Kind::Commit, data)?;
        self.inner.recover_once()?;
        let staged = self.inner.stage(&batch.objects)?;
        let copies = self.inner.record_recent(&batch.objects)?;
        self.inner.settle(staged, std::slice::from_ref(&copies))?;
        Ok(id)
    }

    /// The new objects below a tree, children before their tree.
    fn collect(&mut self, tree: gix::ObjectId, batch: &mut Batch) -> Result<(), StoreError> {
        let memory = self.repo.objects.take_object_memory().unwrap_or_default();
        let mut trees = vec![tree];
        let mut ordered = Vec::new();
        while let Some(id) = trees.pop() {
            let Some((kind, data)) = memory.get(&id) else { continue };
            ordered.push((*kind, data.clone()));
            if *kind != Kind::Tree {
                continue;
            }
            for entry in TreeRefIter::from_bytes(data, self.inner.hash) {
                trees.push(entry.map_err(failed)?.oid.to_owned());
            }
        }
        for (kind, data) in ordered.into_iter().rev() {
            batch.add(kind, data)?;
        }
        Ok(())
    }
}

/// How blobs are merged: no drivers to run, attributes of one tree.
fn blob_merge(
    repo: &gix::Repository,
    base: gix::ObjectId,
) -> Result<gix::merge::blob::Platform, gix::Error> {
    let tree = repo.find_commit(base)?.tree_id()?;
    let index = repo.index_from_tree(&tree)?;
    let source = gix::worktree::stack::state::attributes::Source::IdMapping;
    let attributes = repo.attributes_only(&index, source)?.detach();
    let filter = gix::filter::plumbing::Pipeline::new(
        gix::command::Context::default(),
        repo.object_hash(),
        gix::filter::plumbing::pipeline::Options::default(),
    );
    let roots = gix::merge::blob::pipeline::WorktreeRoots::default();
    let large = gix::merge::blob::pipeline::Options { large_file_threshold_bytes: 512 << 20 };
    Ok(gix::merge::blob::Platform::new(
        gix::merge::blob::Pipeline::new(roots, filter, large),
        gix::merge::blob::pipeline::Mode::ToGit,
        attributes,
        Vec::new(),
        gix::merge::blob::platform::Options::default(),
    ))
}

fn paths_of(conflicts: &[Conflict]) -> BTreeSet<String> {
    let moved = |conflict: &&Conflict| {
        matches!(conflict.resolution, Ok(Resolution::SourceLocationAffectedByRename { .. }))
    };
    conflicts
        .iter()
        .filter(|conflict| conflict.is_unresolved(TreatAsUnresolved::git()) || moved(conflict))
        .flat_map(|conflict| [conflict.ours.location(), conflict.theirs.location()])
        .map(|path| printable(path))
        .collect()
}

/// Whether `old` is `new` or among its ancestors.
pub(super) fn is_ancestor(
    repo: &gix::Repository,
    old: gix::ObjectId,
    new: gix::ObjectId,
) -> Result<bool, StoreError> {
    if old == new {
        return Ok(true);
    }
    let bases = repo
        .merge_bases_many(old, &[new])
        .map_err(|error| StoreError::Git { doing: "walk the history", source: Box::new(error) })?;
    Ok(bases.iter().any(|base| base.detach() == old))
}

fn failed(error: gix::Error) -> StoreError {
    StoreError::Git { doing: "merge", source: Box::new(error) }
}
