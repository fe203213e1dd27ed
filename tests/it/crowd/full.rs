//! A disk that is full while a run is at work.

use std::path::Path;

use super::yard::{Yard, said, until};

struct Disk(tempfile::TempDir);

impl Disk {
    /// A small file system; `None` where mounting is not allowed.
    fn new(size: &str) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mut mount = std::process::Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(dir.path());
        match mount.output() {
            Ok(output) if output.status.success() => Some(Self(dir)),
            Ok(output) => {
                println!("skipped: mount: {}", String::from_utf8_lossy(&output.stderr).trim());
                None
            }
            Err(error) => {
                println!("skipped: mount: {error}");
                None
            }
        }
    }

    /// Takes every byte that is left.
    fn fill(&self) {
        use std::io::Write;
        let mut file = std::fs::File::create(self.filler()).unwrap();
        for size in [1 << 16, 1 << 12, 1] {
            let block = vec![0u8; size];
            while file.write_all(&block).is_ok() {}
        }
    }

    fn filler(&self) -> std::path::PathBuf {
        self.0.path().join("filler")
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
fn a_run_on_a_full_disk_says_so_and_goes_on_when_there_is_room() {
    let Some(disk) = Disk::new("16m") else { return };
    let yard = Yard::at(&disk.path().join("repo"));
    let (begun, go) = (yard.top().join("begun"), yard.top().join("go"));
    let wait = format!(
        "touch {}; echo half >made; while ! [ -e {} ]; do sleep 0.05; done; echo whole >made",
        begun.display(),
        go.display()
    );
    yard.steps(&[("one", "", "echo first >first"), ("two", "dependsOn: one", &wait)]);
    let child = yard.spawn(&["run", "--team", "t", "go"]);
    until("the second task", || begun.exists().then_some(()));
    let run = yard.runs().pop().unwrap();
    let before = yard.events(&run);
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
    for words in [["status", ""], ["show", &run], ["log", &run]] {
        let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
        yard.crew(&words, 0);
    }
    std::fs::remove_file(disk.filler()).unwrap();
    let resumed = yard.crew(&["resume", &run], 0);
    println!("{}", resumed.err);
    assert!(yard.events(&run).starts_with(&after), "lost events");
    assert_eq!(yard.state(&run)["status"], "completed");
    assert_eq!(yard.git(&["show", &format!("refs/crew/results/{run}:made")]), "whole");
    yard.sound(&run);
    yard.readable();
}
