//! From found files to a tree and a commit, with an index of our own.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;

use super::plain::shown;
use super::walk::{Found, Tracked, walk};
use super::{Desk, HarvestError, ResultMeta, Stray, lfs};
use crate::domain::attempt::Change;
use crate::domain::escape::is_hidden;
use crate::domain::id::Oid;
use crate::world::git::GitError;
use crate::world::slots::Person;
use crate::world::slots::index::Index;

/// Writes the tree of what was found; paths that git refuses are moved to
/// `left_out`.
pub(super) fn stage(
    desk: &Desk<'_>,
    index: &Index,
    base_tree: &Oid,
    found: &mut Found,
) -> Result<(Oid, Vec<Change>), HarvestError> {
    let gone = found.present.iter().filter(|present| !**present).count();
    if gone == 0 && found.changed.is_empty() {
        return Ok((base_tree.clone(), Vec::new()));
    }
    let mut present = found.present.iter();
    let gone: BTreeSet<&[u8]> = index
        .entries
        .iter()
        .filter(|_| present.next() == Some(&false))
        .map(|entry| entry.path.as_slice())
        .collect();
    let changed: BTreeSet<&[u8]> = found.changed.iter().map(Vec::as_slice).collect();
    let bytes = index.cut(
        |entry| !gone.contains(entry.path.as_slice()),
        |entry| changed.contains(entry.path.as_slice()),
    );
    fs::write(&desk.index, bytes).map_err(HarvestError::io("write", &desk.index))?;
    let plain = lfs::keep(desk, &found.changed)?;
    let refused = add(desk, &plain)?;
    found.left_out.extend(refused);
    let changes = changes(index, &written(desk)?);
    let tree = if changes.is_empty() { base_tree.clone() } else { write_tree(desk)? };
    Ok((tree, changes))
}

fn written(desk: &Desk<'_>) -> Result<Index, HarvestError> {
    let bytes = fs::read(&desk.index).map_err(HarvestError::io("read", &desk.index))?;
    desk.parse(bytes)
}

/// What differs between two indexes, in order.
fn changes(old: &Index, new: &Index) -> Vec<Change> {
    let (mut olds, mut news) = (old.entries.iter().peekable(), new.entries.iter().peekable());
    let mut changes = Vec::new();
    loop {
        let order = match (olds.peek(), news.peek()) {
            (None, None) => return changes,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(a), Some(b)) => a.path.cmp(&b.path),
        };
        let before = if order.is_le() { olds.next() } else { None };
        let after = if order.is_ge() { news.next() } else { None };
        let (status, entry) = match (before, after) {
            (Some(a), Some(b)) if a.mode >> 12 != b.mode >> 12 => ('T', b),
            (Some(a), Some(b)) if a.mode != b.mode || old.id(a) != new.id(b) => ('M', b),
            (Some(_), Some(_)) | (None, None) => continue,
            (Some(a), None) => ('D', a),
            (None, Some(b)) => ('A', b),
        };
        changes.push(Change { status, path: shown(&entry.path) });
    }
}

fn write_tree(desk: &Desk<'_>) -> Result<Oid, HarvestError> {
    let tree = desk.git().arg("write-tree").line().map_err(|source| desk.failed(source))?;
    desk.oid(&tree)
}

/// Adds files to the index, with their line endings as git would store them;
/// returns the paths that git will not have, and why.
fn add(desk: &Desk<'_>, paths: &[Vec<u8>]) -> Result<Vec<(String, String)>, HarvestError> {
    let mut refused = Vec::new();
    if paths.is_empty() {
        return Ok(refused);
    }
    // One file that can't be converted (a planted `working-tree-encoding`) must
    // not cost the others: halve until it stands alone, then take it as it is.
    let mut batches = vec![paths];
    while let Some(batch) = batches.pop() {
        match (update(desk, batch), batch) {
            (Ok(()), _) => {}
            (Err(GitError::Failed { stderr, .. }), [path]) => {
                if let Err(why) = raw(desk, path) {
                    let why = if why.is_empty() { stderr } else { why };
                    refused.push((shown(path), why));
                }
            }
            (Err(GitError::Failed { .. }), batch) => {
                let (left, right) = batch.split_at(batch.len() / 2);
                batches.extend([right, left]);
            }
            (Err(source), _) => return Err(desk.failed(source)),
        }
    }
    // Git passes over names that it refuses without an error.
    let index = written(desk)?;
    let there: BTreeSet<&[u8]> = index.entries.iter().map(|e| e.path.as_slice()).collect();
    for path in paths.iter().filter(|path| !there.contains(path.as_slice())) {
        let name = shown(path);
        if !refused.iter().any(|(known, _)| *known == name) {
            refused.push((name, "a name that git does not keep".into()));
        }
    }
    Ok(refused)
}

fn update(desk: &Desk<'_>, paths: &[Vec<u8>]) -> Result<(), GitError> {
    let mut input = Vec::new();
    for path in paths {
        input.extend_from_slice(path);
        input.push(0);
    }
    let call = desk.git().work_tree(&desk.slot.tree).input(&input);
    call.args(["update-index", "--add", "--replace", "-z", "--stdin"]).run().map(|_| ())
}

/// Adds one regular file byte for byte; the error is why not.
fn raw(desk: &Desk<'_>, path: &[u8]) -> Result<(), String> {
    let full = desk.slot.tree.join(OsStr::from_bytes(path));
    let meta = full.symlink_metadata().map_err(|e| e.to_string())?;
    if !meta.is_file() {
        return Err(String::new());
    }
    let file = super::plain::open(&full).map_err(|e| e.to_string())?;
    let call = desk.git().args(["hash-object", "-w", "--no-filters", "--stdin"]).input_file(file);
    let id = call.line().map_err(|e| e.to_string())?;
    let mode = if meta.mode() & 0o100 == 0 { "100644" } else { "100755" };
    let line = [mode.as_bytes(), b" ", id.as_bytes(), b"\t", path, b"\0"].concat();
    let call = desk.git().args(["update-index", "--add", "--replace", "-z", "--index-info"]);
    call.input(&line).run().map(|_| ()).map_err(|e| e.to_string())
}

/// Makes a commit; no ref is moved.
pub(super) fn commit(
    desk: &Desk<'_>,
    tree: &Oid,
    parents: &[Oid],
    meta: &ResultMeta,
) -> Result<Oid, HarvestError> {
    let mut message = one_line(&meta.subject);
    message.push('\n');
    for (n, (name, value)) in meta.trailers.iter().enumerate() {
        let blank = if n == 0 { "\n" } else { "" };
        message.push_str(&format!("{blank}{}: {}\n", one_line(name), one_line(value)));
    }
    let date = format!("@{} +0000", meta.at.seconds().max(0));
    let mut call = desk.git().setting("commit.gpgSign=false").args(["commit-tree", tree.as_str()]);
    for parent in parents {
        call = call.args(["-p", parent.as_str()]);
    }
    for (role, who) in [("AUTHOR", &meta.author), ("COMMITTER", &meta.committer)] {
        let Person { name, email } = signable(who);
        call = call.env(&format!("GIT_{role}_NAME"), name);
        call = call.env(&format!("GIT_{role}_EMAIL"), email);
        call = call.env(&format!("GIT_{role}_DATE"), &date);
    }
    let id = call.input(message.as_bytes()).line().map_err(|source| desk.failed(source))?;
    desk.oid(&id)
}

fn one_line(text: &str) -> String {
    let spaced = |c: char| if is_hidden(c) { ' ' } else { c };
    text.chars().map(spaced).collect::<String>().trim().to_owned()
}

/// Git refuses a name in which nothing is left after cleaning.
fn signable(who: &Person) -> Person {
    let clean = |text: &str| {
        let kept: String = text.chars().filter(|c| !c.is_control() && !"<>".contains(*c)).collect();
        kept.trim_matches([' ', '.', ',', ':', ';', '"', '\\', '\'']).to_owned()
    };
    let or = |text: String, other: &str| if text.is_empty() { other.to_owned() } else { text };
    Person { name: or(clean(&who.name), "unknown"), email: or(clean(&who.email), "unknown") }
}

/// Keeps the files of each populated submodule in a commit of its own, on top
/// of the result, at the paths where they lie.
pub(super) fn submodules(
    desk: &Desk<'_>,
    found: &mut Found,
    on: &Oid,
    meta: &ResultMeta,
) -> Result<Vec<Stray>, HarvestError> {
    let mut strays = Vec::new();
    let nothing = Tracked { entries: &[], written: (i64::MIN, 0), extra: &BTreeSet::new() };
    for path in std::mem::take(&mut found.populated) {
        let module = desk.slot.modules.iter().find(|module| module.path == path);
        if module.is_some_and(|module| module.is_untouched(desk.slot, None)) {
            continue;
        }
        let inside = walk(desk, &nothing, &path)?;
        let kept = Some(inside.changed.as_slice());
        if module.is_some_and(|module| module.is_untouched(desk.slot, kept)) {
            continue;
        }
        let call = desk.git().args(["read-tree", "--empty"]);
        call.run().map_err(|source| desk.failed(source))?;
        found.left_out.extend(add(desk, &inside.changed)?);
        found.left_out.extend(inside.left_out);
        for (source, inside) in inside.ignored {
            let ignored = found.ignored.entry(source).or_default();
            ignored.total += inside.total;
            ignored.listed.extend(inside.listed);
        }
        let tree = write_tree(desk)?;
        let mut side = meta.clone();
        side.subject = format!("files of the submodule {}", shown(&path));
        let id = commit(desk, &tree, std::slice::from_ref(on), &side)?;
        strays.push(Stray { name: format!("submodule {}", shown(&path)), id });
    }
    Ok(strays)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_the_name_git_can_sign_with_it() {
        let who = |name: &str, email: &str| {
            signable(&Person { name: name.to_owned(), email: email.to_owned() })
        };
        assert_eq!(who("<>", "\n"), who("unknown", "unknown"));
        assert_eq!(who("a\nb <c>", " d@e "), who("ab c", "d@e"));
    }

    #[test]
    fn a_subject_cannot_start_a_second_line() {
        assert_eq!(one_line("a\nCrew-Run: x\u{1b}[1m"), "a Crew-Run: x [1m");
    }
}
