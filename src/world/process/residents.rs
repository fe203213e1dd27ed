//! Who is in a folder: processes that work in it, have a file of it open or
//! mapped, or run a program of it.
//!
//! Limits: what this process may not look at (another user's) is not seen.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::unistd::Pid;

use super::{sweep, tree};

/// Every process but this one that is in the folder, as `<pid> <name>`.
#[must_use]
pub fn residents(folder: &Path) -> Vec<String> {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let me = Pid::this().as_raw();
    let found: Vec<i32> =
        sweep::all().into_iter().filter(|pid| *pid != me && is_in(*pid, &folder)).collect();
    tree::names(&found)
}

fn is_in(pid: i32, folder: &Path) -> bool {
    let proc = PathBuf::from(format!("/proc/{pid}"));
    let leads = |path: PathBuf| fs::read_link(path).is_ok_and(|to| to.starts_with(folder));
    if ["cwd", "root", "exe"].iter().any(|name| leads(proc.join(name))) {
        return true;
    }
    let open = fs::read_dir(proc.join("fd")).into_iter().flatten().flatten();
    if open.map(|entry| entry.path()).any(leads) {
        return true;
    }
    let Ok(maps) = fs::read(proc.join("maps")) else { return false };
    maps.split(|byte| *byte == b'\n').any(|line| {
        // Five fields, then the path.
        let path = line.iter().position(|byte| *byte == b'/').and_then(|at| line.get(at..));
        path.is_some_and(|path| Path::new(std::ffi::OsStr::from_bytes(path)).starts_with(folder))
    })
}
