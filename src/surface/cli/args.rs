//! What every command understands, and the shapes of names that several
//! commands take.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum};

use crate::domain::id::TaskId;

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// Options of every command.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
#[command(next_help_heading = "Options of every command")]
pub struct Global {
    /// Run as if started in DIR
    #[arg(short = 'C', value_name = "DIR", global = true)]
    pub dir: Option<PathBuf>,

    /// Say more on standard error; -vv says everything (see also CREW_LOG)
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub verbose: u8,

    /// Answer in JSON: {"schema": "git-crew/v1", "kind": ..., "data": ...}
    #[arg(long, global = true)]
    pub json: bool,

    /// Colours: auto, always, never
    #[arg(
        long,
        value_name = "WHEN",
        default_value = "auto",
        hide_default_value = true,
        hide_possible_values = true,
        global = true
    )]
    pub color: ColorChoice,
}

/// The beginning of a run's id; the newest run where it is left out.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct RunArg {
    /// A run: any beginning of its id that fits one run only [default: the newest]
    #[arg(value_name = "RUN")]
    pub run: Option<String>,
}

/// `TASK` or `TASK@N`: a task of a run, or one attempt of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskRef {
    /// The task.
    pub task: TaskId,
    /// The attempt, from 1; `None` is the one that counts.
    pub attempt: Option<u32>,
}

impl FromStr for TaskRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (task, attempt) = match text.split_once('@') {
            Some((task, number)) => (task, Some(number)),
            None => (text, None),
        };
        let task = task.parse().map_err(|error| format!("{error}"))?;
        let attempt = match attempt.map(str::parse::<u32>) {
            None => None,
            Some(Ok(number)) if number > 0 => Some(number),
            Some(_) => return Err("an attempt is a number from 1, as in 'implement@2'".into()),
        };
        Ok(Self { task, attempt })
    }
}

/// A span of time as a person types it: `90`, `90s`, `15m`, `2h`, `1d`; seconds
/// without a unit. In milliseconds.
///
/// # Errors
/// A sentence for clap.
pub fn span_ms(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit: u64 = match text.get(digits.len()..).unwrap_or("?") {
        "ms" => 1,
        "" | "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err("a span is a number and s, m, h or d, as in '15m'".into()),
    };
    let span = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    match span {
        Some(0) | None => Err("a span is a number above 0 and s, m, h or d, as in '15m'".into()),
        Some(span) => Ok(span),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans() {
        assert_eq!(span_ms("90"), Ok(90_000));
        assert_eq!(span_ms("15m"), Ok(900_000));
        assert_eq!(span_ms("2h"), Ok(7_200_000));
        assert_eq!(span_ms("250ms"), Ok(250));
        for bad in ["", "m", "0", "-1s", "1.5h", "9x", "99999999999999999999d", "1d2"] {
            assert!(span_ms(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_task_and_its_attempt() {
        let task: TaskRef = "implement@2".parse().expect("a task");
        assert_eq!((task.task.as_str(), task.attempt), ("implement", Some(2)));
        assert_eq!("plan".parse::<TaskRef>().expect("a task").attempt, None);
        for bad in ["plan@", "plan@0", "plan@x", "@1", "a/b", "../x", "Plan", ""] {
            assert!(bad.parse::<TaskRef>().is_err(), "{bad}");
        }
    }
}
