//! The four things that take time: preparing an attempt's base and prompt,
//! running its agent and harvesting, checking its result, merging what
//! completed. Each is told what to do by the driver and answers with one input.

mod agent;
mod check;
mod ending;
mod expand;
mod heard;
mod keep;
mod merge;
mod prepare;
mod sessions;
mod setting;
mod slots;

pub use self::agent::launch;
pub use self::check::check;
pub use self::expand::expand;
pub use self::keep::{KEEP_MARK, adopt, meta, passed, pin_strays, point};
pub use self::merge::merge;
pub use self::prepare::prepare;
pub use self::sessions::keep_session;
pub use super::shop::Shop;

use crate::domain::id::TaskId;

/// The folder of a task in the run's tree.
pub(super) fn folder(task: &TaskId) -> String {
    format!("tasks/{task}")
}

/// An error and its causes in one line, each said once.
pub(super) fn line(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let said = inner.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = inner.source();
    }
    text
}

/// How often work is tried again that somebody's `git prune` got in the way of.
const TRIES: u32 = 4;

/// Lets git work on the repository; when that fails and objects were missing, or
/// for the first time, once more. Between a ref's move and the next look at the
/// objects, a prune beside us may have taken some of them.
pub fn healed<T, E>(shop: &Shop, mut work: impl FnMut() -> Result<T, E>) -> Result<T, E> {
    let mut tries = 0;
    loop {
        let error = match work() {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        let restored = shop.store.heal().unwrap_or(0);
        tries += 1;
        if tries >= TRIES || (restored == 0 && tries > 1) {
            return Err(error);
        }
    }
}

/// Does what needs room on the disk; when that is what it lacks, once more in the
/// room that was kept in reserve.
pub(super) fn roomy<T, E>(shop: &Shop, mut work: impl FnMut() -> Result<T, E>) -> Result<T, E> {
    match work() {
        Err(_) if shop.is_out_of_room() => work(),
        done => done,
    }
}

/// Runs what blocks on a thread that may block.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        // A panic on that thread is a panic of its caller.
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
