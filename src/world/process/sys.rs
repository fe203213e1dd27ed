//! The few kernel calls that have no safe wrapper in the standard library or
//! in nix: process descriptors, `fork`, `close_range`, signals back to default.
//!
//! Promises: this is the only file of the crate with `unsafe` in it. Limits:
//! Linux 5.11 and later (`close_range` with `CLOEXEC`).

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::Signal;
use nix::unistd::Pid;

/// One incarnation of a process: a signal sent through it never reaches a
/// later process of the same number.
pub(super) struct PidFd(OwnedFd);

impl PidFd {
    /// Opens the process that has this number now. What was known of the
    /// number before must be checked again after this call.
    pub(super) fn open(pid: Pid) -> io::Result<Self> {
        // SAFETY: the call takes two integers and touches no memory of ours.
        #[expect(unsafe_code, reason = "nix has no pidfd_open")]
        let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), 0) };
        let fd = i32::try_from(Errno::result(fd)?).map_err(io::Error::other)?;
        // SAFETY: the kernel has just made this descriptor for us alone.
        #[expect(unsafe_code, reason = "the kernel's answer becomes an owned descriptor")]
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Sends a signal to exactly this process. `ESRCH` means it is gone.
    pub(super) fn send(&self, signal: Signal) -> Result<(), Errno> {
        let no_info = std::ptr::null::<libc::siginfo_t>();
        let fd = self.0.as_raw_fd();
        // SAFETY: the null pointer asks the kernel to fill in the information.
        #[expect(unsafe_code, reason = "nix has no pidfd_send_signal")]
        let done = unsafe {
            libc::syscall(libc::SYS_pidfd_send_signal, fd, signal as libc::c_int, no_info, 0)
        };
        Errno::result(done).map(|_| ())
    }
}

impl AsFd for PidFd {
    /// Readable as soon as the process has ended.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Exit {
    /// Its number, free again.
    pub(super) pid: i32,
    /// The code it gave, unless a signal ended it.
    pub(super) code: Option<i32>,
    /// The signal that ended it, real-time signals included.
    pub(super) signal: Option<i32>,
    /// Whether the kernel wrote a core.
    pub(super) core: bool,
}

/// Takes one ended child of `pid` (all children for `None`) without waiting.
/// `ECHILD` is proof that there are no children, and in a subreaper that there
/// are no descendants.
pub(super) fn reap(pid: Option<i32>) -> Result<Option<Exit>, Errno> {
    let mut status: libc::c_int = 0;
    // SAFETY: `status` is a live integer that the kernel writes to.
    #[expect(
        unsafe_code,
        reason = "nix's waitpid takes a death by a real-time signal for an error"
    )]
    let pid = unsafe { libc::waitpid(pid.unwrap_or(-1), &raw mut status, libc::WNOHANG) };
    let pid = Errno::result(pid)?;
    if pid == 0 {
        return Ok(None);
    }
    let signalled = libc::WIFSIGNALED(status);
    Ok(Some(Exit {
        pid,
        code: libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status)),
        signal: signalled.then(|| libc::WTERMSIG(status)),
        core: signalled && libc::WCOREDUMP(status),
    }))
}

/// Forks a process that has one thread: `None` in the child.
pub(super) fn fork() -> io::Result<Option<Pid>> {
    // SAFETY: only the shim calls this, before it has started any thread, so
    // the child may do whatever the parent may.
    #[expect(unsafe_code, reason = "fork is unsafe because of threads; the shim has one")]
    let forked = unsafe { nix::unistd::fork() }?;
    Ok(match forked {
        nix::unistd::ForkResult::Parent { child } => Some(child),
        nix::unistd::ForkResult::Child => None,
    })
}

/// The version of landlock that the kernel has.
pub(in crate::world) fn landlock_abi() -> Result<u32, Errno> {
    const VERSION: libc::c_uint = 1;
    let nothing = std::ptr::null::<libc::c_void>();
    // SAFETY: with this flag the call takes no memory and makes nothing.
    #[expect(unsafe_code, reason = "the landlock crate does not tell the version")]
    let abi =
        unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, nothing, 0_usize, VERSION) };
    Errno::result(abi).map(|abi| u32::try_from(abi).unwrap_or(0))
}

/// Sets a limit of another process to what it is: whether that is let through.
pub(in crate::world) fn change_limit(pid: Pid) -> Result<(), Errno> {
    let kind = libc::RLIMIT_CORE;
    let mut limit = libc::rlimit64 { rlim_cur: 0, rlim_max: 0 };
    let none = std::ptr::null::<libc::rlimit64>();
    // SAFETY: the kernel reads and writes one live structure of the right type.
    #[expect(unsafe_code, reason = "nix has no prlimit")]
    let done = unsafe {
        libc::prlimit64(pid.as_raw(), kind, none, &raw mut limit);
        libc::prlimit64(pid.as_raw(), kind, &raw const limit, std::ptr::null_mut())
    };
    Errno::result(done).map(|_| ())
}

/// Marks every descriptor from 3 up to be closed by the next `exec`.
pub(super) fn close_on_exec_from_3() -> io::Result<()> {
    let flags = libc::CLOSE_RANGE_CLOEXEC;
    // SAFETY: three integers; descriptors stay open for their owners here.
    #[expect(unsafe_code, reason = "nix has no close_range")]
    let done = unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, flags) };
    Errno::result(done)?;
    Ok(())
}

/// Every signal back to its default action, real-time signals included.
pub(super) fn default_signals() {
    for signal in 1..=libc::SIGRTMAX() {
        // SAFETY: no handler of ours runs any more; KILL, STOP and the two that
        // the C library keeps for itself answer with an error, which is right.
        #[expect(unsafe_code, reason = "nix's signal() takes no real-time signals")]
        unsafe {
            libc::signal(signal, libc::SIG_DFL);
        }
    }
}
