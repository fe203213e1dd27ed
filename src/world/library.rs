//! Where teams, workflows and agents come from.
//!
//! ```text
//! 1. the user's config folder   $XDG_CONFIG_HOME/git-crew/{teams,workflows,agents}
//! 2. the shipped set            in the program
//! 3. the repository             .crew/{teams,workflows,agents} of the run's base commit
//! ```
//!
//! Promise: what a repository brings never takes the place of a name that is
//! known without it; whatever is hidden by something else is reported. Texts of
//! the repository are handed in by the caller, who read them from the commit, not
//! from the checkout. A config folder that does not exist is empty; one that
//! cannot be read is an error.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::domain::diagnostic::Diagnostic;
use crate::domain::frontmatter::{self, FILE_LIMIT};
use crate::domain::plan::{Kind, Source, Where};
use crate::domain::suggest::nearest;
use crate::domain::{defaults, escape};

use super::shipped;

mod gather;
mod skills;

pub use gather::{Gathered, check_file, check_text};

/// The folder of the repository that is looked into.
pub const REPOSITORY_FOLDER: &str = ".crew";

/// The folders of the repository that hold what a library is made of.
pub const REPOSITORY_FOLDERS: [&str; 2] = [REPOSITORY_FOLDER, ".claude/skills"];

/// Whether a path in one of them belongs to the library.
#[must_use]
pub fn is_wanted(path: &str) -> bool {
    path.starts_with(REPOSITORY_FOLDER) || skills::is_skill_path(path)
}

/// Why a name leads to no usable file.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// No file of this name anywhere.
    #[error("unknown {kind} '{name}' (known: {}){}", .known.join(", "), meant(.suggestion.as_deref()))]
    Unknown {
        /// What was looked for.
        kind: Kind,
        /// The name, escaped.
        name: String,
        /// The nearest known name.
        suggestion: Option<String>,
        /// All known names.
        known: Vec<String>,
    },
    /// A text that cannot be the name of a file here.
    #[error("'{name}' is no name of a {kind}: use up to 64 letters, digits, '-' and '_'")]
    Name {
        /// What was looked for.
        kind: Kind,
        /// The text, escaped.
        name: String,
    },
    /// A file or folder that cannot be read.
    #[error("cannot read '{path}'")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Files that were read and are not right.
    #[error("{}", lines(.0))]
    Faults(Vec<Diagnostic>),
}

fn meant(suggestion: Option<&str>) -> String {
    suggestion.map_or_else(String::new, |word| format!("; did you mean '{word}'?"))
}

fn lines(faults: &[Diagnostic]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// A file that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What it is, its name and where it was.
    pub source: Source,
    /// What people call the file, for diagnostics.
    pub file: String,
    /// Its text, of [`FILE_LIMIT`] bytes at most.
    pub text: String,
    /// Files of the same name that are not used because of it.
    pub shadows: Vec<Source>,
}

/// One line of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// What is used under this name.
    pub source: Source,
    /// What is not, because of it.
    pub shadows: Vec<Source>,
}

/// The three places, ready to be looked into.
#[derive(Clone, Debug, Default)]
pub struct Library {
    user: Option<PathBuf>,
    repository: Vec<(String, Vec<u8>)>,
}

/// The user's config folder of git-crew by the rules of the XDG base directories:
/// a relative `XDG_CONFIG_HOME` does not count. `None` without a home.
#[must_use]
pub fn config_folder(xdg_config_home: Option<&Path>, home: Option<&Path>) -> Option<PathBuf> {
    let xdg = xdg_config_home.filter(|path| path.is_absolute()).map(Path::to_path_buf);
    xdg.or_else(|| home.map(|home| home.join(".config"))).map(|config| config.join("git-crew"))
}

impl Library {
    /// A library of the user's folder ([`config_folder`]), the shipped set and the
    /// files below [`REPOSITORY_FOLDER`] of the base commit (path, bytes); other
    /// paths among them are not looked at.
    #[must_use]
    pub fn new(user: Option<PathBuf>, repository: Vec<(String, Vec<u8>)>) -> Self {
        Self { user, repository }
    }

    /// The file of a name.
    ///
    /// # Errors
    /// The name is none or unknown; the file cannot be read, is too large or is
    /// not UTF-8.
    pub fn find(&self, kind: Kind, name: &str) -> Result<Found, LibraryError> {
        if !is_name(name) {
            return Err(LibraryError::Name { kind, name: escape::word(name, 60) });
        }
        let mut places = self.places(kind, name)?.into_iter();
        let Some(place) = places.next() else {
            return Err(self.unknown(kind, name)?);
        };
        let source = |place| Source { kind, name: name.to_owned(), place };
        let shadows = places.map(source).collect();
        let (file, bytes) = self.read(kind, name, &place)?;
        let text =
            frontmatter::decode(&file, &bytes).map_err(|one| LibraryError::Faults(vec![one]))?;
        Ok(Found { source: source(place), text: text.to_owned(), file, shadows })
    }

    /// Whether a name is known.
    ///
    /// # Errors
    /// The user's folder cannot be read.
    pub fn knows(&self, kind: Kind, name: &str) -> Result<bool, LibraryError> {
        Ok(is_name(name) && !self.places(kind, name)?.is_empty())
    }

    /// Everything of a kind, by name.
    ///
    /// # Errors
    /// The user's folder cannot be read.
    pub fn list(&self, kind: Kind) -> Result<Vec<Listed>, LibraryError> {
        let mut listed = Vec::new();
        for name in self.names(kind)? {
            let mut sources = self.places(kind, &name)?.into_iter().map(|place| Source {
                kind,
                name: name.clone(),
                place,
            });
            if let Some(source) = sources.next() {
                listed.push(Listed { source, shadows: sources.collect() });
            }
        }
        Ok(listed)
    }

    /// All known names of a kind, sorted.
    ///
    /// # Errors
    /// The user's folder cannot be read.
    pub fn names(&self, kind: Kind) -> Result<Vec<String>, LibraryError> {
        let shipped = shipped::ALL.iter().filter(|one| one.kind == kind);
        let mut names: Vec<String> = shipped.map(|one| one.name.to_owned()).collect();
        names.extend(self.user_names(kind)?);
        let brought = self.repository.iter().filter_map(|(path, _)| repository_name(kind, path));
        names.extend(brought.map(str::to_owned));
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// The team a run takes: the one that is named; else the one named like the
    /// workflow that is named; else the setting `crew.team`; else the default.
    ///
    /// # Errors
    /// The user's folder cannot be read.
    pub fn team_for(
        &self,
        team: Option<&str>,
        workflow: Option<&str>,
        setting: Option<&str>,
    ) -> Result<String, LibraryError> {
        if let Some(team) = team {
            return Ok(team.to_owned());
        }
        if let Some(name) = workflow.filter(|name| is_name(name))
            && self.knows(Kind::Team, name)?
        {
            return Ok(name.to_owned());
        }
        Ok(setting.unwrap_or(defaults::TEAM).to_owned())
    }

    /// Where a name is, best first.
    fn places(&self, kind: Kind, name: &str) -> Result<Vec<Where>, LibraryError> {
        let mut found = Vec::new();
        if let Some(path) = self.user_path(kind, name)
            && exists(&path)?
        {
            found.push(Where::User { path: path.display().to_string() });
        }
        if shipped::find(kind, name).is_some() {
            found.push(Where::Shipped);
        }
        let brought = self.repository.iter().find(|(p, _)| repository_name(kind, p) == Some(name));
        found.extend(brought.map(|(path, _)| Where::Repository { path: path.clone() }));
        Ok(found)
    }

    fn user_path(&self, kind: Kind, name: &str) -> Option<PathBuf> {
        let file = format!("{name}{}", kind.ending());
        self.user.as_ref().map(|user| user.join(kind.folder()).join(file))
    }

    fn user_names(&self, kind: Kind) -> Result<Vec<String>, LibraryError> {
        let Some(folder) = self.user.as_ref().map(|user| user.join(kind.folder())) else {
            return Ok(Vec::new());
        };
        let fault = |source| LibraryError::Read { path: folder.clone(), source };
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if absent(&error) => return Ok(Vec::new()),
            Err(error) => return Err(fault(error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let file = entry.map_err(fault)?.file_name();
            let name = file.to_str().and_then(|file| file.strip_suffix(kind.ending()));
            names.extend(name.filter(|name| is_name(name)).map(str::to_owned));
        }
        Ok(names)
    }

    fn read(
        &self,
        kind: Kind,
        name: &str,
        place: &Where,
    ) -> Result<(String, Vec<u8>), LibraryError> {
        match place {
            Where::Shipped => {
                let text = shipped::find(kind, name).map_or("", |one| one.text);
                Ok((format!("(shipped) {name}{}", kind.ending()), text.as_bytes().to_vec()))
            }
            Where::Repository { path } => {
                let bytes = self.repository.iter().find(|(other, _)| other == path);
                Ok((path.clone(), bytes.map_or_else(Vec::new, |(_, bytes)| bytes.clone())))
            }
            Where::User { path } => {
                // the path is made anew: `path` is for people and may have lost bytes
                let real = self.user_path(kind, name).unwrap_or_else(|| PathBuf::from(path));
                let bytes = read_file(&real)
                    .map_err(|source| LibraryError::Read { path: real.clone(), source })?;
                Ok((path.clone(), bytes))
            }
        }
    }

    fn unknown(&self, kind: Kind, name: &str) -> Result<LibraryError, LibraryError> {
        let known = self.names(kind)?;
        let suggestion = nearest(name, known.iter().map(String::as_str)).map(str::to_owned);
        Ok(LibraryError::Unknown { kind, name: escape::word(name, 60), suggestion, known })
    }
}

/// One path component on every system, and no option.
fn is_name(name: &str) -> bool {
    crate::domain::keys::is_plain_name(name)
}

/// What a path of a commit brings: a kind of file, and the name it has as such.
#[must_use]
pub fn brought(path: &str) -> Option<(Kind, &str)> {
    Kind::ALL.into_iter().find_map(|kind| Some((kind, repository_name(kind, path)?)))
}

fn repository_name(kind: Kind, path: &str) -> Option<&str> {
    let rest = path.strip_prefix(REPOSITORY_FOLDER)?.strip_prefix('/')?;
    let file = rest.strip_prefix(kind.folder())?.strip_prefix('/')?;
    file.strip_suffix(kind.ending()).filter(|name| is_name(name))
}

fn absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn exists(path: &Path) -> Result<bool, LibraryError> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if absent(&error) => Ok(false),
        Err(source) => Err(LibraryError::Read { path: path.to_path_buf(), source }),
    }
}

/// At most one byte more than is allowed; a pipe or a device is refused before it
/// can block.
fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let mut bytes = Vec::new();
    let most = FILE_LIMIT as u64 + 1;
    fs::File::open(path)?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
