//! The wire: golden files, and that every event comes back as it went.

use std::path::PathBuf;

use proptest::prelude::*;

use super::*;
use crate::domain::account::Account;
use crate::domain::attempt::*;
use crate::domain::escape::is_hidden;
use crate::domain::event::{Event, EventKind, Unmerged};
use crate::domain::fold;
use crate::domain::id::{HolderId, Oid, Op, RunId, TaskId};
use crate::domain::lease::{Because, Binding, Grant, Token};
use crate::domain::run::{Outline, OutlineTask, Request, Run, RunEnd, RunStatus};
use crate::domain::task::TaskEnd;
use crate::domain::time::Timestamp;
use crate::domain::usage::Usage;

fn oid(digit: char) -> Oid {
    digit.to_string().repeat(40).parse().expect("forty digits")
}

fn task() -> TaskId {
    "build".parse().expect("a slug")
}

fn work() -> Work {
    Work {
        commit: Some(oid('c')),
        tree: Some(oid('d')),
        changed: vec![Change { status: 'A', path: "src/new file.rs".into() }],
        changed_total: 1,
        agent_commits: 2,
        rewrote_history: true,
        ignored: vec![("target/debug".into(), 4096)],
        ignored_total: 1,
        left_out: vec![("pipe".into(), "a fifo".into())],
    }
}

fn account() -> Account {
    Account {
        version: Some("2.1.197 (Claude Code)".into()),
        model: Some("claude-opus-4".into()),
        session: Some("0199-s".into()),
        usage: Some(Usage { input: 2000, output: 100, cached: 1500, cost_micro: Some(12_346) }),
    }
}

fn verdict() -> Verdict {
    let check = CheckRun {
        command: "cargo test".into(),
        code: Some(101),
        took_ms: 1500,
        sha256: "ab".repeat(32),
        err_sha256: Some("cd".repeat(32)),
        tail: "1 failed\u{1b}[0m".into(),
        from_plan: false,
    };
    Verdict {
        result: Judgement::Failed,
        tree: oid('d'),
        checks: vec![check.clone(), CheckRun { from_plan: true, ..check }],
        sandbox: "unconfined".into(),
    }
}

/// A run that has every kind of event, in an order that folds.
#[expect(clippy::too_many_lines, reason = "one list: every kind of event, in an order that folds")]
fn story() -> Vec<EventKind> {
    let task = task();
    let started = |attempt| EventKind::AttemptStarted {
        task: task.clone(),
        attempt,
        agent: "sh".into(),
        base: oid('b'),
        slot: "r.build.1".into(),
        mark: "f0".into(),
        sandbox: "none".into(),
        resumes: (attempt == 2).then(|| "0199-s".to_owned()),
    };
    let ended = |attempt, ending| EventKind::AttemptEnded {
        task: task.clone(),
        attempt,
        ending,
        work: work(),
        output: Output {
            bytes: 12,
            sha256: "00".repeat(32),
            err_sha256: Some("11".repeat(32)),
            leaked: vec!["7 sleep".into()],
            account: if attempt == 3 { Account::default() } else { account() },
        },
    };
    let failed = Ending::Failed { class: FailureClass::WallLimit, why: "over 1 s".into() };
    let judged = |attempt, result| EventKind::VerdictReached {
        task: task.clone(),
        attempt,
        verdict: Verdict { result, ..verdict() },
    };
    let over = |end, why: &str| EventKind::TaskEnded { task: task.clone(), end, why: why.into() };
    vec![
        EventKind::RunCreated {
            goal: "fix \"it\"\nnow\u{202e}\u{7f}".into(),
            base: oid('a'),
            request: Request {
                team: "default".into(),
                workflow: "default".into(),
                agent: Some("sh".into()),
                jobs: Some(2),
                max_time_ms: Some(60_000),
            },
        },
        EventKind::LeaseGranted {
            token: Token(1),
            grant: Grant {
                holder: HolderId::new([7; 16]),
                machine: "m".into(),
                boot: "b".into(),
                binding: Binding::Local,
            },
            because: Because::Free,
        },
        EventKind::RunPlanned {
            outline: Outline {
                jobs: 2,
                tasks: vec![OutlineTask {
                    id: task.clone(),
                    title: "Build".into(),
                    role: "executor".into(),
                    needs: vec![],
                }],
            },
        },
        started(1),
        ended(1, failed),
        EventKind::RetryPlanned { task: task.clone(), not_before: Timestamp(5), why: "x".into() },
        started(2),
        ended(2, Ending::Finished),
        judged(2, Judgement::Failed),
        over(TaskEnd::NeedsAttention, "stuck"),
        EventKind::TaskReopened { task: task.clone() },
        started(3),
        ended(3, Ending::Interrupted),
        started(4),
        ended(4, Ending::Finished),
        judged(4, Judgement::Passed),
        EventKind::PlanRevised {
            task: task.clone(),
            tasks: vec![OutlineTask {
                id: "each".parse().expect("a slug"),
                title: "Each".into(),
                role: "executor".into(),
                needs: vec![task.clone()],
            }],
            why: "from 'plan.json'".into(),
        },
        over(TaskEnd::Completed, "passed"),
        EventKind::PlanRevised {
            task: "each".parse().expect("a slug"),
            tasks: vec![],
            why: "no line in 'list'".into(),
        },
        EventKind::CancelRequested { why: "enough".into() },
        EventKind::Noted { text: "hello".into() },
        EventKind::ResultMade {
            commit: oid('e'),
            merged: vec![task.clone()],
            left: vec![Unmerged { task, paths: vec!["a".into()] }],
        },
        EventKind::RunEnded { end: RunEnd::Blocked, why: "left".into() },
        EventKind::RunReopened,
        EventKind::RunEnded { end: RunEnd::Completed, why: "all".into() },
        EventKind::LeaseReleased,
    ]
}

fn events() -> Vec<Event> {
    let stamp = |(index, kind): (usize, EventKind)| {
        let seq = index as u64 + 1;
        let control = kind.authority() != crate::domain::event::Authority::Owner;
        Event {
            seq,
            at: Timestamp(1_700_000_000_000 + i64::from(u8::try_from(seq).expect("few"))),
            op: Op::new([u8::try_from(seq).expect("few"); 16]),
            by: HolderId::new([7; 16]),
            token: (!control).then_some(Token(1)),
            kind,
        }
    };
    story().into_iter().enumerate().map(stamp).collect()
}

fn noted_event() -> Event {
    let noted = |event: &Event| matches!(event.kind, EventKind::Noted { .. });
    events().into_iter().find(noted).expect("the story has one")
}

fn id() -> RunId {
    RunId::new(0, "fix it")
}

fn fixtures(version: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/wire").join(version)
}

fn golden(name: &str, now: &str) -> String {
    let path = fixtures("v1.2").join(name);
    if option_env!("CREW_BLESS").is_some() && !path.exists() {
        std::fs::write(&path, now).expect("write a golden file");
    }
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
fn every_event_is_stored_as_the_golden_files_say() {
    for event in events() {
        let message = encode("subject", &id(), &event, RunStatus::Running).expect("encodes");
        let name = format!("{:02}-{}.txt", event.seq, event.kind.word());
        assert_eq!(message, golden(&name, &message), "{name}");
        assert_eq!(decode(&message).expect("decodes"), (id(), event, FORMAT));
        assert_eq!(status_of(&message).expect("has a status"), RunStatus::Running);
    }
}

#[test]
fn the_state_is_stored_as_the_golden_file_says() {
    let run = fold::fold(&id(), &events()).expect("the story folds");
    let bytes = encode_run(&run).expect("encodes");
    let text = String::from_utf8(bytes.clone()).expect("JSON is UTF-8");
    assert_eq!(text, golden("run.json", &text));
    assert_eq!(decode_run(&bytes).expect("decodes"), (run, FORMAT));
}

/// What older minor versions stored is read, and says the same when it is stored
/// today.
#[test]
fn every_older_record_is_read_and_loses_nothing() {
    for (folder, version) in [("v1", "1.0"), ("v1.1", "1.1")] {
        let mut events = Vec::new();
        for entry in std::fs::read_dir(fixtures(folder)).expect("a folder") {
            let path = entry.expect("an entry").path();
            let text = std::fs::read_to_string(&path).expect("UTF-8");
            if path.extension().is_some_and(|ending| ending == "json") {
                let (run, format) = decode_run(text.as_bytes()).expect("decodes");
                assert!(format < FORMAT && check_writable(format).is_ok());
                let now = encode_run(&run).expect("encodes");
                let now = String::from_utf8(now).expect("JSON is UTF-8");
                assert_eq!(now.replace("\"1.2\"", &format!("\"{version}\"")), text);
                continue;
            }
            let (run, event, format) = decode(&text).expect("decodes");
            assert_eq!((&run, format.to_string().as_str()), (&id(), version));
            let now = encode("subject", &id(), &event, RunStatus::Running).expect("encodes");
            assert_eq!(now.replace("Format: 1.2", &format!("Format: {version}")), text);
            events.push(event);
        }
        assert_eq!(events.len(), 24, "{version}");
        events.sort_by_key(|event| event.seq);
        fold::fold(&id(), &events).expect("the old story folds");
    }
}

#[test]
fn no_stored_byte_moves_a_terminal() {
    for event in events() {
        let message = encode("subject", &id(), &event, RunStatus::Running).expect("encodes");
        let bad = message.chars().find(|c| *c != '\n' && is_hidden(*c));
        assert_eq!(bad, None, "{message}");
    }
}

#[test]
fn another_major_version_is_refused_by_name() {
    let event = &events()[0];
    let message = encode("s", &id(), event, RunStatus::Queued).expect("encodes");
    let newer = message.replace("Crew-Format: 1.2", "Crew-Format: 2.0");
    let error = decode(&newer).expect_err("a newer major version");
    assert!(error.to_string().contains("format 2.0"), "{error}");
    let minor = message.replace("Crew-Format: 1.2", "Crew-Format: 1.7");
    let (_, _, format) = decode(&minor).expect("a newer minor version is read");
    assert!(check_writable(format).is_err(), "but not written on");
}

#[test]
fn an_event_that_every_log_would_have_to_read_is_refused() {
    let mut event = noted_event();
    event.kind = EventKind::Noted { text: "x".repeat(MAX_MESSAGE) };
    assert!(matches!(encode("s", &id(), &event, RunStatus::Running), Err(CodecError::TooLarge(_))));
}

#[test]
fn a_payload_that_looks_like_trailers_stays_payload() {
    let mut event = noted_event();
    event.kind = EventKind::Noted { text: "a\n\nCrew-Seq: 99\nCrew-Event: run-ended\n".into() };
    let message = encode("s", &id(), &event, RunStatus::Running).expect("encodes");
    assert_eq!(decode(&message).expect("decodes").1, event);
}

proptest! {
    #[test]
    fn decoding_never_panics(which in 0usize..26, at in 0usize..2000, byte: u8, cut in 0usize..2000) {
        let message = encode("s", &id(), &events()[which], RunStatus::Running).expect("encodes");
        let mut bytes = message.into_bytes();
        let at = at % bytes.len();
        bytes[at] = byte;
        bytes.truncate(bytes.len() - cut.min(bytes.len()) / 2);
        let text = String::from_utf8_lossy(&bytes);
        let _ = decode(&text);
        let _ = decode_run(text.as_bytes());
    }

    #[test]
    fn any_text_survives(text in any::<String>()) {
        let mut event = noted_event();
        event.kind = EventKind::Noted { text };
        let message = encode("s", &id(), &event, RunStatus::Running).expect("encodes");
        prop_assert_eq!(decode(&message).expect("decodes").1, event);
    }
}

#[test]
fn the_story_has_every_kind_of_event() {
    let words: std::collections::BTreeSet<_> = story().iter().map(EventKind::word).collect();
    assert_eq!(words.len(), 16, "{words:?}");
    let _: Run = fold::fold(&id(), &events()).expect("and it folds");
}
