//! How the failures of the engine and of the world are told: their exit codes
//! and the exact next commands.

use std::io::ErrorKind;

use super::Fault;
use crate::domain::diagnostic::Diagnostic;
use crate::domain::plan::Kind;
use crate::engine::demonstration::StageError;
use crate::engine::place::PlaceError;
use crate::engine::session::SessionError;
use crate::engine::undo::UndoError;
use crate::surface::exit::Exit;
use crate::world::environment::DepthError;
use crate::world::git::{GitError, OLDEST};
use crate::world::library::LibraryError;
use crate::world::process::ProcessError;
use crate::world::slots::SlotError;

/// The diagnostics as the lines that editors follow, then what they keep from
/// being done.
fn faulty(what: &str, found: &[Diagnostic]) -> Fault {
    let mut fault = Fault::new(Exit::Usage, what);
    fault.lines = found.iter().map(ToString::to_string).collect();
    let again = || found.iter().filter(|one| one.remedy.is_none());
    let mut kinds: Vec<Kind> = Vec::new();
    for kind in [Kind::Team, Kind::Workflow, Kind::Agent] {
        let ends = |one: &Diagnostic| one.file.ends_with(kind.ending());
        // An agent's ending is the end of the others', too.
        if again().any(|one| ends(one) && !kinds.iter().any(|k| one.file.ends_with(k.ending()))) {
            kinds.push(kind);
        }
    }
    for kind in kinds {
        fault.hints.push(format!("when it is mended, look again: git crew {kind}s check"));
    }
    for remedy in found.iter().filter_map(|one| one.remedy.as_ref()) {
        if !fault.hints.contains(remedy) {
            fault.hints.push(remedy.clone());
        }
    }
    fault
}

impl From<SessionError> for Fault {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Place(error) => error.into(),
            SessionError::Ledger(error) => error.into(),
            SessionError::Store(error) => error.into(),
            SessionError::Process(error) => error.into(),
            SessionError::Plan(ref found) => faulty("the plan can't be made", found),
            SessionError::Goal(_) => {
                Self::of(Exit::Usage, &error).hint("git crew run \"fix the typo in README\"")
            }
            SessionError::NoPlan { ref run, .. } => Self::of(Exit::Internal, &error)
                .hint(format!("what is intact can be read: git crew log {run}"))
                .hint("look for the cause: git crew doctor"),
            SessionError::Nothing { ref run, .. } => Self::of(Exit::Failed, &error)
                .hint(format!("see where the run stands: git crew show {run}")),
        }
    }
}

impl From<PlaceError> for Fault {
    fn from(error: PlaceError) -> Self {
        match error {
            PlaceError::Store(error) => error.into(),
            PlaceError::Slots(error) => error.into(),
            PlaceError::Library(error) => error.into(),
            PlaceError::Depth(error) => error.into(),
            PlaceError::Machine(_) => Self::of(Exit::Internal, &error),
            PlaceError::Setting { ref key, .. } => Self::of(Exit::Usage, &error)
                .hint(format!("see where it is set: git config --show-origin --get-all {key}")),
            PlaceError::NoHome => Self::of(Exit::Failed, &error)
                .hint("name a folder outside the checkout: git config crew.worktrees /path"),
        }
    }
}

impl From<UndoError> for Fault {
    fn from(error: UndoError) -> Self {
        match error {
            UndoError::Store(error) => error.into(),
            UndoError::Held(_) => Self::of(Exit::Held, &error)
                .hint("see what runs: git crew status")
                .hint("stop it: git crew cancel"),
            UndoError::Unknowable(_) => Self::of(Exit::Held, &error)
                .hint("if you know that it has ended, remove its file in .git/crew/holders"),
            UndoError::Runs { .. } => Self::of(Exit::Failed, &error)
                .hint("delete them as well: git crew init --undo --force")
                .hint("see what they made: git crew status"),
            UndoError::Busy => Self::of(Exit::Held, &error).hint("try again"),
        }
    }
}

impl From<LibraryError> for Fault {
    fn from(error: LibraryError) -> Self {
        match &error {
            LibraryError::Unknown { kind, .. } => Self::of(Exit::NotFound, &error)
                .hint(format!("see what there is: git crew {kind}s list")),
            LibraryError::Name { kind, .. } => Self::of(Exit::Usage, &error)
                .hint(format!("see what there is: git crew {kind}s list")),
            LibraryError::Read { source, .. } if source.kind() == ErrorKind::NotFound => {
                Self::of(Exit::NotFound, &error)
                    .hint("a name without '/' is looked up: git crew teams list")
            }
            LibraryError::Read { .. } => Self::of(Exit::Internal, &error),
            LibraryError::Faults(found) => faulty("a file is not right", found),
        }
    }
}

impl From<DepthError> for Fault {
    fn from(error: DepthError) -> Self {
        let hint = match &error {
            DepthError::TooDeep(_) => "start the run from outside of an agent",
            DepthError::Garbled(_) => "unset CREW_DEPTH",
        };
        Self::of(Exit::Failed, &error).hint(hint)
    }
}

impl From<SlotError> for Fault {
    fn from(error: SlotError) -> Self {
        let fault = Self::of(Exit::Internal, &error);
        match &error {
            SlotError::Occupied(_) | SlotError::Gone(_) => {
                fault.hint("see what is left over: git crew doctor")
            }
            SlotError::Mounted(path) => {
                fault.hint(format!("take it away: umount {}", path.display()))
            }
            SlotError::Io { source, .. } => match source.kind() {
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded => fault.hint("make room"),
                ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                    fault.hint("name a folder that can be written: git config crew.worktrees /path")
                }
                _ => fault,
            },
            SlotError::Git { source, .. } | SlotError::Repository { source, .. } => {
                hinted(fault, source)
            }
            SlotError::NoRoom { .. } => fault.hint("make room: git crew prune"),
            SlotError::Submodule { path, .. } => {
                fault.hint(format!("get it: git submodule update --init -- {path}"))
            }
            SlotError::BadKey(_) | SlotError::Unfit { .. } => fault,
        }
    }
}

impl From<GitError> for Fault {
    fn from(error: GitError) -> Self {
        hinted(Self::of(Exit::Internal, &error), &error)
    }
}

fn hinted(fault: Fault, error: &GitError) -> Fault {
    match error {
        GitError::TooOld { .. } => {
            fault.hint(format!("install git {}.{} or newer", OLDEST.0, OLDEST.1))
        }
        GitError::Process { source, .. } => missing(fault, source),
        GitError::Failed { .. } | GitError::Garbled { .. } => fault,
    }
}

impl From<ProcessError> for Fault {
    fn from(error: ProcessError) -> Self {
        missing(Self::of(Exit::Internal, &error), &error)
    }
}

fn missing(fault: Fault, error: &ProcessError) -> Fault {
    match error {
        ProcessError::Spawn { program, source } if source.kind() == ErrorKind::NotFound => {
            fault.hint(format!("is it installed? command -v {program}"))
        }
        ProcessError::Spawn { .. }
        | ProcessError::Deadline { .. }
        | ProcessError::TooMuch { .. }
        | ProcessError::Io { .. }
        | ProcessError::Mark { .. } => fault,
    }
}

impl From<StageError> for Fault {
    fn from(error: StageError) -> Self {
        match error {
            StageError::Occupied(_) => {
                Self::of(Exit::Usage, &error).hint("name an empty folder, or none: git crew demo")
            }
            StageError::Process(inner) => inner.into(),
            StageError::Io { .. } | StageError::Git { .. } => Self::of(Exit::Internal, &error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::run::RunStatus;

    #[test]
    fn every_diagnostic_of_a_plan_is_a_line_that_editors_follow() {
        let found = vec![
            Diagnostic::error(".crew/workflows/a.workflow.md", 7, "no step 'pln'")
                .meant("pln", ["plan"]),
            Diagnostic::error("/x/b.team.md", 2, "no role 'x\u{1b}'"),
        ];
        let fault = Fault::from(SessionError::Plan(found));
        assert_eq!(fault.exit, Exit::Usage);
        insta::assert_snapshot!(fault.text().to_plain(), @r"
            .crew/workflows/a.workflow.md:7: error: no step 'pln'; did you mean 'plan'?
            /x/b.team.md:2: error: no role 'x\x1b'
            error: the plan can't be made
            hint: when it is mended, look again: git crew teams check
            hint: when it is mended, look again: git crew workflows check
            ");
    }

    #[test]
    fn a_missing_agent_is_no_fault_of_the_workflow() {
        let mut missing = Diagnostic::error("a.workflow.md", 1, "no agent is configured");
        missing.remedy = Some("see which agents there are: git crew agents list".to_owned());
        let other = Diagnostic { line: 4, ..missing.clone() };
        let fault = Fault::from(SessionError::Plan(vec![missing, other]));
        assert_eq!(fault.hints, ["see which agents there are: git crew agents list"]);
    }

    #[test]
    fn a_finished_run_is_no_reason_to_resume() {
        let run = "7kq2-x".parse().expect("a part");
        let what = "there is nothing to resume".to_owned();
        let fault = Fault::from(SessionError::Nothing { run, status: RunStatus::Completed, what });
        assert_eq!(fault.exit, Exit::Failed);
        insta::assert_snapshot!(fault.text().to_plain(), @r"
            error: run '7kq2-x' is completed: there is nothing to resume
            hint: see where the run stands: git crew show 7kq2-x
            ");
    }

    #[test]
    fn what_is_unknown_names_where_the_known_are() {
        let fault = Fault::from(PlaceError::Library(LibraryError::Unknown {
            kind: Kind::Team,
            name: "defult".into(),
            suggestion: Some("default".into()),
            known: vec!["default".into()],
        }));
        assert_eq!(fault.exit, Exit::NotFound);
        insta::assert_snapshot!(fault.text().to_plain(), @r"
            error: unknown team 'defult' (known: default); did you mean 'default'?
            hint: see what there is: git crew teams list
            ");
    }
}
