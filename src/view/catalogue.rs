//! What there is to choose from: teams, workflows, agents, and the programs that
//! play them.

use serde::Serialize;

use super::text::{Label, Line, Text, table};
use crate::domain::plan::Where;

/// One file of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Item {
    /// Its name.
    pub name: String,
    /// Where it comes from.
    pub source: Where,
    /// What it is for; what is wrong when it can't be used.
    pub description: String,
    /// It can be used.
    pub usable: bool,
    /// Files of the same name that are not used because of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hides: Vec<Where>,
}

/// A program that can play a role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Program {
    /// Its name, as `--agent` takes it.
    pub name: String,
    /// The command line; `None` for the embedded one.
    pub command: Option<String>,
    /// How it gets its prompt.
    pub prompt: Option<&'static str>,
    /// What is known of it, if git-crew knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub known: Option<Known>,
}

/// A program that git-crew knows how to talk to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Known {
    /// The name of its row.
    pub adapter: &'static str,
    /// Where it is; `None` when it is not installed.
    pub installed: Option<String>,
    /// The version that is known to work.
    pub tried: &'static str,
    /// The command that installs it.
    pub install: &'static str,
    /// The command by which a person logs in.
    pub login: &'static str,
    /// The words of a call.
    pub call: String,
    /// The flags among them without which it edits nothing.
    pub edits: &'static [&'static str],
    /// How it goes on with a session.
    pub resume: Option<String>,
    /// Variables that are set for it.
    pub sets: Vec<String>,
    /// Your variables that it sees and that hold secrets.
    pub secrets: &'static [&'static str],
    /// Other variables of yours that it sees.
    pub names: &'static [&'static str],
    /// Where it keeps its state.
    pub state: Vec<String>,
}

impl Known {
    /// Everything that is known, a line for each.
    #[must_use]
    pub fn text(&self, name: &str) -> Text {
        let words = |all: &[&str]| if all.is_empty() { "none".to_owned() } else { all.join(" ") };
        let many = |all: &[String]| if all.is_empty() { "none".to_owned() } else { all.join(", ") };
        let missing = format!("no: {}", self.install);
        let rows = [
            ("agent", name.to_owned()),
            ("installed", self.installed.clone().unwrap_or(missing)),
            ("known to work", format!("{} {}", self.adapter, self.tried)),
            ("login", self.login.to_owned()),
            ("call", self.call.clone()),
            ("needed to edit", words(self.edits)),
            ("prompt", "standard input".to_owned()),
            ("goes on by", self.resume.clone().unwrap_or_else(|| "never".to_owned())),
            ("sets", many(&self.sets)),
            ("sees (secret)", words(self.secrets)),
            ("sees", words(self.names)),
            ("state", many(&self.state)),
        ];
        let row = |(what, value): (&str, String)| {
            vec![Line::new().with(Label::Dim, what), Line::plain(&value)]
        };
        table(rows.into_iter().map(row).collect())
    }
}

/// A listing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Catalogue {
    /// The files, by name.
    pub files: Vec<Item>,
    /// The programs, for a listing of agents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub programs: Option<Vec<Program>>,
}

impl Catalogue {
    /// Name, source and purpose of each.
    #[must_use]
    pub fn text(&self) -> Text {
        let mut text = table(self.files.iter().map(row).collect());
        for item in &self.files {
            for hidden in &item.hides {
                let words = format!("'{}' ({}) hides the one {hidden}", item.name, item.source);
                text.push(Line::new().with(Label::Warn, "note: ").with(Label::Plain, &words));
            }
        }
        let Some(programs) = &self.programs else { return text };
        text.gap();
        text.push(Line::new().with(Label::Strong, "programs that play them"));
        text.append(table(programs.iter().map(program).collect()));
        text
    }
}

fn row(item: &Item) -> Vec<Line> {
    let what = if item.usable { Label::Plain } else { Label::Bad };
    let description = item.description.lines().next().unwrap_or_default();
    vec![
        Line::new().with(Label::Id, &item.name),
        Line::new().with(Label::Dim, &item.source.to_string()),
        Line::new().with(what, description),
    ]
}

fn program(program: &Program) -> Vec<Line> {
    let (what, how) = match (&program.command, &program.known) {
        (_, Some(known)) => match &known.installed {
            Some(path) => (path.clone(), "installed".to_owned()),
            None => (known.install.to_owned(), "not installed".to_owned()),
        },
        (Some(command), None) => {
            (command.clone(), format!("prompt by {}", program.prompt.unwrap_or("stdin")))
        }
        (None, None) => {
            ("runs the last 'sh' block of a task's text".to_owned(), "embedded".to_owned())
        }
    };
    vec![
        Line::new().with(Label::Id, &program.name),
        Line::new().with(Label::Dim, &how),
        Line::plain(&what),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hides_something_says_so() {
        let item = Item {
            name: "default".into(),
            source: Where::User { path: "/c/teams/default.team.md".into() },
            description: "mine\u{1b}[2J\nmore".into(),
            usable: true,
            hides: vec![Where::Shipped],
        };
        let program = |name: &str, command: Option<&str>| Program {
            name: name.into(),
            command: command.map(str::to_owned),
            prompt: command.map(|_| "file"),
            known: None,
        };
        let programs = Some(vec![program("sh", None), program("x", Some("x -p"))]);
        let shown = Catalogue { files: vec![item], programs }.text().to_plain();
        insta::assert_snapshot!(shown, @r"
        default  /c/teams/default.team.md  mine\x1b[2J
        note: 'default' (/c/teams/default.team.md) hides the one shipped

        programs that play them
        sh  embedded        runs the last 'sh' block of a task's text
        x   prompt by file  x -p
        ");
    }
}
