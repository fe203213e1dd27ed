//! Keeping what an attempt made: the ref that pins it, the words it printed,
//! the artifacts it handed over, the lists that fit an event.

use std::fs;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::libc::{O_NOFOLLOW, O_NONBLOCK};

use crate::domain::attempt::{Change, Work};
use crate::domain::escape::is_hidden;
use crate::domain::id::{Oid, Op, TaskId};
use crate::domain::run::Run;
use crate::store::merge::{Signature, Tip};
use crate::store::{NewEntry, Person, RefName, StoreError, Swap, TreeEdit, failpoint};
use crate::world::harvest::{Harvest, ResultMeta};
use crate::world::process::Report;
use crate::world::slots;

use super::super::io::Files;
use super::{Shop, folder};

/// The most bytes of an agent's last words that the run's tree keeps.
const WORDS: usize = 16 << 10;

/// The most bytes of one artifact, and of all of an attempt.
const ARTIFACT: u64 = 4 << 20;

/// How the text of our `.keep` files begins.
pub const KEEP_MARK: &str = "git-crew: ";

/// How often a ref that others move is tried again.
const ROUNDS: u32 = 50;

/// Moves one of our own refs to a commit, whatever it was at: an attempt has
/// one writer at a time, so that a lost swap means an earlier try of the same.
///
/// # Errors
/// Whatever the store says.
pub fn point(shop: &Shop, name: &RefName, to: &Oid) -> Result<(), StoreError> {
    let mut seen = shop.chains.tip(name)?;
    for _ in 0..ROUNDS {
        if seen.as_ref() == Some(to) {
            return Ok(());
        }
        match shop.chains.point(name, seen.as_ref(), to)? {
            Swap::Won(_) => return Ok(()),
            Swap::Lost(tip) => seen = tip,
        }
    }
    Err(StoreError::Invalid { what: format!("'{name}': it is moved by somebody all the time") })
}

/// Passes a point at which a test build can be killed ([`failpoint`]).
///
/// # Errors
/// Only in a test build that was told so.
pub fn passed(point: &str) -> Result<(), StoreError> {
    failpoint::hit(point).map_err(|source| StoreError::Io {
        doing: "pass",
        path: point.into(),
        source,
    })
}

/// The results of these tasks, to be merged.
pub(super) fn tips(run: &Run, tasks: &[TaskId]) -> Vec<Tip> {
    tasks
        .iter()
        .filter_map(|id| Some(Tip { label: id.to_string(), commit: run.task(id)?.result.clone()? }))
        .collect()
}

/// Who makes a merge, and what it says.
pub(super) fn signature(shop: &Shop, message: String) -> Signature {
    Signature { author: shop.user.clone(), committer: shop.user.clone(), message, at: shop.now() }
}

/// Pins what the agent left on other branches and in stashes: nothing else
/// would keep it once the pack it came in may be pruned.
///
/// # Errors
/// Whatever the store says.
pub fn pin_strays(shop: &Shop, harvest: &Harvest) -> Result<(), StoreError> {
    let mut parents: Vec<Oid> = Vec::new();
    for stray in &harvest.strays {
        // A stray that is no commit (a tag of a blob) can't be a parent.
        if let Ok(commit) = shop.store.resolve(stray.id.as_str())
            && !parents.contains(&commit)
        {
            parents.push(commit);
        }
    }
    if parents.is_empty() {
        return Ok(());
    }
    let subject = format!("{}: what an agent left on other branches", shop.id());
    append(shop, &RefName::kept(shop.id()), &subject, parents, &Files::new())
}

/// What a harvested attempt left, cut to what an event may list.
#[must_use]
pub fn adopt(harvest: &Harvest) -> Work {
    let changed = harvest
        .changed
        .iter()
        .map(|change| Change { status: change.status, path: change.path.clone() });
    let mut left_out = harvest.left_out.clone();
    left_out.extend(
        harvest.strays.iter().map(|stray| {
            (stray.name.clone(), format!("commit {}, not part of the result", stray.id))
        }),
    );
    let refused = harvest.history_refused.clone();
    left_out.extend(refused.map(|why| ("the agent's own commits".to_owned(), why)));
    Work {
        commit: Some(harvest.commit.clone()),
        tree: Some(harvest.tree.clone()),
        changed: fitting(changed, 20_000, |change| change.path.len()),
        changed_total: harvest.changed.len() as u64,
        agent_commits: harvest.agent_commits,
        rewrote_history: harvest.rewrote_history,
        ignored: fitting(harvest.ignored.iter().cloned(), 10_000, |(path, _)| path.len()),
        ignored_total: harvest.ignored_total,
        left_out: fitting(left_out.into_iter(), 8_000, |(path, why)| path.len() + why.len()),
    }
}

/// The first items that fit the limits of an event.
fn fitting<T>(items: impl Iterator<Item = T>, bytes: usize, size: impl Fn(&T) -> usize) -> Vec<T> {
    let mut room = bytes;
    items
        .take(Work::LISTED)
        .take_while(|item| {
            let need = size(item) + 24;
            let fits = need <= room;
            room = room.saturating_sub(need);
            fits
        })
        .collect()
}

/// What the result commit of an attempt says.
#[must_use]
pub fn meta(shop: &Shop, task: &TaskId, attempt: u32, agent: &str) -> ResultMeta {
    let person = |name: &str, email: &str| slots::Person { name: name.into(), email: email.into() };
    ResultMeta {
        author: person(agent, &format!("{agent}@crew.invalid")),
        committer: person(&shop.user.name, &shop.user.email),
        at: shop.now(),
        subject: format!("{task}: {}", first_line(&shop.plan().goal)),
        trailers: vec![
            ("Crew-Run".to_owned(), shop.id().to_string()),
            ("Crew-Task".to_owned(), task.to_string()),
            ("Crew-Attempt".to_owned(), attempt.to_string()),
        ],
        keep_message: format!("{KEEP_MARK}{}/{task}/{attempt}", shop.id()),
        max_history: crate::world::harvest::MAX_HISTORY,
    }
}

/// The goal's first line, short enough for a subject.
fn first_line(goal: &str) -> String {
    let line = goal.lines().find(|line| !line.trim().is_empty()).unwrap_or("work");
    let clean: String = line.trim().chars().filter(|c| !is_hidden(*c)).collect();
    if clean.chars().count() <= 50 {
        return clean;
    }
    let cut: String = clean.chars().take(49).collect();
    format!("{}…", cut.trim_end())
}

/// The files that an attempt adds to the run's tree: its last words (all of its
/// output, where nobody understood it) and what it put into `$CREW_OUT`.
pub(super) fn files(task: &TaskId, outbox: &Path, report: &Report, words: Option<String>) -> Files {
    let said = words.unwrap_or_else(|| report.stdout.text());
    let said = if said.trim().is_empty() { report.stderr.text() } else { said };
    let words = last(&said, WORDS);
    let mut files =
        Files::from([(format!("{}/result.md", folder(task)), Some(words.into_bytes()))]);
    let mut room = ARTIFACT;
    let names = fs::read_dir(outbox).map(|entries| {
        let mut names: Vec<_> = entries.filter_map(Result::ok).map(|e| e.file_name()).collect();
        names.sort();
        names
    });
    for name in names.unwrap_or_default() {
        let Some(name) = name.to_str().filter(|name| is_plain(name)) else { continue };
        if let Some(bytes) = artifact(&outbox.join(name), room) {
            room = room.saturating_sub(bytes.len() as u64);
            files.insert(format!("{}/out/{name}", folder(task)), Some(bytes));
        }
    }
    files
}

/// A name that may stand in a tree and be written back as a file.
fn is_plain(name: &str) -> bool {
    !name.starts_with('.')
        && name.len() <= 200
        && name.chars().all(|c| !is_hidden(c) && c != '/' && c != '\\')
        && !name.eq_ignore_ascii_case(".git")
}

/// A regular file's bytes; links are not followed and pipes not waited for.
fn artifact(path: &Path, room: u64) -> Option<Vec<u8>> {
    use std::io::Read;
    let mut options = fs::OpenOptions::new();
    let file = options.read(true).custom_flags(O_NOFOLLOW | O_NONBLOCK).open(path).ok()?;
    let kind = file.metadata().ok()?;
    if !kind.is_file() || kind.len() > room {
        return None;
    }
    let mut bytes = Vec::new();
    file.take(room).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// The end of a text, whole characters, with a line that says what is missing.
pub(super) fn last(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let mut from = text.len() - most;
    while !text.is_char_boundary(from) {
        from += 1;
    }
    format!("[... {from} of {} bytes not kept ...]\n{}", text.len(), &text[from..])
}

/// Stores the bulk of an attempt's output where it can be dropped later without
/// touching the run's story.
///
/// # Errors
/// Whatever the store says.
pub(super) fn transcript(
    shop: &Shop,
    task: &TaskId,
    attempt: u32,
    what: &str,
    report: &Report,
) -> Result<(), StoreError> {
    if report.stdout.bytes + report.stderr.bytes == 0 {
        return Ok(());
    }
    let place = |stream: &str| format!("{task}/{attempt}/{what}{stream}");
    let mut files = Files::new();
    for (stream, captured) in [("out", &report.stdout), ("err", &report.stderr)] {
        if captured.bytes > 0 {
            files.insert(place(stream), Some(captured.text().into_bytes()));
        }
    }
    let subject = format!("{task}: output of attempt {attempt}");
    append(shop, &RefName::attic(shop.id()), &subject, Vec::new(), &files)
}

/// Adds an entry to a chain of the run that several workers write.
fn append(
    shop: &Shop,
    name: &RefName,
    subject: &str,
    parents: Vec<Oid>,
    files: &Files,
) -> Result<(), StoreError> {
    let holder = shop.store.holder();
    let op = Op::new(shop.random.bytes16());
    let entry = NewEntry {
        message: format!("{subject}\n\nCrew-Run: {}\nCrew-Op: {op}\n", shop.id()),
        tree: TreeEdit::Put(files.clone()),
        extra_parents: parents,
        at: shop.now(),
        author: Person::new("crew", format!("{holder}@crew.invalid")),
        committer: None,
    };
    for _ in 0..ROUNDS {
        let tip = shop.chains.tip(name)?;
        if let Swap::Won(_) =
            shop.chains.append(name, tip.as_ref(), std::slice::from_ref(&entry))?
        {
            return Ok(());
        }
    }
    Err(StoreError::Invalid { what: format!("'{name}': it is moved by somebody all the time") })
}
