//! The one way in which this layer runs `git`.
//!
//! Promises: argument arrays, never a shell; an environment made from nothing,
//! so that no variable, no file of the user or of the system and no hook of a
//! repository has a say; a repository that is named, never looked for; a
//! deadline on every call; an error that names the command, its exit code and
//! the end of what git wrote.
//!
//! Limits: the configuration *inside* the git dir that a call names is read. A
//! git dir that an agent could write must therefore never be named here.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::process::{Helper, HelperInput, Output, ProcessError};

/// The oldest git that has everything that is used here.
pub const OLDEST: (u32, u32) = (2, 39);

/// The most bytes of git's own words that an error keeps.
const TAIL: usize = 2000;

/// How long a call may take when nothing else is said.
const DEADLINE: Duration = Duration::from_secs(600);

/// Why a call of git did not work.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// The installed git lacks what is needed.
    #[error("git {found} is too old; git {}.{} is needed", OLDEST.0, OLDEST.1)]
    TooOld {
        /// What `git version` printed.
        found: String,
    },
    /// Git ran and said no.
    #[error("exit {} from '{command}': {stderr}", code.map_or_else(|| "by signal".into(), |c| c.to_string()))]
    Failed {
        /// The command, without the settings that all calls share.
        command: String,
        /// The exit code; `None` after a signal.
        code: Option<i32>,
        /// The end of what git wrote to standard error.
        stderr: String,
    },
    /// Git printed something that can't be what was asked for.
    #[error("unexpected output of '{command}'")]
    Garbled {
        /// The command.
        command: String,
    },
    /// Git could not be run to its end.
    #[error("'{command}' did not run")]
    Process {
        /// The command.
        command: String,
        /// Why.
        source: ProcessError,
    },
}

/// Settings that every call gets, before those of the repository matter.
const SETTINGS: &[&str] = &[
    "core.hooksPath=/dev/null",
    "core.attributesFile=/dev/null",
    "core.excludesFile=/dev/null",
    "core.fsmonitor=false",
    "core.untrackedCache=false",
    "core.commitGraph=false",
    "core.multiPackIndex=false",
    "core.splitIndex=false",
    "core.protectHFS=true",
    "core.protectNTFS=true",
    "core.quotePath=false",
    "core.safecrlf=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "index.sparse=false",
    "index.version=2",
    "pack.useBitmaps=false",
    "pack.readReverseIndex=false",
    "diff.ignoreSubmodules=all",
    "submodule.recurse=false",
    "advice.detachedHead=false",
];

/// Variables that every call gets.
const VARIABLES: &[(&str, &str)] = &[
    ("GIT_CONFIG_NOSYSTEM", "1"),
    ("GIT_CONFIG_GLOBAL", "/dev/null"),
    ("GIT_ATTR_NOSYSTEM", "1"),
    ("GIT_NO_REPLACE_OBJECTS", "1"),
    ("GIT_NO_LAZY_FETCH", "1"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_OPTIONAL_LOCKS", "0"),
    ("GIT_ADVICE", "0"),
    ("LC_ALL", "C"),
];

/// The git program and what of the outer environment it is given. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Git {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    program: OsString,
    outer: Vec<(OsString, OsString)>,
    version: OnceLock<(u32, u32)>,
}

impl Git {
    /// Git by path or by a name to be looked up in `path` (the value of `PATH`).
    /// `home` is passed on as `HOME`, because a repository's own configuration
    /// may include a file by `~`; nothing else in it is read.
    #[must_use]
    pub fn new(program: impl Into<OsString>, path: &OsStr, home: Option<&Path>) -> Self {
        let mut outer = vec![("PATH".into(), path.to_owned())];
        outer.extend(home.map(|home| ("HOME".into(), home.as_os_str().to_owned())));
        let inner = Inner { program: program.into(), outer, version: OnceLock::new() };
        Self { inner: Arc::new(inner) }
    }

    /// The version as (major, minor); asked for once.
    ///
    /// # Errors
    /// [`GitError::TooOld`] below [`OLDEST`]; otherwise as [`Call::run`].
    pub fn version(&self) -> Result<(u32, u32), GitError> {
        if let Some(known) = self.inner.version.get() {
            return Ok(*known);
        }
        let text = self.bare_call(Path::new("/")).arg("version").run()?;
        let text = String::from_utf8_lossy(&text);
        let number = text.trim().strip_prefix("git version ").unwrap_or_default();
        let mut parts = number.split('.').map(|part| part.parse::<u32>().ok());
        let found = match (parts.next().flatten(), parts.next().flatten()) {
            (Some(major), Some(minor)) => (major, minor),
            (None, _) | (_, None) => {
                return Err(GitError::Garbled { command: "git version".into() });
            }
        };
        if found < OLDEST {
            return Err(GitError::TooOld { found: number.to_owned() });
        }
        Ok(*self.inner.version.get_or_init(|| found))
    }

    /// A call in the repository whose git dir this is.
    pub fn at(&self, git_dir: &Path) -> Call<'_> {
        self.bare_call(git_dir).env("GIT_DIR", git_dir)
    }

    fn bare_call(&self, cwd: &Path) -> Call<'_> {
        let mut env = self.inner.outer.clone();
        env.extend(VARIABLES.iter().map(|(name, value)| (name.into(), value.into())));
        Call {
            git: self,
            settings: Vec::new(),
            args: Vec::new(),
            env,
            cwd: cwd.to_owned(),
            input: HelperInput::Null,
            output: None,
            deadline: DEADLINE,
        }
    }
}

/// One call of git, to be filled in and run.
#[derive(Debug)]
#[must_use = "a call does nothing until it is run"]
pub struct Call<'a> {
    git: &'a Git,
    settings: Vec<String>,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    cwd: PathBuf,
    input: HelperInput<'a>,
    output: Option<File>,
    deadline: Duration,
}

impl<'a> Call<'a> {
    /// Adds one argument.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    pub fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Sets a variable of the environment.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.env.retain(|(known, _)| known != name);
        self.env.push((name.into(), value.as_ref().to_owned()));
        self
    }

    /// Adds a setting, as `name=value`; later ones win over earlier ones and
    /// over the repository's.
    pub fn setting(mut self, setting: impl Into<String>) -> Self {
        self.settings.push(setting.into());
        self
    }

    /// Names the working tree and starts git in it.
    pub fn work_tree(mut self, tree: &Path) -> Self {
        self.cwd = tree.to_owned();
        self.env("GIT_WORK_TREE", tree)
    }

    /// Names the index file.
    pub fn index(self, index: &Path) -> Self {
        self.env("GIT_INDEX_FILE", index)
    }

    /// Gives git these bytes to read.
    pub fn input(mut self, bytes: &'a [u8]) -> Self {
        self.input = HelperInput::Bytes(bytes);
        self
    }

    /// Gives git this file to read, from where it stands.
    pub fn input_file(mut self, file: File) -> Self {
        self.input = HelperInput::File(file);
        self
    }

    /// Sends what git prints to this file.
    pub fn output_file(mut self, file: File) -> Self {
        self.output = Some(file);
        self
    }

    /// Limits the time; git and its children are killed when it is over.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Runs git and returns what it printed.
    ///
    /// # Errors
    /// [`GitError::Failed`] for an exit code other than 0,
    /// [`GitError::Process`] when git can't be run to its end.
    pub fn run(self) -> Result<Vec<u8>, GitError> {
        self.run_or(&[]).map(|(_, stdout)| stdout)
    }

    /// As [`Call::run`], for a command that also answers by these exit codes.
    ///
    /// # Errors
    /// As [`Call::run`], for every other code.
    pub fn run_or(self, answers: &[i32]) -> Result<(i32, Vec<u8>), GitError> {
        let command = self.command();
        let done = match self.start() {
            Ok(done) => done,
            Err(source) => return Err(GitError::Process { command, source }),
        };
        match done.code {
            Some(code) if code == 0 || answers.contains(&code) => Ok((code, done.stdout)),
            code => Err(GitError::Failed { command, code, stderr: tail(&done.stderr) }),
        }
    }

    /// As [`Call::run`], for a command that prints one line of text.
    ///
    /// # Errors
    /// As [`Call::run`], and [`GitError::Garbled`] for bytes that are not text.
    pub fn line(self) -> Result<String, GitError> {
        let command = self.command();
        let text = String::from_utf8(self.run()?);
        text.map(|text| text.trim_end().to_owned()).map_err(|_| GitError::Garbled { command })
    }

    fn start(self) -> Result<Output, ProcessError> {
        let mut args: Vec<OsString> = Vec::new();
        let own = self.settings.iter().map(String::as_str);
        for setting in SETTINGS.iter().copied().chain(own) {
            args.extend(["-c".into(), setting.into()]);
        }
        args.extend(self.args);
        Helper {
            program: &self.git.inner.program,
            args: &args,
            env: &self.env,
            cwd: &self.cwd,
            stdin: self.input,
            stdout: self.output,
            deadline: self.deadline,
        }
        .run()
    }

    fn command(&self) -> String {
        let mut text = String::from("git");
        for arg in self.args.iter().take(12) {
            text.push(' ');
            text.push_str(&arg.to_string_lossy());
        }
        text
    }
}

fn tail(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim();
    let mut from = text.len().saturating_sub(TAIL);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    text.get(from..).unwrap_or_default().to_owned()
}
