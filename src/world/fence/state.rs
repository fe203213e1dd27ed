//! What an agent's program keeps for itself in the user's home: a private copy
//! of it for each attempt.
//!
//! Promises: the program starts with the user's settings and login; what it
//! writes there is gone with the attempt, but a login that it renewed; of the
//! user's own only a login's file is ever written. A settings file that an
//! agent could write would be run by the user's next start of the program.
//!
//! Limits: sessions and caches of the user's are not seen. A login that is
//! renewed by a rename is brought back at the end of the attempt, and is lost
//! when git-crew is killed before that.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use nix::libc::{O_NOFOLLOW, O_NONBLOCK};

/// The most bytes of one settings file that are copied.
const FILE: u64 = 16 << 20;

/// The most files of one settings folder that are copied; the rest is linked,
/// for reading.
const FILES: usize = 2_000;

/// The longest file of a login.
const LOGIN: u64 = 1 << 20;

/// One folder of a program, and the variable that moves it.
#[derive(Clone, Copy, Debug)]
pub struct Keeps {
    /// The program.
    pub program: &'static str,
    /// The variable that names the folder.
    pub variable: &'static str,
    /// Where it is, below the user's home, while the variable is not set.
    pub usual: &'static str,
    /// Settings in it that are copied: files and folders.
    pub settings: &'static [&'static str],
    /// Files of settings that lie in the home itself while the variable is not set.
    pub beside: &'static [&'static str],
    /// Files that hold a login.
    pub logins: &'static [Login],
}

/// A file that holds a login.
#[derive(Clone, Copy, Debug)]
pub struct Login {
    /// Its name in the folder.
    pub file: &'static str,
    /// Whether a login that renews itself is written in place: the program
    /// neither locks it by a file beside nor needs it to be no link.
    pub in_place: bool,
}

/// Every folder that is moved: a row for each folder of each program. Those of
/// no program hold for all; a program's own row goes before.
pub const TABLE: &[Keeps] = &[
    Keeps {
        program: "claude",
        variable: "CLAUDE_CONFIG_DIR",
        usual: ".claude",
        settings: &["settings.json", "CLAUDE.md", "agents", "commands", "skills", "plugins"],
        beside: &[".claude.json"],
        logins: &[Login { file: ".credentials.json", in_place: true }],
    },
    Keeps {
        program: "codex",
        variable: "CODEX_HOME",
        usual: ".codex",
        settings: &["config.toml", "AGENTS.md", "prompts", "rules", "skills"],
        beside: &[],
        logins: &[Login { file: "auth.json", in_place: true }],
    },
    Keeps {
        program: "pi",
        variable: "PI_CODING_AGENT_DIR",
        usual: ".pi/agent",
        settings: &[
            "settings.json",
            "models.json",
            "AGENTS.md",
            "SYSTEM.md",
            "APPEND_SYSTEM.md",
            "extensions",
            "skills",
            "prompts",
            "themes",
            "bin",
        ],
        beside: &[],
        // It locks by a folder beside the real file.
        logins: &[Login { file: "auth.json", in_place: false }],
    },
    Keeps {
        program: "opencode",
        variable: "XDG_DATA_HOME",
        usual: ".local/share",
        settings: &[],
        beside: &[],
        logins: &[Login { file: "opencode/auth.json", in_place: true }],
    },
    Keeps {
        program: "opencode",
        variable: "XDG_CONFIG_HOME",
        usual: ".config",
        settings: &["opencode", "git"],
        beside: &[],
        logins: &[],
    },
    Keeps {
        program: "",
        variable: "XDG_STATE_HOME",
        usual: ".local/state",
        settings: &[],
        beside: &[],
        logins: &[],
    },
    Keeps {
        program: "",
        variable: "XDG_CACHE_HOME",
        usual: ".cache",
        settings: &[],
        beside: &[],
        logins: &[],
    },
];

/// A login as it was given to an attempt.
#[derive(Clone, Debug)]
struct Given {
    theirs: PathBuf,
    ours: PathBuf,
    was: Vec<u8>,
}

/// The private state of one attempt.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// The variables that name its folders.
    pub variables: Vec<(OsString, OsString)>,
    /// The user's files that are written in place.
    pub files: Vec<PathBuf>,
    logins: Vec<Given>,
}

/// Makes the private state of a program in `folder`, from the folders that the
/// user's `environment` names. What the program may write anyway stays where it is.
///
/// # Errors
/// What the file system says; the subject is in the message.
pub fn prepare(
    program: &str,
    folder: &Path,
    environment: &dyn Fn(&str) -> Option<OsString>,
    granted: &[PathBuf],
) -> io::Result<State> {
    let mut state = State::default();
    let home = environment("HOME").map(PathBuf::from);
    let rows = TABLE.iter().filter(|row| row.program == program || row.program.is_empty());
    for row in rows {
        let set = environment(row.variable).map(PathBuf::from).filter(|path| path.is_absolute());
        let moved = set.is_some();
        let usual = || home.as_ref().map(|home| home.join(row.usual));
        let Some(theirs) = set.or_else(usual) else { continue };
        if granted.iter().any(|path| theirs.starts_with(path)) {
            continue;
        }
        let ours = folder.join(row.variable.to_ascii_lowercase());
        let named = |error: io::Error| {
            io::Error::new(error.kind(), format!("can't copy '{}': {error}", theirs.display()))
        };
        make(&ours).map_err(named)?;
        for name in row.settings {
            let mut left = FILES;
            copy(&theirs.join(name), &ours.join(name), &mut left).map_err(named)?;
        }
        let beside = home.as_ref().filter(|_| !moved);
        for name in row.beside {
            let theirs = beside.unwrap_or(&theirs).join(name);
            copy(&theirs, &ours.join(name), &mut 1).map_err(named)?;
        }
        for login in row.logins {
            state.log_in(login, &theirs, &ours).map_err(named)?;
        }
        state.variables.push((row.variable.into(), ours.into()));
    }
    Ok(state)
}

impl State {
    fn log_in(&mut self, login: &Login, theirs: &Path, ours: &Path) -> io::Result<()> {
        let (theirs, ours) = (theirs.join(login.file), ours.join(login.file));
        // The real file: the user's own may be a link into another folder.
        let Ok(theirs) = theirs.canonicalize() else { return Ok(()) };
        let Some(was) = read(&theirs, LOGIN)? else { return Ok(()) };
        if let Some(parent) = ours.parent() {
            make(parent)?;
        }
        if !renews(&was) {
            return write(&ours, &was);
        }
        if login.in_place {
            symlink(&theirs, &ours)?;
            self.files.push(theirs.clone());
        } else {
            write(&ours, &was)?;
        }
        self.logins.push(Given { theirs, ours, was });
        Ok(())
    }

    /// Puts these variables in the place of those of the same name.
    pub fn set(&self, environment: &mut Vec<(OsString, OsString)>) {
        environment.retain(|(name, _)| !self.variables.iter().any(|(own, _)| own == name));
        environment.extend(self.variables.iter().cloned());
    }

    /// Writes the logins that the program renewed by a rename to where the user
    /// keeps them, unless those have changed as well. What does not work.
    #[must_use]
    pub fn bring_back(&self) -> Vec<String> {
        let trouble = |given: &Given| {
            let failed = given.bring_back().err()?;
            Some(format!("the login '{}' could not be renewed: {failed}", given.theirs.display()))
        };
        self.logins.iter().filter_map(trouble).collect()
    }
}

impl Given {
    fn bring_back(&self) -> io::Result<()> {
        // A link is one that we made, or leads anywhere: not followed.
        let file = match open(&self.ours, O_NOFOLLOW) {
            Ok(file) => file,
            Err(_) => return Ok(()),
        };
        let Some(now) = bounded(file, LOGIN)? else { return Ok(()) };
        let is_login =
            serde_json::from_slice::<serde_json::Value>(&now).is_ok_and(|value| value.is_object());
        let theirs = read(&self.theirs, LOGIN)?;
        if !is_login || now == self.was || theirs.as_deref() != Some(self.was.as_slice()) {
            return Ok(());
        }
        // In place, as the program itself would.
        let mut file = File::options().write(true).truncate(true).open(&self.theirs)?;
        file.write_all(&now)?;
        file.sync_all()
    }
}

/// Whether a login holds a token by which it is renewed.
fn renews(login: &[u8]) -> bool {
    login.to_ascii_lowercase().windows(7).any(|part| part == b"refresh")
}

fn make(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    fs::set_permissions(folder, Permissions::from_mode(0o700))
}

/// Opens a file without waiting for whoever writes to a pipe of its name.
fn open(path: &Path, flags: i32) -> io::Result<File> {
    File::options().read(true).custom_flags(flags | O_NONBLOCK).open(path)
}

/// A regular file of at most so many bytes.
fn read(path: &Path, most: u64) -> io::Result<Option<Vec<u8>>> {
    bounded(open(path, 0)?, most)
}

fn bounded(file: File, most: u64) -> io::Result<Option<Vec<u8>>> {
    let meta = file.metadata()?;
    if !meta.is_file() || meta.len() > most {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    File::options().write(true).create_new(true).mode(0o600).open(path)?.write_all(bytes)
}

/// Copies settings, links followed; what is not there is left out, what is too
/// much or can't be read is linked, for reading.
fn copy(from: &Path, to: &Path, left: &mut usize) -> io::Result<()> {
    let Ok(meta) = fs::metadata(from) else { return Ok(()) };
    let small = meta.len() <= FILE && *left > 0;
    if meta.is_file()
        && small
        && let Ok(Some(bytes)) = read(from, FILE)
    {
        *left -= 1;
        if let Some(parent) = to.parent() {
            make(parent)?;
        }
        write(to, &bytes)?;
        return fs::set_permissions(to, Permissions::from_mode(meta.permissions().mode() & 0o700));
    }
    let linked = fs::symlink_metadata(from).is_ok_and(|meta| meta.is_symlink());
    let heavy = from.file_name() == Some(OsStr::new("node_modules"));
    let list = (meta.is_dir() && *left > 0 && !heavy).then(|| fs::read_dir(from)).transpose();
    // A link to a folder may lead back up: its files are copied one level deep.
    match list {
        Ok(Some(entries)) => {
            make(to)?;
            for entry in entries.flatten() {
                if linked && entry.path().is_dir() {
                    symlink(entry.path(), to.join(entry.file_name()))?;
                } else {
                    copy(&entry.path(), &to.join(entry.file_name()), left)?;
                }
            }
            Ok(())
        }
        Ok(None) | Err(_) if meta.is_file() || meta.is_dir() => symlink(from.canonicalize()?, to),
        Ok(None) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
