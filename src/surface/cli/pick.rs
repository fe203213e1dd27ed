//! Which run, task or attempt a name means. A name that fits nothing or too
//! much says what there is.

use crate::domain::attempt::Attempt;
use crate::domain::id::RunId;
use crate::domain::run::Run;
use crate::domain::suggest::nearest;
use crate::domain::task::Task;
use crate::surface::exit::Exit;
use crate::surface::fault::Fault;
use crate::view::list::RunRow;
use crate::view::words::list_some;

use super::args::TaskRef;

/// The most names that one message lists.
const NAMED: usize = 8;

/// The run whose id begins with `prefix`, or the first of `rows`, which is the
/// newest. A whole id is never ambiguous.
///
/// # Errors
/// [`Exit::NotFound`], naming the runs that fit.
pub fn run(rows: &[RunRow], prefix: Option<&str>) -> Result<RunId, Fault> {
    let Some(prefix) = prefix else {
        let newest = rows.first().map(|row| row.id.clone());
        return newest.ok_or_else(|| {
            Fault::new(Exit::NotFound, "no runs in this repository")
                .hint("start one: git crew run \"GOAL\"")
        });
    };
    let fits: Vec<&RunId> =
        rows.iter().map(|row| &row.id).filter(|id| id.as_str().starts_with(prefix)).collect();
    let whole = fits.iter().find(|id| id.as_str() == prefix);
    match (whole, fits.as_slice()) {
        (Some(id), _) => Ok((*id).clone()),
        (None, [one]) if !prefix.is_empty() => Ok((*one).clone()),
        (None, []) => Err(Fault::new(Exit::NotFound, format!("no run begins with '{prefix}'"))
            .hint("see all runs: git crew status")),
        (None, many) => {
            let names: Vec<&str> = many.iter().map(|id| id.as_str()).collect();
            let error = format!("'{prefix}' fits {} runs", many.len());
            Err(Fault::new(Exit::NotFound, error)
                .hint(format!("say which: {}", list_some(&names, NAMED))))
        }
    }
}

/// The task of this run that a person named.
///
/// # Errors
/// [`Exit::NotFound`], naming the run's tasks.
pub fn task<'a>(run: &'a Run, name: &TaskRef) -> Result<&'a Task, Fault> {
    run.task(&name.task).ok_or_else(|| {
        let names: Vec<&str> = run.tasks.iter().map(|task| task.id.as_str()).collect();
        let fault =
            Fault::new(Exit::NotFound, format!("no task '{}' in run '{}'", name.task, run.id));
        if let Some(near) = nearest(name.task.as_str(), names.iter().copied()) {
            return fault.hint(format!("did you mean '{near}'?"));
        }
        if names.is_empty() {
            return fault.hint("the run has no tasks yet: it is not planned");
        }
        fault.hint(format!("its tasks are {}", list_some(&names, NAMED)))
    })
}

/// The attempt that a person named; without a number the one that counts: the
/// newest.
///
/// # Errors
/// [`Exit::NotFound`], saying how many there are.
pub fn attempt<'a>(task: &'a Task, name: &TaskRef) -> Result<&'a Attempt, Fault> {
    let found = match name.attempt {
        None => task.last(),
        Some(number) => task.attempts.iter().find(|attempt| attempt.number == number),
    };
    found.ok_or_else(|| {
        let error = match name.attempt {
            None => format!("task '{}' has not been started", task.id),
            Some(number) => format!("no attempt {number} of task '{}'", task.id),
        };
        let fault = Fault::new(Exit::NotFound, error);
        match task.attempts.len() {
            0 => fault,
            1 => fault.hint("it has one attempt"),
            count => fault.hint(format!("it has {count} attempts")),
        }
    })
}
