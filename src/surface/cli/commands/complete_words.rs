//! `git crew __complete`: what completion scripts ask. Not for people.

use std::ffi::OsString;

use crate::surface::cli::commands::catalogue;
use crate::surface::cli::complete::{self, Topic};
use crate::surface::cli::ctx::Ctx;
use crate::surface::exit::Exit;
use crate::surface::fault::Fault;

/// Prints what could come next, one candidate a line: the word, a tab, what it is
#[derive(clap::Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct Args {
    /// The words after `git crew`; the last is the one being typed
    #[arg(last = true)]
    pub words: Vec<OsString>,
}

/// Prints the candidates. Where there is no repository, those that need none:
/// a completion that fails would write over the user's prompt.
///
/// # Errors
/// Only when nobody reads it.
pub fn run(ctx: &mut Ctx<'_>, args: &Args) -> Result<Exit, Fault> {
    let ask = |topic| {
        let here = || ctx.reads().ok();
        match topic {
            Topic::Runs => here().map(complete::runs),
            Topic::Tasks => here().map(|reads| complete::tasks(reads, &args.words)),
            Topic::Files(kind) => catalogue::names(ctx, kind).ok(),
            Topic::Programs => catalogue::programs(ctx).ok(),
        }
        .unwrap_or_default()
    };
    let found = complete::candidates(&args.words, &ask);
    let mut lines = String::new();
    for candidate in found {
        lines.push_str(&candidate.word);
        if let Some(what) = candidate.what {
            lines.push('\t');
            lines.push_str(&what);
        }
        lines.push('\n');
    }
    ctx.out.own(lines.as_bytes()).map(|()| Exit::Ok)
}
