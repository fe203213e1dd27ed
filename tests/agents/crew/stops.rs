//! What ends in the middle: a program that hangs, an orchestrator that is killed.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::programs::Program;
use crate::server::script::{Conversation, Fault, Part};

use super::rig::{Rig, heard, step};

const ONE: &str = "[task one]";

fn made() -> Vec<Part> {
    vec![Part::Shell("echo made >made.txt".to_owned())]
}

/// A server that says nothing more ends at the limit for silence, and what was
/// done before is kept.
fn hangs(program: Program) {
    let script = Conversation::of(ONE).says(made()).says(Fault::Hang);
    // opencode says nothing before its first turn has begun, and starts slowly.
    let idle = if program == Program::Opencode { "idle: 100s" } else { "idle: 40s" };
    let steps = [step("one", &["retries: 0", idle], &format!("{{goal}} {ONE}"))];
    let rig = Rig::new(program, vec![script], &steps);
    rig.run().exits(1);
    let attempt = rig.state()["tasks"][0]["attempts"][0].clone();
    assert_eq!(attempt["ending"]["class"], "idle-limit", "{attempt}");
    let commit = attempt["work"]["commit"].as_str().expect("its work is kept");
    assert_eq!(rig.git(&["show", &format!("{commit}:made.txt")]), "made");
}

/// `kill -9` in the middle of a turn: nothing that the program had done is lost,
/// nothing of it lives on, and the run comes to its end.
fn killed(program: Program) {
    let script = Conversation::of(ONE)
        .says(made())
        .tries(vec![Fault::Hang.into(), Part::Text("Done.".to_owned()).into()]);
    let steps = [step("one", &["idle: 90s"], &format!("{{goal}} {ONE}"))];
    let rig = Rig::new(program, vec![script], &steps);
    let child = rig.start(&["run", "--team", "t", "do it"]);
    rig.until_asked(ONE, 2);
    kill(Pid::from_raw(i32::try_from(child.id()).expect("a pid")), Signal::SIGKILL).expect("alive");
    heard(child);
    rig.crew(&["resume", &rig.id()]).exits(0);
    let attempts = rig.state()["tasks"][0]["attempts"].clone();
    assert_eq!(attempts[0]["ending"]["how"], "interrupted", "{attempts}");
    let commit = attempts[0]["work"]["commit"].as_str().expect("its work is kept");
    assert_eq!(rig.git(&["show", &format!("{commit}:made.txt")]), "made");
    assert_eq!(rig.result("made.txt"), "made");
    assert_eq!(rig.alive(), Vec::new());
}

macro_rules! each {
    ($($program:ident = $of:ident),*) => {
        $(mod $program {
            #[test]
            fn hangs() {
                super::hangs(super::Program::$of);
            }

            #[test]
            fn killed() {
                super::killed(super::Program::$of);
            }
        })*
    };
}

each!(claude = Claude, codex = Codex, pi = Pi, opencode = Opencode);
