//! Whether drafts fit each other and the plan they are for; then they are tasks.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::graph::{Graph, GraphError};
use crate::domain::id::{TaskId, slug};
use crate::domain::plan::{Expand, Limits, Part, Plan, PlannedTask};
use crate::domain::suggest::nearest;
use crate::domain::{defaults, escape};

use super::Faults;
use super::shape::Draft;

/// The tasks, each after its needs; with faults the answer is of no use.
pub(super) fn into(
    faults: &mut Faults,
    plan: &Plan,
    planner: &PlannedTask,
    drafts: Vec<Draft>,
) -> Vec<PlannedTask> {
    names(faults, plan, &drafts);
    let before = before(plan, planner);
    let needs = needs(faults, &before, &drafts);
    let cast: Vec<Option<&Part>> = drafts.iter().map(|draft| role(faults, plan, draft)).collect();
    if !faults.0.is_empty() {
        return Vec::new();
    }
    let all = || drafts.iter().map(|draft| draft.id.clone()).zip(needs.iter().cloned());
    let graph = match Graph::new(all()) {
        Ok(graph) => graph,
        Err(error) => {
            cycle(faults, &drafts, &error);
            return Vec::new();
        }
    };
    depth(faults, &graph);
    artifacts(faults, plan, &before, &graph, &drafts);
    size(faults, &drafts);
    let given = Given { planner, roots: std::slice::from_ref(&planner.id) };
    let tasks = drafts.into_iter().zip(needs).zip(cast);
    let mut tasks: Vec<PlannedTask> =
        tasks.filter_map(|((draft, needs), part)| Some(given.task(draft, needs, part?))).collect();
    tasks.sort_by_key(|task| graph.order().iter().position(|id| *id == task.id));
    tasks
}

fn names(faults: &mut Faults, plan: &Plan, drafts: &[Draft]) {
    let mut seen: BTreeMap<&TaskId, &str> = BTreeMap::new();
    for draft in drafts {
        let path = format!("{}.id", draft.path);
        if plan.task(&draft.id).is_some() {
            faults.add(&path, format!("the run has a task '{}' already", draft.id));
        }
        if let Some(first) = seen.insert(&draft.id, &draft.path) {
            faults.add(&path, format!("it is called '{}', as is {first}", draft.id));
        }
    }
}

/// The planning task and all it was built upon.
fn before<'a>(plan: &'a Plan, planner: &'a PlannedTask) -> Vec<&'a PlannedTask> {
    let graph = plan.graph().ok();
    let ids: BTreeSet<&TaskId> =
        graph.iter().flat_map(|graph| graph.ancestors(&planner.id)).collect();
    let earlier = plan.tasks.iter().filter(|task| ids.contains(&task.id));
    earlier.chain(std::iter::once(planner)).collect()
}

fn needs(faults: &mut Faults, before: &[&PlannedTask], drafts: &[Draft]) -> Vec<Vec<TaskId>> {
    let mut all = Vec::new();
    for draft in drafts {
        let mut found: Vec<TaskId> = Vec::new();
        for (at, name) in draft.needs.iter().enumerate() {
            let path = format!("{}.dependsOn[{at}]", draft.path);
            let id = slug(name).and_then(|slug| slug.parse::<TaskId>().ok());
            let known = id.clone().filter(|id| drafts.iter().any(|other| other.id == *id));
            match known {
                Some(id) if id == draft.id => faults.add(&path, "it depends on itself"),
                Some(id) if !found.contains(&id) => found.push(id),
                Some(_) => {}
                // every task of the plan comes after these anyway
                None if before.iter().any(|task| Some(&task.id) == id.as_ref()) => {}
                None => {
                    let shown = escape::word(name, 60);
                    let ids = drafts.iter().map(|other| other.id.as_str());
                    let cause = format!("no task '{shown}' in this plan");
                    faults.meant(&path, cause, nearest(name, ids));
                }
            }
        }
        all.push(found);
    }
    all
}

fn role<'a>(faults: &mut Faults, plan: &'a Plan, draft: &Draft) -> Option<&'a Part> {
    let path = format!("{}.role", draft.path);
    let found = plan.cast.iter().find(|part| part.role == draft.role);
    let Some(part) = found else {
        let shown = escape::word(&draft.role, 60);
        let cause = format!("team '{}' has no role '{shown}' that a plan may use", plan.team);
        let known = plan.cast.iter().filter(|part| !part.runs_scripts());
        let known = known.map(|part| part.role.as_str());
        faults.meant(&path, cause, nearest(&draft.role, known));
        return None;
    };
    if part.runs_scripts() {
        let cause = format!(
            "role '{}' is played by 'sh', which runs its text as a script: a plan can't use it",
            part.role
        );
        faults.add(&path, cause);
        return None;
    }
    Some(part)
}

fn cycle(faults: &mut Faults, drafts: &[Draft], error: &GraphError) {
    let at = match error {
        GraphError::Cycle(path) => path.first(),
        GraphError::Twice(task) | GraphError::Missing { task, .. } => Some(task),
    };
    let draft = at.and_then(|id| drafts.iter().find(|draft| draft.id == *id));
    let path = draft.map_or_else(|| "$.tasks".to_owned(), |d| format!("{}.dependsOn", d.path));
    faults.add(&path, error.to_string());
}

fn depth(faults: &mut Faults, graph: &Graph) {
    let chain = graph.critical_path(|_| 1);
    let most = defaults::MAX_PLAN_DEPTH;
    if chain.len() > most {
        let ends = [chain.first(), chain.last()].map(|id| id.map_or("", |id| id.as_str()));
        let cause = format!(
            "{} tasks wait one for the other, from '{}' to '{}'; {most} is the most",
            chain.len(),
            ends[0],
            ends[1]
        );
        faults.add("$.tasks", cause);
    }
}

/// One maker for each artifact, and it comes before who reads it.
fn artifacts(
    faults: &mut Faults,
    plan: &Plan,
    before: &[&PlannedTask],
    graph: &Graph,
    drafts: &[Draft],
) {
    let outputs = plan.tasks.iter().filter_map(|task| task.output.as_deref());
    let mut taken: BTreeSet<String> = outputs.map(str::to_ascii_lowercase).collect();
    for draft in drafts {
        let Some(name) = &draft.output else { continue };
        if !taken.insert(name.to_ascii_lowercase()) {
            let cause = format!("another task of the run makes '{name}'");
            faults.add(&format!("{}.output", draft.path), cause);
        }
    }
    for draft in drafts {
        let ancestors = graph.ancestors(&draft.id);
        let own = drafts.iter().filter(|other| ancestors.contains(&&other.id));
        let made: Vec<&str> = own
            .filter_map(|other| other.output.as_deref())
            .chain(before.iter().filter_map(|task| task.output.as_deref()))
            .collect();
        for (at, name) in draft.reads.iter().enumerate() {
            if !made.contains(&name.as_str()) {
                let shown = escape::word(name, 60);
                let cause = format!("no task that comes before has '{shown}' as its output");
                let path = format!("{}.reads[{at}]", draft.path);
                faults.meant(&path, cause, nearest(name, made.iter().copied()));
            }
        }
    }
}

/// The names and needs of all tasks are one event, which every log reads.
fn size(faults: &mut Faults, drafts: &[Draft]) {
    let one = |draft: &Draft| {
        let needs: usize = draft.needs.iter().map(|need| need.len() + 4).sum();
        draft.id.as_str().len() + draft.title.len() + draft.role.len() + needs + 60
    };
    let (bytes, most) = (drafts.iter().map(one).sum::<usize>(), defaults::MAX_PLAN_NAMES);
    if bytes > most {
        let cause =
            format!("its names, titles and dependencies have {bytes} bytes; {most} is the most");
        faults.add("$.tasks", cause);
    }
}

/// What the planning step gives to each of its tasks.
struct Given<'a> {
    planner: &'a PlannedTask,
    /// What a task waits for that waits for none of the plan.
    roots: &'a [TaskId],
}

impl Given<'_> {
    fn task(&self, draft: Draft, needs: Vec<TaskId>, part: &Part) -> PlannedTask {
        let checks = match &self.planner.expand {
            // who changes nothing has nothing that could be checked
            Some(Expand::Plan { checks }) if part.writes => checks.clone(),
            Some(Expand::Plan { .. } | Expand::Foreach { .. }) | None => Vec::new(),
        };
        PlannedTask {
            id: draft.id,
            title: escape::word(&draft.title, 100),
            role: part.role.clone(),
            agent: part.agent.clone(),
            fallbacks: part.fallbacks.clone(),
            persona: part.persona.clone(),
            writes: part.writes,
            needs: if needs.is_empty() { self.roots.to_vec() } else { needs },
            text: draft.text,
            checks,
            plan_checks: draft.checks,
            paths: draft.paths,
            output: draft.output,
            reads: draft.reads,
            limits: Limits { wall_ms: defaults::WALL_MS, idle_ms: defaults::IDLE_MS },
            retries: defaults::RETRIES,
            verify: false,
            expand: None,
            planned_by: Some(self.planner.id.clone()),
            item: None,
            skills: part.skills.clone(),
        }
    }
}
