//! The process between the supervisor and a program: this program again, as
//! `git-crew __exec`, single-threaded, before any runtime is up.
//!
//! Promises: the program has a session of its own, default signals, three
//! descriptors, no way to gain privileges, the fence it was given, and dies
//! with its shim; the shim is
//! the new parent of whatever the program leaves behind, and ends only when
//! nothing is left under it (or the unkillable was named); when the supervisor
//! is gone, however it went, everything under the shim is killed.
//!
//! Limits: a program that kills its shim, or stops it again and again, is left
//! to the supervisor and to recovery (`sweep`).

use std::ffi::{CString, OsStr};
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use std::{fs, io};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigSet, Signal, kill, killpg};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::{Pid, chdir, dup2_stderr, dup2_stdin, dup2_stdout, execve, getppid, setsid};

use super::group::Group;
use super::sweep::{DEADLINE, MARK};
use super::wire::{self, KILL, Order, Step, TERM, Word};
use super::{inner, sys, tree};
use crate::world::fence::{Bounds, enforce};

/// How long the children of a program that has ended by itself may take to end
/// before they count as left behind.
const LINGER: Duration = Duration::from_millis(100);

/// Where programs are looked for when the environment has no `PATH`.
const DEFAULT_PATH: &[u8] = b"/usr/local/bin:/usr/bin:/bin";

/// Acts as the shim if the command line asks for it; the first thing that
/// `main` does. `None` means that this is an ordinary start.
#[must_use]
pub fn entry() -> Option<ExitCode> {
    let asked = std::env::args_os().nth(1).is_some_and(|arg| arg == wire::SHIM);
    if !asked {
        return inner::entry();
    }
    Some(match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    })
}

fn serve() -> io::Result<()> {
    let mut control = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    match Shim::start(control.try_clone()?) {
        Ok(shim) => shim.run(),
        Err(error) => {
            let errno = error.raw_os_error().unwrap_or_default();
            say(&mut control, &Word::CannotStart { step: Step::Prepare, errno });
            say(&mut control, &Word::nothing_left());
            Err(error)
        }
    }
}

fn say(control: &mut UnixStream, word: &Word) {
    // Without a supervisor there is nobody to tell.
    if let Ok(mut line) = serde_json::to_vec(word) {
        line.push(b'\n');
        let _ = control.write_all(&line);
    }
}

struct Shim {
    control: UnixStream,
    signals: SignalFd,
    /// Readable until the program is executed or can't be.
    failure: Option<File>,
    program: Pid,
    group: Option<Group>,
    ended: Option<sys::Exit>,
    termed: bool,
    killed: bool,
}

impl Shim {
    fn start(mut control: UnixStream) -> io::Result<Self> {
        SigSet::all().thread_block()?;
        let mut only = SigSet::empty();
        only.add(Signal::SIGCHLD);
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        let signals = SignalFd::with_flags(&only, flags)?;
        setsid()?;
        prctl::set_child_subreaper(true)?;
        // Should somebody have stopped this process when its parent dies, it
        // must run to see that; to a running process the signal is nothing.
        prctl::set_pdeathsig(Signal::SIGCONT)?;
        let null = File::options().read(true).write(true).open("/dev/null")?;
        dup2_stdin(&null)?;
        let order = wire::read_order(&mut control)?;
        let (failure, tell) = io::pipe()?;
        let me = Pid::this();
        let group = grouped(&order);
        let Some(program) = sys::fork()? else { become_program(&order, tell.into(), me, &group) };
        let group = group.unwrap_or_default();
        dup2_stdout(&null)?;
        dup2_stderr(&null)?;
        let failure = Some(File::from(OwnedFd::from(failure)));
        let (ended, termed, killed) = (None, false, false);
        Ok(Self { control, signals, failure, program, group, ended, termed, killed })
    }

    fn run(mut self) -> io::Result<()> {
        while self.ended.is_none() && !self.killed {
            self.wait(None)?;
            self.reap();
        }
        if let Some(exit) = self.ended {
            self.say_ended(exit);
        }
        let leaked = if self.killed { Vec::new() } else { self.linger()? };
        let unseen = self.ended.is_none();
        let unkillable = self.sweep()?;
        if let (true, Some(exit)) = (unseen, self.ended) {
            self.say_ended(exit);
        }
        let exceeded = self.group.as_ref().map(Group::exceeded).unwrap_or_default();
        // Its folder goes before the last word: the next look finds none.
        drop(self.group.take());
        say(&mut self.control, &Word::Swept { leaked, unkillable, exceeded });
        Ok(())
    }

    /// Sleeps until a command comes, a child ends or `timeout` is over.
    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        let timeout = timeout.map(|left| {
            PollTimeout::try_from(left + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX)
        });
        let mut fds = vec![PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
        if !self.killed {
            fds.push(PollFd::new(self.control.as_fd(), PollFlags::POLLIN));
        }
        match poll(&mut fds, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let command = fds.get(1).is_some_and(|fd| fd.any().unwrap_or(false));
        while let Ok(Some(_)) = self.signals.read_signal() {}
        if command {
            self.obey();
        }
        Ok(())
    }

    fn obey(&mut self) {
        let mut commands = [0; 16];
        match self.control.read(&mut commands) {
            Ok(n) if n > 0 => {
                let commands = commands.get(..n).unwrap_or_default();
                self.killed |= commands.contains(&KILL);
                if commands.contains(&TERM) && self.ended.is_none() {
                    self.terminate();
                }
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            // The end, or an error: the supervisor is gone.
            Ok(_) | Err(_) => self.killed = true,
        }
    }

    /// `SIGTERM` to the program's group, awake enough to hear it. The program
    /// has not been waited for, so the number is its own.
    fn terminate(&mut self) {
        self.termed = true;
        for signal in [Signal::SIGTERM, Signal::SIGCONT] {
            if killpg(self.program, signal).is_err() {
                // Not yet leader of a group, or all in it changed their user.
                let _ = kill(self.program, signal);
            }
        }
    }

    /// Takes what has ended; `false` when there is nothing left to wait for.
    fn reap(&mut self) -> bool {
        loop {
            match sys::reap(None) {
                Ok(Some(exit)) if exit.pid == self.program.as_raw() => {
                    self.ended = Some(exit);
                }
                Ok(Some(_)) | Err(Errno::EINTR) => {}
                Ok(None) => return true,
                Err(_) => return false,
            }
        }
    }

    /// Gives the children of an ended program their moment (after a `SIGTERM`:
    /// until the supervisor loses patience); names those that are left.
    fn linger(&mut self) -> io::Result<Vec<String>> {
        let until = Instant::now() + LINGER;
        while self.reap() {
            let left = until.saturating_duration_since(Instant::now());
            if self.killed || (left.is_zero() && !self.termed) {
                return Ok(tree::names(&tree::descendants(Pid::this().as_raw())));
            }
            self.wait((!self.termed).then_some(left))?;
        }
        Ok(Vec::new())
    }

    /// Kills everything below until the kernel says that there is nothing.
    fn sweep(&mut self) -> io::Result<Vec<String>> {
        let me = Pid::this().as_raw();
        let until = Instant::now() + DEADLINE;
        while self.reap() {
            if Instant::now() > until {
                return Ok(tree::names(&tree::descendants(me)));
            }
            if let Some(group) = &self.group {
                group.kill();
            }
            tree::kill_all(
                || tree::descendants(me),
                |pid| tree::stat(pid).is_some_and(|stat| stat.parent == me),
            );
            self.killed = true;
            self.wait(Some(Duration::from_millis(20)))?;
        }
        Ok(Vec::new())
    }

    fn say_ended(&mut self, exit: sys::Exit) {
        let word = self.failed_start().unwrap_or(Word::Ended {
            code: exit.code,
            signal: exit.signal,
            core: exit.core,
        });
        say(&mut self.control, &word);
    }

    /// What the child said before it gave up, if it was not executed.
    fn failed_start(&mut self) -> Option<Word> {
        let mut text = Vec::new();
        self.failure.take()?.read_to_end(&mut text).ok()?;
        serde_json::from_slice(&text).ok()
    }
}

/// A group for what has a fence; an error where bounds can't be kept.
fn grouped(order: &Order) -> io::Result<Option<Group>> {
    let Some(fence) = &order.fence else { return Ok(None) };
    let mark = order.env.iter().find(|(key, _)| key == MARK.as_bytes());
    let mark = mark.map(|(_, value)| String::from_utf8_lossy(value)).unwrap_or_default();
    Group::make(&mark, fence.bounds)
}

/// Enters the group; one that only was a second net may be missing.
fn join(order: &Order, group: &io::Result<Option<Group>>) -> Result<(), String> {
    let bounded = order.fence.as_ref().is_some_and(|fence| fence.bounds != Bounds::default());
    match group {
        Err(error) => Err(error.to_string()),
        Ok(None) => Ok(()),
        Ok(Some(group)) => match group.enter() {
            Err(error) if bounded => Err(error.to_string()),
            Ok(()) | Err(_) => Ok(()),
        },
    }
}

/// The forked child: never returns.
fn become_program(order: &Order, tell: OwnedFd, shim: Pid, group: &io::Result<Option<Group>>) -> ! {
    let failed = |step, error: &io::Error| Word::CannotStart {
        step,
        errno: error.raw_os_error().unwrap_or_default(),
    };
    let word = if let Err(error) = prepare(order, shim) {
        failed(Step::Prepare, &error)
    } else if let Err(why) = join(order, group) {
        Word::CannotFence { why }
    } else if let Err(errno) = chdir(wire::text(&order.cwd).as_os_str()) {
        failed(Step::Enter, &errno.into())
    } else if let Some(bwrap) = order.fence.as_ref().and_then(|fence| fence.bwrap.as_ref()) {
        let (step, error) = inner::execute_boxed(order, bwrap);
        failed(step, &error)
    } else if let Err(error) = order.fence.as_ref().map_or(Ok(()), enforce) {
        Word::CannotFence { why: error.to_string() }
    } else {
        let (step, error) = execute(order);
        failed(step, &error)
    };
    if let Ok(text) = serde_json::to_vec(&word) {
        let _ = File::from(tell).write_all(&text);
    }
    std::process::exit(127)
}

fn prepare(order: &Order, shim: Pid) -> io::Result<()> {
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    if getppid() != shim {
        std::process::exit(127);
    }
    setsid()?;
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    prctl::set_no_new_privs()?;
    if let Some(bytes) = &order.stdin {
        let mut file = File::from(memfd_create("input", MFdFlags::MFD_CLOEXEC)?);
        file.write_all(bytes)?;
        file.rewind()?;
        dup2_stdin(&file)?;
    }
    sys::close_on_exec_from_3()?;
    sys::default_signals();
    SigSet::all().thread_unblock()?;
    Ok(())
}

/// Executes the program; returns only with the reason why not.
pub(super) fn execute(order: &Order) -> (Step, io::Error) {
    let strings = |list: &[Vec<u8>]| -> Result<Vec<CString>, _> {
        list.iter().map(|text| CString::new(text.as_slice())).collect()
    };
    let argv = [std::slice::from_ref(&order.program), &order.args].concat();
    let env: Vec<Vec<u8>> =
        order.env.iter().map(|(key, value)| [key, b"=".as_slice(), value].concat()).collect();
    let (Ok(argv), Ok(env)) = (strings(&argv), strings(&env)) else {
        return (Step::Prepare, Errno::EINVAL.into());
    };
    let mut reason = (Step::Find, Errno::ENOENT);
    for path in candidates(order) {
        let Ok(file) = CString::new(path.as_slice()) else { break };
        let Err(errno) = execve(&file, &argv, &env);
        let there = fs::metadata(OsStr::from_bytes(&path)).is_ok_and(|meta| meta.is_file());
        match errno {
            Errno::ENOENT | Errno::ENOTDIR if !there => {}
            Errno::EACCES if reason.1 == Errno::ENOENT => reason = (Step::Execute, errno),
            Errno::EACCES => {}
            other => return (Step::Execute, other.into()),
        }
    }
    (reason.0, reason.1.into())
}

/// The paths a program's name may stand for, in the order of its `PATH`. An
/// empty element of it would be the folder that the program works in: skipped.
fn candidates(order: &Order) -> Vec<Vec<u8>> {
    if order.program.contains(&b'/') || order.program.is_empty() {
        return vec![order.program.clone()];
    }
    let path = order.env.iter().find(|(key, _)| key == b"PATH").map(|(_, value)| value.as_slice());
    path.unwrap_or(DEFAULT_PATH)
        .split(|byte| *byte == b':')
        .filter(|folder| !folder.is_empty())
        .map(|folder| [folder, b"/", &order.program].concat())
        .collect()
}
