//! An agent's session from one attempt to the next: its file is kept beside the
//! live output of the run, since the state that it was written to may be private
//! to the attempt.
//!
//! Limits: a session is kept as long as the run is worked on; where its file is
//! not found, or is too long, the next attempt begins anew.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::domain::account::Account;
use crate::domain::attempt::{Attempt, Ending, FailureClass};
use crate::domain::id::TaskId;
use crate::domain::run::Run;
use crate::world::agents::{Adapter, Agent};

use super::Shop;

/// The longest session that is kept.
const MOST: u64 = 64 << 20;

/// The folder of a task's sessions, of one agent's program.
fn folder(shop: &Shop, task: &TaskId, adapter: &Adapter) -> PathBuf {
    shop.live.join("sessions").join(task.as_str()).join(adapter.name)
}

/// Where the program keeps its state, by the environment that it is given.
fn state(adapter: &Adapter, env: &[(OsString, OsString)]) -> Option<PathBuf> {
    adapter.state_folder(|name| {
        env.iter().find(|(key, _)| key == OsStr::new(name)).map(|(_, value)| value.clone())
    })
}

/// The session that the next attempt of a task goes on with, if this agent
/// played the last one and its session was kept.
pub(super) fn next(shop: &Shop, run: &Run, id: &TaskId, agent: &str) -> Option<String> {
    let adapter = shop.agents.get(agent)?.adapter()?;
    let last = run.task(id)?.last().filter(|last| last.agent == agent && goes_on(last))?;
    let session = last.output.as_ref()?.account.session.clone()?;
    adapter.session_file(&folder(shop, id, adapter), &session).map(|_| session)
}

/// Whether the conversation of an attempt is worth going on with.
fn goes_on(attempt: &Attempt) -> bool {
    match &attempt.ending {
        // It did not fit any more, or led to a refusal; one that could not be
        // taken up is not tried twice.
        Some(Ending::Failed { class: FailureClass::Context | FailureClass::Refused, .. }) => false,
        Some(Ending::Failed { class: FailureClass::Crash, .. }) => attempt.resumes.is_none(),
        Some(Ending::Failed { .. } | Ending::Finished | Ending::Interrupted) => true,
        Some(Ending::Cancelled) | None => false,
    }
}

/// Keeps the session of an attempt that has ended.
pub(super) fn keep(
    shop: &Shop,
    task: &TaskId,
    adapter: &Adapter,
    session: &str,
    env: &[(OsString, OsString)],
) {
    let Some(state) = state(adapter, env) else { return };
    let Some(file) = adapter.session_file(&state, session) else { return };
    let Ok(below) = file.strip_prefix(&state) else { return };
    // Without it the next attempt begins anew.
    let _ = copy(&file, &folder(shop, task, adapter).join(below));
}

/// The same for an attempt that nobody looked after to its end, as far as its
/// session is where the user's own are.
pub fn keep_session(shop: &Shop, task: &TaskId, agent: &str, account: &Account) {
    let adapter = shop.agents.get(agent).and_then(Agent::adapter);
    if let (Some(adapter), Some(session)) = (adapter, &account.session) {
        keep(shop, task, adapter, session, &shop.incoming.whole());
    }
}

/// Puts a kept session into the state of a new attempt; what names it in the
/// program's call.
pub(super) fn bring(
    shop: &Shop,
    task: &TaskId,
    adapter: &Adapter,
    session: &str,
    env: &[(OsString, OsString)],
) -> Option<OsString> {
    let state = state(adapter, env)?;
    if let Some(there) = adapter.session(&state, session) {
        return Some(there);
    }
    let kept = folder(shop, task, adapter);
    let file = adapter.session_file(&kept, session)?;
    copy(&file, &state.join(file.strip_prefix(&kept).ok()?)).ok()?;
    adapter.session(&state, session)
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    if fs::metadata(from)?.len() > MOST {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::copy(from, to).map(drop)
}
