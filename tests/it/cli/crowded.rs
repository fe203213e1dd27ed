//! What holds when several things happen at once: each of these moments is made
//! wide by a failpoint that waits.

use git_crew::domain::event::{Event, EventKind};

use super::sandbox::{Sandbox, step};
use super::story;

/// A run inside a run inside a run is one too many, however it is reached.
#[test]
fn runs_inside_runs_end_at_the_documented_level() {
    let sandbox = Sandbox::new();
    let noted = sandbox.outside("noted").display().to_string();
    let crew = env!("CARGO_BIN_EXE_git-crew");
    // Counter and code are noted on the way back, so the deepest comes first.
    let script = format!(
        "code=0; {crew} run --team t deeper >/dev/null 2>{noted}.$CREW_DEPTH || code=$?; \
         echo $CREW_DEPTH $code >>{noted}"
    );
    sandbox.workflow(&[step("one", &["retries: 0"], &script)]);
    // A fence ends it sooner: a run inside has nowhere to write.
    sandbox.by_user(|sandbox| {
        sandbox.git(&["config", "crew.sandbox", "none"]);
        let global = sandbox.top().join("home/.gitconfig");
        super::sandbox::put(&global, "[crew]\n\tsandbox = none\n");
    });
    sandbox.run(&[], 0);
    let lines = std::fs::read_to_string(&noted).expect("noted");
    let deepest = git_crew::world::environment::MAX_DEPTH;
    assert_eq!(deepest, 2);
    assert_eq!(lines, "3 1\n2 0\n1 0\n");
    let told = std::fs::read_to_string(format!("{noted}.3")).expect("told");
    assert_eq!(told.lines().filter(|line| line.starts_with("error: ")).count(), 1, "{told}");
    assert!(told.contains("this would be level 3, 2 is the deepest"), "{told}");
    assert!(told.lines().any(|line| line.starts_with("hint: ")), "{told}");
}

/// Milliseconds from the request to the end of the last attempt, by the crew's
/// own clock.
fn heeded(events: &[Event]) -> i64 {
    let at = |wanted: fn(&EventKind) -> bool| {
        events.iter().rfind(|event| wanted(&event.kind)).expect("it is there").at
    };
    let asked = at(|kind| matches!(kind, EventKind::CancelRequested { .. }));
    at(|kind| matches!(kind, EventKind::AttemptEnded { .. })).since_ms(asked)
}

/// The best of three: a busy machine may hold up one, not all.
#[test]
fn an_agent_that_heeds_a_cancel_is_gone_within_a_second() {
    let mut best = i64::MAX;
    for _ in 0..3 {
        let sandbox = Sandbox::new();
        let up = sandbox.outside("up");
        let script = format!("echo half >made; echo up >{}; sleep 300 & wait", up.display());
        sandbox.workflow(&[step("one", &[], &script)]);
        let child = sandbox.start(&[]);
        super::sandbox::until("the agent", || up.exists().then_some(()));
        let id = sandbox.newest();
        sandbox.crew(&["cancel", &id]).exits(0);
        super::sandbox::said(child).exits(1);
        let run = story::sound(&sandbox, &id);
        story::all_work_is_kept(&sandbox, &run);
        best = best.min(heeded(&story::events(&sandbox, &id)));
        if best <= 1000 {
            return;
        }
    }
    panic!("{best} ms at best");
}

#[cfg(feature = "failpoints")]
mod failpoints {
    use std::process::Command;
    use std::time::Instant;

    use nix::sys::signal::Signal;

    use super::super::processes::signal;
    use super::super::sandbox::{said, until};
    use super::*;

    /// Six steps without needs.
    fn six(script: &str) -> Sandbox {
        let steps: Vec<String> = (0..6).map(|n| step(&format!("t{n}"), &[], script)).collect();
        Sandbox::with(&steps)
    }

    fn starts(sandbox: &Sandbox, id: &str) -> Vec<Event> {
        let mut events = story::events(sandbox, id);
        events.retain(|event| matches!(event.kind, EventKind::AttemptStarted { .. }));
        events
    }

    /// Two appends are at least the wait apart, the events of one are not.
    #[test]
    fn what_is_ready_at_the_same_time_shares_an_append() {
        let sandbox = six("true");
        let crew = sandbox.at(sandbox.user()).env("CREW_FAIL", "driver.wrote@*:wait-600");
        crew.run(&["run", "--team", "t", "-j", "6", "do it"]).exits(0);
        let started = starts(&sandbox, &sandbox.newest());
        assert_eq!(started.len(), 6);
        let apart = started.windows(2).filter(|two| two[1].at.since_ms(two[0].at) >= 500).count();
        assert!(apart <= 2, "six attempts were announced by {} appends", apart + 1);
    }

    #[test]
    fn a_stop_is_heard_before_what_is_ready() {
        // A choice at random would be right now and then.
        for _ in 0..3 {
            let sandbox = six("sleep 300 & wait");
            let crew = sandbox.at(sandbox.user()).env("CREW_FAIL", "driver.wrote:wait-1500");
            let child = crew.spawn(&["run", "--team", "t", "-j", "6", "do it"]);
            let (id, announced) = until("a run", || {
                let refs = ["for-each-ref", "--format=%(refname:lstrip=3)", "refs/crew/runs"];
                let id = sandbox.git(&refs);
                let count = if id.is_empty() { 0 } else { starts(&sandbox, &id).len() };
                (count > 0).then_some((id, count))
            });
            // The others get ready while the loop is held up after the first.
            std::thread::sleep(std::time::Duration::from_millis(700));
            signal(&child, Signal::SIGINT);
            said(child).exits(130);
            assert!(announced < 6, "nothing was left to be started");
            assert_eq!(
                starts(&sandbox, &id).len(),
                announced,
                "something was started beside a stop"
            );
            story::sound(&sandbox, &id);
        }
    }

    /// On one core one slot is filled at a time: six waits follow each other.
    #[test]
    fn no_more_slots_are_filled_at_once_than_there_are_cores() {
        let sandbox = Sandbox::new();
        let log = sandbox.outside("log").display().to_string();
        let script = format!("date +%s%3N >>{log}");
        let steps: Vec<String> = (0..6).map(|n| step(&format!("t{n}"), &[], &script)).collect();
        sandbox.workflow(&steps);
        let crew = sandbox.at(sandbox.user()).env("CREW_FAIL", "launch.slot-made@*:wait-400");
        let plain = crew.command(&["run", "--team", "t", "-j", "6", "do it"]);
        let mut one: Command = sandbox.command("taskset", sandbox.user());
        one.args(["-c", "0"]).arg(plain.get_program()).args(plain.get_args());
        one.env("CREW_FAIL", "launch.slot-made@*:wait-400");
        let begun = Instant::now();
        let Ok(child) = one.spawn() else {
            let told = b"skipped: no taskset here\n";
            return std::io::Write::write_all(&mut std::io::stderr(), told).expect("it is open");
        };
        said(child).exits(0);
        let text = std::fs::read_to_string(&log).expect("noted");
        let mut at: Vec<i64> = text.lines().map(|line| line.parse().expect("a time")).collect();
        at.sort_unstable();
        assert_eq!(at.len(), 6);
        let spread = at[5] - at[0];
        assert!(spread >= 5 * 400 - 100, "{spread} ms between the first and the last");
        assert!(begun.elapsed().as_millis() >= 6 * 400);
    }

    /// Killed at any step before its first events are written the run is not
    /// confirmed; once it is confirmed it is there.
    #[test]
    fn a_detached_run_is_confirmed_after_its_first_event_and_not_before() {
        let (mut refused, mut confirmed) = (0, 0);
        for point in ["object.written", "swap.locked", "swap.written", "swap.synced"] {
            for hit in 1..9 {
                let sandbox = Sandbox::with(&[step("one", &[], "true")]);
                let fail = format!("{point}@{hit}:kill");
                let crew = sandbox.at(sandbox.user()).env("CREW_FAIL", &fail);
                let told = crew.run(&["run", "--team", "t", "--detach", "do it"]);
                if told.code == Some(0) {
                    let events = story::events(&sandbox, told.out.trim());
                    assert_eq!(events.first().map(|one| one.kind.word()), Some("run-created"));
                    sandbox.crew(&["wait", told.out.trim(), "--timeout", "1s"]);
                    confirmed += 1;
                    break;
                }
                let no = told.refused(70, &["not confirmed", "git crew status"]);
                assert!(no.err.contains("killed"), "{}", no.err);
                refused += 1;
            }
        }
        assert!(refused >= 8 && confirmed >= 3, "{refused} refused, {confirmed} confirmed");
    }
}
