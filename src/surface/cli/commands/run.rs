//! `git crew run`: the main job.

use std::time::Duration;

use crate::engine::place::Place;
use crate::engine::session::{self, Prepared, Wish};
use crate::surface::cli::args::span_ms;
use crate::surface::cli::attended;
use crate::surface::cli::background;
use crate::surface::cli::commands::init;
use crate::surface::cli::ctx::Ctx;
use crate::surface::cli::trusting;
use crate::surface::exit::Exit;
use crate::surface::fault::Fault;
use crate::view::text::{Label, Line, Text};

/// Runs a crew on a goal
///
/// Takes the goal through a workflow: each task in a worktree of its own, in
/// parallel where the graph allows, results checked and merged into one commit
/// that refs/crew/results/<RUN> names. Your checkout is not touched.
///
/// Exits with 0 only when the run completed; `git crew help` lists the codes in
/// the manual. Ctrl-C once stops it and keeps the work (`git crew resume` goes
/// on); twice kills at once.
#[derive(clap::Args, Clone, Debug, PartialEq, Eq)]
#[command(after_long_help = "Examples:
  git crew run \"fix the typo in README\"
  git crew run --workflow review --from v1.2 \"what broke the parser?\"
  git crew run --agent codex -j 4 --max-time 30m \"port the tests to pytest\"
  git crew run --dry-run \"fix it\"     the graph, the agents and the checks; writes nothing")]
pub struct Args {
    /// What you want, in a sentence or a page
    #[arg(value_name = "GOAL")]
    pub goal: String,

    /// The team that works on it [default: crew.team, else the only sensible one]
    #[arg(long, value_name = "TEAM")]
    pub team: Option<String>,

    /// The workflow it follows [default: the team's]
    #[arg(long, value_name = "WORKFLOW")]
    pub workflow: Option<String>,

    /// Let this agent play every role
    #[arg(long, value_name = "AGENT")]
    pub agent: Option<String>,

    /// Start from this commit
    #[arg(long, value_name = "REV", default_value = "HEAD")]
    pub from: String,

    /// At most N tasks at a time [default: the workflow's, else the team's, else 4]
    #[arg(short = 'j', long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    pub jobs: Option<u32>,

    /// Stop the run after this long, keeping its work: 90s, 30m, 2h
    #[arg(long = "max-time", value_name = "TIME", value_parser = span_ms)]
    pub max_time_ms: Option<u64>,

    /// Show the graph, the agents and the checks; write nothing
    #[arg(long, conflicts_with = "detach")]
    pub dry_run: bool,

    /// Go on in the background; returns when the run's first events are written
    #[arg(long)]
    pub detach: bool,
}

/// Starts the run and attends it, or lets it go into the background.
///
/// # Errors
/// Whatever keeps it from beginning; nothing was written then.
pub fn run(ctx: &mut Ctx<'_>, args: &Args) -> Result<Exit, Fault> {
    if args.detach {
        return background::start(ctx);
    }
    let place = attended::place(ctx)?;
    let prepared = session::prepare(&place, &wish(args))?;
    if args.dry_run {
        trusting::warn(ctx, &place, &prepared.base, &prepared.plan)?;
        return dry_run(ctx, &prepared);
    }
    trusting::settle(ctx, &place, &prepared.base, &prepared.plan)?;
    let fresh = session::is_fresh(&place)?;
    let held = session::begin(&place, &prepared)?;
    if fresh {
        ctx.out.story(&init::fresh(&place));
    }
    announce(ctx, &place, &prepared, held.ledger.id().as_str());
    background::confirm(held.ledger.id());
    attended::work(ctx, &place, held)
}

fn wish(args: &Args) -> Wish {
    Wish {
        goal: args.goal.clone(),
        team: args.team.clone(),
        workflow: args.workflow.clone(),
        agent: args.agent.clone(),
        from: Some(args.from.clone()),
        jobs: args.jobs,
        max_time: args.max_time_ms.map(Duration::from_millis),
    }
}

/// Which run it is, what it follows and where that came from.
fn announce(ctx: &mut Ctx<'_>, _place: &Place, prepared: &Prepared, id: &str) {
    let line = Line::new().with(Label::Strong, "run ").with(Label::Id, id);
    ctx.out.story(&line);
    for line in notes(prepared) {
        ctx.out.story(&line);
    }
}

fn notes(prepared: &Prepared) -> Vec<Line> {
    let sources: Vec<String> = prepared.plan.sources.iter().map(ToString::to_string).collect();
    let mut lines = vec![Line::new().with(Label::Dim, &sources.join(", "))];
    for (used, hidden) in &prepared.shadowed {
        let text = format!("{used} hides {hidden}");
        lines.push(Line::new().with(Label::Warn, "warning: ").with(Label::Plain, &text));
    }
    for warning in &prepared.warnings {
        let text = warning.to_string();
        lines.push(Line::new().with(Label::Warn, "warning: ").with(Label::Plain, &text));
    }
    lines
}

fn dry_run(ctx: &mut Ctx<'_>, prepared: &Prepared) -> Result<Exit, Fault> {
    if ctx.global.json {
        return ctx.out.json("plan", &prepared.plan).map(|()| Exit::Ok);
    }
    for line in notes(prepared) {
        ctx.out.story(&line);
    }
    let tree =
        prepared.plan.tree().map_err(|error| Fault::new(Exit::Internal, error.to_string()))?;
    let mut text = Text::new();
    for line in tree.lines() {
        text.push(Line::plain(line));
    }
    if prepared.plan.tasks.len() > 1 {
        text.push(Line::new().with(Label::Dim, "* on the longest way to the end"));
    }
    for task in &prepared.plan.tasks {
        for check in task.step_checks() {
            let line = format!("{}: check: {check}", task.id);
            text.push(Line::plain(&line));
        }
    }
    ctx.out.text(&text).map(|()| Exit::Ok)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn parse(words: &[&str]) -> Option<Args> {
        let words = std::iter::once(&"run").chain(words);
        Line::try_parse_from(words).ok().map(|line| line.args)
    }

    #[test]
    fn the_short_way_and_the_long_one() {
        let short = parse(&["fix it"]).expect("a goal is enough");
        assert_eq!((short.from.as_str(), short.jobs, short.detach), ("HEAD", None, false));
        let long = parse(&[
            "--team",
            "t",
            "--workflow",
            "w",
            "--agent",
            "sh",
            "--from",
            "v1",
            "-j",
            "4",
            "--max-time",
            "30m",
            "--detach",
            "fix it",
        ])
        .expect("every flag of the manual");
        assert_eq!((long.jobs, long.max_time_ms), (Some(4), Some(1_800_000)));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for bad in [
            &[][..],
            &["-j", "0", "x"],
            &["--max-time", "soon", "x"],
            &["--dry-run", "--detach", "x"],
            &["fix", "it"],
        ] {
            assert!(parse(bad).is_none(), "{bad:?}");
        }
    }
}
