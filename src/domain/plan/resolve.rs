//! From team + workflow + goal to a plan.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::agent_file::Persona;
use crate::domain::defaults;
use crate::domain::diagnostic::{Diagnostic, Severity};
use crate::domain::escape;
use crate::domain::fence::last_sh_block;
use crate::domain::suggest::nearest;
use crate::domain::team::{Role, Team};
use crate::domain::workflow::{Step, Workflow};

use super::program::{ProgramError, Wishes};
use super::{Expand, Limits, Part, Plan, PlannedTask, Programs, SH, Skill, Source};

mod cast;

/// Everything a plan is made from, already looked up and parsed.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// What the user asked for.
    pub goal: &'a str,
    /// The team and where it was found.
    pub team: (&'a Team, &'a Source),
    /// The workflow and where it was found.
    pub workflow: (&'a Workflow, &'a Source),
    /// The agent files that the team's roles name, as far as they were found.
    pub personas: &'a BTreeMap<String, (Persona, Source)>,
    /// Names of all agent files, to suggest one for a mistyped name.
    pub known_personas: &'a [String],
    /// What is known about programs.
    pub programs: &'a Programs,
    /// The skills that steps, roles and agents name, as far as they were found.
    pub skills: &'a BTreeMap<String, Skill>,
    /// Names of all skills, to suggest one for a mistyped name.
    pub known_skills: &'a [String],
    /// `-j`: before the workflow's and the team's.
    pub max_concurrency: Option<u32>,
}

/// Makes the plan; with it the warnings of all files used.
///
/// # Errors
/// All errors and warnings: roles the team lacks, agent files that are unknown
/// or disabled, tasks without a program, `sh` tasks without an `sh` block.
pub fn resolve(inputs: Inputs<'_>) -> Result<(Plan, Vec<Diagnostic>), Vec<Diagnostic>> {
    let (team, workflow) = (inputs.team.0, inputs.workflow.0);
    let mut found: Vec<Diagnostic> =
        [&team.warnings, &workflow.warnings].into_iter().flatten().cloned().collect();
    let mut used: BTreeSet<&str> = BTreeSet::new();
    let mut tasks = Vec::new();
    for step in &workflow.steps {
        match role(&inputs, step) {
            Ok((role, persona)) => {
                if used.insert(&role.persona) {
                    found.extend(persona.warnings.iter().cloned());
                }
                tasks.extend(task(&inputs, step, role, persona, &mut found));
            }
            Err(fault) => found.push(fault),
        }
    }
    let cast = if workflow.steps.iter().any(|step| step.plan) {
        cast::cast(&inputs, &mut used, &mut found)
    } else {
        Vec::new()
    };
    // two steps of one role report one fault
    let mut once: Vec<Diagnostic> = Vec::new();
    for fault in found {
        if !once.contains(&fault) {
            once.push(fault);
        }
    }
    if once.iter().any(|fault| fault.severity == Severity::Error) {
        return Err(once);
    }
    let agents = used.iter().filter_map(|name| inputs.personas.get(*name)).map(|(_, s)| s);
    let sources = [inputs.team.1, inputs.workflow.1].into_iter().chain(agents).cloned().collect();
    let width = inputs.max_concurrency.or(workflow.max_concurrency).or(team.max_concurrency);
    let mut plan = Plan {
        goal: inputs.goal.to_owned(),
        team: team.name.clone(),
        workflow: workflow.name.clone(),
        sources,
        max_concurrency: width.unwrap_or(defaults::CONCURRENCY).clamp(1, defaults::MAX_CONCURRENCY),
        skills: told(&inputs, &tasks, &cast),
        tasks,
        cast,
    };
    match plan.graph() {
        Ok(graph) => {
            plan.tasks.sort_by_key(|task| graph.order().iter().position(|id| *id == task.id));
            Ok((plan, once))
        }
        Err(error) => Err(vec![Diagnostic::error(&workflow.file, 1, error.to_string())]),
    }
}

/// The skills that some task, or a task of a plan, is told.
fn told(inputs: &Inputs<'_>, tasks: &[PlannedTask], cast: &[Part]) -> Vec<Skill> {
    let named = tasks.iter().flat_map(|task| &task.skills);
    let named: BTreeSet<&String> = named.chain(cast.iter().flat_map(|p| &p.skills)).collect();
    named.into_iter().filter_map(|name| inputs.skills.get(name).cloned()).collect()
}

fn role<'a>(inputs: &Inputs<'a>, step: &Step) -> Result<(&'a Role, &'a Persona), Diagnostic> {
    let (team, workflow) = (inputs.team.0, inputs.workflow.0);
    let (name, line) = (&step.role.0, step.role.1);
    let Some(role) = team.role(name) else {
        let shown = escape::word(name, 60);
        let cause =
            format!("step '{}' wants role '{shown}', which team '{}' lacks", step.id, team.name);
        let mut fault = Diagnostic::error(&workflow.file, line, cause);
        fault.suggestion = team.nearest(name).map(str::to_owned);
        return Err(fault);
    };
    persona(inputs, role).map(|persona| (role, persona))
}

/// The agent file that plays a role.
fn persona<'a>(inputs: &Inputs<'a>, role: &Role) -> Result<&'a Persona, Diagnostic> {
    let (team, name) = (inputs.team.0, &role.name);
    let shown = escape::word(&role.persona, 60);
    let Some((persona, _)) = inputs.personas.get(&role.persona) else {
        let cause = format!("role '{name}' is played by agent '{shown}', which is unknown");
        let mut fault = Diagnostic::error(&team.file, role.line, cause);
        let known = inputs.known_personas.iter().map(String::as_str);
        fault.suggestion = nearest(&role.persona, known).map(str::to_owned);
        return Err(fault);
    };
    if persona.disabled {
        let cause = format!("role '{name}' is played by agent '{shown}', which is disabled");
        return Err(Diagnostic::error(&team.file, role.line, cause));
    }
    Ok(persona)
}

/// The skills of a task: those its step names, else its role's, else its
/// agent's. One that is not found is said, and the work goes on without it.
fn skills(
    inputs: &Inputs<'_>,
    step: Option<&Step>,
    role: &Role,
    persona: &Persona,
    found: &mut Vec<Diagnostic>,
) -> Vec<String> {
    let by_step = step.and_then(|step| Some((step.skills.as_ref()?, step.line)));
    let (names, file, line) = match (by_step, &role.skills) {
        (Some((names, line)), _) => (names, &inputs.workflow.0.file, line),
        (None, Some(names)) => (names, &inputs.team.0.file, role.line),
        (None, None) => (&persona.skills, &persona.file, persona.skills_line),
    };
    let (there, lost): (Vec<&String>, Vec<&String>) =
        names.iter().partition(|name| inputs.skills.contains_key(*name));
    found.extend(lost.into_iter().map(|name| {
        let cause = format!("no skill '{name}': agents are not told it");
        Diagnostic::warning(file, line, cause)
            .meant(name, inputs.known_skills.iter().map(String::as_str))
    }));
    there.into_iter().cloned().collect()
}

fn task(
    inputs: &Inputs<'_>,
    step: &Step,
    role: &Role,
    persona: &Persona,
    found: &mut Vec<Diagnostic>,
) -> Option<PlannedTask> {
    let (team, workflow) = (inputs.team.0, inputs.workflow.0);
    let wishes = Wishes {
        role: &step.role.0,
        step: &step.agents,
        persona: &persona.agents,
        team: &team.agents,
    };
    let (agent, fallbacks) = match inputs.programs.choose(wishes) {
        Ok(players) => players,
        Err(error) => {
            // What lacks for every role is said once, not once for each.
            let everywhere = matches!(
                error,
                ProgramError::None { .. } | ProgramError::Unavailable { role: None, .. }
            );
            let line = if everywhere { 1 } else { step.role.1 };
            let mut fault = Diagnostic::error(&workflow.file, line, error.to_string());
            fault.suggestion = error.nearest().map(str::to_owned);
            fault.remedy = Some("see which agents there are: git crew agents list".to_owned());
            found.push(fault);
            return None;
        }
    };
    let text = step.text.replace("{goal}", inputs.goal);
    let by_sh = agent == SH || fallbacks.iter().any(|name| name == SH);
    found.extend(text_fault(&workflow.file, step, &text, by_sh));
    if !persona.writes() && !step.paths.is_empty() {
        let cause = format!(
            "'paths:' of step '{}' has no effect: role '{}' is read-only",
            step.id, step.role.0
        );
        found.push(Diagnostic::warning(&workflow.file, step.line, cause));
    }
    Some(PlannedTask {
        id: step.id.clone(),
        title: step.title.clone(),
        role: step.role.0.clone(),
        agent,
        fallbacks,
        persona: persona.prompt.clone(),
        writes: persona.writes(),
        needs: step.needs.clone(),
        text,
        checks: if step.plan { Vec::new() } else { step.checks.clone() },
        plan_checks: Vec::new(),
        paths: step.paths.clone(),
        output: step.output.clone(),
        reads: step.reads.clone(),
        limits: Limits {
            wall_ms: step.wall_ms.unwrap_or(defaults::WALL_MS),
            idle_ms: step.idle_ms.unwrap_or(defaults::IDLE_MS),
        },
        retries: step.retries.unwrap_or(defaults::RETRIES),
        verify: step.verify,
        expand: expand(step),
        planned_by: None,
        item: None,
        skills: skills(inputs, Some(step), role, persona, found),
    })
}

fn expand(step: &Step) -> Option<Expand> {
    let foreach = step.foreach.as_ref().map(|(of, _)| Expand::Foreach { of: of.clone() });
    foreach.or_else(|| step.plan.then(|| Expand::Plan { checks: step.checks.clone() }))
}

fn text_fault(file: &str, step: &Step, text: &str, by_sh: bool) -> Option<Diagnostic> {
    if by_sh {
        return sh_fault(file, step, text);
    }
    let blind = step.foreach.is_some() && !step.text.contains("{item}");
    blind.then(|| {
        let cause = format!("step '{}' is for each line, and its text has no '{{item}}'", step.id);
        Diagnostic::warning(file, step.line, cause)
    })
}

fn sh_fault(file: &str, step: &Step, text: &str) -> Option<Diagnostic> {
    if last_sh_block(text).is_none() {
        let cause =
            format!("step '{}' is run by agent 'sh', and its text has no fenced sh block", step.id);
        return Some(Diagnostic::error(file, step.line, cause));
    }
    if step.foreach.is_some() && step.text.contains("{item}") {
        let cause = format!(
            "step '{}' would paste what an agent wrote into a shell script: read it from \"$CREW_IN/item\"",
            step.id
        );
        return Some(Diagnostic::error(file, step.line, cause));
    }
    let pasted = last_sh_block(&step.text).is_some_and(|block| block.contains("{goal}"));
    pasted.then(|| {
        let cause =
            format!("step '{}' pastes the goal into a shell script as it is, unquoted", step.id);
        Diagnostic::warning(file, step.line, cause)
    })
}
