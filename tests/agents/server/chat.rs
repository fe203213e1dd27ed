//! The Chat Completions API of OpenAI, as far as a client reads it.

use serde_json::{Value, json};

use super::api::Call;
use super::script::{Fault, Usage};

fn chunk(id: usize, delta: &Value, reason: Option<&str>) -> Value {
    json!({
        "id": format!("chatcmpl-{id:08}"), "object": "chat.completion.chunk",
        "created": 1_700_000_000, "model": "scripted-model",
        "choices": [{"index": 0, "delta": delta, "finish_reason": reason}],
    })
}

fn usage(usage: Usage) -> Value {
    let input = usage.input + usage.cached;
    json!({
        "prompt_tokens": input, "completion_tokens": usage.output,
        "total_tokens": input + usage.output,
        "prompt_tokens_details": {"cached_tokens": usage.cached},
    })
}

fn reason(calls: &[Call], refused: bool) -> &'static str {
    match calls.iter().any(|call| matches!(call, Call::Tool { .. })) {
        _ if refused => "content_filter",
        true => "tool_calls",
        false => "stop",
    }
}

fn tool(id: usize, index: usize, name: &str, input: &Value) -> Value {
    json!({"index": index, "id": format!("call_{id:04}{index:04}"), "type": "function",
        "function": {"name": name, "arguments": input.to_string()}})
}

pub(super) fn stream(id: usize, calls: &[Call], costs: Usage, refused: bool) -> Vec<String> {
    let mut all = vec![chunk(id, &json!({"role": "assistant", "content": ""}), None)];
    let mut tools = 0;
    for call in calls {
        let delta = match call {
            Call::Text(text) => json!({"content": text}),
            Call::Tool { name, input } => {
                tools += 1;
                json!({"tool_calls": [tool(id, tools - 1, name, input)]})
            }
        };
        all.push(chunk(id, &delta, None));
    }
    all.push(chunk(id, &json!({}), Some(reason(calls, refused))));
    let mut last = chunk(id, &json!({}), None);
    last["choices"] = json!([]);
    last["usage"] = usage(costs);
    all.push(last);
    let mut pieces: Vec<String> = all.iter().map(|one| format!("data: {one}\n\n")).collect();
    pieces.push("data: [DONE]\n\n".to_owned());
    pieces
}

pub(super) fn whole(id: usize, calls: &[Call], costs: Usage) -> Value {
    let texts = calls.iter().filter_map(|call| match call {
        Call::Text(text) => Some(text.as_str()),
        Call::Tool { .. } => None,
    });
    let mut message = json!({"role": "assistant", "content": texts.collect::<String>()});
    let tools = calls.iter().enumerate().filter_map(|(index, call)| match call {
        Call::Tool { name, input } => Some(tool(id, index, name, input)),
        Call::Text(_) => None,
    });
    let tools: Vec<Value> = tools.collect();
    if !tools.is_empty() {
        message["tool_calls"] = tools.into();
    }
    json!({
        "id": format!("chatcmpl-{id:08}"), "object": "chat.completion", "created": 1_700_000_000,
        "model": "scripted-model", "usage": usage(costs),
        "choices": [{"index": 0, "message": message, "finish_reason": reason(calls, false)}],
    })
}

/// The errors of both APIs of OpenAI.
pub(super) fn error(fault: Fault) -> Value {
    let (kind, code, text) = match fault {
        Fault::RateLimited(_) => {
            ("requests", "rate_limit_exceeded", "Rate limit reached for requests.")
        }
        Fault::Quota => (
            "insufficient_quota",
            "insufficient_quota",
            "You exceeded your current quota, please check your plan and billing details.",
        ),
        Fault::Overloaded => {
            ("service_unavailable", "server_is_overloaded", "The server is overloaded.")
        }
        Fault::Unauthorized => {
            ("invalid_request_error", "invalid_api_key", "Incorrect API key provided.")
        }
        Fault::TooLong => (
            "invalid_request_error",
            "context_length_exceeded",
            "This model's maximum context length is 128000 tokens, yours has 210000.",
        ),
        _ => ("server_error", "server_error", "The server had an error."),
    };
    json!({"error": {"message": text, "type": kind, "param": null, "code": code}})
}
