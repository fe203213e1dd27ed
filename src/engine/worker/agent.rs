//! One attempt: make the slot, run the agent in it, harvest what it left.
//!
//! Whatever goes wrong, the slot is given back only after its work is in a commit
//! that a ref pins.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::domain::attempt::{Ending, FailureClass, Output, Work};
use crate::domain::id::{Oid, TaskId};
use crate::domain::plan::PlannedTask;
use crate::domain::run::Run;
use crate::store::RefName;
use crate::world::agents::Telling;
use crate::world::harvest::{HarvestError, harvest};
use crate::world::live;
use crate::world::process::{Limits, OutputSpec, Report, Spec, Stop, StopRequest};
use crate::world::slots::Slot;

use super::super::confinement::Guard;
use super::super::io::{Files, Input};
use super::ending::{bounded, failed, judge};
use super::heard::{Known, Told};
use super::setting::Setting;
use super::{Shop, blocking, expand, folder, healed, keep, line, roomy, sessions, slots};

/// How many first and last bytes of each stream are kept.
const KEPT: usize = 4 << 20;

/// What an attempt is called everywhere.
#[derive(Clone, Debug)]
struct Job {
    task: TaskId,
    attempt: u32,
    agent: String,
    base: Oid,
    slot: String,
    mark: String,
    resumes: Option<String>,
}

/// Runs an attempt that is announced.
pub async fn launch(
    shop: Arc<Shop>,
    run: Run,
    task: TaskId,
    attempt: u32,
    stop: watch::Receiver<StopRequest>,
) -> Input {
    let Some(open) = run.task(&task).and_then(|task| task.open()) else {
        return Input::Broken { task, why: "internal error: no open attempt".to_owned() };
    };
    let job = Job {
        task: task.clone(),
        attempt,
        agent: open.agent.clone(),
        base: open.base.clone(),
        slot: open.slot.clone(),
        mark: open.mark.clone(),
        resumes: open.resumes.clone(),
    };
    let made = {
        // Never closed; without leave it would be filled all the same.
        let _leave = shop.filling.acquire().await;
        if *stop.borrow() != StopRequest::None {
            let why = "stopped before it began".to_owned();
            return ended(job, failed(FailureClass::Internal, why), true, None);
        }
        let (shop, run, job) = (Arc::clone(&shop), run.clone(), job.clone());
        blocking(move || set_up(&shop, &run, &job)).await
    };
    let (slot, spec, around) = match made {
        Ok(made) => made,
        Err(why) => {
            // A full disk stops the run: the attempt is not to blame.
            let halted = shop.is_out_of_room();
            return ended(job, failed(FailureClass::Internal, why), halted, None);
        }
    };
    let which = (&job.task, job.attempt);
    let slot = match slots::ready(&shop, slot, &spec, which, stop.clone()).await {
        Ok(slot) => slot,
        Err(unready) => {
            return ended(job, failed(FailureClass::Setup, unready.why), unready.halted, None);
        }
    };
    let listener = around.known.as_ref().map(Known::listener);
    let telling = around.known.as_ref().map(Known::tell);
    let report = shop.supervisor.run_heard(spec, stop, listener).await;
    drop(telling);
    let report = match report {
        Ok(report) => report,
        Err(error) => {
            return ended(job, failed(FailureClass::Internal, line(&error)), false, None);
        }
    };
    if let Err(error) = keep::passed("launch.ended") {
        return ended(job, failed(FailureClass::Internal, line(&error)), false, None);
    }
    blocking(move || {
        let Around { guard, known } = around;
        let told = known.map(|known| known.conclude(&shop, &run, &job.task));
        close(&shop, job, (slot, &guard), (&report, told))
    })
    .await
}

/// What is round an agent while it runs.
struct Around {
    guard: Guard,
    known: Option<Known>,
}

/// The slot with everything in it, and what to run.
fn set_up(shop: &Shop, run: &Run, job: &Job) -> Result<(Slot, Spec, Around), String> {
    let plan = shop.plan();
    let planned = plan.task(&job.task).ok_or("no such task in the plan")?;
    let make = || shop.slots.take(&job.base, &job.slot);
    let slot = healed(shop, make).map_err(|error| line(&error))?;
    keep::passed("launch.slot-made").map_err(|error| line(&error))?;
    let packet = furnish(shop, run, planned, &slot)?;
    let agent = shop
        .agents
        .get(&job.agent)
        .ok_or_else(|| format!("agent '{}' is not configured here", job.agent))?;
    let adapter = agent.adapter();
    let mut names = shop.env_names.clone();
    names.extend(adapter.iter().flat_map(|adapter| adapter.environment()));
    let setting = Setting {
        task: &job.task,
        attempt: job.attempt,
        base: &job.base,
        mark: &job.mark,
        names: &names,
    };
    let mut env = setting.environment(shop, &slot)?;
    let guard = shop.confinement.guard(agent.program(), &slot, &shop.incoming)?;
    guard.set(&mut env);
    if let Some(adapter) = adapter {
        env.extend(adapter.sets.iter().map(|(name, value)| (name.into(), value.into())));
    }
    let session =
        job.resumes.as_deref().zip(adapter).and_then(|(session, adapter)| {
            sessions::bring(shop, &job.task, adapter, session, &env)
        });
    let file = slot.inbox.join("prompt.md");
    let session = session.as_deref();
    let telling = Telling { packet: &packet, text: &planned.text, file: &file, session };
    let invocation = agent.invocation(&telling).map_err(|error| line(&error))?;
    let known = adapter.map(|adapter| {
        let path = live::path(&shop.live, &job.task, job.attempt);
        Known::new(adapter, shop, path, &env)
    });
    let spec = Spec {
        program: invocation.program,
        args: invocation.args,
        cwd: slot.tree.clone(),
        env,
        stdin: invocation.stdin,
        limits: limits(shop, planned),
        output: OutputSpec {
            live: Some(shop.live.join(format!("{}.{}.out", job.task, job.attempt))),
            head: KEPT,
            tail: KEPT,
        },
        fence: Some(guard.fence.clone()),
    };
    Ok((slot, spec, Around { guard, known }))
}

pub(super) fn limits(shop: &Shop, planned: &PlannedTask) -> Limits {
    let some = |ms: u64| (ms > 0).then(|| Duration::from_millis(ms));
    Limits {
        wall: some(planned.limits.wall_ms),
        idle: some(planned.limits.idle_ms),
        grace: shop.grace,
    }
}

/// Puts the prompt and the artifacts that the step reads into the slot's inbox.
fn furnish(shop: &Shop, run: &Run, planned: &PlannedTask, slot: &Slot) -> Result<String, String> {
    let failed = |error: &dyn std::error::Error| line(error);
    let tip = shop
        .chains
        .tip(&RefName::run(&run.id))
        .map_err(|error| failed(&error))?
        .ok_or("the run has no chain")?;
    let read = |path: &str| shop.chains.file(&tip, path).map_err(|error| failed(&error));
    let packet = read(&format!("{}/packet.md", folder(&planned.id)))?.unwrap_or_default();
    fs::write(slot.inbox.join("prompt.md"), &packet).map_err(|error| failed(&error))?;
    if let Some(item) = &planned.item {
        fs::write(slot.inbox.join("item"), item).map_err(|error| failed(&error))?;
    }
    let plan = shop.plan();
    for name in &planned.reads {
        let maker = plan.tasks.iter().find(|task| task.output.as_ref() == Some(name));
        let Some(maker) = maker else { continue };
        if let Some(bytes) = read(&format!("{}/out/{name}", folder(&maker.id)))? {
            fs::write(slot.inbox.join(name), bytes).map_err(|error| failed(&error))?;
        }
    }
    Ok(String::from_utf8_lossy(&packet).into_owned())
}

/// Harvests, keeps, and only then gives the slot back.
fn close(
    shop: &Shop,
    job: Job,
    (slot, guard): (Slot, &Guard),
    (report, told): (&Report, Option<Told>),
) -> Input {
    let changed = guard.settle();
    let halted = matches!(report.stopped_by, Some(Stop::Cancelled | Stop::Killed));
    // That counts for more than how the agent ended, and than who stopped it.
    let halted = halted && changed.is_none();
    let known = |ending| match &changed {
        Some(why) => failed(FailureClass::RepositoryChanged, why.clone()),
        None => ending,
    };
    let left = |work, files| Some((report, told.as_ref(), work, files));
    let words = told.as_ref().map(Told::words);
    let mut files = keep::files(&job.task, &slot.outbox, report, words);
    note_transcript(shop, &job, report, &mut files);
    let meta = keep::meta(shop, &job.task, job.attempt, &job.agent);
    let take = || {
        healed(shop, || harvest(&slot, &meta)).inspect_err(|error| {
            if error.lacks_room() {
                shop.run_out();
            }
        })
    };
    let harvested = match roomy(shop, take) {
        Ok(harvested) => harvested,
        // Not even there: the attempt stays open, and its slot, for whoever makes
        // room and resumes.
        Err(_) if shop.was_full() && changed.is_none() => {
            return Input::Unjudged { task: job.task, why: None };
        }
        Err(error) => {
            let class = match &error {
                HarvestError::SlotGone(_) => FailureClass::SlotGone,
                _ => FailureClass::Internal,
            };
            let why = format!("{} (its slot stays at '{}')", line(&error), slot.dir.display());
            let ending = known(failed(class, why));
            return ended(job, ending, halted, left(Work::default(), files));
        }
    };
    let name = RefName::work(shop.id(), &job.task, job.attempt);
    let pin = || {
        keep::point(shop, &name, &harvested.commit)?;
        keep::pin_strays(shop, &harvested)?;
        keep::passed("harvest.pinned")
    };
    if let Err(error) = roomy(shop, pin) {
        if shop.was_full() && changed.is_none() {
            return Input::Unjudged { task: job.task, why: None };
        }
        let why = format!("{} (its slot stays at '{}')", line(&error), slot.dir.display());
        let work = keep::adopt(&harvested);
        let ending = known(failed(FailureClass::Internal, why));
        return ended(job, ending, halted, left(work, files));
    }
    let plan = shop.plan();
    let planned = plan.task(&job.task);
    let ending = bounded(judge(report, told.as_ref(), planned, &harvested), report);
    let mut ending = known(ending);
    if ending == Ending::Finished && !halted {
        let refused = planned.and_then(|planned| expand::refused(&plan, planned, &mut files));
        ending = refused.unwrap_or(ending);
    }
    let mut work = keep::adopt(&harvested);
    work.left_out.extend(slots::give_back(shop, slot, report));
    ended(job, ending, halted, left(work, files))
}

/// Keeps what was printed. The words are a convenience, the work is not: a full
/// disk must not cost it.
fn note_transcript(shop: &Shop, job: &Job, report: &Report, files: &mut Files) {
    let told = match shop.was_full() {
        true => Err("no space left".to_owned()),
        false => {
            keep::transcript(shop, &job.task, job.attempt, "", report).map_err(|error| line(&error))
        }
    };
    if let Err(why) = told {
        let name = format!("{}/no-transcript.txt", folder(&job.task));
        files.insert(name, Some(why.into_bytes()));
    }
}

/// What is left of an attempt.
type Left<'a> = (&'a Report, Option<&'a Told>, Work, Files);

fn ended(job: Job, ending: Ending, halted: bool, left: Option<Left<'_>>) -> Input {
    let (output, work, files) = match left {
        Some((report, told, work, files)) => (output(report, told), work, files),
        None => (Output::default(), Work::default(), Files::new()),
    };
    let (task, attempt) = (job.task, job.attempt);
    Input::Ended { task, attempt, ending, halted, work: Box::new(work), output, files }
}

fn output(report: &Report, told: Option<&Told>) -> Output {
    Output {
        bytes: report.stdout.bytes + report.stderr.bytes,
        sha256: report.stdout.sha256.clone(),
        err_sha256: Some(report.stderr.sha256.clone()),
        leaked: report.leaked.iter().take(20).cloned().collect(),
        account: told.map(|told| told.account.clone()).unwrap_or_default(),
    }
}
