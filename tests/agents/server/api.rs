//! What the three APIs have in common, for the server's one way through a
//! request.

use serde_json::{Value, json};

use super::script::{Fault, Part, Usage};
use super::{chat, messages, responses};

/// The program whose tools a request offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tools {
    Claude,
    Codex,
    Pi,
    Opencode,
}

/// A dialect that a request is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Api {
    Messages,
    Responses,
    Chat,
}

/// A refusal as HTTP sees it.
pub(crate) struct Refusal {
    pub(crate) code: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Value,
}

impl Api {
    /// The dialect of a path.
    pub(crate) fn of(path: &str) -> Option<Self> {
        match path.split('?').next().unwrap_or_default() {
            "/v1/messages" => Some(Self::Messages),
            "/v1/responses" => Some(Self::Responses),
            "/v1/chat/completions" => Some(Self::Chat),
            _ => None,
        }
    }

    /// How often the model has spoken in what this request repeats.
    pub(crate) fn spoken(self, body: &Value) -> usize {
        match self {
            Self::Messages | Self::Chat => {
                let all = body["messages"].as_array().map_or(&[][..], Vec::as_slice);
                all.iter().filter(|one| one["role"] == "assistant").count()
            }
            Self::Responses => responses::spoken(body),
        }
    }

    /// The names of the tools that a request offers.
    pub(crate) fn offered(body: &Value) -> Vec<String> {
        let all = body["tools"].as_array().map_or(&[][..], Vec::as_slice);
        let name = |tool: &Value| {
            let name = tool["name"].as_str().or(tool["function"]["name"].as_str());
            name.or(tool["type"].as_str()).map(str::to_owned)
        };
        all.iter().filter_map(name).collect()
    }

    /// Whose tools they are.
    pub(crate) fn tools(self, offered: &[String]) -> Tools {
        match self {
            Self::Messages => Tools::Claude,
            Self::Responses => Tools::Codex,
            Self::Chat if offered.iter().any(|name| name == "webfetch") => Tools::Opencode,
            Self::Chat => Tools::Pi,
        }
    }

    /// A reply as the pieces of its stream.
    pub(crate) fn stream(self, id: usize, calls: &[Call], usage: Usage) -> Vec<String> {
        match self {
            Self::Messages => messages::stream(id, calls, usage, false),
            Self::Responses => responses::stream(id, calls, usage, false),
            Self::Chat => chat::stream(id, calls, usage, false),
        }
    }

    /// A stream in which the model declines, or a filter does so for it.
    pub(crate) fn refusing(self, id: usize, filtered: bool) -> Vec<String> {
        let text = [Call::Text("I can't help with that.".to_owned())];
        match self {
            Self::Messages => messages::stream(id, &text, super::script::USAGE, true),
            Self::Responses if filtered => responses::stream(id, &text, super::script::USAGE, true),
            Self::Responses => responses::declined(id),
            Self::Chat => chat::stream(id, &text, super::script::USAGE, true),
        }
    }

    /// A reply at once, for who asked for no stream.
    pub(crate) fn whole(self, id: usize, calls: &[Call], usage: Usage) -> Value {
        match self {
            Self::Messages => messages::whole(id, calls, usage),
            Self::Responses => responses::whole(id, calls, usage),
            Self::Chat => chat::whole(id, calls, usage),
        }
    }

    /// A fault that is told by the status, as this API words it.
    pub(crate) fn refusal(self, fault: Fault) -> Option<Refusal> {
        let code = match fault {
            Fault::RateLimited(_) | Fault::Quota => 429,
            Fault::Overloaded if self == Self::Messages => 529,
            Fault::Overloaded => 503,
            Fault::Internal => 500,
            Fault::Unauthorized => 401,
            Fault::TooLong => 400,
            Fault::Broken | Fault::Refused | Fault::Filtered | Fault::Hang => return None,
        };
        let mut headers = Vec::new();
        if let Fault::RateLimited(seconds) = fault {
            headers.push(("retry-after", seconds.to_string()));
        }
        let body = match self {
            Self::Messages => messages::error(fault),
            Self::Responses | Self::Chat => chat::error(fault),
        };
        Some(Refusal { code, headers, body })
    }
}

/// A part of a reply in the words of one program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Text(String),
    Tool { name: &'static str, input: Value },
}

/// A part as the program with these tools is told it.
pub(crate) fn call(part: &Part, tools: Tools) -> Call {
    let tool = |name, input| Call::Tool { name, input };
    let path_word = match tools {
        Tools::Claude => "file_path",
        Tools::Opencode => "filePath",
        Tools::Codex | Tools::Pi => "path",
    };
    match (part, tools) {
        (Part::Text(text), _) => Call::Text(text.clone()),
        (part, Tools::Codex) => tool("exec_command", json!({"cmd": command(part)})),
        (Part::Shell(line), _) => {
            let name = if tools == Tools::Claude { "Bash" } else { "bash" };
            tool(name, json!({"command": line, "description": "scripted"}))
        }
        (Part::Write(path, text), _) => {
            let name = if tools == Tools::Claude { "Write" } else { "write" };
            tool(name, json!({path_word: path, "content": text}))
        }
        (Part::Read(path), _) => {
            let name = if tools == Tools::Claude { "Read" } else { "read" };
            tool(name, json!({path_word: path}))
        }
        (Part::Edit(path, old, new), Tools::Claude) => {
            tool("Edit", json!({"file_path": path, "old_string": old, "new_string": new}))
        }
        (Part::Edit(path, old, new), Tools::Opencode) => {
            tool("edit", json!({"filePath": path, "oldString": old, "newString": new}))
        }
        (Part::Edit(path, old, new), Tools::Pi) => {
            tool("edit", json!({"path": path, "edits": [{"oldText": old, "newText": new}]}))
        }
    }
}

/// codex does everything by its shell; a patch comes as a here-document.
fn command(part: &Part) -> String {
    let patch =
        |hunk: &str| format!("apply_patch <<'EOF'\n*** Begin Patch\n{hunk}*** End Patch\nEOF");
    match part {
        Part::Text(line) | Part::Shell(line) => line.clone(),
        Part::Read(path) => format!("cat '{path}'"),
        Part::Write(path, text) => {
            let added: String = text.lines().map(|line| format!("+{line}\n")).collect();
            patch(&format!("*** Add File: {path}\n{added}"))
        }
        Part::Edit(path, old, new) => {
            patch(&format!("*** Update File: {path}\n@@\n-{old}\n+{new}\n"))
        }
    }
}
