//! Team files (`<name>.team.md`): which persona plays which role.
//!
//! ```text
//! ---
//! name: default
//! defaultWorkflow: default
//! maxConcurrency: 2
//! ---
//! - explorer: agent=explorer reads the code first
//! - executor: agent=executor makes the change
//! ```
//!
//! Headings and prose between the list items are for people. A role's name is
//! compared as it is written.

use super::diagnostic::{Diagnostic, Report};
use super::escape;
use super::front::{self, Front};
use super::frontmatter::Field;
use super::keys::{self, Key};
use super::suggest;

/// The keys of a team file.
pub const KEYS: &[Key] = &[
    Key::honoured("name", "must be the file's name; may be left out"),
    Key::honoured("description", "one line for listings"),
    Key::honoured(
        "defaultWorkflow",
        "the workflow that runs when none is named; else the one of the team's name",
    ),
    Key::honoured("maxConcurrency", "tasks that run at the same time, unless the workflow says"),
    Key::honoured(
        "agent",
        "programs for the roles whose persona names none, the first available one is used",
    ),
    Key::honoured("triggers", "routing words, shown by 'show'"),
    Key::honoured("useWhen", "routing words, shown by 'show'"),
    Key::honoured("avoidWhen", "routing words, shown by 'show'"),
    Key::honoured("cost", "routing words, shown by 'show'"),
    Key::honoured("category", "routing words, shown by 'show'"),
    Key::no_effect("workspaceMode", "every attempt has a worktree of its own"),
    Key::no_effect("observability", "the run's history is in refs/crew"),
    Key::no_effect("source", "nothing is fetched"),
];

/// The attributes of a role.
pub const ROLE_KEYS: &[Key] = &[
    Key::honoured("agent", "the agent file that plays it; left out, the one of the role's name"),
    Key::no_effect("model", MODEL),
    Key::no_effect("fallbackModels", MODEL),
    Key::no_effect("thinking", MODEL),
    Key::honoured(
        "skills",
        "comma list of skills that it is told, instead of the agent's; 'false' for none",
    ),
    Key::no_effect("maxConcurrency", "only the whole team's limit counts"),
];

const MODEL: &str = "choose it in the command line of crew.agent.<name>.command";

/// One role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// As steps name it.
    pub name: String,
    /// The agent file that plays it.
    pub persona: String,
    /// Skills it is told; `None` leaves the choice to the agent file.
    pub skills: Option<Vec<String>>,
    /// What it is for; may be empty.
    pub description: String,
    /// Its line in the file.
    pub line: usize,
}

/// A team as its file tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Team {
    /// The name it is found by.
    pub name: String,
    /// What people call the file.
    pub file: String,
    /// One line for listings.
    pub description: String,
    /// The workflow that runs when none is named.
    pub default_workflow: String,
    /// Tasks that run at the same time.
    pub max_concurrency: Option<u32>,
    /// Programs for roles whose persona names none, best first.
    pub agents: Vec<String>,
    /// At least one, no two of a name.
    pub roles: Vec<Role>,
    /// Routing words in the file's order, for people.
    pub routing: Vec<(String, String)>,
    /// What the file says without effect.
    pub warnings: Vec<Diagnostic>,
}

impl Team {
    /// The role of this name.
    #[must_use]
    pub fn role(&self, name: &str) -> Option<&Role> {
        self.roles.iter().find(|role| role.name == name)
    }

    /// The role whose name is nearest to a mistyped one.
    #[must_use]
    pub fn nearest(&self, name: &str) -> Option<&str> {
        suggest::nearest(name, self.roles.iter().map(|role| role.name.as_str()))
    }
}

/// Reads a team file found under `name`; `file` is what people call it.
///
/// # Errors
/// Everything that is wrong with it, by line.
pub fn parse(file: &str, name: &str, text: &str) -> Result<Team, Vec<Diagnostic>> {
    let make = |report: &mut Report, front: Front<'_>| Some(read(report, name, front));
    let (mut team, warnings) = front::read((file, name, text), KEYS, make)?;
    team.warnings = warnings;
    Ok(team)
}

fn read(report: &mut Report, name: &str, front: Front<'_>) -> Team {
    let mut team = Team {
        name: name.to_owned(),
        file: report.file().to_owned(),
        description: front.description,
        default_workflow: name.to_owned(),
        max_concurrency: front.max_concurrency,
        agents: front.agents,
        roles: Vec::new(),
        routing: front.routing,
        warnings: Vec::new(),
    };
    // 'defaultWorkflow' is the one key that only teams have
    if let Some(field) = front.own.into_iter().next() {
        team.default_workflow = field.value;
    }
    for (at, line) in front.body.lines().enumerate() {
        // an indented item belongs to the prose above it
        let Some(item) = line.strip_prefix("- ").or_else(|| line.strip_prefix("* ")) else {
            continue;
        };
        if let Some(role) = role(report, item.trim(), front.body_line + at, &team.roles) {
            team.roles.push(role);
        }
    }
    if team.roles.is_empty() && !report.failed() {
        report.error(front.body_line, "no roles: write '- <role>: agent=<agent>', one a line");
    }
    team
}

fn role(report: &mut Report, item: &str, line: usize, seen: &[Role]) -> Option<Role> {
    let found = item.split_once(':').map(|(name, rest)| (name.trim(), rest.trim()));
    let Some((name, rest)) = found.filter(|(name, _)| is_role_name(name)) else {
        let item = escape::word(item, 40);
        report.error(line, format!("expected '- <role>: agent=<agent>', found '- {item}'"));
        return None;
    };
    if let Some(first) = seen.iter().find(|role| role.name == name) {
        report.error(line, format!("role '{name}' is set twice, first on line {}", first.line));
        return None;
    }
    let mut role = Role {
        name: name.to_owned(),
        persona: name.to_owned(),
        skills: None,
        description: String::new(),
        line,
    };
    let mut rest = rest;
    while let Some((key, value, after)) = attribute(rest) {
        let field = Field { key: key.to_owned(), value, line };
        if keys::judge(report, ROLE_KEYS, &field) {
            match field.key.as_str() {
                "skills" => role.skills = Some(keys::skills(report, &field)),
                _ => role.persona = field.value,
            }
        }
        rest = after;
    }
    role.description = rest.to_owned();
    Some(role)
}

fn is_role_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 64
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

/// Takes one `key=value` off the front; the description begins where none is.
fn attribute(text: &str) -> Option<(&str, String, &str)> {
    let (key, rest) = text.split_once('=')?;
    let good = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric());
    let quoted = rest.strip_prefix('"').and_then(|inner| inner.split_once('"'));
    let (value, after) =
        quoted.unwrap_or_else(|| rest.split_once(char::is_whitespace).unwrap_or((rest, "")));
    good.then(|| (key, value.to_owned(), after.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "---
name: small
defaultWorkflow: quick
maxConcurrency: 3
agent: claude, codex
workspaceMode: single
---
# Small

Words for people.

- explorer: agent=scout model=fast reads first, a=b
- executor: does it
";

    #[test]
    fn reads_roles() {
        let team = parse("small.team.md", "small", FILE).expect("a good file");
        assert_eq!(team.default_workflow, "quick");
        assert_eq!(team.max_concurrency, Some(3));
        assert_eq!(team.agents, ["claude", "codex"]);
        let roles: Vec<_> = team
            .roles
            .iter()
            .map(|r| (r.name.as_str(), r.persona.as_str(), r.description.as_str(), r.line))
            .collect();
        assert_eq!(
            roles,
            [
                ("explorer", "scout", "reads first, a=b", 12),
                ("executor", "executor", "does it", 13)
            ]
        );
        let warned: Vec<usize> = team.warnings.iter().map(|one| one.line).collect();
        assert_eq!(warned, [6, 12]);
        assert_eq!(team.nearest("explroer"), Some("explorer"));
    }

    fn first(text: &str) -> String {
        parse("t.team.md", "t", text).unwrap_err()[0].to_string()
    }

    #[test]
    fn bad_teams() {
        insta::assert_snapshot!(first("---\nname: t\n---\n"), @"t.team.md:4: error: no roles: write '- <role>: agent=<agent>', one a line");
        insta::assert_snapshot!(first("---\n---\n- a b\n"), @"t.team.md:3: error: expected '- <role>: agent=<agent>', found '- a b'");
        insta::assert_snapshot!(first("---\n---\n- a: agent=x\n- a: agent=y\n"), @"t.team.md:4: error: role 'a' is set twice, first on line 3");
        insta::assert_snapshot!(first("---\n---\n- a: agnt=x\n"), @"t.team.md:3: error: unknown key 'agnt'; did you mean 'agent'?");
        insta::assert_snapshot!(first("---\nmaxConcurrency: 0\n---\n- a: agent=x\n"), @"t.team.md:2: error: 'maxConcurrency' must be a number from 1 to 64, not '0'");
    }

    #[test]
    fn another_name_is_pointed_out() {
        let team = parse("t.team.md", "t", "---\nname: other\n---\n- a: x\n").expect("usable");
        assert!(team.warnings[0].cause.contains("known as 't'"));
    }
}
