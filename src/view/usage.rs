//! Tokens and money as plain data and as words.

use serde::Serialize;

use crate::domain::usage::{Spent, Usage};

/// What was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct UsageView {
    /// Tokens read that no cache held.
    pub input: u64,
    /// Tokens written.
    pub output: u64,
    /// Tokens read from a cache.
    pub cached: u64,
    /// Millionths of a dollar; absent when nobody told the price.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_micro: Option<u64>,
}

impl From<Usage> for UsageView {
    fn from(usage: Usage) -> Self {
        let Usage { input, output, cached, cost_micro } = usage;
        Self { input, output, cached, cost_micro }
    }
}

/// What several attempts used together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SpentView {
    /// What is known of it.
    #[serde(flatten)]
    pub usage: UsageView,
    /// How many attempts told no price.
    pub unpriced: u32,
}

impl SpentView {
    /// A sum, if anything was told.
    #[must_use]
    pub fn of(spent: Spent) -> Option<Self> {
        spent.is_known().then(|| Self { usage: spent.usage.into(), unpriced: spent.unpriced })
    }
}

/// `12.3k tokens in (9.0k more cached), 678 out`.
#[must_use]
pub fn tokens(usage: &UsageView) -> String {
    let cached = match usage.cached {
        0 => String::new(),
        cached => format!(" ({} more cached)", count(cached)),
    };
    format!("{} tokens in{cached}, {} out", count(usage.input), count(usage.output))
}

/// `$0.12`, or `cost unknown`.
#[must_use]
pub fn cost(usage: &UsageView) -> String {
    usage.cost_micro.map_or_else(|| "cost unknown".to_owned(), dollars)
}

/// The cost of several attempts: what is known of it, and that it is not all.
#[must_use]
pub fn cost_of_all(spent: &SpentView) -> String {
    match (spent.usage.cost_micro, spent.unpriced) {
        (Some(cost), 0) => dollars(cost),
        (Some(cost), _) => format!("{} and unknown", dollars(cost)),
        (None, _) => "cost unknown".to_owned(),
    }
}

/// Cents above a dollar, hundredths of a cent below; rounded up, for it was spent.
fn dollars(micro: u64) -> String {
    if micro >= 1_000_000 {
        let cents = micro.div_ceil(10_000);
        return format!("${}.{:02}", cents / 100, cents % 100);
    }
    let parts = micro.div_ceil(100);
    format!("${}.{:04}", parts / 10_000, parts % 10_000)
}

fn count(number: u64) -> String {
    let tenths = |unit: u64| format!("{}.{}", number / unit, number % unit * 10 / unit);
    match number {
        0..10_000 => number.to_string(),
        10_000..1_000_000 => format!("{}k", tenths(1000)),
        _ => format!("{}M", tenths(1_000_000)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_say_what_is_unknown() {
        let usage = UsageView { input: 12_345, output: 678, cached: 1_900_000, cost_micro: None };
        assert_eq!(tokens(&usage), "12.3k tokens in (1.9M more cached), 678 out");
        assert_eq!(cost(&usage), "cost unknown");
        let known = UsageView { cost_micro: Some(1_234_567), ..usage };
        assert_eq!(cost_of_all(&SpentView { usage: known, unpriced: 0 }), "$1.24");
        assert_eq!(cost_of_all(&SpentView { usage: known, unpriced: 1 }), "$1.24 and unknown");
        assert_eq!(cost_of_all(&SpentView { usage, unpriced: 1 }), "cost unknown");
        assert_eq!(dollars(12_346), "$0.0124");
        assert_eq!(dollars(999_999), "$1.0000");
    }
}
