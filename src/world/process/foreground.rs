//! A program on the user's own terminal, and waiting there: for what a person
//! looks at and may interrupt.
//!
//! Promises: the program gets this process's streams, environment and process
//! group, so its pager and its questions work and Ctrl-C reaches it; this process
//! outlives that Ctrl-C to hand on the program's answer.
//!
//! Limit: signals are held back in the calling thread only; where another thread
//! has them at their default, Ctrl-C ends this process as well.

use std::ffi::{OsStr, OsString};
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use super::{ProcessError, gate};

/// Runs a program in the foreground to its end. Answers its exit code, 128 and
/// the signal's number where a signal ended it, as a shell does.
///
/// # Errors
/// [`ProcessError::Spawn`] when it can't be started, [`ProcessError::Io`] when it
/// can't be waited for.
pub fn foreground(program: &OsStr, args: &[OsString], cwd: &Path) -> Result<i32, ProcessError> {
    let name = program.to_string_lossy().into_owned();
    #[expect(clippy::disallowed_methods, reason = "this is the spawn point of the foreground")]
    let mut command = Command::new(program);
    command.args(args).current_dir(cwd);
    let (mut child, ours) = gate::spawn(|| command.spawn().map(|child| (child.id(), child)))
        .map_err(|source| ProcessError::Spawn { program: name.clone(), source })?;
    // Held back only now: a mask would be inherited.
    let held = HeldBack::take();
    let status = child.wait();
    drop(ours);
    if let Ok(held) = held {
        held.release();
    }
    let status = status.map_err(|source| ProcessError::Io { subject: name, source })?;
    Ok(status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default()))
}

/// Lets time pass; `true` when a person interrupted before it was over.
#[must_use]
pub fn pause(time: Duration) -> bool {
    let Ok(held) = HeldBack::take() else {
        std::thread::sleep(time);
        return false;
    };
    let timeout = PollTimeout::try_from(time).unwrap_or(PollTimeout::MAX);
    let mut fds = [PollFd::new(held.signals.as_fd(), PollFlags::POLLIN)];
    // An interrupted wait is a short one.
    let _ = poll(&mut fds, timeout);
    held.release()
}

/// Ctrl-C and Ctrl-\ held back from the calling thread.
struct HeldBack {
    signals: SignalFd,
    before: SigSet,
}

impl HeldBack {
    fn take() -> nix::Result<Self> {
        let set: SigSet = [Signal::SIGINT, Signal::SIGQUIT].into_iter().collect();
        let signals = SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
        let before = SigSet::thread_get_mask()?;
        set.thread_block()?;
        Ok(Self { signals, before })
    }

    /// Takes those that came, which would otherwise end us now; `true` when
    /// there were any.
    fn release(self) -> bool {
        let mut came = false;
        while let Ok(Some(_)) = self.signals.read_signal() {
            came = true;
        }
        // What can't be put back was only held back.
        let _ = self.before.thread_set_mask();
        came
    }
}
