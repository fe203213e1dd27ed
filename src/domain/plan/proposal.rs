//! A plan that an agent proposes: the JSON file of a `plan: yes` step, made into
//! tasks of the same run or refused with everything that is wrong with it.
//!
//! ```text
//! {"tasks": [
//!   {"id": "parser", "role": "executor", "task": "Write the parser …"},
//!   {"id": "tests", "role": "test-engineer", "task": "Test it …", "dependsOn": ["parser"],
//!    "paths": ["tests/**"], "check": "cargo test", "reads": [], "output": "gaps.md"}
//! ]}
//! ```
//!
//! Promises: what comes out fits the plan it is for (its names are new, its
//! roles are known, its graph has no cycle, its artifacts have one maker each);
//! no task of it is run by `sh`; the checks it brings stand apart from those of
//! the workflow. Each fault names its place as a JSON path. Limits: the
//! `MAX_PLAN_…` of [`super::super::defaults`].

use std::fmt;

use crate::domain::defaults;
use crate::domain::escape;

use super::{Plan, PlannedTask};

mod fit;
mod json;
mod shape;

pub use shape::KEYS;

/// One thing that is wrong with a proposal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where, as `$.tasks[2].role`.
    pub path: String,
    /// What is wrong, one line.
    pub cause: String,
    /// The nearest known word.
    pub suggestion: Option<String>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.cause)?;
        match &self.suggestion {
            Some(word) => write!(f, "; did you mean '{word}'?"),
            None => Ok(()),
        }
    }
}

/// All faults in one line: the first, and how many more there are.
#[must_use]
pub fn line(faults: &[Fault]) -> String {
    let first = faults.first().map(ToString::to_string).unwrap_or_default();
    match faults.len() {
        0 | 1 => format!("the plan can't be used: {first}"),
        many => format!("the plan can't be used: {first} (and {} more)", many - 1),
    }
}

/// The faults found so far.
#[derive(Debug, Default)]
struct Faults(Vec<Fault>);

impl Faults {
    fn add(&mut self, path: &str, cause: impl Into<String>) {
        self.meant(path, cause, None);
    }

    fn meant(&mut self, path: &str, cause: impl Into<String>, suggestion: Option<&str>) {
        self.0.push(Fault {
            path: path.to_owned(),
            cause: cause.into(),
            suggestion: suggestion.map(str::to_owned),
        });
    }
}

/// The tasks that the file of a planning task proposes, each after its needs.
///
/// # Errors
/// Everything that is wrong with it; never none.
pub fn read(
    plan: &Plan,
    planner: &PlannedTask,
    bytes: &[u8],
) -> Result<Vec<PlannedTask>, Vec<Fault>> {
    let whole = |cause: String| vec![Fault { path: "$".into(), cause, suggestion: None }];
    if bytes.len() > defaults::MAX_PLAN_BYTES {
        let cause =
            format!("a file of {} bytes; {} is the most", bytes.len(), defaults::MAX_PLAN_BYTES);
        return Err(whole(cause));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        whole(format!("a byte that is not UTF-8 text, at offset {}", error.valid_up_to()))
    })?;
    let value = json::find(text).map_err(|cause| whole(escape::word(&cause, 300)))?;
    let mut faults = Faults::default();
    let drafts = shape::tasks(&mut faults, &value);
    // relations make sense only between tasks that could all be read
    let tasks = if faults.0.is_empty() {
        fit::into(&mut faults, plan, planner, drafts)
    } else {
        Vec::new()
    };
    if faults.0.is_empty() { Ok(tasks) } else { Err(faults.0) }
}

#[cfg(test)]
mod tests;
