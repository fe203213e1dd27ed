//! `git crew doctor`: whether this machine and this repository can run crews.

use serde::Serialize;

use crate::domain::words::plural;
use crate::engine::confinement::Confinement;
use crate::engine::doctor::{self, Finding, Weight};
use crate::engine::sandbox::{self, Findings};
use crate::surface::cli::attended;
use crate::surface::cli::ctx::Ctx;
use crate::surface::exit::Exit;
use crate::surface::fault::Fault;
use crate::view::text::{Label, Line, Text, table};
use crate::world::files;

/// Looks for what would keep a run from working, each with cause and remedy
///
/// Checks git, the repository (ref storage, refspecs that cover refs/crew,
/// leftover locks, damaged or abandoned runs), the folder of working trees, the
/// agents and the manual page. Exits with the weight of the heaviest finding: 1
/// when something has to be done, 0 for notes and for what is good. Changes
/// nothing.
#[derive(clap::Args, Clone, Debug, Default, PartialEq, Eq)]
#[command(after_long_help = "Examples:
  git crew doctor
  git crew doctor --sandbox          what a fenced agent can and can't do on this machine
  git crew doctor --json | jq -r '.data.findings[] | select(.weight == \"wrong\").remedy'")]
pub struct Args {
    /// Try out what keeps agents in here, and print what was refused
    #[arg(long)]
    pub sandbox: bool,
}

/// One finding, for programs.
#[derive(Debug, Serialize)]
struct Told<'a> {
    check: &'static str,
    weight: &'static str,
    cause: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<&'a str>,
}

impl<'a> Told<'a> {
    fn new(one: &'a Finding) -> Self {
        let Finding { check, weight, cause, remedy } = one;
        Self { check, weight: weight.word(), cause, remedy: remedy.as_deref() }
    }
}

/// All of them, for programs.
#[derive(Debug, Serialize)]
struct Report<'a> {
    well: bool,
    findings: Vec<Told<'a>>,
}

/// One attempt to get out, for programs.
#[derive(Debug, Serialize)]
struct Attempted<'a> {
    name: &'a str,
    what: &'a str,
    refused: bool,
    weight: &'static str,
}

/// What was tried, for programs.
#[derive(Debug, Serialize)]
struct Tried<'a> {
    grade: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    lack: Option<&'a str>,
    attempts: Vec<Attempted<'a>>,
    sockets: Vec<String>,
    sockets_total: usize,
}

impl<'a> Tried<'a> {
    fn new(found: &'a Findings) -> Self {
        let attempts = found.rows.iter().map(|row| Attempted {
            name: &row.name,
            what: row.what,
            refused: !row.through,
            weight: row.weight.word(),
        });
        Self {
            grade: &found.grade,
            lack: found.lack.as_deref(),
            attempts: attempts.collect(),
            sockets: found.sockets.iter().map(|path| path.display().to_string()).collect(),
            sockets_total: found.sockets_total,
        }
    }
}

/// Prints every finding, the answer first by its exit code.
///
/// # Errors
/// The answer can't be written. A repository that can't be used is a finding.
pub fn run(ctx: &mut Ctx<'_>, args: &Args) -> Result<Exit, Fault> {
    if args.sandbox {
        return sandbox(ctx);
    }
    let mut findings = match attended::place(ctx) {
        Ok(place) => doctor::examine(&place),
        Err(fault) => {
            let cause = [vec![fault.error], fault.causes].concat().join(": ");
            let remedy = fault.hints.join("; ");
            vec![Finding::wrong("repository", cause, remedy), doctor::machine()]
        }
    };
    findings.push(manual(ctx));
    let heaviest = findings.iter().map(|one| one.weight).max().unwrap_or(Weight::Good);
    let well = heaviest < Weight::Wrong;
    let exit = if well { Exit::Ok } else { Exit::Failed };
    if ctx.global.json {
        let findings = findings.iter().map(Told::new).collect();
        return ctx.out.json("doctor", Report { well, findings }).map(|()| exit);
    }
    let mut text = Text::new();
    for one in &findings {
        let label = match one.weight {
            Weight::Good => Label::Good,
            Weight::Note => Label::Warn,
            Weight::Wrong => Label::Bad,
        };
        let mut line = Line::new().with(label, one.weight.word());
        line.pad(7);
        line.push(Label::Strong, one.check);
        line.push(Label::Plain, &format!(": {}", one.cause));
        text.push(line);
        if let Some(remedy) = one.remedy.as_ref().filter(|remedy| !remedy.is_empty()) {
            text.push(Line::plain("       ").with(Label::Hint, "do: ").with(Label::Plain, remedy));
        }
    }
    ctx.out.text(&text).map(|()| exit)
}

/// Tries the fence and prints what came of it, the grade first.
fn sandbox(ctx: &mut Ctx<'_>) -> Result<Exit, Fault> {
    let place = attended::place(ctx)?;
    let confinement = Confinement::read(&place)?;
    let found = attended::runtime()?
        .block_on(sandbox::examine(&confinement))
        .map_err(|error| Fault::new(Exit::Internal, error.to_string()))?;
    let well = found.rows.iter().all(|row| row.weight != Weight::Wrong);
    let exit = if well { Exit::Ok } else { Exit::Failed };
    if ctx.global.json {
        return ctx.out.json("sandbox", Tried::new(&found)).map(|()| exit);
    }
    let mut text = Text::new();
    let label = if well { Label::Good } else { Label::Bad };
    let mut line = Line::new().with(Label::Strong, "agents are ").with(label, &found.grade);
    if let Some(lack) = &found.lack {
        line.push(Label::Plain, &format!(": {lack}"));
    }
    text.push(line);
    text.gap();
    let rows = found.rows.iter().map(|row| {
        let (label, word) = match (row.weight, row.through) {
            (Weight::Good, false) => (Label::Good, "refused"),
            (Weight::Good, true) => (Label::Good, "open"),
            (Weight::Note, _) => (Label::Warn, "open"),
            (Weight::Wrong, true) => (Label::Bad, "open"),
            (Weight::Wrong, false) => (Label::Bad, "refused"),
        };
        vec![Line::plain(row.what), Line::new().with(label, word), Line::plain(row.note)]
    });
    text.append(table(rows.collect()));
    if found.sockets_total > 0 {
        text.gap();
        let words = format!(
            "{} that a program here can reach:",
            plural(found.sockets_total as u64, "socket")
        );
        text.push(Line::plain(&words));
        for socket in &found.sockets {
            text.push(Line::plain(&format!("  {}", socket.display())));
        }
    }
    ctx.out.text(&text).map(|()| exit)
}

fn manual(ctx: &Ctx<'_>) -> Finding {
    let own = ctx.env.data_home.iter().map(|data| data.join("man").display().to_string());
    let path = ctx.host.man_path().unwrap_or_default();
    let looked = path.trim().split(':').filter(|folder| !folder.is_empty()).map(str::to_owned);
    let has = |folder: String| {
        let pages = files::names(&std::path::Path::new(&folder).join("man1"));
        pages.iter().any(|page| page.starts_with("git-crew.1"))
    };
    if own.chain(looked).any(has) {
        return Finding::good("manual", "git crew --help finds its page");
    }
    Finding::note("manual", "'git crew --help' has no page to show", "git crew man --install")
}
