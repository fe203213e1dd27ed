//! What the workers of one run share: the store, the slots, the agents, and
//! what must not be computed.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::domain::id::{HolderId, Op, RunId};
use crate::domain::plan::Plan;
use crate::domain::run::Run;
use crate::domain::time::Timestamp;
use crate::store::ledger::Stamps;
use crate::store::{Chains, GitStore, Person, StoreError};
use crate::world::agents::Agent;
use crate::world::clock::Clock;
use crate::world::environment::Incoming;
use crate::world::process::Supervisor;
use crate::world::random::Random;
use crate::world::slots::Slots;

use super::confinement::Confinement;
use super::provision::Provision;

/// Everything that the work on one run needs.
pub struct Shop {
    /// The repository.
    pub store: GitStore,
    /// The same, as a store of chains.
    pub chains: Arc<dyn Chains>,
    /// The run as it was when work on it began.
    pub run: Run,
    /// Its plan, as it is revised.
    pub plan: RwLock<Arc<Plan>>,
    /// Where agents work.
    pub slots: Slots,
    /// What each slot gets beside its files.
    pub provision: Provision,
    /// Where results are checked.
    pub checkouts: Slots,
    /// Starts and watches programs.
    pub supervisor: Supervisor,
    /// The environment that this process was started with.
    pub incoming: Incoming,
    /// Names that `crew.env` lets through to agents.
    pub env_names: Vec<String>,
    /// What keeps agents and checks in.
    pub confinement: Confinement,
    /// The agents, by name.
    pub agents: BTreeMap<String, Agent>,
    /// The versions of the programs that were asked.
    pub versions: Mutex<BTreeMap<&'static str, Option<String>>>,
    /// The user, as committer of results.
    pub user: Person,
    /// The folder of live output, for other processes.
    pub live: PathBuf,
    /// From SIGTERM to SIGKILL when a limit was reached.
    pub grace: Duration,
    /// The most tasks at a time, where this process was told another number.
    pub jobs: Option<u32>,
    /// The longest that this process works on the run.
    pub max_time: Option<Duration>,
    /// Leave to fill a slot. No more are filled at a time than there are cores:
    /// the first is ready early, and its agent thinks while others are filled.
    pub filling: Semaphore,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where random numbers come from.
    pub random: Arc<dyn Random>,
    /// Whether the disk was full and the reserve is given up.
    pub full: AtomicBool,
}

impl std::fmt::Debug for Shop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shop").field("run", &self.run.id).finish_non_exhaustive()
    }
}

impl Shop {
    /// The run's id.
    #[must_use]
    pub fn id(&self) -> &RunId {
        &self.run.id
    }

    /// Its plan as it is now.
    #[must_use]
    pub fn plan(&self) -> Arc<Plan> {
        Arc::clone(&self.plan.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes another plan for the run's, once that is written.
    pub fn follow(&self, plan: Arc<Plan>) {
        *self.plan.write().unwrap_or_else(PoisonError::into_inner) = plan;
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A random number in `[0, 1)`.
    #[must_use]
    pub fn jitter(&self) -> f64 {
        self.random.jitter()
    }

    /// Asked when something failed: whether that was for want of room. The first
    /// one to find it so gives up the reserve, for what has to be written before
    /// everything stops; what failed is worth one more try then.
    #[must_use]
    pub fn is_out_of_room(&self) -> bool {
        if self.was_full() {
            return true;
        }
        let full = self.store.is_full();
        if full {
            self.run_out();
        }
        full
    }

    /// Gives up the reserve: something failed for want of room.
    pub fn run_out(&self) {
        if !self.full.swap(true, Ordering::SeqCst) {
            self.store.release_reserve();
        }
    }

    /// Whether the disk was found full before.
    #[must_use]
    pub fn was_full(&self) -> bool {
        self.full.load(Ordering::SeqCst)
    }

    /// Puts back what somebody's `git prune` took of the last minutes' events.
    ///
    /// # Errors
    /// When an object could not be put back.
    pub fn recheck(&self) -> Result<usize, StoreError> {
        self.chains.recheck()
    }
}

/// The clock and the random source, as a ledger wants them.
pub struct SystemStamps {
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where random numbers come from.
    pub random: Arc<dyn Random>,
}

impl Stamps for SystemStamps {
    fn now(&mut self) -> Timestamp {
        self.clock.now()
    }

    fn op(&mut self) -> Op {
        Op::new(self.random.bytes16())
    }
}

/// A fresh id for this process.
#[must_use]
pub fn new_holder(random: &dyn Random) -> HolderId {
    HolderId::new(random.bytes16())
}
