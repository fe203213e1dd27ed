//! The Messages API of Anthropic, as far as a client reads it.

use serde_json::{Value, json};

use super::api::Call;
use super::script::{Fault, Usage};

fn event(value: &Value) -> String {
    format!("event: {}\ndata: {value}\n\n", value["type"].as_str().unwrap_or_default())
}

fn usage(usage: Usage, output: u64) -> Value {
    json!({
        "input_tokens": usage.input,
        "cache_read_input_tokens": usage.cached,
        "cache_creation_input_tokens": 0,
        "output_tokens": output,
    })
}

fn reason(calls: &[Call], refused: bool) -> &'static str {
    match calls.iter().any(|call| matches!(call, Call::Tool { .. })) {
        _ if refused => "refusal",
        true => "tool_use",
        false => "end_turn",
    }
}

fn head(id: usize, costs: Usage) -> Value {
    json!({
        "id": format!("msg_{id:08}"), "type": "message", "role": "assistant",
        "model": "scripted-model", "content": [], "stop_reason": null, "stop_sequence": null,
        "usage": usage(costs, 1),
    })
}

pub(super) fn stream(id: usize, calls: &[Call], costs: Usage, refused: bool) -> Vec<String> {
    let mut all = vec![json!({"type": "message_start", "message": head(id, costs)})];
    for (index, call) in calls.iter().enumerate() {
        let (block, delta) = match call {
            Call::Text(text) => {
                (json!({"type": "text", "text": ""}), json!({"type": "text_delta", "text": text}))
            }
            Call::Tool { name, input } => (
                json!({"type": "tool_use", "id": format!("toolu_{id:04}{index:04}"),
                    "name": name, "input": {}}),
                json!({"type": "input_json_delta", "partial_json": input.to_string()}),
            ),
        };
        all.push(json!({"type": "content_block_start", "index": index, "content_block": block}));
        all.push(json!({"type": "content_block_delta", "index": index, "delta": delta}));
        all.push(json!({"type": "content_block_stop", "index": index}));
    }
    let stop = json!({"stop_reason": reason(calls, refused), "stop_sequence": null});
    let spent = usage(costs, costs.output);
    all.push(json!({"type": "message_delta", "delta": stop, "usage": spent}));
    all.push(json!({"type": "message_stop"}));
    all.iter().map(event).collect()
}

pub(super) fn whole(id: usize, calls: &[Call], costs: Usage) -> Value {
    let block = |(index, call): (usize, &Call)| match call {
        Call::Text(text) => json!({"type": "text", "text": text}),
        Call::Tool { name, input } => json!({"type": "tool_use",
            "id": format!("toolu_{id:04}{index:04}"), "name": name, "input": input}),
    };
    let mut message = head(id, costs);
    message["content"] = calls.iter().enumerate().map(block).collect();
    message["stop_reason"] = reason(calls, false).into();
    message["usage"] = usage(costs, costs.output);
    message
}

pub(super) fn error(fault: Fault) -> Value {
    let (kind, text) = match fault {
        Fault::RateLimited(_) => ("rate_limit_error", "This request would exceed a rate limit."),
        Fault::Quota => ("rate_limit_error", "You have reached your usage limit."),
        Fault::Overloaded => ("overloaded_error", "Overloaded"),
        Fault::Unauthorized => ("authentication_error", "invalid x-api-key"),
        Fault::TooLong => {
            ("invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum")
        }
        _ => ("api_error", "Internal server error"),
    };
    json!({"type": "error", "error": {"type": kind, "message": text}})
}
