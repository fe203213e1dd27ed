//! The names of our refs: the only place that spells them.
//!
//! Every name has a fixed depth per kind and parts that are slugs, so no name
//! can be a file where another is a folder, and nothing a user types ends up in
//! a path unchecked. Foreign names under the same prefix are not ours:
//! [`RefName::parse`] refuses them and listings leave them out.

use std::fmt;

use super::error::StoreError;
use crate::domain::id::{IdError, RunId, TaskId};

/// The prefix of everything that git-crew keeps in refs.
pub const ALL: &str = "refs/crew/";
/// The prefix of the runs' event logs.
pub const RUNS: &str = "refs/crew/runs/";
/// The prefix of the leases that belong to no run.
pub const LEASES: &str = "refs/crew/leases/";
/// The prefix of the code that attempts produced.
pub const WORK: &str = "refs/crew/work/";
/// The prefix of the runs' results.
pub const RESULTS: &str = "refs/crew/results/";
/// The prefix of the pinned work of ended runs.
pub const KEPT: &str = "refs/crew/kept/";
/// The prefix of the bulk of runs: transcripts and logs.
pub const ATTIC: &str = "refs/crew/attic/";

const JOURNAL: &str = "refs/crew/log";
const ALIAS: &str = "refs/refs/crew";
const NOTES: &str = "refs/notes/crew";

/// What a ref of ours stands for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RefKind {
    /// A run's event log.
    Run(RunId),
    /// The journal.
    Journal,
    /// The symbolic ref that makes `git log refs/crew` work.
    Alias,
    /// A lease that belongs to no run, by its scope.
    Lease(String),
    /// The code of one attempt.
    Work(RunId, TaskId, u32),
    /// A run's result.
    Results(RunId),
    /// The pinned work of an ended run.
    Kept(RunId),
    /// The bulk of a run.
    Attic(RunId),
    /// The notes on code commits.
    Notes,
}

/// The full name of a ref that git-crew owns.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RefName(String);

impl RefName {
    /// The event log of a run.
    #[must_use]
    pub fn run(run: &RunId) -> Self {
        Self(format!("{RUNS}{run}"))
    }

    /// The journal of all runs.
    #[must_use]
    pub fn journal() -> Self {
        Self(JOURNAL.to_owned())
    }

    /// The symbolic ref to the journal; by git's look-up rule `refs/<name>` it
    /// makes the literal `git log refs/crew` work.
    #[must_use]
    pub fn alias() -> Self {
        Self(ALIAS.to_owned())
    }

    /// A lease that belongs to no run.
    ///
    /// # Errors
    /// When `scope` is not a valid part of a ref name.
    pub fn lease(scope: &str) -> Result<Self, IdError> {
        scope.parse::<TaskId>().map(|scope| Self(format!("{LEASES}{scope}")))
    }

    /// The code that an attempt produced; attempts count from 1.
    #[must_use]
    pub fn work(run: &RunId, task: &TaskId, attempt: u32) -> Self {
        Self(format!("{WORK}{run}/{task}/{attempt}"))
    }

    /// The prefix of all work refs of one run, for listing.
    #[must_use]
    pub fn work_of(run: &RunId) -> String {
        format!("{WORK}{run}/")
    }

    /// The result of a run.
    #[must_use]
    pub fn results(run: &RunId) -> Self {
        Self(format!("{RESULTS}{run}"))
    }

    /// The pinned work of an ended run.
    #[must_use]
    pub fn kept(run: &RunId) -> Self {
        Self(format!("{KEPT}{run}"))
    }

    /// The bulk of a run.
    #[must_use]
    pub fn attic(run: &RunId) -> Self {
        Self(format!("{ATTIC}{run}"))
    }

    /// The notes from code commits to runs.
    #[must_use]
    pub fn notes() -> Self {
        Self(NOTES.to_owned())
    }

    /// The name when it is one of ours, as a constructor here would spell it.
    #[must_use]
    pub fn parse(full: &str) -> Option<Self> {
        kind_of(full).map(|_| Self(full.to_owned()))
    }

    /// The full name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the name stands for.
    #[must_use]
    pub fn kind(&self) -> RefKind {
        kind_of(&self.0).expect("every constructor spells a kind")
    }

    /// The run a name belongs to, if it belongs to one.
    #[must_use]
    pub fn run_id(&self) -> Option<RunId> {
        match self.kind() {
            RefKind::Run(run)
            | RefKind::Work(run, _, _)
            | RefKind::Results(run)
            | RefKind::Kept(run)
            | RefKind::Attic(run) => Some(run),
            RefKind::Journal | RefKind::Alias | RefKind::Lease(_) | RefKind::Notes => None,
        }
    }

    /// Leases and the journal stay for ever: a lease's token would restart, and
    /// the journal is the archive.
    pub(super) fn check_removable(&self) -> Result<(), StoreError> {
        match self.kind() {
            RefKind::Run(_)
            | RefKind::Work(..)
            | RefKind::Results(_)
            | RefKind::Kept(_)
            | RefKind::Attic(_) => Ok(()),
            RefKind::Journal | RefKind::Alias | RefKind::Lease(_) | RefKind::Notes => {
                Err(StoreError::Protected { name: self.clone() })
            }
        }
    }
}

impl fmt::Display for RefName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn kind_of(full: &str) -> Option<RefKind> {
    let fixed = [(JOURNAL, RefKind::Journal), (ALIAS, RefKind::Alias), (NOTES, RefKind::Notes)];
    if let Some((_, kind)) = fixed.into_iter().find(|(name, _)| *name == full) {
        return Some(kind);
    }
    let run = |prefix: &str| full.strip_prefix(prefix).and_then(|rest| rest.parse::<RunId>().ok());
    if let Some(scope) = full.strip_prefix(LEASES) {
        return scope.parse::<TaskId>().ok().map(|scope| RefKind::Lease(scope.into()));
    }
    if let Some(rest) = full.strip_prefix(WORK) {
        return work_kind(rest);
    }
    run(RUNS)
        .map(RefKind::Run)
        .or_else(|| run(RESULTS).map(RefKind::Results))
        .or_else(|| run(KEPT).map(RefKind::Kept))
        .or_else(|| run(ATTIC).map(RefKind::Attic))
}

fn work_kind(rest: &str) -> Option<RefKind> {
    let mut parts = rest.split('/');
    let run = parts.next()?.parse().ok()?;
    let task = parts.next()?.parse().ok()?;
    let number = parts.next()?;
    let attempt: u32 = number.parse().ok()?;
    let canonical = attempt.to_string() == number && parts.next().is_none();
    canonical.then_some(RefKind::Work(run, task, attempt))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run() -> RunId {
        "7kq2-fix-login".parse().unwrap()
    }

    #[test]
    fn every_name_parses_back_to_its_kind() {
        let task: TaskId = "implement".parse().unwrap();
        let all = [
            (RefName::run(&run()), RefKind::Run(run())),
            (RefName::journal(), RefKind::Journal),
            (RefName::alias(), RefKind::Alias),
            (RefName::lease("tick").unwrap(), RefKind::Lease("tick".into())),
            (RefName::work(&run(), &task, 12), RefKind::Work(run(), task, 12)),
            (RefName::results(&run()), RefKind::Results(run())),
            (RefName::kept(&run()), RefKind::Kept(run())),
            (RefName::attic(&run()), RefKind::Attic(run())),
            (RefName::notes(), RefKind::Notes),
        ];
        for (name, kind) in all {
            assert_eq!(name.kind(), kind);
            assert_eq!(RefName::parse(name.as_str()), Some(name));
        }
    }

    #[test]
    fn foreign_names_are_not_ours() {
        for bad in [
            "refs/heads/main",
            "refs/crew",
            "refs/crew/",
            "refs/crew/runs",
            "refs/crew/runs/",
            "refs/crew/runs/a/b",
            "refs/crew/runs/A",
            "refs/crew/runs/../heads",
            "refs/crew/work/a/b",
            "refs/crew/work/a/b/01",
            "refs/crew/work/a/b/+1",
            "refs/crew/work/a/b/1/2",
            "refs/crew/log/x",
        ] {
            assert_eq!(RefName::parse(bad), None, "{bad}");
        }
        assert!(RefName::lease("../x").is_err());
    }
}
