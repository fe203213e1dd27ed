//! Skills: folders with a `SKILL.md`, whose text an agent is told when a step, a
//! role or its file names it.
//!
//! ```text
//! 1. the user's config folder   $XDG_CONFIG_HOME/git-crew/skills/<name>/SKILL.md
//! 2. the repository             .crew/skills/<name>/SKILL.md of the run's base commit
//! 3. the repository             .claude/skills/<name>/SKILL.md of the same
//! ```
//!
//! Only the text counts; what else is in the folder is an agent's to look at in
//! its worktree. Nobody gets a skill that is not named.

use std::fs;

use crate::domain::frontmatter;
use crate::domain::keys::is_plain_name;
use crate::domain::plan::{Skill, Where};

use super::{Library, LibraryError, absent, exists, read_file};

/// The folders of a repository that skills are looked for in, best first.
const SKILL_FOLDERS: [&str; 2] = [".crew/skills", ".claude/skills"];

/// The file of a skill.
const FILE: &str = "SKILL.md";

/// Whether a path of a repository is that of a skill.
pub(super) fn is_skill_path(path: &str) -> bool {
    SKILL_FOLDERS.iter().any(|folder| name_in(folder, path).is_some())
}

fn name_in<'a>(folder: &str, path: &'a str) -> Option<&'a str> {
    let rest = path.strip_prefix(folder)?.strip_prefix('/')?;
    rest.strip_suffix(FILE)?.strip_suffix('/').filter(|name| is_plain_name(name))
}

impl Library {
    /// The skill of a name, if there is one.
    ///
    /// # Errors
    /// It can't be read, is too large or is not UTF-8.
    pub fn skill(&self, name: &str) -> Result<Option<Skill>, LibraryError> {
        if !is_plain_name(name) {
            return Ok(None);
        }
        let user = self.user.as_ref().map(|user| user.join("skills").join(name).join(FILE));
        if let Some(path) = user
            && exists(&path)?
        {
            let bytes = read_file(&path)
                .map_err(|source| LibraryError::Read { path: path.clone(), source })?;
            let shown = path.display().to_string();
            return skill(name, &shown.clone(), Where::User { path: shown }, &bytes).map(Some);
        }
        for folder in SKILL_FOLDERS {
            let found =
                self.repository.iter().find(|(path, _)| name_in(folder, path) == Some(name));
            if let Some((path, bytes)) = found {
                let place = Where::Repository { path: path.clone() };
                return skill(name, path, place, bytes).map(Some);
            }
        }
        Ok(None)
    }

    /// All known names of skills, sorted.
    ///
    /// # Errors
    /// The user's folder can't be read.
    pub fn skill_names(&self) -> Result<Vec<String>, LibraryError> {
        let mut names: Vec<String> = Vec::new();
        if let Some(folder) = self.user.as_ref().map(|user| user.join("skills")) {
            let fault = |source| LibraryError::Read { path: folder.clone(), source };
            match fs::read_dir(&folder) {
                Ok(entries) => {
                    for entry in entries {
                        let name = entry.map_err(fault)?.file_name();
                        names.extend(name.to_str().filter(|n| is_plain_name(n)).map(str::to_owned));
                    }
                }
                Err(error) if absent(&error) => {}
                Err(error) => return Err(fault(error)),
            }
        }
        let brought = self.repository.iter().flat_map(|(path, _)| {
            SKILL_FOLDERS.iter().filter_map(|folder| name_in(folder, path)).map(str::to_owned)
        });
        names.extend(brought);
        names.sort();
        names.dedup();
        Ok(names)
    }
}

fn skill(name: &str, file: &str, place: Where, bytes: &[u8]) -> Result<Skill, LibraryError> {
    let text =
        frontmatter::decode(file, bytes).map_err(|fault| LibraryError::Faults(vec![fault]))?;
    Ok(Skill { name: name.to_owned(), place, text: body(text).trim().to_owned() })
}

/// What follows the block of keys. That block is any YAML and means nothing here.
fn body(text: &str) -> &str {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut rest = text;
    let mut lines = 0;
    while let Some((line, after)) = rest.split_once('\n') {
        match (lines, line.trim_end()) {
            (0, "---") => {}
            (0, _) => return text,
            (_, "---") => return after,
            _ => {}
        }
        lines += 1;
        rest = after;
    }
    text
}
