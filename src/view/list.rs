//! All runs as a table, one line each, from what the tips of their chains say.

use serde::Serialize;

use super::run::{standing, unattended};
use super::text::{Label, Line, Text, table};
use super::tree::label;
use super::usage::{SpentView, cost_of_all};
use super::words::{age, rfc3339};
use crate::domain::escape::escaped;
use crate::domain::id::RunId;
use crate::domain::lease::Life;
use crate::domain::run::RunStatus;
use crate::domain::time::Timestamp;
use crate::domain::usage::Spent;
use crate::domain::words::{clip, columns, plural};

/// What a listing knows of a run without reading its chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunRow {
    /// Its id.
    pub id: RunId,
    /// Its status, or why it can't be read, in one line.
    pub status: Result<RunStatus, String>,
    /// Whether checks passed on every task's result.
    pub verified: bool,
    /// What the user wants.
    pub goal: String,
    /// How many tasks completed.
    pub done: u64,
    /// How many tasks it has.
    pub tasks: u64,
    /// Whether a holder works on it, as far as this machine can tell; `None`
    /// when nobody holds it.
    pub holder: Option<Life>,
    /// The weakest that one of its agents was kept in, if less than `fenced`.
    pub weakest_sandbox: Option<String>,
    /// What its ended attempts used.
    pub spent: Spent,
    /// When its newest event was written.
    pub updated: Timestamp,
}

/// One line of the listing.
#[derive(Clone, Debug, Serialize)]
pub struct RowView {
    /// The run's id.
    pub id: String,
    /// Its status, a word of the status table; `unreadable` for a damaged chain.
    pub status: &'static str,
    /// The status with its reservation.
    pub standing: String,
    /// Whether checks passed on every task's result.
    pub verified: bool,
    /// What the user wants.
    pub goal: String,
    /// How many tasks completed.
    pub done: u64,
    /// How many tasks it has.
    pub tasks: u64,
    /// The weakest that one of its agents was kept in, if less than `fenced`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weakest_sandbox: Option<String>,
    /// What its ended attempts used, as their agents told; absent when none did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spent: Option<SpentView>,
    /// When its newest event was written, RFC 3339.
    pub updated: String,
    /// Why it can't be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// How long ago that was, in words.
    #[serde(skip)]
    pub ago: String,
}

impl RowView {
    /// The row as a reader sees it `now`.
    #[must_use]
    pub fn new(row: &RunRow, now: Timestamp) -> Self {
        let (status, error) = match &row.status {
            Ok(status) => (status.word(), None),
            Err(error) => ("unreadable", Some(error.clone())),
        };
        let completed = row.status == Ok(RunStatus::Completed);
        let mut words = standing(status, completed, row.verified);
        if let Ok(status) = row.status {
            words.push_str(unattended(status, row.holder));
        }
        match row.weakest_sandbox.as_deref() {
            Some(weakest) if weakest.starts_with("none") => words.push_str(", not fenced"),
            Some(_) => words.push_str(", partly fenced"),
            None => {}
        }
        Self {
            id: row.id.to_string(),
            status,
            standing: words,
            verified: row.verified,
            goal: row.goal.clone(),
            done: row.done,
            tasks: row.tasks,
            weakest_sandbox: row.weakest_sandbox.clone(),
            spent: SpentView::of(row.spent),
            updated: rfc3339(row.updated),
            error,
            ago: age(row.updated, now),
        }
    }
}

/// The listing in `wide` columns; goals are cut to fit, nothing else is. No
/// runs: a line that says so, with the command that makes one.
#[must_use]
pub fn text(rows: &[RowView], wide: usize) -> Text {
    if rows.is_empty() {
        let mut text = Text::new();
        text.push(Line::plain("no runs here yet"));
        text.push(
            Line::new().with(Label::Dim, "start one: ").with(Label::Hint, "git crew run \"GOAL\""),
        );
        return text;
    }
    let priced = rows.iter().any(|row| row.spent.is_some());
    let mut cells: Vec<Vec<Line>> = rows.iter().map(|row| cells(row, priced)).collect();
    let columns = cells.first().map_or(0, Vec::len);
    let used: usize = (0..columns)
        .map(|at| 2 + cells.iter().map(|row| row[at].columns()).max().unwrap_or(0))
        .sum();
    let room = wide.saturating_sub(used).max(20);
    for (line, row) in cells.iter_mut().zip(rows) {
        line.push(goal(row, room));
    }
    table(cells)
}

/// The cells of a row but for its goal; with its cost where any run has one.
fn cells(row: &RowView, priced: bool) -> Vec<Line> {
    let status = if row.error.is_some() {
        Label::Bad
    } else if row.standing == row.status {
        label(row.status)
    } else {
        Label::Warn
    };
    let tasks = match row.tasks {
        0 => String::new(),
        total => format!("{}/{}", row.done, plural(total, "task")),
    };
    let cost = row.spent.as_ref().map(cost_of_all).unwrap_or_default();
    let mut cells = vec![
        Line::new().with(Label::Id, &row.id),
        Line::new().with(status, &row.standing),
        Line::plain(&tasks),
        Line::new().with(Label::Dim, &row.ago),
    ];
    if priced {
        cells.insert(3, Line::new().with(Label::Dim, &cost));
    }
    cells
}

fn goal(row: &RowView, room: usize) -> Line {
    if let Some(error) = &row.error {
        return Line::new().with(Label::Bad, error);
    }
    let goal = escaped(&row.goal);
    let goal = if columns(&goal) > room { clip(&goal, room) } else { goal };
    Line::plain(&goal)
}
