//! How much of the fence is really there, in words that are stored.

use std::fmt;

use super::Support;

/// The first version of landlock that counts: before it, `truncate` empties any
/// file that the user may write.
pub const LEAST_ABI: u32 = 3;

/// The first version that refuses `ioctl` on devices.
pub(super) const IOCTL_ABI: u32 = 5;

/// The first version that refuses signals and abstract sockets.
pub(super) const SCOPE_ABI: u32 = 6;

/// What keeps a program from the rest of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grade {
    /// Everything that the fence is for.
    Fenced,
    /// Writing is fenced in; this is not kept.
    Partial(Vec<String>),
    /// Nothing.
    None,
}

impl Grade {
    /// The grade of a fence that this machine keeps.
    #[must_use]
    pub fn of(support: &Support) -> Self {
        let abi = support.usable_abi();
        if abi < LEAST_ABI {
            return Self::None;
        }
        let mut missing = Vec::new();
        if abi < IOCTL_ABI {
            missing.push("device ioctl".to_owned());
        }
        if abi < SCOPE_ABI {
            missing.push("signals".to_owned());
        }
        if !support.filter {
            missing.push("limits of other processes".to_owned());
        }
        if missing.is_empty() { Self::Fenced } else { Self::Partial(missing) }
    }

    /// The same with one more thing that is not kept. None stays none.
    #[must_use]
    pub fn without(self, what: impl Into<String>) -> Self {
        match self {
            Self::Fenced => Self::Partial(vec![what.into()]),
            Self::Partial(mut missing) => {
                missing.push(what.into());
                Self::Partial(missing)
            }
            Self::None => Self::None,
        }
    }
}

impl fmt::Display for Grade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fenced => f.write_str("fenced"),
            Self::Partial(missing) => write!(f, "partial ({})", missing.join(", ")),
            Self::None => f.write_str("none"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Absent;
    use super::*;

    fn graded(abi: u32, filter: bool) -> String {
        Grade::of(&Support { landlock: Ok(abi), filter }).to_string()
    }

    #[test]
    fn a_grade_is_never_called_more_than_it_is() {
        assert_eq!(graded(1, true), "none");
        assert_eq!(graded(2, true), "none");
        assert_eq!(graded(3, true), "partial (device ioctl, signals)");
        assert_eq!(graded(4, true), "partial (device ioctl, signals)");
        assert_eq!(graded(5, true), "partial (signals)");
        assert_eq!(graded(6, true), "fenced");
        assert_eq!(graded(99, true), "fenced");
        assert_eq!(graded(7, false), "partial (limits of other processes)");
        for absent in Absent::ALL {
            let support = Support { landlock: Err(absent), filter: true };
            assert_eq!(Grade::of(&support), Grade::None);
            assert_eq!(Grade::of(&support).without("linked worktree"), Grade::None);
        }
        assert_eq!(Grade::Fenced.without("x").without("y").to_string(), "partial (x, y)");
    }
}
