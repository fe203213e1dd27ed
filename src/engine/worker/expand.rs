//! Plans and lists that agents write: whether an attempt left one that can be
//! used, and the reading of it when its tasks are to be made.

use std::sync::Arc;

use crate::domain::attempt::{Ending, FailureClass};
use crate::domain::id::TaskId;
use crate::domain::plan::{self, Expand, Plan, PlannedTask, proposal};
use crate::domain::{defaults, escape};
use crate::store::RefName;

use super::super::io::{Files, Input};
use super::{Shop, blocking, folder, keep, line};

/// The file of a task that says what is wrong with its plan or list, for the
/// next attempt.
pub(super) const FAULTS: &str = "faults.txt";

/// Reads the artifact that more tasks come of.
pub async fn expand(shop: Arc<Shop>, task: TaskId) -> Input {
    let name = task.clone();
    let read = blocking(move || read(&shop, &name)).await;
    match read {
        Ok(artifact) => Input::Expanded { task, artifact },
        Err(why) => Input::Unexpanded { task, why },
    }
}

fn read(shop: &Shop, task: &TaskId) -> Result<Option<Vec<u8>>, String> {
    let plan = shop.plan();
    let planned = plan.task(task).ok_or("no such task in the plan")?;
    let (maker, name) = plan::artifact(&plan, planned).ok_or("no such artifact in the plan")?;
    let tip = shop.chains.tip(&RefName::run(shop.id())).map_err(|error| line(&error))?;
    let tip = tip.ok_or("the run has no chain")?;
    let path = format!("{}/out/{name}", folder(maker));
    let bytes = shop.chains.file(&tip, &path).map_err(|error| line(&error))?;
    keep::passed("expand.read").map_err(|error| line(&error))?;
    Ok(bytes)
}

/// The end of an attempt whose artifact more tasks are to come of and can't; all
/// that is wrong with it goes into the task's folder.
pub(super) fn refused(plan: &Plan, planned: &PlannedTask, files: &mut Files) -> Option<Ending> {
    let plans = matches!(planned.expand, Some(Expand::Plan { .. }));
    if !plans && !plan::lists(plan, planned) {
        return None;
    }
    let name = planned.output.as_deref().unwrap_or(defaults::PLAN_FILE);
    let path = format!("{}/out/{name}", folder(&planned.id));
    let (why, all) = match files.get(&path).and_then(Option::as_ref) {
        None => {
            let why = format!("it left no '{name}' in $CREW_OUT (a plain file of at most 4 MiB)");
            (why.clone(), why)
        }
        Some(bytes) if plans => {
            let faults = proposal::read(plan, planned, bytes).err()?;
            let all: Vec<String> = faults.iter().map(ToString::to_string).collect();
            (proposal::line(&faults), all.join("\n"))
        }
        Some(bytes) => {
            let why = listed(plan, name, bytes).err()?;
            (why.clone(), why)
        }
    };
    let path = format!("{}/{FAULTS}", folder(&planned.id));
    files.insert(path, Some(keep::last(&all, 16 << 10).into_bytes()));
    Some(Ending::Failed { class: FailureClass::Plan, why: escape::word(&why, 500) })
}

/// Whether every step that is done for each line of a list can be.
fn listed(plan: &Plan, name: &str, bytes: &[u8]) -> Result<(), String> {
    let items = plan::items(name, bytes).map_err(|fault| fault.to_string())?;
    for task in &plan.tasks {
        if matches!(&task.expand, Some(Expand::Foreach { of }) if of == name) {
            plan::of_items(plan, task, &items).map_err(|fault| fault.to_string())?;
        }
    }
    Ok(())
}
