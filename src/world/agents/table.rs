//! The programs that git-crew knows how to talk to: one row each.
//!
//! To add one: a file beside [`claude`](super::claude) that reads its events,
//! and a row here. Everything else follows from the row.
//!
//! All of them take the prompt on standard input: an argument may have 128 KiB.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::stream::{Format, Stream};
use super::{claude, codex, opencode, pi};

/// How a program goes on with a session in another folder than it began in.
#[derive(Clone, Copy, Debug)]
pub struct Resume {
    /// What stands before the session.
    pub args: &'static [&'static str],
    /// The session is named by its file, since the program looks for names in
    /// the folder it works in.
    pub by_file: bool,
    /// The folder of sessions, below the first of [`Adapter::state`].
    pub folder: &'static str,
    /// How many folders deep a session's file is in it.
    pub depth: u32,
}

/// A folder that a program keeps its state in.
#[derive(Clone, Copy, Debug)]
pub struct StateFolder {
    /// The variable that moves it.
    pub variable: &'static str,
    /// Where it is without that, below the home.
    pub default: &'static str,
}

/// A program that git-crew knows.
#[derive(Clone, Copy)]
pub struct Adapter {
    /// Its name, as `--agent` takes it.
    pub name: &'static str,
    /// The program, looked up in `PATH`.
    pub program: &'static str,
    /// The version that the suite with the real programs uses.
    pub tried: &'static str,
    /// The command that installs it.
    pub install: &'static str,
    /// The command by which a person logs in.
    pub login: &'static str,
    /// The words of a headless call.
    pub call: &'static [&'static str],
    /// The flags without which it edits nothing, or asks somebody who isn't there.
    pub edits: &'static [&'static str],
    /// The last words, behind everything else.
    pub last: &'static [&'static str],
    /// How it goes on with a session; `None` when it can't in a new folder.
    pub resume: Option<Resume>,
    /// What it tells of tokens is of the whole session, not of one call.
    pub counts_session: bool,
    /// Variables that are set for it.
    pub sets: &'static [(&'static str, &'static str)],
    /// Variables of the user's that it may see and that hold secrets.
    pub secrets: &'static [&'static str],
    /// Other variables of the user's that it may see.
    pub names: &'static [&'static str],
    /// Where it keeps settings, logins and sessions.
    pub state: &'static [StateFolder],
    format: fn() -> Box<dyn Format>,
}

/// All of them, the best first where nobody names one.
pub const ALL: [&Adapter; 4] = [&CLAUDE, &CODEX, &PI, &OPENCODE];

const CLAUDE: Adapter = Adapter {
    name: "claude",
    program: "claude",
    tried: "2.1.197",
    install: "npm install -g @anthropic-ai/claude-code",
    login: "claude auth login",
    call: &["-p", "--output-format", "stream-json", "--verbose"],
    edits: &["--dangerously-skip-permissions"],
    last: &[],
    resume: Some(Resume { args: &["--resume"], by_file: true, folder: "projects", depth: 2 }),
    counts_session: false,
    // Without the first it refuses the flag above to root.
    sets: &[("IS_SANDBOX", "1"), ("DISABLE_AUTOUPDATER", "1")],
    secrets: &["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN"],
    // Not all of CLAUDE_*: a claude around us puts its own session there.
    names: &[
        "ANTHROPIC_BASE_URL",
        "ANTHROPIC_MODEL",
        "ANTHROPIC_SMALL_FAST_MODEL",
        "ANTHROPIC_DEFAULT_*",
        "ANTHROPIC_CUSTOM_HEADERS",
        "ANTHROPIC_BETAS",
        "API_TIMEOUT_MS",
        "BASH_DEFAULT_TIMEOUT_MS",
        "BASH_MAX_TIMEOUT_MS",
        "CLAUDE_CONFIG_DIR",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
        "CLAUDE_CODE_MAX_OUTPUT_TOKENS",
        "CLAUDE_CODE_MAX_RETRIES",
        "MAX_THINKING_TOKENS",
    ],
    state: &[StateFolder { variable: "CLAUDE_CONFIG_DIR", default: ".claude" }],
    format: || Box::new(claude::Claude::default()),
};

const CODEX: Adapter = Adapter {
    name: "codex",
    program: "codex",
    tried: "0.169.0",
    install: "npm install -g @openai/codex",
    login: "codex login",
    call: &["exec", "--json", "--skip-git-repo-check"],
    // Its own sandbox can't be inside another, and keeps it from committing.
    edits: &["--dangerously-bypass-approvals-and-sandbox"],
    last: &["-"],
    resume: Some(Resume { args: &["resume"], by_file: false, folder: "sessions", depth: 4 }),
    counts_session: true,
    sets: &[],
    secrets: &["OPENAI_API_KEY", "CODEX_API_KEY"],
    names: &["CODEX_HOME", "OPENAI_BASE_URL", "OPENAI_ORGANIZATION", "OPENAI_PROJECT"],
    state: &[StateFolder { variable: "CODEX_HOME", default: ".codex" }],
    format: || Box::new(codex::Codex),
};

const PI: Adapter = Adapter {
    name: "pi",
    program: "pi",
    tried: "0.74.2",
    install: "npm install -g @earendil-works/pi-coding-agent",
    login: "pi (then /login)",
    call: &["--mode", "json", "-p"],
    edits: &[],
    last: &[],
    resume: Some(Resume { args: &["--session"], by_file: true, folder: "sessions", depth: 2 }),
    counts_session: false,
    sets: &[],
    secrets: MODEL_KEYS,
    names: &[
        "AZURE_OPENAI_API_VERSION",
        "AZURE_OPENAI_BASE_URL",
        "AZURE_OPENAI_DEPLOYMENT_NAME_MAP",
        "AZURE_OPENAI_RESOURCE_NAME",
        "CLOUDFLARE_ACCOUNT_ID",
        "CLOUDFLARE_GATEWAY_ID",
        "PI_CODING_AGENT_DIR",
        "PI_OFFLINE",
        "PI_PACKAGE_DIR",
        "PI_TELEMETRY",
    ],
    state: &[StateFolder { variable: "PI_CODING_AGENT_DIR", default: ".pi/agent" }],
    format: || Box::new(pi::Pi),
};

const OPENCODE: Adapter = Adapter {
    name: "opencode",
    program: "opencode",
    tried: "1.18.33",
    install: "npm install -g opencode-ai",
    login: "opencode auth login",
    call: &["run", "--format", "json"],
    // Without it whatever is outside of the worktree is refused, $CREW_OUT too.
    edits: &["--auto"],
    last: &[],
    // In another folder than the session's own it never ends.
    resume: None,
    counts_session: false,
    sets: &[("OPENCODE_DISABLE_AUTOUPDATE", "1")],
    secrets: MODEL_KEYS,
    names: &[
        "AZURE_OPENAI_BASE_URL",
        "AZURE_OPENAI_RESOURCE_NAME",
        "CLOUDFLARE_ACCOUNT_ID",
        "CLOUDFLARE_GATEWAY_ID",
        "OPENCODE_CONFIG",
        "OPENCODE_CONFIG_CONTENT",
        "OPENCODE_CONFIG_DIR",
    ],
    state: &[
        StateFolder { variable: "XDG_DATA_HOME", default: ".local/share" },
        StateFolder { variable: "XDG_STATE_HOME", default: ".local/state" },
        StateFolder { variable: "XDG_CACHE_HOME", default: ".cache" },
        StateFolder { variable: "XDG_CONFIG_HOME", default: ".config" },
    ],
    format: || Box::new(opencode::Opencode::default()),
};

/// The keys of model servers that a program for all of them looks for. Not those
/// of clouds, which open more than models: they come by `crew.env`.
const MODEL_KEYS: &[&str] = &[
    "AI_GATEWAY_API_KEY",
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_OAUTH_TOKEN",
    "AZURE_OPENAI_API_KEY",
    "CEREBRAS_API_KEY",
    "CLOUDFLARE_API_KEY",
    "DEEPSEEK_API_KEY",
    "FIREWORKS_API_KEY",
    "GEMINI_API_KEY",
    "GROQ_API_KEY",
    "KIMI_API_KEY",
    "MINIMAX_API_KEY",
    "MISTRAL_API_KEY",
    "MOONSHOT_API_KEY",
    "OPENAI_API_KEY",
    "OPENCODE_API_KEY",
    "OPENROUTER_API_KEY",
    "TOGETHER_API_KEY",
    "XAI_API_KEY",
    "XIAOMI_API_KEY",
    "ZAI_API_KEY",
];

impl std::fmt::Debug for Adapter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Adapter").field("name", &self.name).finish_non_exhaustive()
    }
}

impl PartialEq for Adapter {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Adapter {}

/// The row of a name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Adapter> {
    ALL.into_iter().find(|adapter| adapter.name == name)
}

impl Adapter {
    /// Everything that stands behind the program's name: `more` are the user's
    /// words, `session` what [`Adapter::session`] found.
    #[must_use]
    pub fn args(&self, more: &[String], session: Option<&OsStr>) -> Vec<OsString> {
        let mut args: Vec<OsString> =
            [self.call, self.edits].concat().iter().map(Into::into).collect();
        args.extend(more.iter().map(Into::into));
        if let (Some(resume), Some(session)) = (&self.resume, session) {
            args.extend(resume.args.iter().map(Into::into));
            args.push(session.to_owned());
        }
        args.extend(self.last.iter().map(Into::into));
        args
    }

    /// The names of variables that it may see beyond those that all may.
    #[must_use]
    pub fn environment(&self) -> Vec<String> {
        self.secrets.iter().chain(self.names).map(|name| (*name).to_owned()).collect()
    }

    /// A reader of what it prints.
    #[must_use]
    pub fn stream(&self) -> Stream {
        Stream::new((self.format)())
    }

    /// Where it is installed: the first executable file of its name in `PATH`.
    #[must_use]
    pub fn installed(&self, path: Option<&OsStr>) -> Option<PathBuf> {
        let executable = |file: &PathBuf| {
            fs::metadata(file)
                .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
        };
        std::env::split_paths(path?)
            .filter(|folder| folder.is_absolute())
            .map(|folder| folder.join(self.program))
            .find(executable)
    }

    /// The folder of its state: `variable` looks one up.
    #[must_use]
    pub fn state_folder(&self, variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
        let state = self.state.first()?;
        let set = variable(state.variable).map(PathBuf::from).filter(|path| path.is_absolute());
        set.or_else(|| Some(PathBuf::from(variable("HOME")?).join(state.default)))
    }

    /// The file of a session in a folder of the program's state.
    #[must_use]
    pub fn session_file(&self, state: &Path, session: &str) -> Option<PathBuf> {
        let resume = self.resume?;
        file_of(&state.join(resume.folder), session, resume.depth, &mut 20_000)
    }

    /// What names an earlier session in a call, if it can still be gone on with:
    /// its file is below this folder of the program's state.
    #[must_use]
    pub fn session(&self, state: &Path, session: &str) -> Option<OsString> {
        let (resume, file) = (self.resume?, self.session_file(state, session)?);
        Some(if resume.by_file { file.into_os_string() } else { session.into() })
    }
}

/// The file of a session in a folder of them; `room` is how many entries may be
/// looked at.
fn file_of(folder: &Path, session: &str, depth: u32, room: &mut u32) -> Option<PathBuf> {
    let ending = format!("{session}.jsonl");
    let mut below = Vec::new();
    for entry in fs::read_dir(folder).ok()?.filter_map(Result::ok) {
        *room = room.checked_sub(1)?;
        let kind = entry.file_type().ok()?;
        let name = entry.file_name();
        let is_it = name.to_str().is_some_and(|name| {
            name.strip_suffix(&ending)
                .is_some_and(|rest| rest.is_empty() || rest.ends_with(['-', '_']))
        });
        if kind.is_file() && is_it {
            return Some(entry.path());
        }
        if kind.is_dir() && depth > 1 {
            below.push(entry.path());
        }
    }
    // The newest days and names are the last ones.
    below.sort();
    below.iter().rev().find_map(|folder| file_of(folder, session, depth - 1, room))
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
