//! An agent's own event stream, read as it comes: what it does now, and in the
//! end what it said, used and failed of.
//!
//! Promises: any bytes in any cuts are taken without a panic; memory is bounded
//! by one line of [`lines::LINE`] bytes and the texts that are kept; what is no
//! event of this program is left out, and its first and last words kept for
//! whoever has to find out what went wrong.

use std::collections::VecDeque;

use crate::domain::account::{self, Account};
use crate::domain::activity::{self, Activity, Doing};
use crate::domain::attempt::FailureClass;
use crate::domain::classify;
use crate::domain::time::Timestamp;
use crate::domain::usage::Usage;

use super::lines::Lines;

/// The most tools of which is known that they run.
const TOOLS: usize = 64;

/// How many lines that are no events are kept, of the first and of the last.
const STRAYS: usize = 4;

/// The most bytes of such a line, and of an error's text.
const STRAY: usize = 300;

/// Reads one program's events.
pub(super) trait Format: Send {
    /// Takes one line of standard output. Answers whether it is an event of this
    /// program, of use or not.
    fn line(&mut self, line: &[u8], story: &mut Story) -> bool;
}

/// A failure as the program told it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    class: FailureClass,
    text: String,
}

/// What the events told so far. A [`Format`] writes it.
#[derive(Debug, Default)]
pub(super) struct Story {
    pub(super) activity: Activity,
    now: Timestamp,
    tools: Vec<(String, String)>,
    last: Option<String>,
    failure: Option<Failure>,
    /// The failure was not the end.
    mended: bool,
    ended: bool,
}

impl Story {
    pub(super) fn session(&mut self, text: &str) {
        if let Some(name) = account::session(text) {
            self.activity.account.session = Some(name);
        }
    }

    pub(super) fn model(&mut self, text: &str) {
        if let Some(name) = account::name(text) {
            self.activity.account.model = Some(name);
        }
    }

    pub(super) fn version(&mut self, text: &str) {
        self.activity.account.version = account::name(text);
    }

    pub(super) fn used(&mut self, more: Usage) {
        self.activity.used(more);
    }

    /// The sum, in the place of what was counted so far.
    pub(super) fn used_in_all(&mut self, sum: Usage) {
        self.activity.account.usage = Some(sum);
    }

    pub(super) fn tool_started(&mut self, id: &str, tool: &str, on: Option<&str>) {
        let label = activity::label(tool, on);
        self.activity.tools = self.activity.tools.saturating_add(1);
        if self.tools.len() < TOOLS {
            self.tools.push((activity::short(id), label.clone()));
        }
        self.activity.turn(Doing::Tool { label }, self.now);
    }

    pub(super) fn tool_ended(&mut self, id: &str) {
        let id = activity::short(id);
        self.tools.retain(|(other, _)| *other != id);
        self.go_on();
    }

    /// It does what it did before it waited.
    pub(super) fn go_on(&mut self) {
        let doing = match self.tools.last() {
            Some((_, label)) => Doing::Tool { label: label.clone() },
            None => Doing::Thinking,
        };
        self.activity.turn(doing, self.now);
    }

    /// The program tries again by itself, in so many milliseconds.
    pub(super) fn waits(&mut self, ms: Option<f64>, why: &str) {
        // A wait of more than a day is a slip of whoever wrote it.
        #[expect(clippy::cast_possible_truncation, reason = "a day at most")]
        let ms = ms.map_or(0, |ms| ms.clamp(0.0, 86_400_000.0) as i64);
        let until = self.now.plus_ms(ms);
        self.activity.turn(Doing::Waiting { until, why: activity::short(why) }, self.now);
    }

    /// Words of the model. The last ones are its answer.
    pub(super) fn says(&mut self, text: &str) {
        if text.trim().is_empty() {
            return;
        }
        self.activity.words = activity::short(text);
        self.last = Some(text.to_owned());
        self.go_on();
    }

    /// More of the answer that is being written.
    pub(super) fn says_more(&mut self, text: &str) {
        match &mut self.last {
            Some(last) if last.len() + text.len() < super::lines::LINE => {
                last.push('\n');
                last.push_str(text);
                self.activity.words = activity::short(text);
            }
            Some(_) | None => self.says(text),
        }
    }

    /// A failure that may still be mended.
    pub(super) fn failed(&mut self, status: Option<u16>, text: &str) {
        self.failed_of(classify::failure(status, text), text);
    }

    pub(super) fn failed_of(&mut self, class: FailureClass, text: &str) {
        self.failure = Some(Failure { class, text: cut(text) });
        self.mended = false;
    }

    /// It got an answer after all.
    pub(super) fn mended(&mut self) {
        self.mended = true;
    }

    /// It begins to work on an answer.
    pub(super) fn begins(&mut self) {
        self.ended = false;
        self.go_on();
    }

    /// It has said its last word.
    pub(super) fn ends(&mut self) {
        self.ended = true;
        self.tools.clear();
        self.activity.turn(Doing::Done, self.now);
    }
}

/// What a stream came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Finding {
    /// What the agent told of itself.
    pub account: Account,
    /// Its answer.
    pub text: Option<String>,
    /// What it failed of, with the program's words; one that was mended later
    /// is told by [`Finding::earlier`] alone.
    pub failure: Option<(FailureClass, String)>,
    /// The last failure, mended or not.
    pub earlier: Option<(FailureClass, String)>,
    /// The program came to its end and said so.
    pub ended: bool,
    /// How many lines were events.
    pub events: u64,
    /// How many were too long to be read.
    pub skipped: u64,
    /// Lines that were no events, the first and the last of them.
    pub strays: Vec<String>,
}

/// A stream that is being read.
pub struct Stream {
    format: Box<dyn Format>,
    lines: Lines,
    story: Story,
    events: u64,
    first: Vec<String>,
    last: VecDeque<String>,
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream").field("story", &self.story).finish_non_exhaustive()
    }
}

impl Stream {
    /// A stream of which nothing was read yet.
    pub(super) fn new(format: Box<dyn Format>) -> Self {
        let (story, lines) = (Story::default(), Lines::default());
        Self { format, lines, story, events: 0, first: Vec::new(), last: VecDeque::new() }
    }

    /// Takes what came on standard output.
    pub fn push(&mut self, chunk: &[u8], now: Timestamp) {
        self.story.now = now;
        let Self { format, lines, story, events, first, last } = self;
        lines.push(chunk, |line| {
            take(format.as_mut(), line, story, events, (first, last));
        });
    }

    /// What the agent does.
    #[must_use]
    pub fn activity(&self) -> &Activity {
        &self.story.activity
    }

    /// The stream is over.
    #[must_use]
    pub fn finish(mut self) -> Finding {
        let Self { format, lines, story, events, first, last } = &mut self;
        lines.close(|line| {
            take(format.as_mut(), line, story, events, (first, last));
        });
        let earlier = self.story.failure.map(|failure| (failure.class, failure.text));
        self.first.extend(self.last);
        Finding {
            account: self.story.activity.account,
            text: self.story.last,
            failure: earlier.clone().filter(|_| !self.story.mended),
            earlier,
            ended: self.story.ended,
            events: self.events,
            skipped: self.lines.skipped,
            strays: self.first,
        }
    }
}

fn take(
    format: &mut dyn Format,
    line: &[u8],
    story: &mut Story,
    events: &mut u64,
    (first, last): (&mut Vec<String>, &mut VecDeque<String>),
) {
    if line.is_empty() {
        return;
    }
    if line.starts_with(b"{") && format.line(line, story) {
        *events += 1;
        return;
    }
    let stray = cut(&String::from_utf8_lossy(line.get(..4 * STRAY).unwrap_or(line)));
    if first.len() < STRAYS {
        first.push(stray);
    } else {
        if last.len() == STRAYS {
            last.pop_front();
        }
        last.push_back(stray);
    }
}

fn cut(text: &str) -> String {
    let text = text.trim();
    let mut end = text.len().min(STRAY);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}

/// The type of an event that begins with it, as all of them do: what is of no
/// use is then not read any further. `None` for a line that begins otherwise.
pub(super) fn kind(line: &[u8]) -> Option<&str> {
    let rest = line.strip_prefix(b"{\"type\":\"")?;
    let end = rest.iter().take(40).position(|byte| *byte == b'"')?;
    std::str::from_utf8(rest.get(..end)?).ok()
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
