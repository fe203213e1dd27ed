//! Reading a team, workflow or agent file: its front block is judged against
//! the file's own table of keys, and the keys that several kinds share are read
//! here, once.

use super::diagnostic::{Diagnostic, Report};
use super::frontmatter::{self, Field};
use super::keys::{self, Key};
use super::{defaults, escape};

/// The front block, as far as the kinds share it, and what else the file holds.
/// A key that the file's table does not have is at its default here.
#[derive(Debug)]
pub(super) struct Front<'a> {
    /// One line for listings; empty if the file has none.
    pub description: String,
    /// Tasks that run at the same time.
    pub max_concurrency: Option<u32>,
    /// Programs, best first.
    pub agents: Vec<String>,
    /// Routing words in the file's order, for people.
    pub routing: Vec<(String, String)>,
    /// The fields that only this kind of file has.
    pub own: Vec<Field>,
    /// What follows the block.
    pub body: &'a str,
    /// The line on which the body begins, counted from 1.
    pub body_line: usize,
}

/// Reads a file that is found under `name`; `make` reads what is its own. With
/// the value come the file's warnings.
///
/// # Errors
/// Everything that is wrong with it, by line.
pub(super) fn read<T>(
    (file, name, text): (&str, &str, &str),
    table: &[Key],
    make: impl FnOnce(&mut Report, Front<'_>) -> Option<T>,
) -> Result<(T, Vec<Diagnostic>), Vec<Diagnostic>> {
    let mut report = Report::new(file);
    let made = block(&mut report, name, text, table).and_then(|front| make(&mut report, front));
    let warnings = report.finish()?;
    Ok((made.expect("a report without errors comes with a value"), warnings))
}

fn block<'a>(report: &mut Report, name: &str, text: &'a str, table: &[Key]) -> Option<Front<'a>> {
    let document = frontmatter::split(report, text)?;
    let mut front = Front {
        description: String::new(),
        max_concurrency: None,
        agents: Vec::new(),
        routing: Vec::new(),
        own: Vec::new(),
        body: document.body,
        body_line: document.body_line,
    };
    for field in document.fields {
        if !keys::judge(report, table, &field) {
            continue;
        }
        match field.key.as_str() {
            "name" => name_differs(report, &field, name),
            "description" => front.description = field.value,
            "maxConcurrency" => {
                front.max_concurrency = keys::number(report, &field, 1, defaults::MAX_CONCURRENCY);
            }
            "agent" => front.agents = frontmatter::list(&field.value),
            key if keys::ROUTING.contains(&key) => front.routing.push((field.key, field.value)),
            _ => front.own.push(field),
        }
    }
    Some(front)
}

fn name_differs(report: &mut Report, field: &Field, name: &str) {
    if field.value != name {
        let value = escape::word(&field.value, 60);
        let cause = format!("the file is known as '{name}', by its name, not as '{value}'");
        report.warn(field.line, cause);
    }
}
