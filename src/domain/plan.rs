//! The plan of a run: what a team, a workflow and a goal come to, with every
//! choice made. It is stored as `plan.json` and nothing reads the files again.
//!
//! Promises: field names are stable and explicit; tasks are in an order in which
//! each comes after its needs; needs name tasks of the plan and make no cycle
//! (in a plan made by [`resolve`]; one that was read is checked by [`Plan::graph`]).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::escape;
use super::graph::{Graph, GraphError};
use super::id::TaskId;
use super::run::OutlineTask;

mod expand;
mod program;
pub mod proposal;
mod resolve;

pub use expand::{Expand, Item, ItemFault, artifact, items, lists, of_items};
pub use program::{ProgramError, Programs, SH};
pub use resolve::{Inputs, resolve};

/// What kind of file a name was looked up as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// `teams/<name>.team.md`
    Team,
    /// `workflows/<name>.workflow.md`
    Workflow,
    /// `agents/<name>.md`
    Agent,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Team, Self::Workflow, Self::Agent];

    /// The folder such files are in.
    #[must_use]
    pub fn folder(self) -> &'static str {
        match self {
            Self::Team => "teams",
            Self::Workflow => "workflows",
            Self::Agent => "agents",
        }
    }

    /// How the names of such files end.
    #[must_use]
    pub fn ending(self) -> &'static str {
        match self {
            Self::Team => ".team.md",
            Self::Workflow => ".workflow.md",
            Self::Agent => ".md",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Team => "team",
            Self::Workflow => "workflow",
            Self::Agent => "agent",
        })
    }
}

/// Where a file was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "lowercase")]
pub enum Where {
    /// In the program itself.
    Shipped,
    /// In the user's config folder.
    User {
        /// The file.
        path: String,
    },
    /// In the repository, at the run's base commit.
    Repository {
        /// The path in the commit.
        path: String,
    },
}

impl fmt::Display for Where {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shipped => f.write_str("shipped"),
            Self::User { path } => write!(f, "{path}"),
            Self::Repository { path } => write!(f, "{path} of the base commit"),
        }
    }
}

/// One file a plan was made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// What it is.
    #[serde(rename = "kind")]
    pub kind: Kind,
    /// The name it was found by.
    #[serde(rename = "name")]
    pub name: String,
    /// Where it was.
    #[serde(rename = "where")]
    pub place: Where,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({})", self.kind, self.name, self.place)
    }
}

/// How long an attempt may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// From start to end, in milliseconds.
    #[serde(rename = "wall_ms")]
    pub wall_ms: u64,
    /// Without a byte of output, in milliseconds.
    #[serde(rename = "idle_ms")]
    pub idle_ms: u64,
}

/// One task with every choice made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedTask {
    /// The task.
    #[serde(rename = "id")]
    pub id: TaskId,
    /// The step's heading.
    #[serde(rename = "title")]
    pub title: String,
    /// The team's role.
    #[serde(rename = "role")]
    pub role: String,
    /// The program that runs it: [`SH`], an installed or a configured name.
    #[serde(rename = "agent")]
    pub agent: String,
    /// The programs that go on where that one can't, the best first.
    #[serde(rename = "fallbacks", default, skip_serializing_if = "Vec::is_empty")]
    pub fallbacks: Vec<String>,
    /// The role prompt.
    #[serde(rename = "persona")]
    pub persona: String,
    /// Whether it may change files. A task that may not and does, fails.
    #[serde(rename = "writes")]
    pub writes: bool,
    /// Tasks that must be completed before; their merged results are its base.
    #[serde(rename = "needs")]
    pub needs: Vec<TaskId>,
    /// What to do, the goal put in.
    #[serde(rename = "text")]
    pub text: String,
    /// Shell commands the result must pass, in this order.
    #[serde(rename = "checks")]
    pub checks: Vec<String>,
    /// Globs the result must stay inside ([`super::scope::Scope`]); empty: everywhere.
    #[serde(rename = "paths")]
    pub paths: Vec<String>,
    /// The artifact it is asked to write to `$CREW_OUT/<name>`. Whether a missing one
    /// fails the attempt is the engine's to say.
    #[serde(rename = "output")]
    pub output: Option<String>,
    /// Artifacts of tasks before it that it finds in `$CREW_IN`.
    #[serde(rename = "reads")]
    pub reads: Vec<String>,
    /// How long an attempt may take.
    #[serde(rename = "limits")]
    pub limits: Limits,
    /// Further attempts after a failed one.
    #[serde(rename = "retries")]
    pub retries: u32,
    /// A task whose agent verifies what was made before.
    #[serde(rename = "verify")]
    pub verify: bool,
    /// What more tasks come of it.
    #[serde(rename = "expand", default, skip_serializing_if = "Option::is_none")]
    pub expand: Option<Expand>,
    /// The task whose plan or list it came of.
    #[serde(rename = "planned_by", default, skip_serializing_if = "Option::is_none")]
    pub planned_by: Option<TaskId>,
    /// Checks that an agent's plan brought. They can fail the result and never
    /// verify it: that is for [`PlannedTask::checks`], which people wrote.
    #[serde(rename = "plan_checks", default, skip_serializing_if = "Vec::is_empty")]
    pub plan_checks: Vec<String>,
    /// The line of a list that it is for, also found in `$CREW_IN/item`.
    #[serde(rename = "item", default, skip_serializing_if = "Option::is_none")]
    pub item: Option<String>,
    /// Names of [`Plan::skills`] that its agent is told.
    #[serde(rename = "skills", default, skip_serializing_if = "Vec::is_empty")]
    pub skills: Vec<String>,
}

impl From<&PlannedTask> for OutlineTask {
    fn from(task: &PlannedTask) -> Self {
        Self {
            id: task.id.clone(),
            title: task.title.clone(),
            role: task.role.clone(),
            needs: task.needs.clone(),
        }
    }
}

impl PlannedTask {
    /// The checks of its step: of a planning one they hold for its plan's tasks.
    #[must_use]
    pub fn step_checks(&self) -> &[String] {
        match &self.expand {
            Some(Expand::Plan { checks }) => checks,
            Some(Expand::Foreach { .. }) | None => &self.checks,
        }
    }

    /// Whether its result has to pass anything.
    #[must_use]
    pub fn is_checked(&self) -> bool {
        !self.checks.is_empty() || !self.plan_checks.is_empty()
    }
}

/// A role of the team as a planning task may use it, every choice made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The team's role.
    #[serde(rename = "role")]
    pub role: String,
    /// What it is for; may be empty.
    #[serde(rename = "description")]
    pub description: String,
    /// The program that runs it.
    #[serde(rename = "agent")]
    pub agent: String,
    /// The programs that go on where that one can't, the best first.
    #[serde(rename = "fallbacks", default, skip_serializing_if = "Vec::is_empty")]
    pub fallbacks: Vec<String>,
    /// The role prompt.
    #[serde(rename = "persona")]
    pub persona: String,
    /// Whether it may change files.
    #[serde(rename = "writes")]
    pub writes: bool,
    /// Names of [`Plan::skills`] that its agent is told.
    #[serde(rename = "skills", default, skip_serializing_if = "Vec::is_empty")]
    pub skills: Vec<String>,
}

impl Part {
    /// Whether [`SH`] may come to play it: it would run as a script what an agent
    /// wrote as a task.
    #[must_use]
    pub fn runs_scripts(&self) -> bool {
        self.agent == SH || self.fallbacks.iter().any(|name| name == SH)
    }
}

/// A skill that tasks name: instructions from a `SKILL.md`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skill {
    /// The name of its folder.
    #[serde(rename = "name")]
    pub name: String,
    /// Where it was found.
    #[serde(rename = "where")]
    pub place: Where,
    /// What it says, without its block of keys.
    #[serde(rename = "text")]
    pub text: String,
}

/// What a run is going to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// What the user asked for.
    #[serde(rename = "goal")]
    pub goal: String,
    /// The team's name.
    #[serde(rename = "team")]
    pub team: String,
    /// The workflow's name.
    #[serde(rename = "workflow")]
    pub workflow: String,
    /// Every file that was used: team, workflow, then agents by name.
    #[serde(rename = "sources")]
    pub sources: Vec<Source>,
    /// Tasks that run at the same time; at least one.
    #[serde(rename = "max_concurrency")]
    pub max_concurrency: u32,
    /// The tasks, each after its needs.
    #[serde(rename = "tasks")]
    pub tasks: Vec<PlannedTask>,
    /// The roles that a planning task may use; empty when there is none.
    #[serde(rename = "cast", default, skip_serializing_if = "Vec::is_empty")]
    pub cast: Vec<Part>,
    /// The skills that tasks name.
    #[serde(rename = "skills", default, skip_serializing_if = "Vec::is_empty")]
    pub skills: Vec<Skill>,
}

impl PlannedTask {
    /// Every program that may run it, the best first.
    #[must_use]
    pub fn players(&self) -> Vec<&str> {
        std::iter::once(&self.agent).chain(&self.fallbacks).map(String::as_str).collect()
    }
}

impl Plan {
    /// The task of this id.
    #[must_use]
    pub fn task(&self, id: &TaskId) -> Option<&PlannedTask> {
        self.tasks.iter().find(|task| task.id == *id)
    }

    /// The plan as the bytes of `plan.json`.
    ///
    /// # Errors
    /// Only if it could not be written as JSON.
    pub fn stored(&self) -> Result<Vec<u8>, serde_json::Error> {
        let text = serde_json::to_string_pretty(self)?;
        // `git show <run>:plan.json` goes to a terminal
        Ok(escape::json(&text).into_owned().into_bytes())
    }

    /// The graph of its tasks.
    ///
    /// # Errors
    /// None for a plan made by [`resolve`]; one that was edited by hand may hold
    /// a cycle, an unknown need or a task twice.
    pub fn graph(&self) -> Result<Graph, GraphError> {
        Graph::new(self.tasks.iter().map(|task| (task.id.clone(), task.needs.clone())))
    }

    /// The graph as text for `--dry-run`, with each task's program, what it may
    /// do and its checks; `*` marks the path with the longest time limits.
    ///
    /// # Errors
    /// As [`Plan::graph`].
    pub fn tree(&self) -> Result<String, GraphError> {
        let graph = self.graph()?;
        let weight = |id: &TaskId| self.task(id).map_or(0, |task| task.limits.wall_ms);
        let label = |id: &TaskId| self.task(id).map_or_else(String::new, label);
        Ok(graph.tree(weight, label))
    }
}

fn label(task: &PlannedTask) -> String {
    let mut words = vec![format!("{} on {}", task.role, task.players().join(", then "))];
    if !task.writes {
        words.push("read-only".into());
    }
    match &task.expand {
        Some(Expand::Plan { .. }) => words.push("plans the tasks that follow".into()),
        Some(Expand::Foreach { of }) => words.push(format!("once for each line of {of}")),
        None => {}
    }
    match task.step_checks().len() {
        0 => {}
        1 => words.push("1 check".into()),
        n => words.push(format!("{n} checks")),
    }
    format!("[{}]", words.join(", "))
}

#[cfg(test)]
mod tests;
