//! What a repository brings runs only where a person has agreed to these bytes.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::Stdio;

use super::sandbox::{Sandbox, put, step};
use super::story;

const FLOW: &str = ".crew/workflows/own.workflow.md";
const TEAM: &str = ".crew/teams/own.team.md";
const RUN: [&str; 4] = ["run", "--team", "own", "do it"];

/// Commits a workflow whose script is this line, and a team for it.
fn brings(sandbox: &Sandbox, script: &str) {
    let flow = format!("---\nname: own\n---\n{}", step("one", &["check: test -e made"], script));
    let team = "---\nname: own\ndefaultWorkflow: own\n---\n- hand: agent=demo-hand works\n";
    sandbox.by_user(|sandbox| {
        put(&sandbox.user().join(FLOW), &flow);
        put(&sandbox.user().join(TEAM), team);
        sandbox.git(&["add", ".crew"]);
        sandbox.git(&["commit", "-qm", "crew", ".crew"]);
    });
}

#[test]
fn nothing_of_a_clone_runs_before_it_is_trusted() {
    let sandbox = Sandbox::new();
    brings(&sandbox, "echo it >made; touch /nowhere/at/all 2>/dev/null || true");
    sandbox.crew(&["trust", "--ask"]).exits(1);
    let refused = sandbox.crew(&RUN).refused(3, &["not trusted", FLOW, TEAM]);
    for shown in ["one (script): echo it >made", "one (check): test -e made"] {
        assert!(refused.err.contains(shown), "{}", refused.err);
    }
    let refs = sandbox.git(&["for-each-ref", "refs/crew"]);
    assert_eq!(refs, "", "a run that may not begin leaves nothing");
    let plan = sandbox.crew(&["run", "--team", "own", "--dry-run", "do it"]).exits(0);
    assert!(plan.err.contains("a run would stop"), "{}", plan.err);

    // The command of the hint, but for the terminal that a test hasn't got.
    let hint = refused.err.lines().find_map(|line| line.split_once("git crew trust "));
    let mut words: Vec<&str> = vec!["trust", "--yes"];
    words.extend(hint.expect("the exact command").1.split(' '));
    sandbox.crew(&words).exits(0);
    sandbox.crew(&["trust", "--ask"]).exits(0);
    sandbox.crew(&RUN).exits(0);
    story::sound(&sandbox, &sandbox.newest());

    // One byte more, and nobody has agreed to that.
    brings(&sandbox, "echo it >>made; :");
    sandbox.crew(&["trust", "--ask"]).exits(1);
    sandbox.crew(&RUN).refused(3, &["not trusted"]);
    // What was trusted stays so where it stands.
    sandbox.crew(&["run", "--team", "own", "--from", "HEAD^", "do it"]).exits(0);
    sandbox.crew(&["trust", "--revoke", "--from", "HEAD^", ".crew/workflows"]).exits(0);
    sandbox.crew(&["run", "--team", "own", "--from", "HEAD^", "x"]).refused(3, &["not trusted"]);
}

#[test]
fn a_run_that_goes_on_needs_the_same_trust() {
    let sandbox = Sandbox::new();
    brings(&sandbox, "test -e /nonexistent");
    sandbox.crew(&["trust", "--yes"]).exits(0);
    sandbox.crew(&RUN).exits(1);
    sandbox.crew(&["trust", "--revoke"]).exits(0);
    let id = sandbox.newest();
    sandbox.crew(&["retry", &id]).refused(3, &["not trusted"]);
    sandbox.crew(&["resume", &id]).refused(3, &["not trusted"]);
}

#[test]
fn the_checks_of_a_step_that_plans_need_trust_like_any() {
    let sandbox = Sandbox::new();
    let flow = "---\n---\n## plan\nrole: hand\nplan: yes\ncheck: touch made\n\nPlan.\n";
    let team = "---\ndefaultWorkflow: own\n---\n- hand: agent=executor works\n";
    sandbox.by_user(|sandbox| {
        put(&sandbox.user().join(FLOW), flow);
        put(&sandbox.user().join(TEAM), team);
        sandbox.git(&["add", ".crew"]);
        sandbox.git(&["commit", "-qm", "crew", ".crew"]);
        sandbox.git(&["config", "crew.agent.fake.command", "true"]);
    });
    sandbox.crew(&RUN).refused(3, &["not trusted", "plan (check): touch made"]);
}

#[test]
fn prompts_and_what_the_user_keeps_need_no_trust() {
    let sandbox = Sandbox::with(&[step("one", &["check: true"], "echo it >made")]);
    sandbox.crew(&["run", "--team", "t", "do it"]).exits(0);
    sandbox.crew(&["trust"]).exits(0);
    let none = sandbox.crew(&["trust", "--ask", "--json"]).exits(0);
    assert!(none.out.contains("\"stops\": false") || none.out.contains("\"stops\":false"));
    sandbox.crew(&["trust", "nothing"]).refused(5, &["'nothing'"]);
}

/// Runs the program on a terminal and types `answer` when it is asked.
fn on_a_terminal(sandbox: &Sandbox, words: &[&str], answer: &str) -> (Option<i32>, String) {
    let pty = nix::pty::openpty(None, None).expect("a terminal");
    let theirs = |fd: &OwnedFd| Stdio::from(fd.try_clone().expect("a descriptor"));
    let mut command = sandbox.at(sandbox.user()).env("NO_COLOR", "1").command(words);
    command.stdin(theirs(&pty.slave)).stderr(theirs(&pty.slave)).stdout(Stdio::null());
    let mut child = command.spawn().expect("starts");
    drop((command, pty.slave));
    let mut ours = File::from(pty.master);
    let (mut said, mut buffer, mut typed) = (String::new(), [0; 4096], false);
    // A terminal whose last user is gone answers an error.
    while let Ok(count @ 1..) = ours.read(&mut buffer) {
        said.push_str(&String::from_utf8_lossy(&buffer[..count]));
        if !typed && said.contains("[y/N]") {
            ours.write_all(answer.as_bytes()).expect("types");
            typed = true;
        }
    }
    (child.wait().expect("ends").code(), said)
}

#[test]
fn a_person_at_a_terminal_is_asked_once() {
    let sandbox = Sandbox::new();
    brings(&sandbox, "echo it >made");
    let (code, said) = on_a_terminal(&sandbox, &RUN, "\n");
    assert_eq!(code, Some(3), "no is the answer of who says nothing: {said}");
    let (code, said) = on_a_terminal(&sandbox, &RUN, "y\n");
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("one (script): echo it >made"), "{said}");
    let (code, said) = on_a_terminal(&sandbox, &RUN, "");
    assert_eq!(code, Some(0), "{said}");
    assert!(!said.contains("[y/N]"), "asked twice: {said}");
}
