//! A disk that is full while a run is at work.

use serde_json::Value;

use super::yard::{Yard, said, until};
use crate::store::fixture::Mount;

/// A small file system with everything that it needs to be one.
struct Disk {
    mount: Mount,
    _image: Option<tempfile::NamedTempFile>,
}

impl Disk {
    /// `None` where mounting is not allowed.
    fn tmpfs() -> Option<Self> {
        let mount = Mount::new(&["-t", "tmpfs", "-o", "size=16m", "tmpfs"])?;
        Some(Self { mount, _image: None })
    }

    /// One that allocates blocks, late, and gives freed ones back later still.
    fn ext4() -> Option<Self> {
        let image = tempfile::NamedTempFile::new().unwrap();
        image.as_file().set_len(32 << 20).unwrap();
        let mut make = std::process::Command::new("mkfs.ext4");
        if !make.args(["-q", "-m", "0"]).arg(image.path()).status().is_ok_and(|s| s.success()) {
            println!("skipped: no mkfs.ext4");
            return None;
        }
        let mount = Mount::new(&["-o", "loop", image.path().to_str().unwrap()])?;
        Some(Self { mount, _image: Some(image) })
    }

    /// Takes every byte that is left.
    fn fill(&self) {
        use std::io::Write;
        let mut file = std::fs::File::create(self.filler()).unwrap();
        for size in [1 << 16, 1 << 12, 1] {
            let block = vec![0u8; size];
            while file.write_all(&block).is_ok() {}
        }
        // What is still to be allocated takes the rest.
        let _ = file.sync_all();
    }

    fn make_room(&self) {
        std::fs::remove_file(self.filler()).unwrap();
    }

    fn filler(&self) -> std::path::PathBuf {
        self.mount.path().join("filler")
    }

    fn repo(&self) -> std::path::PathBuf {
        self.mount.path().join("repo")
    }
}

fn size_of_reserve(yard: &Yard) -> Option<u64> {
    std::fs::metadata(yard.repo().join(".git/crew/reserve")).ok().map(|meta| meta.len())
}

/// A run whose second task works while the disk fills up, and makes so many
/// bytes. Answers the run, and its events when the disk was full.
fn filled(disk: &Disk, yard: &Yard, bytes: u32) -> (String, Vec<String>) {
    let (begun, go) = (yard.outside("begun"), yard.outside("go"));
    let wait = format!(
        "touch {}; echo half >made; while ! [ -e {} ]; do sleep 0.05; done; echo whole >made; \
         head -c {bytes} /dev/urandom >more",
        begun.display(),
        go.display()
    );
    yard.steps(&[
        ("one", "", "echo first >first"),
        ("two", "dependsOn: one", &wait),
        ("three", "dependsOn: two", "echo last >last"),
    ]);
    let child = yard.spawn(&["run", "--team", "t", "go"]);
    until("the second task", || begun.exists().then_some(()));
    let run = yard.runs().pop().unwrap();
    let before = yard.events(&run);
    assert_eq!(size_of_reserve(yard), Some(1 << 20), "no room is kept");
    disk.fill();
    std::fs::write(&go, "").unwrap();
    let ended = said(child);
    println!("exit {:?}: {}", ended.code, ended.err);
    assert_eq!(ended.code, Some(70), "{}{}", ended.out, ended.err);
    assert!(ended.err.contains("no space left"), "{}", ended.err);
    assert!(ended.err.contains("git crew resume"), "no next command: {}", ended.err);
    assert!(!ended.err.contains("not this process's any more"), "a lie: {}", ended.err);
    let after = yard.events(&run);
    assert!(after.starts_with(&before), "lost: {before:#?}, then {after:#?}");
    assert_eq!(yard.state(&run)["lease"]["held"], Value::Null, "it is still held: {after:#?}");
    assert_eq!(size_of_reserve(yard), None, "the reserve was not given up");
    for words in [["status", ""], ["show", &run], ["log", &run]] {
        let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
        yard.crew(&words, 0);
    }
    (run, after)
}

/// Somebody makes room and goes on.
fn resumed(disk: &Disk, yard: &Yard, run: &str, before: &[String]) {
    disk.make_room();
    let resumed = yard.crew(&["resume", run], 0);
    println!("{}", resumed.err);
    assert!(yard.events(run).starts_with(before), "lost events");
    assert_eq!(yard.state(run)["status"], "completed");
    assert_eq!(yard.git(&["show", &format!("refs/crew/results/{run}:made")]), "whole");
    assert_eq!(size_of_reserve(yard), Some(1 << 20), "the reserve was not made again");
    yard.sound(run);
    yard.readable();
}

fn attempts(yard: &Yard, run: &str, task: usize) -> Vec<Value> {
    yard.state(run)["tasks"][task]["attempts"].as_array().cloned().unwrap_or_default()
}

fn what_ended_is_told(disk: &Disk) {
    let yard = Yard::at(&disk.repo());
    let (run, after) = filled(disk, &yard, 10);
    let two = attempts(&yard, &run, 1);
    assert_eq!(two.len(), 1, "{two:#?}");
    assert_eq!(two[0]["ending"]["how"], "finished", "its end is not in the chain: {two:#?}");
    assert!(attempts(&yard, &run, 2).is_empty(), "work was begun on a full disk");
    resumed(disk, &yard, &run, &after);
    assert_eq!(attempts(&yard, &run, 1), two, "what had ended was done again");
    yard.crew(&["init", "--undo", "--force"], 0);
    assert!(!yard.repo().join(".git/crew").exists(), "something of it stays");
}

#[test]
fn a_run_on_a_full_disk_tells_how_it_ended_and_lets_go() {
    let Some(disk) = Disk::tmpfs() else { return };
    what_ended_is_told(&disk);
}

#[test]
fn a_run_on_a_full_disk_of_blocks_tells_how_it_ended_and_lets_go() {
    let Some(disk) = Disk::ext4() else { return };
    what_ended_is_told(&disk);
}

/// Work that does not fit into the reserve stays where it is, and is harvested
/// when there is room.
#[test]
fn work_that_a_full_disk_has_no_room_for_is_kept() {
    let Some(disk) = Disk::tmpfs() else { return };
    let yard = Yard::at(&disk.repo());
    let (run, after) = filled(&disk, &yard, 3_000_000);
    let two = attempts(&yard, &run, 1);
    assert_eq!(two[0]["ending"], Value::Null, "{two:#?}");
    resumed(&disk, &yard, &run, &after);
    let two = attempts(&yard, &run, 1);
    assert_eq!(two[0]["ending"]["how"], "interrupted", "{two:#?}");
    let commit = two[0]["work"]["commit"].as_str().expect("its work is kept");
    let size = yard.git(&["cat-file", "-s", &format!("{commit}:more")]);
    assert_eq!(size, "3000000", "its work is kept");
}

#[test]
fn a_run_without_room_does_not_begin() {
    let Some(disk) = Disk::tmpfs() else { return };
    let yard = Yard::at(&disk.repo());
    yard.steps(&[("one", "", "echo first >first")]);
    yard.crew(&["init"], 0);
    disk.fill();
    let refused = yard.crew(&["run", "--team", "t", "go"], 70);
    assert!(refused.err.contains("no space left"), "{}", refused.err);
    assert_eq!(yard.runs(), Vec::<String>::new());
    disk.make_room();
    yard.crew(&["run", "--team", "t", "go"], 0);
}
