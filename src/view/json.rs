//! JSON for programs: one versioned envelope, and bytes that are safe on a
//! terminal too.
//!
//! Promise: `{"schema":"git-crew/v1","kind":…,"data":…}`; what is not known is
//! absent, never null; characters that a terminal obeys or hides are written
//! `\uXXXX`, which changes no value.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{CharEscape, CompactFormatter, Formatter, PrettyFormatter, Serializer};

use crate::domain::words::is_hidden;

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
        write(self, Safe(PrettyFormatter::new()))
    }

    /// The envelope as one line (JSON lines), with its line feed.
    ///
    /// # Errors
    /// As [`Envelope::document`].
    pub fn line(&self) -> Result<String, serde_json::Error> {
        write(self, Safe(CompactFormatter))
    }
}

fn write<F: Formatter>(value: &impl Serialize, formatter: F) -> Result<String, serde_json::Error> {
    let mut bytes = Vec::new();
    value.serialize(&mut Serializer::with_formatter(&mut bytes, formatter))?;
    bytes.push(b'\n');
    Ok(String::from_utf8(bytes).expect("serde_json writes UTF-8"))
}

/// A formatter that also escapes what JSON lets through and a terminal obeys.
struct Safe<F>(F);

macro_rules! same {
    ($($name:ident($($arg:ident: $type:ty),*);)*) => {$(
        fn $name<W: ?Sized + Write>(&mut self, w: &mut W $(, $arg: $type)*) -> io::Result<()> {
            self.0.$name(w $(, $arg)*)
        }
    )*};
}

impl<F: Formatter> Formatter for Safe<F> {
    same! {
        begin_array();
        end_array();
        begin_array_value(first: bool);
        end_array_value();
        begin_object();
        end_object();
        begin_object_key(first: bool);
        begin_object_value();
        end_object_value();
        write_char_escape(escape: CharEscape);
    }

    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        w: &mut W,
        text: &str,
    ) -> io::Result<()> {
        let mut rest = text;
        while let Some(at) = rest.find(is_hidden) {
            let (before, from) = rest.split_at(at);
            w.write_all(before.as_bytes())?;
            let mut chars = from.chars();
            let Some(c) = chars.next() else { break };
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(w, "\\u{unit:04x}")?;
            }
            rest = chars.as_str();
        }
        w.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
