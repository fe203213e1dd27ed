//! The order of system calls in an append. A file system like ext4 commits its
//! whole journal with any sync, so that a power cut does not show a folder that
//! was forgotten; others take the entry away.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Stdio};

use super::child::Orders;
use super::fixture::{Repo, run_ref};

const CALLS: &str =
    "trace=openat,write,fsync,fdatasync,rename,renameat,renameat2,link,linkat,mkdir";

/// Why strace can't be used here.
fn unusable() -> Option<String> {
    let args = ["-f", "-y", "-o", "/dev/null", "-e", CALLS, "true"];
    match Command::new("strace").args(args).stderr(Stdio::piped()).output() {
        Err(error) => Some(format!("strace: {error}")),
        Ok(output) if !output.status.success() => {
            Some(format!("strace: {}", String::from_utf8_lossy(&output.stderr).trim()))
        }
        Ok(_) => None,
    }
}

/// The calls that succeeded, in the order in which they ended, without the
/// process that made them.
fn calls(log: &str) -> Vec<String> {
    let (mut open, mut all) = (BTreeMap::new(), Vec::new());
    for line in log.lines() {
        let Some((pid, call)) = line.split_once(' ') else { continue };
        let call = call.trim_start();
        let whole = if let Some(begun) = call.strip_suffix("<unfinished ...>") {
            open.insert(pid.to_owned(), begun.to_owned());
            continue;
        } else if let Some((_, rest)) = call.split_once(" resumed>") {
            open.remove(pid).unwrap_or_default() + rest
        } else {
            call.to_owned()
        };
        if !whole.contains(" = -1 ") {
            all.push(whole);
        }
    }
    all
}

/// The path of the first descriptor of a call, as `-y` shows it.
fn of_descriptor(call: &str) -> &str {
    call.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or("", |(path, _)| path)
}

/// The paths in quotes.
fn quoted(call: &str) -> Vec<&str> {
    call.split('"').skip(1).step_by(2).collect()
}

/// What is on the disk, by the calls so far.
#[derive(Default)]
struct Disk {
    /// Files whose content was synced, under the name that they had.
    synced: BTreeSet<String>,
    /// Folders with an entry that was not synced since, and the entry.
    dirty: BTreeMap<String, String>,
    /// Refs that were renamed into place since the last acknowledgement.
    moved: u32,
    objects: u32,
}

impl Disk {
    fn see(&mut self, call: &str, refs: &str) {
        let name = call.split('(').next().unwrap_or_default();
        match name {
            "fsync" | "fdatasync" => {
                let path = of_descriptor(call);
                self.synced.insert(path.to_owned());
                self.dirty.remove(path);
            }
            "write" => drop(self.synced.remove(of_descriptor(call))),
            "mkdir" => self.enters(quoted(call)[0]),
            _ if name.starts_with("rename") || name.starts_with("link") => {
                let paths = quoted(call);
                let (from, to) = (paths[0], paths[paths.len() - 1]);
                self.renamed(from, to, refs);
            }
            _ => {}
        }
    }

    fn enters(&mut self, path: &str) {
        if let Some((folder, name)) = path.rsplit_once('/') {
            self.dirty.insert(folder.to_owned(), name.to_owned());
        }
    }

    fn renamed(&mut self, from: &str, to: &str, refs: &str) {
        let is_ref = to == refs;
        if is_ref || to.contains("/objects/") {
            assert!(self.synced.contains(from), "not synced: '{to}' before it got its name");
        }
        if is_ref {
            assert!(from.ends_with(".lock"), "the ref was not moved under its lock: {from}");
            let objects = self.dirty.iter().find(|(folder, _)| folder.contains("/objects"));
            assert_eq!(objects, None, "not synced: a folder of objects before the ref moved");
            self.moved += 1;
        }
        self.objects += u32::from(to.contains("/objects/"));
        self.enters(to);
    }

    /// Whatever is acknowledged now stays.
    fn acknowledge(&mut self, git_dir: &str) {
        let ours = |folder: &str| {
            ["/objects", "/refs"].iter().any(|part| folder.starts_with(&format!("{git_dir}{part}")))
        };
        let open = self.dirty.iter().find(|(folder, _)| ours(folder));
        assert_eq!(open, None, "not synced: a folder before the acknowledgement");
        assert_eq!(self.moved, 1, "acknowledged without a move of the ref");
        assert!(self.objects >= 3, "acknowledged without a commit, a tree and a blob");
        (self.moved, self.objects) = (0, 0);
    }
}

#[test]
fn everything_is_on_disk_before_it_is_acknowledged() {
    if let Some(why) = unusable() {
        println!("skipped: {why}");
        return;
    }
    let repo = Repo::new();
    let orders = Orders { events: 6, ..Orders::new(repo.path(), "h-sync", "aaaa-sync") };
    let log = repo.path().join("calls");
    let child = orders.command();
    let mut strace = Command::new("strace");
    strace.args(["-f", "-y", "-s", "4096", "-e", CALLS, "-o"]).arg(&log);
    strace.arg(child.get_program()).args(child.get_args());
    for (name, value) in child.get_envs() {
        if let Some(value) = value {
            strace.env(name, value);
        }
    }
    let output = strace.stdout(Stdio::null()).stderr(Stdio::piped()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(orders.acked().len(), 6);
    let git_dir = real(&repo.git_dir());
    let name = format!("{git_dir}/{}", run_ref("aaaa-sync"));
    let acks = real(&orders.acks);
    let text = std::fs::read_to_string(&log).unwrap();
    let (mut disk, mut acknowledged) = (Disk::default(), 0);
    for call in calls(&text) {
        if call.starts_with("write(") && of_descriptor(&call) == acks {
            disk.acknowledge(&git_dir);
            acknowledged += 1;
        }
        disk.see(&call, &name);
    }
    assert_eq!(acknowledged, 6, "the log of calls is not understood");
}

fn real(path: &Path) -> String {
    std::fs::canonicalize(path).unwrap().display().to_string()
}
