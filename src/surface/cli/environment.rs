//! The environment variables that the command line itself heeds, read once.
//! Documented with `git crew help`; what agents and git see is `world`'s matter.

use std::ffi::OsString;
use std::path::PathBuf;

/// What the environment asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// `NO_COLOR` is set and not empty: no colours.
    pub no_color: bool,
    /// `CLICOLOR_FORCE` is set and not `0`: colours without a terminal.
    pub force_color: bool,
    /// `TERM` is `dumb`.
    pub dumb: bool,
    /// `COLUMNS`, where it is a number.
    pub columns: Option<usize>,
    /// `CREW_LOG`: what to trace, in the grammar of `tracing-subscriber`.
    pub log: Option<String>,
    /// `XDG_DATA_HOME`, else `$HOME/.local/share`.
    pub data_home: Option<PathBuf>,
}

impl Environment {
    /// Reads the process's own.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where the command line reads its environment"
    )]
    pub fn read() -> Self {
        Self::from_lookup(|name| std::env::var_os(name))
    }

    /// Reads from any source, for tests.
    #[must_use]
    pub fn from_lookup(get: impl Fn(&str) -> Option<OsString>) -> Self {
        let set = |name: &str| get(name).filter(|value| !value.is_empty());
        let text = |name: &str| set(name).and_then(|value| value.into_string().ok());
        let absolute = |name: &str| set(name).map(PathBuf::from).filter(|path| path.is_absolute());
        Self {
            no_color: set("NO_COLOR").is_some(),
            force_color: set("CLICOLOR_FORCE").is_some_and(|value| value != "0"),
            dumb: text("TERM").is_some_and(|term| term == "dumb"),
            columns: text("COLUMNS").and_then(|text| text.parse().ok()).filter(|wide| *wide > 0),
            log: text("CREW_LOG"),
            data_home: absolute("XDG_DATA_HOME")
                .or_else(|| absolute("HOME").map(|home| home.join(".local/share"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Environment {
        Environment::from_lookup(|name| {
            pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn empty_is_unset() {
        assert_eq!(read(&[("NO_COLOR", ""), ("COLUMNS", "x"), ("HOME", "")]), read(&[]));
    }

    #[test]
    fn a_relative_data_home_is_ignored() {
        let env = read(&[("XDG_DATA_HOME", "data"), ("HOME", "/home/x")]);
        assert_eq!(env.data_home, Some(PathBuf::from("/home/x/.local/share")));
    }
}
