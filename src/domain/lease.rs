//! Who may write a run: a lease whose token only rises.
//!
//! A lease lives in the chain it guards, so the compare-and-swap that appends an
//! event is also the check that nobody was granted in between (the argument is
//! that of fencing tokens: Gray and Cheriton's leases, with Lamport's rule that
//! order is the chain and never a clock). No clocks of two machines are
//! compared; whether a holder may be dispossessed is decided from [`Facts`] that
//! one observer gathered on its own machine.

use std::fmt;

use super::id::HolderId;

/// A number that rises by one with every grant of one lease and never falls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

impl Token {
    /// The token of the next grant.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Where a grant holds and how its life can be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binding {
    /// The holder's life is a lock that the kernel frees; it never expires.
    Local,
    /// The holder renews within this many milliseconds of its own clock.
    Renews {
        /// How long one renewal lasts, in milliseconds.
        ttl_ms: u64,
    },
}

/// What a grant says of its holder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The process incarnation that may write.
    pub holder: HolderId,
    /// The machine it runs on.
    pub machine: String,
    /// That machine's boot: another boot of the same machine proves it dead.
    pub boot: String,
    /// How its life can be seen.
    pub binding: Binding,
}

/// A lease as a chain's fold has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lease {
    /// The token of the newest grant; 0 before the first.
    pub token: Token,
    /// The holder, while the lease is held.
    pub held: Option<Grant>,
}

/// What an observer knows of the holder's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// Its lock is held: it runs, or is stopped, and both count as alive.
    Alive,
    /// Its lock is free on a file system where that is proof.
    Dead,
    /// This machine can't tell (another machine, a network file system).
    Unknown,
}

/// What one observer gathered before it asks for a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The asking process.
    pub holder: HolderId,
    /// Its machine.
    pub machine: String,
    /// Its boot.
    pub boot: String,
    /// What it knows of the present holder's life.
    pub life: Life,
    /// How long it has watched the same tip, in milliseconds of its own boot
    /// clock; counts only for leases that renew.
    pub watched_ms: u64,
    /// A person said `--force`.
    pub force: bool,
}

/// Why a grant was allowed. It is written into the grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Because {
    /// Nobody held it.
    Free,
    /// The holder's lock was free under the same boot.
    HolderDied,
    /// The holder's machine has booted again since.
    Rebooted,
    /// The holder did not renew in time.
    Silent,
    /// A person forced it.
    Forced,
}

/// Why a lease is not granted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeaseRefusal {
    /// The holder is alive.
    #[error("'{holder}' holds it (token {token}) and is alive")]
    Held {
        /// Who holds it.
        holder: HolderId,
        /// Under which token.
        token: Token,
    },
    /// The asking process holds it already.
    #[error("this process holds it already (token {0})")]
    AlreadyYours(Token),
    /// Nothing proves that the holder is dead.
    #[error(
        "'{holder}' on machine '{machine}' holds it (token {token}) and nothing here proves that it is dead"
    )]
    Unproved {
        /// Who holds it.
        holder: HolderId,
        /// On which machine.
        machine: String,
        /// Under which token.
        token: Token,
    },
}

/// How long a renewing holder must have been silent before another may take its
/// lease: a quarter more than its time, and five seconds.
#[must_use]
pub fn patience_ms(ttl_ms: u64) -> u64 {
    ttl_ms.saturating_add(ttl_ms / 4).saturating_add(5_000)
}

impl Lease {
    /// Decides whether the observer may have the lease, and why.
    ///
    /// | held | binding | same machine | same boot | life | `--force` | answer |
    /// |---|---|---|---|---|---|---|
    /// | no | | | | | | free |
    /// | by the asker | | | | | | already yours |
    /// | yes | | | | | yes | forced |
    /// | yes | local | yes | no | | no | rebooted, if both boots are known |
    /// | yes | local | yes | yes | dead | no | holder died |
    /// | yes | local | yes | yes | alive | no | held |
    /// | yes | local | no | | | no | unproved |
    /// | yes | renews | | | | no | silent, after the patience, else unproved |
    ///
    /// # Errors
    /// A [`LeaseRefusal`] that names the holder.
    pub fn claim(&self, facts: &Facts) -> Result<Because, LeaseRefusal> {
        let Some(grant) = &self.held else { return Ok(Because::Free) };
        if grant.holder == facts.holder {
            return Err(LeaseRefusal::AlreadyYours(self.token));
        }
        if facts.force {
            return Ok(Because::Forced);
        }
        let unproved = || LeaseRefusal::Unproved {
            holder: grant.holder.clone(),
            machine: grant.machine.clone(),
            token: self.token,
        };
        match grant.binding {
            Binding::Renews { ttl_ms } if facts.watched_ms >= patience_ms(ttl_ms) => {
                Ok(Because::Silent)
            }
            Binding::Renews { .. } => Err(unproved()),
            Binding::Local if grant.machine != facts.machine => Err(unproved()),
            // Images without a machine id share the empty one: no proof.
            Binding::Local if grant.boot != facts.boot => {
                let known = [&grant.machine, &grant.boot, &facts.boot];
                if known.iter().any(|id| id.is_empty()) {
                    Err(unproved())
                } else {
                    Ok(Because::Rebooted)
                }
            }
            Binding::Local => match facts.life {
                Life::Dead => Ok(Because::HolderDied),
                Life::Alive => {
                    Err(LeaseRefusal::Held { holder: grant.holder.clone(), token: self.token })
                }
                Life::Unknown => Err(unproved()),
            },
        }
    }

    /// Whether a grant with this reason may follow on this lease, as far as the
    /// chain alone can tell: it proves no death, but it tells a forged or
    /// confused grant from one that [`Lease::claim`] could have allowed.
    #[must_use]
    pub fn admits(&self, grant: &Grant, because: Because) -> bool {
        let Some(held) = &self.held else { return because == Because::Free };
        if held.holder == grant.holder {
            return false;
        }
        let here = held.binding == Binding::Local && held.machine == grant.machine;
        match because {
            Because::Free => false,
            Because::HolderDied => here && held.boot == grant.boot,
            Because::Rebooted => here && held.boot != grant.boot,
            Because::Silent => held.binding != Binding::Local,
            Because::Forced => true,
        }
    }

    /// Whether this process may write owner events under this token.
    #[must_use]
    pub fn is_held_by(&self, holder: &HolderId, token: Token) -> bool {
        self.token == token && self.held.as_ref().is_some_and(|grant| &grant.holder == holder)
    }
}

#[cfg(test)]
#[path = "lease_tests.rs"]
mod tests;
