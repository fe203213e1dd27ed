//! What an attempt starts from: the merge of what it needs, and the prompt.

use std::sync::Arc;

use crate::domain::attempt::{Ending, FailureClass};
use crate::domain::defaults;
use crate::domain::id::{Oid, TaskId};
use crate::domain::plan::{self, Skill};
use crate::domain::policy::Outcome;
use crate::domain::prompt::{self, Briefing, Feedback, Handed, Mark};
use crate::domain::run::Run;
use crate::domain::task::Task;
use crate::store::{RefName, StoreError};

use super::super::io::{Files, Input};
use super::super::judge;
use super::expand::FAULTS;
use super::{Shop, blocking, folder, keep, line, sessions};

/// Prepares an attempt. Nothing is visible of it yet but the ref that pins its
/// base.
pub async fn prepare(shop: Arc<Shop>, run: Run, task: TaskId, attempt: u32) -> Input {
    let name = task.clone();
    blocking(move || match prepared(&shop, &run, &task, attempt) {
        Ok(input) => input,
        // The task is as it was, for whoever makes room and resumes.
        Err(_) if shop.is_out_of_room() => Input::Unjudged { task: name, why: None },
        Err(why) => Input::Unprepared { task: name, why },
    })
    .await
}

fn prepared(shop: &Shop, run: &Run, id: &TaskId, attempt: u32) -> Result<Input, String> {
    let failed = |error: StoreError| line(&error);
    let task = run.task(id).ok_or_else(|| format!("no task '{id}'"))?;
    let plan = shop.plan();
    let planned = plan.task(id).ok_or_else(|| format!("no task '{id}' in the plan"))?;
    let base = base(shop, run, task)?;
    keep::point(shop, &RefName::work(shop.id(), id, attempt), &base).map_err(failed)?;
    keep::passed("prepare.based").map_err(failed)?;
    let results = task
        .needs
        .iter()
        .filter_map(|need| run.task(need))
        .map(|need| handed(shop, run, need))
        .collect::<Result<Vec<_>, _>>()
        .map_err(failed)?;
    let feedback = feedback(shop, run, task).map_err(failed)?;
    let agent = judge::player(&plan, run, id).unwrap_or_default();
    let resumes = sessions::next(shop, run, id, &agent).zip(earlier(task));
    let mark = Mark::new(shop.random.bytes16());
    let told = |name: &String| plan.skills.iter().find(|skill| skill.name == *name);
    let skills: Vec<&Skill> = planned.skills.iter().filter_map(told).collect();
    let packet = prompt::build(Briefing {
        run: shop.id(),
        goal: &run.goal,
        task: planned,
        attempt,
        base: &base,
        results: &results,
        feedback: feedback.as_ref(),
        resumed: resumes.as_ref().map(|(_, work)| work),
        cast: &plan.cast,
        lists: plan::lists(&plan, planned),
        skills: &skills,
        mark: &mark,
        budget: defaults::PROMPT_BUDGET,
    });
    let path = format!("{}/packet.md", folder(id));
    let files = Files::from([(path, Some(packet.text.into_bytes()))]);
    let mark = Mark::new(shop.random.bytes16()).as_str().to_owned();
    let slot = slot_key(run, id, attempt, &mark);
    let sandbox = shop.confinement.grade(shop.slots.kind());
    let resumes = resumes.map(|(session, _)| session);
    Ok(Input::Prepared { task: id.clone(), attempt, base, slot, mark, sandbox, resumes, files })
}

/// The commit that holds what the last attempt did.
fn earlier(task: &Task) -> Option<Oid> {
    let last = task.last()?;
    let work = last.work.as_ref().and_then(|work| work.commit.clone());
    Some(work.unwrap_or_else(|| last.base.clone()))
}

/// A folder name that no other attempt has, short enough for paths below it.
fn slot_key(run: &Run, task: &TaskId, attempt: u32, mark: &str) -> String {
    let cut = |text: &str, most: usize| {
        text.get(..most.min(text.len())).unwrap_or_default().trim_end_matches('-').to_owned()
    };
    format!("{}-{}-{attempt}-{}", cut(run.id.as_str(), 4), cut(task.as_str(), 32), cut(mark, 6))
}

/// The run's base with the results of what the task needs merged onto it.
fn base(shop: &Shop, run: &Run, task: &Task) -> Result<Oid, String> {
    let tips = keep::tips(run, &task.needs);
    let message = format!("base of {}\n\nCrew-Run: {}\nCrew-Task: {}\n", task.id, run.id, task.id);
    let signature = keep::signature(shop, message);
    let merged = shop.store.merge(&run.base, &tips, &signature).map_err(|error| line(&error))?;
    match merged.conflicts.first() {
        None => Ok(merged.commit.unwrap_or_else(|| run.base.clone())),
        Some(conflict) => Err(format!(
            "the results it needs do not merge: '{}' conflicts in {}",
            conflict.label,
            conflict.paths.iter().take(3).cloned().collect::<Vec<_>>().join(", ")
        )),
    }
}

/// What a completed dependency hands on.
fn handed(shop: &Shop, run: &Run, need: &Task) -> Result<Handed, StoreError> {
    let tip = shop.chains.tip(&RefName::run(&run.id))?;
    let read = |path: &str| match &tip {
        Some(tip) => shop.chains.file(tip, path),
        None => Ok(None),
    };
    let words = read(&format!("{}/result.md", folder(&need.id)))?.unwrap_or_default();
    let output = shop.plan().task(&need.id).and_then(|planned| planned.output.clone());
    let artifact = match output {
        Some(name) => read(&format!("{}/out/{name}", folder(&need.id)))?
            .map(|bytes| (name, bytes.len() as u64)),
        None => None,
    };
    let work = need.last().and_then(|last| last.work.clone()).unwrap_or_default();
    Ok(Handed {
        task: need.id.clone(),
        title: need.title.clone(),
        verified: need.verified,
        words: String::from_utf8_lossy(&words).into_owned(),
        changed: work.changed.into_iter().map(|change| change.path).collect(),
        changed_total: work.changed_total,
        artifact,
    })
}

/// Why the last attempt was not enough, if there was one and it failed.
fn feedback(shop: &Shop, run: &Run, task: &Task) -> Result<Option<Feedback>, StoreError> {
    let failed = task
        .attempts
        .iter()
        .rev()
        .find(|attempt| matches!(Outcome::of(attempt), Some(Outcome::Failed { .. })));
    let Some(last) = failed else { return Ok(None) };
    let check = last.verdict.as_ref().and_then(|v| v.checks.iter().find(|check| !check.passed()));
    let (why, output) = match (&last.ending, check) {
        (_, Some(check)) => (
            match check.code {
                Some(code) => format!("the check '{}' exited with {code}", check.command),
                None => format!("the check '{}' did not end by itself", check.command),
            },
            check.tail.clone(),
        ),
        (Some(Ending::Failed { class, why }), None) => {
            let tip = shop.chains.tip(&RefName::run(&run.id))?;
            // what is wrong with a plan helps more than what its agent said of it
            let file = if *class == FailureClass::Plan { FAULTS } else { "result.md" };
            let path = format!("{}/{file}", folder(&task.id));
            let text = match tip {
                Some(tip) => shop.chains.file(&tip, &path)?.unwrap_or_default(),
                None => Vec::new(),
            };
            (why.clone(), String::from_utf8_lossy(&text).into_owned())
        }
        (Some(Ending::Finished | Ending::Interrupted | Ending::Cancelled) | None, None) => {
            return Ok(None);
        }
    };
    let why = match last.work.as_ref().and_then(|work| work.commit.as_ref()) {
        Some(commit) if *commit != last.base => format!("{why} (its work is commit {commit})"),
        Some(_) | None => why,
    };
    Ok(Some(Feedback { attempt: last.number, why, output }))
}
