//! Workflow files (`<name>.workflow.md`): the steps of a run.
//!
//! ```text
//! ---
//! name: quick
//! ---
//! ## explore
//! role: explorer
//! output: notes.md
//!
//! Find out where {goal} has to happen.
//!
//! ## execute
//! role: executor
//! dependsOn: explore
//! reads: notes.md
//! check: cargo test
//!
//! Do it.
//! ```
//!
//! A step is a `## ` heading outside a fenced block, `key: value` lines, an empty
//! line and the task's text, in which `{goal}` stands for the run's goal. A step
//! with `plan: yes` writes a plan whose tasks follow it; one with `foreach: list`
//! is done once for each line of that artifact, `{item}` in its text. A
//! heading that is no id is slugged and kept as the title. Limits: 200 steps.

use super::diagnostic::{Diagnostic, Report};
use super::front::{self, Front};
use super::frontmatter::Field;
use super::id::TaskId;
use super::keys;
use super::{defaults, suggest};

mod check;
mod read;
pub mod reference;

pub use read::is_artifact;
pub use reference::{KEYS, STEP_KEYS};

/// One step as its file tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The slug of its heading.
    pub id: TaskId,
    /// The heading as written.
    pub title: String,
    /// The line of the heading, counted from 1.
    pub line: usize,
    /// The team role that runs it, and its line.
    pub role: (String, usize),
    /// Steps it waits for.
    pub needs: Vec<TaskId>,
    /// A label for people: ready steps run together with or without it.
    pub group: Option<String>,
    /// Programs to run it, best first; empty leaves the choice to others.
    pub agents: Vec<String>,
    /// Shell commands its result must pass.
    pub checks: Vec<String>,
    /// Globs the result must stay inside; empty means everywhere.
    pub paths: Vec<String>,
    /// The artifact it writes to `$CREW_OUT`.
    pub output: Option<String>,
    /// Artifacts of earlier steps it finds in `$CREW_IN`.
    pub reads: Vec<String>,
    /// The line of its `reads:`; that of the heading if it has none.
    pub reads_line: usize,
    /// The longest an attempt may run, in milliseconds.
    pub wall_ms: Option<u64>,
    /// The longest an attempt may be silent, in milliseconds.
    pub idle_ms: Option<u64>,
    /// Further attempts after a failed one.
    pub retries: Option<u32>,
    /// A step whose agent verifies.
    pub verify: bool,
    /// A step whose agent writes a plan, of which more tasks come.
    pub plan: bool,
    /// The artifact for each line of which it is done once, and its line.
    pub foreach: Option<(String, usize)>,
    /// Skills its agent is told; `None` leaves the choice to role and agent.
    pub skills: Option<Vec<String>>,
    /// The task's text, `{goal}` not yet replaced.
    pub text: String,
}

/// A workflow as its file tells it. Its needs make a graph without a cycle, and
/// every artifact it reads is made by a step before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workflow {
    /// The name it is found by.
    pub name: String,
    /// What people call the file.
    pub file: String,
    /// One line for listings.
    pub description: String,
    /// Tasks that run at the same time.
    pub max_concurrency: Option<u32>,
    /// At least one, in the order of the file.
    pub steps: Vec<Step>,
    /// What the file says without effect.
    pub warnings: Vec<Diagnostic>,
}

/// Reads a workflow file found under `name`; `file` is what people call it.
///
/// # Errors
/// Everything that is wrong with it, by line.
pub fn parse(file: &str, name: &str, text: &str) -> Result<Workflow, Vec<Diagnostic>> {
    let make = |report: &mut Report, front: Front<'_>| whole(report, name, front);
    let (mut workflow, warnings) = front::read((file, name, text), KEYS, make)?;
    workflow.warnings = warnings;
    Ok(workflow)
}

fn whole(report: &mut Report, name: &str, front: Front<'_>) -> Option<Workflow> {
    let mut workflow = Workflow {
        name: name.to_owned(),
        file: report.file().to_owned(),
        description: front.description,
        max_concurrency: front.max_concurrency,
        steps: Vec::new(),
        warnings: Vec::new(),
    };
    for field in &front.own {
        match field.key.as_str() {
            "topology" => topology(report, field),
            _ => spec_strict(report, field),
        }
    }
    let sections = read::sections(report, front.body, front.body_line);
    if sections.is_empty() && !report.failed() {
        report.error(front.body_line, "no steps: write '## <step>', keys, an empty line, the text");
    }
    if let Some(extra) = sections.get(defaults::MAX_STEPS) {
        let cause = format!("{} steps; {} is the most", sections.len(), defaults::MAX_STEPS);
        report.error(extra.line, cause);
        return None;
    }
    let ids = check::ids(report, &sections);
    for section in &sections {
        if let Some(step) = read::step(report, section, &ids) {
            workflow.steps.push(step);
        }
    }
    check::groups(report, &workflow.steps);
    // relations make sense only between steps that could all be read
    if !report.failed() {
        check::relations(report, &workflow.steps);
    }
    Some(workflow)
}

fn spec_strict(report: &mut Report, field: &Field) {
    if keys::boolean(report, field) == Some(true) {
        report.error(field.line, reference::SPEC_STRICT);
    }
}

fn topology(report: &mut Report, field: &Field) {
    const KNOWN: [&str; 5] = ["single", "sequential", "concurrent", "complex-dag", "dynamic"];
    if field.value == "dynamic" {
        report.error(
            field.line,
            "topology 'dynamic' is not supported: every step must be in the file",
        );
    } else if !KNOWN.contains(&field.value.as_str()) {
        let cause = "'topology' must be single, sequential, concurrent or complex-dag";
        report.push(Diagnostic::error(report.file(), field.line, cause).meant(&field.value, KNOWN));
    }
}

/// The nearest step to a mistyped one.
fn nearest<'a>(name: &str, ids: &'a [(TaskId, usize)]) -> Option<&'a str> {
    suggest::nearest(name, ids.iter().map(|(id, _)| id.as_str()))
}

#[cfg(test)]
mod tests;
