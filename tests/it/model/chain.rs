//! A chain as the model stores it: events as a few numbers that can be hashed,
//! and beside them the run that the program's own fold makes of them.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use git_crew::domain::attempt::{Ending, Output, Work};
use git_crew::domain::event::{Event, EventKind};
use git_crew::domain::fold;
use git_crew::domain::id::{HolderId, Oid, Op, RunId, TaskId};
use git_crew::domain::lease::{Because, Binding, Grant, Token};
use git_crew::domain::run::{Outline, OutlineTask, Request, Run};
use git_crew::domain::time::Timestamp;

/// What an event of the model says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum What {
    Create,
    Grant { token: u64, boot: u8, because: Because },
    Release,
    Plan,
    Start(u32),
    Stop(u32),
    Note,
}

/// One event. `op` and the parent (its place in a [`Chain`]) make it unique, as
/// they make a commit unique.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Entry {
    pub(crate) op: u16,
    pub(crate) by: u8,
    pub(crate) token: Option<u64>,
    pub(crate) what: What,
}

/// A commit and all its ancestors: like an object id, it is its content.
#[derive(Clone)]
pub(crate) struct Chain(Arc<(Vec<Entry>, Run)>);

impl Chain {
    pub(crate) fn new() -> Self {
        let entry = Entry { op: 0, by: 99, token: None, what: What::Create };
        let run = fold::apply(None, &run_id(), &event(1, &entry)).expect("a chain begins so");
        Self(Arc::new((vec![entry], run)))
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.0.0
    }

    pub(crate) fn run(&self) -> &Run {
        &self.0.1
    }

    /// With one more event. `Err` holds the chain whose state is the old one:
    /// what a program that does not check would take for true.
    pub(crate) fn with(&self, entry: Entry) -> Result<Self, Self> {
        let mut entries = self.entries().to_vec();
        entries.push(entry);
        let event = event(self.run().seq + 1, &entry);
        match fold::apply(Some(self.run().clone()), &run_id(), &event) {
            Ok(run) => Ok(Self(Arc::new((entries, run)))),
            Err(_) => {
                let mut run = self.run().clone();
                run.seq += 1;
                Err(Self(Arc::new((entries, run))))
            }
        }
    }

    /// The same events with another opinion on what they amount to.
    pub(crate) fn believed(&self, run: Run) -> Self {
        Self(Arc::new((self.entries().to_vec(), run)))
    }

    pub(crate) fn holds(&self, op: u16) -> bool {
        self.entries().iter().any(|entry| entry.op == op)
    }

    pub(crate) fn extends(&self, other: &Self) -> bool {
        self.entries().starts_with(other.entries())
    }
}

impl PartialEq for Chain {
    fn eq(&self, other: &Self) -> bool {
        self.entries() == other.entries()
    }
}

impl Eq for Chain {}

impl Hash for Chain {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.entries().hash(state);
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.entries().iter().map(|e| format!("{}:{:?}#{}", e.by, e.what, e.op));
        f.debug_list().entries(words).finish()
    }
}

fn run_id() -> RunId {
    "aaaa-model".parse().expect("a run id")
}

fn task() -> TaskId {
    "one".parse().expect("a task id")
}

fn oid() -> Oid {
    "0".repeat(40).parse().expect("forty digits")
}

pub(crate) fn holder(n: u8) -> HolderId {
    format!("h{n}").parse().expect("a holder id")
}

/// The program's event for an entry that `by` writes.
pub(crate) fn kind(by: u8, what: What) -> EventKind {
    match what {
        What::Create => {
            EventKind::RunCreated { goal: String::new(), base: oid(), request: Request::default() }
        }
        What::Grant { token, boot, because } => {
            let binding = Binding::Local;
            let (machine, boot) = ("m".to_owned(), format!("b{boot}"));
            let grant = Grant { holder: holder(by), machine, boot, binding };
            EventKind::LeaseGranted { token: Token(token), grant, because }
        }
        What::Release => EventKind::LeaseReleased,
        What::Plan => {
            let one = OutlineTask {
                id: task(),
                title: String::new(),
                role: String::new(),
                needs: vec![],
            };
            EventKind::RunPlanned { outline: Outline { tasks: vec![one], jobs: 1 } }
        }
        What::Start(attempt) => EventKind::AttemptStarted {
            task: task(),
            attempt,
            agent: String::new(),
            base: oid(),
            slot: String::new(),
            mark: String::new(),
            sandbox: "none".into(),
            resumes: None,
        },
        What::Stop(attempt) => EventKind::AttemptEnded {
            task: task(),
            attempt,
            ending: Ending::Interrupted,
            work: Work::default(),
            output: Output::default(),
        },
        What::Note => EventKind::Noted { text: String::new() },
    }
}

/// The work that is due next in a run: an owner event that is legal there.
pub(crate) fn due(run: &Run) -> What {
    match run.task(&task()) {
        None => What::Plan,
        Some(task) => match task.open() {
            Some(open) => What::Stop(open.number),
            None => What::Start(task.next_attempt()),
        },
    }
}

fn event(seq: u64, entry: &Entry) -> Event {
    Event {
        seq,
        at: Timestamp(0),
        op: Op::new([0; 16]),
        by: holder(entry.by),
        token: entry.token.map(Token),
        kind: kind(entry.by, entry.what),
    }
}
