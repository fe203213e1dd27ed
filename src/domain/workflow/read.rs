//! From text to steps, one at a time.

use crate::domain::diagnostic::{Diagnostic, Report};
use crate::domain::fence::Fences;
use crate::domain::frontmatter::{self, Field};
use crate::domain::id::TaskId;
use crate::domain::keys;
use crate::domain::scope::Scope;
use crate::domain::{defaults, escape};

use super::{STEP_KEYS, Step, nearest};

/// A heading and what stands under it.
pub(super) struct Section<'a> {
    pub(super) title: &'a str,
    pub(super) line: usize,
    body: Vec<&'a str>,
}

/// Cuts a body at its `## ` headings; what stands before the first is for people.
pub(super) fn sections<'a>(report: &mut Report, body: &'a str, first: usize) -> Vec<Section<'a>> {
    let mut found: Vec<Section<'a>> = Vec::new();
    let mut fences = Fences::default();
    for (at, text) in body.lines().enumerate() {
        let line = first + at;
        let inside = fences.step(text, line);
        match text.strip_prefix("## ").filter(|_| !inside) {
            Some(title) => found.push(Section { title: title.trim(), line, body: Vec::new() }),
            None => {
                if let Some(section) = found.last_mut() {
                    section.body.push(text);
                }
            }
        }
    }
    if let Some(line) = fences.open_since() {
        report.error(line, "the fenced block that begins here is never closed");
    }
    found
}

/// Reads one section; `None` when it cannot become a step (said in the report).
pub(super) fn step(
    report: &mut Report,
    section: &Section<'_>,
    ids: &[(TaskId, usize)],
) -> Option<Step> {
    let id = ids.iter().find(|(_, line)| *line == section.line)?.0.clone();
    let (fields, text) = fields(report, section);
    let mut step = Step {
        id,
        title: section.title.to_owned(),
        line: section.line,
        role: (String::new(), section.line),
        needs: Vec::new(),
        group: None,
        agents: Vec::new(),
        checks: Vec::new(),
        paths: Vec::new(),
        output: None,
        reads: Vec::new(),
        reads_line: section.line,
        wall_ms: None,
        idle_ms: None,
        retries: None,
        verify: false,
        plan: false,
        foreach: None,
        skills: None,
        text,
    };
    for field in &fields {
        if keys::judge(report, STEP_KEYS, field) {
            set(report, &mut step, field, ids);
        }
    }
    if !step.plan && step.text.contains(FOREIGN_PLAN) {
        let cause = format!(
            "step '{}' is told to print a plan of another form, which nothing reads: with 'plan: yes' its agent is told the form",
            step.id
        );
        report.warn(section.line, cause);
    }
    if step.plan {
        step.output.get_or_insert_with(|| defaults::PLAN_FILE.to_owned());
    }
    if let Some((_, line)) = step.foreach.as_ref().filter(|_| step.plan) {
        report.error(*line, "a step with 'plan: yes' plans once: 'foreach:' can't stand beside it");
    }
    if step.role.0.is_empty() {
        report.error(section.line, format!("step '{}' has no 'role:'", step.id));
    }
    if step.text.is_empty() {
        report.error(section.line, format!("step '{}' has no text: what is the task?", step.id));
    }
    Some(step)
}

fn fields(report: &mut Report, section: &Section<'_>) -> (Vec<Field>, String) {
    let mut found: Vec<Field> = Vec::new();
    let skip = section.body.iter().take_while(|line| line.trim().is_empty()).count();
    let mut rest = &section.body[skip..];
    let mut number = section.line + skip;
    while let Some((line, after)) = rest.split_first() {
        if line.trim().is_empty() {
            break;
        }
        number += 1;
        rest = after;
        let Some(field) = frontmatter::field(line, number) else {
            let shown = escape::word(line, 40);
            let cause =
                format!("expected 'key: value' or an empty line before the text, found '{shown}'");
            report.error(number, cause);
            // the rest is text whose author forgot the empty line
            break;
        };
        let twice = found.iter().find(|other| other.key == field.key && field.key != "check");
        if let Some(first) = twice {
            let cause = format!("key '{}' is set twice, first on line {}", field.key, first.line);
            report.error(number, cause);
        } else {
            found.push(field);
        }
    }
    (found, rest.join("\n").trim().to_owned())
}

fn set(report: &mut Report, step: &mut Step, field: &Field, ids: &[(TaskId, usize)]) {
    match field.key.as_str() {
        "role" => step.role = (field.value.clone(), field.line),
        "dependsOn" => step.needs = needs(report, step, field, ids),
        "parallelGroup" => step.group = Some(field.value.clone()).filter(|name| !name.is_empty()),
        "output" => step.output = artifacts(report, field, true).pop(),
        "reads" => {
            step.reads = artifacts(report, field, false);
            step.reads_line = field.line;
        }
        "plan" => step.plan = keys::boolean(report, field).unwrap_or(false),
        "foreach" => {
            step.foreach = artifacts(report, field, true).pop().map(|name| (name, field.line));
        }
        "skills" => step.skills = Some(keys::skills(report, field)),
        "verify" => step.verify = keys::boolean(report, field).unwrap_or(false),
        "check" => check(report, step, field),
        "paths" => step.paths = paths(report, field),
        "timeout" => step.wall_ms = keys::span(report, field),
        "idle" => step.idle_ms = keys::span(report, field),
        "retries" => step.retries = keys::number(report, field, 0, defaults::MAX_RETRIES),
        "agent" => step.agents = frontmatter::list(&field.value),
        _ => worktree(report, field),
    }
}

fn worktree(report: &mut Report, field: &Field) {
    if keys::boolean(report, field) == Some(false) {
        report.error(field.line, "'worktree: false' is not supported: every attempt has its own");
    }
}

fn check(report: &mut Report, step: &mut Step, field: &Field) {
    if field.value.is_empty() {
        report.error(field.line, "'check:' without a command");
    } else {
        step.checks.push(field.value.clone());
    }
}

fn needs(report: &mut Report, step: &Step, field: &Field, ids: &[(TaskId, usize)]) -> Vec<TaskId> {
    let mut found = Vec::new();
    for name in frontmatter::list(&field.value) {
        let slug = crate::domain::id::slug(&name).and_then(|slug| slug.parse::<TaskId>().ok());
        let known = slug.filter(|slug| ids.iter().any(|(id, _)| id == slug));
        let Some(need) = known else {
            let shown = escape::word(&name, 80);
            let cause = format!("step '{}' depends on '{shown}', which does not exist", step.id);
            let mut fault = Diagnostic::error(report.file(), field.line, cause);
            fault.suggestion = nearest(&name, ids).map(str::to_owned);
            report.push(fault);
            continue;
        };
        if need == step.id {
            report.error(field.line, format!("step '{}' depends on itself", step.id));
        } else if !found.contains(&need) {
            found.push(need);
        }
    }
    found
}

fn artifacts(report: &mut Report, field: &Field, single: bool) -> Vec<String> {
    if field.value == "false" {
        return Vec::new();
    }
    let names = if single { vec![field.value.clone()] } else { frontmatter::list(&field.value) };
    for name in &names {
        if TAKEN.contains(&name.as_str()) {
            let cause = format!("'{}: {name}': git-crew puts a file of this name there", field.key);
            report.error(field.line, cause);
        }
        if !is_artifact(name) {
            let shown = escape::word(name, 60);
            let cause = format!(
                "'{}: {shown}' must be a plain file name of letters, digits, '.', '_' and '-'",
                field.key
            );
            report.error(field.line, cause);
        }
    }
    names
}

/// What stands around a plan that pi-crew reads from what an agent prints.
const FOREIGN_PLAN: &str = "ADAPTIVE_PLAN_JSON_START";

/// What an attempt finds in `$CREW_IN` without asking for it.
const TAKEN: [&str; 2] = ["prompt.md", "item"];

/// A name that is one path component on every system and no option.
#[must_use]
pub fn is_artifact(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    !name.is_empty()
        && name.len() <= 100
        && name.chars().all(inner)
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && !name.ends_with('.')
}

fn paths(report: &mut Report, field: &Field) -> Vec<String> {
    let globs = frontmatter::list(&field.value);
    if globs.is_empty() {
        report.error(field.line, "'paths:' without a glob: leave it out for no limit");
    } else if let Err(error) = Scope::new(&globs) {
        report.error(field.line, error.to_string());
    }
    globs
}
