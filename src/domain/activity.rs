//! What an agent is doing, as its own stream tells while it runs. For those who
//! watch and for limits; never stored.

use super::account::Account;
use super::time::Timestamp;
use super::usage::Usage;
use super::words::clip;

/// The most columns of a label or of the last words.
const MOST: usize = 160;

/// What an agent is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Doing {
    /// Nothing that it told of yet.
    #[default]
    Starting,
    /// It thinks, or writes words.
    Thinking,
    /// A tool runs; of several the one that began last.
    Tool {
        /// The tool and what it is used on, in a few words.
        label: String,
    },
    /// Its program tries again by itself, and waits for that.
    Waiting {
        /// Not before this time.
        until: Timestamp,
        /// What for, in a few words.
        why: String,
    },
    /// It has said its last word.
    Done,
}

impl Doing {
    /// What it does, as a word.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Thinking => "thinking",
            Self::Tool { .. } => "tool",
            Self::Waiting { .. } => "waiting",
            Self::Done => "done",
        }
    }
}

/// An agent at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Activity {
    /// What it does.
    pub doing: Doing,
    /// Since when.
    pub since: Timestamp,
    /// The last words it wrote, one short line.
    pub words: String,
    /// How many tools it has used.
    pub tools: u64,
    /// What it told of itself so far.
    pub account: Account,
}

impl Activity {
    /// From now on it does this; the same as before goes on.
    pub fn turn(&mut self, doing: Doing, now: Timestamp) {
        if self.doing != doing {
            self.doing = doing;
            self.since = now;
        }
    }

    /// It used this much more.
    pub fn used(&mut self, more: Usage) {
        self.account.usage = Some(self.account.usage.unwrap_or_default().plus(more));
    }

    /// When it goes on by itself, if it waits.
    #[must_use]
    pub fn waits_until(&self) -> Option<Timestamp> {
        match &self.doing {
            Doing::Waiting { until, .. } => Some(*until),
            Doing::Starting | Doing::Thinking | Doing::Tool { .. } | Doing::Done => None,
        }
    }
}

/// One short line of a longer text: its first line that says something.
#[must_use]
pub fn short(text: &str) -> String {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    // What is cut off is not even looked at: a line may have megabytes.
    let mut end = line.len().min(MOST * 4);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    clip(line.get(..end).unwrap_or_default(), MOST)
}

/// `tool: what it is used on`.
#[must_use]
pub fn label(tool: &str, on: Option<&str>) -> String {
    let on = on.map(short).filter(|on| !on.is_empty());
    let tool = short(tool);
    short(&match on {
        Some(on) => format!("{tool}: {on}"),
        None => tool,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_again_is_no_change() {
        let mut activity = Activity::default();
        activity.turn(Doing::Thinking, Timestamp(5));
        activity.turn(Doing::Thinking, Timestamp(9));
        assert_eq!(activity.since, Timestamp(5));
        let waiting = Doing::Waiting { until: Timestamp(20), why: "rate limit".into() };
        activity.turn(waiting, Timestamp(10));
        assert_eq!((activity.since, activity.waits_until()), (Timestamp(10), Some(Timestamp(20))));
    }

    #[test]
    fn labels_are_one_short_line() {
        assert_eq!(label("Bash", Some("\n ls -l \nrm")), "Bash: ls -l");
        assert_eq!(label("Read", None), "Read");
        assert_eq!(label("Read", Some(" ")), "Read");
        let long = label("Bash", Some(&"ü".repeat(1_000_000)));
        assert!(long.chars().count() <= MOST && long.ends_with('…'), "{long}");
    }
}
