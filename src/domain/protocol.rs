//! How one event gets into a chain, as a pure state machine: read the tip,
//! decide on it, write the event, swap the ref, make the swap durable, and only
//! then say so.
//!
//! The store drives it with git, the model checker with a few numbers; both run
//! the same moves. It promises three things, given a caller that does what each
//! [`Action`] says:
//!
//! - [`Outcome::Acked`] is reached only after the objects *and* the ref's new
//!   value survive a power cut;
//! - an event is swapped in only on the very tip that it was decided on;
//! - after an unknown outcome the chain is searched for the operation before
//!   anything is sent again, and what is sent again on the same tip is the
//!   identical event, so that one operation is in the chain at most once.
//!
//! It does not bound the number of tries and it knows no time: the caller waits
//! between tries and answers [`Input::GiveUp`] when its patience ends.

/// What the caller has to do next. Each is answered by one [`Input`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Action<T> {
    /// Read the tip and fold its chain; answer [`Input::Read`].
    Read {
        /// Whether the chain has to be searched for this operation.
        search: bool,
    },
    /// Ask `decide` on the tip just read; answer [`Input::Allowed`] or
    /// [`Input::Refused`].
    Decide,
    /// Write the event with this parent, its objects and their folders synced;
    /// answer [`Input::Written`].
    Write {
        /// The event that it follows; `None` for a chain's first.
        parent: Option<T>,
    },
    /// Lock the ref, compare, write and sync the new value, rename; answer
    /// [`Input::Swapped`], [`Input::Moved`], [`Input::Busy`] or
    /// [`Input::Unknown`].
    Swap {
        /// What the ref must hold now; `None`: it must not exist.
        from: Option<T>,
        /// What it holds afterwards.
        to: T,
        /// How often the lock was taken already; not 0: wait with jitter first.
        contended: u32,
    },
    /// Sync the ref's folder, so that the renamed value stays; answer
    /// [`Input::Synced`].
    Sync,
    /// Nothing: it is over.
    Stop,
}

/// What came of an [`Action`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Input<T, R> {
    /// The tip, and whether its chain already holds this operation (`false`
    /// when no search was asked for).
    Read {
        /// The newest event; `None` when the chain does not exist.
        tip: Option<T>,
        /// Whether the operation is in the chain.
        held: bool,
    },
    /// The event may be written on this tip.
    Allowed,
    /// It may not, and why.
    Refused(R),
    /// The event's objects are on the disk, under this name.
    Written(T),
    /// The ref was swapped.
    Swapped,
    /// The ref holds something else: nothing was written.
    Moved,
    /// Somebody else has the ref's lock: nothing was written.
    Busy,
    /// An error in or after the rename: the ref may have been swapped.
    Unknown,
    /// The ref's folder is synced.
    Synced,
    /// The action was not done and won't be: the caller's patience is over, or
    /// the disk is full.
    GiveUp,
}

/// How an append ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Outcome<T, R> {
    /// The event is in the chain and stays there. The tip is the chain's tip
    /// when it was last seen, not always the event itself.
    Acked(T),
    /// The event may not be written. It is not in the chain.
    Refused(R),
    /// Given up before anything was swapped. It is not in the chain.
    Lost,
    /// Given up without knowing: the event may be in the chain. A retry with
    /// the same operation ([`Append::retry`]) finds out.
    Unsettled,
}

/// Where an append stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Append<T, R> {
    /// The tip is being read.
    Reading {
        /// Whether an earlier try may have put the operation into the chain.
        search: bool,
    },
    /// `decide` is being asked on this tip.
    Deciding {
        /// The tip that was read.
        tip: Option<T>,
        /// As in [`Append::Reading`].
        search: bool,
    },
    /// The event is being written on this tip.
    Writing {
        /// The tip that it was decided on.
        tip: Option<T>,
        /// As in [`Append::Reading`].
        search: bool,
    },
    /// The ref is being swapped.
    Swapping {
        /// The tip that the event was decided on.
        from: Option<T>,
        /// The event.
        to: T,
        /// How often the lock was taken.
        contended: u32,
        /// As in [`Append::Reading`].
        search: bool,
    },
    /// The swap's outcome is unknown; the chain is being searched.
    Settling {
        /// The tip that the event was decided on.
        from: Option<T>,
        /// The event.
        to: T,
    },
    /// The event is in the chain; the ref's folder is being synced.
    Syncing {
        /// The chain's tip when it was last seen.
        tip: T,
    },
    /// It is over.
    Done(Outcome<T, R>),
}

/// An input that does not answer the pending action: a fault of the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an answer that does not belong to '{pending}'")]
pub struct Misfit {
    /// The action that was pending, by name.
    pub pending: &'static str,
}

impl<T: Clone + PartialEq, R: Clone> Append<T, R> {
    /// An append whose operation id was drawn just now: no chain can hold it.
    #[must_use]
    pub fn fresh() -> Self {
        Self::Reading { search: false }
    }

    /// An append of an operation that was tried before, by this process or by
    /// one that died: the chain is searched first.
    #[must_use]
    pub fn retry() -> Self {
        Self::Reading { search: true }
    }

    /// What has to be done next.
    #[must_use]
    pub fn action(&self) -> Action<T> {
        match self {
            Self::Reading { search } => Action::Read { search: *search },
            Self::Deciding { .. } => Action::Decide,
            Self::Writing { tip, .. } => Action::Write { parent: tip.clone() },
            Self::Swapping { from, to, contended, .. } => {
                Action::Swap { from: from.clone(), to: to.clone(), contended: *contended }
            }
            Self::Settling { .. } => Action::Read { search: true },
            Self::Syncing { .. } => Action::Sync,
            Self::Done(_) => Action::Stop,
        }
    }

    /// The state after the pending action was answered.
    ///
    /// # Errors
    /// [`Misfit`] when the input does not belong to [`Append::action`].
    pub fn step(self, input: Input<T, R>) -> Result<Self, Misfit> {
        let misfit = Misfit { pending: self.word() };
        Ok(match (self, input) {
            (state, Input::GiveUp) => state.given_up(),
            // In the chain, but perhaps not on the disk: whoever swapped it may
            // have died before its sync.
            (Self::Reading { .. } | Self::Settling { .. }, Input::Read { tip, held: true }) => {
                Self::Syncing { tip: tip.ok_or(misfit)? }
            }
            (Self::Reading { search }, Input::Read { tip, held: false }) => {
                Self::Deciding { tip, search }
            }
            (Self::Deciding { tip, search }, Input::Allowed) => Self::Writing { tip, search },
            (Self::Deciding { .. }, Input::Refused(why)) => Self::Done(Outcome::Refused(why)),
            (Self::Writing { tip: from, search }, Input::Written(to)) => {
                Self::Swapping { from, to, contended: 0, search }
            }
            (Self::Swapping { to, .. }, Input::Swapped) => Self::Syncing { tip: to },
            (Self::Swapping { search, .. }, Input::Moved) => Self::Reading { search },
            (Self::Swapping { from, to, contended, search }, Input::Busy) => {
                Self::Swapping { from, to, contended: contended.saturating_add(1), search }
            }
            (Self::Swapping { from, to, .. }, Input::Unknown) => Self::Settling { from, to },
            // The tip is where it was: a first copy may still be on its way, so
            // only the identical event is sent again.
            (Self::Settling { from, to }, Input::Read { tip, held: false }) if tip == from => {
                Self::Swapping { from, to, contended: 0, search: true }
            }
            // It moved without us: a late copy can't win, a tip never returns.
            (Self::Settling { .. }, Input::Read { tip, held: false }) => {
                Self::Deciding { tip, search: true }
            }
            (Self::Syncing { tip }, Input::Synced) => Self::Done(Outcome::Acked(tip)),
            (_, _) => return Err(misfit),
        })
    }

    /// The end, once it is reached.
    #[must_use]
    pub fn outcome(&self) -> Option<&Outcome<T, R>> {
        match self {
            Self::Done(outcome) => Some(outcome),
            Self::Reading { .. }
            | Self::Deciding { .. }
            | Self::Writing { .. }
            | Self::Swapping { .. }
            | Self::Settling { .. }
            | Self::Syncing { .. } => None,
        }
    }

    fn given_up(self) -> Self {
        match self {
            Self::Reading { search: false }
            | Self::Deciding { search: false, .. }
            | Self::Writing { search: false, .. }
            | Self::Swapping { search: false, .. } => Self::Done(Outcome::Lost),
            // Searched and not found, and a tip that moved can't be hit by a
            // late copy; but an earlier process's search may have been of an
            // older tip. Not knowing is the only answer that is never a lie.
            Self::Reading { .. }
            | Self::Deciding { .. }
            | Self::Writing { .. }
            | Self::Swapping { .. }
            | Self::Settling { .. }
            | Self::Syncing { .. } => Self::Done(Outcome::Unsettled),
            Self::Done(outcome) => Self::Done(outcome),
        }
    }

    fn word(&self) -> &'static str {
        match self.action() {
            Action::Read { .. } => "read",
            Action::Decide => "decide",
            Action::Write { .. } => "write",
            Action::Swap { .. } => "swap",
            Action::Sync => "sync",
            Action::Stop => "stop",
        }
    }
}

#[cfg(test)]
#[path = "protocol_tests.rs"]
mod tests;
