//! What a supervised program is given and what is known of it afterwards.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use super::Captured;
use crate::world::fence::Fence;

/// One program to be supervised.
#[derive(Clone, Debug)]
pub struct Spec {
    /// A path (relative ones from `cwd`), or a name to be looked up in the
    /// `PATH` of `env`.
    pub program: OsString,
    /// The arguments after the program's name.
    pub args: Vec<OsString>,
    /// The folder the program starts in.
    pub cwd: PathBuf,
    /// The complete environment. A `CREW_MARK` in it is what recovery searches for.
    pub env: Vec<(OsString, OsString)>,
    /// What the program reads.
    pub stdin: Stdin,
    /// When it is stopped.
    pub limits: Limits,
    /// What is kept of what it prints.
    pub output: OutputSpec,
    /// What it may do; `None` for whatever we may do.
    pub fence: Option<Fence>,
}

/// What a program reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stdin {
    /// `/dev/null`.
    Null,
    /// These bytes, as a file of its own in memory: a program that reads them
    /// late or never blocks nobody.
    Bytes(Vec<u8>),
}

/// When a program is stopped. Times are monotonic: a suspended machine charges
/// nothing.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The longest it may run; `None` for ever.
    pub wall: Option<Duration>,
    /// The longest it may print nothing on both streams, not counted while a
    /// [`Listener`] knows that it waits; `None` for ever.
    pub idle: Option<Duration>,
    /// From `SIGTERM` to its group until `SIGKILL` to all it started; zero kills at once.
    pub grace: Duration,
}

/// What is kept of what a program prints.
#[derive(Clone, Debug)]
pub struct OutputSpec {
    /// A file that mirrors both streams as they come, for other processes. At
    /// `head + tail` bytes (at least 1 MiB) it is renamed to `<name>.1`, over
    /// the last one, and begun anew.
    pub live: Option<PathBuf>,
    /// How many first bytes of each stream are kept.
    pub head: usize,
    /// How many last bytes of each stream are kept.
    pub tail: usize,
}

/// Understands what a program prints on standard output.
pub trait Listener: Send + Sync {
    /// It has printed this. Called in order, from the task that reads: it may
    /// take as long as reading may.
    fn heard(&self, chunk: &[u8]);

    /// Until when it is silent because it said that it waits.
    fn waits_until(&self) -> Option<tokio::time::Instant>;
}

/// What somebody wants of a running program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StopRequest {
    /// That it runs on.
    #[default]
    None,
    /// `SIGTERM`, the grace, `SIGKILL`.
    Term,
    /// `SIGKILL` at once.
    Kill,
}

/// How the program itself ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// By itself, with this code.
    Exited(i32),
    /// By this signal; true when the kernel wrote a core.
    Signalled(i32, bool),
    /// It did not start: there is no such program.
    NotFound,
    /// It did not start: it may not be executed.
    NotExecutable,
    /// It did not start, for this reason.
    CannotStart(String),
    /// Its supervisor was killed, or did not answer, so its end was not seen.
    /// What was left of it was killed.
    Lost,
}

/// Why a program was told to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It ran for longer than its wall limit.
    Wall,
    /// It printed nothing for longer than its idle limit.
    Idle,
    /// [`StopRequest::Term`].
    Cancelled,
    /// [`StopRequest::Kill`].
    Killed,
}

/// What is known of a program that has ended.
#[derive(Clone, Debug)]
pub struct Report {
    /// How it ended.
    pub end: End,
    /// Why it was told to; `None` when nobody told it. It may have ended by
    /// itself in the same moment.
    pub stopped_by: Option<Stop>,
    /// What it and its children printed to standard output.
    pub stdout: Captured,
    /// What they printed to standard error.
    pub stderr: Captured,
    /// What it had left running, as `<pid> <name>`, and was killed; `unkillable
    /// <pid> <name>` is still there (uninterruptible sleep).
    pub leaked: Vec<String>,
    /// The bounds of its fence that it met: `memory` (the kernel killed it for
    /// that), `processes` (it could start no more).
    pub exceeded: Vec<String>,
    /// What did not work beside the program: a live file that could not be
    /// written, an output that somebody still holds open.
    pub troubles: Vec<String>,
    /// From its start to its end.
    pub took: Duration,
}
