//! What each step does: the program's own code, or a mutant's.

use git_crew::domain::decide::{self, Actor};
use git_crew::domain::event::EventKind;
use git_crew::domain::lease::{Because, Binding, Facts, Lease, Life, Token};
use git_crew::domain::protocol::{Action, Append, Input, Outcome};
use git_crew::domain::run::Run;

use super::chain::{Chain, Entry, What, due, holder, kind};
use super::mutants::Mutant;
use super::world::{Fate, Job, Proc, Protocol, Want, World, count};

/// The event that an append has written and not yet seen in the chain.
pub(super) fn pending(append: &Append<Chain, ()>) -> Option<Chain> {
    match append {
        Append::Swapping { to, .. } | Append::Settling { to, .. } => Some(to.clone()),
        Append::Reading { .. }
        | Append::Deciding { .. }
        | Append::Writing { .. }
        | Append::Syncing { .. }
        | Append::Done(_) => None,
    }
}

pub(super) fn die(proc: &mut Proc) {
    proc.alive = false;
    proc.token = None;
    if let Some(job) = proc.job.take().filter(|job| job.want == Want::Note) {
        proc.kept = Some(job.op);
    }
}

impl Protocol {
    fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    pub(super) fn begin(&self, world: &mut World, p: usize, want: Want) {
        world.left.ops -= 1;
        if want == (Want::Claim { force: true }) {
            world.left.forces -= 1;
        }
        let proc = &mut world.procs[p];
        proc.revive();
        proc.drawn += 1;
        let op = u16::from(proc.id) * 16 + u16::from(proc.drawn);
        proc.job = Some(Job { op, want, append: Append::fresh(), pruned: false, looked: None });
        // Setting out touches nothing that others see: the read is the same step.
        self.step(world, p);
    }

    pub(super) fn retry(&self, world: &mut World, p: usize) {
        let proc = &mut world.procs[p];
        proc.revive();
        let Some(op) = proc.kept.take() else { return };
        let fresh = self.is(Mutant::RetryWithoutSearch);
        let append = if fresh { Append::fresh() } else { Append::retry() };
        proc.job = Some(Job { op, want: Want::Note, append, pruned: false, looked: None });
        self.step(world, p);
    }

    pub(super) fn step(&self, world: &mut World, p: usize) {
        let Some(job) = world.procs[p].job.clone() else { return };
        match job.append.action() {
            Action::Read { search } => self.read(world, p, &job, search),
            Action::Decide => self.decide(world, p, &job),
            Action::Swap { from, to, .. } => self.try_swap(world, p, &job, from.as_ref(), to),
            Action::Sync => {
                world.disk.settled = world.disk.tip.clone();
                self.answer(world, p, Input::Synced);
            }
            // Written in the same step as it is decided; done is cleared away.
            Action::Write { .. } | Action::Stop => {}
        }
    }

    fn read(&self, world: &mut World, p: usize, job: &Job, search: bool) {
        if !world.disk.readable() {
            return;
        }
        if world.disk.hole {
            count(&self.reached.filled_hole);
            world.disk.hole = false;
        }
        let blind = self.is(Mutant::RetryWithoutSearch);
        let held = search && !blind && world.disk.tip.holds(job.op);
        if held {
            count(&self.reached.found_op);
        }
        let tip = Some(world.disk.tip.clone());
        self.answer(world, p, Input::Read { tip, held });
        if held && self.is(Mutant::FoundCountsAsSynced) {
            self.answer(world, p, Input::Synced);
        }
        // A claim looks at the holder as well, and what it decides by that comes
        // later; for the rest it makes no difference when it decides.
        if matches!(job.want, Want::Claim { .. }) {
            self.look(world, p);
        } else if let Some(Job { append: Append::Deciding { .. }, .. }) = world.procs[p].job {
            self.step(world, p);
        }
    }

    /// Looks whether the holder of the tip that was just read lives. A later look
    /// would find the same, or a holder that died: as if it had been read later.
    fn look(&self, world: &mut World, p: usize) {
        let Some(job) = &world.procs[p].job else { return };
        let Append::Deciding { tip: Some(tip), .. } = &job.append else { return };
        let held = tip.run().lease.held.as_ref();
        let lives = |proc: &Proc| proc.alive && held.is_some_and(|g| g.holder == holder(proc.id));
        let alive = world.procs.iter().any(lives) && !self.is(Mutant::StoppedIsDead);
        if let Some(job) = &mut world.procs[p].job {
            job.looked.get_or_insert(alive);
        }
    }

    fn decide(&self, world: &mut World, p: usize, job: &Job) {
        let Append::Deciding { tip: Some(tip), .. } = &job.append else { return };
        let Some(what) = self.judge(world, p, tip.run(), job) else {
            return self.answer(world, p, Input::Refused(()));
        };
        let entry = self.entry(world, p, job, what);
        let to = tip.with(entry).unwrap_or_else(|unchecked| {
            world.misfolded = true;
            self.believe(&unchecked, entry)
        });
        self.answer(world, p, Input::Allowed);
        self.answer(world, p, Input::Written(to));
        if self.is(Mutant::AckBeforeSwap) {
            remember(&mut world.acked, job.op);
        }
    }

    fn entry(&self, world: &World, p: usize, job: &Job, what: What) -> Entry {
        let proc = &world.procs[p];
        let token = match job.want {
            Want::Work | Want::Release => proc.token,
            Want::Claim { .. } | Want::Note => None,
        };
        Entry { op: job.op, by: proc.id, token, what }
    }

    /// What a mutant takes for the state after a grant that `apply` refuses.
    fn believe(&self, chain: &Chain, entry: Entry) -> Chain {
        let EventKind::LeaseGranted { token, grant, .. } = kind(entry.by, entry.what) else {
            return chain.clone();
        };
        let mut run = chain.run().clone();
        run.lease = Lease { token, held: Some(grant) };
        chain.believed(run)
    }

    /// The program's answer, or the mutant's.
    fn judge(&self, world: &World, p: usize, run: &Run, job: &Job) -> Option<What> {
        let (proc, want) = (&world.procs[p], job.want);
        match want {
            Want::Claim { force } => {
                let life = if job.looked == Some(true) { Life::Alive } else { Life::Dead };
                self.claim(world, p, run, (life, force))
            }
            Want::Note => {
                let actor = Actor { holder: holder(proc.id), token: None };
                decide::decide(Some(run), &actor, &kind(proc.id, What::Note)).ok()?;
                Some(What::Note)
            }
            Want::Work | Want::Release => {
                let what = if want == Want::Work { due(run) } else { What::Release };
                let token = proc.token.map(Token);
                let actor = Actor { holder: holder(proc.id), token };
                let answer = decide::decide(Some(run), &actor, &kind(proc.id, what));
                let current = token == Some(run.lease.token);
                let mutant = match self.mutant {
                    Some(Mutant::NoTokenCheck) => true,
                    Some(Mutant::ReleaseKeepsTheRight) => current,
                    Some(Mutant::LessForUnequal) => token >= Some(run.lease.token),
                    Some(_) | None => false,
                };
                if answer.is_err() && token != Some(run.lease.token) {
                    count(&self.reached.refused_zombie);
                }
                (answer.is_ok() || mutant).then_some(what)
            }
        }
    }

    fn claim(
        &self,
        world: &World,
        p: usize,
        run: &Run,
        (life, force): (Life, bool),
    ) -> Option<What> {
        let held = run.lease.held.as_ref();
        let facts = Facts {
            holder: holder(world.procs[p].id),
            machine: "m".into(),
            boot: format!("b{}", world.boot),
            life,
            watched_ms: 0,
            force,
        };
        let granted = decide::claim(run, &facts, Binding::Local).ok()?;
        let EventKind::LeaseGranted { mut token, because, .. } = granted else { return None };
        match because {
            Because::HolderDied => count(&self.reached.died),
            Because::Rebooted => count(&self.reached.rebooted),
            Because::Forced => count(&self.reached.forced),
            Because::Free | Because::Silent => {}
        }
        let same = match self.mutant {
            Some(Mutant::SameTokenOnTakeover) => held.is_some(),
            Some(Mutant::ForceKeepsTheToken) => because == Because::Forced,
            Some(_) | None => false,
        };
        if same {
            token = run.lease.token;
        }
        Some(What::Grant { token: token.0, boot: world.boot, because })
    }

    fn try_swap(&self, world: &mut World, p: usize, job: &Job, from: Option<&Chain>, to: Chain) {
        let fits = from == Some(&world.disk.tip);
        if fits || self.is(Mutant::BlindSwap) {
            self.swap(world, to, job.pruned);
            self.answer(world, p, Input::Swapped);
            if self.is(Mutant::AckBeforeSync) {
                self.answer(world, p, Input::Synced);
            }
        } else if self.is(Mutant::MovedIsNotDecidedAgain) {
            let entry = *to.entries().last().expect("an event was written");
            let to = world.disk.tip.with(entry);
            let to = to.unwrap_or_else(|unchecked| self.believe(&unchecked, entry));
            self.swap(world, to, false);
            self.answer(world, p, Input::Swapped);
        } else {
            count(&self.reached.lost_race);
            self.answer(world, p, Input::Moved);
        }
    }

    pub(super) fn swap(&self, world: &mut World, to: Chain, pruned: bool) {
        let disk = &mut world.disk;
        disk.tip = to;
        disk.hole = pruned;
        disk.soft = self.is(Mutant::ObjectsNotSynced);
        disk.recent = !self.is(Mutant::NoRecentObjects);
        // A tip never returns: what was on its way from another one is void.
        disk.late = None;
    }

    pub(super) fn unknown(&self, world: &mut World, p: usize, fate: Fate) {
        let Some(job) = world.procs[p].job.clone() else { return };
        let Action::Swap { from, to, .. } = job.append.action() else { return };
        world.left.unknowns -= 1;
        if from.as_ref() == Some(&world.disk.tip) {
            match fate {
                Fate::Happened => self.swap(world, to, job.pruned),
                Fate::Late => world.disk.late = from.map(|from| (from, to)),
                Fate::Lost => {}
            }
        }
        let taken = if self.is(Mutant::UnknownIsDone) { Input::Swapped } else { Input::Unknown };
        self.answer(world, p, taken);
    }

    pub(super) fn cut(&self, world: &mut World, back: bool) {
        world.left.cuts -= 1;
        world.boot += 1;
        world.procs.iter_mut().for_each(die);
        let disk = &mut world.disk;
        disk.late = None;
        if back && disk.tip != disk.settled {
            count(&self.reached.fell_back);
            disk.tip = disk.settled.clone();
            disk.hole = false;
        } else {
            disk.hole |= disk.soft;
            let volatile = self.is(Mutant::RecentNotSynced) || self.is(Mutant::ObjectsNotSynced);
            disk.recent &= !volatile;
        }
        disk.soft = false;
        disk.settled = disk.tip.clone();
    }

    /// Moves a process's append on, and lets the process learn how it ended.
    pub(super) fn answer(&self, world: &mut World, p: usize, input: Input<Chain, ()>) {
        let proc = &mut world.procs[p];
        let Some(mut job) = proc.job.take() else { return };
        job.append = job.append.step(input).expect("the answer belongs to the action");
        if !matches!(job.append, Append::Deciding { .. }) {
            // The next tip may have another holder.
            job.looked = job.looked.filter(|_| self.is(Mutant::LookedAtAnotherHolder));
        }
        let Some(outcome) = job.append.outcome() else {
            proc.job = Some(job);
            return;
        };
        match outcome {
            Outcome::Acked(tip) => {
                let mine = tip.entries().iter().find(|entry| entry.op == job.op);
                match mine.map(|entry| entry.what) {
                    Some(What::Grant { token, .. }) => proc.token = Some(token),
                    Some(What::Release) if !self.is(Mutant::ReleaseKeepsTheRight) => {
                        proc.token = None;
                    }
                    Some(_) | None => {}
                }
                remember(&mut world.acked, job.op);
            }
            Outcome::Refused(()) => {
                remember(&mut world.denied, job.op);
                if matches!(job.want, Want::Work | Want::Release) {
                    proc.token = None;
                }
            }
            Outcome::Lost => remember(&mut world.denied, job.op),
            Outcome::Unsettled if job.want == Want::Note => proc.kept = Some(job.op),
            Outcome::Unsettled => {}
        }
    }
}

fn remember(ops: &mut Vec<u16>, op: u16) {
    if let Err(at) = ops.binary_search(&op) {
        ops.insert(at, op);
    }
}
