//! The journal, `refs/crew/log`: one entry when a run begins, one when it ends
//! (the run's tip is its second parent, so the journal keeps the run), one per
//! takeover and landing. It is append-only and is the archive.
//!
//! Entries are written by whoever gets there first and are never written twice:
//! the op in the message says which event it is. The words are the caller's.
//!
//! Limit: an op is looked for among the newest [`SEARCHED`] entries.

use super::chain::{Chains, NewEntry, Person, Swap, TreeEdit};
use super::error::StoreError;
use super::names::RefName;
use crate::domain::id::{Oid, Op};
use crate::domain::time::Timestamp;

/// How far back an op is looked for.
pub const SEARCHED: usize = 2_000;

/// The trailer that carries the op.
pub const OP_TRAILER: &str = "Crew-Op: ";

/// The subject of the first entry.
const ROOT: &str = "journal: begin\n";

/// An entry of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// What makes a second writing of the same entry recognisable. The message
    /// has it as the trailer `Crew-Op: <op>`.
    pub op: Op,
    /// The whole message.
    pub message: String,
    /// The run's tip, which the entry keeps alive, when the run has ended.
    pub keeps: Option<Oid>,
    /// Its author.
    pub author: Person,
    /// Now.
    pub at: Timestamp,
}

/// Makes the journal when there is none, then its alias, and answers its tip.
///
/// # Errors
/// Any of [`StoreError`].
pub fn ensure(chains: &dyn Chains, author: &Person, at: Timestamp) -> Result<Oid, StoreError> {
    let journal = RefName::journal();
    let tip = match chains.tip(&journal)? {
        Some(tip) => tip,
        None => {
            let root = entry(ROOT, author, at, None);
            match chains.append(&journal, None, &[root])? {
                Swap::Won(tip) | Swap::Lost(Some(tip)) => tip,
                Swap::Lost(None) => return ensure(chains, author, at),
            }
        }
    };
    // A dangling alias makes fsck fail: the journal comes first.
    chains.make_alias()?;
    Ok(tip)
}

/// Writes an entry unless one with its op is there, and answers its commit.
///
/// # Errors
/// `Invalid` when the message lacks the op, else any of [`StoreError`].
pub fn record(chains: &dyn Chains, note: &Note) -> Result<Oid, StoreError> {
    let line = format!("{OP_TRAILER}{}", note.op);
    if !note.message.lines().any(|have| have == line) {
        return Err(StoreError::Invalid { what: format!("a journal entry without '{line}'") });
    }
    let mut tip = ensure(chains, &note.author, note.at)?;
    let mut seen = None;
    loop {
        if let Some(found) = find(chains, &tip, seen.as_ref(), &line)? {
            return Ok(found);
        }
        let new = entry(&note.message, &note.author, note.at, note.keeps.clone());
        match chains.append(&RefName::journal(), Some(&tip), &[new])? {
            Swap::Won(id) => return Ok(id),
            Swap::Lost(Some(other)) => seen = Some(std::mem::replace(&mut tip, other)),
            Swap::Lost(None) => {
                let name = RefName::journal().to_string();
                return Err(StoreError::Damaged { what: "ref", name, source: None });
            }
        }
    }
}

/// The entry with this line, between `tip` and what was `seen` before.
fn find(
    chains: &dyn Chains,
    tip: &Oid,
    seen: Option<&Oid>,
    line: &str,
) -> Result<Option<Oid>, StoreError> {
    let mut at = Some(tip.clone());
    for _ in 0..SEARCHED {
        let Some(id) = at.filter(|id| Some(id) != seen) else { return Ok(None) };
        let entry = chains.entry(&id)?;
        if entry.message.lines().any(|have| have == line) {
            return Ok(Some(id));
        }
        at = entry.parents.into_iter().next();
    }
    Ok(None)
}

fn entry(message: &str, author: &Person, at: Timestamp, keeps: Option<Oid>) -> NewEntry {
    NewEntry {
        message: message.to_owned(),
        tree: TreeEdit::Keep,
        extra_parents: keeps.into_iter().collect(),
        at,
        author: author.clone(),
        committer: None,
    }
}
