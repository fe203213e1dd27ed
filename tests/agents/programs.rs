//! The four programs: where they are, what they are told to stay within, how
//! they are called. Each gets a home, a state folder and a configuration that
//! knows one server, the scripted one; nothing of a real login is in reach. Where
//! a program can be told how often to try again by itself, it is told twice.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::server::Server;

/// The version that `package.json` pins, by package.
const PACKAGES: &str = include_str!("package.json");

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Program {
    Claude,
    Codex,
    Pi,
    Opencode,
}

impl Program {
    pub(crate) const ALL: [Self; 4] = [Self::Claude, Self::Codex, Self::Pi, Self::Opencode];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Claude => "claude",
            Self::Codex => "codex",
            Self::Pi => "pi",
            Self::Opencode => "opencode",
        }
    }

    /// An id of a session, well-formed, that no session has.
    pub(crate) fn unknown_session(self) -> &'static str {
        match self {
            Self::Opencode => "ses_e012dc95bffe5l1VjTSzI2zfGJ",
            Self::Claude | Self::Codex | Self::Pi => "5819367b-87b5-4a84-9547-d01d130f6662",
        }
    }

    fn package(self) -> &'static str {
        match self {
            Self::Claude => "@anthropic-ai/claude-code",
            Self::Codex => "@openai/codex",
            Self::Pi => "@earendil-works/pi-coding-agent",
            Self::Opencode => "opencode-ai",
        }
    }

    /// The version that is to be tried.
    pub(crate) fn pinned(self) -> String {
        let packages: serde_json::Value = serde_json::from_str(PACKAGES).expect("JSON");
        packages["dependencies"][self.package()].as_str().expect("a version").to_owned()
    }
}

/// Where the programs are installed.
pub(crate) fn top() -> PathBuf {
    std::env::var_os("CREW_AGENTS").expect("CREW_AGENTS is not set: run 'bash .ci/agents'").into()
}

/// The folder to look them up in.
pub(crate) fn folder() -> PathBuf {
    top().join("node_modules/.bin")
}

/// A home in which one program knows one server, as a user would set it up.
pub(crate) struct Home {
    top: PathBuf,
    program: Program,
}

impl Home {
    /// A new one below `top`.
    pub(crate) fn new(top: &Path, program: Program, server: &Server) -> Self {
        for folder in ["home", "state", "config", "cache", "data", "tmp"] {
            fs::create_dir_all(top.join(folder)).expect("a folder");
        }
        let home = Self { top: top.to_owned(), program };
        match program {
            Program::Claude => {}
            Program::Codex => home.put("home/.codex/config.toml", &codex(&server.url())),
            Program::Pi => {
                home.put("home/.pi/agent/models.json", &pi(&server.url()));
                home.put("home/.pi/agent/settings.json", &pi_settings());
            }
            Program::Opencode => {
                home.put("config/opencode/opencode.json", &opencode(&server.url()));
            }
        }
        home
    }

    fn put(&self, name: &str, text: &str) {
        let path = self.top.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    /// Everything that the program sees of the world.
    pub(crate) fn environment(&self, server: &Server) -> Vec<(String, OsString)> {
        let mut all: Vec<(String, OsString)> = Vec::new();
        let mut set = |name: &str, value: OsString| all.push((name.to_owned(), value));
        let at = |name: &str| self.top.join(name).into_os_string();
        let outer = std::env::var_os("PATH").expect("PATH");
        let path = std::iter::once(folder()).chain(std::env::split_paths(&outer));
        set("PATH", std::env::join_paths(path).expect("a path"));
        set("HOME", at("home"));
        set("TMPDIR", at("tmp"));
        set("LANG", "C.UTF-8".into());
        for (name, folder) in
            [("CONFIG", "config"), ("CACHE", "cache"), ("DATA", "data"), ("STATE", "state")]
        {
            set(&format!("XDG_{name}_HOME"), at(folder));
        }
        for name in ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"] {
            set(name, server.url().into());
        }
        for name in ["NO_PROXY", "no_proxy"] {
            set(name, "127.0.0.1,localhost".into());
        }
        for (name, value) in self.own(server) {
            set(name, value.into());
        }
        all
    }

    /// The variables that this program is set up by.
    pub(crate) fn own(&self, server: &Server) -> Vec<(&'static str, String)> {
        let own = |all: &[(&'static str, &str)]| {
            all.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()
        };
        match self.program {
            Program::Claude => own(&[
                ("ANTHROPIC_BASE_URL", &server.url()),
                (KEYS[0], "scripted"),
                ("ANTHROPIC_MODEL", "claude-sonnet-4-5"),
                ("IS_SANDBOX", "1"),
                ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"),
                ("CLAUDE_CODE_MAX_RETRIES", "2"),
            ]),
            Program::Codex => own(&[(KEYS[1], "scripted")]),
            Program::Pi => own(&[("PI_OFFLINE", "1")]),
            Program::Opencode => {
                own(&[("OPENCODE_DISABLE_AUTOUPDATE", "1"), ("OPENCODE_DISABLE_MODELS_FETCH", "1")])
            }
        }
    }
}

/// The variables that hold a key.
pub(crate) const KEYS: [&str; 2] = ["ANTHROPIC_API_KEY", "OPENAI_API_KEY"];

/// How a call finds the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// With a key and a server.
    Ready,
    /// With neither a key nor a login.
    NoLogin,
}

/// A call.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) prompt: String,
    /// Whether the prompt comes by standard input and not as an argument.
    pub(crate) by_stdin: bool,
    /// The session to go on in.
    pub(crate) session: Option<String>,
    /// More words, before the prompt.
    pub(crate) more: Vec<String>,
    pub(crate) start: Start,
}

impl Ask {
    /// The plain call.
    pub(crate) fn of(prompt: &str) -> Self {
        let prompt = prompt.to_owned();
        Self { prompt, by_stdin: false, session: None, more: Vec::new(), start: Start::Ready }
    }
}

/// The words of a call.
pub(crate) fn words(program: Program, ask: &Ask) -> Vec<String> {
    let model = match (program, ask.start) {
        (Program::Pi, Start::NoLogin) => " --provider anthropic --model claude-sonnet-4-5",
        (Program::Opencode, Start::NoLogin) => " -m anthropic/claude-sonnet-4-5",
        _ => "",
    };
    let line = match program {
        Program::Claude => {
            "-p --output-format stream-json --verbose --dangerously-skip-permissions"
        }
        Program::Codex => "exec --json --dangerously-bypass-approvals-and-sandbox",
        Program::Pi => "--mode json -p",
        Program::Opencode => "run --format json",
    };
    let line = format!("{line}{model}");
    let mut all: Vec<String> = line.split(' ').map(str::to_owned).collect();
    if let Some(id) = &ask.session {
        let word = match program {
            Program::Claude => "--resume",
            Program::Codex => "resume",
            Program::Pi | Program::Opencode => "--session",
        };
        all.extend([word.to_owned(), id.clone()]);
    }
    all.extend(ask.more.clone());
    match program {
        _ if !ask.by_stdin => all.push(ask.prompt.clone()),
        Program::Codex => all.push("-".to_owned()),
        _ => {}
    }
    all
}

fn codex(url: &str) -> String {
    format!(
        "model = \"gpt-5\"\nmodel_provider = \"scripted\"\ncheck_for_update_on_startup = false\n\
         [analytics]\nenabled = false\n\
         [model_providers.scripted]\nname = \"scripted\"\nbase_url = \"{url}/v1\"\n\
         wire_api = \"responses\"\nenv_key = \"OPENAI_API_KEY\"\n\
         request_max_retries = 2\nstream_max_retries = 2\n"
    )
}

fn pi(url: &str) -> String {
    let model = json!({
        "id": "scripted-model", "name": "scripted", "contextWindow": 200_000, "maxTokens": 8000,
        "cost": {"input": 3.0, "output": 15.0, "cacheRead": 0.3, "cacheWrite": 3.75},
    });
    json!({"providers": {"scripted": {
        "baseUrl": format!("{url}/v1"), "api": "openai-completions", "apiKey": "scripted",
        "models": [model],
    }}})
    .to_string()
}

fn pi_settings() -> String {
    json!({
        "defaultProvider": "scripted", "defaultModel": "scripted-model",
        "retry": {"maxRetries": 2, "baseDelayMs": 500},
    })
    .to_string()
}

fn opencode(url: &str) -> String {
    let model = json!({
        "name": "scripted", "limit": {"context": 200_000, "output": 8000},
        "cost": {"input": 3.0, "output": 15.0, "cache_read": 0.3, "cache_write": 3.75},
    });
    json!({
        "share": "disabled", "autoupdate": false, "model": "scripted/scripted-model",
        "provider": {"scripted": {
            "npm": "@ai-sdk/openai-compatible", "name": "scripted",
            "options": {"baseURL": format!("{url}/v1"), "apiKey": "scripted"},
            "models": {"scripted-model": model},
        }},
    })
    .to_string()
}
