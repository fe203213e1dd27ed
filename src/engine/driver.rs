//! The one loop: it performs what the core wants, in the order it wants it, and
//! feeds back what came of it. Everything that waits, waits here.
//!
//! Promises: nothing is started before the event that announces it is durable;
//! an event that could not be written stops everything that depends on it; when
//! the loop ends nothing that it started is alive.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::domain::decide::Refusal;
use crate::domain::event::Event;
use crate::domain::id::TaskId;
use crate::domain::run::Run;
use crate::domain::time::Timestamp;
use crate::store::StoreError;
use crate::store::ledger::Ledger;
use crate::store::runs::LedgerError;
use crate::world::process::StopRequest;

use super::core::{Core, Moment};
use super::io::{Effect, Files, Finish, Input, Stop, Urgency};
use super::worker::{self, Shop};

/// How often the chain is looked at for requests of others.
const LOOK: Duration = Duration::from_millis(150);

/// How often the objects of the last minutes are looked at.
const RECHECK: Duration = Duration::from_secs(1);

/// The most inputs whose events share one append.
const BATCH: usize = 64;

/// The waits before an append that the disk or a lock refused is tried again.
const PATIENCE: [Duration; 3] =
    [Duration::from_millis(100), Duration::from_secs(1), Duration::from_secs(4)];

/// What the loop tells whoever watches it. Never stored.
#[derive(Clone, Debug)]
pub enum Notice {
    /// An event is in the chain.
    Written(Box<Event>),
    /// Something is being asked to stop, or killed.
    Stopping(Urgency),
    /// Something did not work beside the run itself.
    Trouble(String),
}

/// Somebody outside wants the loop to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interrupt;

/// The loop and everything it works on.
pub struct Driver {
    shop: Arc<Shop>,
    ledger: Ledger,
    core: Core,
    inputs: mpsc::UnboundedReceiver<Input>,
    answer: mpsc::UnboundedSender<Input>,
    stops: BTreeMap<TaskId, watch::Sender<StopRequest>>,
    wake: Option<Instant>,
    deadline: Option<Instant>,
    finish: Option<Finish>,
    failed: Option<LedgerError>,
    notices: mpsc::UnboundedSender<Notice>,
}

impl std::fmt::Debug for Driver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Driver").field("ledger", &self.ledger).finish_non_exhaustive()
    }
}

/// What the loop leaves.
#[derive(Debug)]
pub struct Left {
    /// How it ended.
    pub finish: Finish,
    /// The run as it was last seen.
    pub run: Run,
    /// The error that ended it, when it was one of the store's.
    pub error: Option<LedgerError>,
}

impl Driver {
    /// A driver for a run that this process holds and that is planned.
    #[must_use]
    pub fn new(shop: Arc<Shop>, ledger: Ledger, notices: mpsc::UnboundedSender<Notice>) -> Self {
        let (answer, inputs) = mpsc::unbounded_channel();
        let core = Core::new(shop.plan(), shop.jobs);
        let deadline = shop.max_time.map(|limit| Instant::now() + limit);
        Self {
            shop,
            ledger,
            core,
            inputs,
            answer,
            stops: BTreeMap::new(),
            wake: None,
            deadline,
            finish: None,
            failed: None,
            notices,
        }
    }

    /// Runs until nothing is left to do, or it was told to stop.
    pub async fn run(mut self, mut interrupts: mpsc::UnboundedReceiver<Interrupt>) -> Left {
        let mut look = interval(LOOK);
        let mut recheck = interval(RECHECK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        recheck.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.feed(Input::Begin).await;
        while self.finish.is_none() {
            let wake = self.wake.unwrap_or_else(far);
            let deadline = self.deadline.unwrap_or_else(far);
            // In this order: a stop is heard before anything that might start more,
            // and the ticks, which come seldom, before inputs, which may never end.
            let input = tokio::select! {
                biased;
                Some(Interrupt) = interrupts.recv() => Input::Stop(Stop::Interrupt),
                () = sleep_until(deadline) => {
                    self.deadline = None;
                    Input::Stop(Stop::Fail("the run's time was up (--max-time)".to_owned()))
                }
                _ = look.tick() => match self.look() {
                    Some(input) => input,
                    None => continue,
                },
                _ = recheck.tick() => {
                    self.recheck();
                    continue;
                }
                () = sleep_until(wake) => {
                    self.wake = None;
                    Input::Tick
                }
                Some(input) = self.inputs.recv() => input,
            };
            self.feed(input).await;
        }
        let finish = self.finish.unwrap_or(Finish::Interrupted);
        let run = self.ledger.run().cloned().unwrap_or_else(|| self.shop.run.clone());
        Left { finish, run, error: self.failed }
    }

    /// Looks whether others wrote to the chain.
    fn look(&mut self) -> Option<Input> {
        match tokio::task::block_in_place(|| self.ledger.refresh()) {
            Ok(true) => Some(Input::Tick),
            Ok(false) => None,
            Err(error) => Some(self.lose(error)),
        }
    }

    fn recheck(&self) {
        let shop = Arc::clone(&self.shop);
        let notices = self.notices.clone();
        tokio::task::spawn_blocking(move || {
            if let Err(error) = shop.recheck() {
                // The receiver may be gone at the very end.
                let _ = notices.send(Notice::Trouble(error.to_string()));
            }
        });
    }

    /// An error that means this process must not write any more.
    fn lose(&mut self, error: LedgerError) -> Input {
        let why = error.to_string();
        self.failed.get_or_insert(error);
        Input::Stop(Stop::Lost(why))
    }

    async fn feed(&mut self, input: Input) {
        let mut queue = vec![input];
        while !queue.is_empty() {
            queue.extend(self.stop_when_full());
            // What came in meanwhile shares the append: tasks that get ready, or
            // end, at the same time do not wait for each other's syncs.
            while queue.len() < BATCH
                && let Ok(input) = self.inputs.try_recv()
            {
                queue.push(input);
            }
            let Some(run) = self.ledger.run().cloned() else { return };
            let moment = Moment { now: self.shop.now(), jitter: self.shop.jitter() };
            let effects = self.core.step_all(&run, moment, std::mem::take(&mut queue));
            let mut refused = false;
            for effect in effects {
                if refused {
                    queue.push(Input::Undone(Box::new(effect)));
                    continue;
                }
                if let Err(error) = self.perform(effect).await {
                    refused = true;
                    let stop = self.lose(error);
                    queue.push(stop);
                }
            }
            queue.extend(self.stop_when_full());
        }
    }

    async fn perform(&mut self, effect: Effect) -> Result<(), LedgerError> {
        match effect {
            Effect::Write { events, files } => return self.write(events, files).await,
            Effect::Prepare { task, attempt } => {
                let (shop, run) = (Arc::clone(&self.shop), self.snapshot());
                let name = task.clone();
                self.spawn(&task, async move { worker::prepare(shop, run, name, attempt).await });
            }
            Effect::Launch { task, attempt } => {
                let (shop, run, stop) =
                    (Arc::clone(&self.shop), self.snapshot(), self.stop_of(&task));
                let name = task.clone();
                self.spawn(
                    &task,
                    async move { worker::launch(shop, run, name, attempt, stop).await },
                );
            }
            Effect::Check { task, attempt } => {
                let (shop, run, stop) =
                    (Arc::clone(&self.shop), self.snapshot(), self.stop_of(&task));
                let name = task.clone();
                self.spawn(
                    &task,
                    async move { worker::check(shop, run, name, attempt, stop).await },
                );
            }
            Effect::Expand { task } => {
                let (shop, name) = (Arc::clone(&self.shop), task.clone());
                self.spawn(&task, async move { worker::expand(shop, name).await });
            }
            Effect::Follow(plan) => self.shop.follow(plan),
            Effect::Halt { task, urgency } => self.halt(&task, urgency),
            Effect::Merge { tasks } => {
                let (shop, run) = (Arc::clone(&self.shop), self.snapshot());
                let answer = self.answer.clone();
                tokio::spawn(async move {
                    let merge = tokio::spawn(worker::merge(shop, run, tasks));
                    let input = merge
                        .await
                        .unwrap_or_else(|e| Input::Unmerged { why: format!("internal: {e}") });
                    let _ = answer.send(input);
                });
            }
            Effect::Wake(at) => self.wake_at(at),
            Effect::Finish(finish) => self.finish = Some(finish),
        }
        Ok(())
    }

    /// Stops everything when the disk was found full: the reserve is for what has
    /// to be written of that, and for the release.
    fn stop_when_full(&mut self) -> Option<Input> {
        if self.failed.is_some() || !self.shop.was_full() {
            return None;
        }
        let path = self.shop.store.common_dir().to_owned();
        let full = StoreError::DiskFull { path, source: ErrorKind::StorageFull.into() };
        self.failed = Some(full.into());
        Some(Input::Stop(Stop::Interrupt))
    }

    /// Whether the room that was kept for this is there to be used now.
    fn takes_reserve(&self, error: &StoreError) -> bool {
        let full = matches!(error, StoreError::DiskFull { .. });
        full && !self.shop.was_full() && self.shop.is_out_of_room()
    }

    /// Appends; waits a little when the disk is full or somebody holds the lock,
    /// then takes the room that was kept for the last events.
    async fn write(
        &mut self,
        events: Vec<crate::domain::event::EventKind>,
        files: Files,
    ) -> Result<(), LedgerError> {
        let mut waits = PATIENCE.iter();
        loop {
            let write = || self.ledger.write(events.clone(), files.clone()).map(drop);
            match tokio::task::block_in_place(write) {
                Ok(()) => break,
                Err(LedgerError::Store(error)) if error.may_pass() => match waits.next() {
                    Some(wait) => {
                        let trouble = Notice::Trouble(format!("{error}; trying again"));
                        let _ = self.notices.send(trouble);
                        tokio::time::sleep(*wait).await;
                    }
                    None if self.takes_reserve(&error) => {}
                    None => return Err(error.into()),
                },
                Err(error) => return Err(error),
            }
        }
        worker::passed("driver.wrote")?;
        for event in self.ledger.written() {
            let _ = self.notices.send(Notice::Written(Box::new(event.clone())));
        }
        Ok(())
    }

    fn snapshot(&self) -> Run {
        self.ledger.run().cloned().unwrap_or_else(|| self.shop.run.clone())
    }

    fn stop_of(&mut self, task: &TaskId) -> watch::Receiver<StopRequest> {
        let (sender, receiver) = watch::channel(StopRequest::None);
        self.stops.insert(task.clone(), sender);
        receiver
    }

    fn halt(&mut self, task: &TaskId, urgency: Urgency) {
        let request = match urgency {
            Urgency::Ask => StopRequest::Term,
            Urgency::Kill => StopRequest::Kill,
        };
        if let Some(stop) = self.stops.get(task) {
            stop.send_replace(request);
        }
        let _ = self.notices.send(Notice::Stopping(urgency));
    }

    /// Runs a worker; one that panics is a fault of ours that ends its task, not
    /// the loop.
    fn spawn(&self, task: &TaskId, work: impl Future<Output = Input> + Send + 'static) {
        let (answer, task) = (self.answer.clone(), task.clone());
        tokio::spawn(async move {
            let input = tokio::spawn(work).await.unwrap_or_else(|panic| Input::Broken {
                task,
                why: format!("internal error: {panic}"),
            });
            let _ = answer.send(input);
        });
    }

    fn wake_at(&mut self, at: Timestamp) {
        let wait = u64::try_from(at.since_ms(self.shop.now())).unwrap_or(0);
        let at = Instant::now() + Duration::from_millis(wait);
        self.wake = Some(self.wake.map_or(at, |wake| wake.min(at)));
    }
}

fn far() -> Instant {
    Instant::now() + Duration::from_secs(86_400 * 365)
}

/// Whether an error means that another process holds the run now.
#[must_use]
pub fn is_fenced(error: &LedgerError) -> bool {
    matches!(error, LedgerError::Refused(Refusal::Fenced { .. }) | LedgerError::Compromised { .. })
}
