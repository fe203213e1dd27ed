//! The stored form of events and of a run's state, version 1. `docs/format.md`
//! describes it for a second implementation.
//!
//! Names here are fixed: renaming a variant of the domain changes no stored
//! byte, and golden files of every version are read by a test. A record of an
//! unknown major version is refused by name; one of a newer minor version is
//! read, but nothing is written on top of it.

use crate::domain::escape;

mod account;
mod event;
mod message;
mod parts;
mod run;

pub use message::{decode, encode, status_of};
pub use run::{decode_run, encode_run};

/// The version that this program writes.
pub const FORMAT: Format = Format { major: 1, minor: 2 };

/// The most bytes that one event's message may have: every `git log` reads it.
pub const MAX_MESSAGE: usize = 64 * 1024;

/// A stored version, `major.minor`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Format {
    /// Readers of another major version can't read it.
    pub major: u32,
    /// Readers of a smaller minor version can read it and must not write on it.
    pub minor: u32,
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl std::str::FromStr for Format {
    type Err = CodecError;
    fn from_str(text: &str) -> Result<Self, CodecError> {
        let parsed = text
            .split_once('.')
            .and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
        match parsed {
            Some((major, minor)) => Ok(Self { major, minor }),
            None => Err(CodecError::Malformed(format!("version '{}'", text.escape_debug()))),
        }
    }
}

/// Why a stored record can't be read, or a value not be stored.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// Written by a version of git-crew that this one doesn't know.
    #[error("it is stored in format {found}, and this git-crew reads format {FORMAT}")]
    Newer {
        /// The version found.
        found: Format,
    },
    /// Not a record of git-crew, or a damaged one.
    #[error("malformed: {0}")]
    Malformed(String),
    /// Bigger than [`MAX_MESSAGE`].
    #[error("an event of {0} bytes; {MAX_MESSAGE} is the most")]
    TooLarge(usize),
}

impl CodecError {
    fn json(what: &str, error: &serde_json::Error) -> Self {
        Self::Malformed(format!("{what}: {error}"))
    }
}

/// Refuses what this program can't read.
fn check(found: Format) -> Result<(), CodecError> {
    if found.major == FORMAT.major { Ok(()) } else { Err(CodecError::Newer { found }) }
}

/// Refuses to write on top of a record of a newer minor version, whose fields
/// this program would drop.
///
/// # Errors
/// [`CodecError::Newer`].
pub fn check_writable(found: Format) -> Result<(), CodecError> {
    check(found)?;
    if found <= FORMAT { Ok(()) } else { Err(CodecError::Newer { found }) }
}

/// One line of JSON in which every character that could move a terminal's
/// cursor or turn its text around is written as an escape.
fn json_line<T: serde::Serialize>(value: &T) -> Result<String, CodecError> {
    let plain = serde_json::to_string(value).map_err(|e| CodecError::json("encoding", &e))?;
    Ok(escape::json(&plain).into_owned())
}

#[cfg(test)]
mod tests;
