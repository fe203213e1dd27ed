//! A second life of this very program, without a terminal.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use nix::unistd::{dup2_stdout, setsid};

use super::ProcessError;

/// What the process in the background said before it was left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    /// Its first line; `None` when it ended without one.
    pub word: Option<String>,
    /// Its exit code, when it ended.
    pub code: Option<u8>,
    /// What it told on standard error, when it ended.
    pub story: String,
}

/// Starts this program again with these arguments and waits for its first line
/// of output or its end. Its standard error goes to `log`. `name` is set in its
/// environment, by which [`is_background`] knows it.
///
/// # Errors
/// The log or the process can't be made.
pub fn background(args: &[OsString], name: &str, log: &Path) -> Result<Begun, ProcessError> {
    let failed = |source| ProcessError::Io { subject: log.display().to_string(), source };
    if let Some(folder) = log.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    let file = File::create(log).map_err(failed)?;
    #[expect(clippy::disallowed_methods, reason = "a spawn point of this module")]
    let mut command = Command::new("/proc/self/exe");
    command.args(args).env(name, "1").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(file);
    let spawned = command
        .spawn()
        .map_err(|source| ProcessError::Spawn { program: "git-crew".to_owned(), source });
    let mut child = spawned?;
    let mut word = String::new();
    if let Some(out) = child.stdout.take() {
        // An unreadable word is no word.
        let _ = BufReader::new(out).read_line(&mut word);
    }
    let word = word.trim_end().to_owned();
    if !word.is_empty() {
        return Ok(Begun { word: Some(word), code: None, story: String::new() });
    }
    let status = child.wait().map_err(failed)?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    let story = fs::read(log).map_err(failed)?;
    let story = String::from_utf8_lossy(&story).into_owned();
    // It told its story; an empty run of it is of no use to anyone.
    let _ = fs::remove_file(log);
    Ok(Begun { word: None, code, story })
}

/// Whether this process was started by [`background`].
#[must_use]
#[expect(clippy::disallowed_methods, reason = "a mark between two lives of this program")]
pub fn is_background(name: &str) -> bool {
    std::env::var_os(name).is_some()
}

/// Lets go of the terminal: a session of its own, and nothing more to say.
pub fn leave_terminal() {
    // A process that leads a group has its own session already.
    let _ = setsid();
    if let Ok(null) = File::options().write(true).open("/dev/null") {
        let _ = dup2_stdout(null);
    }
}
