//! The command line. [`main`] parses, gathers the context, dispatches, and is
//! the only place that turns a [`Fault`] into an exit code.
//!
//! To add a command: `commands/<name>.rs` with `Args` (its doc comments are the
//! help) and `run`, one line in [`Command`] and one arm in `dispatch`; then
//! write the reference anew with `CREW_BLESS=1 cargo test --test it surface::`.

pub mod args;
pub mod attended;
pub mod background;
pub mod commands;
pub mod complete;
pub mod ctx;
pub mod environment;
pub mod host;
pub mod manual;
pub mod pick;
pub mod repository;
pub mod trace;
pub mod trusting;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::{ContextKind, ErrorKind};
use clap::{CommandFactory, Parser, Subcommand};

use self::args::{ColorChoice, Global};
use self::commands::{
    cancel, catalogue, complete_words, completions, demo, diff, doctor, help, init, log, man, path,
    prune, resume, retry, run, show, status, trust, wait,
};
use self::ctx::Ctx;
use self::environment::Environment;
use crate::domain::plan::Kind;
use crate::store::failpoint;
use crate::surface::bug;
use crate::surface::exit::Exit;
use crate::surface::fault::Fault;
use crate::surface::out::Out;
use crate::view::text::{Label, Line};

/// What ends the root help: the shortest useful way in.
const QUICK_START: &str = "\
Quick start:
  git crew run \"fix the typo in README\"   a crew works on it, in worktrees of its own
  git crew status                         all runs; `git crew show` is one of them
  git crew diff                           what the newest run changed
  git merge refs/crew/results/<RUN>       take it

Plain git reads it too: git log refs/crew";

/// Runs a crew of coding agents on a git repository
#[derive(Parser, Debug)]
#[command(
    name = "git-crew",
    bin_name = "git crew",
    version,
    disable_help_subcommand = true,
    subcommand_required = true,
    arg_required_else_help = true,
    subcommand_value_name = "COMMAND",
    after_help = QUICK_START,
    max_term_width = 100
)]
pub struct Cli {
    /// The options of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Every command, in the order of the help.
#[derive(Subcommand, Debug)]
#[expect(missing_docs, reason = "a doc comment here would replace the help in the command's file")]
pub enum Command {
    Init(init::Args),
    Run(run::Args),
    Status(status::Args),
    Show(show::Args),
    Log(log::Args),
    Diff(diff::Args),
    Path(path::Args),
    Wait(wait::Args),
    Cancel(cancel::Args),
    Resume(resume::Args),
    Retry(retry::Args),
    #[command(about = "The teams there are, one in full, or whether a file is right")]
    Teams(catalogue::Args),
    #[command(about = "The workflows there are, one in full, or whether a file is right")]
    Workflows(catalogue::Args),
    #[command(about = "The agents there are and the programs that play them")]
    Agents(catalogue::Args),
    Trust(trust::Args),
    Prune(prune::Args),
    Doctor(doctor::Args),
    Demo(demo::Args),
    Help(help::Args),
    Man(man::Args),
    Completions(completions::Args),
    #[command(name = "__complete", hide = true)]
    Complete(complete_words::Args),
}

impl Command {
    /// Whether `--json` changes its answer; where it would not, it is refused.
    fn answers_json(&self) -> bool {
        match self {
            Self::Run(_)
            | Self::Status(_)
            | Self::Show(_)
            | Self::Log(_)
            | Self::Diff(_)
            | Self::Wait(_)
            | Self::Cancel(_)
            | Self::Resume(_)
            | Self::Retry(_)
            | Self::Init(_)
            | Self::Teams(_)
            | Self::Workflows(_)
            | Self::Agents(_)
            | Self::Trust(_)
            | Self::Prune(_)
            | Self::Doctor(_)
            | Self::Path(_) => true,
            Self::Demo(_)
            | Self::Help(_)
            | Self::Man(_)
            | Self::Completions(_)
            | Self::Complete(_) => false,
        }
    }
}

/// The whole command line as clap knows it, names and globals filled in.
#[must_use]
pub fn command() -> clap::Command {
    let mut command = Cli::command();
    command.build();
    command
}

/// Runs the program on these words (the first is its own name).
#[must_use]
pub fn main(words: impl IntoIterator<Item = OsString>) -> ExitCode {
    let env = Environment::read();
    match Cli::try_parse_from(words) {
        Ok(cli) => {
            trace::start(cli.global.verbose, env.log.as_deref());
            let host = host::System::new(&cli.global);
            let out = Out::process(cli.global.color, &env);
            let mut ctx = Ctx::new(out, cli.global, env, &host);
            bug::watch();
            bug::guarded(&mut ctx, |ctx| perform(ctx, &cli.command)).into()
        }
        Err(error) => told(&mut Out::process(ColorChoice::Auto, &env), &error).into(),
    }
}

/// Does what was asked for and tells the person if it failed.
pub fn perform(ctx: &mut Ctx<'_>, command: &Command) -> Exit {
    let done = if ctx.global.json && !command.answers_json() {
        Err(Fault::new(Exit::Usage, "this command has no answer in JSON").hint("leave out --json"))
    } else {
        dispatch(ctx, command)
    };
    match done {
        Ok(exit) => exit,
        // Nobody is left to be told.
        Err(fault) if fault.exit == Exit::Closed => fault.exit,
        Err(fault) => {
            ctx.out.fault(&fault);
            fault.exit
        }
    }
}

fn dispatch(ctx: &mut Ctx<'_>, command: &Command) -> Result<Exit, Fault> {
    failpoint::hit("command.begun")?;
    match command {
        Command::Run(args) => run::run(ctx, args),
        Command::Wait(args) => wait::run(ctx, args),
        Command::Cancel(args) => cancel::run(ctx, args),
        Command::Resume(args) => resume::run(ctx, args),
        Command::Retry(args) => retry::run(ctx, args),
        Command::Demo(args) => demo::run(ctx, args),
        Command::Status(args) => status::run(ctx, args),
        Command::Show(args) => show::run(ctx, args),
        Command::Log(args) => log::run(ctx, args),
        Command::Diff(args) => diff::run(ctx, args),
        Command::Path(args) => path::run(ctx, args),
        Command::Init(args) => init::run(ctx, args),
        Command::Teams(args) => catalogue::run(ctx, Kind::Team, args),
        Command::Workflows(args) => catalogue::run(ctx, Kind::Workflow, args),
        Command::Agents(args) => catalogue::run(ctx, Kind::Agent, args),
        Command::Trust(args) => trust::run(ctx, args),
        Command::Prune(args) => prune::run(ctx, args),
        Command::Doctor(args) => doctor::run(ctx, args),
        Command::Help(args) => help::run(ctx, args),
        Command::Man(args) => man::run(ctx, args),
        Command::Completions(args) => completions::run(ctx, args),
        Command::Complete(args) => complete_words::run(ctx, args),
    }
}

/// Hands on what clap has to say: help is an answer, anything else a fault.
pub fn told(out: &mut Out, error: &clap::Error) -> Exit {
    let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    match out.clap(&error.render(), asked) {
        Ok(()) if asked => Exit::Ok,
        Ok(()) => {
            if let Some(hint) = likely(error) {
                let line = Line::new().with(Label::Hint, "hint: ").with(Label::Plain, hint);
                out.story(&line);
            }
            Exit::Usage
        }
        Err(fault) => fault.exit,
    }
}

/// What was probably meant by words that clap can't place.
fn likely(error: &clap::Error) -> Option<&'static str> {
    let text = |kind| error.get(kind).map(ToString::to_string).unwrap_or_default();
    let usage = text(ContextKind::Usage);
    let of = |command: &str| usage.contains(&format!("git crew {command} "));
    let goal = "a goal is one argument, in quotes: git crew run \"fix the typo in README\"";
    match error.kind() {
        ErrorKind::UnknownArgument if text(ContextKind::InvalidArg).starts_with('-') => None,
        ErrorKind::UnknownArgument if of("status") => Some("one run in full: git crew show RUN"),
        ErrorKind::UnknownArgument | ErrorKind::MissingRequiredArgument if of("run") => Some(goal),
        ErrorKind::MissingRequiredArgument if usage.contains("<TASK>") => {
            Some("a run and its tasks: git crew show")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
