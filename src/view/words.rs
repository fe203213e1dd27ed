//! Numbers as words: lists, spans of time, ages, sizes. Everything rounds down:
//! `59s` is never shown as `1m`.

use crate::domain::time::Timestamp;
use crate::domain::words::plural;

/// `a`, `a and b`, `a, b and c`.
#[must_use]
pub fn list<T: AsRef<str>>(items: &[T]) -> String {
    match items {
        [] => String::new(),
        [one] => one.as_ref().to_owned(),
        [firsts @ .., last] => {
            let firsts: Vec<&str> = firsts.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", firsts.join(", "), last.as_ref())
        }
    }
}

/// The first `most` items as a list, with the number of the others.
#[must_use]
pub fn list_some<T: AsRef<str>>(items: &[T], most: usize) -> String {
    if items.len() <= most {
        return list(items);
    }
    let mut shown: Vec<String> =
        items.iter().take(most).map(|item| item.as_ref().to_owned()).collect();
    shown.push(format!("{} more", items.len() - shown.len()));
    list(&shown)
}

/// A span of milliseconds in its two largest units: `850ms`, `12s`, `3m 05s`,
/// `2h 10m`, `4d 3h`. A negative span (a clock stepped back) is `0s`.
#[must_use]
pub fn duration(ms: i64) -> String {
    let seconds = ms.max(0) / 1000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match () {
        () if ms <= 0 => "0s".to_owned(),
        () if seconds == 0 => format!("{ms}ms"),
        () if minutes == 0 => format!("{seconds}s"),
        () if hours == 0 => format!("{minutes}m {:02}s", seconds % 60),
        () if days == 0 => format!("{hours}h {:02}m", minutes % 60),
        () => format!("{days}d {}h", hours % 24),
    }
}

/// How long ago something was, in one unit: `just now`, `5 minutes ago`. What
/// lies ahead of `now` is `just now`: clocks differ.
#[must_use]
pub fn age(then: Timestamp, now: Timestamp) -> String {
    let seconds = u64::try_from(now.since_ms(then) / 1000).unwrap_or(0);
    let ago = |count: u64, unit: &str| format!("{} ago", plural(count, unit));
    match seconds {
        0..10 => "just now".to_owned(),
        10..60 => ago(seconds, "second"),
        60..3600 => ago(seconds / 60, "minute"),
        3600..86_400 => ago(seconds / 3600, "hour"),
        86_400..63_072_000 => ago(seconds / 86_400, "day"),
        _ => ago(seconds / 31_536_000, "year"),
    }
}

/// A number of bytes: `0 bytes`, `1 byte`, `1.5 KiB`, `20 MiB`.
#[must_use]
pub fn size(bytes: u64) -> String {
    if bytes < 1024 {
        return plural(bytes, "byte");
    }
    let mut unit = "KiB";
    let mut tenths = u128::from(bytes) * 10 / 1024;
    for larger in ["MiB", "GiB", "TiB", "PiB", "EiB"] {
        if tenths < 10_240 {
            break;
        }
        tenths /= 1024;
        unit = larger;
    }
    if tenths < 100 {
        format!("{}.{} {unit}", tenths / 10, tenths % 10)
    } else {
        format!("{} {unit}", tenths / 10)
    }
}

/// A point in time as RFC 3339 in UTC, to the second, for programs.
#[must_use]
pub fn rfc3339(at: Timestamp) -> String {
    match jiff::Timestamp::from_second(at.seconds()) {
        Ok(time) => time.to_string(),
        Err(_) => format!("@{}", at.seconds()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        assert_eq!(list::<&str>(&[]), "");
        assert_eq!(list(&["a"]), "a");
        assert_eq!(list(&["a", "b"]), "a and b");
        assert_eq!(list(&["a", "b", "c"]), "a, b and c");
        assert_eq!(list_some(&["a", "b", "c", "d"], 2), "a, b and 2 more");
    }

    #[test]
    fn spans_round_down() {
        let shown: Vec<String> =
            [-5, 0, 1, 999, 1000, 59_999, 60_000, 185_000, 3_599_999, 7_800_000, 356_400_000]
                .into_iter()
                .map(duration)
                .collect();
        assert_eq!(
            shown.join(" | "),
            "0s | 0s | 1ms | 999ms | 1s | 59s | 1m 00s | 3m 05s | 59m 59s | 2h 10m | 4d 3h"
        );
    }

    #[test]
    fn ages_have_one_unit() {
        let now = Timestamp(1_000_000_000_000);
        let ago = |seconds: i64| age(now.plus_ms(-seconds * 1000), now);
        assert_eq!(ago(-50), "just now");
        assert_eq!(ago(9), "just now");
        assert_eq!(ago(10), "10 seconds ago");
        assert_eq!(ago(119), "1 minute ago");
        assert_eq!(ago(7200), "2 hours ago");
        assert_eq!(ago(86_400), "1 day ago");
        assert_eq!(ago(86_400 * 400), "400 days ago");
        assert_eq!(ago(86_400 * 800), "2 years ago");
    }

    #[test]
    fn sizes() {
        assert_eq!(size(0), "0 bytes");
        assert_eq!(size(1), "1 byte");
        assert_eq!(size(1023), "1023 bytes");
        assert_eq!(size(1536), "1.5 KiB");
        assert_eq!(size(20 << 20), "20 MiB");
        assert_eq!(size(u64::MAX), "15 EiB");
    }

    #[test]
    fn times_for_programs() {
        assert_eq!(rfc3339(Timestamp(1_500)), "1970-01-01T00:00:01Z");
        assert_eq!(rfc3339(Timestamp(i64::MAX)), "@9223372036854775");
    }
}
