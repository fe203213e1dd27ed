//! `git crew teams`, `workflows` and `agents`: what there is to choose from, and
//! whether a file of yours is right. One shape for the three.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde::Serialize;

use crate::domain::diagnostic::{Diagnostic, Severity};
use crate::domain::plan::{Kind, Source};
use crate::domain::{agent_file, team, workflow};
use crate::engine::place::{self, Place, PlaceError};
use crate::store::StoreError;
use crate::surface::cli::attended;
use crate::surface::cli::complete::Names;
use crate::surface::cli::ctx::Ctx;
use crate::surface::exit::Exit;
use crate::surface::fault::Fault;
use crate::view::catalogue::{Catalogue, Item, Known, Program};
use crate::view::text::{Label, Line, Text};
use crate::world::agents::{Adapter, Agent, table};
use crate::world::environment::Incoming;
use crate::world::library::{self, Found, Library, LibraryError, Listed};

/// What there is, one of it in full, or whether a file is right
///
/// Looked up in your config folder, then in what ships with git-crew; what the
/// repository's `.crew/` of HEAD brings counts for names that neither has.
/// Works outside of a repository as well.
#[derive(clap::Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct Args {
    /// What to do [default: list]
    #[command(subcommand)]
    pub action: Option<Action>,
}

/// What to do with them.
#[derive(Subcommand, Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Name, source and purpose of each
    List,
    /// One of them in full; where it comes from is told on standard error
    Show {
        /// Its name
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Names file, line, cause and the nearest known word of everything wrong;
    /// exits with 2 when there is an error among it
    Check {
        /// Count as an error what is read and not carried out, such as keys that
        /// only pi-crew knows
        #[arg(long)]
        strict: bool,

        /// Files, or names of what would be found [default: all]
        #[arg(value_name = "FILE|NAME")]
        files: Vec<PathBuf>,
    },
}

/// Lists, shows or checks.
///
/// # Errors
/// An unknown name; a folder or file that can't be read; settings that mean
/// nothing.
pub fn run(ctx: &mut Ctx<'_>, kind: Kind, args: &Args) -> Result<Exit, Fault> {
    let around = Around::look(ctx)?;
    match args.action.as_ref().unwrap_or(&Action::List) {
        Action::List => list(ctx, &around, kind),
        Action::Show { name } => show(ctx, &around, kind, name),
        Action::Check { strict, files } => check(ctx, &around, kind, (*strict, files)),
    }
}

/// Where the command runs.
struct Around {
    place: Option<Place>,
    library: Library,
}

impl Around {
    /// Outside of a repository there is the user's folder and the shipped set.
    fn look(ctx: &Ctx<'_>) -> Result<Self, Fault> {
        let dir = attended::folder(ctx);
        match Place::open(&dir, Incoming::read()) {
            Ok(place) => {
                let head = match place.store.head() {
                    Ok(head) => Some(head.commit),
                    Err(StoreError::UnbornHead { .. }) => None,
                    Err(error) => return Err(error.into()),
                };
                let library = place.library(head.as_ref())?;
                Ok(Self { place: Some(place), library })
            }
            Err(PlaceError::Store(StoreError::NotARepository { .. })) => {
                let user = place::config_folder(&Incoming::read());
                Ok(Self { place: None, library: Library::new(user, Vec::new()) })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The programs that are configured or installed, and those that could be.
    fn programs(&self, kind: Kind) -> Result<Option<Vec<Program>>, Fault> {
        if kind != Kind::Agent {
            return Ok(None);
        }
        let incoming = Incoming::read();
        let mut agents = match &self.place {
            Some(place) => place.agents()?,
            None => BTreeMap::from([("sh".to_owned(), Agent::Sh)]),
        };
        for adapter in table::ALL {
            let bare = || Agent::Known { adapter, args: Vec::new() };
            agents.entry(adapter.name.to_owned()).or_insert_with(bare);
        }
        let program = |(name, agent)| match agent {
            Agent::Sh => Program { name, command: None, prompt: None, known: None },
            Agent::Command { line, prompt } => {
                Program { name, command: Some(line), prompt: Some(prompt.word()), known: None }
            }
            Agent::Known { adapter, args } => {
                let known = Some(known(adapter, &args, &incoming));
                Program { name, command: None, prompt: Some("stdin"), known }
            }
        };
        Ok(Some(agents.into_iter().map(program).collect()))
    }
}

/// A row of the table of programs, for people.
fn known(adapter: &Adapter, args: &[String], incoming: &Incoming) -> Known {
    let words = |args: Vec<OsString>| {
        let words = std::iter::once(adapter.program.to_owned());
        let more = args.into_iter().map(|word| word.to_string_lossy().into_owned());
        words.chain(more).collect::<Vec<_>>().join(" ")
    };
    let path = adapter.installed(incoming.get("PATH"));
    Known {
        adapter: adapter.name,
        installed: path.map(|path| path.display().to_string()),
        tried: adapter.tried,
        install: adapter.install,
        login: adapter.login,
        call: words(adapter.args(args, None)),
        edits: adapter.edits,
        resume: adapter.resume.map(|_| words(adapter.args(args, Some("SESSION".as_ref())))),
        sets: adapter.sets.iter().map(|(name, value)| format!("{name}={value}")).collect(),
        secrets: adapter.secrets,
        names: adapter.names,
        state: adapter
            .state
            .iter()
            .map(|folder| format!("{} (else ~/{})", folder.variable, folder.default))
            .collect(),
    }
}

/// The names of a kind and what each is for.
///
/// # Errors
/// As [`run`].
pub fn names(ctx: &Ctx<'_>, kind: Kind) -> Result<Names, Fault> {
    let library = Around::look(ctx)?.library;
    let items = library.list(kind)?.into_iter().map(|one| item(&library, kind, one));
    items.map(|item| item.map(|item| (item.name, item.description))).collect()
}

/// The names of the programs that are configured and their command lines.
///
/// # Errors
/// As [`run`].
pub fn programs(ctx: &Ctx<'_>) -> Result<Names, Fault> {
    let programs = Around::look(ctx)?.programs(Kind::Agent)?.unwrap_or_default();
    Ok(programs.into_iter().map(|one| (one.name, one.command.unwrap_or_default())).collect())
}

fn list(ctx: &mut Ctx<'_>, around: &Around, kind: Kind) -> Result<Exit, Fault> {
    let listed = around.library.list(kind)?;
    let files = listed.into_iter().map(|one| item(&around.library, kind, one));
    let catalogue =
        Catalogue { files: files.collect::<Result<_, _>>()?, programs: around.programs(kind)? };
    if ctx.global.json {
        return ctx.out.json(kind.folder(), catalogue).map(|()| Exit::Ok);
    }
    ctx.out.text(&catalogue.text()).map(|()| Exit::Ok)
}

fn item(library: &Library, kind: Kind, listed: Listed) -> Result<Item, Fault> {
    let Source { name, place, .. } = listed.source;
    let read = library.find(kind, &name).and_then(|found| described(kind, &found));
    let (usable, description) = match read {
        Ok(description) => (true, description),
        Err(LibraryError::Faults(found)) => {
            (false, found.first().map(ToString::to_string).unwrap_or_default())
        }
        Err(error) => return Err(error.into()),
    };
    let hides = listed.shadows.into_iter().map(|hidden| hidden.place).collect();
    Ok(Item { name, source: place, description, usable, hides })
}

fn described(kind: Kind, found: &Found) -> Result<String, LibraryError> {
    let (file, name, text) = (&found.file, &found.source.name, &found.text);
    let description = match kind {
        Kind::Team => team::parse(file, name, text).map(|team| team.description),
        Kind::Workflow => workflow::parse(file, name, text).map(|flow| flow.description),
        Kind::Agent => agent_file::parse(file, name, text).map(|persona| persona.description),
    };
    description.map_err(LibraryError::Faults)
}

/// One file, for programs.
#[derive(Debug, Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    source: &'a Source,
    file: &'a str,
    text: &'a str,
}

fn show(ctx: &mut Ctx<'_>, around: &Around, kind: Kind, name: &str) -> Result<Exit, Fault> {
    let found = match around.library.find(kind, name) {
        Ok(found) => found,
        Err(error @ LibraryError::Unknown { .. }) => {
            return program(ctx, around, kind, name, error);
        }
        Err(error) => return Err(error.into()),
    };
    if ctx.global.json {
        let Found { source, file, text, .. } = &found;
        return ctx.out.json(&kind.to_string(), Shown { source, file, text }).map(|()| Exit::Ok);
    }
    let from = format!("from: {} ({})", found.file, found.source.place);
    ctx.out.story(&Line::new().with(Label::Dim, &from));
    for hidden in &found.shadows {
        ctx.out.story(&Line::new().with(Label::Warn, &format!("hides: {hidden}")));
    }
    ctx.out.block(found.text.as_bytes()).map(|()| Exit::Ok)
}

/// A name that is no file may be a program's.
fn program(
    ctx: &mut Ctx<'_>,
    around: &Around,
    kind: Kind,
    name: &str,
    error: LibraryError,
) -> Result<Exit, Fault> {
    let programs = around.programs(kind)?.unwrap_or_default();
    let Some(program) = programs.into_iter().find(|program| program.name == name) else {
        return Err(error.into());
    };
    if ctx.global.json {
        return ctx.out.json("program", program).map(|()| Exit::Ok);
    }
    if let Some(known) = &program.known {
        return ctx.out.text(&known.text(&program.name)).map(|()| Exit::Ok);
    }
    let catalogue = Catalogue { files: Vec::new(), programs: Some(vec![program]) };
    ctx.out.text(&catalogue.text()).map(|()| Exit::Ok)
}

/// What a check found, for programs.
#[derive(Debug, Serialize)]
struct Checked {
    checked: usize,
    found: Vec<Diagnostic>,
}

fn check(
    ctx: &mut Ctx<'_>,
    around: &Around,
    kind: Kind,
    (strict, files): (bool, &[PathBuf]),
) -> Result<Exit, Fault> {
    let (mut found, mut checked) = (Vec::new(), files.len());
    for file in files {
        found.extend(check_one(ctx, around, kind, file)?);
    }
    if files.is_empty() {
        let names = around.library.names(kind)?;
        checked = names.len();
        for name in names {
            found.extend(around.library.check(kind, &name)?);
        }
        // What is wrong with a program's settings is an error of its own.
        around.programs(kind)?;
    }
    if strict {
        found.iter_mut().for_each(|one| one.severity = Severity::Error);
    }
    let errors = found.iter().filter(|one| one.severity == Severity::Error).count();
    let warnings = found.len() - errors;
    let exit = if errors == 0 { Exit::Ok } else { Exit::Usage };
    if ctx.global.json {
        return ctx.out.json("check", Checked { checked, found }).map(|()| exit);
    }
    let mut text = Text::new();
    for one in &found {
        text.push(Line::plain(&one.to_string()));
    }
    ctx.out.text(&text)?;
    let line = format!(
        "{}, {}, {}",
        many(checked, &kind.to_string()),
        many(errors, "error"),
        many(warnings, "warning")
    );
    let label = if errors == 0 { Label::Good } else { Label::Bad };
    ctx.out.story(&Line::plain("checked ").with(label, &line));
    Ok(exit)
}

fn many(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn check_one(
    ctx: &Ctx<'_>,
    around: &Around,
    kind: Kind,
    file: &Path,
) -> Result<Vec<Diagnostic>, Fault> {
    let text = file.to_string_lossy();
    let is_path = text.contains('/') || text.ends_with(kind.ending());
    if is_path {
        Ok(library::check_file(kind, &attended::folder(ctx).join(file), &text)?)
    } else {
        Ok(around.library.check(kind, &text)?)
    }
}
