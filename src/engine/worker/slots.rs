//! An attempt's slot before its agent starts and after it has ended.

use std::sync::Arc;

use tokio::sync::watch;

use crate::domain::id::TaskId;
use crate::world::process::{End, Limits, OutputSpec, Report, Spec, Stdin, Stop, StopRequest};
use crate::world::slots::Slot;

use super::{Shop, blocking, keep, line};

/// How many first and last bytes of each stream of a setup are kept.
const KEPT: usize = 1 << 20;

/// The most characters of a setup's last line that a failure tells.
const TOLD: usize = 200;

/// Why a slot is not ready: in words, and whether somebody stopped it.
pub(super) struct Unready {
    pub(super) why: String,
    pub(super) halted: bool,
}

impl From<String> for Unready {
    fn from(why: String) -> Self {
        Self { why, halted: false }
    }
}

/// Makes a slot ready for builds: submodules, large files, copies, and the setup
/// command where it is due. `agent` is how the agent will run: the command may do
/// what the agent may, no more, for it runs what earlier agents have written.
pub(super) async fn ready(
    shop: &Arc<Shop>,
    slot: Slot,
    agent: &Spec,
    (task, attempt): (&TaskId, u32),
    stop: watch::Receiver<StopRequest>,
) -> Result<Slot, Unready> {
    let given = Arc::clone(shop);
    let done = blocking(move || furnish(&given, slot)).await?;
    let Due { mut slot, stamp, before } = done;
    let (Some(command), Some(stamp)) = (&shop.provision.setup, stamp) else { return Ok(slot) };
    let spec = spec(shop, agent, command, &format!("{task}.{attempt}.setup.out"));
    let report = match shop.supervisor.run(spec, stop).await {
        Ok(report) => report,
        Err(error) => return Err(discard(shop, slot, line(&error)).await),
    };
    let fault = fault(command, &report);
    let halted = matches!(report.stopped_by, Some(Stop::Cancelled | Stop::Killed));
    let (given, name) = (Arc::clone(shop), task.clone());
    // What it printed is a convenience; the failure tells its last line.
    let _ = blocking(move || keep::transcript(&given, &name, attempt, "setup-", &report)).await;
    if let Some(why) = fault {
        return Err(Unready { halted, ..discard(shop, slot, why).await });
    }
    let recorded = slot.record_setup(stamp, &before).map_err(|error| line(&error));
    match recorded {
        Ok(()) => Ok(slot),
        Err(why) => Err(discard(shop, slot, why).await),
    }
}

/// A slot and, if its setup is due, the stamp of that.
struct Due {
    slot: Slot,
    stamp: Option<String>,
    before: Vec<Vec<u8>>,
}

fn furnish(shop: &Shop, mut slot: Slot) -> Result<Due, String> {
    let provision = &shop.provision;
    let came = shop.slots.furnish(&mut slot, provision.copying.as_ref());
    let due = came.and_then(|came| {
        tracing::debug!(?came, slot = slot.key, "furnished");
        let stamp = provision.setup.as_ref().map(|c| slot.setup_stamp(c, &provision.setup_key));
        let stamp = stamp.filter(|stamp| !slot.is_set_up(stamp));
        let before = if stamp.is_some() { slot.untracked()? } else { Vec::new() };
        Ok((stamp, before))
    });
    match due {
        Ok((stamp, before)) => Ok(Due { slot, stamp, before }),
        Err(error) => Err(removed(shop, &slot, line(&error))),
    }
}

/// Removes a slot in which nobody has worked yet; the fault, with what went wrong
/// on the way.
fn removed(shop: &Shop, slot: &Slot, why: String) -> String {
    match shop.slots.remove(slot) {
        Ok(()) => why,
        Err(error) => format!("{why}; then: {}", line(&error)),
    }
}

async fn discard(shop: &Arc<Shop>, slot: Slot, why: String) -> Unready {
    let shop = Arc::clone(shop);
    blocking(move || removed(&shop, &slot, why)).await.into()
}

fn spec(shop: &Shop, agent: &Spec, command: &str, live: &str) -> Spec {
    Spec {
        program: "sh".into(),
        args: vec!["-c".into(), command.into()],
        stdin: Stdin::Null,
        limits: Limits { wall: Some(shop.provision.setup_limit), idle: None, grace: shop.grace },
        output: OutputSpec { live: Some(shop.live.join(live)), head: KEPT, tail: KEPT },
        ..agent.clone()
    }
}

/// What went wrong, if something did.
fn fault(command: &str, report: &Report) -> Option<String> {
    let what = match (&report.stopped_by, &report.end) {
        (None, End::Exited(0)) => return None,
        (Some(Stop::Wall | Stop::Idle), _) => {
            format!("was stopped after {:.0} s (crew.setupTimeout)", report.took.as_secs_f32())
        }
        (Some(Stop::Cancelled | Stop::Killed), _) => "was stopped".to_owned(),
        (None, End::Exited(code)) => format!("exited with {code}"),
        (None, End::Signalled(signal, _)) => format!("was ended by signal {signal}"),
        (None, End::NotFound | End::NotExecutable) => "needs sh, which can't be run".to_owned(),
        (None, End::CannotStart(why)) => format!("can't be started: {why}"),
        (None, End::Lost) => "lost its supervisor".to_owned(),
    };
    let said = [report.stderr.text(), report.stdout.text()];
    let last = said.iter().filter_map(|text| text.lines().rfind(|line| !line.trim().is_empty()));
    let last: String = last.take(1).flat_map(|line| line.trim().chars().take(TOLD)).collect();
    let last = if last.is_empty() { last } else { format!(": {last}") };
    Some(format!("the setup '{command}' {what}{last}"))
}

/// Gives back a slot whose work is pinned; with processes in it that can't be
/// killed it is removed instead. The fault, if it could not be done.
pub(super) fn give_back(shop: &Shop, slot: Slot, report: &Report) -> Option<(String, String)> {
    let name = slot.dir.display().to_string();
    let haunted = report.leaked.iter().any(|left| left.starts_with("unkillable"));
    let done = match haunted {
        true => shop.slots.remove(&slot),
        false => shop.slots.give_back(slot).map(|_| ()),
    };
    done.err().map(|error| (name, line(&error)))
}
