//! Foreign text made safe to show: control characters become visible, so that
//! nothing a file, an agent or a check wrote can drive a terminal or hide a
//! line.
//!
//! Promise: the result holds no control character but the line feed and the
//! tab, no bidirectional override and no zero-width character.

use std::borrow::Cow;

/// Whether a character must not reach a reader as it is.
fn hides(c: char) -> bool {
    let invisible = matches!(c,
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    invisible || (c.is_control() && c != '\n' && c != '\t')
}

/// Text of several lines: line feeds and tabs stay, a `\r\n` becomes `\n`, every
/// other control, invisible or direction-changing character is written as
/// `\u{1b}`.
///
/// ```
/// # use git_crew::domain::escape::lines;
/// assert_eq!(lines("a\u{1b}[2Jb\r\n"), "a\\u{1b}[2Jb\n");
/// ```
#[must_use]
pub fn lines(text: &str) -> Cow<'_, str> {
    if !text.chars().any(hides) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.replace("\r\n", "\n").chars() {
        if hides(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// Text for one line of a message: as [`lines`], and line feeds and tabs are
/// escaped too; cut to `most` characters with `…` at the end.
#[must_use]
pub fn word(text: &str, most: usize) -> String {
    let mut out = String::new();
    for (at, c) in text.chars().enumerate() {
        if at == most {
            out.push('…');
            break;
        }
        match c {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if hides(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn shows_what_would_hide() {
        assert_eq!(lines("plain\ttext\n"), "plain\ttext\n");
        assert_eq!(lines("a\rb\0\u{202e}"), "a\\u{d}b\\u{0}\\u{202e}");
        assert_eq!(word("a\nb\u{7}", 10), "a\\nb\\u{7}");
        assert_eq!(word(&"x".repeat(300), 5), "xxxxx…");
    }

    proptest! {
        #[test]
        fn nothing_hides_in_the_result(text in any::<String>()) {
            prop_assert!(!lines(&text).chars().any(hides));
            prop_assert!(!word(&text, 40).chars().any(char::is_control));
        }
    }
}
