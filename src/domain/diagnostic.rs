//! What is wrong with a file that a person wrote: where, why, and the word that
//! was probably meant.
//!
//! Promise: a diagnostic prints as one line without control characters, in the
//! form `file:line: error: cause; did you mean 'word'?`, which editors follow.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::escape;
use super::suggest::nearest;

/// How much a diagnostic weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The file is used; a part of it has no effect. `check` and `run` print it.
    Warning,
    /// The file is not used.
    Error,
}

/// One fault of one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// The file as a person would name it.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// Whether the file can be used all the same.
    pub severity: Severity,
    /// What is wrong, and what to do where that is not plain.
    pub cause: String,
    /// The nearest known word, if one is near.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
    /// The next command with what it is for, where it is another than to check
    /// the file again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Diagnostic {
    /// A fault that keeps the file from being used.
    #[must_use]
    pub fn error(file: &str, line: usize, cause: impl Into<String>) -> Self {
        let (file, cause) = (file.to_owned(), cause.into());
        Self { file, line, severity: Severity::Error, cause, suggestion: None, remedy: None }
    }

    /// A part without effect.
    #[must_use]
    pub fn warning(file: &str, line: usize, cause: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(file, line, cause) }
    }

    /// The same with the known word nearest to `word`, if one is near.
    #[must_use]
    pub fn meant<'a>(mut self, word: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        self.suggestion = nearest(word, known).map(str::to_owned);
        self
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let weight = match self.severity {
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        let file = escape::word(&self.file, 300);
        write!(f, "{file}:{}: {weight}: {}", self.line, escape::word(&self.cause, 600))?;
        match &self.suggestion {
            Some(word) => write!(f, "; did you mean '{}'?", escape::word(word, 80)),
            None => Ok(()),
        }
    }
}

/// The most faults that are listed of one file.
pub const MOST: usize = 100;

/// Collects the faults of one file while it is read.
#[derive(Debug)]
pub struct Report {
    file: String,
    found: Vec<Diagnostic>,
}

impl Report {
    /// An empty report on the file of this name.
    #[must_use]
    pub fn new(file: &str) -> Self {
        Self { file: file.to_owned(), found: Vec::new() }
    }

    /// The file's name.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Adds an error.
    pub fn error(&mut self, line: usize, cause: impl Into<String>) {
        self.push(Diagnostic::error(&self.file, line, cause));
    }

    /// Adds a warning.
    pub fn warn(&mut self, line: usize, cause: impl Into<String>) {
        self.push(Diagnostic::warning(&self.file, line, cause));
    }

    /// Adds a diagnostic made elsewhere. Beyond [`MOST`] only errors count, and
    /// only as one more line: a file of garbage must not fill a screen.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        match self.found.len() {
            few if few < MOST => self.found.push(diagnostic),
            MOST if diagnostic.severity == Severity::Error => {
                let cause = "more faults than are listed; this is the first of them";
                self.found.push(Diagnostic::error(&self.file, diagnostic.line, cause));
            }
            _ => {}
        }
    }

    /// Whether the file cannot be used.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.found.iter().any(|one| one.severity == Severity::Error)
    }

    /// The warnings, when nothing was worse.
    ///
    /// # Errors
    /// Everything found, by line, when there is an error among it.
    pub fn finish(mut self) -> Result<Vec<Diagnostic>, Vec<Diagnostic>> {
        self.found.sort_by_key(|one| one.line);
        if self.failed() { Err(self.found) } else { Ok(self.found) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_one_clean_line() {
        let shown =
            Diagnostic::error("a\nb.md", 3, "unknown key 'rol\u{1b}e'").meant("rolle", ["role"]);
        assert_eq!(
            shown.to_string(),
            "a\\nb.md:3: error: unknown key 'rol\\x1be'; did you mean 'role'?"
        );
    }

    #[test]
    fn garbage_does_not_fill_a_screen() {
        let mut report = Report::new("f");
        (0..MOST + 50).for_each(|line| report.warn(line, "w"));
        assert!(!report.failed());
        (0..50).for_each(|_| report.error(7, "e"));
        assert!(report.failed());
        assert_eq!(report.finish().unwrap_err().len(), MOST + 1);
    }

    #[test]
    fn a_warning_alone_does_not_fail() {
        let mut report = Report::new("f");
        report.warn(2, "w");
        assert!(!report.failed());
        report.error(1, "e");
        let lines: Vec<usize> = report.finish().unwrap_err().iter().map(|one| one.line).collect();
        assert_eq!(lines, [1, 2]);
    }
}
