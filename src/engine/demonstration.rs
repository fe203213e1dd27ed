//! The stage of `git crew demo`: a repository of its own, in which a run is a
//! run like any other.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::world::environment::Incoming;
use crate::world::process::{self, ProcessError};

/// What the demonstration asks for.
pub const GOAL: &str = "write a small almanac of the seasons";

/// Why there is no stage.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// The folder holds something.
    #[error("'{}' is not empty", .0.display())]
    Occupied(PathBuf),
    /// The file system says no.
    #[error("can't make '{}'", path.display())]
    Io {
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Git can't be run.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// Git said no.
    #[error("git {what} failed: {said}")]
    Git {
        /// The command.
        what: String,
        /// What it said.
        said: String,
    },
}

/// A repository with one commit, and an environment in which nothing of the
/// user's is written.
#[derive(Clone, Debug)]
pub struct Stage {
    /// The repository.
    pub repository: PathBuf,
    /// The environment of the run: working trees go beside the repository.
    pub incoming: Incoming,
}

impl Stage {
    /// Makes the stage in `folder`, or in the temporary folder.
    ///
    /// # Errors
    /// The folder is not empty, or git can't make a repository in it.
    pub fn make(incoming: &Incoming, folder: Option<&Path>) -> Result<Self, StageError> {
        let repository = match folder {
            Some(folder) => folder.to_owned(),
            None => tempfile::Builder::new()
                .prefix("git-crew-demo-")
                .tempdir()
                .map_err(|source| StageError::Io { path: std::env::temp_dir(), source })?
                .keep(),
        };
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| StageError::Io { path, source }
        };
        fs::create_dir_all(&repository).map_err(io(&repository))?;
        let mut entries = fs::read_dir(&repository).map_err(io(&repository))?;
        if entries.next().is_some() {
            return Err(StageError::Occupied(repository));
        }
        let repository = repository.canonicalize().map_err(io(&repository))?;
        let readme = repository.join("README");
        fs::write(&readme, "A place for a demonstration.\n").map_err(io(&readme))?;
        let stage = Self { incoming: incoming.clone(), repository };
        stage.git(&["init", "--quiet", "--initial-branch=main"])?;
        stage.git(&["config", "user.name", "Demo"])?;
        stage.git(&["config", "user.email", "demo@crew.invalid"])?;
        stage.git(&["add", "README"])?;
        stage.git(&["commit", "--quiet", "--message=A place for a demonstration"])?;
        Ok(stage)
    }

    fn git(&self, args: &[&str]) -> Result<(), StageError> {
        let words: Vec<OsString> = args.iter().map(OsString::from).collect();
        let output = process::output(
            "git".as_ref(),
            &words,
            &self.incoming.helper(),
            &self.repository,
            &[],
            Duration::from_secs(60),
        )?;
        if output.ok() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(StageError::Git { what: args.join(" "), said })
    }
}
