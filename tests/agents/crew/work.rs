//! What goes well: files, commands, several tasks at once, a second try.

use crate::programs::Program;
use crate::server::script::{Answer, Conversation, Part, USAGE, Usage};

use super::rig::{Rig, step};

const ONE: &str = "[task one]";
const LAST: &str = "It is done, all of it.";

fn text(words: &str) -> Part {
    Part::Text(words.to_owned())
}

fn edits() -> Vec<Part> {
    let (old, new) = ("hello old world", "hello new world");
    vec![Part::Edit("greeting.txt".to_owned(), old.to_owned(), new.to_owned())]
}

fn one(keys: &[&str]) -> Vec<String> {
    vec![step("one", keys, &format!("{{goal}} {ONE}"))]
}

/// The usage of an attempt as the record tells it.
fn told(attempt: &serde_json::Value) -> Usage {
    let number = |key: &str| {
        let value = &attempt["output"]["account"]["usage"][key];
        value.as_u64().unwrap_or_else(|| panic!("no {key}: {attempt}"))
    };
    Usage { input: number("input"), cached: number("cached"), output: number("output") }
}

/// A file is changed by a tool, another by the shell; what was used is on record
/// to the token.
fn a_task(program: Program) {
    let costs = |input, cached, output| Usage { input, cached, output };
    let script = Conversation::of(ONE)
        .says(
            Answer::from(vec![text("I begin."), Part::Read("greeting.txt".to_owned())])
                .costs(costs(1031, 17, 53)),
        )
        .says(Answer::from(edits()).costs(costs(2063, 1009, 71)))
        .says(Part::Shell("echo made >made.txt".to_owned()))
        .says(Answer::from(text(LAST)).costs(costs(11, 4001, 7)));
    let next = Conversation::of("[task two]").says(text("Seen."));
    let mut steps = one(&["retries: 0"]);
    steps.push(step("two", &["retries: 0", "dependsOn: one"], "{goal} [task two]"));
    let rig = Rig::new(program, vec![script, next], &steps);
    rig.run().exits(0);
    assert_eq!(rig.result("greeting.txt"), "hello new world");
    assert_eq!(rig.result("made.txt"), "made");
    let attempt = rig.state()["tasks"][0]["attempts"][0].clone();
    assert_eq!(attempt["agent"], program.name(), "{attempt}");
    assert_eq!(told(&attempt), rig.server.spent(ONE), "{attempt}");
    let told = attempt["output"]["account"]["version"].as_str().map(version);
    assert_eq!(told, Some(program.pinned()), "{attempt}");
    // The next task is told the last words, and not the stream that they came in.
    let told = rig.server.told("[task two]")[0].to_string();
    assert!(told.contains(LAST) && !told.contains("I begin."), "{told}");
}

/// The number in what a program says of its version.
fn version(words: &str) -> String {
    let number = words.split(' ').find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    number.unwrap_or_default().to_owned()
}

/// Two tasks at a time, each in a place of its own, and both in the result. The
/// model answers neither before it was asked by both.
fn two_at_once(program: Program) {
    let of = |name: &str, other: &str| {
        let made = Answer::from(Part::Shell(format!("echo {name} >{name}.txt")));
        let script = Conversation::of(&format!("[task {name}]"));
        script.says(made.meets(&format!("[task {other}]"))).says(text("Done."))
    };
    let steps = ["left", "right"]
        .map(|name| step(name, &["retries: 0"], &format!("{{goal}} [task {name}]")));
    let rig = Rig::new(program, vec![of("left", "right"), of("right", "left")], &steps);
    rig.run().exits(0);
    assert_eq!((rig.result("left.txt"), rig.result("right.txt")), ("left".into(), "right".into()));
}

/// A failed check is told to the next attempt, which goes on in the session of
/// the one before and knows what was said there. opencode begins anew: it can't go
/// on in another folder.
fn again(program: Program) {
    let does = || Part::Shell("echo hello new world >greeting.txt".to_owned());
    let first = text("I believe that I did it.");
    let script = Conversation::of(ONE)
        .tries(vec![first.into(), does().into()])
        .says(if program == Program::Opencode { text("Done.") } else { does() })
        .says(text("Now it is done."));
    let check = "check: grep -q 'new world' greeting.txt || { echo no-new-world-there; exit 1; }";
    let rig = Rig::new(program, vec![script], &one(&[check]));
    rig.run().exits(0);
    assert_eq!(rig.result("greeting.txt"), "hello new world");
    let attempts = rig.state()["tasks"][0]["attempts"].clone();
    assert_eq!(attempts.as_array().map(Vec::len), Some(2), "{attempts}");
    let second = rig.server.told(ONE)[1].to_string();
    assert!(second.contains("no-new-world-there"), "the check's output is not told: {second}");
    let session = &attempts[0]["output"]["account"]["session"];
    assert!(session.is_string(), "{attempts}");
    let goes_on = program != Program::Opencode;
    assert_eq!(second.contains("I believe that I did it."), goes_on, "{second}");
    assert_eq!(attempts[1]["resumes"].is_string(), goes_on, "{attempts}");
    if goes_on {
        assert_eq!(&attempts[1]["resumes"], session, "{attempts}");
    }
    // A session's sum is not an attempt's: each is billed for its own turns.
    let (first, second) = (told(&attempts[0]), told(&attempts[1]));
    assert_eq!(first, USAGE, "{attempts}");
    let twice =
        Usage { input: 2 * USAGE.input, cached: 2 * USAGE.cached, output: 2 * USAGE.output };
    assert_eq!(second, twice, "{attempts}");
}

/// More than fits into an argument of a program.
fn a_long_prompt(program: Program) {
    let words = "Every word counts. ".repeat(11_000);
    let script = Conversation::of(ONE)
        .says(Part::Shell("echo made >made.txt".to_owned()))
        .says(text("Done."));
    let steps = [step("one", &["retries: 0"], &format!("{{goal}} {ONE}\n\n{words}The end of it."))];
    let rig = Rig::new(program, vec![script], &steps);
    rig.run().exits(0);
    assert_eq!(rig.result("made.txt"), "made");
    let told = rig.server.told(ONE)[0].to_string();
    assert!(told.contains(words.trim_end()) && told.contains("The end of it."), "not whole");
}

macro_rules! each {
    ($($program:ident = $of:ident),*) => {
        $(mod $program {
            use super::Program::$of;

            #[test]
            fn a_task() {
                super::a_task($of);
            }

            #[test]
            fn two_at_once() {
                super::two_at_once($of);
            }

            #[test]
            fn again() {
                super::again($of);
            }

            #[test]
            fn a_long_prompt() {
                super::a_long_prompt($of);
            }
        })*
    };
}

each!(claude = Claude, codex = Codex, pi = Pi, opencode = Opencode);
