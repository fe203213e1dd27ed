//! What goes into the core and what comes out: plain values, so that the core
//! can be driven by the program, by a simulation and by a test.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::attempt::{Ending, Output, Verdict, Work};
use crate::domain::event::{EventKind, Unmerged};
use crate::domain::id::{Oid, TaskId};
use crate::domain::plan::Plan;
use crate::domain::time::Timestamp;

/// The run's plan in its tree.
pub const PLAN: &str = "plan.json";

/// Files that an event adds to the run's tree, by path.
pub type Files = BTreeMap<String, Option<Vec<u8>>>;

/// Why everything has to stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The user or the system wants this process to end; the run can go on later.
    Interrupt,
    /// The run is to end as cancelled.
    Cancel(String),
    /// The run is to end as failed (its time is up).
    Fail(String),
    /// This process may not write any more: kill, keep, go.
    Lost(String),
}

/// What the core is told.
#[derive(Clone, Debug)]
pub enum Input {
    /// The run is ours and planned; look at it.
    Begin,
    /// Time has passed, or the chain has moved.
    Tick,
    /// What an attempt starts from is ready.
    Prepared {
        /// Whose.
        task: TaskId,
        /// Which attempt.
        attempt: u32,
        /// The commit it starts from.
        base: Oid,
        /// The name of its working tree.
        slot: String,
        /// The mark its processes will carry.
        mark: String,
        /// What keeps its agent from the rest of the machine.
        sandbox: String,
        /// The session that it goes on with.
        resumes: Option<String>,
        /// The prompt, to be stored before the spawn.
        files: Files,
    },
    /// What an attempt would start from can't be made.
    Unprepared {
        /// Whose.
        task: TaskId,
        /// Why, in one line.
        why: String,
    },
    /// Nothing of an attempt runs any more, and its work is kept.
    Ended {
        /// Whose.
        task: TaskId,
        /// Which.
        attempt: u32,
        /// How, when nobody asked it to stop.
        ending: Ending,
        /// It was ended because we asked.
        halted: bool,
        /// What it left.
        work: Box<Work>,
        /// What it printed.
        output: Output,
        /// Its final text and artifacts.
        files: Files,
    },
    /// The checks of an attempt have run.
    Judged {
        /// Whose.
        task: TaskId,
        /// Which.
        attempt: u32,
        /// The verdict.
        verdict: Verdict,
        /// Full outputs.
        files: Files,
    },
    /// The checks were stopped, or could not be run; nothing is known.
    Unjudged {
        /// Whose.
        task: TaskId,
        /// Why, in one line, unless they were stopped.
        why: Option<String>,
    },
    /// The artifact that more tasks come of was read.
    Expanded {
        /// Of which task.
        task: TaskId,
        /// The artifact; `None` when it is not there.
        artifact: Option<Vec<u8>>,
    },
    /// It could not be read.
    Unexpanded {
        /// Of which task.
        task: TaskId,
        /// Why, in one line.
        why: String,
    },
    /// What completed is merged.
    Merged {
        /// The commit.
        commit: Oid,
        /// What is in it.
        merged: Vec<TaskId>,
        /// What is not.
        left: Vec<Unmerged>,
    },
    /// The merge itself could not be made.
    Unmerged {
        /// Why, in one line.
        why: String,
    },
    /// A worker of ours broke; what it did is unknown.
    Broken {
        /// Whose.
        task: TaskId,
        /// Why, in one line.
        why: String,
    },
    /// This effect was not performed, since one before it failed.
    Undone(Box<Effect>),
    /// Stop.
    Stop(Stop),
}

/// How urgently something is to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// Ask it, wait, then kill it.
    Ask,
    /// Kill it.
    Kill,
}

/// How the engine left a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finish {
    /// The run is over; its state says how.
    Over,
    /// It was stopped and can be resumed.
    Interrupted,
    /// Another process holds it now, or writes in our name.
    Lost(String),
}

/// What the core wants done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Append these events, all or none, before anything that follows.
    Write {
        /// The events.
        events: Vec<EventKind>,
        /// Files for the tree of the last one.
        files: Files,
    },
    /// Work out what the attempt starts from.
    Prepare {
        /// Whose.
        task: TaskId,
        /// Which.
        attempt: u32,
    },
    /// Make the slot, run the agent, harvest.
    Launch {
        /// Whose.
        task: TaskId,
        /// Which.
        attempt: u32,
    },
    /// Run the checks of the attempt's result.
    Check {
        /// Whose.
        task: TaskId,
        /// Which.
        attempt: u32,
    },
    /// Read the artifact that more tasks come of.
    Expand {
        /// Of which task.
        task: TaskId,
    },
    /// The plan is another from here on.
    Follow(Arc<Plan>),
    /// Stop whatever runs for this task.
    Halt {
        /// Whose.
        task: TaskId,
        /// How.
        urgency: Urgency,
    },
    /// Merge the results of these tasks onto the run's base.
    Merge {
        /// The tasks, in the order of the workflow.
        tasks: Vec<TaskId>,
    },
    /// Send a tick at this time.
    Wake(Timestamp),
    /// Nothing is left to do.
    Finish(Finish),
}
