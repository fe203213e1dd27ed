//! What a program says that it used is what the server billed.

use serde_json::Value;

use super::drive::Place;
use super::events;
use crate::programs::{Ask, Program};
use crate::server::Server;
use crate::server::script::{Answer, Conversation, Part, Usage};

const MARKER: &str = "[a bill]";

fn number(value: &Value, place: &str) -> u64 {
    value.pointer(place).and_then(Value::as_u64).unwrap_or_else(|| panic!("no {place}: {value}"))
}

/// The sum over the events of a kind; `fresh` says whether the tokens in are
/// told without the cached ones.
fn sum(out: &str, kind: &str, role: Option<&str>, places: [&str; 3], fresh: bool) -> Usage {
    let mut sum = Usage { input: 0, cached: 0, output: 0 };
    let of = |event: &Value| {
        event["type"] == kind && role.is_none_or(|role| event["message"]["role"] == role)
    };
    for event in events(out).filter(of) {
        let [input, cached, output] = places.map(|place| number(&event, place));
        sum.input += if fresh { input } else { input - cached };
        sum.cached += cached;
        sum.output += output;
    }
    sum
}

fn told(program: Program, out: &str) -> Usage {
    match program {
        Program::Claude => {
            let places =
                ["/usage/input_tokens", "/usage/cache_read_input_tokens", "/usage/output_tokens"];
            sum(out, "result", None, places, true)
        }
        Program::Codex => {
            let places =
                ["/usage/input_tokens", "/usage/cached_input_tokens", "/usage/output_tokens"];
            sum(out, "turn.completed", None, places, false)
        }
        Program::Pi => {
            let places =
                ["/message/usage/input", "/message/usage/cacheRead", "/message/usage/output"];
            sum(out, "message_end", Some("assistant"), places, true)
        }
        Program::Opencode => {
            let places = ["/part/tokens/input", "/part/tokens/cache/read", "/part/tokens/output"];
            sum(out, "step_finish", None, places, true)
        }
    }
}

fn billed(program: Program) {
    let costs = |input, cached, output| Usage { input, cached, output };
    let shell = |line: &str| Part::Shell(line.to_owned());
    let first = Answer::from(vec![shell("echo one"), shell("echo two")]);
    let script = Conversation::of(MARKER)
        .says(first.costs(costs(1031, 17, 53)))
        .says(Answer::from(shell("echo three")).costs(costs(2063, 1009, 71)))
        .says(Answer::from(Part::Text("Paid.".to_owned())).costs(costs(11, 4001, 7)));
    let server = Server::start(vec![script]);
    let place = Place::new(program, &server);
    let heard = place.run(&server, &Ask::of(&format!("What is it worth? {MARKER}")), || false);
    assert_eq!(heard.code, Some(0), "{}", heard.err);
    assert_eq!(server.spent(MARKER), costs(3105, 5027, 131), "each turn was asked for once");
    assert_eq!(told(program, &heard.out), server.spent(MARKER), "{}", heard.out);
}

#[test]
fn claude() {
    billed(Program::Claude);
}

#[test]
fn codex() {
    billed(Program::Codex);
}

#[test]
fn pi() {
    billed(Program::Pi);
}

#[test]
fn opencode() {
    billed(Program::Opencode);
}
