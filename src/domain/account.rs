//! What an agent's own stream told of an attempt. It is the agent's word, not
//! ours: whether the work is any good is the verdict's business.

use super::usage::Usage;

/// The most bytes of one name in an account: an event has to stay small, and
/// an agent may print anything.
const MOST: usize = 200;

/// What the agent told of itself. Whatever it did not tell is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// The version of its program.
    pub version: Option<String>,
    /// The model that did the work.
    pub model: Option<String>,
    /// The name under which its program can go on with the conversation.
    pub session: Option<String>,
    /// Tokens and money.
    pub usage: Option<Usage>,
}

impl Account {
    /// Whether nothing was told: an agent that is any command line.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A name as an account holds it: one line, no more than fits. `None` for one
/// that says nothing.
#[must_use]
pub fn name(text: &str) -> Option<String> {
    let line = text.lines().next().unwrap_or_default().trim();
    let mut end = line.len().min(MOST);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    line.get(..end).filter(|name| !name.is_empty()).map(str::to_owned)
}

/// A session's name, which is handed to a program as an argument: letters,
/// digits, `-`, `_` and `.`, and no option.
#[must_use]
pub fn session(text: &str) -> Option<String> {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let good = !text.is_empty()
        && text.len() <= 128
        && text.bytes().all(inner)
        && text.starts_with(|first: char| first.is_ascii_alphanumeric());
    good.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_lines() {
        assert_eq!(name(" a b \nc").as_deref(), Some("a b"));
        assert_eq!(name("\n"), None);
        assert_eq!(name(&"ü".repeat(200)).map(|name| name.len()), Some(200));
    }

    #[test]
    fn a_session_can_be_no_option_and_no_path() {
        assert!(session("0199a213-81c0-7800-8aa1-bbab2a035a53").is_some());
        assert!(session("ses_4fA.1").is_some());
        for bad in ["", "--help", "../x", "a/b", "a b", "a\n", ".x", &"a".repeat(129)] {
            assert_eq!(session(bad), None, "{bad:?}");
        }
    }
}
