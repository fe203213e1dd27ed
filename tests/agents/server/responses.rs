//! The Responses API of OpenAI, as far as a client reads it.

use serde_json::{Value, json};

use super::api::Call;
use super::script::Usage;

/// What the model said stands in a request as runs of items of its own, with
/// what it was told between them.
pub(super) fn spoken(body: &Value) -> usize {
    let all = body["input"].as_array().map_or(&[][..], Vec::as_slice);
    let own = |item: &Value| match item["type"].as_str() {
        Some("function_call" | "custom_tool_call" | "reasoning") => true,
        Some("message") | None => item["role"] == "assistant",
        _ => false,
    };
    let mut before = false;
    let mut runs = 0;
    for item in all {
        let own = own(item);
        runs += usize::from(own && !before);
        before = own;
    }
    runs
}

fn event(value: &Value) -> String {
    format!("event: {}\ndata: {value}\n\n", value["type"].as_str().unwrap_or_default())
}

fn usage(usage: Usage) -> Value {
    let input = usage.input + usage.cached;
    json!({
        "input_tokens": input,
        "input_tokens_details": {"cached_tokens": usage.cached},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": input + usage.output,
    })
}

fn item(id: usize, index: usize, call: &Call) -> Value {
    match call {
        Call::Text(text) => json!({
            "type": "message", "role": "assistant", "id": format!("msg_{id:04}{index:04}"),
            "content": [{"type": "output_text", "text": text, "annotations": []}],
        }),
        Call::Tool { name, input } => json!({
            "type": "function_call", "id": format!("fc_{id:04}{index:04}"),
            "call_id": format!("call_{id:04}{index:04}"),
            "name": name, "arguments": input.to_string(),
        }),
    }
}

fn response(id: usize, status: &str, output: &[Value]) -> Value {
    json!({
        "id": format!("resp_{id:08}"), "object": "response", "status": status,
        "model": "scripted-model", "output": output,
    })
}

pub(super) fn stream(id: usize, calls: &[Call], costs: Usage, refused: bool) -> Vec<String> {
    let begun = response(id, "in_progress", &[]);
    let mut all = vec![json!({"type": "response.created", "response": begun})];
    let mut output = Vec::new();
    for (index, call) in calls.iter().enumerate() {
        let item = item(id, index, call);
        let mut empty = item.clone();
        if let Call::Text(text) = call {
            empty["content"] = json!([]);
            all.push(json!({"type": "response.output_item.added", "output_index": index,
                "item": empty}));
            all.push(json!({"type": "response.output_text.delta", "output_index": index,
                "item_id": item["id"], "content_index": 0, "delta": text}));
        } else {
            empty["arguments"] = "".into();
            all.push(json!({"type": "response.output_item.added", "output_index": index,
                "item": empty}));
        }
        all.push(json!({"type": "response.output_item.done", "output_index": index,
            "item": item}));
        output.push(item);
    }
    let kind = if refused { "incomplete" } else { "completed" };
    let mut ended = response(id, kind, &output);
    ended["usage"] = usage(costs);
    if refused {
        ended["incomplete_details"] = json!({"reason": "content_filter"});
    }
    all.push(json!({"type": format!("response.{kind}"), "response": ended}));
    all.iter().map(event).collect()
}

/// A reply that fails because of what was asked.
pub(super) fn declined(id: usize) -> Vec<String> {
    let begun = response(id, "in_progress", &[]);
    let mut failed = response(id, "failed", &[]);
    let words = "Your prompt was flagged as potentially violating our usage policy.";
    failed["error"] = json!({"code": "invalid_prompt", "message": words});
    let all = [
        json!({"type": "response.created", "response": begun}),
        json!({"type": "response.failed", "response": failed}),
    ];
    all.iter().map(event).collect()
}

pub(super) fn whole(id: usize, calls: &[Call], costs: Usage) -> Value {
    let output: Vec<Value> =
        calls.iter().enumerate().map(|(index, call)| item(id, index, call)).collect();
    let mut whole = response(id, "completed", &output);
    whole["usage"] = usage(costs);
    whole
}
