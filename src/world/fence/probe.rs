//! Trying the ways out, live: this program once more, as `git-crew __probe`,
//! inside a fence. What the documentation says of a kernel may be wrong; what
//! was tried is not.
//!
//! Limits: everything that is tried is about a folder, a process and a socket
//! that were made for it.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{SocketAddr as Tcp, TcpStream};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use crate::world::process::change_limit;

/// The first argument that makes this program a probe.
pub const PROBE: &str = "__probe";

/// What a probe is let loose on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Targets {
    /// A folder like a repository: `file`, `config` and `hooks/`.
    pub repository: PathBuf,
    /// The folder that the probe may write.
    pub slot: PathBuf,
    /// A process of the user's.
    pub pid: i32,
    /// An abstract socket that somebody listens on.
    pub name: String,
    /// A socket in a folder, likewise.
    pub socket: PathBuf,
    /// A port of the loopback, likewise.
    pub port: u16,
    /// A file that may be hidden.
    pub secret: PathBuf,
}

/// What came of one attempt: its name, and whether it got through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tried {
    /// The attempt's name; it never changes.
    pub name: String,
    /// Whether it got through.
    pub through: bool,
}

/// One attempt; an error means that it was refused.
type Attempt = fn(&Targets) -> io::Result<()>;

/// Every attempt, in the order of the table that is shown.
pub const ATTEMPTS: [(&str, Attempt); 14] = [
    ("write-own", write_own),
    ("write", write),
    ("truncate", truncate),
    ("create", create),
    ("replace", replace),
    ("signal", signal),
    ("memory", memory),
    ("abstract-socket", abstract_socket),
    ("limits", limits),
    ("mode", mode),
    ("lock", lock),
    ("path-socket", path_socket),
    ("read", read),
    ("network", network),
];

/// Acts as the probe: the targets on standard input, a line of JSON for each
/// attempt on standard output.
pub(in crate::world) fn serve() -> ExitCode {
    let mut text = Vec::new();
    let targets = io::stdin().read_to_end(&mut text).ok();
    let targets = targets.and_then(|_| serde_json::from_slice::<Targets>(&text).ok());
    let Some(targets) = targets else { return ExitCode::FAILURE };
    for (name, attempt) in ATTEMPTS {
        let through = attempt(&targets).is_ok();
        let Ok(mut line) = serde_json::to_vec(&Tried { name: name.to_owned(), through }) else {
            return ExitCode::FAILURE;
        };
        line.push(b'\n');
        if io::stdout().write_all(&line).is_err() {
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn write_own(targets: &Targets) -> io::Result<()> {
    let (from, to) = (targets.slot.join("a"), targets.slot.join("b"));
    fs::write(&from, "x")?;
    fs::rename(&from, &to)?;
    fs::remove_file(to)
}

fn write(targets: &Targets) -> io::Result<()> {
    File::options().append(true).open(targets.repository.join("file"))?.write_all(b"x")
}

fn truncate(targets: &Targets) -> io::Result<()> {
    nix::unistd::truncate(&targets.repository.join("file"), 0).map_err(io::Error::from)
}

fn create(targets: &Targets) -> io::Result<()> {
    fs::write(targets.repository.join("hooks/post-commit"), "x")
}

fn replace(targets: &Targets) -> io::Result<()> {
    let own = targets.slot.join("config");
    fs::write(&own, "x")?;
    fs::rename(own, targets.repository.join("config"))
}

fn signal(targets: &Targets) -> io::Result<()> {
    kill(Pid::from_raw(targets.pid), Signal::SIGCONT).map_err(io::Error::from)
}

fn memory(targets: &Targets) -> io::Result<()> {
    File::options().write(true).open(format!("/proc/{}/mem", targets.pid)).map(|_| ())
}

fn abstract_socket(targets: &Targets) -> io::Result<()> {
    let address = SocketAddr::from_abstract_name(&targets.name)?;
    UnixStream::connect_addr(&address).map(|_| ())
}

fn limits(targets: &Targets) -> io::Result<()> {
    change_limit(Pid::from_raw(targets.pid)).map_err(io::Error::from)
}

fn mode(targets: &Targets) -> io::Result<()> {
    fs::set_permissions(targets.repository.join("hooks"), fs::Permissions::from_mode(0o711))
}

fn lock(targets: &Targets) -> io::Result<()> {
    let file = File::open(targets.repository.join("lock"))?;
    let failed = |(_, errno): (File, Errno)| io::Error::from(errno);
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map(|_| ()).map_err(failed)
}

fn path_socket(targets: &Targets) -> io::Result<()> {
    UnixStream::connect(&targets.socket).map(|_| ())
}

fn read(targets: &Targets) -> io::Result<()> {
    fs::read(&targets.secret).map(|_| ())
}

fn network(targets: &Targets) -> io::Result<()> {
    let address = Tcp::from(([127, 0, 0, 1], targets.port));
    TcpStream::connect_timeout(&address, Duration::from_secs(2)).map(|_| ())
}
