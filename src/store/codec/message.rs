//! One event as a commit message: a subject for people, one JSON line with the
//! payload, trailers for programs.

use std::collections::BTreeMap;

use crate::domain::event::Event;
use crate::domain::id::RunId;
use crate::domain::lease::Token;
use crate::domain::run::RunStatus;
use crate::domain::time::Timestamp;

use super::event::{About, Payload};
use super::parts::by_word;
use super::{CodecError, FORMAT, Format, MAX_MESSAGE, check, json_line};

/// The message of an event's commit. `status` is the run's after the event, so
/// that a listing reads tips only.
///
/// # Errors
/// [`CodecError::TooLarge`] for an event that no `git log` should have to read.
pub fn encode(
    subject: &str,
    run: &RunId,
    event: &Event,
    status: RunStatus,
) -> Result<String, CodecError> {
    let mut message = format!("{subject}\n\n{}\n\n", json_line(&Payload::from(&event.kind))?);
    let mut trailer = |name: &str, value: &str| {
        message.push_str(&format!("Crew-{name}: {value}\n"));
    };
    trailer("Event", event.kind.word());
    trailer("Run", run.as_str());
    if let Some(task) = event.kind.task() {
        trailer("Task", task.as_str());
    }
    if let Some(attempt) = event.kind.attempt() {
        trailer("Attempt", &attempt.to_string());
    }
    if let Some(token) = event.token {
        trailer("Token", &token.to_string());
    }
    trailer("Seq", &event.seq.to_string());
    trailer("Status", status.word());
    trailer("At", &event.at.0.to_string());
    trailer("By", event.by.as_str());
    trailer("Op", event.op.as_str());
    trailer("Format", &FORMAT.to_string());
    if message.len() > MAX_MESSAGE {
        return Err(CodecError::TooLarge(message.len()));
    }
    Ok(message)
}

/// The trailers of a message's last paragraph.
fn trailers(message: &str) -> BTreeMap<&str, &str> {
    let last = message.trim_end().rsplit("\n\n").next().unwrap_or_default();
    last.lines().filter_map(|line| line.strip_prefix("Crew-")?.split_once(": ")).collect()
}

fn required<'a>(fields: &BTreeMap<&str, &'a str>, name: &str) -> Result<&'a str, CodecError> {
    fields.get(name).copied().ok_or_else(|| CodecError::Malformed(format!("no Crew-{name}")))
}

fn number<T: std::str::FromStr>(name: &str, text: &str) -> Result<T, CodecError> {
    text.parse()
        .map_err(|_| CodecError::Malformed(format!("Crew-{name} is '{}'", text.escape_debug())))
}

/// The event that a message holds, and the run it says it belongs to.
///
/// # Errors
/// [`CodecError::Newer`] for an unknown major version, else
/// [`CodecError::Malformed`]; never a panic, whatever the bytes.
pub fn decode(message: &str) -> Result<(RunId, Event, Format), CodecError> {
    let fields = trailers(message);
    let format: Format = required(&fields, "Format")?.parse()?;
    check(format)?;
    let line =
        message.lines().nth(2).ok_or_else(|| CodecError::Malformed("no payload".to_owned()))?;
    let payload: Payload =
        serde_json::from_str(line).map_err(|e| CodecError::json("payload", &e))?;
    let about = About {
        task: fields.get("Task").map(|text| number("Task", text)).transpose()?,
        attempt: fields.get("Attempt").map(|text| number("Attempt", text)).transpose()?,
    };
    let kind = payload.into_kind(&about)?;
    if kind.word() != required(&fields, "Event")? {
        return Err(CodecError::Malformed("payload and Crew-Event disagree".to_owned()));
    }
    let event = Event {
        seq: number("Seq", required(&fields, "Seq")?)?,
        at: Timestamp(number("At", required(&fields, "At")?)?),
        op: number("Op", required(&fields, "Op")?)?,
        by: number("By", required(&fields, "By")?)?,
        token: fields.get("Token").map(|t| number("Token", t)).transpose()?.map(Token),
        kind,
    };
    Ok((number("Run", required(&fields, "Run")?)?, event, format))
}

/// The run's status after the event, read off the message alone: what a listing
/// of a thousand runs can afford.
///
/// # Errors
/// As [`decode`].
pub fn status_of(message: &str) -> Result<RunStatus, CodecError> {
    let fields = trailers(message);
    check(required(&fields, "Format")?.parse()?)?;
    by_word(&RunStatus::ALL, RunStatus::word, required(&fields, "Status")?)
}
