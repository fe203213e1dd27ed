//! `kill -9` of the orchestrator, at random moments and, with the feature
//! `failpoints`, at every named step; then another process goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use nix::sys::signal::Signal;

use git_crew::domain::attempt::Ending;
use git_crew::domain::event::Event;

use super::processes::signal;
use super::sandbox::{Sandbox, said, step, until};
use super::story;
use crate::store::fixture::asked;

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

/// Eight tasks that begin at once and end one after the other.
fn abreast() -> Sandbox {
    let sandbox = Sandbox::new();
    let (begun, log) = (sandbox.outside("begun"), sandbox.outside("effects"));
    let (begun, log) = (begun.display(), log.display());
    let steps = (0..8).map(|n| {
        let check = format!("check: test -s t{n}");
        let keys: &[&str] = if n % 2 == 0 { &[&check] } else { &[] };
        let own = if n == 3 { "git commit -q --allow-empty -m own; " } else { "" };
        let script = format!(
            "echo t{n} >>{begun}; {own}echo t{n} >t{n}; sleep {wait}; \
             echo $CREW_TASK@$CREW_ATTEMPT >>{log}",
            wait = 0.5 + f64::from(n) / 10.0
        );
        step(&format!("t{n}"), keys, &script)
    });
    sandbox.workflow(&steps.collect::<Vec<_>>());
    // All of the user's refs are packed: packing ours as well changes no file of
    // the user's.
    sandbox.by_user(|sandbox| sandbox.git(&["pack-refs", "--all"]));
    sandbox
}

/// When a run is killed.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// So long after its process began.
    Begun(Duration),
    /// So long after all eight tasks were at work; the refs of the run were
    /// packed then, or not.
    Abreast(Duration, bool),
}

impl Moment {
    /// The moment of the kill with this number: the seed says it all.
    fn draw(seed: u64, number: u64) -> Self {
        // SplitMix64, for numbers that look unrelated.
        let mut state = seed.wrapping_add(number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        state = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        state = (state ^ (state >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let drawn = state ^ (state >> 31);
        let within = |ms: u64| Duration::from_millis((drawn >> 8) % ms);
        match drawn % 4 {
            0 => Self::Begun(within(1_000)),
            kind => Self::Abreast(within(1_400), kind != 1),
        }
    }
}

/// How many attempts were open when the process died; `None` when it died before
/// its run was acknowledged.
fn killed_at_moment(moment: Moment) -> Option<usize> {
    let sandbox = abreast();
    let mut child = sandbox.start(&[]);
    let wait = match moment {
        Moment::Begun(wait) => wait,
        Moment::Abreast(wait, packs) => {
            let begun = sandbox.outside("begun");
            until("eight tasks at work", || {
                assert_eq!(child.try_wait().unwrap(), None, "it ended too early");
                let lines = std::fs::read_to_string(&begun).unwrap_or_default();
                (lines.lines().count() == 8).then_some(())
            });
            if packs {
                sandbox.git(&["pack-refs", "--all"]);
                let packed = std::fs::read_to_string(sandbox.common().join("packed-refs"));
                assert!(packed.unwrap().contains(" refs/crew/runs/"), "nothing of ours is packed");
            }
            wait
        }
    };
    std::thread::sleep(wait);
    signal(&child, Signal::SIGKILL);
    let ended = said(child);
    let open = runs(&sandbox).first().map(|id| {
        let text = sandbox.git(&["show", &format!("refs/crew/runs/{id}:run.json")]);
        let (run, _) = git_crew::store::codec::decode_run(text.as_bytes()).unwrap();
        run.tasks.iter().filter(|task| task.open().is_some()).count()
    });
    goes_on(&sandbox, &format!("killed at {moment:?} ({:?}, {open:?} open)", ended.code));
    open
}

/// `CREW_KILLS` kills, or these few, several runs side by side since a run mostly
/// waits. `CREW_KILL_SEED` repeats the moments of a test that failed.
#[test]
fn killed_at_random_times_with_eight_tasks_in_flight() {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let seed = asked("CREW_KILL_SEED", u64::from(now.subsec_nanos()));
    let kills = asked("CREW_KILLS", 16);
    println!("{kills} kills with CREW_KILL_SEED={seed}");
    let (next, open, failed) = (AtomicU64::new(0), Mutex::new(BTreeMap::new()), Mutex::default());
    let work = || {
        for number in std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed)) {
            let Some(number) = Some(number).filter(|number| *number < kills) else { return };
            let moment = Moment::draw(seed, number);
            match std::panic::catch_unwind(|| killed_at_moment(moment)) {
                Ok(found) => *open.lock().unwrap().entry(found).or_insert(0u64) += 1,
                Err(_) => Vec::push(&mut failed.lock().unwrap(), (number, moment)),
            }
        }
    };
    std::thread::scope(|scope| (0..8).for_each(|_| drop(scope.spawn(work))));
    let open = open.into_inner().unwrap();
    println!("open attempts at the kill, and how often: {open:?}");
    let failed: Vec<(u64, Moment)> = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "repeat with CREW_KILL_SEED={seed} CREW_KILLS={kills}: {failed:?}");
    assert!(open.keys().any(|open| *open > Some(0)), "no kill hit a task at work: {open:?}");
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

    /// Eight tasks that print and are checked, each after the one before it: many
    /// small appends, where the events of tasks abreast would share one.
    fn chain() -> Sandbox {
        let sandbox = Sandbox::new();
        let log = sandbox.outside("effects").display().to_string();
        let steps = (0..8).map(|n| {
            let (check, needs) =
                (format!("check: test -s t{n}"), format!("dependsOn: t{}", (n + 7) % 8));
            let keys: &[&str] = if n == 0 { &[&check] } else { &[&check, &needs] };
            let script =
                format!("echo at work; echo t{n} >t{n}; echo $CREW_TASK@$CREW_ATTEMPT >>{log}");
            step(&format!("t{n}"), keys, &script)
        });
        sandbox.workflow(&steps.collect::<Vec<_>>());
        sandbox
    }

    /// Kills the run at a point; `false` when it is never reached.
    fn killed_at(sandbox: &Sandbox, point: &str) -> bool {
        let crew = sandbox.at(sandbox.user()).env("CREW_FAIL", &format!("{point}:kill"));
        let ended = crew.run(&["run", "--team", "t", "do it"]);
        if ended.code.is_some() {
            ended.exits(0);
            return false;
        }
        goes_on(sandbox, point);
        true
    }

    /// Some points side by side: a run mostly waits.
    fn each_reached(workload: fn() -> Sandbox, points: &[String]) {
        let one = |point| assert!(killed_at(&workload(), point), "{point} was not reached");
        for points in points.chunks(4) {
            std::thread::scope(|scope| points.iter().for_each(|p| drop(scope.spawn(|| one(p)))));
        }
    }

    /// Points of a run, each at these hits.
    fn reached(points: &[&str], hits: &[u32]) {
        let at = |point: &&str| hits.iter().map(|hit| format!("{point}@{hit}")).collect::<Vec<_>>();
        each_reached(eight, &points.iter().flat_map(at).collect::<Vec<_>>());
    }

    #[test]
    fn killed_at_every_step_of_an_append() {
        reached(&["object.fill", "object.written", "object.placed"], &[1, 9, 60]);
    }

    const SWAP: [&str; 5] =
        ["recent.recorded", "swap.locked", "swap.written", "swap.renamed", "swap.synced"];

    #[test]
    fn killed_at_every_step_of_a_swap() {
        reached(&SWAP, &[1, 3, 9]);
        reached(&["alias.written"], &[1]);
    }

    #[test]
    fn killed_at_every_step_of_a_swap_far_into_a_run() {
        each_reached(chain, &SWAP.map(|point| format!("{point}@25")));
    }

    #[test]
    fn killed_at_every_step_of_an_attempt() {
        reached(
            &["prepare.based", "launch.slot-made", "launch.ended", "harvest.pinned"],
            &[1, 4, 8],
        );
        reached(&["check.done"], &[1, 3]);
        reached(&["driver.wrote"], &[1, 5]);
    }

    #[test]
    fn killed_at_every_step_of_the_end() {
        reached(&["merge.pinned", "books.kept", "books.told"], &[1]);
        reached(&["remove.locked", "remove.packed", "remove.loose"], &[1, 4]);
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
