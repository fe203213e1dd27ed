//! What went wrong, as a person is told: what, why, and the exact next command.
//! Messages live beside the typed errors; here they get an exit code and hints.
//!
//! To map an error type: one `impl From` below, or in `engine` for those of the
//! engine and the world.

mod engine;

use std::error::Error;
use std::io;

use super::exit::Exit;
use crate::domain::decide::Refusal;
use crate::domain::fold::Corrupt;
use crate::domain::id::{IdError, RunId};
use crate::domain::lease::LeaseRefusal;
use crate::store::error::StoreError;
use crate::store::runs::LedgerError;
use crate::view::text::{Label, Line, Text};

/// A failure of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The exit code it leads to.
    pub exit: Exit,
    /// What failed, lower case, without a full stop.
    pub error: String,
    /// Why, the nearest cause first.
    pub causes: Vec<String>,
    /// What to do next: a command to paste, or a sentence with one.
    pub hints: Vec<String>,
    /// Faults of files, `file:line: …`, told before everything else.
    pub lines: Vec<String>,
}

impl Fault {
    /// A failure without causes or hints.
    #[must_use]
    pub fn new(exit: Exit, error: impl Into<String>) -> Self {
        Self { exit, error: error.into(), causes: Vec::new(), hints: Vec::new(), lines: Vec::new() }
    }

    /// A failure that says what a typed error says, with its sources as causes.
    #[must_use]
    pub fn of(exit: Exit, error: &dyn Error) -> Self {
        let mut fault = Self::new(exit, error.to_string());
        let mut source = error.source();
        let mut said = fault.error.clone();
        while let Some(cause) = source {
            let words = cause.to_string();
            // Many an error repeats its source; once is enough.
            if !said.ends_with(&words) {
                fault.causes.push(words.clone());
                said = words;
            }
            source = cause.source();
        }
        fault
    }

    /// The reader of the answer went away: nothing to say, and nobody to say it to.
    #[must_use]
    pub fn closed() -> Self {
        Self::new(Exit::Closed, "the reader closed the pipe")
    }

    /// The same failure with a next step.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The same failure, told as the cause of `what` was attempted.
    #[must_use]
    pub fn while_doing(mut self, what: impl Into<String>) -> Self {
        let cause = std::mem::replace(&mut self.error, what.into());
        self.causes.insert(0, cause);
        self
    }

    /// `file:line: …`, `error: …`, `  because …`, `hint: …`.
    #[must_use]
    pub fn text(&self) -> Text {
        let mut text = Text::new();
        for line in &self.lines {
            text.push(Line::plain(line));
        }
        text.push(Line::new().with(Label::Bad, "error: ").with(Label::Plain, &self.error));
        for cause in &self.causes {
            text.push(Line::plain("  because ").with(Label::Plain, cause));
        }
        for hint in &self.hints {
            text.push(Line::new().with(Label::Hint, "hint: ").with(Label::Plain, hint));
        }
        text
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::closed();
        }
        Self::of(Exit::Internal, &error)
    }
}

impl From<serde_json::Error> for Fault {
    fn from(error: serde_json::Error) -> Self {
        Self::of(Exit::Internal, &error)
    }
}

impl From<IdError> for Fault {
    fn from(error: IdError) -> Self {
        Self::of(Exit::Usage, &error)
    }
}

impl From<LeaseRefusal> for Fault {
    fn from(refusal: LeaseRefusal) -> Self {
        Self::of(Exit::Held, &refusal).hint("see all runs: git crew status")
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Self::of(refused(&refusal), &refusal).hint("see all runs: git crew status")
    }
}

impl Fault {
    /// A refusal about a run that is known: the hints name it. Where it is not
    /// known the `From` above hints at nothing that could meet another run.
    #[must_use]
    pub fn refused(refusal: &Refusal, run: &RunId) -> Self {
        let fault = Self::of(refused(refusal), refusal);
        match refusal {
            Refusal::Lease(LeaseRefusal::Held { .. }) => fault
                .hint(format!("watch it: git crew wait {run}"))
                .hint(format!("stop it: git crew cancel {run}")),
            Refusal::Lease(LeaseRefusal::Unproved { .. }) => fault.hint(format!(
                "if you know that it is dead, take the run over: git crew resume {run} --force"
            )),
            Refusal::Absent | Refusal::Exists => fault.hint("see all runs: git crew status"),
            Refusal::Lease(LeaseRefusal::AlreadyYours(_))
            | Refusal::Fenced { .. }
            | Refusal::NotHolder { .. }
            | Refusal::NoTask(_)
            | Refusal::WrongAttempt { .. }
            | Refusal::RunOver { .. }
            | Refusal::RunMove { .. }
            | Refusal::TaskMove { .. }
            | Refusal::NotReady { .. }
            | Refusal::NoResult(_)
            | Refusal::Unfinished(_)
            | Refusal::BadGrant(_)
            | Refusal::EmptyPlan
            | Refusal::BadPlan(_)
            | Refusal::NoRevision(_)
            | Refusal::Foreign { .. }
            | Refusal::Unfounded(_)
            | Refusal::NoRunResult
            | Refusal::AlreadyAsked => {
                fault.hint(format!("see where the run stands: git crew show {run}"))
            }
        }
    }
}

fn refused(refusal: &Refusal) -> Exit {
    match refusal {
        Refusal::Lease(_) | Refusal::Fenced { .. } | Refusal::NotHolder { .. } => Exit::Held,
        Refusal::Absent | Refusal::NoTask(_) | Refusal::WrongAttempt { .. } => Exit::NotFound,
        Refusal::RunOver { .. }
        | Refusal::Exists
        | Refusal::RunMove { .. }
        | Refusal::TaskMove { .. }
        | Refusal::NotReady { .. }
        | Refusal::NoResult(_)
        | Refusal::Unfinished(_)
        | Refusal::BadGrant(_)
        | Refusal::EmptyPlan
        | Refusal::BadPlan(_)
        | Refusal::NoRevision(_)
        | Refusal::Foreign { .. }
        | Refusal::Unfounded(_)
        | Refusal::NoRunResult
        | Refusal::AlreadyAsked => Exit::Failed,
    }
}

impl From<Corrupt> for Fault {
    fn from(damage: Corrupt) -> Self {
        Self::of(Exit::Internal, &damage)
            .hint("the events before it are readable: git crew log")
            .hint("look for the cause: git crew doctor")
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        let exit = match &error {
            StoreError::NotARepository { .. }
            | StoreError::Reftable { .. }
            | StoreError::UnbornHead { .. } => Exit::Repository,
            StoreError::UnknownRevision { .. } => Exit::NotFound,
            StoreError::LockHeld { .. } => Exit::Held,
            StoreError::ReadOnly { .. }
            | StoreError::DiskFull { .. }
            | StoreError::Damaged { .. }
            | StoreError::NameClash { .. }
            | StoreError::Protected { .. }
            | StoreError::Unsettled { .. }
            | StoreError::Invalid { .. }
            | StoreError::Io { .. }
            | StoreError::Git { .. } => Exit::Internal,
        };
        let hint = match &error {
            StoreError::NotARepository { .. } => Some("make one: git init"),
            StoreError::Reftable { .. } => {
                Some("convert a copy of it: git refs migrate --ref-format=files")
            }
            StoreError::UnbornHead { .. } => {
                Some("a run starts from a commit: git commit --allow-empty -m start")
            }
            StoreError::UnknownRevision { .. } => Some("see what there is: git log --all"),
            StoreError::Damaged { .. } => Some("see what else is lost: git fsck"),
            StoreError::DiskFull { .. } => Some("make room, then: git crew resume"),
            StoreError::LockHeld { .. }
            | StoreError::ReadOnly { .. }
            | StoreError::NameClash { .. }
            | StoreError::Protected { .. }
            | StoreError::Unsettled { .. }
            | StoreError::Invalid { .. }
            | StoreError::Io { .. }
            | StoreError::Git { .. } => None,
        };
        let mut fault = Self::of(exit, &error);
        // The library says once more, in its own words, that there is none.
        match &error {
            StoreError::UnknownRevision { .. } => fault.causes.clear(),
            StoreError::NotARepository { .. } => fault
                .causes
                .retain(|cause| !cause.starts_with("Could not find") && cause != "NotFound"),
            _ => {}
        }
        match hint {
            Some(hint) => fault.hint(hint),
            None => fault,
        }
    }
}

impl From<LedgerError> for Fault {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Refused(refusal) => refusal.into(),
            LedgerError::Store(error) => error.into(),
            LedgerError::NoRun(_) => {
                Self::of(Exit::NotFound, &error).hint("see all runs: git crew status")
            }
            LedgerError::Busy(_) => Self::of(Exit::Held, &error),
            LedgerError::Compromised { ref run, .. } => Self::of(Exit::Internal, &error)
                .hint(format!("see who wrote it: git log refs/crew/runs/{run}")),
            LedgerError::Format { ref run, .. }
            | LedgerError::Event { ref run, .. }
            | LedgerError::Corrupt { ref run, .. }
            | LedgerError::NoState { ref run, .. } => Self::of(Exit::Internal, &error)
                .hint(format!("what is intact can be read: git crew log {run}"))
                .hint(format!("and without git-crew: git log refs/crew/runs/{run}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::HolderId;
    use crate::domain::lease::Token;

    #[test]
    fn a_refusal_says_what_and_what_next() {
        let held = LeaseRefusal::Held { holder: HolderId::new([1; 16]), token: Token(4) };
        let run = "7kq2-x".parse().expect("a part");
        let fault =
            Fault::refused(&Refusal::Lease(held), &run).while_doing("can't resume '7kq2-x'");
        assert_eq!(fault.exit, Exit::Held);
        insta::assert_snapshot!(fault.text().to_plain(), @r"
            error: can't resume '7kq2-x'
              because '01010101010101010101010101010101' holds it (token 4) and is alive
            hint: watch it: git crew wait 7kq2-x
            hint: stop it: git crew cancel 7kq2-x
            ");
    }

    #[test]
    fn sources_are_causes_and_said_once() {
        let error = io::Error::other(io::Error::other("disk full\u{1b}[2J"));
        let fault = Fault::from(error);
        assert_eq!(fault.exit, Exit::Internal);
        insta::assert_snapshot!(fault.text().to_plain(), @r"error: disk full\x1b[2J");
    }

    #[test]
    fn a_closed_pipe_is_its_own_end() {
        assert_eq!(Fault::from(io::Error::from(io::ErrorKind::BrokenPipe)).exit, Exit::Closed);
    }
}
