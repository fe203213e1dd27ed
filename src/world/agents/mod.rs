//! The programs that play roles: from a prompt to a command line.
//!
//! To add an agent: a file beside [`shell`] with its [`Invocation`], a variant
//! of [`Agent`] and a row in [`Agent::invocation`].

mod command;
mod shell;

use std::ffi::OsString;
use std::path::Path;

use super::process::Stdin;

/// What an agent is told.
#[derive(Clone, Copy, Debug)]
pub struct Telling<'a> {
    /// The whole packet.
    pub packet: &'a str,
    /// The task's own text, for the agent that runs a block of it.
    pub text: &'a str,
    /// A file that holds the packet.
    pub file: &'a Path,
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
        }
    }

    /// How this agent is started on a task.
    ///
    /// # Errors
    /// [`AgentError`] when the task has nothing for it.
    pub fn invocation(&self, telling: &Telling<'_>) -> Result<Invocation, AgentError> {
        match self {
            Self::Sh => shell::invocation(telling),
            Self::Command { line, prompt } => Ok(command::invocation(line, *prompt, telling)),
        }
    }
}
