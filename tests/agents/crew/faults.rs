//! What goes wrong at the server: the class on record, and what follows from it.

use crate::programs::Program;
use crate::server::script::{Answer, Conversation, Fault, Part};

use super::rig::{Rig, step};

const ONE: &str = "[task one]";

/// A run whose only attempt meets this fault, always: the class on record.
fn class(program: Program, fault: Fault) -> String {
    // opencode shortens what is too long for ever: it is told so once.
    let times = if (program, fault) == (Program::Opencode, Fault::TooLong) { 1 } else { 12 };
    let script = (0..times).fold(Conversation::of(ONE), |script, _| script.says(fault));
    let steps = [step("one", &["retries: 0"], &format!("{{goal}} {ONE}"))];
    let rig = Rig::new(program, vec![script], &steps);
    let said = rig.run();
    let attempts = rig.state()["tasks"][0]["attempts"].clone();
    assert_eq!(attempts.as_array().map(Vec::len), Some(1), "{attempts}");
    let ending = &attempts[0]["ending"];
    assert_eq!(ending["how"], "failed", "{fault:?}: {ending}\n{}", said.out);
    assert_ne!(said.code, Some(0), "{}", said.out);
    ending["class"].as_str().expect("a class").to_owned()
}

fn rate_limited(program: Program) {
    assert_eq!(class(program, Fault::RateLimited(1)), "rate-limit");
}

fn overloaded(program: Program) {
    assert_eq!(class(program, Fault::Overloaded), "overloaded");
}

fn unauthorized(program: Program) {
    assert_eq!(class(program, Fault::Unauthorized), "auth");
}

fn broken(program: Program) {
    assert_eq!(class(program, Fault::Broken), "overloaded");
}

fn refused(program: Program) {
    assert_eq!(class(program, Fault::Refused), "refused");
}

fn too_long(program: Program) {
    assert_eq!(class(program, Fault::TooLong), "context");
}

/// A login that is refused is nobody's to try again, whatever the step allows.
fn never_again(program: Program) {
    let script = Conversation::of(ONE).says(Fault::Unauthorized);
    let steps = [step("one", &["retries: 3"], &format!("{{goal}} {ONE}"))];
    let rig = Rig::new(program, vec![script], &steps);
    rig.run();
    let task = rig.state()["tasks"][0].clone();
    assert_eq!(task["attempts"].as_array().map(Vec::len), Some(1), "{task}");
}

/// A limit that passes costs the task nothing but time.
fn passes(program: Program) {
    let again: Answer = Fault::RateLimited(1).into();
    let made = Part::Shell("echo made >made.txt".to_owned());
    let script = Conversation::of(ONE)
        .tries(vec![again.clone(), again, made.into()])
        .says(Part::Text("Done.".to_owned()));
    let steps = [step("one", &["retries: 0"], &format!("{{goal}} {ONE}"))];
    let rig = Rig::new(program, vec![script], &steps);
    rig.run().exits(0);
    assert_eq!(rig.result("made.txt"), "made");
}

macro_rules! each {
    ($($program:ident = $of:ident),* ; $names:tt) => {
        $(each!(@ $program, $of, $names);)*
    };
    (@ $program:ident, $of:ident, [$($name:ident),*]) => {
        mod $program {
            $(#[test]
            fn $name() {
                super::$name(super::Program::$of);
            })*
        }
    };
}

each!(
    claude = Claude, codex = Codex, pi = Pi, opencode = Opencode;
    [rate_limited, overloaded, unauthorized, broken, refused, too_long, never_again, passes]
);
