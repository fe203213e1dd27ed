//! Names of things. Every part of a ref name that git-crew makes is a [`Slug`],
//! so no id can hold a slash, a `..`, an option dash or a case twin.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest part of a ref name, in bytes.
pub const MAX_PART: usize = 64;

/// Why a text is not an id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Nothing that a name could be made of.
    #[error("an empty name")]
    Empty,
    /// Longer than [`MAX_PART`] bytes.
    #[error("a name of {0} characters; {MAX_PART} is the most")]
    TooLong(usize),
    /// A character that a ref part must not hold, or a dash at an end.
    #[error("'{0}' must be lower-case letters, digits and inner dashes")]
    Malformed(String),
    /// Not an object id.
    #[error("'{0}' is not an object id of 40 or 64 hexadecimal digits")]
    NotAnObject(String),
}

fn check_part(text: &str) -> Result<(), IdError> {
    if text.is_empty() {
        return Err(IdError::Empty);
    }
    if text.len() > MAX_PART {
        return Err(IdError::TooLong(text.chars().count()));
    }
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let outer = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = text.as_bytes();
    let ends = bytes.first().is_some_and(|b| outer(*b)) && bytes.last().is_some_and(|b| outer(*b));
    if ends && bytes.iter().all(|b| inner(*b)) {
        Ok(())
    } else {
        Err(IdError::Malformed(text.escape_debug().to_string()))
    }
}

/// Turns any text into the words of a ref part: lower case, everything that is
/// not a letter or a digit becomes one dash. `None` when nothing is left or
/// when letters outside ASCII would be lost.
///
/// ```
/// # use git_crew::domain::id::slug;
/// assert_eq!(slug("Fix  the Login!"), Some("fix-the-login".into()));
/// assert_eq!(slug("日本"), None);
/// ```
#[must_use]
pub fn slug(text: &str) -> Option<String> {
    let mut out = String::new();
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            out.push(c.to_ascii_lowercase());
        } else if c.is_alphanumeric() {
            return None;
        } else if !out.is_empty() && !out.ends_with('-') {
            out.push('-');
        }
    }
    while out.ends_with('-') {
        out.pop();
    }
    (!out.is_empty() && out.len() <= MAX_PART).then_some(out)
}

macro_rules! part {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                check_part(text).map(|()| Self(text.to_owned()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                check_part(&text).map(|()| Self(text))
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

part! {
    /// One run: four random letters and up to four words of its goal
    /// (`7kq2-fix-login`).
    RunId
}
part! {
    /// One task of a run, the slug of its workflow step's name.
    TaskId
}
part! {
    /// One process incarnation that may hold a lease: 128 random bits in hex.
    HolderId
}
part! {
    /// One event, whatever becomes of its append: 128 random bits in hex. A
    /// retry after an unknown outcome looks for it in the chain.
    Op
}

/// The letters a run id begins with: no `0`, `1`, `l`, `o`, so that ids survive
/// being read aloud.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

impl RunId {
    /// Makes an id from 20 random bits and the goal's first words.
    ///
    /// ```
    /// # use git_crew::domain::id::RunId;
    /// let id = RunId::new(0, "Fix the login page, please!");
    /// assert_eq!(id.as_str(), "aaaa-fix-the-login-page");
    /// ```
    #[must_use]
    pub fn new(random: u32, goal: &str) -> Self {
        let mut id: String =
            (0..4).map(|i| LETTERS[(random >> (5 * i)) as usize & 31] as char).collect();
        let words = goal
            .split(|c: char| !c.is_ascii_alphanumeric())
            .filter(|word| !word.is_empty() && word.len() <= 14)
            .take(4);
        for word in words {
            id.push('-');
            id.push_str(&word.to_ascii_lowercase());
        }
        Self(id)
    }
}

fn hex128(bytes: [u8; 16]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl HolderId {
    /// A holder's id from 128 random bits.
    #[must_use]
    pub fn new(random: [u8; 16]) -> Self {
        Self(hex128(random))
    }
}

impl Op {
    /// An operation's id from 128 random bits.
    #[must_use]
    pub fn new(random: [u8; 16]) -> Self {
        Self(hex128(random))
    }
}

/// The name of a git object, SHA-1 or SHA-256, as hexadecimal text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Oid(String);

impl Oid {
    /// All hexadecimal digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first twelve digits, for people.
    #[must_use]
    pub fn short(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }
}

impl FromStr for Oid {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let digits = text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if digits && matches!(text.len(), 40 | 64) {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdError::NotAnObject(text.escape_debug().to_string()))
        }
    }
}

impl TryFrom<String> for Oid {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<Oid> for String {
    fn from(id: Oid) -> String {
        id.0
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Oid({})", self.short())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_a_ref_part_must_not_hold() {
        for bad in ["", "a/b", "..", "a b", "-a", "a-", "A", "ü", "a.lock", "a\u{1b}b"] {
            assert!(bad.parse::<TaskId>().is_err(), "{bad:?}");
        }
        assert!("x".repeat(65).parse::<TaskId>().is_err());
        assert!("explore-2".parse::<TaskId>().is_ok());
    }

    #[test]
    fn a_run_id_is_always_a_valid_part() {
        for goal in ["", "日本語だけ", "../../etc", &"x".repeat(300), "a b c d e f", "-- --"] {
            let id = RunId::new(0xFFFFF, goal);
            assert_eq!(id.as_str().parse::<RunId>().as_ref(), Ok(&id), "{goal}");
        }
    }

    #[test]
    fn object_ids_are_whole() {
        assert!("ab".repeat(20).parse::<Oid>().is_ok());
        assert!("ab".repeat(32).parse::<Oid>().is_ok());
        assert!("abcd".parse::<Oid>().is_err());
        assert!("AB".repeat(20).parse::<Oid>().is_err());
    }
}
