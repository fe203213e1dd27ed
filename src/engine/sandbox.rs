//! `doctor --sandbox`: what this machine's fence keeps, by trying it.

use std::fs;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::watch;

use crate::world::fence::probe::{ATTEMPTS, PROBE, Targets, Tried};
use crate::world::fence::sockets;
use crate::world::process::{
    End, Limits, OutputSpec, ProcessError, Spec, Stdin, StopRequest, Supervisor,
};

use super::confinement::Confinement;
use super::doctor::Weight;

/// The most sockets that are named.
const NAMED: usize = 12;

/// How many bytes of the probe's output are kept.
const KEPT: usize = 64 << 10;

/// Why nothing could be tried.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The stage could not be made.
    #[error("can't make a place to try it")]
    Stage(#[from] std::io::Error),
    /// The probe could not be run.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// The probe did not answer.
    #[error("the probe ended without an answer: {0}")]
    NoAnswer(String),
}

/// One row of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The attempt's name; it never changes.
    pub name: String,
    /// Whether it got through.
    pub through: bool,
    /// What that means.
    pub weight: Weight,
    /// What was tried.
    pub what: &'static str,
    /// What to know of it, where it is open.
    pub note: &'static str,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Findings {
    /// The grade that attempts get here.
    pub grade: String,
    /// Why it is not better, if it isn't.
    pub lack: Option<String>,
    /// Everything that was tried.
    pub rows: Vec<Row>,
    /// Sockets that somebody listens on and that a program here could reach.
    pub sockets: Vec<PathBuf>,
    /// How many there are.
    pub sockets_total: usize,
}

/// What is tried, whether a whole fence refuses it, and what to know where it
/// doesn't.
const TABLE: [(&str, &str, Wanted, &str); 14] = [
    ("write-own", "write its own folder", Wanted::Open, ""),
    ("write", "write a file of yours", Wanted::Refused, ""),
    ("truncate", "empty a file of yours", Wanted::Refused, ""),
    ("create", "make a hook", Wanted::Refused, ""),
    ("replace", "rename over your configuration", Wanted::Refused, ""),
    ("signal", "signal a process of yours", Wanted::Refused, ""),
    ("memory", "open a process's memory", Wanted::Refused, ""),
    ("abstract-socket", "connect to an abstract socket", Wanted::Refused, ""),
    ("limits", "change a process's limits", Wanted::Refused, ""),
    (
        "mode",
        "change a file's mode",
        Wanted::Either,
        "compared after each attempt; crew.sandbox = bwrap refuses it",
    ),
    ("lock", "lock a file of yours", Wanted::Either, "waited for, with a deadline"),
    (
        "path-socket",
        "connect to a socket by path",
        Wanted::Either,
        "a full way out where one is below; crew.sandbox = bwrap hides them",
    ),
    ("read", "read your files", Wanted::Either, "hidden where crew.denyRead names it"),
    ("network", "connect to the network", Wanted::Either, "open by design: agents need it"),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Refused,
    Open,
    Either,
}

/// Tries everything in the fence that attempts get here.
///
/// # Errors
/// Nothing could be tried.
pub async fn examine(confinement: &Confinement) -> Result<Findings, ProbeError> {
    let folder = tempfile::Builder::new().prefix("git-crew-probe-").tempdir()?;
    let top = folder.path().canonicalize()?;
    let at = |name: &str| top.join(name);
    fs::create_dir_all(at("repository/hooks"))?;
    for file in ["file", "config", "lock"] {
        fs::write(at("repository").join(file), "x\n")?;
    }
    fs::create_dir(at("slot"))?;
    fs::write(at("secret"), "x\n")?;
    let name = at("name").display().to_string();
    let address = SocketAddr::from_abstract_name(&name)?;
    let listening = (UnixListener::bind_addr(&address)?, UnixListener::bind(at("socket"))?);
    let tcp = TcpListener::bind(("127.0.0.1", 0))?;
    let targets = Targets {
        repository: at("repository"),
        slot: at("slot"),
        pid: i32::try_from(std::process::id()).unwrap_or_default(),
        name,
        socket: at("socket"),
        port: tcp.local_addr()?.port(),
        secret: at("secret"),
    };
    let tried = run(confinement, &targets).await?;
    drop((listening, tcp));
    let open = sockets(std::slice::from_ref(&top));
    Ok(Findings {
        grade: confinement.verdict(),
        lack: confinement.lack(),
        rows: tried.into_iter().map(row).collect(),
        sockets_total: open.len(),
        sockets: open.into_iter().take(NAMED).collect(),
    })
}

async fn run(confinement: &Confinement, targets: &Targets) -> Result<Vec<Tried>, ProbeError> {
    let spec = Spec {
        program: "/proc/self/exe".into(),
        args: vec![PROBE.into()],
        cwd: targets.slot.clone(),
        env: Vec::new(),
        stdin: Stdin::Bytes(serde_json::to_vec(targets).map_err(std::io::Error::from)?),
        limits: Limits { wall: Some(Duration::from_secs(20)), idle: None, grace: Duration::ZERO },
        output: OutputSpec { live: None, head: KEPT, tail: KEPT },
        fence: Some(confinement.probing(targets)),
    };
    let (_ask, stop) = watch::channel(StopRequest::None);
    let report = Supervisor::default().run(spec, stop).await?;
    let said = report.stdout.text();
    let tried: Vec<Tried> =
        said.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    if report.end == End::Exited(0) && tried.len() == ATTEMPTS.len() {
        return Ok(tried);
    }
    let end = format!("{:?} {}", report.end, report.stderr.text().trim());
    Err(ProbeError::NoAnswer(end))
}

fn row(tried: Tried) -> Row {
    let known = TABLE.iter().find(|(name, ..)| *name == tried.name);
    let (_, what, wanted, note) = *known.unwrap_or(&("", "", Wanted::Either, ""));
    let weight = match (wanted, tried.through) {
        (Wanted::Refused, true) | (Wanted::Open, false) => Weight::Wrong,
        (Wanted::Either, true) => Weight::Note,
        (Wanted::Refused | Wanted::Either, false) | (Wanted::Open, true) => Weight::Good,
    };
    let note = if weight == Weight::Note { note } else { "" };
    Row { name: tried.name, through: tried.through, weight, what, note }
}
