//! Work that a person attends: the engine runs, its events are told as they
//! come, signals reach it, and the last lines say what became of it.
//!
//! Ctrl-C, SIGTERM and SIGHUP once: stop, keep the work, resumable; twice: kill
//! now. The answer (the tree of tasks) goes to standard output, the story to
//! standard error.

use std::path::PathBuf;

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::domain::attempt::Judgement;
use crate::domain::event::EventKind;
use crate::domain::lease::Because;
use crate::domain::run::{Run, RunStatus};
use crate::domain::words;
use crate::engine::driver::{self, Interrupt, Left, Notice};
use crate::engine::io::{Finish, Urgency};
use crate::engine::place::Place;
use crate::engine::session::{self, Held, SessionError};
use crate::surface::exit::Exit;
use crate::surface::fault::Fault;
use crate::view::run::{RunView, Seen};
use crate::view::text::{Label, Line, Text};
use crate::view::{tree, words as spans};
use crate::world::environment::Incoming;

use super::ctx::Ctx;

/// The most threads that prepare, fill and harvest at the same time. Each keeps
/// the memory that it once needed, so that their number is what a run of many
/// tasks takes.
const BLOCKING: usize = 6;

/// The repository that the command is about, opened for work.
///
/// # Errors
/// No repository there, or one that can't be used.
pub fn place(ctx: &Ctx<'_>) -> Result<Place, Fault> {
    Place::open(&folder(ctx), Incoming::read()).map_err(Fault::from)
}

/// The folder that `-C` names, or the working folder.
#[must_use]
pub fn folder(ctx: &Ctx<'_>) -> PathBuf {
    ctx.global.dir.clone().unwrap_or_else(|| PathBuf::from("."))
}

/// Works on a held run until it is over or interrupted, and tells how it went.
///
/// # Errors
/// The run can't be worked on; what was made is kept.
pub fn work(ctx: &mut Ctx<'_>, place: &Place, held: Held) -> Result<Exit, Fault> {
    let run = held.ledger.id().clone();
    let runtime = runtime()?;
    let (notices, mut told) = mpsc::unbounded_channel();
    let (interrupt, interrupts) = mpsc::unbounded_channel();
    let left = runtime.block_on(async {
        listen(&interrupt)?;
        let working = session::work(place, held, notices, interrupts);
        tokio::pin!(working);
        let start = place.clock.monotonic();
        loop {
            tokio::select! {
                left = &mut working => {
                    while let Ok(notice) = told.try_recv() {
                        tell(ctx, place, start, &notice);
                    }
                    return left.map_err(Fault::from);
                }
                Some(notice) = told.recv() => tell(ctx, place, start, &notice),
            }
        }
    })?;
    drop(runtime);
    tracing::debug!(%run, finish = ?left.finish, "left");
    finish(ctx, place, left)
}

/// A runtime for work.
///
/// # Errors
/// The system gives no threads.
pub fn runtime() -> Result<Runtime, Fault> {
    // Two threads: one may block in the store while the other serves output.
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(2).max_blocking_threads(BLOCKING);
    Ok(builder.enable_all().build()?)
}

/// Turns signals into interrupts for as long as the runtime lives.
fn listen(interrupt: &mpsc::UnboundedSender<Interrupt>) -> Result<(), Fault> {
    for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
        let (mut stream, sender) = (signal(kind)?, interrupt.clone());
        tokio::spawn(async move {
            while stream.recv().await.is_some() {
                if sender.send(Interrupt).is_err() {
                    return;
                }
            }
        });
    }
    Ok(())
}

fn tell(ctx: &mut Ctx<'_>, place: &Place, start: std::time::Duration, notice: &Notice) {
    if let Notice::Written(event) = notice
        && !is_news(&event.kind)
    {
        return;
    }
    let passed = place.clock.monotonic().saturating_sub(start);
    let clock = format!("{:>7} ", spans::duration(i64::try_from(passed.as_millis()).unwrap_or(0)));
    let line = Line::new().with(Label::Dim, &clock);
    let line = match notice {
        Notice::Written(event) => line.with(Label::Plain, &words::subject(event)),
        Notice::Stopping(Urgency::Ask) => {
            line.with(Label::Warn, "stopping; once more kills at once")
        }
        Notice::Stopping(Urgency::Kill) => line.with(Label::Warn, "killing"),
        Notice::Trouble(what) => line.with(Label::Warn, what),
    };
    ctx.out.story(&line);
}

/// Whether a person who watches wants to hear of it: not of the lease's ways,
/// nor of a verdict that the next line says again.
fn is_news(kind: &EventKind) -> bool {
    match kind {
        EventKind::LeaseReleased | EventKind::RunCreated { .. } => false,
        EventKind::LeaseGranted { because, .. } => *because != Because::Free,
        EventKind::VerdictReached { verdict, .. } => verdict.result != Judgement::Unverified,
        EventKind::RunPlanned { .. }
        | EventKind::PlanRevised { .. }
        | EventKind::AttemptStarted { .. }
        | EventKind::AttemptEnded { .. }
        | EventKind::RetryPlanned { .. }
        | EventKind::TaskEnded { .. }
        | EventKind::TaskReopened { .. }
        | EventKind::ResultMade { .. }
        | EventKind::RunEnded { .. }
        | EventKind::RunReopened
        | EventKind::CancelRequested { .. }
        | EventKind::Noted { .. } => true,
    }
}

fn finish(ctx: &mut Ctx<'_>, place: &Place, left: Left) -> Result<Exit, Fault> {
    if let Some(error) = left.error {
        let fenced = driver::is_fenced(&error);
        let mut fault = Fault::from(SessionError::Ledger(error));
        let what = if fenced {
            fault.exit = Exit::Held;
            format!("the run '{}' is not this process's any more", left.run.id)
        } else {
            format!("the run '{}' could not be gone on with", left.run.id)
        };
        return Err(fault
            .while_doing(what)
            .hint(format!("see where it stands: git crew show {}", left.run.id)));
    }
    summary(ctx, place, &left.run)?;
    match left.finish {
        Finish::Interrupted => {
            let line = Line::new()
                .with(Label::Hint, "hint: ")
                .with(Label::Plain, &format!("go on: git crew resume {}", left.run.id));
            ctx.out.story(&line);
            Ok(Exit::Interrupted)
        }
        Finish::Over | Finish::Lost(_) => Ok(exit_of(left.run.status)),
    }
}

/// The exit code of a run that stands like this.
#[must_use]
pub fn exit_of(status: RunStatus) -> Exit {
    match status {
        RunStatus::Completed => Exit::Ok,
        RunStatus::Failed | RunStatus::Cancelled => Exit::Failed,
        RunStatus::Blocked => Exit::Blocked,
        RunStatus::Queued | RunStatus::Planning | RunStatus::Running => Exit::Interrupted,
    }
}

/// The tree of tasks and what changed.
///
/// # Errors
/// The answer can't be written.
pub fn summary(ctx: &mut Ctx<'_>, place: &Place, run: &Run) -> Result<(), Fault> {
    let seen = Seen { now: place.clock.now(), life: place.life(run) };
    let view = RunView::new(run, seen);
    if ctx.global.json {
        return ctx.out.json("run", view);
    }
    let mut text = Text::new();
    let stat = stat(place, run);
    if !stat.is_empty() {
        for line in stat.lines() {
            text.push(Line::plain(line));
        }
        text.gap();
    }
    text.append(tree::text(&view));
    ctx.out.text(&text)
}

/// `git diff --stat` from the run's base to its result; nothing when git can't
/// say, since the next commands say it too.
fn stat(place: &Place, run: &Run) -> String {
    let Some(result) = &run.result else { return String::new() };
    if result.commit == run.base {
        return "nothing was changed".to_owned();
    }
    let git = place.git();
    let call = git
        .at(place.store.common_dir())
        .args(["diff", "--no-ext-diff", "--no-textconv", "--stat=100"])
        .arg(run.base.as_str())
        .arg(result.commit.as_str());
    call.run().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}
