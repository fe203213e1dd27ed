//! The stronger choice: bubblewrap (`bwrap`) makes every other file system
//! read-only, hides what is to be hidden and the sockets that somebody listens
//! on, and gives devices and processes of their own. The fence goes up inside
//! all the same.
//!
//! Limits: sockets that are made later in a folder that stays visible are seen.
//! The network is open.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::unistd::{AccessFlags, access};

use super::Fence;
use super::reading;
use crate::world::process;

/// The arguments of `bwrap` for a fence, up to the program.
pub(in crate::world) fn arguments(fence: &Fence) -> Vec<OsString> {
    let mut args = Args::default();
    args.words(&["--unshare-pid", "--unshare-ipc", "--cap-drop", "ALL"]);
    args.words(&["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"]);
    for hidden in fence.hidden.iter().map(|path| reading::real(path)) {
        args.hide(&hidden);
    }
    for socket in sockets(&fence.writable) {
        args.hide(&socket);
    }
    for path in &fence.readable {
        args.bind("--ro-bind", path);
    }
    for path in fence.writable.iter().chain(&fence.files) {
        args.bind("--bind", path);
    }
    args.words(&["--"]);
    args.0
}

/// Makes a box with nothing in it, to see whether one can be made.
///
/// # Errors
/// What bubblewrap says, in one line.
pub fn try_bwrap(program: &Path, environment: &[(OsString, OsString)]) -> Result<(), String> {
    let mut args = arguments(&Fence::default());
    args.push("true".into());
    let root = Path::new("/");
    let wait = Duration::from_secs(10);
    match process::output(program.as_os_str(), &args, environment, root, &[], wait) {
        Ok(output) if output.ok() => Ok(()),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(format!("no box can be made here: {}", said.lines().next().unwrap_or("no reason")))
        }
        Err(error) => Err(error.to_string()),
    }
}

#[derive(Default)]
struct Args(Vec<OsString>);

impl Args {
    fn words(&mut self, words: &[&str]) {
        self.0.extend(words.iter().map(OsString::from));
    }

    fn bind(&mut self, how: &str, path: &Path) {
        self.0.extend([how.into(), path.into(), path.into()]);
    }

    fn hide(&mut self, path: &Path) {
        if path.is_dir() {
            self.0.extend(["--tmpfs".into(), path.into()]);
        } else if path.symlink_metadata().is_ok() {
            self.0.extend(["--ro-bind".into(), "/dev/null".into(), path.into()]);
        }
    }
}

/// The sockets, by path, that somebody listens on and that we could reach, but
/// those below `except`.
#[must_use]
pub fn sockets(except: &[PathBuf]) -> BTreeSet<PathBuf> {
    let list = fs::read_to_string("/proc/net/unix").unwrap_or_default();
    let paths = list.lines().filter_map(|line| line.find(" /").and_then(|at| line.get(at + 1..)));
    let reachable = |path: &Path| {
        fs::metadata(path).is_ok_and(|meta| meta.file_type().is_socket())
            && access(path, AccessFlags::W_OK).is_ok()
    };
    paths
        .map(PathBuf::from)
        .filter(|path| !except.iter().any(|own| path.starts_with(own)) && reachable(path))
        .filter_map(|path| path.canonicalize().ok())
        .collect()
}
