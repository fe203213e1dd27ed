//! What `claude -p --output-format stream-json --verbose` prints.
//!
//! The sums of its last event count; what is added up before is for those who
//! watch, and for an attempt that never came to its last event: its output
//! tokens are then too few, for the program tells them only in the end.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::domain::attempt::FailureClass;
use crate::domain::usage::Usage;

use super::loose::{Arguments, Fields, Loose, Many};
use super::stream::{Format, Story, kind};

#[derive(Default)]
pub(super) struct Claude {
    /// The message whose tokens were counted last: each of its parts repeats them.
    counted: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Event {
    #[serde(rename = "type")]
    kind: Loose,
    subtype: Loose,
    session_id: Loose,
    model: Loose,
    claude_code_version: Loose,
    retry_delay_ms: Loose,
    error_status: Loose,
    error: Loose,
    message: Fields<Message>,
    is_error: Loose,
    api_error_status: Loose,
    stop_reason: Loose,
    result: Loose,
    errors: Many<Loose>,
    total_cost_usd: Loose,
    usage: Fields<Tokens>,
    #[serde(rename = "modelUsage")]
    models: Fields<BTreeMap<String, ModelTokens>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Message {
    id: Loose,
    model: Loose,
    content: Many<Part>,
    usage: Fields<Tokens>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Part {
    #[serde(rename = "type")]
    kind: Loose,
    text: Loose,
    id: Loose,
    name: Loose,
    input: Fields<Arguments>,
    tool_use_id: Loose,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Tokens {
    input_tokens: Loose,
    output_tokens: Loose,
    cache_read_input_tokens: Loose,
    cache_creation_input_tokens: Loose,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ModelTokens {
    input_tokens: Loose,
    output_tokens: Loose,
    cache_read_input_tokens: Loose,
    cache_creation_input_tokens: Loose,
}

fn usage(fresh: [&Loose; 2], output: &Loose, cached: &Loose) -> Usage {
    let [input, written] = fresh.map(Loose::count);
    Usage {
        input: input.saturating_add(written),
        output: output.count(),
        cached: cached.count(),
        cost_micro: None,
    }
}

impl Tokens {
    fn usage(&self) -> Usage {
        let fresh = [&self.input_tokens, &self.cache_creation_input_tokens];
        usage(fresh, &self.output_tokens, &self.cache_read_input_tokens)
    }
}

impl ModelTokens {
    fn usage(&self) -> Usage {
        let fresh = [&self.input_tokens, &self.cache_creation_input_tokens];
        usage(fresh, &self.output_tokens, &self.cache_read_input_tokens)
    }
}

impl Format for Claude {
    fn line(&mut self, line: &[u8], story: &mut Story) -> bool {
        if kind(line) == Some("stream_event") {
            return true;
        }
        let Ok(event) = serde_json::from_slice::<Event>(line) else { return false };
        if let Some(session) = event.session_id.text() {
            story.session(session);
        }
        match event.kind.text() {
            Some("system") => system(&event, story),
            Some("assistant") => self.assistant(&event, story),
            Some("user") => {
                let parts = event.message.0.iter().flat_map(|message| &message.content.0);
                for id in parts.filter_map(|part| part.tool_use_id.text()) {
                    story.tool_ended(id);
                }
            }
            Some("result") => result(&event, story),
            Some(_) => {}
            None => return false,
        }
        true
    }
}

fn system(event: &Event, story: &mut Story) {
    match event.subtype.text() {
        Some("init") => {
            if let Some(model) = event.model.text() {
                story.model(model);
            }
            if let Some(version) = event.claude_code_version.text() {
                story.version(version);
            }
            story.begins();
        }
        Some("api_retry") => {
            let why = event.error.text().unwrap_or("the server failed");
            story.failed(event.error_status.status(), why);
            story.waits(event.retry_delay_ms.number(), why);
        }
        Some(_) | None => {}
    }
}

impl Claude {
    fn assistant(&mut self, event: &Event, story: &mut Story) {
        let Some(message) = &event.message.0 else { return };
        // The program's own words, when it got none.
        if message.model.text() == Some("<synthetic>") {
            return;
        }
        story.mended();
        let id = message.id.text().unwrap_or_default();
        if let Some(tokens) = &message.usage.0
            && id != self.counted
        {
            id.clone_into(&mut self.counted);
            story.used(tokens.usage());
        }
        story.go_on();
        for part in &message.content.0 {
            match part.kind.text() {
                Some("text") => story.says(part.text.text().unwrap_or_default()),
                Some("tool_use") => {
                    let id = part.id.text().unwrap_or_default();
                    let name = part.name.text().unwrap_or("a tool");
                    story.tool_started(id, name, part.input.subject());
                }
                Some(_) | None => {}
            }
        }
    }
}

fn result(event: &Event, story: &mut Story) {
    let said = event.result.said();
    let by_model = event.models.0.iter().flat_map(BTreeMap::values);
    let by_model = by_model.fold(Usage::default(), |sum, model| sum.plus(model.usage()));
    let told = event.usage.0.as_ref().map(Tokens::usage).unwrap_or_default();
    let sum = if by_model.is_nothing() { told } else { by_model };
    story.used_in_all(sum.priced(event.total_cost_usd.number()));
    if !event.is_error.is_true() && event.subtype.text() == Some("success") {
        story.mended();
        story.says(said.unwrap_or_default());
    } else {
        let errors: Vec<&str> = event.errors.0.iter().filter_map(Loose::said).collect();
        let text = said.map_or_else(|| errors.join("; "), str::to_owned);
        let text =
            if text.is_empty() { event.subtype.text().unwrap_or("").to_owned() } else { text };
        if event.stop_reason.text() == Some("refusal") {
            story.failed_of(FailureClass::Refused, &text);
        } else {
            story.failed(event.api_error_status.status(), &text);
        }
    }
    story.ends();
}
