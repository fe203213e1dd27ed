//! Laws that hold whatever anybody does: random commands by several processes,
//! some of them with tokens that are void, under clocks that jump.

use proptest::prelude::*;

use super::attempt::{Ending, FailureClass, Judgement};
use super::decide::{self, Actor, Refusal};
use super::event::{Authority, EventKind};
use super::fold::{self, Corrupt};
use super::given::*;
use super::lease::{Binding, Life, Token};
use super::run::{Run, RunEnd};
use super::task::TaskEnd;

const NAMES: [&str; 3] = ["a", "b", "c"];
const TASKS: [&str; 3] = ["one", "two", "join"];

/// One step of a random history; the numbers choose among what there is.
#[derive(Clone, Copy, Debug)]
struct Step {
    who: usize,
    what: usize,
    /// Below 200: only what is allowed; else anything, by anybody.
    wild: u8,
    clock: i64,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (0..NAMES.len(), 0..10_000_usize, any::<u8>(), -90_000..90_000_i64)
        .prop_map(|(who, what, wild, clock)| Step { who, what, wild, clock });
    proptest::collection::vec(step, 1..120)
}

/// Everything that could be written next, the senseless too.
fn candidates(run: &Run, who: &str) -> Vec<EventKind> {
    let mut all = vec![
        EventKind::LeaseReleased,
        planned(&[("one", &[]), ("two", &[]), ("join", &["one", "two"])]),
        result_made(),
        EventKind::RunReopened,
        cancel_asked(),
        noted(),
        created(),
    ];
    for (life, force) in [(Life::Alive, false), (Life::Dead, false), (Life::Alive, true)] {
        let mut facts = facts(who);
        (facts.life, facts.force) = (life, force);
        all.extend(decide::claim(run, &facts, Binding::Local));
    }
    all.extend(RunEnd::ALL.map(run_over));
    for id in TASKS {
        let next = run.task(&task(id)).map_or(1, |task| task.next_attempt());
        for attempt in [next, next.saturating_sub(1), 1] {
            all.push(started(id, attempt));
            let endings = [
                Ending::Finished,
                failure(FailureClass::Exit),
                Ending::Interrupted,
                Ending::Cancelled,
            ];
            all.extend(endings.map(|ending| ended(id, attempt, ending)));
            all.extend(Judgement::ALL.map(|result| judged(id, attempt, result)));
        }
        all.extend([retry(id, 0), reopened(id)]);
        all.push(revised(id, &[("more", &[id]), ("most", &["more"])]));
        all.push(revised(id, &[("each", &[]), ("other", &[])]));
        all.push(revised(id, &[]));
        all.extend(TaskEnd::ALL.map(|end| over(id, end)));
    }
    all
}

/// A history and what each process believes of its own token.
struct World {
    story: Story,
    tokens: [Option<Token>; 3],
}

impl World {
    fn new() -> Self {
        Self { story: asked_for(), tokens: [None; 3] }
    }

    fn step(&mut self, step: Step) -> Result<(), TestCaseError> {
        self.story.now += step.clock;
        let who = Actor { holder: holder(NAMES[step.who]), token: self.tokens[step.who] };
        let run = self.story.run().clone();
        let mut all = candidates(&run, NAMES[step.who]);
        if step.wild < 200 {
            all.retain(|kind| decide::decide(Some(&run), &who, kind).is_ok());
            // Control events are always possible; left alone they would be most.
            if step.wild > 10 && all.iter().any(|kind| kind.authority() == Authority::Owner) {
                all.retain(|kind| kind.authority() == Authority::Owner);
            }
        }
        if all.is_empty() {
            return Ok(());
        }
        let kind = all.swap_remove(step.what % all.len());
        let answer = self.story.ask(&who, kind.clone());
        if answer.is_ok()
            && let EventKind::LeaseGranted { token, .. } = &kind
        {
            self.tokens[step.who] = Some(*token);
        }
        lawful(&run, self.story.run(), &who, &kind, &answer)?;
        forged(&self.story, &who, &kind, &answer)
    }
}

/// What must be true of every single step.
fn lawful(
    before: &Run,
    after: &Run,
    who: &Actor,
    kind: &EventKind,
    answer: &Result<(), Refusal>,
) -> Result<(), TestCaseError> {
    if let Err(refusal) = answer {
        prop_assert_eq!(before, after);
        prop_assert!(!refusal.to_string().is_empty());
        return Ok(());
    }
    let granted = matches!(kind, EventKind::LeaseGranted { .. });
    prop_assert_eq!(after.lease.token.0, before.lease.token.0 + u64::from(granted));
    if kind.authority() == Authority::Owner {
        prop_assert_eq!(who.token, Some(before.lease.token), "an old token wrote");
        let held = before.lease.held.as_ref().map(|held| &held.holder);
        prop_assert_eq!(held, Some(&who.holder), "somebody else wrote");
    }
    let revises = matches!(kind, EventKind::PlanRevised { .. });
    for old in &before.tasks {
        let Some(new) = after.task(&old.id) else {
            prop_assert!(revises && old.attempts.is_empty(), "a task was forgotten");
            continue;
        };
        if old.needs != new.needs {
            prop_assert!(revises && old.attempts.is_empty(), "a task began without its needs");
        }
        let kept = old.attempts.len() <= new.attempts.len()
            && old.attempts.iter().zip(&new.attempts).all(|(old, new)| old.number == new.number);
        prop_assert!(kept, "an attempt was forgotten");
        let open = new.attempts.iter().filter(|attempt| attempt.is_open()).count();
        prop_assert!(open <= 1 && (open == 0 || new.open().is_some()));
        if old.status.is_terminal() && old.status != new.status {
            prop_assert!(matches!(kind, EventKind::TaskReopened { .. }), "{kind:?}");
            prop_assert!(old.result.is_none(), "a completed task moved");
        }
        if let Some(result) = &old.result {
            prop_assert_eq!(Some(result), new.result.as_ref());
        }
    }
    if after.status.is_terminal() {
        let open = after.tasks.iter().any(|task| task.open().is_some());
        prop_assert!(!open, "the run ended with an open attempt");
    }
    Ok(())
}

/// S11: what `decide` would not let a process write, another program may still
/// put there. The fold must not take an owner event from a stranger.
fn forged(
    story: &Story,
    who: &Actor,
    kind: &EventKind,
    answer: &Result<(), Refusal>,
) -> Result<(), TestCaseError> {
    let by_right = matches!(answer, Err(Refusal::Fenced { .. } | Refusal::NotHolder { .. }));
    if kind.authority() != Authority::Owner || !by_right {
        return Ok(());
    }
    let event = story.event(who, kind.clone());
    let folded = fold::apply(story.run.clone(), &Story::id(), &event);
    prop_assert_eq!(folded, Err(Corrupt::Unowned { seq: event.seq, word: kind.word() }));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn every_history_is_lawful(steps in steps(), cut in any::<prop::sample::Index>()) {
        let mut world = World::new();
        for step in steps {
            world.step(step)?;
        }
        let story = world.story;
        let whole = fold::fold(&Story::id(), &story.events);
        prop_assert_eq!(whole.as_ref().ok(), story.run.as_ref(), "folding is a function");
        let (head, tail) = story.events.split_at(cut.index(story.events.len()));
        let mut run = head.is_empty().then_some(None);
        if run.is_none() {
            run = fold::fold(&Story::id(), head).ok().map(Some);
        }
        let mut run = run.expect("every prefix of a chain is a chain");
        for event in tail {
            run = Some(fold::apply(run, &Story::id(), event).expect("it folded before"));
        }
        prop_assert_eq!(run, story.run);
    }

    /// However it came about: what is released can be taken, what a dead process
    /// held too, and a person can always take it. The old token is void then.
    #[test]
    fn no_history_locks_a_run_for_ever(steps in steps()) {
        let mut world = World::new();
        for step in steps {
            world.step(step)?;
        }
        let story = world.story;
        let mut person = facts("d");
        person.force = true;
        let mut witness = facts("d");
        witness.life = Life::Dead;
        let before = story.owner();
        for facts in [person, witness] {
            let mut story = story.clone();
            let token = story.run().lease.token;
            prop_assert_eq!(story.claim(&facts), Ok(token.next()));
            let zombie = story.ask(&before, EventKind::LeaseReleased);
            prop_assert!(zombie.is_err());
        }
        let mut released = story;
        if released.run().lease.held.is_some() {
            released = released.and([EventKind::LeaseReleased]);
        }
        prop_assert!(released.claim(&facts("d")).is_ok());
    }

    /// A chain with one event altered, doubled, dropped or swapped either folds
    /// or names an event; it never panics.
    #[test]
    fn a_damaged_chain_is_named(steps in steps(), at in any::<prop::sample::Index>(), how in 0..4) {
        let mut world = World::new();
        for step in steps {
            world.step(step)?;
        }
        let mut events = world.story.events;
        let at = at.index(events.len());
        match how {
            0 => drop(events.remove(at)),
            1 => events.insert(at, events[at].clone()),
            2 => events.swap(at, 0),
            _ => events[at].by = holder("mallory"),
        }
        let authority = events.get(at).map(|event| event.kind.authority());
        let folded = fold::fold(&Story::id(), &events);
        if how == 3 && authority != Some(Authority::Control) {
            prop_assert!(folded.is_err(), "a stranger's event was folded");
        }
        if how == 1 {
            prop_assert!(folded.is_err(), "an event counted twice");
        }
    }
}
