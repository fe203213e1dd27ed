//! What the model says: conversations, each a list of turns, each a list of
//! answers to the tries of that turn.
//!
//! Which turn a request is at is read from the request itself (how often the
//! model has spoken in it), so tasks in parallel, retries of a program and
//! continued sessions all find their place without any state but a counter of
//! tries.

use std::time::Duration;

/// What one reply is said to have cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Fresh tokens in.
    pub(crate) input: u64,
    /// Tokens in that came from a cache, not counted in `input`.
    pub(crate) cached: u64,
    /// Tokens out.
    pub(crate) output: u64,
}

/// The usage of a reply of which a script says nothing else.
pub(crate) const USAGE: Usage = Usage { input: 1000, cached: 200, output: 50 };
/// The usage of a reply to a side call: told apart from everything else.
pub(crate) const SIDE: Usage = Usage { input: 7, cached: 0, output: 3 };

/// A piece of a reply. Paths are relative to the folder of the task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Text(String),
    /// A command of the shell.
    Shell(String),
    /// A new file.
    Write(String, String),
    /// A read, which some programs want before an edit.
    Read(String),
    /// In a file: this text by that one.
    Edit(String, String, String),
}

/// What goes wrong on the side of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// 429 with `retry-after` of so many seconds.
    RateLimited(u64),
    /// 429 that says that there is nothing left to spend.
    Quota,
    /// 529, or 503 where there is no such code.
    Overloaded,
    /// 500.
    Internal,
    /// 401.
    Unauthorized,
    /// The prompt is longer than the model takes.
    TooLong,
    /// The stream ends in the middle of a word.
    Broken,
    /// The model declines.
    Refused,
    /// A filter of the provider ends the reply.
    Filtered,
    /// The head of an answer and then nothing.
    Hang,
}

/// An answer to one try.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Reply {
        parts: Vec<Part>,
        usage: Usage,
        /// A pause before every piece of the stream.
        pace: Duration,
        /// The conversation that must have been asked for a turn before.
        meets: Option<String>,
    },
    Fault(Fault),
}

impl From<Fault> for Answer {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Vec<Part>> for Answer {
    fn from(parts: Vec<Part>) -> Self {
        Self::Reply { parts, usage: USAGE, pace: Duration::ZERO, meets: None }
    }
}

impl From<Part> for Answer {
    fn from(part: Part) -> Self {
        vec![part].into()
    }
}

impl Answer {
    /// The same with another bill.
    pub(crate) fn costs(mut self, costs: Usage) -> Self {
        if let Self::Reply { usage, .. } = &mut self {
            *usage = costs;
        }
        self
    }

    /// The same, but not before this other conversation has begun: two that meet
    /// each other go on only when they run at the same time.
    pub(crate) fn meets(mut self, marker: &str) -> Self {
        if let Self::Reply { meets, .. } = &mut self {
            *meets = Some(marker.to_owned());
        }
        self
    }

    /// The same with a pause before every piece of the stream.
    pub(crate) fn paced(mut self, pause: Duration) -> Self {
        if let Self::Reply { pace, .. } = &mut self {
            *pace = pause;
        }
        self
    }
}

/// How long a reply waits for another conversation.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A turn: the answer to each try; the last one is for every further try.
pub(crate) type Turn = Vec<Answer>;

/// The turns of the requests in which `marker` occurs.
#[derive(Clone, Debug)]
pub(crate) struct Conversation {
    pub(crate) marker: String,
    pub(crate) turns: Vec<Turn>,
}

impl Conversation {
    /// The conversation of the prompts that hold this marker.
    pub(crate) fn of(marker: &str) -> Self {
        Self { marker: marker.to_owned(), turns: Vec::new() }
    }

    /// One more turn, answered the same at each try.
    pub(crate) fn says(self, answer: impl Into<Answer>) -> Self {
        self.tries(vec![answer.into()])
    }

    /// One more turn, answered in this order.
    pub(crate) fn tries(mut self, answers: Turn) -> Self {
        assert!(!answers.is_empty(), "a turn without an answer");
        self.turns.push(answers);
        self
    }

    /// The answer at this turn and try, both from 0. Beyond the last turn the
    /// model is done.
    pub(crate) fn answer(&self, turn: usize, tried: usize) -> Answer {
        match self.turns.get(turn) {
            Some(answers) => answers[tried.min(answers.len() - 1)].clone(),
            None => Part::Text("Nothing is left to do.".to_owned()).into(),
        }
    }
}
