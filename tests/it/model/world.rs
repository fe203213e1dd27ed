//! What the processes share, and what may happen next to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use git_crew::domain::protocol::{Append, Input};
use stateright::{Model, Property};

use super::chain::Chain;
use super::laws;
use super::mutants::Mutant;
use super::steps::{die, pending};

/// How often each thing may still happen in one history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Budget {
    /// Operations that are begun.
    pub(crate) ops: u8,
    /// `kill -9`.
    pub(crate) crashes: u8,
    /// Power cuts.
    pub(crate) cuts: u8,
    /// `git gc --prune=now`.
    pub(crate) prunes: u8,
    /// `--force` by a person.
    pub(crate) forces: u8,
    /// Swaps whose outcome is not known.
    pub(crate) unknowns: u8,
    /// Appends that are given up.
    pub(crate) gives: u8,
}

/// What a process sets out to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Want {
    Claim { force: bool },
    Work,
    Release,
    Note,
}

/// An append under way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Job {
    pub(super) op: u16,
    pub(super) want: Want,
    pub(super) append: Append<Chain, ()>,
    /// Its event's object was pruned: nothing referenced it yet.
    pub(super) pruned: bool,
    /// Whether the holder lives, for a claim that has looked at it; the holder
    /// of the tip that was read.
    pub(super) looked: Option<bool>,
}

/// One of the three, through all its incarnations.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Proc {
    /// The holder id of this incarnation; a restart draws a new one.
    pub(crate) id: u8,
    pub(crate) alive: bool,
    pub(super) token: Option<u64>,
    pub(super) drawn: u8,
    pub(super) job: Option<Job>,
    /// A remark that may or may not have been written when its writer died.
    pub(super) kept: Option<u16>,
}

impl Proc {
    fn begun(&self) -> bool {
        self.drawn > 0 || self.id > 2
    }

    /// A new incarnation of a dead process, under a holder id of its own.
    pub(super) fn revive(&mut self) {
        if !self.alive {
            (self.id, self.alive, self.drawn) = (self.id + 3, true, 0);
        }
    }
}

/// The ref and its folder.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Disk {
    /// What every process reads.
    pub(crate) tip: Chain,
    /// What a power cut may fall back to.
    pub(super) settled: Chain,
    /// The tip's object is not in the object database.
    pub(super) hole: bool,
    /// The tip's object is only in memory.
    pub(super) soft: bool,
    /// The tip's object is among the recent ones.
    pub(super) recent: bool,
    /// A swap that is still on its way.
    pub(super) late: Option<(Chain, Chain)>,
}

impl Disk {
    pub(crate) fn readable(&self) -> bool {
        !self.hole || self.recent
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) disk: Disk,
    pub(crate) procs: [Proc; 3],
    pub(crate) boot: u8,
    pub(crate) acked: Vec<u16>,
    /// Operations of which a process was told that they are not in the chain.
    pub(crate) denied: Vec<u16>,
    /// `apply` refused what `decide` had allowed.
    pub(crate) misfolded: bool,
    pub(super) left: Budget,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Happened,
    Lost,
    Late,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Begin(usize, Want),
    Retry(usize),
    Step(usize),
    Unknown(usize, Fate),
    GiveUp(usize),
    Deliver,
    Crash(usize),
    Prune,
    Cut { back: bool },
}

/// Situations that a model must reach to prove anything, counted.
#[derive(Debug, Default)]
pub(crate) struct Reached {
    pub(crate) refused_zombie: AtomicU64,
    pub(crate) lost_race: AtomicU64,
    pub(crate) found_op: AtomicU64,
    pub(crate) filled_hole: AtomicU64,
    pub(crate) fell_back: AtomicU64,
    pub(crate) late_won: AtomicU64,
    pub(crate) died: AtomicU64,
    pub(crate) rebooted: AtomicU64,
    pub(crate) forced: AtomicU64,
}

pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

#[derive(Clone)]
pub(crate) struct Protocol {
    pub(crate) budget: Budget,
    pub(crate) mutant: Option<Mutant>,
    pub(crate) reached: Arc<Reached>,
}

impl Model for Protocol {
    type State = World;
    type Action = Act;

    fn init_states(&self) -> Vec<World> {
        let proc = |id| Proc { id, alive: true, token: None, drawn: 0, job: None, kept: None };
        let tip = Chain::new();
        let disk =
            Disk { settled: tip.clone(), tip, hole: false, soft: false, recent: true, late: None };
        vec![World {
            disk,
            procs: [proc(0), proc(1), proc(2)],
            boot: 1,
            acked: vec![],
            denied: vec![],
            misfolded: false,
            left: self.budget,
        }]
    }

    fn actions(&self, world: &World, acts: &mut Vec<Act>) {
        let left = &world.left;
        for (p, proc) in world.procs.iter().enumerate() {
            if proc.alive && proc.job.is_some() {
                self.actions_under_way(world, p, acts);
            } else if p == 0 || world.procs[p - 1].begun() {
                // They are alike until they begin: the lower ones begin first.
                self.actions_at_rest(world, p, acts);
            }
            // An idle process without a token is missed by nobody.
            if left.crashes > 0 && proc.alive && (proc.job.is_some() || proc.token.is_some()) {
                acts.push(Act::Crash(p));
            }
        }
        if world.disk.late.is_some() {
            acts.push(Act::Deliver);
        }
        if left.prunes > 0 {
            acts.push(Act::Prune);
        }
        if left.cuts > 0 {
            acts.push(Act::Cut { back: false });
            if world.disk.tip != world.disk.settled {
                acts.push(Act::Cut { back: true });
            }
        }
    }

    fn next_state(&self, last: &World, act: Act) -> Option<World> {
        let mut world = last.clone();
        match act {
            Act::Begin(p, want) => self.begin(&mut world, p, want),
            Act::Retry(p) => self.retry(&mut world, p),
            Act::Step(p) => self.step(&mut world, p),
            Act::Unknown(p, fate) => self.unknown(&mut world, p, fate),
            Act::GiveUp(p) => {
                world.left.gives -= 1;
                self.answer(&mut world, p, Input::GiveUp);
            }
            Act::Deliver => {
                let (_, to) = world.disk.late.take()?;
                count(&self.reached.late_won);
                self.swap(&mut world, to, false);
            }
            Act::Crash(p) => {
                world.left.crashes -= 1;
                die(&mut world.procs[p]);
            }
            Act::Prune => {
                world.left.prunes -= 1;
                for job in world.procs.iter_mut().filter_map(|proc| proc.job.as_mut()) {
                    let to = pending(&job.append);
                    job.pruned = to.is_some_and(|to| !world.disk.tip.extends(&to));
                }
            }
            Act::Cut { back } => self.cut(&mut world, back),
        }
        (world != *last).then_some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        laws::all()
    }
}

impl Protocol {
    fn actions_under_way(&self, world: &World, p: usize, acts: &mut Vec<Act>) {
        let left = &world.left;
        let Some(job) = &world.procs[p].job else { return };
        acts.push(Act::Step(p));
        if left.gives > 0 && !matches!(job.append, Append::Deciding { .. }) {
            acts.push(Act::GiveUp(p));
        }
        if left.unknowns > 0 && matches!(job.append, Append::Swapping { .. }) {
            acts.extend([Fate::Happened, Fate::Lost, Fate::Late].map(|f| Act::Unknown(p, f)));
        }
    }

    /// What an idle process may begin; a dead one is restarted for it.
    fn actions_at_rest(&self, world: &World, p: usize, acts: &mut Vec<Act>) {
        let (proc, left) = (&world.procs[p], &world.left);
        if proc.kept.is_some() {
            acts.push(Act::Retry(p));
        }
        if left.ops == 0 {
            return;
        }
        acts.push(Act::Begin(p, Want::Note));
        if proc.token.is_some() {
            acts.extend([Want::Work, Want::Release].map(|want| Act::Begin(p, want)));
        } else {
            acts.push(Act::Begin(p, Want::Claim { force: false }));
            if left.forces > 0 {
                acts.push(Act::Begin(p, Want::Claim { force: true }));
            }
        }
    }
}
