//! How soon a warm slot is ready, against a new worktree; and a run from a warm
//! pool against what a careful person's shell script does without git-crew.

use std::path::Path;
use std::time::Duration;

use git_crew::domain::id::Oid;
use git_crew::world::git::Git;
use git_crew::world::slots::{Ground, Keep, Kind, Person, Pooling, RepoPaths, Returned, Slots};

use crate::fixture::{self, CREW, Repo, median, ms, share, timed};
use crate::run::{FILES, TASKS, by_script, repository};
use crate::{Figure, Target};

fn slots(repo: &Repo) -> Slots {
    let common_dir = repo.path().join(".git");
    let object_dir = common_dir.join("objects");
    let paths = RepoPaths { common_dir, object_dir, name: "repo".into() };
    let git = Git::new("git", &std::env::var_os("PATH").unwrap_or_default(), None);
    let who = Person { name: "a".into(), email: "a@b.invalid".into() };
    let pooling = Pooling { max: 4, keep: Keep::default(), boot: "this".into() };
    let ground = Ground::read(git, paths, who).expect("a repository");
    let slots = Slots::open(&ground, &repo.beside("slots"), Kind::Private);
    slots.expect("a folder").pooled(pooling)
}

/// One more commit that changes `count` files; its id.
fn change(repo: &Repo, count: usize) -> Oid {
    let list = repo.git(&["ls-files"]);
    for path in list.lines().take(count) {
        let path = repo.path().join(path);
        let text = std::fs::read(&path).expect("a file");
        std::fs::write(&path, [text.as_slice(), b"more\n"].concat()).expect("a file");
    }
    repo.git(&["commit", "-qam", "more"]);
    repo.git(&["rev-parse", "HEAD"]).parse().expect("an id")
}

/// What one round took: taking a slot, giving it back, and a worktree.
#[derive(Default)]
struct Times {
    same: Vec<Duration>,
    other: Vec<Duration>,
    back: Vec<Duration>,
    worktree: Vec<Duration>,
}

fn measure(files: usize, bytes: usize, rounds: usize) -> Times {
    let repo = Repo::new(fixture::files(files, bytes));
    let base: Oid = repo.git(&["rev-parse", "HEAD"]).parse().expect("an id");
    let next = change(&repo, 12);
    let slots = slots(&repo);
    let mut times = Times::default();
    let mut number = 0;
    let mut once = |base: &Oid, list: Option<&mut Vec<Duration>>, back: &mut Vec<Duration>| {
        number += 1;
        let mut slot = None;
        let took = timed(|| slot = Some(slots.take(base, &format!("s{number}")).expect("a slot")));
        let slot = slot.expect("taken");
        std::fs::write(slot.tree.join("line"), b"one\n").expect("a file");
        if let Some(list) = list {
            list.push(took);
        }
        let mut became = Returned::Lost;
        back.push(timed(|| became = slots.give_back(slot).expect("given back")));
        assert_eq!(became, Returned::Pooled);
    };
    once(&base, None, &mut Vec::new());
    for round in 0..rounds {
        once(&base, Some(&mut times.same), &mut times.back);
        once(&next, Some(&mut times.other), &mut times.back);
        once(&base, None, &mut times.back);
        times.worktree.push(worktree(&repo, &repo.beside("trees").join(round.to_string())));
    }
    times
}

fn worktree(repo: &Repo, path: &Path) -> Duration {
    let path = fixture::text(path);
    let add = ["worktree", "add", "-q", "--detach", path, "HEAD"];
    let took = timed(|| drop(repo.git(&add)));
    repo.git(&["worktree", "remove", "--force", path]);
    took
}

fn figure(name: &'static str, ours: &[Duration], times: &Times, target: Target) -> Figure {
    Figure {
        name,
        value: median(ours).as_secs_f64() / median(&times.worktree).as_secs_f64(),
        target,
        unit: "x",
        baseline: format!(
            "ready in {:.0} ms, worst {:.0} ms; given back in {:.0} ms; git worktree add {:.0} ms",
            ms(median(ours)),
            ms(share(ours, 99)),
            ms(median(&times.back)),
            ms(median(&times.worktree))
        ),
    }
}

/// Rounds of a run from a warm pool and of the script.
fn run() -> Figure {
    const ROUNDS: u32 = 3;
    let repo = repository(FILES);
    repo.git(&["config", "crew.slotsMax", &TASKS.to_string()]);
    let words = ["run", "one line each", "--team", "many", "--workflow", "many"];
    let words = [&words[..], &["--agent", "sh", "-j", "16"]].concat();
    let crew = || timed(|| drop(fixture::output(&mut repo.command(CREW, &words))));
    let cold = crew();
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        ours.push(crew());
        theirs.push(by_script(&repo, round, TASKS).whole);
    }
    Figure {
        name: "slots: 16 tasks, warm, against a script",
        value: median(&ours).as_secs_f64() / median(&theirs).as_secs_f64(),
        target: Target::AtMost(0.5),
        unit: "x",
        baseline: format!(
            "git crew run {:.2} s, cold {:.2} s; shell script {:.2} s",
            median(&ours).as_secs_f64(),
            cold.as_secs_f64(),
            median(&theirs).as_secs_f64()
        ),
    }
}

/// A repository of 3,000 files, and the run.
pub(crate) fn small() -> Vec<Figure> {
    let times = measure(3000, 13_000, 7);
    vec![
        figure("slots: warm, 3,000 files", &times.same, &times, Target::AtMost(0.35)),
        figure("slots: warm, 3,000, other base", &times.other, &times, Target::AtMost(0.35)),
        run(),
    ]
}

/// A repository of 50,000 files.
pub(crate) fn large() -> Vec<Figure> {
    let times = measure(50_000, 2_000, 3);
    vec![
        figure("slots: warm, 50,000 files", &times.same, &times, Target::AtMost(0.15)),
        figure("slots: warm, 50,000, other base", &times.other, &times, Target::AtMost(0.15)),
    ]
}
