//! A panic is a bug of ours. What a person is told of it: that it is one, where
//! the state is, and that nothing acknowledged is lost.
//!
//! A panic on a worker's thread ends its task, not the command; it is told when
//! the command ends, and no such command ends well unless the run did.

use std::backtrace::Backtrace;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::{Mutex, PoisonError};

use super::cli::attended;
use super::cli::ctx::Ctx;
use super::exit::Exit;
use super::fault::Fault;

/// The first panic of the process, in words.
static FIRST: Mutex<Option<String>> = Mutex::new(None);

/// From now on panics are noted instead of printed.
pub fn watch() {
    panic::set_hook(Box::new(note));
}

fn note(panic: &PanicHookInfo<'_>) {
    let words = panic.payload_as_str().unwrap_or("a panic without words");
    let place = panic.location().map(|at| format!(" ({}:{})", at.file(), at.line()));
    let told = format!("{words}{}", place.unwrap_or_default());
    tracing::error!("panic: {told}\n{}", Backtrace::force_capture());
    FIRST.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(told);
}

/// Does the command's work; a panic of it, or of a worker of it, is told.
pub fn guarded(ctx: &mut Ctx<'_>, work: impl FnOnce(&mut Ctx<'_>) -> Exit) -> Exit {
    // What the work leaves half done in the context is not looked at again.
    let done = panic::catch_unwind(AssertUnwindSafe(|| work(ctx)));
    let first = FIRST.lock().unwrap_or_else(PoisonError::into_inner).take();
    let exit = match (done, &first) {
        (Ok(exit), None) => return exit,
        (Ok(Exit::Ok), Some(_)) => Exit::Ok,
        (Ok(_) | Err(_), _) => Exit::Internal,
    };
    let state = panic::catch_unwind(AssertUnwindSafe(|| {
        attended::place(ctx).ok().map(|place| place.store.common_dir().to_owned())
    }));
    let state = match state {
        Ok(Some(dir)) => format!("refs/crew of '{}'", dir.display()),
        Ok(None) | Err(_) => "refs/crew of the repository".to_owned(),
    };
    ctx.out.fault(&fault(&first.unwrap_or_default(), &state));
    exit
}

fn fault(words: &str, state: &str) -> Fault {
    let version = env!("CARGO_PKG_VERSION");
    let error = format!("this is a bug in git-crew {version}: {words}");
    let mut fault = Fault::new(Exit::Internal, error);
    fault.causes.push(format!("nothing that was acknowledged is lost: it is in {state}"));
    fault
        .hint("see where the runs stand: git crew status")
        .hint("go on with the newest: git crew resume")
        .hint("when you report it, add what the same command prints with CREW_LOG=error")
}
