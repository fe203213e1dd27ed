//! The run's result: what completed, merged onto the run's base on the object
//! database.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::domain::event::Unmerged;
use crate::domain::id::TaskId;
use crate::domain::run::Run;
use crate::store::RefName;

use super::super::io::{Effect, Input};
use super::{Shop, blocking, keep, line, roomy};

/// The most paths of one conflict that an event lists.
const PATHS: usize = 50;

/// Merges the results of these tasks and pins the merge.
pub async fn merge(shop: Arc<Shop>, run: Run, tasks: Vec<TaskId>) -> Input {
    blocking(move || match roomy(&shop, || merged(&shop, &run, &tasks)) {
        Ok(input) => input,
        // Whoever makes room and resumes merges.
        Err(_) if shop.was_full() => Input::Undone(Box::new(Effect::Merge { tasks })),
        Err(why) => Input::Unmerged { why },
    })
    .await
}

fn merged(shop: &Shop, run: &Run, tasks: &[TaskId]) -> Result<Input, String> {
    let message = format!("result of {}\n\nCrew-Run: {}\n", run.id, run.id);
    let signature = keep::signature(shop, message);
    let tips = keep::tips(run, tasks);
    let merged = shop.store.merge(&run.base, &tips, &signature).map_err(|error| line(&error))?;
    let commit = merged.commit.unwrap_or_else(|| run.base.clone());
    keep::point(shop, &RefName::results(&run.id), &commit).map_err(|error| line(&error))?;
    keep::passed("merge.pinned").map_err(|error| line(&error))?;
    let left: Vec<Unmerged> = merged
        .conflicts
        .into_iter()
        .filter_map(|conflict| {
            let mut paths = conflict.paths;
            paths.truncate(PATHS);
            Some(Unmerged { task: conflict.label.parse().ok()?, paths })
        })
        .collect();
    let merged = held(run, tasks, &left);
    Ok(Input::Merged { commit, merged, left })
}

/// The tasks whose work is in the merge of these tips: the tips themselves and
/// everything they were built upon, in the order of the workflow.
fn held(run: &Run, tips: &[TaskId], left: &[Unmerged]) -> Vec<TaskId> {
    let mut open: Vec<TaskId> =
        tips.iter().filter(|id| left.iter().all(|one| one.task != **id)).cloned().collect();
    let mut found = BTreeSet::new();
    while let Some(id) = open.pop() {
        let needs = run.task(&id).map(|task| task.needs.clone()).unwrap_or_default();
        if found.insert(id) {
            open.extend(needs);
        }
    }
    run.tasks.iter().map(|task| task.id.clone()).filter(|id| found.contains(id)).collect()
}
