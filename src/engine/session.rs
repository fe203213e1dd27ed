//! The jobs that commands ask for: start a run, go on with one, cancel one, try
//! one again. Each takes the lease, works, settles the books and gives it back.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::domain::decide::Refusal;
use crate::domain::diagnostic::Diagnostic;
use crate::domain::event::Event;
use crate::domain::event::EventKind;
use crate::domain::id::{Oid, RunId};
use crate::domain::plan::{Plan, Source};
use crate::domain::run::{Request, Run, RunStatus};
use crate::store::ledger::Files;
use crate::store::runs::LedgerError;
use crate::store::{RefName, StoreError};
use crate::world::process::{Supervisor, become_subreaper};

use super::confinement::Confinement;
use super::driver::{Driver, Interrupt, Left, Notice};
use super::place::{Place, PlaceError};
use super::shop::Shop;
use super::{books, recovery};

mod hold;

pub use hold::{Held, begin, is_fresh, reopen, take_up};

/// The longest goal, in bytes: it is part of every first event.
pub const MAX_GOAL: usize = 16 << 10;

/// Why a job could not be done.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The place is not fit for it.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The run can't be read or written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The store said no.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The team, the workflow or the agents do not make a plan.
    #[error("the plan can't be made")]
    Plan(Vec<Diagnostic>),
    /// No goal, or one that is too long.
    #[error("{0}")]
    Goal(String),
    /// The run's plan is missing or damaged.
    #[error("run '{run}' has no readable plan: {why}")]
    NoPlan {
        /// The run.
        run: RunId,
        /// Why.
        why: String,
    },
    /// Nothing to go on with.
    #[error("run '{run}' is {}: {what}", status.word())]
    Nothing {
        /// The run.
        run: RunId,
        /// Where it stands.
        status: RunStatus,
        /// What was asked of it.
        what: String,
    },
    /// The process could not prepare itself to watch others.
    #[error(transparent)]
    Process(#[from] crate::world::process::ProcessError),
}

/// What a run is asked to be.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// What the user wants.
    pub goal: String,
    /// `--team`
    pub team: Option<String>,
    /// `--workflow`
    pub workflow: Option<String>,
    /// `--agent`
    pub agent: Option<String>,
    /// `--from`
    pub from: Option<String>,
    /// `-j`
    pub jobs: Option<u32>,
    /// `--max-time`
    pub max_time: Option<Duration>,
}

/// A run that could begin: every choice is made, nothing is written.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The commit it starts from.
    pub base: Oid,
    /// How it was asked for.
    pub request: Request,
    /// The plan.
    pub plan: Plan,
    /// What `check` would warn of.
    pub warnings: Vec<Diagnostic>,
    /// Files that others of the same name hide.
    pub shadowed: Vec<(Source, Source)>,
    /// How long this process works on it.
    pub max_time: Option<Duration>,
}

/// Makes every choice of a run. Nothing is written.
///
/// # Errors
/// Whatever is wrong with the request, all of it.
pub fn prepare(place: &Place, wish: &Wish) -> Result<Prepared, SessionError> {
    place.incoming.depth().map_err(PlaceError::from)?;
    check_goal(&wish.goal)?;
    place.check_room()?;
    let base = match &wish.from {
        Some(revision) => place.store.resolve(revision)?,
        None => place.store.head()?.commit,
    };
    let library = place.library(Some(&base))?;
    let named = (wish.team.as_deref(), wish.workflow.as_deref());
    let team =
        library.team_for(named.0, named.1, place.setting("crew.team")).map_err(PlaceError::from)?;
    let gathered = library.gather(&team, named.1).map_err(PlaceError::from)?;
    let programs = place.programs(wish.agent.as_deref())?;
    let (plan, warnings) =
        gathered.resolve(&wish.goal, &programs, wish.jobs).map_err(SessionError::Plan)?;
    let request = Request {
        team: plan.team.clone(),
        workflow: plan.workflow.clone(),
        agent: wish.agent.clone(),
        jobs: wish.jobs,
        max_time_ms: wish.max_time.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)),
    };
    let (shadowed, max_time) = (gathered.shadowed, wish.max_time);
    Ok(Prepared { base, request, plan, warnings, shadowed, max_time })
}

fn check_goal(goal: &str) -> Result<(), SessionError> {
    if goal.trim().is_empty() {
        return Err(SessionError::Goal("no goal: say what is to be done".to_owned()));
    }
    if goal.len() > MAX_GOAL {
        let text = format!(
            "a goal of {} bytes; {MAX_GOAL} is the most: put it into a file of the repository and name the file",
            goal.len()
        );
        return Err(SessionError::Goal(text));
    }
    if goal.contains('\0') {
        return Err(SessionError::Goal("a goal can't hold a NUL byte".to_owned()));
    }
    Ok(())
}

/// Works on a held run until it is over or somebody interrupts. The books are
/// settled before this returns.
///
/// # Errors
/// The slots or the chain can't be used; what was made is kept.
pub async fn work(
    place: &Place,
    held: Held,
    notices: mpsc::UnboundedSender<Notice>,
    interrupts: mpsc::UnboundedReceiver<Interrupt>,
) -> Result<Left, SessionError> {
    become_subreaper()?;
    let Held { mut ledger, plan, jobs, max_time, life: _life } = held;
    let run = ledger.run().cloned().ok_or(Refusal::Absent).map_err(LedgerError::from)?;
    let shop = Arc::new(shop(place, &run, plan, jobs, max_time)?);
    make_live(&shop.live)?;
    let recovered = {
        let shop = Arc::clone(&shop);
        let mut tell = |event: &Event| {
            // Nobody may be watching; the run goes on all the same.
            let _ = notices.send(Notice::Written(Box::new(event.clone())));
        };
        // How this process came to hold the run is the first thing to tell.
        ledger.written().iter().for_each(&mut tell);
        tokio::task::block_in_place(|| recovery::recover(&shop, &mut ledger, &mut tell))?
    };
    tracing::debug!(recovered, "attempts of an earlier holder closed");
    let left = Driver::new(Arc::clone(&shop), ledger, notices).run(interrupts).await;
    tokio::task::block_in_place(|| -> Result<(), SessionError> {
        books::close(place, &run.id)?;
        place.chains.recheck()?;
        Ok(())
    })?;
    if left.run.status.is_terminal() {
        // Live output is of no use to anyone now; what counts is in the attic.
        let _ = std::fs::remove_dir_all(&shop.live);
    }
    Ok(left)
}

fn make_live(folder: &Path) -> Result<(), StoreError> {
    std::fs::create_dir_all(folder).map_err(|source| StoreError::Io {
        doing: "make",
        path: folder.to_owned(),
        source,
    })
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

fn shop(
    place: &Place,
    run: &Run,
    plan: Plan,
    jobs: Option<u32>,
    max_time: Option<Duration>,
) -> Result<Shop, SessionError> {
    Ok(Shop {
        store: place.store.clone(),
        chains: Arc::clone(&place.chains),
        run: run.clone(),
        plan: std::sync::RwLock::new(Arc::new(plan)),
        slots: place.slots()?,
        provision: place.provision()?,
        checkouts: place.checkouts()?,
        supervisor: Supervisor::default(),
        incoming: place.incoming.clone(),
        env_names: place.env_names(),
        confinement: Confinement::read(place)?,
        agents: place.agents()?,
        versions: std::sync::Mutex::default(),
        user: place.user(),
        live: place.live(&run.id),
        grace: place.grace()?,
        jobs,
        max_time,
        filling: tokio::sync::Semaphore::new(cores()),
        clock: Arc::clone(&place.clock),
        random: Arc::clone(&place.random),
        full: AtomicBool::new(false),
    })
}

/// Asks the holder of a run to stop it. Answers whether a holder is there to do
/// so; if not, the caller takes the run up and ends it itself.
///
/// # Errors
/// The run is over, or was asked already.
pub fn ask_to_cancel(place: &Place, id: &RunId, why: &str) -> Result<(), SessionError> {
    let mut ledger = place.ledger(id);
    match ledger.write(vec![EventKind::CancelRequested { why: why.to_owned() }], Files::new()) {
        Ok(_) | Err(LedgerError::Refused(Refusal::AlreadyAsked)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Whether a run could not be taken up only because another process has done so,
/// or has ended it, a moment ago.
#[must_use]
pub fn is_lost_race(error: &SessionError) -> bool {
    matches!(
        error,
        SessionError::Nothing { .. }
            | SessionError::Ledger(LedgerError::Refused(
                Refusal::Lease(_) | Refusal::RunOver { .. } | Refusal::Fenced { .. }
            ))
    )
}

/// The refs that a run's results are under, for people.
#[must_use]
pub fn result_ref(id: &RunId) -> String {
    RefName::results(id).to_string()
}
