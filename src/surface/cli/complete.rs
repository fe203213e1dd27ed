//! What could come next on a command line: commands, options, their values, the
//! runs and tasks of the repository and the names of files and programs. What is
//! there right now is asked for by topic, so that a Tab reads no more than it
//! needs.
//!
//! Limits: it knows the shape of the command line, not every rule of it; an
//! option that conflicts with one already given is offered all the same.

use std::ffi::OsString;

use clap::{Arg, Command};

use super::ctx::Reads;
use crate::domain::escape::escaped;
use crate::domain::plan::Kind;
use crate::domain::words::clip;

/// The columns of a description.
const WIDE: usize = 60;

/// What a word can be the name of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// A run; the newest first.
    Runs,
    /// A task of the run that the line names, or of the newest.
    Tasks,
    /// A team, a workflow or an agent file.
    Files(Kind),
    /// A program that can play a role.
    Programs,
}

/// Words and what they are about.
pub type Names = Vec<(String, String)>;

/// One candidate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The word.
    pub word: String,
    /// What it is, in one line.
    pub what: Option<String>,
}

/// The runs of a repository; what can't be read is not offered.
#[must_use]
pub fn runs(reads: &dyn Reads) -> Names {
    let rows = reads.runs().unwrap_or_default();
    rows.iter().map(|row| (row.id.to_string(), row.goal.clone())).collect()
}

/// The tasks of the run that one of the words names, or of the newest.
#[must_use]
pub fn tasks(reads: &dyn Reads, words: &[OsString]) -> Names {
    let rows = reads.runs().unwrap_or_default();
    let named = words
        .iter()
        .take(words.len().saturating_sub(1))
        .filter_map(|word| word.to_str())
        .find_map(|word| rows.iter().find(|row| row.id.as_str().starts_with(word)));
    let run = named.or(rows.first()).and_then(|row| reads.run(&row.id).ok());
    let tasks = run.map(|run| run.tasks).unwrap_or_default();
    tasks.into_iter().map(|task| (task.id.to_string(), task.title)).collect()
}

fn describe(text: &str) -> String {
    clip(&escaped(text), WIDE)
}

/// The candidates for the last of `words`, which follow `git crew`.
#[must_use]
pub fn candidates(words: &[OsString], ask: &dyn Fn(Topic) -> Names) -> Vec<Candidate> {
    let words: Vec<&str> = words.iter().map(|word| word.to_str().unwrap_or("")).collect();
    let (current, before) = words.split_last().map_or(("", &[][..]), |(last, rest)| (*last, rest));
    let root = super::command();
    let place = walk(&root, before);
    let inline = current.split_once('=').filter(|(option, _)| option.starts_with("--"));
    let mut all = match (place.value_of, inline) {
        (Some(option), _) => values(option, ask),
        (None, _) if place.rest_is_foreign => Vec::new(),
        (None, Some((option, _))) => takes_value(place.command, option)
            .map(|arg| values(arg, ask))
            .unwrap_or_default()
            .into_iter()
            .map(|value| Candidate { word: format!("{option}={}", value.word), ..value })
            .collect(),
        (None, None) if current.starts_with('-') => options(place.command),
        (None, None) => words_of(&place, ask),
    };
    // bash makes a word of the '=' in '--team=de'.
    let begun = if current == "=" { "" } else { current };
    all.retain(|candidate| candidate.word.starts_with(begun));
    all
}

/// Where a line has got to.
struct Place<'a> {
    command: &'a Command,
    value_of: Option<&'a Arg>,
    positionals: usize,
    /// What the command above the current one is about.
    kind: Option<Kind>,
    rest_is_foreign: bool,
}

fn walk<'a>(root: &'a Command, words: &[&str]) -> Place<'a> {
    let mut place =
        Place { command: root, value_of: None, positionals: 0, kind: None, rest_is_foreign: false };
    for word in words {
        if *word == "=" && place.value_of.is_some() {
            continue;
        }
        if place.value_of.take().is_some() {
            continue;
        }
        if *word == "--" {
            place.rest_is_foreign = true;
        } else if word.starts_with('-') {
            place.value_of = takes_value(place.command, word);
        } else if let Some(sub) = place.command.find_subcommand(word) {
            place.command = sub;
            place.kind = Kind::ALL.into_iter().find(|kind| kind.folder() == *word).or(place.kind);
            place.positionals = 0;
        } else {
            place.positionals += 1;
        }
    }
    place
}

fn takes_value<'a>(command: &'a Command, word: &str) -> Option<&'a Arg> {
    let named = |arg: &&Arg| match word.strip_prefix("--") {
        Some(long) => arg.get_long() == Some(long),
        None => word.len() == 2 && arg.get_short() == word.chars().nth(1),
    };
    command.get_arguments().find(named).filter(|arg| arg.get_action().takes_values())
}

fn values(arg: &Arg, ask: &dyn Fn(Topic) -> Names) -> Vec<Candidate> {
    let topic = match arg.get_id().as_str() {
        "team" => Some(Topic::Files(Kind::Team)),
        "workflow" => Some(Topic::Files(Kind::Workflow)),
        "agent" => Some(Topic::Programs),
        _ => None,
    };
    if let Some(topic) = topic {
        return named(ask, topic);
    }
    arg.get_possible_values()
        .iter()
        .map(|value| Candidate {
            word: value.get_name().to_owned(),
            what: value.get_help().map(ToString::to_string),
        })
        .collect()
}

fn options(command: &Command) -> Vec<Candidate> {
    command
        .get_arguments()
        .filter(|arg| !arg.is_hide_set())
        .filter_map(|arg| {
            let what = arg.get_help().map(|help| describe(&help.to_string()));
            arg.get_long().map(|long| Candidate { word: format!("--{long}"), what })
        })
        .collect()
}

fn words_of(place: &Place<'_>, ask: &dyn Fn(Topic) -> Names) -> Vec<Candidate> {
    let mut all: Vec<Candidate> = place
        .command
        .get_subcommands()
        .filter(|command| !command.is_hide_set())
        .map(|command| Candidate {
            word: command.get_name().to_owned(),
            what: command.get_about().map(|about| describe(&about.to_string())),
        })
        .collect();
    let positionals: Vec<&Arg> = place.command.get_positionals().collect();
    let next = positionals.get(place.positionals).or_else(|| {
        positionals.last().filter(|arg| matches!(arg.get_action(), clap::ArgAction::Append))
    });
    let Some(next) = next else { return all };
    match (next.get_id().as_str(), place.kind) {
        ("run", _) => all.extend(named(ask, Topic::Runs)),
        ("task" | "tasks", _) => all.extend(named(ask, Topic::Tasks)),
        ("command", _) => all.extend(words_of(&walk(&super::command(), &[]), ask)),
        ("name" | "files", Some(kind)) => all.extend(named(ask, Topic::Files(kind))),
        _ => all.extend(values(next, ask)),
    }
    all
}

fn named(ask: &dyn Fn(Topic) -> Names, topic: Topic) -> Vec<Candidate> {
    let candidate = |(word, about): (String, String)| {
        let what = Some(describe(&about)).filter(|what| !what.is_empty());
        Candidate { word, what }
    };
    ask(topic).into_iter().map(candidate).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(line: &str) -> Vec<String> {
        let pairs = |words: &[&str]| {
            words.iter().map(|word| ((*word).to_owned(), "about".to_owned())).collect()
        };
        let ask = |topic| match topic {
            Topic::Runs => pairs(&["7kq2-fix", "9abc-x"]),
            Topic::Tasks => pairs(&["plan"]),
            Topic::Files(Kind::Team) => pairs(&["default", "mine"]),
            Topic::Files(Kind::Workflow) => pairs(&["default", "review"]),
            Topic::Files(Kind::Agent) => pairs(&["explorer"]),
            Topic::Programs => pairs(&["claude", "sh"]),
        };
        let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        candidates(&words, &ask).into_iter().map(|candidate| candidate.word).collect()
    }

    #[test]
    fn commands_runs_tasks_options_and_values() {
        assert_eq!(offered("sta"), ["status"]);
        assert_eq!(offered("show "), ["7kq2-fix", "9abc-x"]);
        assert_eq!(offered("show 9"), ["9abc-x"]);
        assert_eq!(offered("-C dir -v show 7kq2-fix "), ["plan"]);
        assert_eq!(offered("log 7kq2-fix plan --out"), ["--output"]);
        assert_eq!(offered("status --color a"), ["auto", "always"]);
        assert_eq!(offered("completions "), ["bash", "zsh", "fish"]);
        assert_eq!(offered("help sho"), ["show"]);
        assert_eq!(offered("diff 7kq2-fix -- "), [""; 0]);
        assert_eq!(offered("run --team m"), ["mine"]);
        assert_eq!(offered("run --team=m"), ["--team=mine"]);
        assert_eq!(offered("run --team = m"), ["mine"], "as bash splits it");
        assert_eq!(offered("run --team ="), ["default", "mine"], "as bash splits it");
        assert_eq!(offered("run --workflow "), ["default", "review"]);
        assert_eq!(offered("run --agent "), ["claude", "sh"]);
        assert_eq!(offered("teams show d"), ["default"]);
        assert_eq!(offered("workflows check review r"), ["review"]);
        assert_eq!(offered("agents show "), ["explorer"]);
        assert!(!offered("").contains(&"__complete".to_owned()));
    }
}
