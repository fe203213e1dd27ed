//! How an attempt ended: from what its process did, what its agent told, and what
//! is in the trees. An exit code alone proves nothing.

use crate::domain::attempt::{Ending, FailureClass};
use crate::domain::classify;
use crate::domain::plan::PlannedTask;
use crate::domain::scope::Scope;
use crate::world::agents::Adapter;
use crate::world::harvest::Harvest;
use crate::world::process::{End, Report, Stop};

use super::heard::Told;
use super::line;

/// The most characters of a program's own words in a line for people.
const WORDS: usize = 200;

pub(super) fn failed(class: FailureClass, why: String) -> Ending {
    Ending::Failed { class, why }
}

/// How the attempt ended.
pub(super) fn judge(
    report: &Report,
    told: Option<&Told>,
    planned: Option<&PlannedTask>,
    harvested: &Harvest,
) -> Ending {
    let failure = limit(report, told)
        .or_else(|| told.and_then(|told| said(report, told)))
        .or_else(|| ended(report));
    failure.unwrap_or_else(|| post_condition(planned, harvested))
}

/// A limit of ours that it ran into.
fn limit(report: &Report, told: Option<&Told>) -> Option<Ending> {
    let secs = report.took.as_secs_f32();
    let (class, why) = match report.stopped_by? {
        Stop::Wall => (FailureClass::WallLimit, format!("over its time limit ({secs:.1} s)")),
        Stop::Idle => {
            let why = format!("printed nothing for its idle limit ({secs:.1} s in all)");
            (FailureClass::IdleLimit, why)
        }
        Stop::Cancelled | Stop::Killed => return None,
    };
    // Why it took so long, if it told.
    Some(match told.and_then(|told| told.finding.failure.as_ref()) {
        Some((of, text)) => failed(class, format!("{why}; {}: {}", of.word(), short(text))),
        None => failed(class, why),
    })
}

/// What the agent's own words say against it.
fn said(report: &Report, told: &Told) -> Option<Ending> {
    let Told { adapter, finding, .. } = told;
    let End::Exited(code) = report.end else { return None };
    if let Some((class, text)) = &finding.failure {
        return Some(failed(*class, in_words(adapter, *class, text)));
    }
    if code == 0 && finding.ended {
        return None;
    }
    if code != 0
        && let Some((class, text)) = &finding.earlier
    {
        return Some(failed(*class, in_words(adapter, *class, text)));
    }
    let (errors, strays) = (report.stderr.text(), finding.strays.join("\n"));
    let texts = [errors.as_str(), strays.as_str()];
    let said = texts.into_iter().find(|text| !text.trim().is_empty()).unwrap_or_default();
    let classes = texts.into_iter().find_map(|text| classify::by_words(&plain(text)));
    if let Some(class) = classes.filter(|_| code != 0 || finding.events == 0) {
        return Some(failed(class, in_words(adapter, class, said)));
    }
    if matches!(code, 126 | 127) && finding.events == 0 {
        // A program or its interpreter that is missing has a class of its own.
        return None;
    }
    if code != 0 && finding.events > 0 {
        return Some(failed(FailureClass::Crash, format!("exited with {code}{}", tail(said))));
    }
    Some(failed(FailureClass::Crash, unreadable(told, code, said)))
}

/// A text without what may be events: a list of tools names everything.
fn plain(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('{'));
    lines.take(20).collect::<Vec<_>>().join("\n")
}

/// What is said of a program whose stream has no end that can be read.
fn unreadable(told: &Told, code: i32, said: &str) -> String {
    let Told { adapter, finding, account } = told;
    let what = match finding.events {
        0 if said.trim_start().starts_with("{\"type\"") => {
            "printed its events to standard error, not to standard output"
        }
        0 => "printed no event that can be read",
        _ => "printed no end of its work",
    };
    let code = if code == 0 { String::new() } else { format!(", exited with {code}") };
    let version = account.version.as_deref().unwrap_or("unknown");
    let tried = adapter.tried;
    format!("{what}{code}; its version is {version}, {tried} is known to work{}", tail(said))
}

/// A failure in the agent's words, with what a person can do about it.
fn in_words(adapter: &Adapter, class: FailureClass, text: &str) -> String {
    let words = short(text);
    if class != FailureClass::Auth {
        return words;
    }
    let key = adapter.secrets.first().map(|key| format!(", or set {key}")).unwrap_or_default();
    format!("{} needs a login: run '{}'{key} ({words})", adapter.name, adapter.login)
}

fn tail(said: &str) -> String {
    let words = short(said);
    if words.is_empty() { words } else { format!(": {words}") }
}

/// The first line of a text that says something, and no more than fits.
fn short(text: &str) -> String {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    line.chars().filter(|c| !c.is_control()).take(WORDS).collect()
}

/// What the process did.
fn ended(report: &Report) -> Option<Ending> {
    Some(match &report.end {
        End::Exited(0) => return None,
        End::Exited(127) => failed(FailureClass::NotFound, "a command was not found".to_owned()),
        End::Exited(126) => {
            failed(FailureClass::NotExecutable, "a command may not be executed".to_owned())
        }
        End::Exited(code) => failed(FailureClass::Exit, format!("exited with {code}")),
        End::Signalled(signal, core) => {
            let core = if *core { ", core dumped" } else { "" };
            failed(FailureClass::Signal, format!("ended by signal {signal}{core}"))
        }
        End::NotFound => failed(FailureClass::NotFound, "its program was not found".to_owned()),
        End::NotExecutable => {
            failed(FailureClass::NotExecutable, "its program may not be executed".to_owned())
        }
        End::CannotStart(why) => failed(FailureClass::Internal, format!("can't be started: {why}")),
        End::Lost => failed(FailureClass::Signal, "its supervisor was killed".to_owned()),
    })
}

/// A failure that came of a bound says so.
pub(super) fn bounded(ending: Ending, report: &Report) -> Ending {
    match ending {
        Ending::Failed { class, why } if !report.exceeded.is_empty() => {
            failed(class, format!("{why}, at its bound of {}", report.exceeded.join(" and ")))
        }
        other => other,
    }
}

/// What must hold of the trees, whatever the agent says.
fn post_condition(planned: Option<&PlannedTask>, harvested: &Harvest) -> Ending {
    let Some(planned) = planned else { return Ending::Finished };
    let paths = || harvested.changed.iter().map(|change| change.path.as_str());
    if !planned.writes && !harvested.changed.is_empty() {
        let why = format!("a read-only role changed {}", some(paths()));
        return failed(FailureClass::WroteReadOnly, why);
    }
    if planned.paths.is_empty() {
        return Ending::Finished;
    }
    let scope = match Scope::new(&planned.paths) {
        Ok(scope) => scope,
        Err(error) => return failed(FailureClass::Internal, line(&error)),
    };
    let outside: Vec<&str> = paths().filter(|path| !scope.holds(path)).collect();
    if outside.is_empty() {
        return Ending::Finished;
    }
    let why = format!("changed {} outside 'paths:'", some(outside.into_iter()));
    failed(FailureClass::OutOfScope, why)
}

fn some<'a>(paths: impl Iterator<Item = &'a str>) -> String {
    let all: Vec<&str> = paths.collect();
    let shown = all.iter().take(3).map(|path| format!("'{path}'")).collect::<Vec<_>>().join(", ");
    if all.len() > 3 { format!("{shown} and {} more", all.len() - 3) } else { shown }
}
