//! What `pi --mode json -p` prints.
//!
//! Partial messages repeat the whole message and are not read. Its exit code is
//! 0 whatever the model's server said.

use serde::Deserialize;

use crate::domain::usage::Usage;

use super::loose::{Arguments, Fields, Loose, Many};
use super::stream::{Format, Story, kind};

#[derive(Default)]
pub(super) struct Pi;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Event {
    #[serde(rename = "type")]
    kind: Loose,
    id: Loose,
    message: Fields<Message>,
    #[serde(rename = "toolCallId")]
    call: Loose,
    #[serde(rename = "toolName")]
    tool: Loose,
    args: Fields<Arguments>,
    #[serde(rename = "delayMs")]
    delay: Loose,
    #[serde(rename = "errorMessage")]
    error: Loose,
    success: Loose,
    #[serde(rename = "finalError")]
    last_error: Loose,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Message {
    role: Loose,
    content: Many<Part>,
    model: Loose,
    usage: Fields<Tokens>,
    #[serde(rename = "stopReason")]
    stop: Loose,
    #[serde(rename = "errorMessage")]
    error: Loose,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Part {
    #[serde(rename = "type")]
    kind: Loose,
    text: Loose,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Tokens {
    input: Loose,
    output: Loose,
    cache_read: Loose,
    cache_write: Loose,
    cost: Fields<Cost>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Cost {
    total: Loose,
}

impl Tokens {
    fn usage(&self) -> Usage {
        let usage = Usage {
            input: self.input.count().saturating_add(self.cache_write.count()),
            output: self.output.count(),
            cached: self.cache_read.count(),
            cost_micro: None,
        };
        usage.priced(self.cost.0.as_ref().and_then(|cost| cost.total.number()))
    }
}

impl Format for Pi {
    fn line(&mut self, line: &[u8], story: &mut Story) -> bool {
        match kind(line) {
            // Most of a stream: each holds all of a message, or of a run, again.
            Some("message_update" | "tool_execution_update" | "turn_end" | "message_start") => {
                return true;
            }
            Some("agent_end") => {
                story.ends();
                return true;
            }
            Some(_) | None => {}
        }
        let Ok(event) = serde_json::from_slice::<Event>(line) else { return false };
        match event.kind.text() {
            Some("session") => story.session(event.id.text().unwrap_or_default()),
            Some("agent_start" | "turn_start" | "compaction_start") => story.begins(),
            Some("message_end") => ended(event.message.0.as_ref(), story),
            Some("tool_execution_start") => {
                let name = event.tool.text().unwrap_or("a tool");
                story.tool_started(event.call.text().unwrap_or(name), name, event.args.subject());
            }
            Some("tool_execution_end") => {
                let name = event.tool.text().unwrap_or("a tool");
                story.tool_ended(event.call.text().unwrap_or(name));
            }
            Some("auto_retry_start") => {
                let why = event.error.text().unwrap_or("the server failed");
                story.begins();
                story.waits(event.delay.number(), why);
            }
            Some("auto_retry_end") if !event.success.is_true() => {
                story.failed(None, event.last_error.text().unwrap_or_default());
                story.ends();
            }
            Some("agent_end") => story.ends(),
            Some(_) => {}
            None => return false,
        }
        true
    }
}

fn ended(message: Option<&Message>, story: &mut Story) {
    let Some(message) = message.filter(|one| one.role.text() == Some("assistant")) else { return };
    if let Some(model) = message.model.text() {
        story.model(model);
    }
    if let Some(tokens) = &message.usage.0 {
        story.used(tokens.usage());
    }
    if message.stop.text() == Some("error") {
        story.failed(None, message.error.text().unwrap_or_default());
        return;
    }
    story.mended();
    let texts = message.content.0.iter().filter(|part| part.kind.text() == Some("text"));
    let texts: Vec<&str> = texts.filter_map(|part| part.text.said()).collect();
    story.says(&texts.join("\n"));
}
