//! What a command gets: where answers go, what it may read and what it may do
//! to the world. No more, so that a command's test needs no repository.

use std::cell::OnceCell;
use std::ffi::OsString;
use std::path::PathBuf;

use crate::domain::attempt::Attempt;
use crate::domain::event::Event;
use crate::domain::id::{RunId, TaskId};
use crate::domain::lease::Life;
use crate::domain::run::Run;
use crate::domain::time::Timestamp;
use crate::surface::exit::Exit;
use crate::surface::fault::Fault;
use crate::surface::out::Out;
use crate::view::list::RunRow;
use crate::view::run::Seen;

use super::args::Global;
use super::environment::Environment;
use super::pick;

/// A piece of an attempt's output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Piece {
    /// The bytes from the offset asked for, as the agent printed them.
    pub bytes: Vec<u8>,
    /// The offset to ask for next.
    pub next: u64,
    /// More may come.
    pub open: bool,
}

/// What a repository tells of its runs. Everything is a snapshot; nothing here
/// writes.
pub trait Reads {
    /// Every run, the newest first, from the tips of their chains: ids, statuses
    /// and times. A run that can't be read is a row that says so.
    ///
    /// # Errors
    /// When the repository itself can't be read.
    fn runs(&self) -> Result<Vec<RunRow>, Fault>;

    /// Adds to rows what only a run's state says (its goal, its tasks, whether
    /// it is verified, its holder); asked for the rows that are shown.
    fn detail(&self, rows: &mut [RunRow]);

    /// The run whose id begins with `prefix`, or the newest.
    ///
    /// # Errors
    /// [`Exit::NotFound`] when none or more than one fits.
    fn find(&self, prefix: Option<&str>) -> Result<RunId, Fault> {
        let rows = self.runs()?;
        pick::run(&rows, prefix).map_err(|fault| {
            // A task without its run is the likeliest mistake.
            let newest = rows.first().and_then(|row| self.run(&row.id).ok());
            let word = prefix.unwrap_or_default();
            match newest.filter(|run| run.tasks.iter().any(|task| task.id.as_str() == word)) {
                Some(run) => fault.hint(format!("a task comes after its run: {} {word}", run.id)),
                None => fault,
            }
        })
    }

    /// The state of a run.
    ///
    /// # Errors
    /// No such run, or one that can't be read.
    fn run(&self, id: &RunId) -> Result<Run, Fault>;

    /// The events of a run, oldest first; of a long chain only the newest `most`.
    /// With a damaged chain the intact part, and the damage named.
    ///
    /// # Errors
    /// No such run, or nothing of it can be read.
    fn events(&self, id: &RunId, most: Option<usize>)
    -> Result<(Vec<Event>, Option<Fault>), Fault>;

    /// A file of the run's tree (`plan.json`, `tasks/<task>/packet.md`); `None`
    /// when it is not there.
    ///
    /// # Errors
    /// When the tree can't be read.
    fn file(&self, id: &RunId, path: &str) -> Result<Option<Vec<u8>>, Fault>;

    /// What an attempt printed, from byte `from` on: the live file while it
    /// runs, then what was kept. `None` when nothing was kept.
    ///
    /// # Errors
    /// When it can't be read.
    fn output(
        &self,
        id: &RunId,
        task: &TaskId,
        attempt: u32,
        from: u64,
    ) -> Result<Option<Piece>, Fault>;

    /// Whether the holder of this run lives, as far as this machine can tell.
    fn life(&self, run: &Run) -> Life;

    /// The working tree of an attempt, while it is there.
    ///
    /// # Errors
    /// When the folder of working trees can't be told.
    fn slot(&self, attempt: &Attempt) -> Result<Option<PathBuf>, Fault>;
}

/// What a command may do outside the store.
pub trait Host {
    /// The clock, for people.
    fn now(&self) -> Timestamp;

    /// Lets time pass, in milliseconds, or until the person interrupts.
    ///
    /// # Errors
    /// [`Exit::Interrupted`] after Ctrl-C.
    fn pause(&self, ms: u64) -> Result<(), Fault>;

    /// Runs `git` with these arguments in the user's repository, on the user's
    /// terminal and with the user's pager; gives its exit code.
    ///
    /// # Errors
    /// When git can't be started or was killed.
    fn git(&self, args: &[OsString]) -> Result<i32, Fault>;

    /// Asks the person at the terminal a question of yes or no, no if nothing is
    /// said; `None` where nobody is there.
    ///
    /// # Errors
    /// The terminal can't be read or written.
    fn confirm(&self, question: &str) -> Result<Option<bool>, Fault>;

    /// The folders in which `man` looks, separated by colons; `None` when nobody
    /// says.
    fn man_path(&self) -> Option<String>;

    /// Writes a file whole or not at all, and the folders above it.
    ///
    /// # Errors
    /// When the file system says no.
    fn write(&self, path: &std::path::Path, bytes: &[u8]) -> Result<(), Fault>;

    /// Opens the repository that `-C` or the working folder names.
    ///
    /// # Errors
    /// [`Exit::Repository`] when there is none, or one that can't be used.
    fn open(&self) -> Result<Box<dyn Reads>, Fault>;
}

/// What a command gets.
pub struct Ctx<'a> {
    /// Where answers and stories go.
    pub out: Out,
    /// The options of every command.
    pub global: Global,
    /// The environment.
    pub env: Environment,
    /// The world.
    pub host: &'a dyn Host,
    opened: OnceCell<Box<dyn Reads>>,
}

impl<'a> Ctx<'a> {
    /// Gathers what a command gets.
    #[must_use]
    pub fn new(out: Out, global: Global, env: Environment, host: &'a dyn Host) -> Self {
        Self { out, global, env, host, opened: OnceCell::new() }
    }

    /// The repository, opened at the first use.
    ///
    /// # Errors
    /// As [`Host::open`].
    pub fn reads(&self) -> Result<&dyn Reads, Fault> {
        if let Some(reads) = self.opened.get() {
            return Ok(reads.as_ref());
        }
        let reads = self.host.open()?;
        Ok(self.opened.get_or_init(|| reads).as_ref())
    }

    /// The run that the user named, or the newest.
    ///
    /// # Errors
    /// As [`Reads::find`] and [`Reads::run`].
    pub fn run(&self, prefix: Option<&str>) -> Result<Run, Fault> {
        let reads = self.reads()?;
        reads.run(&reads.find(prefix)?)
    }

    /// What this observer adds to a run.
    ///
    /// # Errors
    /// As [`Host::open`].
    pub fn seen(&self, run: &Run) -> Result<Seen, Fault> {
        Ok(Seen { now: self.host.now(), life: self.reads()?.life(run) })
    }

    /// Runs git on the user's terminal and hands on its answer: 0 and 1 as they
    /// are, anything else is a failure of git.
    ///
    /// # Errors
    /// As [`Host::git`].
    pub fn git(&self, args: &[&str]) -> Result<Exit, Fault> {
        let args: Vec<OsString> = args.iter().map(OsString::from).collect();
        match self.host.git(&args)? {
            0 => Ok(Exit::Ok),
            1 => Ok(Exit::Failed),
            141 => Err(Fault::closed()),
            code => Err(Fault::new(Exit::Internal, format!("git exited with code {code}"))),
        }
    }
}
