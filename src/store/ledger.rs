//! The chain of one run, typed: events go in through `decide`, come out through
//! the codec, and each commit's tree is the state they fold to.
//!
//! A [`Ledger`] promises: what `write` answers with `Ok` is durable and is in the
//! chain exactly once; a process that was fenced off, or that meets an event of
//! its own token which it did not write, gets an error and has written nothing.
//! It reads the tip's `run.json`, never a whole chain.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::domain::decide::{self, Refusal};
use crate::domain::event::{Authority, Event, EventKind};
use crate::domain::id::{HolderId, Oid, Op, RunId};
use crate::domain::lease::{Because, Binding, Facts, Grant, Token};
use crate::domain::run::Run;
use crate::domain::time::Timestamp;

use super::chain::Chains;
use super::codec;
use super::failpoint;
use super::names::RefName;
use super::runs::{LedgerError, Loaded, history, state_at};

mod append;

/// Where a writer gets what must not be computed: the time and random ids.
pub trait Stamps: Send {
    /// Now, for people.
    fn now(&mut self) -> Timestamp;
    /// A fresh random id.
    fn op(&mut self) -> Op;
}

/// Files that an event adds to the run's tree, by path.
pub type Files = BTreeMap<String, Option<Vec<u8>>>;

/// Computes the events to append from the state that is on top.
pub type Ask<'a> = dyn FnMut(Option<&Run>) -> Result<Vec<EventKind>, Refusal> + 'a;

/// The write side of one run's chain.
pub struct Ledger {
    chains: Arc<dyn Chains>,
    id: RunId,
    name: RefName,
    me: HolderId,
    token: Option<Token>,
    stamps: Box<dyn Stamps>,
    seen: Option<Loaded>,
    mine: BTreeSet<Op>,
    written: Vec<Event>,
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ledger").field("id", &self.id).field("token", &self.token).finish()
    }
}

impl Ledger {
    /// A ledger for a run that exists, or is about to.
    #[must_use]
    pub fn new(chains: Arc<dyn Chains>, id: RunId, me: HolderId, stamps: Box<dyn Stamps>) -> Self {
        let name = RefName::run(&id);
        Self {
            chains,
            id,
            name,
            me,
            token: None,
            stamps,
            seen: None,
            mine: BTreeSet::new(),
            written: Vec::new(),
        }
    }

    /// The events of the last successful write.
    #[must_use]
    pub fn written(&self) -> &[Event] {
        &self.written
    }

    /// The run's id.
    #[must_use]
    pub fn id(&self) -> &RunId {
        &self.id
    }

    /// The token of this process's grant.
    #[must_use]
    pub fn token(&self) -> Option<Token> {
        self.token
    }

    /// The state as this process last saw it.
    #[must_use]
    pub fn run(&self) -> Option<&Run> {
        self.seen.as_ref().map(|seen| &seen.run)
    }

    /// The tip as this process last saw it.
    #[must_use]
    pub fn tip(&self) -> Option<&Oid> {
        self.seen.as_ref().map(|seen| &seen.tip)
    }

    /// Looks whether the chain has moved; `true` when it has.
    ///
    /// # Errors
    /// [`LedgerError::Compromised`] when somebody else wrote under our token,
    /// [`Refusal::Fenced`] when the run was granted to another process.
    pub fn refresh(&mut self) -> Result<bool, LedgerError> {
        let tip = self.chains.tip(&self.name)?;
        let known = self.seen.as_ref().map(|seen| &seen.tip);
        if tip.as_ref() == known {
            return Ok(false);
        }
        let Some(tip) = tip else { return Err(LedgerError::NoRun(self.id.clone())) };
        self.look_for_impostors(&tip)?;
        let (run, format) = state_at(self.chains.as_ref(), &self.id, &tip)?;
        codec::check_writable(format)
            .map_err(|source| LedgerError::Format { run: self.id.clone(), source })?;
        if let Some(mine) = self.token
            && !failpoint::mutant("no-token")
            && !run.lease.is_held_by(&self.me, mine)
        {
            let current = run.lease.token;
            self.seen = Some(Loaded { tip, run });
            return Err(Refusal::Fenced { mine, current }.into());
        }
        self.seen = Some(Loaded { tip, run });
        Ok(true)
    }

    /// Reads what is new since the last look. An owner event under our token
    /// that we did not write means that another process acts in our name.
    fn look_for_impostors(&self, tip: &Oid) -> Result<(), LedgerError> {
        let (Some(mine), Some(seen)) = (self.token, &self.seen) else { return Ok(()) };
        if failpoint::mutant("no-token") {
            return Ok(());
        }
        for item in history(self.chains.as_ref(), &self.id, tip.clone()) {
            let (commit, event) = item?;
            if commit == seen.tip {
                return Ok(());
            }
            let ours = event.token == Some(mine) && event.kind.authority() == Authority::Owner;
            if ours && !self.mine.contains(&event.op) {
                return Err(LedgerError::Compromised { run: self.id.clone(), commit });
            }
        }
        Ok(())
    }

    /// Writes a run's first events in one swap: it is asked for, this process
    /// holds it, its plan is fixed.
    ///
    /// # Errors
    /// [`Refusal::Exists`] when the run is there already.
    pub fn begin(
        &mut self,
        created: EventKind,
        facts: &Facts,
        planned: EventKind,
        files: Files,
    ) -> Result<&Run, LedgerError> {
        let grant = Grant {
            holder: facts.holder.clone(),
            machine: facts.machine.clone(),
            boot: facts.boot.clone(),
            binding: Binding::Local,
        };
        let granted = EventKind::LeaseGranted {
            token: Token::default().next(),
            grant,
            because: Because::Free,
        };
        self.write(vec![created, granted, planned], files)
    }

    /// Takes the run's lease for this process. `look` gathers what is known of
    /// the holder of the run as it is given: a holder that won a race meanwhile
    /// is another one than was looked at before.
    ///
    /// # Errors
    /// [`Refusal::Lease`] while another holder is, or may be, alive, and whatever
    /// `look` refuses.
    pub fn claim(
        &mut self,
        look: &mut dyn FnMut(&Run) -> Result<Facts, Refusal>,
    ) -> Result<&Run, LedgerError> {
        self.write_with(Files::new(), &mut |run| {
            let run = run.ok_or(Refusal::Absent)?;
            let facts = look(run)?;
            Ok(vec![decide::claim(run, &facts, Binding::Local)?])
        })
    }

    /// Appends events, all or none, each decided on the state that the one
    /// before it leaves. `files` go into the tree of the last one.
    ///
    /// # Errors
    /// [`LedgerError::Refused`] when the newest state doesn't allow it; nothing
    /// was written then.
    pub fn write(&mut self, kinds: Vec<EventKind>, files: Files) -> Result<&Run, LedgerError> {
        self.write_with(files, &mut |_| Ok(kinds.clone()))
    }
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
