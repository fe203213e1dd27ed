//! What commands read, from the refs of a real repository and the live files
//! beside them. It writes nothing.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::ctx::{Piece, Reads};
use crate::domain::attempt::Attempt;
use crate::domain::event::Event;
use crate::domain::id::{HolderId, RunId, TaskId};
use crate::domain::lease::Life;
use crate::domain::run::{Run, RunStatus};
use crate::domain::task::TaskStatus;
use crate::domain::usage::Spent;
use crate::engine::place::{self, Place};
use crate::store::chain::Chains;
use crate::store::git::{GitStore, Options};
use crate::store::names::RefName;
use crate::store::runs::{self, LedgerError};
use crate::surface::fault::Fault;
use crate::view::list::RunRow;
use crate::world::environment::Incoming;
use crate::world::files::LiveTail;
use crate::world::slots::SlotError;

/// A repository, opened for reading.
#[derive(Debug)]
pub struct Repository {
    dir: PathBuf,
    store: GitStore,
    /// The live outputs that are being followed.
    tails: RefCell<BTreeMap<(RunId, TaskId, u32), LiveTail>>,
}

impl Repository {
    /// Opens the repository that this folder is in.
    ///
    /// # Errors
    /// `Exit::Repository` when there is none, or one that can't be used.
    pub fn open(dir: &Path) -> Result<Self, Fault> {
        // A reader writes nothing, so its name is never seen.
        let store = GitStore::open(dir, Options::new(HolderId::new([0; 16])))?;
        Ok(Self { dir: dir.to_owned(), store, tails: RefCell::default() })
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

impl Reads for Repository {
    fn runs(&self) -> Result<Vec<RunRow>, Fault> {
        let row = |row: runs::Row| RunRow {
            weakest_sandbox: None,
            id: row.id,
            status: row.status,
            verified: false,
            goal: String::new(),
            done: 0,
            tasks: 0,
            spent: Spent::default(),
            holder: None,
            updated: row.updated,
        };
        Ok(runs::list(&self.store)?.into_iter().map(row).collect())
    }

    fn detail(&self, rows: &mut [RunRow]) {
        let ids: Vec<RunId> = rows.iter().map(|row| row.id.clone()).collect();
        for (row, loaded) in rows.iter_mut().zip(runs::load_all(&self.store, &ids)) {
            match loaded {
                Ok(loaded) => self.fill(row, loaded.run),
                // What the tip's message said may be right; that its state is
                // gone must be seen all the same.
                Err(error) => row.status = Err(error.to_string()),
            }
        }
    }

    fn run(&self, id: &RunId) -> Result<Run, Fault> {
        Ok(runs::load(&self.store, id)?.run)
    }

    fn events(
        &self,
        id: &RunId,
        most: Option<usize>,
    ) -> Result<(Vec<Event>, Option<Fault>), Fault> {
        let tip = self.store.tip(&RefName::run(id))?;
        let tip = tip.ok_or_else(|| LedgerError::NoRun(id.clone()))?;
        let mut events = Vec::new();
        let mut damage = None;
        for read in runs::history(&self.store, id, tip).take(most.unwrap_or(usize::MAX)) {
            match read {
                Ok((_, event)) => events.push(event),
                Err(error) => damage = Some(Fault::from(error)),
            }
        }
        events.reverse();
        Ok((events, damage))
    }

    fn file(&self, id: &RunId, path: &str) -> Result<Option<Vec<u8>>, Fault> {
        match self.store.tip(&RefName::run(id))? {
            Some(tip) => Ok(self.store.file(&tip, path)?),
            None => Err(LedgerError::NoRun(id.clone()).into()),
        }
    }

    fn output(
        &self,
        id: &RunId,
        task: &TaskId,
        attempt: u32,
        from: u64,
    ) -> Result<Option<Piece>, Fault> {
        // Asked before the file is read: what a closed attempt printed is all there.
        let open = self.is_at_work(id, task, attempt)?;
        let key = (id.clone(), task.clone(), attempt);
        let mut tails = self.tails.borrow_mut();
        let path = place::live(&self.store, id).join(format!("{task}.{attempt}.out"));
        if open
            && !tails.contains_key(&key)
            && let Some(tail) = LiveTail::open(&path)?
        {
            tails.insert(key.clone(), tail);
        }
        if let Some(tail) = tails.get_mut(&key) {
            let bytes = tail.read(from)?;
            return Ok(Some(Piece { next: from + count(bytes.len()), bytes, open }));
        }
        let kept = self.kept_output(id, task, attempt)?;
        if kept.is_none() && open {
            return Ok(Some(Piece { bytes: Vec::new(), next: from, open }));
        }
        Ok(kept.map(|bytes| {
            let start = usize::try_from(from).unwrap_or(usize::MAX).min(bytes.len());
            let bytes = bytes[start..].to_vec();
            Piece { next: from + count(bytes.len()), bytes, open: false }
        }))
    }

    fn life(&self, run: &Run) -> Life {
        place::life(&self.store, run)
    }

    fn slot(&self, attempt: &Attempt) -> Result<Option<PathBuf>, Fault> {
        let place = Place::open(&self.dir, Incoming::read())?;
        match place.slots()?.reopen(&attempt.slot, &attempt.base) {
            Ok(slot) => Ok(Some(slot.tree)),
            Err(SlotError::Gone(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

impl Repository {
    fn fill(&self, row: &mut RunRow, run: Run) {
        let done = |status| status == TaskStatus::Completed;
        row.done = count(run.tasks.iter().filter(|task| done(task.status)).count());
        row.tasks = count(run.tasks.len());
        row.verified = run.verified();
        row.weakest_sandbox = run.weakest_sandbox().map(str::to_owned);
        row.spent = run.spent();
        row.holder = run.lease.held.as_ref().map(|_| self.life(&run));
        row.status = row.status.clone().map(|_: RunStatus| run.status);
        row.goal = run.goal;
    }

    /// Whether more can come from this attempt: it is open and nobody knows that
    /// its process has died.
    fn is_at_work(&self, id: &RunId, task: &TaskId, attempt: u32) -> Result<bool, Fault> {
        let run = runs::load(&self.store, id)?.run;
        let open = run.task(task).and_then(|task| task.open());
        Ok(open.is_some_and(|open| open.number == attempt) && self.life(&run) != Life::Dead)
    }

    /// What was kept of an attempt: what its agent printed on both streams, then
    /// each check under a line that says so.
    fn kept_output(
        &self,
        id: &RunId,
        task: &TaskId,
        attempt: u32,
    ) -> Result<Option<Vec<u8>>, Fault> {
        let Some(tip) = self.store.tip(&RefName::attic(id))? else { return Ok(None) };
        let folder = format!("{task}/{attempt}");
        let all = self.store.files(&tip, &folder)?;
        let mut bytes = Vec::new();
        let mut take = |name: &str| -> Result<bool, Fault> {
            let path = format!("{folder}/{name}");
            if !all.contains(&path) {
                return Ok(false);
            }
            bytes.extend(self.store.file(&tip, &path)?.unwrap_or_default());
            Ok(true)
        };
        for name in ["setup-out", "setup-err", "out", "err"] {
            take(name)?;
        }
        for number in 1.. {
            let streams = ["out", "err"].map(|stream| format!("check-{number}-{stream}"));
            if !all.iter().any(|path| streams.iter().any(|name| path.ends_with(name.as_str()))) {
                break;
            }
            for name in streams {
                take(&name)?;
            }
        }
        Ok((!all.is_empty()).then_some(bytes))
    }
}
