//! Which program runs a task: one function, one table.
//!
//! ```text
//! rule                          example                              wins over
//! 1 the flag                    --agent claude                       all below
//! 2 the role in git config      crew.role.executor=codex             3 to 7
//! 3 the step                    agent: sh                            4 to 7
//! 4 the agent file              agent: claude, codex                 5 to 7
//! 5 the team file               agent: claude                        6 and 7
//! 6 the default in git config   crew.defaultAgent=claude             7
//! 7 the first available one     a configured one, else an installed one
//! ```
//!
//! A rule that names programs decides: if none of them is available the plan
//! fails and says so; it never falls through to the next rule. The first of them
//! that is available runs the task, the others go on where it can't. `sh` is
//! always available, and never picked by rule 7: it runs only texts written for
//! it.

use std::collections::BTreeMap;
use std::fmt;

use crate::domain::suggest::nearest;

/// The embedded agent: it runs the last `sh` block of the task's text.
pub const SH: &str = "sh";

/// What is known about programs when a plan is made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Programs {
    /// `--agent`; empty if not given. Lists are preferences, best first.
    pub flag: Vec<String>,
    /// `crew.role.<role>`.
    pub roles: BTreeMap<String, Vec<String>>,
    /// `crew.defaultAgent`; empty if not set.
    pub default: Vec<String>,
    /// Programs that are configured or installed, best first; [`SH`] need not be named.
    pub available: Vec<String>,
    /// Programs that git-crew knows, with the command that installs each.
    pub known: Vec<(String, String)>,
}

/// The rule that named a program, for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// `--agent`
    Flag,
    /// `crew.role.<role>`
    RoleSetting,
    /// The step's `agent:`
    Step,
    /// The agent file's `agent:`
    Persona,
    /// The team's `agent:`
    Team,
    /// `crew.defaultAgent`
    DefaultSetting,
}

impl Rule {
    /// Whether it speaks of one role, and not of all of a team.
    fn is_of_a_role(self) -> bool {
        match self {
            Self::RoleSetting | Self::Step | Self::Persona => true,
            Self::Flag | Self::Team | Self::DefaultSetting => false,
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Flag => "--agent",
            Self::RoleSetting => "git config crew.role.<role>",
            Self::Step => "the step's 'agent:'",
            Self::Persona => "the agent file's 'agent:'",
            Self::Team => "the team's 'agent:'",
            Self::DefaultSetting => "git config crew.defaultAgent",
        })
    }
}

/// Why no program can run a task.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProgramError {
    /// Nothing names one and nothing is available.
    #[error(
        "no agent is installed or configured: {}name any command line with 'git config crew.agent.<name>.command \"<command line>\"'; it reads its task from standard input",
        installing(known)
    )]
    None {
        /// What could be installed, with the command that does.
        known: Vec<(String, String)>,
    },
    /// A rule names programs, none of which is available.
    #[error("no agent '{}'{}, named by {rule}: {}", wanted.join("' or '"), lacking(role.as_deref()), mend(available, install.as_deref()))]
    Unavailable {
        /// The role that lacks one; `None` where the rule is for all of them.
        role: Option<String>,
        /// What was named.
        wanted: Vec<String>,
        /// Who named it.
        rule: Rule,
        /// What could have been named.
        available: Vec<String>,
        /// The command that installs one of them, if git-crew knows it.
        install: Option<String>,
    },
}

fn lacking(role: Option<&str>) -> String {
    role.map(|role| format!(" for role '{role}'")).unwrap_or_default()
}

/// One sentence for all that could be installed.
fn installing(known: &[(String, String)]) -> String {
    let one = |(name, command): &(String, String)| format!("{name} ('{command}')");
    let all: Vec<String> = known.iter().map(one).collect();
    if all.is_empty() { String::new() } else { format!("install {}, or ", all.join(" or ")) }
}

fn mend(available: &[String], install: Option<&str>) -> String {
    let names: Vec<&str> = available.iter().map(String::as_str).chain([SH]).collect();
    let how = match install {
        Some(command) => format!("install it with '{command}'"),
        None => {
            "configure it with 'git config crew.agent.<name>.command \"<command line>\"'".to_owned()
        }
    };
    format!("available are {}; {how}", names.join(", "))
}

impl ProgramError {
    /// The available program nearest to the one that was named.
    #[must_use]
    pub fn nearest(&self) -> Option<&str> {
        match self {
            Self::None { .. } => None,
            Self::Unavailable { wanted, available, .. } => {
                let names = || available.iter().map(String::as_str).chain([SH]);
                wanted.iter().find_map(|name| nearest(name, names()))
            }
        }
    }
}

/// What a task's own files say.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wishes<'a> {
    pub(super) role: &'a str,
    pub(super) step: &'a [String],
    pub(super) persona: &'a [String],
    pub(super) team: &'a [String],
}

impl Programs {
    /// Chooses the program for a task by the table above, and those that go on
    /// where it can't.
    pub(super) fn choose(&self, wishes: Wishes<'_>) -> Result<(String, Vec<String>), ProgramError> {
        let role = self.roles.get(wishes.role).map_or(&[][..], Vec::as_slice);
        let rules = [
            (Rule::Flag, self.flag.as_slice()),
            (Rule::RoleSetting, role),
            (Rule::Step, wishes.step),
            (Rule::Persona, wishes.persona),
            (Rule::Team, wishes.team),
            (Rule::DefaultSetting, self.default.as_slice()),
        ];
        let usable = |name: &&String| *name == SH || self.available.contains(*name);
        if let Some((rule, wanted)) = rules.into_iter().find(|(_, wanted)| !wanted.is_empty()) {
            let mut usable = wanted.iter().filter(usable).cloned();
            let Some(first) = usable.next() else { return Err(self.lacks(&wishes, rule, wanted)) };
            let mut others: Vec<String> = Vec::new();
            for other in usable {
                if other != first && !others.contains(&other) {
                    others.push(other);
                }
            }
            return Ok((first, others));
        }
        let first = self.available.iter().find(|name| *name != SH).cloned();
        let first = first.ok_or_else(|| ProgramError::None { known: self.known.clone() })?;
        Ok((first, Vec::new()))
    }

    fn lacks(&self, wishes: &Wishes<'_>, rule: Rule, wanted: &[String]) -> ProgramError {
        let install = self.known.iter().find(|(name, _)| wanted.contains(name));
        ProgramError::Unavailable {
            role: rule.is_of_a_role().then(|| wishes.role.to_owned()),
            wanted: wanted.to_vec(),
            rule,
            available: self.available.clone(),
            install: install.map(|(_, command)| command.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn each_rule_wins_over_those_below() {
        let names = ["flag", "role", "step", "persona", "team", "default"];
        for first in 0..=names.len() {
            let at = |n: usize| if n >= first { list(names[n]) } else { Vec::new() };
            let programs = Programs {
                flag: at(0),
                roles: BTreeMap::from([("r".to_owned(), at(1))]),
                default: at(5),
                available: list("any flag role step persona team default"),
                known: Vec::new(),
            };
            let (step, persona, team) = (at(2), at(3), at(4));
            let wishes = Wishes { role: "r", step: &step, persona: &persona, team: &team };
            let wanted = names.get(first).copied().unwrap_or("any");
            assert_eq!(programs.choose(wishes), Ok((wanted.to_owned(), Vec::new())));
        }
    }

    #[test]
    fn nothing_is_replaced_in_silence() {
        let step = list("claud");
        let wishes = Wishes { role: "r", step: &step, persona: &[], team: &[] };
        let programs = Programs { available: list("codex claude"), ..Programs::default() };
        let error = programs.choose(wishes).unwrap_err();
        assert_eq!(error.nearest(), Some("claude"));
        insta::assert_snapshot!(error, @r#"no agent 'claud' for role 'r', named by the step's 'agent:': available are codex, claude, sh; configure it with 'git config crew.agent.<name>.command "<command line>"'"#);
    }

    #[test]
    fn what_was_named_for_all_roles_lacks_for_all() {
        let programs = Programs { flag: list("claud"), ..Programs::default() };
        let lacks = |role| {
            let wishes = Wishes { role, step: &[], persona: &[], team: &[] };
            programs.choose(wishes).unwrap_err().to_string()
        };
        assert_eq!(lacks("one"), lacks("other"));
        assert!(lacks("one").starts_with("no agent 'claud', named by --agent: "));
    }

    #[test]
    fn sh_is_always_there_and_never_a_guess() {
        let step = list("nothere sh");
        let none = Wishes { role: "r", step: &[], persona: &[], team: &[] };
        let chosen = Programs::default().choose(Wishes { step: &step, ..none });
        assert_eq!(chosen, Ok(("sh".into(), Vec::new())));
        let only_sh = Programs { available: list("sh"), ..Programs::default() };
        assert_eq!(only_sh.choose(none), Err(ProgramError::None { known: Vec::new() }));
    }

    #[test]
    fn the_others_that_are_available_go_on() {
        let flag = list("absent two sh one two");
        let programs = Programs { flag, available: list("one two"), ..Programs::default() };
        let none = Wishes { role: "r", step: &[], persona: &[], team: &[] };
        assert_eq!(programs.choose(none), Ok(("two".into(), list("sh one"))));
        let guessed = Programs { available: list("one two"), ..Programs::default() };
        assert_eq!(guessed.choose(none), Ok(("one".into(), Vec::new())));
    }

    #[test]
    fn what_is_not_there_says_how_to_get_it() {
        let known = vec![("claude".to_owned(), "npm install -g claude".to_owned())];
        let programs = Programs { known, ..Programs::default() };
        let step = list("claude");
        let none = Wishes { role: "r", step: &[], persona: &[], team: &[] };
        insta::assert_snapshot!(programs.choose(none).unwrap_err(), @r#"no agent is installed or configured: install claude ('npm install -g claude'), or name any command line with 'git config crew.agent.<name>.command "<command line>"'; it reads its task from standard input"#);
        insta::assert_snapshot!(programs.choose(Wishes { step: &step, ..none }).unwrap_err(), @"no agent 'claude' for role 'r', named by the step's 'agent:': available are sh; install it with 'npm install -g claude'");
    }
}
