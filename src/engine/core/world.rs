//! A world of scripts for the core: no process, no repository, no clock.

use super::super::*;
use crate::domain::attempt::{CheckRun, Output, Work};
use crate::domain::decide::{Actor, decide};
use crate::domain::event::Event;
use crate::domain::event::Unmerged;
use crate::domain::fold;
use crate::domain::id::{HolderId, Oid, Op, RunId};
use crate::domain::lease::{Because, Binding, Grant, Token};
use crate::domain::plan::{Limits, PlannedTask};
use crate::domain::run::{Outline, Request};
use crate::engine::io::Finish;
use std::collections::BTreeMap;

pub(super) fn oid(n: usize) -> Oid {
    format!("{n:040x}").parse().expect("forty digits")
}

pub(super) fn task(id: &str, needs: &[&str], checks: &[&str]) -> PlannedTask {
    PlannedTask {
        id: id.parse().expect("a slug"),
        title: id.into(),
        role: "r".into(),
        agent: "sh".into(),
        fallbacks: vec![],
        persona: String::new(),
        writes: true,
        needs: needs.iter().map(|n| n.parse().expect("a slug")).collect(),
        text: String::new(),
        checks: checks.iter().map(|c| (*c).to_owned()).collect(),
        paths: vec![],
        output: None,
        reads: vec![],
        limits: Limits { wall_ms: 1000, idle_ms: 1000 },
        retries: 1,
        verify: false,
        expand: None,
        planned_by: None,
        plan_checks: vec![],
        item: None,
        skills: vec![],
    }
}

pub(super) fn plan(tasks: Vec<PlannedTask>, width: u32) -> Plan {
    Plan {
        goal: "g".into(),
        team: "t".into(),
        workflow: "w".into(),
        sources: vec![],
        max_concurrency: width,
        tasks,
        cast: vec![],
        skills: vec![],
    }
}

/// What the next attempts of a task do, in order; the last repeats.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Act {
    Good,
    Bad,
    BadCheck,
    Hang,
}

pub(super) struct World {
    pub(super) run: Run,
    pub(super) core: Core,
    pub(super) script: BTreeMap<String, Vec<Act>>,
    /// Effects performed, by the words a test looks for.
    pub(super) log: Vec<String>,
    pub(super) hanging: Vec<(TaskId, u32)>,
    pub(super) clock: i64,
    pub(super) most: usize,
    pub(super) open: usize,
    pub(super) finish: Option<Finish>,
    pub(super) conflicts: bool,
    /// What tasks come of, by the task.
    pub(super) artifacts: BTreeMap<String, String>,
    /// The plan that the workers were told to follow.
    pub(super) followed: Option<Arc<Plan>>,
}

impl World {
    pub(super) fn new(plan: Plan, script: &[(&str, &[Act])]) -> Self {
        let me = HolderId::new([1; 16]);
        let outline = Outline {
            jobs: plan.max_concurrency,
            tasks: plan.tasks.iter().map(Into::into).collect(),
        };
        let grant =
            Grant { holder: me, machine: "m".into(), boot: "b".into(), binding: Binding::Local };
        let mut world = Self {
            run: {
                let id = RunId::new(0, "g");
                let event = Event {
                    seq: 1,
                    at: Timestamp(0),
                    op: Op::new([0; 16]),
                    by: HolderId::new([1; 16]),
                    token: None,
                    kind: EventKind::RunCreated {
                        goal: "g".into(),
                        base: oid(0),
                        request: Request::default(),
                    },
                };
                fold::apply(None, &id, &event).expect("begins")
            },
            core: Core::new(plan, None),
            script: script.iter().map(|(id, acts)| ((*id).to_owned(), acts.to_vec())).collect(),
            log: vec![],
            hanging: vec![],
            clock: 1,
            most: 0,
            open: 0,
            finish: None,
            conflicts: false,
            artifacts: BTreeMap::new(),
            followed: None,
        };
        world.write(EventKind::LeaseGranted { token: Token(1), grant, because: Because::Free });
        world.write(EventKind::RunPlanned { outline });
        world
    }

    /// What the ledger does: decide, then fold.
    pub(super) fn write(&mut self, kind: EventKind) {
        let actor = Actor { holder: HolderId::new([1; 16]), token: Some(Token(1)) };
        decide(Some(&self.run), &actor, &kind).unwrap_or_else(|e| panic!("{kind:?}: {e}"));
        let event = Event {
            seq: self.run.seq + 1,
            at: Timestamp(self.clock),
            op: Op::new([0; 16]),
            by: actor.holder,
            token: actor.token,
            kind,
        };
        let id = self.run.id.clone();
        self.run = fold::apply(Some(self.run.clone()), &id, &event).expect("folds");
    }

    fn act(&mut self, task: &TaskId) -> Act {
        let acts = self.script.entry(task.to_string()).or_insert_with(|| vec![Act::Good]);
        if acts.len() > 1 { acts.remove(0) } else { acts[0] }
    }

    pub(super) fn feed(&mut self, input: Input) {
        let mut queue = std::collections::VecDeque::from([input]);
        while let Some(input) = queue.pop_front() {
            self.clock += 1;
            if matches!(input, Input::Ended { .. }) {
                self.open -= 1;
            }
            let moment = Moment { now: Timestamp(self.clock), jitter: 0.5 };
            for effect in self.core.step(&self.run.clone(), moment, input) {
                queue.extend(self.perform(effect));
            }
        }
    }

    #[expect(clippy::too_many_lines, reason = "one arm per effect")]
    pub(super) fn perform(&mut self, effect: Effect) -> Option<Input> {
        match effect {
            Effect::Write { events, .. } => {
                events.into_iter().for_each(|event| self.write(event));
                None
            }
            Effect::Prepare { task, attempt } => {
                let base = oid(100 + usize::try_from(attempt).expect("few"));
                let (slot, mark) = (format!("{task}.{attempt}"), String::new());
                let sandbox = "none".to_owned();
                Some(Input::Prepared {
                    task,
                    attempt,
                    base,
                    slot,
                    mark,
                    sandbox,
                    resumes: None,
                    files: Files::new(),
                })
            }
            Effect::Launch { task, attempt } => {
                self.log.push(format!("launch {task} {attempt}"));
                self.open += 1;
                self.most = self.most.max(self.open);
                match self.act(&task) {
                    Act::Hang => {
                        self.hanging.push((task, attempt));
                        None
                    }
                    act => Some(self.ended(task, attempt, act, false)),
                }
            }
            Effect::Check { task, attempt } => {
                let result = match self.script.get(&format!("{task}.check")).map(|acts| acts[0]) {
                    Some(Act::BadCheck) if attempt == 1 => Judgement::Failed,
                    _ => Judgement::Passed,
                };
                let checks = vec![CheckRun {
                    command: "c".into(),
                    code: Some(0),
                    took_ms: 0,
                    sha256: String::new(),
                    err_sha256: None,
                    tail: String::new(),
                    from_plan: false,
                }];
                let tree = oid(300 + usize::try_from(attempt).expect("few"));
                let verdict = Verdict { result, tree, checks, sandbox: "unconfined".into() };
                Some(Input::Judged { task, attempt, verdict, files: Files::new() })
            }
            Effect::Halt { task, urgency } => {
                self.log.push(format!("halt {task} {urgency:?}"));
                let at = self.hanging.iter().position(|(id, _)| *id == task)?;
                let (task, attempt) = self.hanging.remove(at);
                Some(self.ended(task, attempt, Act::Bad, true))
            }
            Effect::Expand { task } => {
                self.log.push(format!("expand {task}"));
                let artifact = self.artifacts.get(task.as_str()).cloned().map(String::into_bytes);
                Some(Input::Expanded { task, artifact })
            }
            Effect::Follow(plan) => {
                self.followed = Some(plan);
                None
            }
            Effect::Merge { tasks } => {
                let (merged, left) = if self.conflicts && tasks.len() > 1 {
                    (tasks[..1].to_vec(), tasks[1..].to_vec())
                } else {
                    (tasks, vec![])
                };
                let left = left.into_iter().map(|task| Unmerged { task, paths: vec![] }).collect();
                Some(Input::Merged { commit: oid(999), merged, left })
            }
            Effect::Wake(at) => {
                self.clock = self.clock.max(at.0);
                Some(Input::Tick)
            }
            Effect::Finish(finish) => {
                self.finish = Some(finish);
                None
            }
        }
    }

    pub(super) fn ended(&mut self, task: TaskId, attempt: u32, act: Act, halted: bool) -> Input {
        let n = usize::try_from(attempt).expect("few");
        let ending = if act == Act::Bad {
            Ending::Failed { class: FailureClass::Exit, why: "exit 1".into() }
        } else {
            Ending::Finished
        };
        let work = Work { commit: Some(oid(200 + n)), tree: Some(oid(300 + n)), ..Work::default() };
        Input::Ended {
            task,
            attempt,
            ending,
            halted,
            work: Box::new(work),
            output: Output::default(),
            files: Files::new(),
        }
    }

    pub(super) fn status(&self, id: &str) -> &'static str {
        self.run.task(&id.parse().expect("a slug")).expect("known").status.word()
    }
}
