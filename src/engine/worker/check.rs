//! The checks of an attempt's result, in a fresh checkout of its commit.
//!
//! A check is fenced in as its agent was, and sees none of the user's secrets in
//! its environment. Nothing keeps it from reading the user's files, from the
//! network, or from commands that the candidate changed.

use std::sync::Arc;

use tokio::sync::watch;

use crate::domain::attempt::{CheckRun, Judgement, Verdict};
use crate::domain::id::{Oid, TaskId};
use crate::domain::plan::PlannedTask;
use crate::domain::run::Run;
use crate::world::process::{End, OutputSpec, Report, Spec, Stdin, Stop, StopRequest};
use crate::world::slots::Slot;

use super::super::confinement::Guard;
use super::super::io::{Files, Input};
use super::setting::Setting;
use super::{Shop, agent, blocking, healed, keep, line};

/// How many first and last bytes of each stream are kept.
const KEPT: usize = 1 << 20;

/// The most bytes of all checks' output that a verdict keeps.
const TAILS: usize = 24 << 10;

/// What is checked.
struct Job {
    task: TaskId,
    attempt: u32,
    commit: Oid,
    tree: Oid,
    mark: String,
    slot: String,
}

/// Runs the checks of an attempt, one after the other, up to the first that
/// fails.
pub async fn check(
    shop: Arc<Shop>,
    run: Run,
    task: TaskId,
    attempt: u32,
    stop: watch::Receiver<StopRequest>,
) -> Input {
    let name = task.clone();
    let unjudged = |why: Option<String>| Input::Unjudged { task: name.clone(), why };
    let last = run.task(&task).and_then(|task| task.last());
    let work = last.and_then(|last| last.work.as_ref());
    let found = work.and_then(|work| Some((work.commit.clone()?, work.tree.clone()?)));
    let (Some((commit, tree)), Some(last)) = (found, last) else {
        return unjudged(Some("internal error: nothing to check".to_owned()));
    };
    let mark = crate::domain::prompt::Mark::new(shop.random.bytes16()).as_str().to_owned();
    let slot = format!("{}-check-{}", last.slot, mark.get(..6).unwrap_or_default());
    let job = Job { task, attempt, commit, tree, mark, slot };
    match judge(&shop, job, stop).await {
        Ok(Some(input)) => input,
        Ok(None) => unjudged(None),
        Err(_) if shop.is_out_of_room() => unjudged(None),
        Err(why) => unjudged(Some(why)),
    }
}

async fn judge(
    shop: &Arc<Shop>,
    job: Job,
    stop: watch::Receiver<StopRequest>,
) -> Result<Option<Input>, String> {
    let plan = shop.plan();
    let planned = plan.task(&job.task).ok_or("no such task in the plan")?;
    let made = {
        let (shop, commit, key) = (Arc::clone(shop), job.commit.clone(), job.slot.clone());
        blocking(move || healed(&shop, || shop.checkouts.make(&commit, &key))).await
    };
    let slot = made.map_err(|error| format!("no checkout for its checks: {}", line(&error)))?;
    let own = planned.checks.iter().map(|command| (command, false));
    let checks: Vec<_> = own.chain(planned.plan_checks.iter().map(|c| (c, true))).collect();
    let share = TAILS / checks.len().max(1);
    let mut runs = Vec::new();
    let mut stopped = false;
    for (index, (command, from_plan)) in checks.into_iter().enumerate() {
        let guard = shop.confinement.guard("", &slot, &shop.incoming)?;
        let spec = spec(shop, &job, &slot, command, (planned, &guard))?;
        let report = shop.supervisor.run(spec, stop.clone()).await.map_err(|error| line(&error))?;
        if let Some(why) = guard.settle() {
            return Err(format!("check '{command}': {why}"));
        }
        stopped = matches!(report.stopped_by, Some(Stop::Cancelled | Stop::Killed));
        if stopped {
            break;
        }
        let store = Arc::clone(shop);
        let (task, attempt) = (job.task.clone(), job.attempt);
        let what = format!("check-{}-", index + 1);
        let run = CheckRun { from_plan, ..check_run(command, &report, share) };
        // The verdict holds the end of the output; the rest is a convenience.
        let _ = blocking(move || keep::transcript(&store, &task, attempt, &what, &report)).await;
        let failed = !run.passed();
        runs.push(run);
        if failed {
            break;
        }
    }
    let sweeper = Arc::clone(shop);
    // What can't be removed now is swept by a later run.
    let _ = blocking(move || sweeper.checkouts.remove(&slot)).await;
    if stopped {
        return Ok(None);
    }
    keep::passed("check.done").map_err(|error| line(&error))?;
    let passed = runs.iter().all(CheckRun::passed);
    let result = match passed {
        false => Judgement::Failed,
        // what an agent chose as its test verifies nothing
        true if planned.checks.is_empty() => Judgement::Unverified,
        true => Judgement::Passed,
    };
    let sandbox = shop.confinement.verdict();
    let verdict = Verdict { result, tree: job.tree, checks: runs, sandbox };
    let files = Files::new();
    Ok(Some(Input::Judged { task: job.task, attempt: job.attempt, verdict, files }))
}

fn spec(
    shop: &Shop,
    job: &Job,
    slot: &Slot,
    command: &str,
    (planned, guard): (&PlannedTask, &Guard),
) -> Result<Spec, String> {
    let setting = Setting {
        task: &job.task,
        attempt: job.attempt,
        base: &job.commit,
        mark: &job.mark,
        // A check sees none of the user's secrets.
        names: &[],
    };
    let mut env = setting.environment(shop, slot)?;
    guard.set(&mut env);
    Ok(Spec {
        program: "sh".into(),
        args: vec!["-c".into(), command.into()],
        cwd: slot.tree.clone(),
        env,
        stdin: Stdin::Null,
        limits: agent::limits(shop, planned),
        output: OutputSpec {
            live: Some(shop.live.join(format!("{}.{}.check.out", job.task, job.attempt))),
            head: KEPT,
            tail: KEPT,
        },
        fence: Some(guard.fence.clone()),
    })
}

fn check_run(command: &str, report: &Report, share: usize) -> CheckRun {
    let code = match (&report.end, report.stopped_by) {
        (End::Exited(code), None) => Some(*code),
        (
            End::Exited(_)
            | End::Signalled(..)
            | End::NotFound
            | End::NotExecutable
            | End::CannotStart(_)
            | End::Lost,
            _,
        ) => None,
    };
    let mut text = report.stdout.text();
    text.push_str(&report.stderr.text());
    if let Some(stop) = report.stopped_by {
        let limit = if stop == Stop::Idle { "idle" } else { "time" };
        text.push_str(&format!("\n[stopped: over its {limit} limit]\n"));
    }
    CheckRun {
        command: command.to_owned(),
        code,
        took_ms: u64::try_from(report.took.as_millis()).unwrap_or(u64::MAX),
        sha256: report.stdout.sha256.clone(),
        err_sha256: Some(report.stderr.sha256.clone()),
        tail: keep::last(&text, share),
        from_plan: false,
    }
}
