//! The keys that files may hold, and what becomes of each: one table a kind of
//! file, from which the reference is generated.
//!
//! Promise: no key is ignored in silence. One that is known from elsewhere and
//! changes nothing here is a warning; one whose loss would change what a run
//! means is an error; an unknown one is an error with the nearest known word.

use super::diagnostic::{Diagnostic, Report};
use super::escape;
use super::frontmatter::{self, Field};

/// What becomes of a known key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Treatment {
    /// It does what its doc says.
    Honoured,
    /// Accepted for compatibility, has no effect: a warning.
    NoEffect,
    /// Known, and not to be dropped quietly: an error.
    Refused,
}

/// One row of a table of keys.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// As written in the file.
    pub name: &'static str,
    /// What becomes of it.
    pub treatment: Treatment,
    /// What it does, or what to use in its place.
    pub doc: &'static str,
}

impl Key {
    /// A key that works.
    #[must_use]
    pub const fn honoured(name: &'static str, doc: &'static str) -> Self {
        Self { name, treatment: Treatment::Honoured, doc }
    }

    /// A key that is accepted and does nothing.
    #[must_use]
    pub const fn no_effect(name: &'static str, doc: &'static str) -> Self {
        Self { name, treatment: Treatment::NoEffect, doc }
    }

    /// A key that is an error.
    #[must_use]
    pub const fn refused(name: &'static str, doc: &'static str) -> Self {
        Self { name, treatment: Treatment::Refused, doc }
    }
}

/// Judges a field against a table: `true` when its value is to be read.
pub fn judge(report: &mut Report, table: &[Key], field: &Field) -> bool {
    let Some(key) = table.iter().find(|key| key.name == field.key) else {
        let cause = format!("unknown key '{}'", escape::word(&field.key, 60));
        let names = table.iter().map(|key| key.name);
        report.push(Diagnostic::error(report.file(), field.line, cause).meant(&field.key, names));
        return false;
    };
    match key.treatment {
        Treatment::Honoured => true,
        Treatment::NoEffect => {
            let cause = format!(
                "key '{}' is accepted for compatibility, has no effect: {}",
                key.name, key.doc
            );
            report.warn(field.line, cause);
            false
        }
        Treatment::Refused => {
            report.error(field.line, format!("key '{}' is not supported: {}", key.name, key.doc));
            false
        }
    }
}

/// A whole number in a range, or an error at the field.
pub fn number(report: &mut Report, field: &Field, least: u32, most: u32) -> Option<u32> {
    let found = field.value.parse::<u32>().ok().filter(|n| (least..=most).contains(n));
    if found.is_none() {
        let value = escape::word(&field.value, 40);
        let cause =
            format!("'{}' must be a number from {least} to {most}, not '{value}'", field.key);
        report.error(field.line, cause);
    }
    found
}

/// `true` or `false` (`yes`, `no`), or an error at the field.
pub fn boolean(report: &mut Report, field: &Field) -> Option<bool> {
    match field.value.as_str() {
        "true" | "yes" => Some(true),
        "false" | "no" => Some(false),
        other => {
            let value = escape::word(other, 40);
            report
                .error(field.line, format!("'{}' must be true or false, not '{value}'", field.key));
            None
        }
    }
}

/// Names of skills, none for `false`; what can't be one is an error at the field.
pub fn skills(report: &mut Report, field: &Field) -> Vec<String> {
    if field.value == "false" {
        return Vec::new();
    }
    let mut found: Vec<String> = Vec::new();
    for name in frontmatter::list(&field.value) {
        if !is_plain_name(&name) {
            let shown = escape::word(&name, 60);
            let cause = format!(
                "'{shown}' is no name of a skill: use up to 64 letters, digits, '-' and '_'"
            );
            report.error(field.line, cause);
        } else if !found.contains(&name) {
            found.push(name);
        }
    }
    found
}

/// One path component on every system, and no option.
#[must_use]
pub fn is_plain_name(name: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    !name.is_empty()
        && name.len() <= 64
        && name.bytes().all(inner)
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
}

/// A span of time such as `500ms`, `90s`, `10m` or `2h`, in milliseconds; at
/// least one, at most [`MAX_SPAN_MS`].
///
/// # Errors
/// A sentence that says what is expected.
///
/// ```
/// # use git_crew::domain::keys::span_ms;
/// assert_eq!(span_ms("90s"), Ok(90_000));
/// assert!(span_ms("90").is_err());
/// ```
pub fn span_ms(text: &str) -> Result<u64, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor = match unit {
        "ms" => Some(1),
        "s" => Some(1_000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        _ => None,
    };
    let spelt = number.parse::<u64>().ok().zip(factor);
    let ms = spelt.and_then(|(number, factor)| number.checked_mul(factor));
    ms.filter(|ms| (1..=MAX_SPAN_MS).contains(ms)).ok_or_else(|| {
        let text = escape::word(text, 40);
        format!("'{text}' is not a span of time: write 90s, 10m or 2h (168h at most)")
    })
}

/// The longest span of time that is accepted: a week, in milliseconds.
pub const MAX_SPAN_MS: u64 = 7 * 24 * 3_600_000;

/// A span of time in a field, or an error at the field.
pub fn span(report: &mut Report, field: &Field) -> Option<u64> {
    match span_ms(&field.value) {
        Ok(ms) => Some(ms),
        Err(cause) => {
            report.error(field.line, format!("'{}': {cause}", field.key));
            None
        }
    }
}

/// Routing words of teams and agents: shown to people, they decide nothing.
pub const ROUTING: [&str; 5] = ["triggers", "useWhen", "avoidWhen", "cost", "category"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans() {
        assert_eq!(span_ms("500ms"), Ok(500));
        assert_eq!(span_ms("10m"), Ok(600_000));
        assert_eq!(span_ms("168h"), Ok(MAX_SPAN_MS));
        for bad in
            ["", "s", "0s", "-1s", "1.5h", "1h30m", "169h", "10 m", "10d", "99999999999999999999s"]
        {
            assert!(span_ms(bad).is_err(), "{bad}");
        }
    }
}
