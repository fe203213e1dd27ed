//! Sixteen one-line tasks, and one, against what a careful person's shell script
//! does without git-crew.

use std::fs::{self, File};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crate::fixture::{self, CREW, Repo, median, ms, share};
use crate::{Figure, Target};

pub(crate) const TASKS: usize = 16;
pub(crate) const FILES: usize = 3000;

/// Files of the repository on which only the start is measured.
const FEW: usize = 100;

/// How often each side runs.
const ROUNDS: u32 = 3;

/// No further round begins after this: on a busy machine one takes minutes,
/// since each side writes 16 times 3,000 files.
const ENOUGH: Duration = Duration::from_secs(60);

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
pub(crate) struct Taken {
    pub(crate) whole: Duration,
    /// From the start of the process to the first line of the first task.
    first: Duration,
    /// The most memory that the process itself had, in kilobytes.
    peak: u64,
}

fn workflow(name: &str, tasks: usize) -> String {
    let mut text =
        format!("---\nname: {name}\ndescription: one-line tasks\nmaxConcurrency: 16\n---\n");
    for n in 0..tasks {
        text.push_str(&format!(
            "## t{n}\nrole: hand\nagent: sh\n\n{{goal}}\n\n```sh\ndate +%s%N >one-{n}.txt\n```\n\n"
        ));
    }
    text
}

const TEAM: &str = "---\nname: many\ndescription: one hand\ndefaultWorkflow: many\nmaxConcurrency: 16\n---\n\
# One hand\n\n- hand: agent=demo-hand runs the script in its task\n";

/// A repository with the workflows `many` and `single`.
pub(crate) fn repository(count: usize) -> Repo {
    let mut files = fixture::files(count, 13_000);
    for (name, tasks) in [("many", TASKS), ("single", 1)] {
        let path = format!(".crew/workflows/{name}.workflow.md");
        files.push((path, workflow(name, tasks).into_bytes()));
    }
    files.push((".crew/teams/many.team.md".into(), TEAM.into()));
    let repo = Repo::new(files);
    fixture::output(&mut repo.command(CREW, &["trust", "--yes"]));
    repo
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

fn by_crew(repo: &Repo, workflow: &str, tasks: usize) -> Taken {
    let goal = "one line each";
    let words =
        ["run", goal, "--team", "many", "--workflow", workflow, "--agent", "sh", "-j", "16"];
    let story = repo.beside("state").join("story");
    let mut command = repo.command(CREW, &words);
    command.stdout(Stdio::null()).stderr(File::create(&story).expect("a file"));
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
    let story = fs::read_to_string(story).expect("the story");
    let run = story.lines().find_map(|line| line.strip_prefix("run ")).expect("the run's id");
    let written = |n| repo.git(&["show", &format!("refs/crew/results/{run}:one-{n}.txt")]);
    Taken { whole, first: earliest(began, (0..tasks).map(written)), peak }
}

fn high_water(status: &str) -> Option<u64> {
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

pub(crate) fn by_script(repo: &Repo, round: u32, tasks: usize) -> Taken {
    let state = repo.beside("script");
    let round = format!("{round}-{tasks}");
    let mut command = repo.command("sh", &["-c", SCRIPT]);
    command.env("STATE", &state).env("ROUND", &round).env("TASKS", tasks.to_string());
    let (began, start) = (now(), Instant::now());
    fixture::output(&mut command);
    let whole = start.elapsed();
    let read = |n| fs::read_to_string(state.join(format!("{round}-{n}.first"))).expect("written");
    Taken { whole, first: earliest(began, (0..tasks).map(read)), peak: 0 }
}

/// Both sides of every round of one case.
#[derive(Default)]
struct Case {
    ours: Vec<Taken>,
    theirs: Vec<Taken>,
}

impl Case {
    fn measure(&mut self, repo: &Repo, workflow: &str, tasks: usize) {
        let round = u32::try_from(self.ours.len()).unwrap_or_default();
        self.ours.push(by_crew(repo, workflow, tasks));
        self.theirs.push(by_script(repo, round, tasks));
    }

    fn whole(all: &[Taken]) -> f64 {
        median(&all.iter().map(|one| one.whole).collect::<Vec<_>>()).as_secs_f64()
    }

    /// The time to the first line.
    fn first(&self, name: &'static str, target: Target) -> Figure {
        let firsts = |all: &[Taken]| all.iter().map(|one| one.first).collect::<Vec<_>>();
        let (ours, theirs) = (firsts(&self.ours), firsts(&self.theirs));
        Figure {
            name,
            value: ms(median(&ours)),
            target,
            unit: "ms",
            baseline: format!(
                "best {:.0} ms, worst {:.0} ms of {}; the script: median {:.0} ms",
                ms(share(&ours, 0)),
                ms(share(&ours, 99)),
                ours.len(),
                ms(median(&theirs))
            ),
        }
    }
}

/// A run of sixteen tasks, and of one, on a large repository and on a small one.
pub(crate) fn sixteen_tasks() -> Vec<Figure> {
    let (large, small) = (repository(FILES), repository(FEW));
    by_crew(&small, "single", 1);
    let (mut many, mut single, mut start) = (Case::default(), Case::default(), Case::default());
    (0..ROUNDS * 4).for_each(|_| start.measure(&small, "single", 1));
    let began = Instant::now();
    for _ in 0..ROUNDS {
        many.measure(&large, "many", TASKS);
        single.measure(&large, "single", 1);
        if began.elapsed() > ENOUGH {
            break;
        }
    }
    let peak = many.ours.iter().map(|one| one.peak).max().unwrap_or_default();
    let (ours, theirs) = (Case::whole(&many.ours), Case::whole(&many.theirs));
    let rounds = many.ours.len();
    vec![
        Figure {
            name: "run: 16 tasks, against a script",
            value: ours / theirs,
            target: Target::AtMost(1.1),
            unit: "x",
            baseline: format!("git crew run {ours:.2} s; script {theirs:.2} s; of {rounds}"),
        },
        start.first("run: first line, 100 files", Target::AtMost(300.0)),
        single.first("run: first line, 3,000 files", Target::AtMost(300.0)),
        many.first("run: first line of 16, 3,000 files", Target::None),
        Figure {
            name: "run: peak memory with 16 tasks",
            value: f64::from(u32::try_from(peak).unwrap_or(u32::MAX)) / 1024.0,
            target: Target::AtMost(40.0),
            unit: "MB",
            baseline: "the orchestrator's own (VmHWM), without its agents and git".to_owned(),
        },
    ]
}
