//! The one table of exit codes. `docs/reference/exit-codes.md` is made of it.

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// It was done; a run completed.
    Ok,
    /// The run failed, or the answer is no.
    Failed,
    /// The command line, or a file it names, can't be understood.
    Usage,
    /// The run is blocked: a person has to decide.
    Blocked,
    /// Another process holds the run.
    Held,
    /// What was named is not there, or more than one thing has that name.
    NotFound,
    /// git-crew itself, the disk or git failed.
    Internal,
    /// Not a repository, or one that can't be used.
    Repository,
    /// Interrupted by a person; what ran can be resumed.
    Interrupted,
    /// The reader of the answer closed the pipe.
    Closed,
}

impl Exit {
    /// Every way to end, by code.
    pub const ALL: [Self; 10] = [
        Self::Ok,
        Self::Failed,
        Self::Usage,
        Self::Blocked,
        Self::Held,
        Self::NotFound,
        Self::Internal,
        Self::Repository,
        Self::Interrupted,
        Self::Closed,
    ];

    /// The code.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Blocked => 3,
            Self::Held => 4,
            Self::NotFound => 5,
            Self::Internal => 70,
            Self::Repository => 128,
            Self::Interrupted => 130,
            Self::Closed => 141,
        }
    }

    /// The way to end that has this code; a code of no other is a failure of
    /// ours.
    #[must_use]
    pub fn from_code(code: u8) -> Self {
        Self::ALL.into_iter().find(|exit| exit.code() == code).unwrap_or(Self::Internal)
    }

    /// What the code says, for the documentation.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Ok => "done; for a run: it completed (verified or not, its last lines say which)",
            Self::Failed => "the run failed or was cancelled, or the answer is no",
            Self::Usage => {
                "the command line, or a team, workflow or agent file, can't be understood; nothing was written"
            }
            Self::Blocked => "the run is blocked: a person has to decide",
            Self::Held => "another process holds the run and is, or may be, alive",
            Self::NotFound => {
                "no such run, task, attempt, team, workflow or agent, or more than one fits"
            }
            Self::Internal => {
                "the disk or git failed, or git-crew itself: a bug says so, and where the state is"
            }
            Self::Repository => "not in a git repository, or in one that can't be used",
            Self::Interrupted => "interrupted by a person; work is kept, the run can be resumed",
            Self::Closed => {
                "the reader of the answer closed the pipe, as `head` does after ten lines"
            }
        }
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_ends_share_a_code() {
        let codes: std::collections::BTreeSet<u8> =
            Exit::ALL.iter().map(|exit| exit.code()).collect();
        assert_eq!(codes.len(), Exit::ALL.len());
    }
}
