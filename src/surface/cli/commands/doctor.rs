//! `git crew doctor`: whether this machine and this repository can run crews.

use serde::Serialize;

use crate::engine::doctor::{self, Finding, Weight};
use crate::surface::cli::attended;
use crate::surface::cli::ctx::Ctx;
use crate::surface::exit::Exit;
use crate::surface::fault::Fault;
use crate::view::text::{Label, Line, Text};
use crate::world::files;

/// Looks for what would keep a run from working, each with cause and remedy
///
/// Checks git, the repository (ref storage, refspecs that cover refs/crew,
/// leftover locks, damaged or abandoned runs), the folder of working trees, the
/// agents and the manual page. Exits with 1 when something has to be done.
/// Changes nothing.
#[derive(clap::Args, Clone, Debug, Default, PartialEq, Eq)]
#[command(after_long_help = "Examples:
  git crew doctor
  git crew doctor --json | jq -r '.data.findings[] | select(.weight == \"wrong\").remedy'")]
pub struct Args {}

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

/// Prints every finding, the answer first by its exit code.
///
/// # Errors
/// The answer can't be written. A repository that can't be used is a finding.
pub fn run(ctx: &mut Ctx<'_>, _: &Args) -> Result<Exit, Fault> {
    let mut findings = match attended::place(ctx) {
        Ok(place) => doctor::examine(&place),
        Err(fault) => {
            let cause = [vec![fault.error], fault.causes].concat().join(": ");
            let remedy = fault.hints.join("; ");
            vec![Finding::wrong("repository", cause, remedy), doctor::machine()]
        }
    };
    findings.push(manual(ctx));
    let well = findings.iter().all(|one| one.weight != Weight::Wrong);
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
