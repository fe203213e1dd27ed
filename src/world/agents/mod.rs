//! The programs that play roles: from a prompt to a command line.
//!
//! To add an agent with events of its own: a file beside [`claude`] that reads
//! them and a row in [`table`].

mod claude;
mod codex;
mod command;
mod lines;
mod loose;
mod opencode;
mod pi;
mod shell;
mod stream;
pub mod table;

use std::ffi::{OsStr, OsString};
use std::path::Path;

use super::process::Stdin;

pub use self::stream::{Finding, Stream};
pub use self::table::Adapter;

/// What an agent is told.
#[derive(Clone, Copy, Debug)]
pub struct Telling<'a> {
    /// The whole packet.
    pub packet: &'a str,
    /// The task's own text, for the agent that runs a block of it.
    pub text: &'a str,
    /// A file that holds the packet.
    pub file: &'a Path,
    /// The session that it goes on with, as [`Adapter::session`] names it.
    pub session: Option<&'a OsStr>,
}

/// How an agent is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// The program, looked up in the attempt's `PATH`.
    pub program: OsString,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// What it reads.
    pub stdin: Stdin,
}

/// Why an agent can't be told its task.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AgentError {
    /// The embedded agent has nothing to run.
    #[error("the task's text has no 'sh' block for the agent 'sh' to run")]
    NoBlock,
    /// No program takes such an argument.
    #[error("a prompt of {0} bytes is no argument: set the agent's 'prompt' to 'stdin' or 'file'")]
    TooLong(usize),
}

/// How a configured agent gets its prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PromptBy {
    /// On standard input.
    Stdin,
    /// As the last argument.
    Argument,
    /// The last argument is the path of a file that holds it.
    File,
}

impl PromptBy {
    /// Every way.
    pub const ALL: [Self; 3] = [Self::Stdin, Self::Argument, Self::File];

    /// The way as `crew.agent.<name>.prompt` spells it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Stdin => "stdin",
            Self::Argument => "argument",
            Self::File => "file",
        }
    }

    /// The way of this name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|by| by.word() == text)
    }
}

/// A program that plays a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Agent {
    /// The embedded agent `sh`: it runs the last `sh` block of the task's text.
    Sh,
    /// `crew.agent.<name>.command`: any command line.
    Command {
        /// The command line, for `sh -c`.
        line: String,
        /// How it gets its prompt.
        prompt: PromptBy,
    },
    /// A program that git-crew knows.
    Known {
        /// Its row.
        adapter: &'static Adapter,
        /// `crew.agent.<name>.args`: more words for its call.
        args: Vec<String>,
    },
}

impl Agent {
    /// The program that it is in the end, as far as its command line tells: by
    /// this its private state is found.
    #[must_use]
    pub fn program(&self) -> &str {
        match self {
            Self::Sh => "sh",
            Self::Command { line, .. } => {
                let first = line.split_whitespace().next().unwrap_or_default();
                first.rsplit('/').next().unwrap_or(first)
            }
            Self::Known { adapter, .. } => adapter.program,
        }
    }

    /// How this agent is started on a task.
    ///
    /// # Errors
    /// [`AgentError`] when the task has nothing for it.
    pub fn invocation(&self, telling: &Telling<'_>) -> Result<Invocation, AgentError> {
        match self {
            Self::Sh => shell::invocation(telling),
            Self::Command { line, prompt } => command::invocation(line, *prompt, telling),
            Self::Known { adapter, args } => Ok(Invocation {
                program: adapter.program.into(),
                args: adapter.args(args, telling.session),
                stdin: Stdin::Bytes(telling.packet.as_bytes().to_vec()),
            }),
        }
    }

    /// Its row, if it is a program that git-crew knows.
    #[must_use]
    pub fn adapter(&self) -> Option<&'static Adapter> {
        match self {
            Self::Known { adapter, .. } => Some(adapter),
            Self::Sh | Self::Command { .. } => None,
        }
    }
}
