//! One append of a run's events, step by step as [`crate::domain::protocol`]
//! has it: the model checker drives the same state machine.

use crate::domain::decide::{self, Actor};
use crate::domain::event::{Authority, Event, EventKind};
use crate::domain::fold;
use crate::domain::id::{Oid, Op};
use crate::domain::lease::Token;
use crate::domain::protocol::{Action, Append, Input, Outcome};
use crate::domain::run::Run;
use crate::domain::words;
use crate::store::chain::{NewEntry, Person, Swap, TreeEdit};
use crate::store::codec;
use crate::store::failpoint;
use crate::store::runs::{LedgerError, Loaded, STATE, history};

use super::{Ask, Files, Ledger, Refusal};

/// How often a writer that keeps losing the race tries again before it says so.
const ROUNDS: u32 = 200;

impl Ledger {
    /// As [`Ledger::write`], with the events computed anew from each state that
    /// the race leaves on top.
    ///
    /// # Errors
    /// As [`Ledger::write`], and whatever `ask` refuses.
    pub fn write_with(&mut self, files: Files, ask: &mut Ask<'_>) -> Result<&Run, LedgerError> {
        let mut append = Append::<Mark, ()>::fresh();
        let mut pen = Pen::default();
        loop {
            let input = match append.action() {
                Action::Read { search } => self.read(search, &mut pen),
                Action::Decide => self.decide(&files, ask, &mut pen),
                // The store writes, swaps and syncs in one call, in that order.
                Action::Write { .. } => Input::Written(Mark::Draft),
                Action::Swap { .. } => self.swap(&mut pen),
                Action::Sync => self.sync(&mut pen),
                Action::Stop => break,
            };
            append = append.step(input).expect("every input answers the pending action");
        }
        let why = pen.why.take().unwrap_or_else(|| LedgerError::Busy(self.id.clone()));
        match (append.outcome(), pen.tip, pen.draft) {
            (Some(Outcome::Acked(_)), Some(tip), Some(draft)) => Ok(self.accept(tip, draft)),
            _ => Err(why),
        }
    }

    /// The newest state; after an unknown outcome first the question whether our
    /// events are in the chain.
    fn read(&mut self, search: bool, pen: &mut Pen) -> Input<Mark, ()> {
        pen.rounds += 1;
        if pen.rounds > ROUNDS {
            return Input::GiveUp;
        }
        let search = search && !failpoint::mutant("no-op");
        let found = if search { self.search(pen) } else { Ok(None) };
        match found {
            Ok(Some(commit)) => {
                pen.tip = Some(commit.clone());
                return Input::Read { tip: Some(Mark::Tip(commit)), held: true };
            }
            Ok(None) => {}
            Err(error) => return pen.give_up(error),
        }
        match self.refresh() {
            Ok(_) | Err(LedgerError::NoRun(_)) => {
                Input::Read { tip: self.tip().cloned().map(Mark::Tip), held: false }
            }
            Err(error) => pen.give_up(error),
        }
    }

    /// The commit of our last event, if it is in the chain.
    fn search(&self, pen: &Pen) -> Result<Option<Oid>, LedgerError> {
        let last = pen.draft.as_ref().and_then(|draft| draft.events.last());
        let (Some(tip), Some(last)) = (self.chains.tip(&self.name)?, last) else {
            return Ok(None);
        };
        let floor = self.seen.as_ref().map_or(0, |seen| seen.run.seq);
        for item in history(self.chains.as_ref(), &self.id, tip) {
            let (commit, event) = item?;
            if event.op == last.op {
                return Ok(Some(commit));
            }
            if event.seq <= floor {
                break;
            }
        }
        Ok(None)
    }

    fn decide(&mut self, files: &Files, ask: &mut Ask<'_>, pen: &mut Pen) -> Input<Mark, ()> {
        let kinds = ask(self.run()).map_err(LedgerError::from);
        match kinds.and_then(|kinds| self.draft(&kinds, files, &mut pen.ops)) {
            Ok(draft) => {
                pen.draft = Some(draft);
                Input::Allowed
            }
            Err(error) => {
                pen.why = Some(error);
                Input::Refused(())
            }
        }
    }

    fn swap(&mut self, pen: &mut Pen) -> Input<Mark, ()> {
        let entries = pen.draft.as_ref().map(|draft| draft.entries.as_slice()).unwrap_or_default();
        let expected = self.seen.as_ref().map(|seen| &seen.tip);
        match self.chains.append(&self.name, expected, entries) {
            Ok(Swap::Won(tip)) => {
                pen.tip = Some(tip);
                pen.synced = true;
                Input::Swapped
            }
            Ok(Swap::Lost(_)) => Input::Moved,
            Err(error) if error.is_unsettled() => {
                pen.why = Some(error.into());
                Input::Unknown
            }
            Err(error) => pen.give_up(error.into()),
        }
    }

    /// An event that a search found may not be on the disk yet: the ref is
    /// written once more with the value that it has.
    fn sync(&mut self, pen: &mut Pen) -> Input<Mark, ()> {
        if pen.synced {
            return Input::Synced;
        }
        let again = self.chains.tip(&self.name).and_then(|tip| match tip {
            Some(tip) => self.chains.point(&self.name, Some(&tip), &tip).map(drop),
            None => Ok(()),
        });
        match again {
            Ok(()) => Input::Synced,
            Err(error) => pen.give_up(error.into()),
        }
    }

    fn accept(&mut self, tip: Oid, draft: Draft) -> &Run {
        if let Some(token) = draft.granted {
            self.token = Some(token);
        }
        if draft.released {
            self.token = None;
        }
        self.mine.extend(draft.events.iter().map(|event| event.op.clone()));
        self.written = draft.events;
        &self.seen.insert(Loaded { tip, run: draft.run }).run
    }

    fn draft(
        &mut self,
        kinds: &[EventKind],
        files: &Files,
        ops: &mut Vec<Op>,
    ) -> Result<Draft, LedgerError> {
        let mut draft = Drafting {
            run: self.seen.as_ref().map(|seen| seen.run.clone()),
            token: self.token,
            released: false,
            entries: Vec::new(),
            events: Vec::new(),
        };
        for (index, kind) in kinds.iter().enumerate() {
            let last = index + 1 == kinds.len();
            if ops.len() == index {
                let constant = failpoint::mutant("no-op");
                ops.push(if constant { Op::new([7; 16]) } else { self.stamps.op() });
            }
            let event = self.event(&draft, kind, ops[index].clone())?;
            let run = fold::apply(draft.run.take(), &self.id, &event)
                .map_err(|source| LedgerError::Corrupt { run: self.id.clone(), source })?;
            let extra = if last { files.clone() } else { Files::new() };
            draft.entries.push(self.entry(&event, &run, extra)?);
            draft.events.push(event);
            draft.run = Some(run);
            if let EventKind::LeaseGranted { token, .. } = kind {
                draft.token = Some(*token);
            }
            draft.released = matches!(kind, EventKind::LeaseReleased);
        }
        let run = draft.run.ok_or(Refusal::Absent)?;
        let granted = draft.token.filter(|token| self.token != Some(*token));
        Ok(Draft {
            run,
            entries: draft.entries,
            events: draft.events,
            granted,
            released: draft.released,
        })
    }

    fn event(&mut self, draft: &Drafting, kind: &EventKind, op: Op) -> Result<Event, LedgerError> {
        let mut actor = Actor { holder: self.me.clone(), token: draft.token };
        if failpoint::mutant("no-token") {
            actor = unchecked(draft, actor);
        }
        decide::decide(draft.run.as_ref(), &actor, kind)?;
        let owned = kind.authority() == Authority::Owner;
        Ok(Event {
            seq: draft.run.as_ref().map_or(1, |run| run.seq + 1),
            at: self.stamps.now(),
            op,
            by: actor.holder,
            token: actor.token.filter(|_| owned),
            kind: kind.clone(),
        })
    }

    fn entry(&self, event: &Event, run: &Run, mut files: Files) -> Result<NewEntry, LedgerError> {
        let bad = |source| LedgerError::Format { run: self.id.clone(), source };
        let message =
            codec::encode(&words::subject(event), &self.id, event, run.status).map_err(bad)?;
        files.insert(STATE.to_owned(), Some(codec::encode_run(run).map_err(bad)?));
        let tree = TreeEdit::Put(files);
        let author = Person::new("crew", format!("{}@crew.invalid", self.me));
        let at = event.at;
        Ok(NewEntry { message, tree, extra_parents: Vec::new(), at, author, committer: None })
    }
}

/// Whoever was ever granted may write, as whoever holds: the broken rule that a
/// test has to notice.
fn unchecked(draft: &Drafting, me: Actor) -> Actor {
    let lease = draft.run.as_ref().map(|run| &run.lease);
    match lease.and_then(|lease| Some((lease.held.as_ref()?, lease.token))) {
        Some((grant, token)) if me.token.is_some() => {
            Actor { holder: grant.holder.clone(), token: Some(token) }
        }
        Some(_) | None => me,
    }
}

/// A tip as the protocol sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Mark {
    Tip(Oid),
    Draft,
}

/// What one append carries from step to step.
#[derive(Default)]
struct Pen {
    rounds: u32,
    /// The ids of its events: they stay when the events are decided anew, so
    /// that an earlier try is recognised.
    ops: Vec<Op>,
    draft: Option<Draft>,
    tip: Option<Oid>,
    synced: bool,
    why: Option<LedgerError>,
}

impl Pen {
    fn give_up(&mut self, error: LedgerError) -> Input<Mark, ()> {
        self.why = Some(error);
        Input::GiveUp
    }
}

struct Drafting {
    run: Option<Run>,
    token: Option<Token>,
    released: bool,
    entries: Vec<NewEntry>,
    events: Vec<Event>,
}

struct Draft {
    run: Run,
    entries: Vec<NewEntry>,
    events: Vec<Event>,
    granted: Option<Token>,
    released: bool,
}
