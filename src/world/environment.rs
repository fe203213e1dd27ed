//! The environment: read once, and what of it a child gets.
//!
//! Promises: a child gets the names on the list below, those that the user's
//! `crew.env` adds, and what this file sets; never an incoming `GIT_*` (a git
//! that runs us in a hook or an alias sets `GIT_DIR`, and an agent would commit
//! there) and never an incoming `CREW_*`.
//!
//! Limits: the list is about order, not about secrets: a child of the same user
//! can read other processes' environments where nothing fences it.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::process::{self, MARK};

/// How deep runs may be nested: the agents of a run at this depth can't start
/// runs of their own.
pub const MAX_DEPTH: u32 = 2;

/// The variable that counts the runs above a process.
pub const DEPTH: &str = "CREW_DEPTH";

/// What every child may see. A `*` at an end stands for anything.
const PASSED: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LC_*",
    "TERM",
    "TZ",
    "TMPDIR",
    "XDG_*",
    "SSL_CERT_*",
    "NODE_EXTRA_CA_CERTS",
    "*_PROXY",
    "*_proxy",
];

/// What no child gets from outside, whoever asks for it.
const NEVER: &[&str] = &["GIT_*", "CREW_*"];

/// Git settings that hold for every git under us: no hooks, no housekeeping and
/// no daemons behind our back.
const GIT_CONFIG: &[(&str, &str)] = &[
    ("core.hooksPath", "/dev/null"),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("core.fsmonitor", "false"),
];

/// Why a run may not start here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DepthError {
    /// There are too many runs above this one.
    #[error("too many runs inside runs: this would be level {0}, {MAX_DEPTH} is the deepest")]
    TooDeep(u32),
    /// Somebody set the counter to something else.
    #[error("'{0}' in CREW_DEPTH is not a number")]
    Garbled(String),
}

/// What the tool tells an attempt about itself.
#[derive(Clone, Debug)]
pub struct Attempt<'a> {
    /// `CREW_RUN`: the run's id.
    pub run: &'a str,
    /// `CREW_TASK`: the task's id.
    pub task: &'a str,
    /// `CREW_ATTEMPT`: the attempt's number.
    pub attempt: &'a str,
    /// `CREW_BASE`: the commit it starts from.
    pub base: &'a str,
    /// `CREW_IN`: the folder of what it may read.
    pub input: &'a Path,
    /// `CREW_OUT`: the folder for its artifacts.
    pub output: &'a Path,
    /// `CREW_MARK`: the random text by which recovery finds its processes.
    pub mark: &'a str,
    /// `GIT_CEILING_DIRECTORIES`: the folder above the slot, where git stops
    /// looking for a repository.
    pub ceiling: &'a Path,
}

/// The environment this process was started with.
#[derive(Clone, Debug)]
pub struct Incoming {
    variables: BTreeMap<OsString, OsString>,
    depth: Result<u32, DepthError>,
}

impl Incoming {
    /// Reads the environment of this process, and the run counter of every
    /// process above it: a program that erases its environment is still counted.
    #[must_use]
    pub fn read() -> Self {
        let above = process::ancestor_values(DEPTH);
        Self::new(std::env::vars_os(), above)
    }

    /// An environment made of these variables, with these counters above it.
    pub fn new(
        variables: impl IntoIterator<Item = (OsString, OsString)>,
        above: Vec<OsString>,
    ) -> Self {
        let variables: BTreeMap<OsString, OsString> = variables.into_iter().collect();
        let own = variables.get(OsStr::new(DEPTH)).cloned();
        let depths = above.into_iter().chain(own).map(|text| {
            let text = text.to_string_lossy();
            let garbled = || DepthError::Garbled(text.escape_debug().to_string());
            text.parse::<u32>().map_err(|_| garbled())
        });
        let depth = depths.collect::<Result<Vec<_>, _>>().map(|all| all.into_iter().max());
        Self { variables, depth: depth.map(Option::unwrap_or_default) }
    }

    /// One variable, as it came.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.variables.get(OsStr::new(name)).map(OsString::as_os_str)
    }

    /// All of it, for a program that acts for the user at the terminal.
    #[must_use]
    pub fn whole(&self) -> Vec<(OsString, OsString)> {
        self.variables.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// How many runs this process is inside of.
    ///
    /// # Errors
    /// When a run may not start here: more than [`MAX_DEPTH`], or no number.
    pub fn depth(&self) -> Result<u32, DepthError> {
        match self.depth.clone()? {
            deep if deep > MAX_DEPTH => Err(DepthError::TooDeep(deep)),
            depth => Ok(depth),
        }
    }

    /// The complete environment of an attempt's program. `names` are those of
    /// `crew.env`, with `*` at an end for anything; what the user has set for
    /// them passes. Sorted by name.
    ///
    /// # Errors
    /// As [`depth`](Self::depth).
    pub fn attempt(
        &self,
        attempt: &Attempt<'_>,
        names: &[String],
    ) -> Result<Vec<(OsString, OsString)>, DepthError> {
        let depth = self.depth()?.saturating_add(1);
        let mut child = self.passed(names);
        let mut set = |name: &str, value: &OsStr| child.insert(name.into(), value.to_owned());
        set("GIT_CEILING_DIRECTORIES", attempt.ceiling.as_os_str());
        set("CREW_RUN", attempt.run.as_ref());
        set("CREW_TASK", attempt.task.as_ref());
        set("CREW_ATTEMPT", attempt.attempt.as_ref());
        set("CREW_BASE", attempt.base.as_ref());
        set("CREW_IN", attempt.input.as_os_str());
        set("CREW_OUT", attempt.output.as_os_str());
        set(MARK, attempt.mark.as_ref());
        set(DEPTH, depth.to_string().as_ref());
        Ok(child.into_iter().collect())
    }

    /// The complete environment for a helper program such as git: what an
    /// attempt gets, without the attempt, and messages in English.
    #[must_use]
    pub fn helper(&self) -> Vec<(OsString, OsString)> {
        let mut child = self.passed(&[]);
        child.insert("LC_ALL".into(), "C.UTF-8".into());
        child.into_iter().collect()
    }

    /// Those of the user's names that never pass, to be told to the user.
    #[must_use]
    pub fn refused(names: &[String]) -> Vec<&str> {
        names.iter().map(String::as_str).filter(|name| on(NEVER, name.as_ref())).collect()
    }

    fn passed(&self, names: &[String]) -> BTreeMap<OsString, OsString> {
        let wanted = |name: &OsStr| {
            let listed = on(PASSED, name) || names.iter().any(|pattern| fits(pattern, name));
            listed && !on(NEVER, name)
        };
        let incoming = self.variables.iter().filter(|(name, _)| wanted(name));
        let mut child: BTreeMap<OsString, OsString> =
            incoming.map(|(name, value)| (name.clone(), value.clone())).collect();
        child.insert("GIT_TERMINAL_PROMPT".into(), "0".into());
        child.insert("GIT_CONFIG_COUNT".into(), GIT_CONFIG.len().to_string().into());
        for (n, (key, value)) in GIT_CONFIG.iter().enumerate() {
            child.insert(format!("GIT_CONFIG_KEY_{n}").into(), (*key).into());
            child.insert(format!("GIT_CONFIG_VALUE_{n}").into(), (*value).into());
        }
        child
    }
}

fn on(list: &[&str], name: &OsStr) -> bool {
    list.iter().any(|pattern| fits(pattern, name))
}

fn fits(pattern: &str, name: &OsStr) -> bool {
    let name = name.as_bytes();
    if let Some(start) = pattern.strip_suffix('*') {
        name.starts_with(start.as_bytes())
    } else if let Some(end) = pattern.strip_prefix('*') {
        name.ends_with(end.as_bytes())
    } else {
        name == pattern.as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn incoming(pairs: &[(&str, &str)], above: &[&str]) -> Incoming {
        let pairs = pairs.iter().map(|(key, value)| (key.into(), value.into()));
        Incoming::new(pairs, above.iter().map(OsString::from).collect())
    }

    fn attempt() -> Attempt<'static> {
        Attempt {
            run: "7kq2-fix",
            task: "fix",
            attempt: "2",
            base: "ab",
            input: Path::new("/in"),
            output: Path::new("/out"),
            mark: "mark",
            ceiling: Path::new("/slots"),
        }
    }

    fn lines(environment: Vec<(OsString, OsString)>) -> String {
        let line = |(key, value): (OsString, OsString)| {
            format!("{}={}\n", key.to_string_lossy(), value.to_string_lossy())
        };
        environment.into_iter().map(line).collect()
    }

    #[test]
    fn an_attempt_gets_the_list_and_nothing_else() {
        let given = [
            ("PATH", "/bin"),
            ("LC_TIME", "C"),
            ("https_proxy", "p"),
            ("ALL_PROXY", "q"),
            ("SECRET", "s"),
            ("MY_KEY", "k"),
            ("MY_OTHER", "o"),
            ("PATHOLOGY", "x"),
            ("GIT_DIR", "/user/.git"),
            ("GIT_CONFIG_COUNT", "9"),
            ("GIT_CONFIG_KEY_8", "core.sshCommand"),
            ("GIT_AUTHOR_NAME", "me"),
            ("CREW_RUN", "outer"),
            ("CREW_SOMETHING", "outer"),
            ("CREW_DEPTH", "1"),
        ];
        let names = ["MY_KEY".to_owned(), "GIT_DIR".to_owned(), "CREW_SOMETHING".to_owned()];
        let child = incoming(&given, &[]).attempt(&attempt(), &names).expect("level 1");
        let wanted = "ALL_PROXY=q\nCREW_ATTEMPT=2\nCREW_BASE=ab\nCREW_DEPTH=2\nCREW_IN=/in\n\
            CREW_MARK=mark\nCREW_OUT=/out\nCREW_RUN=7kq2-fix\nCREW_TASK=fix\n\
            GIT_CEILING_DIRECTORIES=/slots\nGIT_CONFIG_COUNT=4\n\
            GIT_CONFIG_KEY_0=core.hooksPath\nGIT_CONFIG_KEY_1=gc.auto\n\
            GIT_CONFIG_KEY_2=maintenance.auto\nGIT_CONFIG_KEY_3=core.fsmonitor\n\
            GIT_CONFIG_VALUE_0=/dev/null\nGIT_CONFIG_VALUE_1=0\nGIT_CONFIG_VALUE_2=false\n\
            GIT_CONFIG_VALUE_3=false\nGIT_TERMINAL_PROMPT=0\nLC_TIME=C\nMY_KEY=k\nPATH=/bin\n\
            https_proxy=p\n";
        assert_eq!(lines(child), wanted);
        assert_eq!(Incoming::refused(&names), ["GIT_DIR", "CREW_SOMETHING"]);
    }

    #[test]
    fn a_star_asks_for_a_family_but_never_for_gits() {
        let given = [("MY_A", "1"), ("MY_B", "2"), ("GIT_DIR", "x"), ("OTHER", "3")];
        let child = |names: &[String]| {
            lines(incoming(&given, &[]).attempt(&attempt(), names).expect("level 0"))
        };
        assert!(child(&["MY_*".to_owned()]).contains("MY_A=1\nMY_B=2\n"));
        let all = child(&["*".to_owned()]);
        assert!(all.contains("OTHER=3\n") && !all.contains("GIT_DIR"), "{all}");
    }

    #[test]
    fn runs_inside_runs_are_counted_and_end() {
        assert_eq!(incoming(&[], &[]).depth(), Ok(0));
        assert_eq!(incoming(&[("CREW_DEPTH", "2")], &[]).depth(), Ok(2));
        assert_eq!(incoming(&[("CREW_DEPTH", "3")], &[]).depth(), Err(DepthError::TooDeep(3)));
        // Erased or lowered: the processes above still have theirs.
        assert_eq!(incoming(&[], &["1", "3"]).depth(), Err(DepthError::TooDeep(3)));
        assert_eq!(incoming(&[("CREW_DEPTH", "0")], &["1"]).depth(), Ok(1));
        let garbled = incoming(&[("CREW_DEPTH", "-1")], &[]).depth();
        assert_eq!(garbled, Err(DepthError::Garbled("-1".into())));
        let beyond = incoming(&[("CREW_DEPTH", "3")], &[]).attempt(&attempt(), &[]);
        assert!(beyond.is_err());
    }

    #[test]
    fn a_helper_has_no_attempt() {
        let helper = incoming(&[("CREW_RUN", "x"), ("HOME", "/h"), ("LC_ALL", "de")], &[]).helper();
        let text = lines(helper);
        assert!(text.contains("HOME=/h\n") && text.contains("LC_ALL=C.UTF-8\n"), "{text}");
        assert!(!text.contains("CREW_"), "{text}");
    }
}
