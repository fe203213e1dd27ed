//! A run for tests: a fan-out and a join, a check that failed once, a limit that
//! was reached twice. Built by folding events, so that it can't be one that
//! cannot happen.

use crate::domain::account::Account;
use crate::domain::attempt::{
    Change, CheckRun, Ending, FailureClass, Judgement, Output, Verdict, Work,
};
use crate::domain::event::{Event, EventKind, Unmerged};
use crate::domain::fold::fold;
use crate::domain::id::{HolderId, Oid, Op, RunId, TaskId};
use crate::domain::lease::{Because, Binding, Grant, Token};
use crate::domain::run::{Outline, OutlineTask, Request, Run, RunEnd};
use crate::domain::task::TaskEnd;
use crate::domain::time::Timestamp;
use crate::domain::usage::Usage;

/// What a hostile goal, title, path or agent may hold.
pub(crate) const HOSTILE: &str = "x\u{1b}]0;owned\u{7}\u{9b}2J\u{202e}\r\ny\0\u{7f}\u{200b}";

/// When the samples begin.
pub(crate) const START: Timestamp = Timestamp(1_700_000_000_000);

pub(crate) fn oid(digit: char) -> Oid {
    digit.to_string().repeat(40).parse().expect("forty digits")
}

pub(crate) fn task(name: &str) -> TaskId {
    name.parse().expect("a part")
}

/// What a hostile or a plain agent told.
fn account(text: &str) -> Account {
    let usage = Usage { input: 12_345, output: 678, cached: 9000, cost_micro: Some(12_346) };
    Account {
        version: Some(text.into()),
        model: Some(text.into()),
        session: Some("s-1".into()),
        usage: Some(usage),
    }
}

/// Writes events one after the other.
pub(crate) struct Story {
    pub(crate) id: RunId,
    pub(crate) events: Vec<Event>,
    text: String,
}

impl Story {
    /// A run that was asked for, taken up and planned; `text` stands wherever
    /// foreign text can.
    pub(crate) fn planned(id: &str, text: &str, nodes: &[(&str, &[&str])]) -> Self {
        let id = id.parse().expect("a part");
        let mut story = Self { id, events: Vec::new(), text: text.to_owned() };
        let request =
            Request { team: "default".into(), workflow: text.into(), ..Request::default() };
        story.write(0, EventKind::RunCreated { goal: text.into(), base: oid('0'), request });
        let grant = Grant {
            holder: HolderId::new([0xab; 16]),
            machine: text.into(),
            boot: "b".into(),
            binding: Binding::Local,
        };
        story.write(1, EventKind::LeaseGranted { token: Token(1), grant, because: Because::Free });
        let tasks = nodes
            .iter()
            .map(|(name, needs)| OutlineTask {
                id: task(name),
                title: text.into(),
                role: text.into(),
                needs: needs.iter().map(|need| task(need)).collect(),
            })
            .collect();
        story.write(1, EventKind::RunPlanned { outline: Outline { tasks, jobs: 2 } });
        story
    }

    /// One more event, `seconds` after the last.
    pub(crate) fn write(&mut self, seconds: i64, kind: EventKind) -> &mut Self {
        let seq = u64::try_from(self.events.len()).expect("few events") + 1;
        let last = self.events.last().map_or(START, |event| event.at);
        let token = (seq > 2).then_some(Token(1));
        let at = last.plus_ms(seconds * 1000);
        let op = Op::new([u8::try_from(seq).expect("few events"); 16]);
        self.events.push(Event { seq, at, op, by: HolderId::new([0xab; 16]), token, kind });
        self
    }

    pub(crate) fn start(&mut self, name: &str, attempt: u32) -> &mut Self {
        let agent = self.text.clone();
        self.write(
            0,
            EventKind::AttemptStarted {
                task: task(name),
                attempt,
                agent,
                base: oid('1'),
                slot: "/slots/3".into(),
                mark: "m".into(),
                sandbox: "fenced".into(),
                resumes: None,
            },
        )
    }

    pub(crate) fn end(&mut self, name: &str, attempt: u32, ending: Ending) -> &mut Self {
        let text = self.text.clone();
        let work = Work {
            commit: Some(oid('c')),
            tree: Some(oid('d')),
            changed: vec![Change { status: 'M', path: text.clone() }],
            changed_total: 3,
            agent_commits: 1,
            ignored: vec![(text.clone(), 2048)],
            ignored_total: 1,
            left_out: vec![(text.clone(), text.clone())],
            ..Work::default()
        };
        let account = account(&text);
        let sha256 = "e".repeat(64);
        let output = Output { bytes: 1536, sha256, err_sha256: None, leaked: vec![text], account };
        self.write(65, EventKind::AttemptEnded { task: task(name), attempt, ending, work, output })
    }

    pub(crate) fn judge(&mut self, name: &str, attempt: u32, result: Judgement) -> &mut Self {
        let checks = match result {
            Judgement::Unverified => Vec::new(),
            Judgement::Passed | Judgement::Failed => vec![CheckRun {
                command: self.text.clone(),
                code: Some(i32::from(result == Judgement::Failed)),
                took_ms: 1500,
                sha256: "f".repeat(64),
                err_sha256: None,
                tail: format!("one\n{}\n", self.text),
                from_plan: false,
            }],
        };
        let verdict = Verdict { result, tree: oid('d'), checks, sandbox: "unconfined".into() };
        self.write(1, EventKind::VerdictReached { task: task(name), attempt, verdict })
    }

    pub(crate) fn close(&mut self, name: &str, end: TaskEnd) -> &mut Self {
        let why = if end == TaskEnd::Completed { String::new() } else { self.text.clone() };
        self.write(0, EventKind::TaskEnded { task: task(name), end, why })
    }

    /// A task that goes well at once.
    pub(crate) fn well(&mut self, name: &str, result: Judgement) -> &mut Self {
        self.start(name, 1).end(name, 1, Ending::Finished).judge(name, 1, result);
        self.close(name, TaskEnd::Completed)
    }

    /// A task that fails this attempt by its wall clock limit.
    pub(crate) fn limit(&mut self, name: &str, attempt: u32) -> &mut Self {
        let why = self.text.clone();
        let ending = Ending::Failed { class: FailureClass::WallLimit, why };
        self.start(name, attempt).end(name, attempt, ending)
    }

    pub(crate) fn again(&mut self, name: &str) -> &mut Self {
        let at = self.events.last().map_or(START, |event| event.at);
        let why = self.text.clone();
        self.write(0, EventKind::RetryPlanned { task: task(name), not_before: at, why })
    }

    pub(crate) fn over(&mut self, end: RunEnd, merged: &[&str], left: &[&str]) -> &mut Self {
        let left = left
            .iter()
            .map(|name| Unmerged { task: task(name), paths: vec![self.text.clone(), "b".into()] })
            .collect();
        let merged = merged.iter().map(|name| task(name)).collect();
        self.write(1, EventKind::ResultMade { commit: oid('e'), merged, left });
        let why = self.text.clone();
        self.write(0, EventKind::RunEnded { end, why });
        self.write(0, EventKind::LeaseReleased)
    }

    /// The run that the events fold into.
    pub(crate) fn run(&self) -> Run {
        fold(&self.id, &self.events).expect("a story that can happen")
    }
}

/// A blocked run with everything that a view has to show.
pub(crate) fn blocked(text: &str) -> Story {
    let nodes: [(&str, &[&str]); 5] = [
        ("explore", &[]),
        ("left", &["explore"]),
        ("right", &["explore"]),
        ("join", &["left", "right"]),
        ("review", &["join"]),
    ];
    let mut story = Story::planned("9abc-fix", text, &nodes);
    story.well("explore", Judgement::Unverified);
    story.start("left", 1).end("left", 1, Ending::Finished).judge("left", 1, Judgement::Failed);
    story.again("left").start("left", 2).end("left", 2, Ending::Finished);
    story.judge("left", 2, Judgement::Passed).close("left", TaskEnd::Completed);
    story.limit("right", 1).again("right").start("right", 2);
    story.end("right", 2, Ending::Interrupted).limit("right", 3);
    story.close("right", TaskEnd::NeedsAttention);
    story.close("join", TaskEnd::Skipped).close("review", TaskEnd::Skipped);
    story.over(RunEnd::Blocked, &["explore"], &["left"]);
    story
}

/// A completed run: a chain of two, the second without a check.
pub(crate) fn completed(id: &str, text: &str, last: Judgement) -> Story {
    let nodes: [(&str, &[&str]); 2] = [("plan", &[]), ("implement", &["plan"])];
    let mut story = Story::planned(id, text, &nodes);
    story.well("plan", Judgement::Passed).well("implement", last);
    story.over(RunEnd::Completed, &["plan", "implement"], &[]);
    story
}
