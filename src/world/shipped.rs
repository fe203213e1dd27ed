//! The teams, workflows and agents that the program brings along: data under
//! `teams/` and `workflows/`, compiled in. Adding one is a file there and a line
//! here; a test compares the two and resolves every pair.

use crate::domain::plan::Kind;

/// One shipped file.
#[derive(Clone, Copy, Debug)]
pub struct Shipped {
    /// What it is.
    pub kind: Kind,
    /// The name it is found by.
    pub name: &'static str,
    /// The whole file.
    pub text: &'static str,
}

macro_rules! team {
    ($name:literal) => {
        Shipped {
            kind: Kind::Team,
            name: $name,
            text: include_str!(concat!("../../teams/", $name, ".team.md")),
        }
    };
}

macro_rules! workflow {
    ($name:literal) => {
        Shipped {
            kind: Kind::Workflow,
            name: $name,
            text: include_str!(concat!("../../workflows/", $name, ".workflow.md")),
        }
    };
}

macro_rules! agent {
    ($name:literal) => {
        Shipped {
            kind: Kind::Agent,
            name: $name,
            text: include_str!(concat!("../../teams/agents/", $name, ".md")),
        }
    };
}

/// All of them, by kind and name.
pub const ALL: &[Shipped] = &[
    team!("default"),
    team!("demo"),
    team!("fast-fix"),
    team!("implementation"),
    team!("parallel-research"),
    team!("research"),
    team!("review"),
    workflow!("default"),
    workflow!("demo"),
    workflow!("fast-fix"),
    workflow!("implementation"),
    workflow!("parallel-research"),
    workflow!("research"),
    workflow!("review"),
    agent!("analyst"),
    agent!("critic"),
    agent!("demo-hand"),
    agent!("executor"),
    agent!("explorer"),
    agent!("planner"),
    agent!("reviewer"),
    agent!("security-reviewer"),
    agent!("test-engineer"),
    agent!("verifier"),
    agent!("writer"),
];

/// The shipped file of a name.
#[must_use]
pub fn find(kind: Kind, name: &str) -> Option<&'static Shipped> {
    ALL.iter().find(|one| one.kind == kind && one.name == name)
}
