//! What could come next on a command line: commands, options, their values and
//! the runs and tasks of the repository. Pure but for [`Live::read`].
//!
//! Limits: it knows the shape of the command line, not every rule of it; an
//! option that conflicts with one already given is offered all the same.

use std::ffi::OsString;

use clap::{Arg, Command};

use super::ctx::Reads;
use crate::domain::escape::escaped;
use crate::domain::words::clip;

/// The columns of a description.
const WIDE: usize = 60;

/// What is there right now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Live {
    /// Ids of runs and what they are about, the newest first.
    pub runs: Vec<(String, String)>,
    /// Ids of the tasks of the run that the line names, or of the newest.
    pub tasks: Vec<(String, String)>,
}

/// One candidate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The word.
    pub word: String,
    /// What it is, in one line.
    pub what: Option<String>,
}

impl Live {
    /// Asks the repository, without failing: what can't be read is not offered.
    #[must_use]
    pub fn read(reads: &dyn Reads, words: &[OsString]) -> Self {
        let rows = reads.runs().unwrap_or_default();
        let named = words
            .iter()
            .take(words.len().saturating_sub(1))
            .filter_map(|word| word.to_str())
            .find_map(|word| rows.iter().find(|row| row.id.as_str().starts_with(word)));
        let tasks = named
            .or(rows.first())
            .and_then(|row| reads.run(&row.id).ok())
            .map(|run| {
                let pair =
                    |task: &crate::domain::task::Task| (task.id.to_string(), describe(&task.title));
                run.tasks.iter().map(pair).collect()
            })
            .unwrap_or_default();
        let runs = rows.iter().map(|row| (row.id.to_string(), describe(&row.goal))).collect();
        Self { runs, tasks }
    }
}

fn describe(text: &str) -> String {
    clip(&escaped(text), WIDE)
}

/// The candidates for the last of `words`, which follow `git crew`.
#[must_use]
pub fn candidates(words: &[OsString], live: Live) -> Vec<Candidate> {
    let words: Vec<&str> = words.iter().map(|word| word.to_str().unwrap_or("")).collect();
    let (current, before) = words.split_last().map_or(("", &[][..]), |(last, rest)| (*last, rest));
    let root = super::command();
    let place = walk(&root, before);
    let mut all = match place.value_of {
        Some(option) => values(option),
        None if place.rest_is_foreign => Vec::new(),
        None if current.starts_with('-') => options(place.command),
        None => words_of(&place, live),
    };
    all.retain(|candidate| candidate.word.starts_with(current));
    all
}

/// Where a line has got to.
struct Place<'a> {
    command: &'a Command,
    value_of: Option<&'a Arg>,
    positionals: usize,
    rest_is_foreign: bool,
}

fn walk<'a>(root: &'a Command, words: &[&str]) -> Place<'a> {
    let mut place = Place { command: root, value_of: None, positionals: 0, rest_is_foreign: false };
    for word in words {
        if place.value_of.take().is_some() {
            continue;
        }
        if *word == "--" {
            place.rest_is_foreign = true;
        } else if word.starts_with('-') {
            place.value_of = takes_value(place.command, word);
        } else if let Some(sub) = place.command.find_subcommand(word) {
            place.command = sub;
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

fn values(arg: &Arg) -> Vec<Candidate> {
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

fn words_of(place: &Place<'_>, live: Live) -> Vec<Candidate> {
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
    match next.get_id().as_str() {
        "run" => all.extend(live.runs.into_iter().map(live_word)),
        "task" | "tasks" => all.extend(live.tasks.into_iter().map(live_word)),
        "command" => all.extend(words_of(&walk(&super::command(), &[]), Live::default())),
        _ => all.extend(values(next)),
    }
    all
}

fn live_word((word, what): (String, String)) -> Candidate {
    Candidate { word, what: Some(what).filter(|what| !what.is_empty()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(line: &str) -> Vec<String> {
        let live = Live {
            runs: vec![("7kq2-fix".into(), "fix".into()), ("9abc-x".into(), String::new())],
            tasks: vec![("plan".into(), "Plan".into())],
        };
        let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        candidates(&words, live).into_iter().map(|candidate| candidate.word).collect()
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
        assert!(!offered("").contains(&"__complete".to_owned()));
    }
}
