//! Short-lived helper programs such as `git`: run to the end, output in
//! memory, from blocking threads.
//!
//! Promises: exactly the environment given (plus [`HELPER_MARK`], by which a
//! sweep tells a helper's own daemons from an agent's); a process group of its
//! own, killed at the deadline; no deadlock whatever is written or not read;
//! no more than [`MAX_OUTPUT`] bytes in memory per stream.
//!
//! Limits: a program that leaves the group is not followed; agents and checks
//! go through the [supervisor](super::Supervisor), which does.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::sys::PidFd;
use super::{ProcessError, gate};

/// The most that one stream of a helper may write, in bytes.
pub const MAX_OUTPUT: usize = 256 << 20;

/// The variable that every helper gets: the number of the process that started it.
pub const HELPER_MARK: &str = "CREW_HELPER";

/// How long the streams of an ended helper may stay open before what is left
/// of its group is killed.
const LINGER: Duration = Duration::from_millis(500);

/// Where a helper reads from.
#[derive(Debug)]
pub enum HelperInput<'a> {
    /// `/dev/null`.
    Null,
    /// These bytes, then the end. A program that does not read them is no error.
    Bytes(&'a [u8]),
    /// A file, read by the program itself from its present offset.
    File(File),
}

/// One call of a helper program.
#[derive(Debug)]
pub struct Helper<'a> {
    /// An absolute path, or a name to be looked up in the `PATH` of `env`.
    pub program: &'a OsStr,
    /// The arguments after the program's name.
    pub args: &'a [OsString],
    /// The complete environment.
    pub env: &'a [(OsString, OsString)],
    /// The folder the program starts in.
    pub cwd: &'a Path,
    /// What the program reads.
    pub stdin: HelperInput<'a>,
    /// A file to write standard output to, instead of memory.
    pub stdout: Option<File>,
    /// The time after which the program and its process group are killed.
    pub deadline: Duration,
}

/// What a helper program left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The exit code; `None` when a signal ended the program.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Standard output; empty when it went to a file.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
}

impl Output {
    /// Whether the program exited with 0.
    #[must_use]
    pub fn ok(&self) -> bool {
        self.code == Some(0)
    }
}

/// Runs a helper with bytes for its input and its output in memory.
///
/// # Errors
/// As [`Helper::run`].
pub fn output(
    program: &OsStr,
    args: &[OsString],
    env: &[(OsString, OsString)],
    cwd: &Path,
    stdin: &[u8],
    deadline: Duration,
) -> Result<Output, ProcessError> {
    let stdin = if stdin.is_empty() { HelperInput::Null } else { HelperInput::Bytes(stdin) };
    Helper { program, args, env, cwd, stdin, stdout: None, deadline }.run()
}

impl Helper<'_> {
    /// Runs the program to its end. A non-zero exit code is not an error.
    ///
    /// # Errors
    /// [`ProcessError::Spawn`] when it can't be started (the source tells why),
    /// [`ProcessError::Deadline`] when it was killed for taking too long,
    /// [`ProcessError::TooMuch`] when it wrote more than [`MAX_OUTPUT`],
    /// [`ProcessError::Io`] when its pipes can't be served.
    pub fn run(self) -> Result<Output, ProcessError> {
        let name = self.program.to_string_lossy().into_owned();
        let begun = Instant::now();
        #[expect(clippy::disallowed_methods, reason = "this is the spawn point for helpers")]
        let mut command = Command::new(self.program);
        command.args(self.args).env_clear().envs(self.env.iter().map(|(k, v)| (k, v)));
        command.env(HELPER_MARK, std::process::id().to_string());
        command.current_dir(self.cwd).process_group(0).stderr(Stdio::piped());
        command.stdout(self.stdout.map_or_else(Stdio::piped, Stdio::from));
        let bytes = match self.stdin {
            HelperInput::Null => (command.stdin(Stdio::null()), &[][..]).1,
            HelperInput::File(file) => (command.stdin(Stdio::from(file)), &[][..]).1,
            HelperInput::Bytes(bytes) => (command.stdin(Stdio::piped()), bytes).1,
        };
        let (child, ours) = gate::spawn(|| command.spawn().map(|child| (child.id(), child)))
            .map_err(|source| ProcessError::Spawn { program: name.clone(), source })?;
        let mut serving = Serving::new(child, bytes, begun + self.deadline);
        let served = serving.serve();
        serving.end(matches!(served, Ok(true)));
        let status = serving.child.wait();
        drop(ours);
        match served {
            Ok(true) => Ok(serving.output(status.map_err(|e| io(&name, e))?)),
            Ok(false) => Err(ProcessError::Deadline { program: name, after: self.deadline }),
            Err(source) if source.kind() == ErrorKind::FileTooLarge => {
                Err(ProcessError::TooMuch { program: name, limit: MAX_OUTPUT })
            }
            Err(source) => Err(io(&name, source)),
        }
    }
}

fn io(program: &str, source: std::io::Error) -> ProcessError {
    ProcessError::Io { subject: program.to_owned(), source }
}

/// A running helper and what is still to be done for its pipes.
struct Serving<'a> {
    child: Child,
    input: &'a [u8],
    deadline: Instant,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl<'a> Serving<'a> {
    fn new(child: Child, input: &'a [u8], deadline: Instant) -> Self {
        Self { child, input, deadline, stdout: Vec::new(), stderr: Vec::new() }
    }

    /// Serves the pipes until the program has ended and they are closed;
    /// `false` when the deadline came first.
    fn serve(&mut self) -> std::io::Result<bool> {
        let pid = i32::try_from(self.child.id()).map_err(std::io::Error::other)?;
        let pidfd = PidFd::open(Pid::from_raw(pid))?;
        let mut ended: Option<Instant> = None;
        self.unblock()?;
        loop {
            let until = ended.map_or(self.deadline, |at| self.deadline.min(at + LINGER));
            let open = self.child.stdout.is_some() || self.child.stderr.is_some();
            if ended.is_some() && (!open || Instant::now() >= until) {
                return Ok(true);
            }
            if ended.is_none() && Instant::now() >= until {
                return Ok(false);
            }
            if self.wait(&pidfd, ended.is_none(), until)? {
                ended = Some(Instant::now());
                self.child.stdin = None;
            }
            self.feed()?;
            drain(&mut self.child.stdout, &mut self.stdout)?;
            drain(&mut self.child.stderr, &mut self.stderr)?;
        }
    }

    fn unblock(&self) -> std::io::Result<()> {
        for fd in self.pipes().into_iter().flatten() {
            let flags = OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL)?);
            fcntl(fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
        }
        Ok(())
    }

    fn pipes(&self) -> [Option<BorrowedFd<'_>>; 3] {
        let Child { stdin, stdout, stderr, .. } = &self.child;
        [
            stdin.as_ref().map(AsFd::as_fd),
            stdout.as_ref().map(AsFd::as_fd),
            stderr.as_ref().map(AsFd::as_fd),
        ]
    }

    /// Sleeps until something can be done; `true` when the program has ended.
    fn wait(&self, pidfd: &PidFd, running: bool, until: Instant) -> std::io::Result<bool> {
        let [stdin, stdout, stderr] = self.pipes();
        let mut fds: Vec<PollFd<'_>> = Vec::with_capacity(4);
        if running {
            fds.push(PollFd::new(pidfd.as_fd(), PollFlags::POLLIN));
        }
        fds.extend(stdin.map(|fd| PollFd::new(fd, PollFlags::POLLOUT)));
        fds.extend(
            [stdout, stderr].into_iter().flatten().map(|fd| PollFd::new(fd, PollFlags::POLLIN)),
        );
        let left = until.saturating_duration_since(Instant::now()) + Duration::from_millis(1);
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        match poll(&mut fds, timeout) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        Ok(running && fds.first().is_some_and(|fd| fd.any().unwrap_or(false)))
    }

    /// Writes what the program's input takes; a closed input takes the rest.
    fn feed(&mut self) -> std::io::Result<()> {
        while let Some(pipe) = &mut self.child.stdin {
            match pipe.write(self.input) {
                Ok(0) => self.child.stdin = None,
                Ok(n) => self.input = self.input.get(n..).unwrap_or_default(),
                Err(e) if e.kind() == ErrorKind::BrokenPipe => self.child.stdin = None,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Kills what is left of the group. The program has not been waited for,
    /// so its number is still its own and names its group.
    fn end(&mut self, whole: bool) {
        let open = self.child.stdout.is_some() || self.child.stderr.is_some();
        if let (true, Ok(pid)) = (open || !whole, i32::try_from(self.child.id())) {
            // The group may be gone already, which is what is wanted.
            let _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }

    fn output(self, status: ExitStatus) -> Output {
        let Self { stdout, stderr, .. } = self;
        Output { code: status.code(), signal: status.signal(), stdout, stderr }
    }
}

/// Reads what there is; closes the pipe at its end.
fn drain(pipe: &mut Option<impl Read>, into: &mut Vec<u8>) -> std::io::Result<()> {
    let mut buffer = [0; 1 << 16];
    while let Some(open) = pipe {
        match open.read(&mut buffer) {
            Ok(0) => *pipe = None,
            Ok(n) if into.len() + n > MAX_OUTPUT => return Err(ErrorKind::FileTooLarge.into()),
            Ok(n) => into.extend_from_slice(buffer.get(..n).unwrap_or_default()),
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(e) => return Err(e),
        }
    }
    Ok(())
}
