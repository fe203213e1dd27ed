//! Each program by itself: what it prints and how it ends, case by case.
//!
//! A case's stream and its end stand in `tests/fixtures/streams/<program>/`. A
//! test here plays the case again and compares the end, the kinds of events and
//! the files; `CREW_BLESS=1` records them anew.

mod cases;
mod drive;
mod scrub;
mod table;
mod usage;

use std::fs;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::programs::{self, Ask, Program};
use crate::server::{Kind, Server};
use cases::{Case, FILLER, MARKER, TRIES};
use drive::{Heard, Place};

/// How a case ended; with its stream it is what an adapter is tried with.
#[derive(Debug, Deserialize, PartialEq, Eq, Serialize)]
struct End {
    /// What the server did.
    server: String,
    /// The exit code; none after a signal.
    code: Option<i32>,
    /// Whether it never ended by itself.
    ended_by_us: bool,
    /// How often the model was asked.
    requests: usize,
    /// What is other than before in the folder.
    changed: Vec<String>,
    /// What it printed on standard error.
    stderr: String,
}

fn folder(program: Program) -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/streams");
    root.join(program.name())
}

/// The events of a stream.
fn events(out: &str) -> impl Iterator<Item = serde_json::Value> {
    out.lines().filter_map(|line| serde_json::from_str(line).ok())
}

/// The id of the session in a stream.
fn session(program: Program, out: &str) -> String {
    let (kind, place) = match program {
        Program::Claude => ("system", "/session_id"),
        Program::Codex => ("thread.started", "/thread_id"),
        Program::Pi => ("session", "/id"),
        Program::Opencode => ("step_start", "/sessionID"),
    };
    let mut told = events(out).filter(|event| event["type"] == kind);
    let id = told.find_map(|event| event.pointer(place)?.as_str().map(str::to_owned));
    id.expect("a stream tells its session")
}

/// Whether a program that goes on has shown what it does.
fn enough(case: &Case, server: &Server, before: usize) -> bool {
    let asked = server.asked(MARKER) - before;
    asked > TRIES || case.name == "hang" && asked > 0
}

fn play(program: Program, name: &'static str) {
    let mut case = cases::case(program, name);
    let server = Server::start(vec![case.script.clone()]);
    let place = Place::new(program, &server);
    if case.resumes {
        let first = Ask::of(&format!("Please do this. {MARKER}"));
        let heard = place.run(&server, &first, || false);
        case.ask.session = Some(session(program, &heard.out));
    }
    let before = server.asked(MARKER);
    let heard = place.run(&server, &case.ask, || enough(&case, &server, before));
    let lost = server.seen().into_iter().filter(|seen| seen.kind == Kind::Unknown);
    let lost: Vec<String> = lost.map(|seen| seen.request.path).collect();
    assert_eq!(lost, Vec::<String>::new(), "the server has no answer to these");
    heard_of(&case, &server);
    let stops = [
        (place.top().display().to_string(), "/place"),
        (programs::folder().display().to_string(), "/programs/node_modules/.bin"),
        (programs::top().display().to_string(), "/programs"),
        (server.url().replace("http://", ""), "server"),
        (FILLER.0.repeat(FILLER.1).trim_end().to_owned(), "Every word counts, 11,000 times."),
    ];
    let out = scrub::scrub(&heard.out, &stops);
    let end = End {
        server: case.says.to_owned(),
        code: heard.code,
        ended_by_us: heard.late,
        requests: server.asked(MARKER) - before,
        changed: place.changed(),
        stderr: scrub::scrub(&heard.err, &stops),
    };
    if std::env::var_os("CREW_BLESS").is_some() {
        return record(program, name, &out, &end);
    }
    compare(program, name, &out, &end, &heard);
}

/// What the model must have been told in this case.
fn heard_of(case: &Case, server: &Server) {
    let Some(last) = server.told(MARKER).pop() else { return };
    let last = last.to_string();
    assert!(
        !case.resumes || last.contains("Please do this."),
        "the session went on without a past"
    );
    assert!(
        !case.ask.by_stdin || last.contains(FILLER.0.repeat(FILLER.1).trim_end()),
        "a part of the prompt is lost"
    );
}

fn record(program: Program, name: &str, out: &str, end: &End) {
    let folder = folder(program);
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join(format!("{name}.jsonl")), out).expect("a file");
    let end = serde_json::to_string_pretty(end).expect("JSON") + "\n";
    fs::write(folder.join(format!("{name}.end.json")), end).expect("a file");
}

fn compare(program: Program, name: &str, out: &str, end: &End, heard: &Heard) {
    let at = folder(program);
    let text = fs::read_to_string(at.join(format!("{name}.end.json"))).expect("it is recorded");
    let want: End = serde_json::from_str(&text).expect("JSON");
    let told = format!("{}\n--- err\n{}\n--- took {:?}", heard.out, heard.err, heard.took);
    assert_eq!((end.code, end.ended_by_us), (want.code, want.ended_by_us), "{told}");
    assert_eq!(end.changed, want.changed, "{told}");
    let text = fs::read_to_string(at.join(format!("{name}.jsonl"))).expect("it is recorded");
    assert_eq!(scrub::kinds(out), scrub::kinds(&text), "{told}");
}

macro_rules! each {
    ($($program:ident = $of:expr),* ; $names:tt) => {
        $(each!(@ $program, $of, $names);)*
        /// Every case.
        const NAMES: &[&str] = &each!(@names $names);
    };
    (@ $program:ident, $of:expr, [$($name:ident),*]) => {
        mod $program {
            $(#[test]
            fn $name() {
                super::play($of, stringify!($name));
            })*
        }
    };
    (@names [$($name:ident),*]) => { [$(stringify!($name)),*] };
}

each!(
    claude = crate::programs::Program::Claude,
    codex = crate::programs::Program::Codex,
    pi = crate::programs::Program::Pi,
    opencode = crate::programs::Program::Opencode;
    [
        edit, failing_tool, slow, rate_limited, rate_limited_then_fine, quota, overloaded,
        internal, unauthorized, too_long, broken, broken_then_fine, refused, filtered, hang,
        resumed, unknown_session, unknown_flag, no_login, large_prompt
    ]
);
