//! Running one program from its start until nothing of it is left.
//!
//! Promises: whatever the program does to its streams, its signals, its shim
//! or its own state, [`Supervisor::run`] comes back: within its limits and the
//! grace, and five seconds for what does not die. A dropped future, a dropped
//! runtime and a killed process end the program too, because the shim then
//! reads the end of its socket.
//!
//! Limits: without limits in its [`Spec`] a program may run for ever.

use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};

use super::gate::{self, Ours};
use super::streams::{Closed, LastByte, Streams};
use super::sweep::{self, DEADLINE, MARK, Swept};
use super::wire::{self, KILL, Step, TERM, Word};
use crate::world::environment::DEPTH;

use super::{End, Limits, Listener, ProcessError, Report, Spec, Stop, StopRequest};

/// How often a shim is woken, should the program have stopped it.
const WAKE: Duration = Duration::from_secs(1);

/// How long a stream may stay open once nothing is left that we know of.
const DRAIN: Duration = Duration::from_secs(2);

/// Starts and watches programs.
#[derive(Clone, Debug)]
pub struct Supervisor {
    /// The program that acts as the shim: this one, unless a test says otherwise.
    pub shim: PathBuf,
}

impl Default for Supervisor {
    /// Uses the running program itself, even if its file was replaced since.
    fn default() -> Self {
        Self { shim: PathBuf::from("/proc/self/exe") }
    }
}

impl Supervisor {
    /// Runs a program until it and everything it started are gone. To be
    /// called from a runtime with time and IO whose threads live as long as the
    /// program. A program that can't be started is a [`Report`], not an error.
    ///
    /// # Errors
    /// [`ProcessError::Spawn`] when the shim can't be started,
    /// [`ProcessError::Io`] when its socket can't be made.
    pub async fn run(
        &self,
        spec: Spec,
        stop: watch::Receiver<StopRequest>,
    ) -> Result<Report, ProcessError> {
        self.run_heard(spec, stop, None).await
    }

    /// As [`Supervisor::run`], with somebody who understands the output.
    ///
    /// # Errors
    /// As [`Supervisor::run`].
    pub async fn run_heard(
        &self,
        spec: Spec,
        stop: watch::Receiver<StopRequest>,
        listener: Option<Arc<dyn Listener>>,
    ) -> Result<Report, ProcessError> {
        let start = Instant::now();
        let (mut shim, socket, ours) = self.spawn(&spec)?;
        let streams = Streams::new(&mut shim, &spec.output, start, listener.clone());
        let (read, write) = socket.into_split();
        let watching = Watching {
            words: BufReader::new(read).lines(),
            control: Control::new(write, shim.id(), wire::order(&spec)),
            limits: spec.limits,
            clock: Arc::clone(&streams.clock),
            listener,
            start,
            seen: Seen::default(),
            stop: Some(stop),
            kill_at: None,
            give_up_at: None,
        };
        let mut seen = watching.watch().await;
        if seen.swept.is_none() {
            seen.swept = Some(rescue(shim.id(), &spec).await);
        }
        // Its last word is said; should it not end, the next sweep finds it.
        let _ = timeout(DRAIN, shim.wait()).await;
        drop(ours);
        Ok(report(seen, streams.close().await, start))
    }

    fn spawn(&self, spec: &Spec) -> Result<(Child, UnixStream, Ours), ProcessError> {
        let failed = |source| ProcessError::Io { subject: "supervisor socket".into(), source };
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().map_err(failed)?;
        ours.set_nonblocking(true).map_err(failed)?;
        let ours = UnixStream::from_std(ours).map_err(failed)?;
        let mut command = Command::new(&self.shim);
        command.arg0("git-crew").arg(wire::SHIM).env_clear().current_dir("/");
        let known = spec.env.iter().filter(|(key, _)| key == MARK || key == DEPTH);
        command.envs(known.map(|(key, value)| (key, value)));
        command.stdin(Stdio::from(std::os::fd::OwnedFd::from(theirs)));
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        gate::spawn(|| command.spawn().map(|child| (child.id().unwrap_or_default(), child)))
            .map(|(child, listed)| (child, ours, listed))
            .map_err(|source| ProcessError::Spawn {
                program: self.shim.to_string_lossy().into_owned(),
                source,
            })
    }
}

/// Kills what a shim that is gone or does not answer has left.
async fn rescue(shim: Option<u32>, spec: &Spec) -> Swept {
    let mark = spec.env.iter().find(|(key, _)| key == MARK);
    let mark = mark.and_then(|(_, value)| value.to_str().map(str::to_owned));
    let work = move || {
        let mut swept = match shim.and_then(|pid| i32::try_from(pid).ok()) {
            Some(pid) => sweep::sweep_under(pid),
            None => sweep::sweep_adopted(),
        };
        if let Some(marked) = mark.and_then(|mark| sweep::sweep_marked(&mark).ok()) {
            swept.killed.extend(marked.killed);
            swept.unkillable.extend(marked.unkillable);
        }
        swept
    };
    tokio::task::spawn_blocking(work).await.unwrap_or_default()
}

/// What the shim has told.
#[derive(Default)]
struct Seen {
    end: Option<End>,
    ended_at: Option<Instant>,
    stopped_by: Option<Stop>,
    swept: Option<Swept>,
    exceeded: Vec<String>,
}

/// The sending side of a shim's socket.
struct Control {
    shim: Option<Pid>,
    commands: tokio::sync::mpsc::UnboundedSender<u8>,
    writer: JoinHandle<()>,
}

impl Control {
    /// Sends the order, then commands as they come: never waits for the shim.
    fn new(mut to: OwnedWriteHalf, shim: Option<u32>, order: io::Result<Vec<u8>>) -> Self {
        let (commands, mut queue) = tokio::sync::mpsc::unbounded_channel();
        let writer = tokio::spawn(async move {
            // A shim that can't be written to has ended: its words end, too.
            let Ok(order) = order else { return };
            if to.write_all(&order).await.is_err() {
                return;
            }
            drop(order);
            while let Some(command) = queue.recv().await {
                if to.write_all(&[command]).await.is_err() {
                    return;
                }
            }
        });
        let shim = shim.and_then(|pid| i32::try_from(pid).ok()).map(Pid::from_raw);
        Self { shim, commands, writer }
    }

    fn send(&self, command: u8) {
        let _ = self.commands.send(command);
        self.wake();
    }

    /// Makes a stopped shim run. It has not been waited for, so the number is
    /// its own.
    fn wake(&self) {
        if let Some(pid) = self.shim {
            let _ = kill(pid, Signal::SIGCONT);
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.writer.abort();
    }
}

/// One program being watched.
struct Watching {
    words: Lines<BufReader<OwnedReadHalf>>,
    control: Control,
    limits: Limits,
    clock: Arc<LastByte>,
    listener: Option<Arc<dyn Listener>>,
    start: Instant,
    seen: Seen,
    stop: Option<watch::Receiver<StopRequest>>,
    kill_at: Option<Instant>,
    give_up_at: Option<Instant>,
}

impl Watching {
    async fn watch(mut self) -> Seen {
        if let Some(request) = self.stop.as_mut().map(|stop| *stop.borrow_and_update()) {
            self.ask(request);
        }
        let mut wake_at = Instant::now() + WAKE;
        while self.seen.swept.is_none() {
            let next = self.next_deadline().map_or(wake_at, |at| at.min(wake_at));
            tokio::select! {
                word = self.words.next_line() => match word {
                    Ok(Some(line)) => self.hear(&line),
                    Ok(None) | Err(_) => break,
                },
                request = requested(&mut self.stop) => self.ask(request),
                () = sleep_until(next) => {}
            }
            let now = Instant::now();
            if now >= wake_at {
                self.control.wake();
                wake_at = now + WAKE;
            }
            self.enforce(now);
            if self.give_up_at.is_some_and(|at| now >= at) {
                break;
            }
        }
        self.seen
    }

    fn hear(&mut self, line: &str) {
        match serde_json::from_str(line) {
            Ok(Word::CannotStart { step, errno }) => {
                self.ended(start_failure(step, Errno::from_raw(errno)));
            }
            Ok(Word::CannotFence { why }) => {
                self.ended(End::CannotStart(format!("it can't be fenced in: {why}")));
            }
            Ok(Word::Ended { code: Some(code), .. }) => self.ended(End::Exited(code)),
            Ok(Word::Ended { code: None, signal, core }) => {
                self.ended(signal.map_or(End::Lost, |signal| End::Signalled(signal, core)));
            }
            Ok(Word::Swept { leaked, unkillable, exceeded }) => {
                self.seen.exceeded = exceeded;
                self.seen.swept = Some(Swept { killed: leaked, unkillable });
            }
            // Nobody but the shim writes here.
            Err(_) => self.kill(Instant::now()),
        }
    }

    fn ended(&mut self, end: End) {
        self.seen.end = Some(end);
        self.seen.ended_at = Some(Instant::now());
        if self.kill_at.is_none() {
            // The shim sweeps by itself now; it may not take for ever.
            self.give_up_at = Some(Instant::now() + DEADLINE + DRAIN);
        }
    }

    fn ask(&mut self, request: StopRequest) {
        match request {
            StopRequest::None => {}
            StopRequest::Term => self.terminate(Stop::Cancelled),
            StopRequest::Kill => {
                self.seen.stopped_by = match self.seen.stopped_by {
                    None | Some(Stop::Cancelled) => Some(Stop::Killed),
                    limit => limit,
                };
                self.kill(Instant::now());
            }
        }
    }

    fn terminate(&mut self, why: Stop) {
        if self.seen.stopped_by.is_some() || self.seen.end.is_some() {
            return;
        }
        self.seen.stopped_by = Some(why);
        if self.limits.grace.is_zero() {
            self.kill(Instant::now());
        } else {
            self.control.send(TERM);
            self.kill_at = Some(Instant::now() + self.limits.grace);
        }
    }

    fn kill(&mut self, now: Instant) {
        self.control.send(KILL);
        self.kill_at = None;
        self.give_up_at.get_or_insert(now + DEADLINE + DRAIN);
    }

    /// The next point in time at which [`enforce`](Self::enforce) has to act.
    fn next_deadline(&self) -> Option<Instant> {
        let limits = [self.wall_at(), self.idle_at()];
        let limits = limits.into_iter().filter(|_| self.may_limit()).flatten();
        limits.chain(self.kill_at).chain(self.give_up_at).min()
    }

    fn may_limit(&self) -> bool {
        self.seen.stopped_by.is_none() && self.seen.end.is_none()
    }

    fn wall_at(&self) -> Option<Instant> {
        self.limits.wall.map(|wall| self.start + wall)
    }

    fn idle_at(&self) -> Option<Instant> {
        let waits = self.listener.as_ref().and_then(|listener| listener.waits_until());
        let last = self.clock.last();
        self.limits.idle.map(|idle| waits.map_or(last, |until| until.max(last)) + idle)
    }

    fn enforce(&mut self, now: Instant) {
        if self.may_limit() && self.wall_at().is_some_and(|at| now >= at) {
            self.terminate(Stop::Wall);
        }
        if self.may_limit() && self.idle_at().is_some_and(|at| now >= at) {
            self.terminate(Stop::Idle);
        }
        if self.kill_at.is_some_and(|at| now >= at) {
            self.kill(now);
        }
    }
}

/// The next request; never comes back once nobody can ask any more.
async fn requested(stop: &mut Option<watch::Receiver<StopRequest>>) -> StopRequest {
    if let Some(receiver) = stop {
        if receiver.changed().await.is_ok() {
            return *receiver.borrow_and_update();
        }
        *stop = None;
    }
    std::future::pending().await
}

fn start_failure(step: Step, errno: Errno) -> End {
    match (step, errno) {
        (Step::Find, Errno::ENOENT | Errno::ENOTDIR) => End::NotFound,
        (Step::Execute, Errno::EACCES) => End::NotExecutable,
        (Step::Execute, Errno::ENOENT) => {
            End::CannotStart("the interpreter in its first line is missing".into())
        }
        (Step::Enter, errno) => {
            End::CannotStart(format!("cannot enter its folder: {}", errno.desc()))
        }
        (Step::Prepare | Step::Find | Step::Execute, errno) => {
            End::CannotStart(errno.desc().to_owned())
        }
    }
}

fn report(seen: Seen, closed: Closed, start: Instant) -> Report {
    let swept = seen.swept.unwrap_or_default();
    let unkillable = swept.unkillable.into_iter().map(|name| format!("unkillable {name}"));
    Report {
        end: seen.end.unwrap_or(End::Lost),
        stopped_by: seen.stopped_by,
        stdout: closed.stdout,
        stderr: closed.stderr,
        leaked: swept.killed.into_iter().chain(unkillable).collect(),
        exceeded: seen.exceeded,
        troubles: closed.troubles,
        took: seen.ended_at.unwrap_or_else(Instant::now).duration_since(start),
    }
}
