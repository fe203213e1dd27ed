//! `git crew prune`: frees the disk of what nobody needs any more.

use std::time::Duration;

use serde::Serialize;

use crate::engine::prune::{Item, Wish, prune};
use crate::surface::cli::args::span_ms;
use crate::surface::cli::attended;
use crate::surface::cli::ctx::Ctx;
use crate::surface::exit::Exit;
use crate::surface::fault::Fault;
use crate::view::text::{Label, Line, Text};
use crate::view::words::size;

/// Frees the disk of what nobody needs any more
///
/// Worktrees that wait for tasks, worktrees and checkouts of attempts that are
/// over, live output, damaged objects that were moved away. Nothing goes whose
/// work is in no commit that a ref keeps; that is listed, with the reason.
#[derive(clap::Args, Clone, Debug, PartialEq, Eq)]
#[command(after_long_help = "Examples:
  git crew prune --dry-run
  git crew prune --older-than 1h
  git crew prune --json | jq '[.data.items[] | select(.removed).bytes] | add'")]
pub struct Args {
    /// Only say what would go
    #[arg(long)]
    pub dry_run: bool,

    /// How old damaged objects and the output of unknown runs must be to go
    #[arg(long = "older-than", value_name = "TIME", value_parser = span_ms, default_value = "30d")]
    pub older_than: u64,
}

/// One thing, for programs.
#[derive(Debug, Serialize)]
struct Told {
    kind: &'static str,
    path: String,
    bytes: u64,
    removed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

/// All of it, for programs.
#[derive(Debug, Serialize)]
struct Report {
    dry_run: bool,
    bytes: u64,
    items: Vec<Told>,
}

/// Removes it and says what and how much.
///
/// # Errors
/// No repository, or one that can't be read.
pub fn run(ctx: &mut Ctx<'_>, args: &Args) -> Result<Exit, Fault> {
    let wish = Wish { dry: args.dry_run, older: Duration::from_millis(args.older_than) };
    let items = prune(&attended::place(ctx)?, wish)?;
    let bytes = items.iter().filter(|item| item.stays.is_none()).map(|item| item.bytes).sum();
    if ctx.global.json {
        let items = items.into_iter().map(|item| told(item, args.dry_run)).collect();
        let report = Report { dry_run: args.dry_run, bytes, items };
        return ctx.out.json("prune", report).map(|()| Exit::Ok);
    }
    let mut text = Text::new();
    let done = if args.dry_run { "would remove" } else { "removed" };
    for item in &items {
        let (label, what) = match &item.stays {
            None => (Label::Plain, done),
            Some(_) => (Label::Warn, "stays"),
        };
        let mut line = Line::new().with(label, what);
        line.pad(14);
        line.push(Label::Strong, item.kind.word());
        line.pad(26);
        line.push(Label::Plain, &size(item.bytes));
        line.pad(38);
        line.push(Label::Plain, &item.path.display().to_string());
        if let Some(why) = &item.stays {
            line.push(Label::Dim, &format!(": {why}"));
        }
        text.push(line);
    }
    let gone = items.iter().filter(|item| item.stays.is_none()).count();
    let things = if gone == 1 { "thing" } else { "things" };
    text.push(Line::new().with(Label::Strong, &format!("{done} {gone} {things}, {}", size(bytes))));
    ctx.out.text(&text).map(|()| Exit::Ok)
}

fn told(item: Item, dry: bool) -> Told {
    Told {
        kind: item.kind.word(),
        path: item.path.to_string_lossy().into_owned(),
        bytes: item.bytes,
        removed: item.stays.is_none() && !dry,
        why: item.stays,
    }
}
