//! JSON for programs: one versioned envelope, and bytes that are safe on a
//! terminal too.
//!
//! Promise: `{"schema":"git-crew/v1","kind":…,"data":…}`; what is not known is
//! absent, never null; characters that a terminal obeys or hides are written
//! `\uXXXX`, which changes no value.

use serde::Serialize;

use crate::domain::escape;

/// The version of every document below `data`. A member may be added under the
/// same version; none changes its meaning or goes.
pub const SCHEMA: &str = "git-crew/v1";

/// What stands around every answer.
#[derive(Clone, Debug, Serialize)]
pub struct Envelope<'a, T> {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// What `data` is: `run`, `runs`, `event`, …
    pub kind: &'a str,
    /// The answer.
    pub data: T,
}

impl<'a, T: Serialize> Envelope<'a, T> {
    /// Wraps an answer.
    #[must_use]
    pub fn new(kind: &'a str, data: T) -> Self {
        Self { schema: SCHEMA, kind, data }
    }

    /// The envelope as an indented document that ends in a line feed.
    ///
    /// # Errors
    /// Only if a view's own `Serialize` fails.
    pub fn document(&self) -> Result<String, serde_json::Error> {
        Ok(escape::json(&serde_json::to_string_pretty(self)?).into_owned() + "\n")
    }

    /// The envelope as one line (JSON lines), with its line feed.
    ///
    /// # Errors
    /// As [`Envelope::document`].
    pub fn line(&self) -> Result<String, serde_json::Error> {
        Ok(escape::json(&serde_json::to_string(self)?).into_owned() + "\n")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::escape::is_hidden;

    #[test]
    fn an_answer_is_wrapped() {
        let line = Envelope::new("runs", vec!["a\u{9b}\u{e0041}\u{1b}"]).line();
        assert_eq!(
            line.expect("strings serialize"),
            "{\"schema\":\"git-crew/v1\",\"kind\":\"runs\",\"data\":[\"a\\u009b\\udb40\\udc41\\u001b\"]}\n"
        );
    }

    proptest! {
        #[test]
        fn escaping_changes_no_value(text in any::<String>()) {
            for shown in [
                Envelope::new("x", &text).document().expect("strings serialize"),
                Envelope::new("x", &text).line().expect("strings serialize"),
            ] {
                prop_assert!(!shown.chars().any(|c| is_hidden(c) && c != '\n'));
                let back: serde_json::Value = serde_json::from_str(&shown).expect("JSON");
                prop_assert_eq!(back["data"].as_str(), Some(text.as_str()));
            }
        }
    }
}
