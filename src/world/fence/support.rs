//! What this kernel has. Asked once by each command, never assumed.

use std::fs;

use nix::errno::Errno;

use super::grade::LEAST_ABI;
use crate::world::process::landlock_abi;

/// Why there is no landlock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    /// The kernel was built without it, or is older than 5.13.
    NotBuilt,
    /// It was built in and is not switched on (`lsm=` of the kernel's command line).
    Off,
    /// Something forbids asking: a container's filter.
    Forbidden,
    /// The user has switched the fence off.
    Unwanted,
}

impl Absent {
    /// Every reason.
    pub const ALL: [Self; 4] = [Self::NotBuilt, Self::Off, Self::Forbidden, Self::Unwanted];

    /// The reason in words.
    #[must_use]
    pub fn why(self) -> &'static str {
        match self {
            Self::NotBuilt => "this kernel has no landlock",
            Self::Off => "landlock is not switched on: it is missing in the kernel's lsm= list",
            Self::Forbidden => "something forbids landlock here: a container's system call filter",
            Self::Unwanted => "crew.sandbox is 'none'",
        }
    }
}

/// What this kernel has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Support {
    /// The version of landlock.
    pub landlock: Result<u32, Absent>,
    /// Whether programs can be given a filter of system calls.
    pub filter: bool,
}

impl Support {
    /// A kernel that has nothing.
    #[must_use]
    pub fn none() -> Self {
        Self { landlock: Err(Absent::Unwanted), filter: false }
    }

    /// Asks the kernel.
    #[must_use]
    pub fn probe() -> Self {
        let landlock = landlock_abi().map_err(|errno| match errno {
            Errno::ENOSYS => Absent::NotBuilt,
            Errno::EOPNOTSUPP => Absent::Off,
            _ => Absent::Forbidden,
        });
        let actions = fs::read_to_string("/proc/sys/kernel/seccomp/actions_avail");
        let known = super::filter::is_known_here();
        let filter = known && actions.is_ok_and(|all| all.split(' ').any(|one| one == "errno"));
        Self { landlock, filter }
    }

    /// The version that is used: one that can't keep writes in is not used.
    #[must_use]
    pub fn usable_abi(&self) -> u32 {
        self.landlock.ok().filter(|abi| *abi >= LEAST_ABI).unwrap_or(0)
    }

    /// Why there is no fence, if there is none.
    #[must_use]
    pub fn lack(&self) -> Option<String> {
        match self.landlock {
            Err(absent) => Some(absent.why().to_owned()),
            Ok(abi) if abi < LEAST_ABI => Some(format!(
                "landlock {abi} of this kernel can't keep files from being emptied, {LEAST_ABI} can"
            )),
            Ok(_) => None,
        }
    }
}
