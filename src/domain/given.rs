//! Support for tests of the rules: events in short words, and a chain that is
//! grown by asking `decide` and folding what it allows. Compiled into tests
//! only; the integration tests include the same file.

use super::attempt::{CheckRun, Ending, FailureClass, Judgement, Output, Verdict, Work};
use super::decide::{self, Actor, Refusal};
use super::event::{Authority, Event, EventKind};
use super::fold;
use super::id::{HolderId, Oid, Op, RunId, TaskId};
use super::lease::{Binding, Facts, Life, Token};
use super::run::{Outline, OutlineTask, Request, Run, RunEnd, RunStatus};
use super::task::{TaskEnd, TaskStatus};
use super::time::Timestamp;

pub(crate) fn holder(name: &str) -> HolderId {
    name.parse().expect("a holder's name in a test")
}

pub(crate) fn task(name: &str) -> TaskId {
    name.parse().expect("a task's name in a test")
}

pub(crate) fn oid(n: u32) -> Oid {
    format!("{n:040x}").parse().expect("forty digits")
}

/// The tree that attempt `n` leaves.
pub(crate) fn tree(n: u32) -> Oid {
    oid(1000 + n)
}

pub(crate) fn by(name: &str, token: u64) -> Actor {
    Actor { holder: holder(name), token: Some(Token(token)) }
}

pub(crate) fn anyone(name: &str) -> Actor {
    Actor { holder: holder(name), token: None }
}

pub(crate) fn facts(name: &str) -> Facts {
    Facts {
        holder: holder(name),
        machine: "m1".into(),
        boot: "b1".into(),
        life: Life::Alive,
        watched_ms: 0,
        force: false,
    }
}

pub(crate) fn created() -> EventKind {
    EventKind::RunCreated { goal: "a goal".into(), base: oid(1), request: Request::default() }
}

pub(crate) fn planned(tasks: &[(&str, &[&str])]) -> EventKind {
    let tasks = tasks.iter().map(|(id, needs)| OutlineTask {
        id: task(id),
        title: (*id).into(),
        role: "worker".into(),
        needs: needs.iter().map(|need| task(need)).collect(),
    });
    EventKind::RunPlanned { outline: Outline { tasks: tasks.collect(), jobs: 2 } }
}

/// New tasks that come of one.
pub(crate) fn revised(id: &str, new: &[(&str, &[&str])]) -> EventKind {
    let EventKind::RunPlanned { outline } = planned(new) else { unreachable!() };
    EventKind::PlanRevised { task: task(id), tasks: outline.tasks, why: "its plan".into() }
}

pub(crate) fn started(id: &str, attempt: u32) -> EventKind {
    EventKind::AttemptStarted {
        task: task(id),
        attempt,
        agent: "sh".into(),
        base: oid(1),
        slot: "1".into(),
        mark: "mark".into(),
        sandbox: "none".into(),
        resumes: None,
    }
}

pub(crate) fn ended(id: &str, attempt: u32, ending: Ending) -> EventKind {
    let work =
        Work { commit: Some(oid(100 + attempt)), tree: Some(tree(attempt)), ..Work::default() };
    EventKind::AttemptEnded { task: task(id), attempt, ending, work, output: Output::default() }
}

pub(crate) fn failure(class: FailureClass) -> Ending {
    Ending::Failed { class, why: class.word().into() }
}

pub(crate) fn judged(id: &str, attempt: u32, result: Judgement) -> EventKind {
    let code = match result {
        Judgement::Passed => Some(Some(0)),
        Judgement::Failed => Some(Some(1)),
        Judgement::Unverified => None,
    };
    let check = code.map(|code| CheckRun {
        command: "make test".into(),
        code,
        took_ms: 1,
        sha256: String::new(),
        err_sha256: None,
        tail: String::new(),
        from_plan: false,
    });
    let verdict = Verdict {
        result,
        tree: tree(attempt),
        checks: check.into_iter().collect(),
        sandbox: "unconfined".into(),
    };
    EventKind::VerdictReached { task: task(id), attempt, verdict }
}

pub(crate) fn retry(id: &str, not_before: i64) -> EventKind {
    let not_before = Timestamp(not_before);
    EventKind::RetryPlanned { task: task(id), not_before, why: "check failed".into() }
}

pub(crate) fn over(id: &str, end: TaskEnd) -> EventKind {
    EventKind::TaskEnded { task: task(id), end, why: end.status().word().into() }
}

pub(crate) fn reopened(id: &str) -> EventKind {
    EventKind::TaskReopened { task: task(id) }
}

pub(crate) fn result_made() -> EventKind {
    EventKind::ResultMade { commit: oid(500), merged: Vec::new(), left: Vec::new() }
}

pub(crate) fn run_over(end: RunEnd) -> EventKind {
    EventKind::RunEnded { end, why: end.status().word().into() }
}

pub(crate) fn cancel_asked() -> EventKind {
    EventKind::CancelRequested { why: "asked".into() }
}

pub(crate) fn noted() -> EventKind {
    EventKind::Noted { text: "a word".into() }
}

/// A chain and what it folds to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Story {
    pub(crate) events: Vec<Event>,
    pub(crate) run: Option<Run>,
    pub(crate) now: i64,
}

impl Story {
    pub(crate) fn id() -> RunId {
        "aaaa-a-goal".parse().expect("a run id")
    }

    /// The event as `actor` would write it next.
    pub(crate) fn event(&self, actor: &Actor, kind: EventKind) -> Event {
        let seq = self.run.as_ref().map_or(1, |run| run.seq + 1);
        let mut op = [0; 16];
        op[..8].copy_from_slice(&seq.to_be_bytes());
        let token = match kind.authority() {
            Authority::Owner => actor.token,
            Authority::Control | Authority::Claim => None,
        };
        let by = actor.holder.clone();
        Event { seq, at: Timestamp(self.now), op: Op::new(op), by, token, kind }
    }

    /// Asks `decide`; what it allows is folded, and must fold.
    pub(crate) fn ask(&mut self, actor: &Actor, kind: EventKind) -> Result<(), Refusal> {
        decide::decide(self.run.as_ref(), actor, &kind)?;
        let event = self.event(actor, kind);
        let folded = fold::apply(self.run.clone(), &Self::id(), &event);
        self.run = Some(folded.unwrap_or_else(|fault| panic!("allowed and then: {fault}")));
        self.events.push(event);
        Ok(())
    }

    /// Claims the lease and tells the new token.
    pub(crate) fn claim(&mut self, facts: &Facts) -> Result<Token, Refusal> {
        let kind = decide::claim(self.run(), facts, Binding::Local)?;
        self.ask(&Actor { holder: facts.holder.clone(), token: None }, kind)?;
        Ok(self.run().lease.token)
    }

    /// Who may write an owner event at present; somebody else otherwise.
    pub(crate) fn owner(&self) -> Actor {
        let lease = self.run.as_ref().map(|run| &run.lease);
        let held = lease.and_then(|lease| lease.held.as_ref().map(|held| (held, lease.token)));
        match held {
            Some((held, token)) => Actor { holder: held.holder.clone(), token: Some(token) },
            None => anyone("user"),
        }
    }

    /// Lets the holder, or a person, write these one after the other.
    pub(crate) fn and(mut self, kinds: impl IntoIterator<Item = EventKind>) -> Self {
        for kind in kinds {
            let word = kind.word();
            let actor = self.owner();
            self.ask(&actor, kind).unwrap_or_else(|why| panic!("'{word}' was refused: {why}"));
        }
        self
    }

    /// Like [`Story::claim`], when it must succeed.
    pub(crate) fn held_by(mut self, name: &str) -> Self {
        self.claim(&facts(name)).unwrap_or_else(|why| panic!("'{name}' got nothing: {why}"));
        self
    }

    pub(crate) fn run(&self) -> &Run {
        self.run.as_ref().expect("the run was created")
    }

    pub(crate) fn status(&self, id: &str) -> TaskStatus {
        self.run().task(&task(id)).expect("the task exists").status
    }

    /// Starts a rule: what happens when `actor` writes `kind` here?
    pub(crate) fn when(mut self, actor: Actor, kind: EventKind) -> When {
        let answer = self.ask(&actor, kind);
        When { story: self, answer }
    }
}

/// A run that nobody has taken up.
pub(crate) fn asked_for() -> Story {
    Story::default().and([created()])
}

/// A run that `a` holds under token 1 and that has these tasks.
pub(crate) fn given(tasks: &[(&str, &[&str])]) -> Story {
    asked_for().held_by("a").and([planned(tasks)])
}

/// One task, `one`, with these events behind it.
pub(crate) fn one(kinds: impl IntoIterator<Item = EventKind>) -> Story {
    given(&[("one", &[])]).and(kinds)
}

/// What brings task `id` from queued to completed.
pub(crate) fn done(id: &str) -> [EventKind; 4] {
    [
        started(id, 1),
        ended(id, 1, Ending::Finished),
        judged(id, 1, Judgement::Passed),
        over(id, TaskEnd::Completed),
    ]
}

/// The answer to a rule's question.
pub(crate) struct When {
    story: Story,
    answer: Result<(), Refusal>,
}

impl When {
    fn allowed(self) -> Story {
        self.answer.unwrap_or_else(|why| panic!("refused: {why}"));
        self.story
    }

    /// The task stands there now.
    #[track_caller]
    pub(crate) fn then(self, id: &str, status: TaskStatus) -> Story {
        let story = self.allowed();
        assert_eq!(story.status(id), status);
        story
    }

    /// The run stands there now.
    #[track_caller]
    pub(crate) fn then_run(self, status: RunStatus) -> Story {
        let story = self.allowed();
        assert_eq!(story.run().status, status);
        story
    }

    /// Why it was refused.
    #[track_caller]
    pub(crate) fn why(self) -> Refusal {
        self.answer.expect_err("it was allowed")
    }

    /// It was refused for this reason.
    #[track_caller]
    pub(crate) fn refused(self, why: Refusal) {
        assert_eq!(self.answer, Err(why));
    }
}
