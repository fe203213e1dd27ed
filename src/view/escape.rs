//! Foreign text of several lines, safe to print: transcripts, prompts, logs.
//! A single line is `domain::escape::escaped`; [`super::text::Line`] does that
//! to everything it is given.
//!
//! Promise: the result holds line feeds and tabs and no other character that a
//! terminal would obey or hide; bytes that are not UTF-8 are shown as `\xNN`.

use crate::domain::escape::lines;

/// Escapes bytes of several lines. A carriage return before a line feed is
/// dropped; any other is shown.
///
/// ```
/// # use git_crew::view::escape::block;
/// assert_eq!(block(b"a\r\n\tb\x1b[0m\xff\n"), "a\n\tb\\x1b[0m\\xff\n");
/// ```
#[must_use]
pub fn block(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.push_str(&lines(chunk.valid()));
        for byte in chunk.invalid() {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
    out
}

/// How many bytes at the end of `bytes` may be the beginning of a character or
/// of a line end that has not arrived yet: what a follower keeps back.
#[must_use]
pub fn unfinished(bytes: &[u8]) -> usize {
    if bytes.last() == Some(&b'\r') {
        return 1;
    }
    let Some(back) = bytes.iter().rev().take(4).position(|byte| byte & 0xC0 != 0x80) else {
        return 0;
    };
    let tail = &bytes[bytes.len() - 1 - back..];
    match std::str::from_utf8(tail) {
        Err(error) if error.error_len().is_none() => tail.len(),
        Ok(_) | Err(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::escape::is_hidden;

    #[test]
    fn keeps_back_what_is_cut_in_two() {
        assert_eq!(unfinished("aä".as_bytes()), 0);
        assert_eq!(unfinished(b"a\xc3"), 1);
        assert_eq!(unfinished(b"a\xe2\x82"), 2);
        assert_eq!(unfinished(b"a\xff"), 0);
        assert_eq!(unfinished(b"a\r"), 1);
        assert_eq!(unfinished(b""), 0);
        assert_eq!(unfinished(b"\x80\x80\x80\x80\x80"), 0);
    }

    proptest! {
        #[test]
        fn no_byte_reaches_a_terminal_as_an_order(bytes in any::<Vec<u8>>()) {
            let shown = block(&bytes);
            let obeyed = |c: char| is_hidden(c) && c != '\n' && c != '\t';
            prop_assert!(!shown.chars().any(obeyed), "{:?}", shown);
        }

        #[test]
        fn pieces_read_as_the_whole(text in any::<String>(), cut in any::<prop::sample::Index>()) {
            let bytes = text.as_bytes();
            let cut = cut.index(bytes.len() + 1);
            let kept = unfinished(&bytes[..cut]);
            let pieces = block(&bytes[..cut - kept]) + &block(&bytes[cut - kept..]);
            prop_assert_eq!(pieces, block(bytes));
        }
    }
}
