//! What must hold between the steps of one file.

use std::collections::BTreeMap;

use crate::domain::diagnostic::Report;
use crate::domain::escape;
use crate::domain::graph::{Graph, GraphError};
use crate::domain::id::{TaskId, slug};

use super::Step;
use super::read::Section;

/// The id of each heading with its line; faults are named by heading.
pub(super) fn ids(report: &mut Report, sections: &[Section<'_>]) -> Vec<(TaskId, usize)> {
    let mut found: Vec<(TaskId, usize)> = Vec::new();
    for section in sections {
        let id = slug(section.title).and_then(|slug| slug.parse::<TaskId>().ok());
        let title = escape::word(section.title, 60);
        let Some(id) = id else {
            let cause = format!(
                "step '{title}' cannot be named: use up to 64 ASCII letters, digits and dashes"
            );
            report.error(section.line, cause);
            continue;
        };
        if let Some((_, first)) = found.iter().find(|(other, _)| *other == id) {
            let cause = format!("step '{title}' is called '{id}', as is the step on line {first}");
            report.error(section.line, cause);
            continue;
        }
        found.push((id, section.line));
    }
    found
}

/// Cycles, and artifacts that nobody before a step makes.
pub(super) fn relations(report: &mut Report, steps: &[Step]) {
    let tasks = steps.iter().map(|step| (step.id.clone(), step.needs.clone()));
    let graph = match Graph::new(tasks) {
        Ok(graph) => graph,
        Err(error) => {
            let line = |id: &TaskId| steps.iter().find(|s| s.id == *id).map_or(1, |s| s.line);
            let at = match &error {
                GraphError::Cycle(path) => path.first().map_or(1, line),
                GraphError::Twice(task) | GraphError::Missing { task, .. } => line(task),
            };
            report.error(at, error.to_string());
            return;
        }
    };
    let makers = makers(report, steps);
    for step in steps {
        let before = graph.ancestors(&step.id);
        if let Some((name, line)) = &step.foreach {
            list(report, step, (name, *line), &makers, &before);
        }
        for name in &step.reads {
            let made = makers.get(&name.to_ascii_lowercase());
            match made {
                Some(maker) if before.contains(&&maker.id) => {}
                Some(maker) => report.error(
                    step.reads_line,
                    format!(
                        "step '{}' reads '{name}' but does not depend on '{}', which makes it",
                        step.id, maker.id
                    ),
                ),
                None => nobody(report, step, name, &makers),
            }
        }
    }
}

/// The list of a step that is done for each line of one.
fn list(
    report: &mut Report,
    step: &Step,
    (name, line): (&str, usize),
    makers: &BTreeMap<String, &Step>,
    before: &[&TaskId],
) {
    use crate::domain::diagnostic::Diagnostic;
    let maker = makers.get(&name.to_ascii_lowercase());
    let cause = match maker {
        None => {
            let cause = format!("step '{}': no step has '{name}' as 'output:'", step.id);
            let known = makers.values().filter_map(|maker| maker.output.as_deref());
            report.push(Diagnostic::error(report.file(), line, cause).meant(name, known));
            return;
        }
        Some(maker) if maker.output.as_deref() != Some(name) => {
            format!("'{name}' is spelt otherwise in step '{}', which makes it", maker.id)
        }
        Some(maker) if maker.plan => {
            format!("'{name}' is the plan of step '{}', no list", maker.id)
        }
        Some(maker) if maker.foreach.is_some() => {
            format!("'{name}' is not one list: step '{}' makes one for each line", maker.id)
        }
        Some(maker) if !before.contains(&&maker.id) => format!(
            "step '{}' is for each line of '{name}' but does not depend on '{}', which makes it",
            step.id, maker.id
        ),
        Some(_) => return,
    };
    report.error(line, cause);
}

fn nobody(report: &mut Report, step: &Step, name: &str, makers: &BTreeMap<String, &Step>) {
    use crate::domain::diagnostic::Diagnostic;
    let cause = format!(
        "step '{}' reads '{name}', which no step has as 'output:' (files of the repository are in the worktree)",
        step.id
    );
    let known = makers.values().filter_map(|maker| maker.output.as_deref());
    report.push(Diagnostic::error(report.file(), step.reads_line, cause).meant(name, known));
}

/// Who makes which artifact; names that differ only in case would be one file
/// on some systems.
fn makers<'a>(report: &mut Report, steps: &'a [Step]) -> BTreeMap<String, &'a Step> {
    let mut found: BTreeMap<String, &Step> = BTreeMap::new();
    for step in steps {
        let Some(name) = &step.output else { continue };
        if let Some(first) = found.insert(name.to_ascii_lowercase(), step) {
            let cause = format!("steps '{}' and '{}' both make '{name}'", first.id, step.id);
            report.error(step.line, cause);
        }
    }
    found
}

/// The slip of a group that was meant to wait for the steps before it.
pub(super) fn groups(report: &mut Report, steps: &[Step]) {
    let mut seen: Vec<&str> = Vec::new();
    for (at, first) in steps.iter().enumerate() {
        let Some(group) = first.group.as_deref().filter(|group| !seen.contains(group)) else {
            continue;
        };
        seen.push(group);
        let members = || steps.iter().filter(|step| step.group.as_deref() == Some(group));
        let free = members().all(|step| step.needs.is_empty());
        let Some(before) = steps[..at].last().filter(|_| free && members().count() > 1) else {
            continue;
        };
        let group = escape::word(group, 40);
        let cause = format!(
            "no step of group '{group}' depends on anything, so none waits for '{}': is 'dependsOn' missing?",
            before.id
        );
        report.warn(first.line, cause);
    }
}
