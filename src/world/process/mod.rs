//! The only place that starts processes.
//!
//! Promises, each with a test under `tests/it/process/`: a program gets the
//! environment, the descriptors and the folder it was given and nothing else;
//! its output never costs more memory than its bounds; at its end, at its
//! limits, and when this process is killed, nothing it started stays alive.
//!
//! Three ways in: [`output`] and [`Helper`] for short-lived helpers such as `git`
//! (blocking), [`foreground`] for a program on the user's own terminal,
//! [`Supervisor`] for agents and checks. A supervised program has a
//! shim (`shim`) between it and us; `sweep` finds what outlives even that.

mod background;
mod capture;
mod foreground;
mod gate;
mod group;
mod inner;
mod oneshot;
mod residents;
mod shim;
mod spec;
mod streams;
mod supervisor;
mod sweep;
mod sys;
mod tree;
mod wire;

use std::time::Duration;

pub use background::{Begun, background, is_background, leave_terminal};
pub use capture::Captured;
pub use foreground::{foreground, pause};
pub use group::try_bounds;
pub use oneshot::{HELPER_MARK, Helper, HelperInput, MAX_OUTPUT, Output, output};
pub use residents::residents;
pub use shim::entry as shim_entry;
pub use spec::{End, Limits, Listener, OutputSpec, Report, Spec, Stdin, Stop, StopRequest};
pub use supervisor::Supervisor;
pub(in crate::world) use sweep::ancestor_values;
pub use sweep::{MARK, Swept, become_subreaper, sweep_marked};
pub(in crate::world) use sys::{change_limit, landlock_abi};

/// Why a process could not be run or not be run to its end.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The program could not be started at all.
    #[error("cannot start '{program}'")]
    Spawn {
        /// The program as it was named.
        program: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The program was killed for taking too long.
    #[error("no end after {after:?} of '{program}', killed")]
    Deadline {
        /// The program as it was named.
        program: String,
        /// The time it had.
        after: Duration,
    },
    /// The program wrote more than can be kept, and was killed.
    #[error("more than {limit} bytes of output from '{program}', killed")]
    TooMuch {
        /// The program as it was named.
        program: String,
        /// The most that is kept, in bytes.
        limit: usize,
    },
    /// Something around a process failed.
    #[error("input or output failed for '{subject}'")]
    Io {
        /// The program or the file concerned.
        subject: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A mark that is no attempt's.
    #[error("'{mark}' is too short to be the mark of an attempt")]
    Mark {
        /// The mark as given, escaped.
        mark: String,
    },
}
