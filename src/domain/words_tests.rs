//! The subjects, one line per event, and what hostile text does to them.

use proptest::prelude::*;

use super::*;
use crate::domain::attempt::{FailureClass, Output};
use crate::domain::escape::is_hidden;
use crate::domain::id::Op;
use crate::domain::lease::Binding;
use crate::domain::run::{OutlineTask, Request, RunEnd};
use crate::domain::task::TaskEnd;
use crate::domain::time::Timestamp;

fn oid() -> Oid {
    "0123456789abcdef0123456789abcdef01234567".parse().expect("forty digits")
}

fn task(name: &str) -> TaskId {
    name.parse().expect("a part")
}

fn event(kind: EventKind) -> Event {
    Event {
        seq: 1,
        at: Timestamp(0),
        op: Op::new([1; 16]),
        by: HolderId::new([0xab; 16]),
        token: Some(Token(3)),
        kind,
    }
}

fn check(code: Option<i32>) -> CheckRun {
    CheckRun {
        command: "cargo test".into(),
        code,
        took_ms: 5,
        sha256: String::new(),
        err_sha256: None,
        tail: String::new(),
        from_plan: false,
    }
}

fn verdict_of(result: Judgement, checks: Vec<CheckRun>) -> EventKind {
    let verdict = Verdict { result, tree: oid(), checks, sandbox: "unconfined".into() };
    EventKind::VerdictReached { task: task("implement"), attempt: 2, verdict }
}

fn ended(name: &str, ending: Ending, changed_total: u64) -> EventKind {
    EventKind::AttemptEnded {
        task: task(name),
        attempt: 2,
        ending,
        work: Work { changed_total, ..Work::default() },
        output: Output::default(),
    }
}

/// Every kind of event once or more, with `text` wherever foreign text goes.
fn all_kinds(name: &str, text: &str) -> Vec<EventKind> {
    let t = || task(name);
    let s = || text.to_owned();
    let failed = Ending::Failed { class: FailureClass::WallLimit, why: s() };
    let grant = Grant {
        holder: HolderId::new([0xcd; 16]),
        machine: s(),
        boot: s(),
        binding: Binding::Local,
    };
    let node = OutlineTask { id: t(), title: s(), role: s(), needs: Vec::new() };
    let left = vec![Unmerged { task: t(), paths: vec![s()] }];
    let mut bad = check(Some(1));
    bad.command = s();
    vec![
        EventKind::RunCreated { goal: s(), base: oid(), request: Request::default() },
        EventKind::LeaseGranted { token: Token(1), grant: grant.clone(), because: Because::Free },
        EventKind::LeaseGranted { token: Token(2), grant, because: Because::HolderDied },
        EventKind::LeaseReleased,
        EventKind::RunPlanned { outline: Outline { tasks: vec![node.clone()], jobs: 4 } },
        EventKind::PlanRevised { task: t(), tasks: vec![node.clone()], why: s() },
        EventKind::PlanRevised { task: t(), tasks: vec![node.clone(), node], why: s() },
        EventKind::PlanRevised { task: t(), tasks: Vec::new(), why: s() },
        EventKind::AttemptStarted {
            task: t(),
            attempt: 2,
            agent: s(),
            base: oid(),
            slot: s(),
            mark: s(),
            sandbox: "none".into(),
            resumes: None,
        },
        ended(name, Ending::Finished, 3),
        ended(name, failed, 0),
        ended(name, Ending::Interrupted, 1),
        verdict_of(Judgement::Passed, vec![check(Some(0)), check(Some(0))]),
        verdict_of(Judgement::Failed, vec![check(Some(0)), bad]),
        verdict_of(Judgement::Failed, vec![check(None)]),
        verdict_of(Judgement::Unverified, Vec::new()),
        verdict_of(Judgement::Unverified, vec![check(Some(0))]),
        EventKind::RetryPlanned { task: t(), not_before: Timestamp(9), why: s() },
        EventKind::TaskEnded { task: t(), end: TaskEnd::NeedsAttention, why: s() },
        EventKind::TaskReopened { task: t() },
        EventKind::ResultMade { commit: oid(), merged: vec![t(), t()], left },
        EventKind::RunEnded { end: RunEnd::Completed, why: s() },
        EventKind::RunReopened,
        EventKind::CancelRequested { why: s() },
        EventKind::Noted { text: s() },
    ]
}

#[test]
fn every_event_has_its_line() {
    let lines: Vec<String> =
        all_kinds("implement", "codex").into_iter().map(|kind| subject(&event(kind))).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
        run created: codex
        lease granted to cdcdcdcd, token 1
        lease granted to cdcdcdcd, token 2: the holder before it died
        lease released by abababab, token 3
        planned 1 task, at most 4 at a time
        implement: 1 task follows: codex
        implement: 2 tasks follow: codex
        implement: nothing to do: codex
        implement: attempt 2 started on codex
        implement: attempt 2 finished, 3 changed paths kept
        implement: attempt 2 failed (wall-limit): codex
        implement: attempt 2 interrupted, 1 changed path kept
        implement: attempt 2 passed 2 checks
        implement: attempt 2 failed 'codex' with exit code 1
        implement: attempt 2 failed 'cargo test', which was stopped
        implement: attempt 2 is unverified, it has no check
        implement: attempt 2 is unverified, it passed only 1 check of its plan
        implement: another attempt follows: codex
        implement: needs_attention: codex
        implement: reopened
        result 0123456789ab holds 2 tasks, 1 conflicting task left out
        run completed: codex
        run reopened
        cancelling was asked for: codex
        note: codex
        ");
}

#[test]
fn a_long_name_is_cut_before_the_news() {
    let kind = ended(&"x".repeat(64), Ending::Finished, 3);
    insta::assert_snapshot!(subject(&event(kind)), @"xxxxxxxxxxxxxxxxxxxxxxxxxxxx…: attempt 2 finished, 3 changed paths kept");
}

#[test]
fn clipping_counts_columns_not_characters() {
    assert_eq!(clip("日本語", 6), "日本語");
    assert_eq!(clip("日本語", 5), "日本…");
    assert_eq!(clip("abc def", 5), "abc…");
    assert_eq!(clip("abc", 0), "");
    assert_eq!(plural(1, "entry"), "1 entry");
    assert_eq!(plural(2, "entry"), "2 entries");
}

proptest! {
    #[test]
    fn a_subject_is_one_safe_line(text in any::<String>(), name in "[a-z]{1,64}") {
        for kind in all_kinds(&name, &text) {
            let line = subject(&event(kind));
            prop_assert!(!line.chars().any(is_hidden), "{line:?}");
            prop_assert!(columns(&line) < SUBJECT_COLUMNS, "{line}");
            prop_assert!(!line.is_empty());
            prop_assert!(columns(&clip(&escaped(&text), 20)) <= 20);
        }
    }
}
