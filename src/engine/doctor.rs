//! What would keep a run from working, or was left over by one. Looks only, so
//! that it works in a repository that can't be written.
//!
//! To add a check: a function here and a line in [`examine`].

use std::path::Path;

use crate::domain::id::RunId;
use crate::domain::lease::Life;
use crate::domain::run::Run;
use crate::store::holder::{self, Liveness};
use crate::store::runs;
use crate::world::agents::Agent;
use crate::world::{clock, files, slots};

use super::confinement::Confinement;
use super::place::Place;

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// All is well.
    Good,
    /// Worth knowing.
    Note,
    /// Something has to be done.
    Wrong,
}

impl Weight {
    /// The word that programs read.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Note => "note",
            Self::Wrong => "wrong",
        }
    }
}

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The check's name; it never changes.
    pub check: &'static str,
    /// How much it weighs.
    pub weight: Weight,
    /// What was found.
    pub cause: String,
    /// What to do, a command to paste where there is one.
    pub remedy: Option<String>,
}

impl Finding {
    /// All is well.
    #[must_use]
    pub fn good(check: &'static str, cause: impl Into<String>) -> Self {
        Self { check, weight: Weight::Good, cause: cause.into(), remedy: None }
    }

    /// Worth knowing.
    #[must_use]
    pub fn note(check: &'static str, cause: impl Into<String>, remedy: impl Into<String>) -> Self {
        let remedy = Some(remedy.into());
        Self { check, weight: Weight::Note, cause: cause.into(), remedy }
    }

    /// Something has to be done.
    #[must_use]
    pub fn wrong(check: &'static str, cause: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { weight: Weight::Wrong, ..Self::note(check, cause, remedy) }
    }
}

/// How old a lock or keep file is before it counts as left over, in seconds.
const LOCK_AGE: i64 = 10;
const KEEP_AGE: i64 = 900;

/// Makes every check of a repository, in a fixed order.
#[must_use]
pub fn examine(place: &Place) -> Vec<Finding> {
    let (read, unreadable) = read_runs(place);
    let mut all = vec![git(place)];
    all.push(Finding::good("ref-storage", "refs are files"));
    all.push(writable("repository", place.store.common_dir()));
    all.extend(refspecs(place));
    all.extend(locks(place));
    all.extend(holders(place));
    all.extend(unreadable);
    all.extend(left(place, &read));
    all.extend(worktrees(place));
    all.extend(leftovers(place, &read));
    all.extend(keeps(place, &read));
    all.extend(agents(place));
    all.push(fence(place));
    all.push(machine());
    all
}

/// The checks that need no repository.
#[must_use]
pub fn machine() -> Finding {
    match clock::machine_id() {
        Ok(id) if id.starts_with("boot-") => Finding::note(
            "machine-id",
            "this machine has no id: after a restart it counts as another one",
            "systemd-machine-id-setup, or take runs over with: git crew resume RUN --force",
        ),
        Ok(_) => Finding::good("machine-id", "this machine can be told from others"),
        Err(error) => Finding::wrong("machine-id", error.to_string(), "mount /proc"),
    }
}

fn fence(place: &Place) -> Finding {
    let look = "git crew doctor --sandbox";
    match Confinement::read(place) {
        Ok(confinement) if confinement.verdict().starts_with("fenced") => {
            Finding::good("fence", format!("agents are {}", confinement.verdict()))
        }
        Ok(confinement) => {
            let lack = confinement.lack().map(|lack| format!(": {lack}")).unwrap_or_default();
            Finding::note("fence", format!("agents are {}{lack}", confinement.verdict()), look)
        }
        Err(error) => Finding::wrong("fence", error.to_string(), "git config --edit"),
    }
}

fn git(place: &Place) -> Finding {
    match place.git().version() {
        Ok((major, minor)) => Finding::good("git", format!("git {major}.{minor}")),
        Err(error) => Finding::wrong("git", error.to_string(), "install git 2.39 or newer"),
    }
}

fn writable(check: &'static str, folder: &Path) -> Finding {
    let shown = folder.display();
    if files::is_writable(folder) {
        return Finding::good(check, format!("'{shown}' can be written"));
    }
    Finding::wrong(check, format!("'{shown}' can't be written"), format!("ls -ld {shown}"))
}

fn or_good(check: &'static str, found: Vec<Finding>, good: &str) -> Vec<Finding> {
    if found.is_empty() { vec![Finding::good(check, good)] } else { found }
}

fn refspecs(place: &Place) -> Vec<Finding> {
    let found =
        place.store.fetches_over_us().unwrap_or_default().into_iter().map(|(remote, spec)| {
            let cause = format!(
                "'git fetch --prune {remote}' would delete runs: '{spec}' covers refs/crew"
            );
            Finding::wrong(
                "refspecs",
                cause,
                format!("git config --edit, section [remote \"{remote}\"]"),
            )
        });
    or_good("refspecs", found.collect(), "no fetch covers refs/crew")
}

fn locks(place: &Place) -> Vec<Finding> {
    let now = place.clock.now().seconds();
    let old = |written: i64| now.saturating_sub(written) > LOCK_AGE;
    let found = place.store.locks().into_iter().filter(|lock| old(lock.written)).map(|lock| {
        let cause = format!("a lock was left over: '{}'", lock.path.display());
        Finding::note("locks", cause, "the next command that writes this ref moves it away")
    });
    or_good("locks", found.collect(), "no lock is left over")
}

fn holders(place: &Place) -> Vec<Finding> {
    let all = match holder::all(&place.store) {
        Ok(all) => all,
        Err(error) => return vec![Finding::wrong("holders", error.to_string(), "ls -l .git/crew")],
    };
    let count = |life| all.iter().filter(|(_, one)| *one == life).count();
    let (alive, dead) = (count(Liveness::Alive), count(Liveness::Dead));
    if count(Liveness::Unknowable) > 0 {
        let cause = "this file system does not tell whether a process lives";
        let remedy = "take runs over with: git crew resume RUN --force";
        return vec![Finding::note("holders", cause, remedy)];
    }
    vec![Finding::good("holders", format!("{alive} alive, {dead} dead"))]
}

/// Every run that can be read, and a finding for each that can't: its state from
/// the tip, its story from the whole chain.
fn read_runs(place: &Place) -> (Vec<Run>, Vec<Finding>) {
    let chains = place.chains.as_ref();
    let rows = match runs::list(chains) {
        Ok(rows) => rows,
        Err(error) => return (Vec::new(), vec![damage(None, &error.to_string())]),
    };
    let (mut read, mut found) = (Vec::new(), Vec::new());
    for row in rows {
        let story = runs::history(chains, &row.id, row.tip).find_map(Result::err);
        match runs::load(chains, &row.id) {
            Ok(loaded) => {
                read.push(loaded.run);
                found.extend(story.map(|error| damage(Some(&row.id), &chain(&error))));
            }
            Err(error) => found.push(damage(Some(&row.id), &chain(&error))),
        }
    }
    let good = format!("{} can be read", read.len());
    (read, or_good("runs", found, &good))
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let more = cause.to_string();
        if !words.ends_with(&more) {
            words = format!("{words}: {more}");
        }
        source = cause.source();
    }
    words
}

fn damage(run: Option<&RunId>, words: &str) -> Finding {
    match run {
        Some(run) => Finding::wrong(
            "runs",
            format!("run '{run}' is damaged: {words}"),
            format!("git fsck; what is intact: git crew log {run}"),
        ),
        None => Finding::wrong("runs", words, "git fsck"),
    }
}

fn left(place: &Place, runs: &[Run]) -> Vec<Finding> {
    let open = runs.iter().filter(|run| !run.status.is_terminal());
    let found = open.filter_map(|run| {
        let (id, held) = (&run.id, run.lease.held.is_some());
        match (held, place.life(run)) {
            (true, Life::Alive) => None,
            (true, Life::Dead) => {
                let cause = format!("run '{id}' was left by a process that died");
                Some(Finding::wrong("left-runs", cause, format!("git crew resume {id}")))
            }
            (true, Life::Unknown) => {
                let cause = format!("run '{id}': can't tell whether its process lives");
                let remedy = format!("if you know that it is dead: git crew resume {id} --force");
                Some(Finding::note("left-runs", cause, remedy))
            }
            (false, _) => {
                let cause = format!("run '{id}' is {} and nobody works on it", run.status.word());
                Some(Finding::note("left-runs", cause, format!("git crew resume {id}")))
            }
        }
    });
    or_good("left-runs", found.collect(), "no run was left")
}

fn worktrees(place: &Place) -> Vec<Finding> {
    let root = match place.slots_root() {
        Ok(root) => root,
        Err(error) => {
            let remedy = "git config crew.worktrees /path";
            return vec![Finding::wrong("worktrees", error.to_string(), remedy)];
        }
    };
    let mut found = vec![writable("worktrees", &root)];
    if place.store.work_dir().is_some_and(|dir| root.starts_with(dir)) {
        let cause =
            format!("'{}' is inside the checkout: its files leak into tasks", root.display());
        found.push(Finding::note("worktrees", cause, "git config --unset crew.worktrees"));
    }
    found
}

fn leftovers(place: &Place, runs: &[Run]) -> Vec<Finding> {
    let Ok(root) = place.slots_root() else { return Vec::new() };
    let tasks = || runs.iter().flat_map(|run| &run.tasks);
    let used = |name: &str| tasks().filter_map(|task| task.open()).any(|open| open.slot == name);
    // What waits in the pool is no leftover.
    let waits = |name: &str| slots::is_pooled(&root, name);
    let own = |name: &str| !name.starts_with('.') && name != "CACHEDIR.TAG" && !waits(name);
    let names = files::names(&root);
    let found = names.iter().filter(|name| own(name) && !used(name)).map(|name| {
        let path = root.join(name);
        let cause = format!("nobody works in '{}' any more", path.display());
        Finding::note("slots", cause, "git crew prune")
    });
    or_good("slots", found.collect(), "no working tree was left")
}

fn keeps(place: &Place, runs: &[Run]) -> Vec<Finding> {
    let now = place.clock.now().seconds();
    let begin = "git-crew: ";
    let at_work = |words: &str| {
        let run = words.strip_prefix(begin).and_then(|rest| rest.split('/').next());
        runs.iter().any(|one| Some(one.id.as_str()) == run && !one.status.is_terminal())
    };
    let found = place
        .store
        .keeps(begin)
        .into_iter()
        .filter(|keep| now.saturating_sub(keep.written) > KEEP_AGE && !at_work(&keep.words))
        .map(|keep| {
            let path = keep.path.display();
            let cause = format!("git gc can't repack a pack that no run needs apart: '{path}'");
            Finding::note("keep-files", cause, format!("rm {path}"))
        });
    or_good("keep-files", found.collect(), "no pack is kept apart")
}

fn agents(place: &Place) -> Vec<Finding> {
    let all = match place.agents() {
        Ok(all) => all,
        Err(error) => {
            let remedy = "git config --show-origin --get-regexp '^crew\\.agent'";
            return vec![Finding::wrong("agents", error.to_string(), remedy)];
        }
    };
    let path = place.incoming.get("PATH").unwrap_or_default();
    let (mut found, mut names) = (Vec::new(), Vec::new());
    for (name, agent) in all {
        let Agent::Command { line, .. } = agent else { continue };
        let first = line.split_whitespace().next().unwrap_or_default();
        let plain = first.chars().all(|c| c.is_ascii_alphanumeric() || "-_./+".contains(c));
        if plain && files::program(first, path).is_none() {
            let cause = format!("agent '{name}': '{first}' is not found or can't be run");
            found.push(Finding::wrong(
                "agents",
                cause,
                format!("git config crew.agent.{name}.command"),
            ));
        }
        names.push(name);
    }
    if names.is_empty() {
        let cause = "no program is configured: only tasks for the embedded agent 'sh' can run";
        return vec![Finding::note(
            "agents",
            cause,
            "git config crew.agent.NAME.command 'COMMAND'",
        )];
    }
    or_good("agents", found, &names.join(", "))
}
