//! `kill -9` of the orchestrator, at random moments and, with the feature
//! `failpoints`, at every named step; then another process goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use nix::sys::signal::Signal;

use git_crew::domain::attempt::Ending;
use git_crew::domain::event::Event;

use super::processes::signal;
use super::sandbox::{Sandbox, said, step};
use super::story;

/// Eight tasks, six of them side by side; each notes its attempt outside.
fn eight() -> Sandbox {
    let sandbox = Sandbox::new();
    let log = sandbox.outside("effects").display().to_string();
    let script = |name: &str, more: &str| {
        format!("{more}echo {name} >{name}; sleep 0.05; echo $CREW_TASK@$CREW_ATTEMPT >>{log}")
    };
    let mut steps = vec![step("t0", &["check: test -s t0"], &script("t0", ""))];
    for n in 1..7 {
        let name = format!("t{n}");
        let check = format!("check: test -s {name}");
        let mut keys = vec!["dependsOn: t0"];
        if n % 2 == 0 {
            keys.push(&check);
        }
        // One commits by itself.
        let more = if n == 3 { "git commit -q --allow-empty -m own; " } else { "" };
        steps.push(step(&name, &keys, &script(&name, more)));
    }
    let all = "for n in 0 1 2 3 4 5 6; do test -s t$n; done; ";
    steps.push(step("t7", &["dependsOn: t1, t2, t3, t4, t5, t6"], &script("t7", all)));
    sandbox.workflow(&steps);
    sandbox
}

/// What the tasks did outside, counted.
fn effects(sandbox: &Sandbox) -> BTreeMap<String, usize> {
    let text = std::fs::read_to_string(sandbox.outside("effects")).unwrap_or_default();
    let mut counts = BTreeMap::new();
    for line in text.lines() {
        *counts.entry(line.to_owned()).or_default() += 1;
    }
    counts
}

fn runs(sandbox: &Sandbox) -> Vec<String> {
    let refs = sandbox.git(&["for-each-ref", "--format=%(refname:lstrip=3)", "refs/crew/runs"]);
    refs.lines().map(str::to_owned).collect()
}

/// What was acknowledged when the process died, as git sees it.
fn acknowledged(sandbox: &Sandbox) -> Option<(String, Vec<Event>)> {
    let id = runs(sandbox).into_iter().next()?;
    let events = story::events(sandbox, &id);
    Some((id, events))
}

/// After the kill: nothing acknowledged is lost, nothing finished is run again,
/// the result is that of a run that nobody killed.
#[track_caller]
fn goes_on(sandbox: &Sandbox, what: &str) {
    let Some((id, before)) = acknowledged(sandbox) else {
        // It died before the run was acknowledged: nothing has begun.
        assert!(effects(sandbox).is_empty(), "{what}");
        sandbox.run(&[], 0);
        return;
    };
    let text = sandbox.git(&["show", &format!("refs/crew/runs/{id}:run.json")]);
    let (dead, _) = git_crew::store::codec::decode_run(text.as_bytes()).unwrap();
    let done = story::completed(&dead);
    let noted = effects(sandbox);
    let open: BTreeSet<String> = dead
        .tasks
        .iter()
        .filter_map(|task| Some(format!("{}@{}", task.id, task.open()?.number)))
        .collect();
    let resumed = sandbox.crew(&["resume", &id]);
    let over = dead.status.is_terminal();
    assert_eq!(resumed.code, Some(i32::from(over)), "{what}: {}{}", resumed.out, resumed.err);
    let run = story::sound(sandbox, &id);
    assert!(run.tasks.iter().all(|task| task.status.word() == "completed"), "{what}");
    assert_eq!(run.status.word(), "completed", "{what}");
    let after = story::events(sandbox, &id);
    assert_eq!(after.get(..before.len()), Some(&before[..]), "{what}: what was there stays");
    for task in &run.tasks {
        for attempt in &task.attempts {
            let name = format!("{}@{}", task.id, attempt.number);
            let interrupted = attempt.ending == Some(Ending::Interrupted);
            // An earlier process may have closed it, and been killed itself.
            let earlier = dead
                .task(&task.id)
                .and_then(|task| task.attempts.iter().find(|one| one.number == attempt.number));
            let closed = earlier.is_some_and(|one| one.ending == Some(Ending::Interrupted));
            assert_eq!(interrupted, closed || open.contains(&name), "{what}: {name}");
        }
    }
    for (name, count) in effects(sandbox) {
        assert_eq!(count, 1, "{what}: {name} was done twice");
        let task = name.split('@').next().unwrap_or_default();
        assert!(!done.contains(task) || noted.contains_key(&name), "{what}: {name} again");
    }
    story::all_work_is_kept(sandbox, &run);
    settled(sandbox, &id, what);
}

/// The result and the books are those of a run that nobody killed.
fn settled(sandbox: &Sandbox, id: &str, what: &str) {
    let tree = sandbox.git(&["ls-tree", "-r", "--name-only", &format!("refs/crew/results/{id}")]);
    for n in 0..8 {
        assert!(tree.lines().any(|name| name == format!("t{n}")), "{what}: {tree}");
    }
    assert_eq!(sandbox.git(&["for-each-ref", &format!("refs/crew/work/{id}")]), "", "{what}");
    sandbox.git(&["rev-parse", "--verify", "-q", &format!("refs/crew/kept/{id}")]);
    let journal = sandbox.git(&["log", "--first-parent", "--format=%s", "refs/crew"]);
    let count = |word: &str| journal.lines().filter(|line| line.starts_with(word)).count();
    assert_eq!(count(&format!("{id}: completed")), 1, "{what}: {journal}");
    assert!(count(&format!("{id}: begun")) <= 1, "{what}: {journal}");
}

/// Kills the run after this long, and goes on.
fn killed_after(ms: u64) {
    let sandbox = eight();
    let child = sandbox.start(&[]);
    std::thread::sleep(Duration::from_millis(ms));
    signal(&child, Signal::SIGKILL);
    let ended = said(child);
    goes_on(&sandbox, &format!("killed after {ms} ms ({:?})", ended.code));
}

/// Moments of this part of the first seconds, by the clock's last digits.
fn moments(part: u64) {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let mut seed = u64::from(now.subsec_nanos()) | 1;
    for _ in 0..5 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        killed_after(part * 500 + (seed >> 33) % 500);
    }
}

#[test]
fn killed_in_its_first_moments() {
    moments(0);
}

#[test]
fn killed_while_it_fans_out() {
    moments(1);
}

#[test]
fn killed_while_all_work() {
    moments(2);
}

#[test]
fn killed_near_its_end() {
    moments(3);
}

#[test]
fn nobody_kills_it() {
    let sandbox = eight();
    let (id, _) = sandbox.run(&[], 0);
    let run = story::sound(&sandbox, &id);
    assert_eq!(run.tasks.len(), 8);
    let once: BTreeMap<String, usize> = (0..8).map(|n| (format!("t{n}@1"), 1)).collect();
    assert_eq!(effects(&sandbox), once);
    settled(&sandbox, &id, "not killed");
}

#[cfg(feature = "failpoints")]
mod failpoints {
    use super::*;

    /// Kills the run at a point; `false` when it is never reached.
    fn killed_at(point: &str) -> bool {
        let sandbox = eight();
        let crew = sandbox.at(sandbox.user()).env("CREW_FAIL", &format!("{point}:kill"));
        let ended = crew.run(&["run", "--team", "t", "do it"]);
        if ended.code.is_some() {
            ended.exits(0);
            return false;
        }
        goes_on(&sandbox, point);
        true
    }

    fn reached(points: &[&str]) {
        for point in points {
            assert!(killed_at(point), "{point} was not reached");
        }
    }

    #[test]
    fn killed_at_every_step_of_an_append() {
        for name in ["object.fill", "object.written", "object.placed"] {
            reached(&[name, &format!("{name}@9"), &format!("{name}@60")]);
        }
    }

    #[test]
    fn killed_at_every_step_of_a_swap() {
        for name in
            ["recent.recorded", "swap.locked", "swap.written", "swap.renamed", "swap.synced"]
        {
            reached(&[name, &format!("{name}@3"), &format!("{name}@9")]);
        }
        reached(&["alias.written"]);
    }

    #[test]
    fn killed_at_every_step_of_an_attempt() {
        for name in ["prepare.based", "launch.slot-made", "launch.ended", "harvest.pinned"] {
            reached(&[name, &format!("{name}@4"), &format!("{name}@8")]);
        }
        reached(&["check.done", "check.done@3", "driver.wrote", "driver.wrote@5"]);
    }

    #[test]
    fn killed_at_every_step_of_the_end() {
        reached(&["merge.pinned", "books.kept", "books.told"]);
        reached(&["remove.packed", "remove.loose", "remove.loose@4"]);
    }

    #[test]
    fn recovery_itself_is_killed() {
        for point in ["recovery.salvaged", "recovery.salvaged@2"] {
            let sandbox = eight();
            let crew = sandbox.at(sandbox.user()).env("CREW_FAIL", "launch.ended@5:kill");
            assert_eq!(crew.run(&["run", "--team", "t", "do it"]).code, None);
            let id = runs(&sandbox).remove(0);
            let crew = sandbox.at(sandbox.user()).env("CREW_FAIL", &format!("{point}:kill"));
            let ended = crew.run(&["resume", &id]);
            assert_eq!(ended.code, None, "{point}: {}{}", ended.out, ended.err);
            goes_on(&sandbox, point);
        }
    }

    /// One error, no trace: a bug is called one, and the state is pointed at.
    #[track_caller]
    fn is_told_as_a_bug(said: &super::super::sandbox::Said, sandbox: &Sandbox, point: &str) {
        let errors: Vec<_> = said.err.lines().filter(|line| line.starts_with("error: ")).collect();
        assert_eq!(errors.len(), 1, "{}", said.err);
        assert!(errors[0].contains("a bug in git-crew"), "{}", said.err);
        assert!(errors[0].contains(&format!("failpoint {point}")), "{}", said.err);
        let state =
            format!("refs/crew of '{}'", sandbox.common().canonicalize().unwrap().display());
        assert!(said.err.contains(&state), "{}", said.err);
        assert!(said.err.contains("nothing that was acknowledged is lost"), "{}", said.err);
        assert!(!said.err.contains("panicked at"), "{}", said.err);
    }

    #[test]
    fn a_panic_is_told_as_a_bug_and_loses_nothing() {
        let sandbox = eight();
        let crew = sandbox.at(sandbox.user()).env("CREW_FAIL", "command.begun:panic");
        let said = crew.run(&["status"]).exits(70);
        assert_eq!(said.out, "");
        is_told_as_a_bug(&said, &sandbox, "command.begun");
        let crew = sandbox.at(sandbox.user()).env("CREW_FAIL", "driver.wrote@4:panic");
        let said = crew.run(&["run", "--team", "t", "do it"]).exits(70);
        is_told_as_a_bug(&said, &sandbox, "driver.wrote");
        goes_on(&sandbox, "a panic between two appends");
    }

    #[test]
    fn a_panic_of_a_worker_ends_its_task_and_is_told() {
        let sandbox = eight();
        let crew = sandbox.at(sandbox.user()).env("CREW_FAIL", "launch.ended@3:panic");
        let said = crew.run(&["run", "--team", "t", "do it"]).exits(70);
        is_told_as_a_bug(&said, &sandbox, "launch.ended");
        let run = story::sound(&sandbox, &sandbox.newest());
        let broken = run.tasks.iter().filter(|task| task.status.word() == "needs_attention");
        assert_eq!(broken.count(), 1, "{}", story::standing(&run));
        assert!(run.status.is_terminal() && run.lease.held.is_none());
    }
}
