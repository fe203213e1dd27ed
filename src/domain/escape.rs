//! Foreign text made safe to show, for messages, views, prompts and what is
//! stored as JSON: the one place that knows which characters hide or act.
//!
//! Promise: what these functions return holds no character that
//! [`is_hidden`], but for the line feeds and tabs of [`lines`].

use std::borrow::Cow;

/// Whether a terminal would obey this character or hide it: C0, DEL, C1, the
/// line and paragraph separators, direction marks, zero-width fillers and tags.
/// The joiners that scripts and emoji need stay.
#[must_use]
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Appends one character, escaped if it [`is_hidden`].
fn push(out: &mut String, c: char) {
    match c {
        '\n' => out.push_str("\\n"),
        '\t' => out.push_str("\\t"),
        '\r' => out.push_str("\\r"),
        c if is_hidden(c) && c.is_ascii() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
        c if is_hidden(c) => out.extend(c.escape_unicode()),
        c => out.push(c),
    }
}

/// Text as one line; everything hidden is shown.
///
/// ```
/// # use git_crew::domain::escape::escaped;
/// assert_eq!(escaped("a\u{1b}[31mb\nc\u{202e}"), "a\\x1b[31mb\\nc\\u{202e}");
/// ```
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    text.chars().for_each(|c| push(&mut out, c));
    out
}

/// As [`escaped`], cut to `most` characters with `…` at the end.
#[must_use]
pub fn word(text: &str, most: usize) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    chars.by_ref().take(most).for_each(|c| push(&mut out, c));
    if chars.next().is_some() {
        out.push('…');
    }
    out
}

/// Text of several lines: line feeds and tabs stay, a `\r\n` becomes `\n`,
/// everything else as in [`escaped`].
///
/// ```
/// # use git_crew::domain::escape::lines;
/// assert_eq!(lines("a\u{1b}[2Jb\r\n"), "a\\x1b[2Jb\n");
/// ```
#[must_use]
pub fn lines(text: &str) -> Cow<'_, str> {
    let stays = |c: char| matches!(c, '\n' | '\t') || !is_hidden(c);
    if text.chars().all(stays) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' if chars.peek() == Some(&'\n') => {}
            c if stays(c) => out.push(c),
            c => push(&mut out, c),
        }
    }
    Cow::Owned(out)
}

/// A JSON text with everything hidden in its strings as `\uXXXX`, which changes
/// no value. Line feeds stay: in JSON they can only be layout.
///
/// ```
/// # use git_crew::domain::escape::json;
/// assert_eq!(json("{\"a\":\"\u{202e}\"}\n"), "{\"a\":\"\\u202e\"}\n");
/// ```
#[must_use]
pub fn json(text: &str) -> Cow<'_, str> {
    let escapes = |c: char| c != '\n' && is_hidden(c);
    let Some(first) = text.find(escapes) else { return Cow::Borrowed(text) };
    let (before, rest) = text.split_at(first);
    let mut out = String::with_capacity(text.len() + 16);
    out.push_str(before);
    for c in rest.chars() {
        if escapes(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn shows_what_would_hide() {
        assert_eq!(lines("plain\ttext\n"), "plain\ttext\n");
        assert_eq!(lines("a\rb\0\u{202e}\r\n"), "a\\rb\\x00\\u{202e}\n");
        assert_eq!(word("a\nb\u{7}", 10), "a\\nb\\x07");
        assert_eq!(word(&"x".repeat(300), 5), "xxxxx…");
        assert_eq!(word("xxxxx", 5), "xxxxx");
        assert_eq!(json("[\"\u{7f}\u{e0041}\"]"), "[\"\\u007f\\udb40\\udc41\"]");
    }

    proptest! {
        #[test]
        fn nothing_hides_in_the_result(
            text in "(?s)[\\x00-\\x9f\u{2000}-\u{2070}\u{feff}\u{e0000}-\u{e007f}\u{61c}é]*",
        ) {
            let obeyed = |c: char| is_hidden(c) && c != '\n' && c != '\t';
            prop_assert!(!lines(&text).chars().any(obeyed));
            prop_assert!(!escaped(&text).chars().any(is_hidden));
            prop_assert!(!word(&text, 40).chars().any(is_hidden));
        }

        #[test]
        fn json_keeps_its_values(text in any::<String>()) {
            let plain = serde_json::to_string_pretty(&[&text]).expect("a list");
            let shown = json(&plain);
            prop_assert!(!shown.chars().any(|c| is_hidden(c) && c != '\n'));
            let back: Vec<String> = serde_json::from_str(&shown).expect("JSON");
            prop_assert_eq!(&back, &[text]);
        }
    }
}
