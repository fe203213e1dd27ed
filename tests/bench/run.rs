//! Sixteen one-line tasks on a repository of some size, against what a careful
//! person's shell script does without git-crew.

use std::fs;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crate::fixture::{self, CREW, Repo, median, ms, share};
use crate::{Figure, Target};

const TASKS: usize = 16;
const FILES: usize = 3000;

/// How often each side runs.
const ROUNDS: u32 = 2;

/// A worktree, the same line, `git add`, `git commit`, no worktree: all tasks at
/// the same time.
const SCRIPT: &str = r#"set -e
one() {
  until git worktree add -q --detach "$STATE/$ROUND-$1" HEAD; do sleep 0.05; done
  (cd "$STATE/$ROUND-$1" && sh -e -c "date +%s%N >one-$1.txt" && git add -A && git commit -qm "task $1"
   cat "one-$1.txt" >"$STATE/$ROUND-$1.first")
  git worktree remove --force "$STATE/$ROUND-$1"
}
n=0
all=
while [ "$n" -lt "$TASKS" ]; do one "$n" & all="$all $!"; n=$((n + 1)); done
for one in $all; do wait "$one"; done
"#;

/// One side of one round.
struct Taken {
    whole: Duration,
    /// From the start of the process to the first line of the first task.
    first: Duration,
    /// The most memory that the process itself had, in kilobytes.
    peak: u64,
}

fn workflow(tasks: usize) -> String {
    let mut text =
        "---\nname: many\ndescription: one-line tasks\nmaxConcurrency: 16\n---\n".to_owned();
    for n in 0..tasks {
        text.push_str(&format!(
            "## t{n}\nrole: hand\nagent: sh\n\n{{goal}}\n\n```sh\ndate +%s%N >one-{n}.txt\n```\n\n"
        ));
    }
    text
}

const TEAM: &str = "---\nname: many\ndescription: one hand\ndefaultWorkflow: many\nmaxConcurrency: 16\n---\n\
# One hand\n\n- hand: agent=demo-hand runs the script in its task\n";

fn repository(tasks: usize) -> Repo {
    let mut files = fixture::files(FILES, 13_000);
    files.push((".crew/workflows/many.workflow.md".into(), workflow(tasks).into_bytes()));
    files.push((".crew/teams/many.team.md".into(), TEAM.into()));
    Repo::new(files)
}

fn now() -> u128 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_nanos()
}

/// The time from `start` to the earliest of these moments.
fn earliest(start: u128, moments: impl Iterator<Item = String>) -> Duration {
    let first = moments.map(|text| text.trim().parse::<u128>().expect("a time")).min();
    let nanos = first.expect("a moment").saturating_sub(start);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

fn by_crew(repo: &Repo, tasks: usize) -> Taken {
    let goal = "one line each";
    let words = ["run", goal, "--team", "many", "--workflow", "many", "--agent", "sh", "-j", "16"];
    let mut command = repo.command(CREW, &words);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let (began, start) = (now(), Instant::now());
    let mut child = command.spawn().expect("the program starts");
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    let whole = loop {
        peak = fs::read_to_string(&status).ok().and_then(|text| high_water(&text)).unwrap_or(peak);
        if let Some(end) = child.try_wait().expect("it can be waited for") {
            assert!(end.success(), "git crew run: {end}");
            break start.elapsed();
        }
        thread::sleep(Duration::from_millis(2));
    };
    let results =
        repo.git(&["for-each-ref", "--sort=-refname", "--format=%(refname)", "refs/crew/results"]);
    let made = |name: &&str| repo.git(&["log", "-1", "--format=%ct", name]);
    let newest = results.lines().max_by_key(made).expect("a result").to_owned();
    let moments = (0..tasks).map(|n| repo.git(&["show", &format!("{newest}:one-{n}.txt")]));
    Taken { whole, first: earliest(began, moments), peak }
}

fn high_water(status: &str) -> Option<u64> {
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

fn by_script(repo: &Repo, round: u32) -> Taken {
    let state = repo.beside("script");
    let mut command = repo.command("sh", &["-c", SCRIPT]);
    command.env("STATE", &state).env("ROUND", round.to_string()).env("TASKS", TASKS.to_string());
    let (began, start) = (now(), Instant::now());
    fixture::output(&mut command);
    let whole = start.elapsed();
    let read = |n| fs::read_to_string(state.join(format!("{round}-{n}.first"))).expect("written");
    Taken { whole, first: earliest(began, (0..TASKS).map(read)), peak: 0 }
}

/// A run of sixteen tasks, and of one.
pub(crate) fn sixteen_tasks() -> Vec<Figure> {
    let (many, single) = (repository(TASKS), repository(1));
    by_crew(&single, 1);
    let (mut ours, mut theirs, mut alone) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        ours.push(by_crew(&many, TASKS));
        theirs.push(by_script(&many, round));
        alone.push(by_crew(&single, 1));
    }
    let whole = |all: &[Taken]| median(&all.iter().map(|one| one.whole).collect::<Vec<_>>());
    let firsts = |all: &[Taken]| all.iter().map(|one| one.first).collect::<Vec<_>>();
    let first = |name, all: &[Taken], target| Figure {
        name,
        value: ms(median(&firsts(all))),
        target,
        unit: "ms",
        baseline: format!(
            "worst {:.0} ms; script of 16: median {:.0} ms",
            ms(share(&firsts(all), 99)),
            ms(median(&firsts(&theirs)))
        ),
    };
    let peak = ours.iter().map(|one| one.peak).max().unwrap_or_default();
    vec![
        Figure {
            name: "run: 16 tasks, against a script",
            value: whole(&ours).as_secs_f64() / whole(&theirs).as_secs_f64(),
            target: Target::AtMost(1.1),
            unit: "x",
            baseline: format!(
                "git crew run {:.2} s; shell script {:.2} s",
                whole(&ours).as_secs_f64(),
                whole(&theirs).as_secs_f64()
            ),
        },
        first("run: first line of 16 tasks", &ours, Target::AtMost(300.0)),
        first("run: first line of one task", &alone, Target::AtMost(300.0)),
        Figure {
            name: "run: peak memory with 16 tasks",
            value: f64::from(u32::try_from(peak).unwrap_or(u32::MAX)) / 1024.0,
            target: Target::AtMost(40.0),
            unit: "MB",
            baseline: "the orchestrator's own (VmHWM), without its agents and git".to_owned(),
        },
    ]
}
