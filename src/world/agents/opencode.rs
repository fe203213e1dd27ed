//! What `opencode run --format json` prints.
//!
//! It tells nothing while it tries again by itself, nor when a tool starts: a
//! tool is told when it has ended.

use serde::Deserialize;

use crate::domain::attempt::FailureClass;
use crate::domain::usage::Usage;

use super::loose::{Arguments, Fields, Loose};
use super::stream::{Format, Story};

#[derive(Default)]
pub(super) struct Opencode {
    /// Something was said since the last step began.
    said: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Event {
    #[serde(rename = "type")]
    kind: Loose,
    #[serde(rename = "sessionID")]
    session: Loose,
    part: Fields<Part>,
    error: Fields<Fault>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Fault {
    name: Loose,
    data: Fields<FaultData>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct FaultData {
    message: Loose,
    #[serde(rename = "statusCode")]
    status: Loose,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Part {
    #[serde(rename = "callID")]
    call: Loose,
    tool: Loose,
    state: Fields<State>,
    text: Loose,
    synthetic: Loose,
    reason: Loose,
    tokens: Fields<Tokens>,
    cost: Loose,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct State {
    status: Loose,
    input: Fields<Arguments>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Tokens {
    input: Loose,
    output: Loose,
    reasoning: Loose,
    cache: Fields<Cache>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Cache {
    read: Loose,
    write: Loose,
}

impl Tokens {
    fn usage(&self) -> Usage {
        let cache = self.cache.0.as_ref();
        Usage {
            input: self.input.count().saturating_add(cache.map_or(0, |cache| cache.write.count())),
            output: self.output.count().saturating_add(self.reasoning.count()),
            cached: cache.map_or(0, |cache| cache.read.count()),
            cost_micro: None,
        }
    }
}

impl Format for Opencode {
    fn line(&mut self, line: &[u8], story: &mut Story) -> bool {
        let Ok(event) = serde_json::from_slice::<Event>(line) else { return false };
        if let Some(session) = event.session.text() {
            story.session(session);
        }
        match (event.kind.text(), event.part.0.as_ref()) {
            (Some("step_start"), _) => {
                self.said = false;
                story.begins();
            }
            (Some("tool_use"), Some(part)) => tool(part, story),
            (Some("text"), Some(part)) if !part.synthetic.is_true() => {
                let text = part.text.text().unwrap_or_default();
                if self.said {
                    story.says_more(text);
                } else {
                    story.says(text);
                }
                self.said = true;
            }
            (Some("step_finish"), Some(part)) => {
                if let Some(tokens) = &part.tokens.0 {
                    story.used(tokens.usage().priced(part.cost.number()));
                }
                story.mended();
                if part.reason.text() == Some("tool-calls") {
                    story.go_on();
                } else {
                    story.ends();
                }
            }
            (Some("error"), _) => failed(event.error.0.as_ref(), story),
            (Some(_), _) => {}
            (None, _) => return false,
        }
        true
    }
}

fn tool(part: &Part, story: &mut Story) {
    let name = part.tool.text().unwrap_or("a tool");
    let id = part.call.text().unwrap_or(name);
    let state = part.state.0.as_ref();
    story.tool_started(id, name, state.and_then(|state| state.input.subject()));
    let status = state.and_then(|state| state.status.text());
    if matches!(status, Some("completed" | "error")) {
        story.tool_ended(id);
    }
}

fn failed(fault: Option<&Fault>, story: &mut Story) {
    let Some(fault) = fault else { return };
    let name = fault.name.text().unwrap_or("error");
    let data = fault.data.0.as_ref();
    let text = match data.and_then(|data| data.message.said()) {
        Some(message) => format!("{name}: {message}"),
        None => name.to_owned(),
    };
    if text.contains("Unexpected server error") {
        // Its own server, not the model's: a missing provider is told like this.
        story.failed_of(FailureClass::Crash, &text);
    } else {
        story.failed(data.and_then(|data| data.status.status()), &text);
    }
    story.ends();
}
