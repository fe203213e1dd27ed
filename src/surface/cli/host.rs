//! The world as the real program has it. Every command that reads or writes
//! something outside its arguments goes through here, so that a test can give it
//! another one.

use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::args::Global;
use super::ctx::{Host, Reads};
use crate::domain::time::Timestamp;
use crate::surface::exit::Exit;
use crate::surface::fault::Fault;
use crate::world::clock::{Clock, SystemClock};
use crate::world::environment::Incoming;
use crate::world::files;
use crate::world::process;

use super::repository::Repository;

/// How long `man` may think about where it looks.
const MAN_DEADLINE: Duration = Duration::from_secs(2);

/// This machine.
#[derive(Clone, Debug)]
pub struct System {
    dir: PathBuf,
}

impl System {
    /// The machine as seen from the folder that `-C` names.
    #[must_use]
    pub fn new(global: &Global) -> Self {
        Self { dir: global.dir.clone().unwrap_or_else(|| PathBuf::from(".")) }
    }
}

impl Host for System {
    fn now(&self) -> Timestamp {
        SystemClock::default().now()
    }

    fn pause(&self, ms: u64) -> Result<(), Fault> {
        if process::pause(Duration::from_millis(ms)) {
            return Err(Fault::new(Exit::Interrupted, "interrupted"));
        }
        Ok(())
    }

    fn git(&self, args: &[OsString]) -> Result<i32, Fault> {
        match process::foreground(OsStr::new("git"), args, &self.dir)? {
            130 => Err(Fault::new(Exit::Interrupted, "interrupted")),
            code => Ok(code),
        }
    }

    fn confirm(&self, question: &str) -> Result<Option<bool>, Fault> {
        let (stdin, mut stderr) = (io::stdin(), io::stderr());
        if !stdin.is_terminal() || !stderr.is_terminal() {
            return Ok(None);
        }
        write!(stderr, "{question} [y/N] ")?;
        stderr.flush()?;
        let mut answer = String::new();
        stdin.read_line(&mut answer)?;
        Ok(Some(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")))
    }

    fn man_path(&self) -> Option<String> {
        let env = Incoming::read().whole();
        let ask = |program: &str, arg: &str| {
            let args = [OsString::from(arg)];
            process::output(OsStr::new(program), &args, &env, &self.dir, &[], MAN_DEADLINE)
        };
        // The first is man-db's alone; the second prints the same there, and no
        // more than a complaint elsewhere.

        [("manpath", "-q"), ("man", "-w")].into_iter().find_map(|(program, arg)| {
            let said = ask(program, arg).ok().filter(process::Output::ok)?;
            let text = String::from_utf8(said.stdout).ok()?.trim().to_owned();
            text.starts_with('/').then_some(text)
        })
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), Fault> {
        files::write_whole(path, bytes).map_err(|error| {
            Fault::from(error).while_doing(format!("can't write '{}'", path.display()))
        })
    }

    fn open(&self) -> Result<Box<dyn Reads>, Fault> {
        Ok(Box::new(Repository::open(&self.dir)?))
    }
}
