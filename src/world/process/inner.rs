//! The step between bubblewrap and the program: this program once more, as
//! `git-crew __fence FD`, inside the box. It puts up the fence, which must not
//! be there before the box is made, and becomes the program.
//!
//! Limits: a start that fails here is told by the exit code and a line on
//! standard error, as a shell does.

use std::ffi::{CString, OsString};
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::process::ExitCode;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::unistd::chdir;

use super::wire::{self, Order, Step};
use super::{shim, sys};
use crate::world::fence::probe::{self, PROBE};
use crate::world::fence::{arguments, enforce};

/// Becomes the program if the command line asks for it.
pub(super) fn entry() -> Option<ExitCode> {
    let mut args = std::env::args_os().skip(1);
    let first = args.next()?;
    if first == PROBE {
        return Some(probe::serve());
    }
    if first != wire::INNER {
        return None;
    }
    let why = match args.next().map(|fd| open(&fd)) {
        Some(Ok(order)) => become_program(&order),
        Some(Err(error)) => (Step::Prepare, error.to_string()),
        None => (Step::Prepare, "no order".to_owned()),
    };
    // Nothing else can be told from in here.
    let _ = writeln!(io::stderr(), "git-crew: {}", why.1);
    Some(ExitCode::from(if why.0 == Step::Find { 127 } else { 126 }))
}

fn open(fd: &OsString) -> io::Result<Order> {
    let path = [b"/proc/self/fd/", fd.as_bytes()].concat();
    let mut text = Vec::new();
    File::open(OsString::from_vec(path))?.read_to_end(&mut text)?;
    Ok(serde_json::from_slice(&text)?)
}

fn become_program(order: &Order) -> (Step, String) {
    if let Err(error) = sys::close_on_exec_from_3() {
        return (Step::Prepare, error.to_string());
    }
    if let Err(errno) = chdir(wire::text(&order.cwd).as_os_str()) {
        return (Step::Enter, errno.desc().to_owned());
    }
    if let Err(error) = order.fence.as_ref().map_or(Ok(()), enforce) {
        return (Step::Prepare, format!("it can't be fenced in: {error}"));
    }
    let (step, error) = shim::execute(order);
    (step, format!("{}: {error}", wire::text(&order.program).to_string_lossy()))
}

/// Becomes bubblewrap, which starts us again inside; returns with why not.
pub(super) fn execute_boxed(order: &Order, bwrap: &std::path::Path) -> (Step, io::Error) {
    let handed = || -> io::Result<(OwnedFd, OwnedFd)> {
        let mut inner = order.clone();
        if let Some(fence) = &mut inner.fence {
            // Those are hidden by the box.
            fence.hidden.clear();
            fence.bwrap = None;
        }
        let mut file = File::from(memfd_create("order", MFdFlags::empty())?);
        serde_json::to_writer(&mut file, &inner)?;
        file.rewind()?;
        let own = File::open("/proc/self/exe")?;
        fcntl(&own, FcntlArg::F_SETFD(FdFlag::empty()))?;
        Ok((file.into(), own.into()))
    };
    let (file, own) = match handed() {
        Ok(handed) => handed,
        Err(error) => return (Step::Prepare, error),
    };
    let Some(fence) = &order.fence else { return (Step::Prepare, Errno::EINVAL.into()) };
    let mut args: Vec<Vec<u8>> = arguments(fence).into_iter().map(OsString::into_vec).collect();
    args.push(format!("/proc/self/fd/{}", own.as_raw_fd()).into_bytes());
    args.push(wire::INNER.as_bytes().to_vec());
    args.push(file.as_raw_fd().to_string().into_bytes());
    let boxed = Order {
        program: bwrap.as_os_str().as_bytes().to_vec(),
        args,
        env: order.env.clone(),
        cwd: order.cwd.clone(),
        fence: None,
        stdin: None,
    };
    let bad = boxed.args.iter().any(|arg| CString::new(arg.as_slice()).is_err());
    if bad { (Step::Prepare, Errno::EINVAL.into()) } else { shim::execute(&boxed) }
}
