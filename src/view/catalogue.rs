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
    let (what, how) = match &program.command {
        Some(command) => {
            (command.clone(), format!("prompt by {}", program.prompt.unwrap_or("stdin")))
        }
        None => ("runs the last 'sh' block of a task's text".to_owned(), "embedded".to_owned()),
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
