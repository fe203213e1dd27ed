//! What files of a repository would run, for people and for programs.

use serde::Serialize;

use super::text::{Label, Line, Text};
use crate::domain::trust::{File, stops};

/// The most lines of a command that are shown.
const SHOWN: usize = 8;

/// The files, and whether a run of them would stop and ask.
#[derive(Debug, Serialize)]
pub struct TrustView {
    stops: bool,
    files: Vec<FileView>,
}

#[derive(Debug, Serialize)]
struct FileView {
    path: String,
    id: String,
    trusted: bool,
    commands: Vec<CommandView>,
}

#[derive(Debug, Serialize)]
struct CommandView {
    step: String,
    what: &'static str,
    text: String,
}

impl TrustView {
    /// The view of these files.
    #[must_use]
    pub fn new(files: &[File]) -> Self {
        let file = |file: &File| FileView {
            path: file.path.clone(),
            id: file.id.to_string(),
            trusted: file.trusted,
            commands: file
                .commands
                .iter()
                .map(|one| CommandView {
                    step: one.step.clone(),
                    what: one.what.word(),
                    text: one.text.clone(),
                })
                .collect(),
        };
        Self { stops: stops(files), files: files.iter().map(file).collect() }
    }

    /// A line a file and what it would run below it.
    #[must_use]
    pub fn text(&self) -> Text {
        let mut text = Text::new();
        for file in &self.files {
            let (label, word) =
                if file.trusted { (Label::Good, "trusted") } else { (Label::Warn, "not trusted") };
            let line = Line::new().with(Label::Strong, &file.path).with(Label::Plain, "  ");
            let line = line.with(label, word);
            text.push(line.with(Label::Dim, &format!("  {}", short(&file.id))));
            for command in &file.commands {
                command.tell(&mut text);
            }
        }
        text
    }
}

impl CommandView {
    fn tell(&self, text: &mut Text) {
        let head = format!("    {} ({}): ", self.step, self.what);
        let mut lines = self.text.lines();
        let first = lines.next().unwrap_or_default();
        text.push(Line::new().with(Label::Dim, &head).with(Label::Plain, first));
        let rest: Vec<&str> = lines.collect();
        for line in rest.iter().take(SHOWN - 1) {
            text.push(Line::plain("        ").with(Label::Plain, line));
        }
        if rest.len() >= SHOWN {
            let more = format!("        … {} more lines", rest.len() - (SHOWN - 1));
            text.push(Line::new().with(Label::Dim, &more));
        }
    }
}

fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}
