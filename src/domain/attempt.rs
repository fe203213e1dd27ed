//! One try of one task by one agent: what it started from, how it ended, what it
//! left and what the checks said.

use super::account::Account;
use super::id::Oid;
use super::lease::Token;
use super::task::TaskStatus;
use super::time::Timestamp;
use super::usage::Usage;

/// Why an attempt did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FailureClass {
    /// A required check failed.
    Check,
    /// The agent exited with a code other than 0.
    Exit,
    /// A signal that we did not send ended the agent.
    Signal,
    /// The wall clock limit was reached.
    WallLimit,
    /// Nothing was printed for the idle limit.
    IdleLimit,
    /// The model's server took no more requests of this user for now.
    RateLimit,
    /// The model's server was too busy, failed, or was not reached.
    Overloaded,
    /// The model's server did not accept the user: a login is missing.
    Auth,
    /// The conversation no longer fits the model.
    Context,
    /// The model refused.
    Refused,
    /// The agent's program failed, or said nothing that can be read.
    Crash,
    /// The agent's program does not exist.
    NotFound,
    /// The agent's program may not be executed.
    NotExecutable,
    /// Files outside the step's `paths:` were changed.
    OutOfScope,
    /// A role without the right to write changed files.
    WroteReadOnly,
    /// The slot's folder was gone at the harvest.
    SlotGone,
    /// The slot could not be made ready for builds.
    Setup,
    /// The results of the dependencies do not merge.
    BaseConflict,
    /// The user's repository was changed while an agent worked that nothing kept
    /// from it.
    RepositoryChanged,
    /// What it wrote is no plan, or no list, that tasks could be made from.
    Plan,
    /// Something that git-crew itself could not do (disk, git, a broken slot).
    Internal,
}

impl FailureClass {
    /// Every class, in the order of the documentation.
    pub const ALL: [Self; 21] = [
        Self::Check,
        Self::Exit,
        Self::Signal,
        Self::WallLimit,
        Self::IdleLimit,
        Self::RateLimit,
        Self::Overloaded,
        Self::Auth,
        Self::Context,
        Self::Refused,
        Self::Crash,
        Self::NotFound,
        Self::NotExecutable,
        Self::OutOfScope,
        Self::WroteReadOnly,
        Self::SlotGone,
        Self::Setup,
        Self::BaseConflict,
        Self::RepositoryChanged,
        Self::Plan,
        Self::Internal,
    ];

    /// The class as a word, as it is stored and printed.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Exit => "exit",
            Self::Signal => "signal",
            Self::WallLimit => "wall-limit",
            Self::IdleLimit => "idle-limit",
            Self::RateLimit => "rate-limit",
            Self::Overloaded => "overloaded",
            Self::Auth => "auth",
            Self::Context => "context",
            Self::Refused => "refused",
            Self::Crash => "crash",
            Self::NotFound => "not-found",
            Self::NotExecutable => "not-executable",
            Self::OutOfScope => "out-of-scope",
            Self::WroteReadOnly => "wrote-read-only",
            Self::SlotGone => "slot-gone",
            Self::Setup => "setup",
            Self::BaseConflict => "base-conflict",
            Self::RepositoryChanged => "repo-changed",
            Self::Plan => "plan",
            Self::Internal => "internal",
        }
    }
}

/// How the agent's part of an attempt ended. What its work is worth is the
/// verdict's business, not this one's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The agent ended by itself with code 0.
    Finished,
    /// It did not do its work.
    Failed {
        /// The class, for policy.
        class: FailureClass,
        /// One line for people.
        why: String,
    },
    /// The orchestrator died or was stopped; the attempt proves nothing about
    /// the task and costs it no retry.
    Interrupted,
    /// A person cancelled the run.
    Cancelled,
}

impl Ending {
    /// Where the task goes: what ended by itself is judged, what was stopped
    /// starts anew.
    #[must_use]
    pub fn status(&self) -> TaskStatus {
        match self {
            Self::Finished | Self::Failed { .. } => TaskStatus::Verifying,
            Self::Interrupted | Self::Cancelled => TaskStatus::Queued,
        }
    }
}

/// One path of an attempt's result and what happened to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// `A`, `M`, `D` or `T` (type), as `git diff --name-status` says.
    pub status: char,
    /// The path, with bytes that are not UTF-8 escaped.
    pub path: String,
}

/// What an attempt left behind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// The commit that holds everything; equal to the base when nothing changed.
    pub commit: Option<Oid>,
    /// That commit's tree.
    pub tree: Option<Oid>,
    /// The first changed paths (up to [`Work::LISTED`]).
    pub changed: Vec<Change>,
    /// How many paths changed.
    pub changed_total: u64,
    /// How many commits are the agent's own.
    pub agent_commits: u32,
    /// The agent moved its history away from the base.
    pub rewrote_history: bool,
    /// Ignored paths and sizes in bytes, not kept (up to [`Work::LISTED`]).
    pub ignored: Vec<(String, u64)>,
    /// How many ignored paths there were.
    pub ignored_total: u64,
    /// Paths that could not be kept, and why.
    pub left_out: Vec<(String, String)>,
}

impl Work {
    /// The most paths that one event lists.
    pub const LISTED: usize = 200;
}

/// What an agent printed, whatever was kept of it, and what it told with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// Bytes printed on both streams.
    pub bytes: u64,
    /// SHA-256 of standard output, all of it, in hex.
    pub sha256: String,
    /// The same of standard error; unknown of what an older version stored.
    pub err_sha256: Option<String>,
    /// Processes that outlived the agent and were killed, by name.
    pub leaked: Vec<String>,
    /// What its stream told of itself; empty for an agent that is any command
    /// line.
    pub account: Account,
}

/// What one check command did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckRun {
    /// The command line, as the step has it.
    pub command: String,
    /// Its exit code; `None` when a limit or a signal ended it.
    pub code: Option<i32>,
    /// Milliseconds it took.
    pub took_ms: u64,
    /// SHA-256 of its standard output, all of it, in hex.
    pub sha256: String,
    /// The same of standard error; unknown of what an older version stored.
    pub err_sha256: Option<String>,
    /// The kept end of its output.
    pub tail: String,
    /// An agent's plan brought it, not the workflow.
    pub from_plan: bool,
}

impl CheckRun {
    /// A check passes with exit code 0 and in no other way.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.code == Some(0)
    }
}

/// What is known about a result's worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Judgement {
    /// Every check passed.
    Passed,
    /// A check failed.
    Failed,
    /// There was no check to run.
    Unverified,
}

impl Judgement {
    /// Every judgement.
    pub const ALL: [Self; 3] = [Self::Passed, Self::Failed, Self::Unverified];

    /// The judgement as a word, as it is stored and printed.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Unverified => "unverified",
        }
    }
}

/// A judgement and what it rests on: the tree, the commands and their output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What was found.
    pub result: Judgement,
    /// The tree that was checked.
    pub tree: Oid,
    /// The commands, in order.
    pub checks: Vec<CheckRun>,
    /// How the checks were confined; `unconfined` says that they were not.
    pub sandbox: String,
}

impl Verdict {
    /// Whether the verdict rests on what it names: nothing passes without a
    /// check of the workflow's own, or with any that did not pass.
    #[must_use]
    pub fn is_founded(&self) -> bool {
        match self.result {
            Judgement::Passed => {
                self.checks.iter().any(|check| !check.from_plan)
                    && self.checks.iter().all(CheckRun::passed)
            }
            Judgement::Failed | Judgement::Unverified => true,
        }
    }
}

/// One try of one task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// 1 for the first.
    pub number: u32,
    /// The program that plays the role.
    pub agent: String,
    /// The commit it starts from.
    pub base: Oid,
    /// Its working tree.
    pub slot: String,
    /// A random mark that all its processes carry.
    pub mark: String,
    /// What keeps the agent from the rest of the machine: `fenced`, `partial (…)`
    /// with what is not kept, or `none`.
    pub sandbox: String,
    /// The session of an earlier attempt that it goes on with.
    pub resumes: Option<String>,
    /// The grant under which it was started.
    pub token: Token,
    /// When it started.
    pub started: Timestamp,
    /// When it ended; `None` while it runs.
    pub ended: Option<Timestamp>,
    /// How it ended.
    pub ending: Option<Ending>,
    /// What it left.
    pub work: Option<Work>,
    /// What it printed.
    pub output: Option<Output>,
    /// What the checks said.
    pub verdict: Option<Verdict>,
}

impl Attempt {
    /// Whether everything that a fence is for was kept.
    #[must_use]
    pub fn is_fenced(&self) -> bool {
        self.sandbox == "fenced" || self.sandbox.starts_with("fenced ")
    }

    /// What its agent told that it used; `None` when it told nothing.
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        self.output.as_ref().and_then(|output| output.account.usage)
    }

    /// Whether the agent may still be at work.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.ending.is_none()
    }
}
