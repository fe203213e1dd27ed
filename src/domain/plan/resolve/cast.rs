//! The roles that a planning task may use, with every choice made: the plan comes
//! when nothing is looked up any more.

use std::collections::BTreeSet;

use crate::domain::diagnostic::Diagnostic;
use crate::domain::plan::Part;
use crate::domain::plan::program::Wishes;

use super::{Inputs, persona, skills};

/// Every role of the team that can be used. One that can't is said: a planner
/// that is not told of it can't miss it, the user may.
pub(super) fn cast<'a>(
    inputs: &Inputs<'a>,
    used: &mut BTreeSet<&'a str>,
    found: &mut Vec<Diagnostic>,
) -> Vec<Part> {
    let team = inputs.team.0;
    let mut parts = Vec::new();
    for role in &team.roles {
        let cannot = |why: String| {
            let cause = format!("no plan can use role '{}': {why}", role.name);
            Diagnostic::warning(&team.file, role.line, cause)
        };
        let persona = match persona(inputs, role) {
            Ok(persona) => persona,
            Err(fault) => {
                found.push(cannot(fault.cause));
                continue;
            }
        };
        let wishes =
            Wishes { role: &role.name, step: &[], persona: &persona.agents, team: &team.agents };
        match inputs.programs.choose(wishes) {
            Ok((agent, fallbacks)) => parts.push(Part {
                role: role.name.clone(),
                description: role.description.clone(),
                agent,
                fallbacks,
                persona: persona.prompt.clone(),
                writes: persona.writes(),
                skills: skills(inputs, None, role, persona, found),
            }),
            Err(error) => found.push(cannot(error.to_string())),
        }
        used.insert(&role.persona);
    }
    if parts.iter().all(Part::runs_scripts) {
        let steps = inputs.workflow.0.steps.iter().filter(|step| step.plan);
        found.extend(steps.map(|step| {
            let cause = format!(
                "step '{}' plans, but no role of team '{}' can take a task of a plan: every one is played by 'sh'",
                step.id, team.name
            );
            Diagnostic::error(&inputs.workflow.0.file, step.line, cause)
        }));
    }
    parts
}
