//! A control group (the kernel's second version) for one program, where this
//! process may make one: everything in it is killed by one write, whatever it
//! did to its parents and its environment, and its memory and its number of
//! processes can be bounded.
//!
//! Promises: bounds that were asked for are kept or the program is not started.
//! Limits: a group without bounds is a second net under the shim's own sweep;
//! where none can be made, nothing is said. Bounds need a group above us that
//! hands its controllers on, as a desktop session's has.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::tree;
use crate::world::fence::Bounds;

/// How the folders of our groups begin; the shim's number and the mark follow.
const BEGIN: &str = "crew-";

/// How long a group may take to become empty once it was killed.
const PATIENCE: Duration = Duration::from_secs(1);

/// One program's group; its folder goes with this value.
pub(super) struct Group(PathBuf);

impl Group {
    /// Makes a group; `None` where none can be made and none is needed.
    pub(super) fn make(mark: &str, bounds: Bounds) -> io::Result<Option<Self>> {
        let name = format!("{BEGIN}{}-{}", std::process::id(), plain(mark));
        let mut why = io::Error::other("there is no control group of the second version here");
        for parent in places() {
            tidy(&parent);
            let made = Self::at(parent.join(&name), &parent, bounds);
            match made {
                Ok(group) => return Ok(Some(group)),
                Err(error) => why = error,
            }
            if bounds == Bounds::default() {
                return Ok(None);
            }
        }
        if bounds == Bounds::default() { Ok(None) } else { Err(why) }
    }

    fn at(dir: PathBuf, parent: &Path, bounds: Bounds) -> io::Result<Self> {
        let handed_on = fs::read_to_string(parent.join("cgroup.subtree_control"))?;
        let wanted = [("memory", bounds.memory), ("pids", bounds.processes)];
        for (controller, _) in wanted.iter().filter(|(_, bound)| bound.is_some()) {
            if !handed_on.split_whitespace().any(|one| one == *controller) {
                let why = format!("no control group hands on '{controller}' here");
                return Err(io::Error::other(why));
            }
        }
        fs::create_dir(&dir)?;
        let group = Self(dir);
        if !group.0.join("cgroup.kill").exists() {
            return Err(io::ErrorKind::Unsupported.into());
        }
        for (controller, bound) in wanted {
            if let Some(bound) = bound {
                group.write(&format!("{controller}.max"), &bound.to_string())?;
            }
        }
        if bounds.memory.is_some() {
            // One program of it killed leaves the rest in a state that nobody knows.
            group.write("memory.oom.group", "1")?;
            let _ = group.write("memory.swap.max", "0");
        }
        Ok(group)
    }

    fn write(&self, name: &str, text: &str) -> io::Result<()> {
        fs::write(self.0.join(name), text)
    }

    /// Puts this process into it.
    pub(super) fn enter(&self) -> io::Result<()> {
        self.write("cgroup.procs", "0")
    }

    /// Kills everything in it at once.
    pub(super) fn kill(&self) {
        let _ = self.write("cgroup.kill", "1");
    }

    /// The bounds that were met, by name.
    pub(super) fn exceeded(&self) -> Vec<String> {
        let met = |file: &str, key: &str| {
            let text = fs::read_to_string(self.0.join(file)).unwrap_or_default();
            let count = |line: &str| line.strip_prefix(key)?.trim().parse::<u64>().ok();
            text.lines().filter_map(count).any(|count| count > 0)
        };
        let memory = met("memory.events", "oom_kill ").then(|| "memory".to_owned());
        let processes = met("pids.events", "max ").then(|| "processes".to_owned());
        memory.into_iter().chain(processes).collect()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // What is not empty stays; the next one tidies up.
        let _ = fs::remove_dir(&self.0);
    }
}

/// Whether these bounds can be kept here.
///
/// # Errors
/// Why not.
pub fn try_bounds(bounds: Bounds) -> io::Result<()> {
    Group::make("try", bounds).map(|_| ())
}

/// Kills what is left in the groups of a mark whose shims are gone; the names of
/// what it was.
pub(super) fn sweep(mark: &str) -> Vec<String> {
    let end = format!("-{}", plain(mark));
    let mut killed = Vec::new();
    for dir in places().iter().flat_map(|parent| ours(parent)) {
        if !dir.to_string_lossy().ends_with(&end) {
            continue;
        }
        let listed = fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default();
        let pids: Vec<i32> = listed.lines().filter_map(|pid| pid.parse().ok()).collect();
        killed.extend(tree::names(&pids));
        let group = Group(dir);
        group.kill();
        let until = Instant::now() + PATIENCE;
        while fs::remove_dir(&group.0).is_err() && group.0.exists() && Instant::now() < until {
            thread::sleep(Duration::from_millis(5));
        }
    }
    killed
}

/// The groups that this process is in, the nearest first.
fn places() -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let Some(own) = own.lines().find_map(|line| line.strip_prefix("0::")) else {
        return Vec::new();
    };
    let mount = mounts.lines().find_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        let mut fields = before.split(' ').skip(3);
        let (root, at) = (fields.next()?, fields.next()?);
        after.starts_with("cgroup2 ").then_some((root, at))
    });
    let Some((root, at)) = mount else { return Vec::new() };
    let Ok(below) = Path::new(own).strip_prefix(root) else { return Vec::new() };
    let top = Path::new(at);
    let own = top.join(below);
    own.ancestors().take_while(|dir| dir.starts_with(top)).map(Path::to_owned).collect()
}

fn ours(parent: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let own = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(BEGIN));
    own.map(|entry| entry.path()).collect()
}

/// Removes the empty groups of shims that were killed.
fn tidy(parent: &Path) {
    for dir in ours(parent) {
        let name = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let pid = name.strip_prefix(BEGIN).and_then(|rest| rest.split('-').next());
        let dead =
            pid.and_then(|pid| pid.parse().ok()).is_some_and(|pid| tree::stat(pid).is_none());
        if dead {
            let _ = fs::remove_dir(dir);
        }
    }
}

fn plain(mark: &str) -> String {
    mark.chars().filter(char::is_ascii_alphanumeric).take(64).collect()
}
