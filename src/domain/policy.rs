//! What follows an attempt: done, again, or given up. One function, one table.
//!
//! ```text
//! outcome            counts  again      the same tree twice   retries used up
//! passed             -       complete, verified or not
//! check              yes     at once    needs attention       fail
//! out-of-scope       yes     at once    needs attention       fail
//! wrote-read-only    yes     at once    needs attention       fail
//! plan               yes     once, at once                    fail
//! exit               yes     backoff    -                     fail
//! signal             yes     backoff    -                     fail
//! wall-limit         yes     backoff    -                     fail
//! idle-limit         yes     backoff    -                     fail
//! slot-gone          yes     backoff    -                     fail
//! setup              yes     backoff    -                     fail
//! internal           yes     backoff    -                     fail
//! rate-limit    *    yes     later      -                     fail
//! overloaded    *    yes     later      -                     fail
//! context       *    yes     backoff    -                     fail
//! crash         *    yes     backoff    -                     fail
//! refused       *    yes     never: fail
//! not-found     *    yes     never: fail
//! not-executable *   yes     never: fail
//! auth               yes     never: needs attention
//! base-conflict      yes     never: needs attention
//! repo-changed       yes     never: needs attention
//! interrupted        no      at once
//! cancelled          no      never: cancelled
//! ```
//!
//! "At once" is for faults that the next attempt is told about and can mend; a
//! wait would help nobody. Such a fault on the very tree that had it before
//! means that being told did not help: a person is asked. Waits are for faults
//! that may pass by themselves. A plan that can't be used is mended once, by who is
//! told what is wrong with it: more rounds cost more than they bring. Who gives up
//! says so with every attempt (the dead letter), and the attempts' work is kept. "Later" is a longer wait: the agent's
//! own program has tried again for minutes before it gave up.
//!
//! `*`: where a step, role, agent or team names several agents, the next of them
//! goes on at once, and that costs no retry. After the last it is the first
//! one's turn again, by the table. A missing login is never tried again, by
//! nobody: a person who is told can mend it, and the others' bills are theirs.

use super::attempt::{Attempt, Ending, FailureClass, Judgement};
use super::defaults;
use super::id::Oid;
use super::task::Task;
use super::time::Timestamp;

/// How an attempt ended, as far as policy cares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The agent finished and nothing speaks against its result.
    Passed {
        /// Checks ran and passed; without checks it is `false`.
        verified: bool,
    },
    /// It is not enough.
    Failed {
        /// Why, as a class.
        class: FailureClass,
        /// The tree it left, if it left one.
        tree: Option<Oid>,
    },
    /// The orchestrator died or was stopped; that proves nothing about the task.
    Interrupted,
    /// A person cancelled.
    Cancelled,
}

impl Outcome {
    /// The outcome of an attempt; `None` while the agent runs or while the
    /// verdict is out.
    #[must_use]
    pub fn of(attempt: &Attempt) -> Option<Self> {
        let tree = attempt.work.as_ref().and_then(|work| work.tree.clone());
        match attempt.ending.as_ref()? {
            Ending::Interrupted => Some(Self::Interrupted),
            Ending::Cancelled => Some(Self::Cancelled),
            Ending::Failed { class, .. } => Some(Self::Failed { class: *class, tree }),
            Ending::Finished => {
                let verdict = attempt.verdict.as_ref()?;
                Some(match verdict.result {
                    Judgement::Passed => Self::Passed { verified: true },
                    Judgement::Unverified => Self::Passed { verified: false },
                    Judgement::Failed => Self::Failed {
                        class: FailureClass::Check,
                        tree: Some(verdict.tree.clone()),
                    },
                })
            }
        }
    }

    /// The outcomes of a task's attempts since a person last reopened it.
    #[must_use]
    pub fn history(task: &Task) -> Vec<Self> {
        let forgiven = usize::try_from(task.forgiven).unwrap_or(usize::MAX);
        task.attempts.iter().skip(forgiven).filter_map(Self::of).collect()
    }

    fn word(&self) -> &'static str {
        match self {
            Self::Passed { .. } => "passed",
            Self::Failed { class, .. } => class.word(),
            Self::Interrupted => "interrupted",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// The result counts.
    Complete {
        /// Checks passed on it.
        verified: bool,
    },
    /// Another attempt.
    Retry {
        /// Not before this time of the holder's clock.
        not_before: Timestamp,
        /// One line for people.
        why: String,
    },
    /// The task is given up.
    Fail {
        /// One line for people, with every attempt.
        why: String,
    },
    /// A person has to decide.
    NeedsAttention {
        /// One line for people.
        why: String,
    },
    /// The task is cancelled.
    Cancel,
}

/// Whether and when a failure of a class is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// Without a wait, with the failure as feedback.
    AtOnce,
    /// The same, but a single time however many retries are left.
    Once,
    /// After a wait that doubles each time.
    Backoff,
    /// After a longer wait that doubles each time.
    Later,
    /// Another attempt would end the same way.
    Never,
    /// Another attempt would end the same way, and a decision is missing.
    Person,
}

/// The table's third column.
#[must_use]
pub fn again(class: FailureClass) -> Again {
    use FailureClass as C;
    match class {
        C::Check | C::OutOfScope | C::WroteReadOnly => Again::AtOnce,
        C::Plan => Again::Once,
        C::Exit
        | C::Signal
        | C::WallLimit
        | C::IdleLimit
        | C::SlotGone
        | C::Setup
        | C::Internal
        | C::Context
        | C::Crash => Again::Backoff,
        C::RateLimit | C::Overloaded => Again::Later,
        C::NotFound | C::NotExecutable | C::Refused => Again::Never,
        C::BaseConflict | C::RepositoryChanged | C::Auth => Again::Person,
    }
}

/// Whether another agent may do better: the table's `*`.
#[must_use]
pub fn moves_on(class: FailureClass) -> bool {
    use FailureClass as C;
    match class {
        C::RateLimit
        | C::Overloaded
        | C::Context
        | C::Refused
        | C::Crash
        | C::NotFound
        | C::NotExecutable => true,
        C::Check
        | C::Exit
        | C::Signal
        | C::WallLimit
        | C::IdleLimit
        | C::Auth
        | C::OutOfScope
        | C::WroteReadOnly
        | C::SlotGone
        | C::Setup
        | C::BaseConflict
        | C::RepositoryChanged
        | C::Plan
        | C::Internal => false,
    }
}

/// How often the turn went to the next agent.
fn moves(history: &[Outcome]) -> usize {
    let moved = |one: &&Outcome| matches!(one, Outcome::Failed { class, .. } if moves_on(*class));
    history.iter().filter(moved).count()
}

/// Whose turn it is after this history: one of `players`, which are never none.
#[must_use]
pub fn player<'a>(players: &[&'a str], history: &[Outcome]) -> Option<&'a str> {
    players.get(moves(history).checked_rem(players.len())?).copied()
}

/// What a task's plan says of its attempts.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// How often it may be tried more than once.
    pub retries: u32,
    /// The agents that can do it, the best first.
    pub players: &'a [&'a str],
}

/// Decides what follows the last outcome of `history` (oldest first), for a task
/// on these terms. `jitter` is a random number in [0, 1). An empty history is a
/// task that may start now.
#[must_use]
pub fn after_attempt(terms: Terms<'_>, history: &[Outcome], now: Timestamp, jitter: f64) -> Next {
    let Some((last, earlier)) = history.split_last() else {
        return Next::Retry { not_before: now, why: "no attempt yet".into() };
    };
    let (class, tree) = match last {
        Outcome::Passed { verified } => return Next::Complete { verified: *verified },
        Outcome::Cancelled => return Next::Cancel,
        Outcome::Interrupted => {
            return Next::Retry { not_before: now, why: "the attempt was interrupted".into() };
        }
        Outcome::Failed { class, tree } => (*class, tree.as_ref()),
    };
    let (moves, others) = (moves(history), terms.players.len().saturating_sub(1));
    if moves_on(class) && moves <= others {
        let next = player(terms.players, history).unwrap_or_default();
        let why = format!("{}, on to agent '{next}'", class.word());
        return Next::Retry { not_before: now, why };
    }
    let free = u32::try_from(moves.min(others)).unwrap_or(u32::MAX);
    let (failures, retries) = (failures(history) - free, terms.retries);
    let way = again(class);
    match way {
        Again::Never => return Next::Fail { why: letter(history) },
        Again::Person => {
            return Next::NeedsAttention {
                why: format!("{}: a decision is missing", class.word()),
            };
        }
        Again::AtOnce if seen(earlier, class, tree) => {
            let why = format!(
                "stuck: two attempts left the same tree and failed alike ({})",
                class.word()
            );
            return Next::NeedsAttention { why };
        }
        Again::Once if alike(earlier, class) => return Next::Fail { why: letter(history) },
        Again::AtOnce | Again::Once | Again::Backoff | Again::Later => {}
    }
    if failures > retries {
        return Next::Fail { why: letter(history) };
    }
    let wait = match way {
        Again::Backoff => backoff_ms(failures - 1, jitter),
        Again::Later => later_ms(failures - 1, jitter),
        Again::AtOnce | Again::Once | Again::Never | Again::Person => 0,
    };
    let why = format!("{}, retry {failures} of {retries}", class.word());
    Next::Retry { not_before: now.plus_ms(wait), why }
}

fn failures(history: &[Outcome]) -> u32 {
    let failed = history.iter().filter(|one| matches!(one, Outcome::Failed { .. })).count();
    u32::try_from(failed).unwrap_or(u32::MAX)
}

/// Whether an earlier attempt failed in the same way.
fn alike(earlier: &[Outcome], class: FailureClass) -> bool {
    let same =
        |one: &Outcome| matches!(one, Outcome::Failed { class: other, .. } if *other == class);
    earlier.iter().any(same)
}

/// Whether an earlier attempt failed in the same way on the same tree.
fn seen(earlier: &[Outcome], class: FailureClass, tree: Option<&Oid>) -> bool {
    let alike = |one: &Outcome| match one {
        Outcome::Failed { class: other, tree: Some(left) } => *other == class && Some(left) == tree,
        Outcome::Failed { .. }
        | Outcome::Passed { .. }
        | Outcome::Interrupted
        | Outcome::Cancelled => false,
    };
    earlier.iter().any(alike)
}

/// The wait before retry `n` (0 for the first), in milliseconds: it doubles,
/// chance moves it by up to 30 %, and it never exceeds the cap.
#[must_use]
pub fn backoff_ms(n: u32, jitter: f64) -> i64 {
    doubled(defaults::BACKOFF_MS, defaults::BACKOFF_CAP_MS, n, jitter)
}

/// The same for what only time mends.
#[must_use]
pub fn later_ms(n: u32, jitter: f64) -> i64 {
    doubled(defaults::LATER_MS, defaults::LATER_CAP_MS, n, jitter)
}

fn doubled(first: u64, cap: u64, n: u32, jitter: f64) -> i64 {
    let whole = first.saturating_mul(1_u64 << n.min(20)).min(cap);
    let swing = defaults::BACKOFF_JITTER * (2.0 * jitter.clamp(0.0, 1.0) - 1.0);
    // thousandths, so that the arithmetic stays in whole numbers
    #[expect(clippy::cast_possible_truncation, reason = "between 700 and 1300 by the clamp")]
    let thousandths = ((1.0 + swing) * 1000.0) as i64;
    let cap = i64::try_from(cap).unwrap_or(i64::MAX);
    (i64::try_from(whole).unwrap_or(cap) * thousandths / 1000).min(cap)
}

/// The dead letter: every attempt in one line.
fn letter(history: &[Outcome]) -> String {
    const LISTED: usize = 12;
    let words: Vec<&str> = history.iter().rev().take(LISTED).map(Outcome::word).collect();
    let words: Vec<&str> = words.into_iter().rev().collect();
    let more = if history.len() > LISTED { "…, " } else { "" };
    let plural = if history.len() == 1 { "attempt" } else { "attempts" };
    format!("given up after {} {plural}: {more}{}", history.len(), words.join(", "))
}

#[cfg(test)]
mod tests;
