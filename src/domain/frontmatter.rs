//! The common shape of team, workflow and agent files: a block of flat
//! `key: value` lines between two `---` lines, then a body.
//!
//! ```text
//! file   = "---" NL { field | comment | empty } "---" NL body
//! field  = key ":" value NL          key = letter { letter | digit | "_" | "-" }
//! value  = the rest of the line, or text in "…" or '…'
//! list   = item { "," item }         an item may be in quotes; [a, b] is the same list
//! ```
//!
//! There is no nesting and no value of several lines: what looks like one is an
//! error, not a guess. Limits: a file of [`FILE_LIMIT`] bytes, a front block of
//! [`FRONT_LIMIT`]. A NUL or invalid UTF-8 is refused with its line.

use super::diagnostic::{Diagnostic, Report};
use super::escape;

/// The largest file that is read, in bytes: 1 MiB.
pub const FILE_LIMIT: usize = 1 << 20;
/// The largest block between the `---` lines, in bytes: 64 KiB.
pub const FRONT_LIMIT: usize = 64 << 10;

/// One `key: value` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The key as written.
    pub key: String,
    /// The value without the quotes around it.
    pub value: String,
    /// The line, counted from 1.
    pub line: usize,
}

/// A file taken apart, nothing judged yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document<'a> {
    /// The front block in the order of the file; no key occurs twice.
    pub fields: Vec<Field>,
    /// What follows the block.
    pub body: &'a str,
    /// The line on which the body begins, counted from 1.
    pub body_line: usize,
}

/// Bytes of a file as text.
///
/// # Errors
/// The file is larger than [`FILE_LIMIT`] or is not UTF-8 (with the line of the
/// first bad byte).
pub fn decode<'a>(file: &str, bytes: &'a [u8]) -> Result<&'a str, Diagnostic> {
    if bytes.len() > FILE_LIMIT {
        let cause = format!("a file of {} bytes; {FILE_LIMIT} is the most", bytes.len());
        return Err(Diagnostic::error(file, 1, cause));
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let line = 1 + newlines(&bytes[..error.valid_up_to()]);
        Diagnostic::error(file, line, "a byte that is not UTF-8 text")
    })
}

fn newlines(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte == b'\n').count()
}

/// Takes a file apart; faults go into `report`. `None` when there is no front
/// block to speak of.
pub fn split<'a>(report: &mut Report, text: &'a str) -> Option<Document<'a>> {
    if text.len() > FILE_LIMIT {
        report.error(1, format!("a file of {} bytes; {FILE_LIMIT} is the most", text.len()));
        return None;
    }
    if let Some(at) = text.find('\0') {
        report.error(1 + newlines(&text.as_bytes()[..at]), "a NUL character");
        return None;
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut rest = text;
    if next_line(&mut rest).is_none_or(|line| line.trim_end() != "---") {
        report
            .error(1, "the first line must be '---', then 'key: value' lines up to another '---'");
        return None;
    }
    let mut fields: Vec<Field> = Vec::new();
    let mut number = 1;
    while let Some(line) = next_line(&mut rest) {
        number += 1;
        if text.len() - rest.len() > FRONT_LIMIT {
            report.error(number, format!("the block of keys exceeds {FRONT_LIMIT} bytes"));
            return None;
        }
        if line.trim_end() == "---" {
            return Some(Document { fields, body: rest, body_line: number + 1 });
        }
        if let Some(field) = front_line(report, line, number, &fields) {
            fields.push(field);
        }
    }
    report.error(1, "the block of keys that begins here is never closed by a '---' line");
    None
}

fn next_line<'a>(rest: &mut &'a str) -> Option<&'a str> {
    if rest.is_empty() {
        return None;
    }
    let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
    *rest = after;
    Some(line.strip_suffix('\r').unwrap_or(line))
}

fn front_line(report: &mut Report, line: &str, number: usize, seen: &[Field]) -> Option<Field> {
    let trimmed = line.trim();
    if trimmed.is_empty() || trimmed.starts_with('#') {
        return None;
    }
    if line.starts_with([' ', '\t']) || trimmed.starts_with("- ") {
        report.error(number, "a value is one line here: write a list as 'key: a, b'");
        return None;
    }
    let Some(found) = field(line, number) else {
        report.error(number, format!("expected 'key: value', found '{}'", escape::word(line, 40)));
        return None;
    };
    if let Some(first) = seen.iter().find(|other| other.key == found.key) {
        report.error(
            number,
            format!("key '{}' is set twice, first on line {}", found.key, first.line),
        );
        return None;
    }
    Some(found)
}

/// Reads one `key: value` line; `None` if it is none.
#[must_use]
pub fn field(line: &str, number: usize) -> Option<Field> {
    let (key, value) = line.split_once(':')?;
    let key = key.trim_end();
    let good = key.starts_with(|c: char| c.is_ascii_alphabetic())
        && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    // `a:b` is prose or an address, not a field
    let apart = value.is_empty() || value.starts_with([' ', '\t']);
    (good && apart).then(|| Field {
        key: key.to_owned(),
        value: unquote(value.trim()).to_owned(),
        line: number,
    })
}

fn unquote(value: &str) -> &str {
    for quote in ['"', '\''] {
        let inner = value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
        // `"a", "b"` is a list of two quoted items, not one quoted value
        if let Some(inner) = inner.filter(|inner| !inner.contains(quote)) {
            return inner;
        }
    }
    value
}

/// The items of a comma list; empty items are dropped, commas inside quotes or
/// braces (`*.{rs,md}`) do not part.
///
/// ```
/// # use git_crew::domain::frontmatter::list;
/// assert_eq!(list("a, \"b, c\", src/*.{rs,md}"), ["a", "b, c", "src/*.{rs,md}"]);
/// ```
#[must_use]
pub fn list(value: &str) -> Vec<String> {
    let bare = value.trim();
    let bare = bare.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(bare);
    let (mut items, mut item) = (Vec::new(), String::new());
    let (mut quote, mut depth) = (None, 0_usize);
    for c in bare.chars() {
        match (quote, c) {
            (None, ',') if depth == 0 => items.push(std::mem::take(&mut item)),
            (None, '"' | '\'') if item.trim().is_empty() => {
                quote = Some(c);
                item.push(c);
            }
            (Some(open), c) if open == c => {
                quote = None;
                item.push(c);
            }
            (_, c) => {
                depth = match (quote, c) {
                    (None, '{') => depth + 1,
                    (None, '}') => depth.saturating_sub(1),
                    (_, _) => depth,
                };
                item.push(c);
            }
        }
    }
    items.push(item);
    let clean = items.iter().map(|item| unquote(item.trim()).to_owned());
    clean.filter(|item| !item.is_empty()).collect()
}

#[cfg(test)]
mod tests;
