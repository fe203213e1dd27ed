//! Events as plain data and as the lines of `git crew log`. The words of each
//! kind are `domain::words::subject`: the commit says what the log says.

use serde::Serialize;

use super::text::{Label, Line, Text, table};
use super::words::{age, rfc3339};
use crate::domain::attempt::{Ending, Judgement};
use crate::domain::event::{Event, EventKind};
use crate::domain::task::TaskEnd;
use crate::domain::time::Timestamp;
use crate::domain::words::subject;

/// One event.
#[derive(Clone, Debug, Serialize)]
pub struct EventView {
    /// Its place in the chain, from 1.
    pub seq: u64,
    /// When it was written, RFC 3339.
    pub at: String,
    /// Its kind, as in `Crew-Event`.
    pub event: &'static str,
    /// What happened, in words.
    pub subject: String,
    /// The task it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// The attempt it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// The writer's token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<u64>,
    /// The process that wrote it.
    pub by: String,
    /// Its random id.
    pub op: String,
    /// What the line's label says.
    #[serde(skip)]
    pub label: Label,
    /// How long ago, in words.
    #[serde(skip)]
    pub ago: String,
}

impl EventView {
    /// The event as a reader sees it `now`.
    #[must_use]
    pub fn new(event: &Event, now: Timestamp) -> Self {
        Self {
            seq: event.seq,
            at: rfc3339(event.at),
            event: event.kind.word(),
            subject: subject(event),
            task: event.kind.task().map(ToString::to_string),
            attempt: event.kind.attempt(),
            token: event.token.map(|token| token.0),
            by: event.by.to_string(),
            op: event.op.to_string(),
            label: label(&event.kind),
            ago: age(event.at, now),
        }
    }
}

fn label(kind: &EventKind) -> Label {
    match kind {
        EventKind::AttemptEnded { ending, .. } => match ending {
            Ending::Finished => Label::Plain,
            Ending::Failed { .. } => Label::Bad,
            Ending::Interrupted | Ending::Cancelled => Label::Warn,
        },
        EventKind::VerdictReached { verdict, .. } => match verdict.result {
            Judgement::Passed => Label::Good,
            Judgement::Failed => Label::Bad,
            Judgement::Unverified => Label::Warn,
        },
        EventKind::TaskEnded { end, .. } => match end {
            TaskEnd::Completed => Label::Good,
            TaskEnd::Failed | TaskEnd::NeedsAttention => Label::Bad,
            TaskEnd::Cancelled | TaskEnd::Skipped => Label::Warn,
        },
        EventKind::RunEnded { end, .. } => super::tree::label(end.status().word()),
        EventKind::RetryPlanned { .. } | EventKind::CancelRequested { .. } => Label::Warn,
        EventKind::LeaseGranted { .. } | EventKind::LeaseReleased => Label::Dim,
        EventKind::RunCreated { .. }
        | EventKind::RunPlanned { .. }
        | EventKind::PlanRevised { .. }
        | EventKind::AttemptStarted { .. }
        | EventKind::TaskReopened { .. }
        | EventKind::ResultMade { .. }
        | EventKind::RunReopened
        | EventKind::Noted { .. } => Label::Plain,
    }
}

/// The lines of `git crew log`.
#[must_use]
pub fn text(events: &[EventView]) -> Text {
    table(
        events
            .iter()
            .map(|event| {
                vec![
                    Line::new().with(Label::Dim, &event.seq.to_string()),
                    Line::new().with(Label::Dim, &event.ago),
                    Line::new().with(event.label, &event.subject),
                ]
            })
            .collect(),
    )
}
