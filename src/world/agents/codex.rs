//! What `codex exec --json` prints.
//!
//! Its tokens are those of the whole session: what an earlier attempt used of it
//! is taken off by whoever knows that (`Adapter::counts_session`). It tells no
//! price and no model.

use serde::Deserialize;

use crate::domain::usage::Usage;

use super::loose::{Fields, Loose, Many};
use super::stream::{Format, Story};

#[derive(Default)]
pub(super) struct Codex;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Event {
    #[serde(rename = "type")]
    kind: Loose,
    thread_id: Loose,
    message: Loose,
    item: Fields<Item>,
    usage: Fields<Tokens>,
    error: Fields<Fault>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Fault {
    message: Loose,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Item {
    id: Loose,
    #[serde(rename = "type")]
    kind: Loose,
    text: Loose,
    command: Loose,
    server: Loose,
    tool: Loose,
    query: Loose,
    changes: Many<Change>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Change {
    path: Loose,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Tokens {
    input_tokens: Loose,
    cached_input_tokens: Loose,
    output_tokens: Loose,
}

impl Tokens {
    fn usage(&self) -> Usage {
        let cached = self.cached_input_tokens.count();
        Usage {
            input: self.input_tokens.count().saturating_sub(cached),
            output: self.output_tokens.count(),
            cached,
            cost_micro: None,
        }
    }
}

impl Format for Codex {
    fn line(&mut self, line: &[u8], story: &mut Story) -> bool {
        let Ok(event) = serde_json::from_slice::<Event>(line) else { return false };
        let words = || event.error.0.as_ref().and_then(|fault| fault.message.text());
        match event.kind.text() {
            Some("thread.started") => story.session(event.thread_id.text().unwrap_or_default()),
            Some("turn.started") => story.begins(),
            Some("item.started") => started(event.item.0.as_ref(), story),
            Some("item.completed") => completed(event.item.0.as_ref(), story),
            Some("turn.completed") => {
                if let Some(tokens) = &event.usage.0 {
                    story.used_in_all(tokens.usage());
                }
                story.mended();
                story.ends();
            }
            Some("turn.failed") => {
                story.failed(None, words().unwrap_or_default());
                story.ends();
            }
            Some("error") => {
                let text = event.message.text().or_else(words).unwrap_or_default();
                story.failed(None, text);
                if text.starts_with("Reconnecting") {
                    // How long it waits it does not tell; it is seconds.
                    story.waits(None, text);
                }
            }
            Some(_) => {}
            None => return false,
        }
        true
    }
}

/// A tool's name and what it is used on; `None` for what is no tool.
fn tool(item: &Item) -> Option<(&str, Option<&str>)> {
    match item.kind.text()? {
        "command_execution" => Some(("shell", item.command.text())),
        "file_change" => Some(("edit", item.changes.0.first().and_then(|one| one.path.text()))),
        "mcp_tool_call" => Some((item.server.text().unwrap_or("mcp"), item.tool.text())),
        "web_search" => Some(("search", item.query.text())),
        _ => None,
    }
}

fn started(item: Option<&Item>, story: &mut Story) {
    let Some(item) = item else { return };
    if let Some((name, on)) = tool(item) {
        story.tool_started(item.id.text().unwrap_or_default(), name, on);
    }
}

fn completed(item: Option<&Item>, story: &mut Story) {
    let Some(item) = item else { return };
    match item.kind.text() {
        Some("agent_message") => {
            story.mended();
            story.says(item.text.text().unwrap_or_default());
        }
        Some("reasoning") => story.go_on(),
        Some(_) if tool(item).is_some() => {
            story.tool_ended(item.id.text().unwrap_or_default());
        }
        // An item of type 'error' is a warning: the turn goes on.
        Some(_) | None => {}
    }
}
