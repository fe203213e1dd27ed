//! Agent files (`<name>.md`): a persona. Its body is the prompt a role brings
//! along, its keys say what it may do and which programs can play it.
//!
//! ```text
//! ---
//! name: reviewer
//! description: reads a change and judges it
//! tools: read, grep, find, ls, bash
//! agent: claude, codex
//! ---
//! You review …
//! ```
//!
//! A persona without the tools to write makes its tasks read-only: not as a
//! wish in a prompt, but as a condition on the tree the attempt leaves.

use super::diagnostic::{Diagnostic, Report};
use super::front::{self, Front};
use super::frontmatter;
use super::keys::{self, Key};

/// The keys of an agent file.
pub const KEYS: &[Key] = &[
    Key::honoured("name", "must be the file's name; may be left out"),
    Key::honoured("description", "one line for listings"),
    Key::honoured(
        "tools",
        "comma list, '*', 'all' or 'none'; without 'edit' and 'write' the role is read-only",
    ),
    Key::honoured("disallowedTools", "comma list taken away from 'tools'"),
    Key::honoured(
        "agent",
        "programs that can play it: the first available one does, the others go on where it can't; 'sh', an installed one, or a name from crew.agent.<name>",
    ),
    Key::honoured("disabled", "true: a team that names it cannot run"),
    Key::honoured("triggers", "routing words, shown by 'show'"),
    Key::honoured("useWhen", "routing words, shown by 'show'"),
    Key::honoured("avoidWhen", "routing words, shown by 'show'"),
    Key::honoured("cost", "routing words, shown by 'show'"),
    Key::honoured("category", "routing words, shown by 'show'"),
    Key::no_effect("model", MODEL),
    Key::no_effect("fallbackModels", MODEL),
    Key::no_effect("thinking", MODEL),
    Key::no_effect("effort", MODEL),
    Key::no_effect("maxTurns", "limit a step by 'timeout:' and 'idle:'"),
    Key::no_effect("maxTokens", "limit a step by 'timeout:' and 'idle:'"),
    Key::no_effect("extensions", PROGRAM),
    Key::no_effect("excludeExtensions", PROGRAM),
    Key::honoured(
        "skills",
        "comma list of skills that it is told, unless a step or role names some",
    ),
    Key::no_effect("inheritSkills", PROGRAM),
    Key::no_effect("inheritProjectContext", PROGRAM),
    Key::no_effect("memory", PROGRAM),
    Key::no_effect("loadMode", PROGRAM),
    Key::no_effect("contextMode", "every attempt starts with a fresh context"),
    Key::no_effect(
        "systemPromptMode",
        "the persona is a part of the prompt, see 'git crew show RUN TASK --prompt'",
    ),
    Key::no_effect("defaultTools", "name the tools in 'tools:'"),
    Key::no_effect("disableTools", "name the tools in 'tools:' or 'disallowedTools:'"),
    Key::no_effect("scratchpad", "use 'output:' and $TMPDIR"),
];

const MODEL: &str = "choose it in crew.agent.<name>.args or .command";
const PROGRAM: &str = "the agent's own program decides";

/// The tools that make a persona a writing one.
const WRITING: [&str; 4] = ["edit", "write", "multiedit", "apply_patch"];

/// What a persona may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tools {
    /// No `tools:` key, `*` or `all`.
    All,
    /// These, in lower case; perhaps none.
    Only(Vec<String>),
}

/// A persona as its file tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Persona {
    /// The name it is found by.
    pub name: String,
    /// One line for listings; empty if the file has none.
    pub description: String,
    /// The role prompt.
    pub prompt: String,
    /// What it may use.
    pub tools: Tools,
    /// Programs that can play it, best first; empty leaves the choice to others.
    pub agents: Vec<String>,
    /// Skills it is told.
    pub skills: Vec<String>,
    /// The line that names them.
    pub skills_line: usize,
    /// What people call the file.
    pub file: String,
    /// Switched off: nothing may name it.
    pub disabled: bool,
    /// Routing words in the file's order, for people.
    pub routing: Vec<(String, String)>,
    /// What the file says without effect.
    pub warnings: Vec<Diagnostic>,
}

impl Persona {
    /// Whether tasks of this persona may change files.
    #[must_use]
    pub fn writes(&self) -> bool {
        match &self.tools {
            Tools::All => true,
            Tools::Only(names) => names.iter().any(|name| WRITING.contains(&name.as_str())),
        }
    }
}

/// Reads an agent file found under `name`; `file` is what people call it.
///
/// # Errors
/// Everything that is wrong with it, by line.
pub fn parse(file: &str, name: &str, text: &str) -> Result<Persona, Vec<Diagnostic>> {
    let make = |report: &mut Report, front: Front<'_>| Some(read(report, name, front));
    let (mut persona, warnings) = front::read((file, name, text), KEYS, make)?;
    persona.warnings = warnings;
    Ok(persona)
}

fn read(report: &mut Report, name: &str, front: Front<'_>) -> Persona {
    let mut persona = Persona {
        name: name.to_owned(),
        description: front.description,
        prompt: front.body.trim().to_owned(),
        tools: Tools::All,
        agents: front.agents,
        skills: Vec::new(),
        skills_line: 1,
        file: report.file().to_owned(),
        disabled: false,
        routing: front.routing,
        warnings: Vec::new(),
    };
    if persona.prompt.is_empty() {
        report.error(front.body_line, "no prompt after the keys");
    }
    let mut denied = Vec::new();
    for field in &front.own {
        match field.key.as_str() {
            "tools" => persona.tools = tools(&field.value),
            "disallowedTools" => denied = names(&field.value),
            "skills" => {
                persona.skills = keys::skills(report, field);
                persona.skills_line = field.line;
            }
            _ => persona.disabled = keys::boolean(report, field).unwrap_or(false),
        }
    }
    persona.tools = without(persona.tools, &denied);
    persona
}

fn names(value: &str) -> Vec<String> {
    frontmatter::list(value).iter().map(|name| name.to_ascii_lowercase()).collect()
}

fn tools(value: &str) -> Tools {
    match names(value).as_slice() {
        [one] if one == "*" || one == "all" => Tools::All,
        [one] if one == "none" => Tools::Only(Vec::new()),
        names => Tools::Only(names.to_vec()),
    }
}

/// "All but these" is kept apart only where it matters: whether a writing tool
/// is left.
fn without(tools: Tools, denied: &[String]) -> Tools {
    match tools {
        Tools::All if denied.is_empty() => Tools::All,
        Tools::All => {
            let known = ["read", "grep", "find", "ls", "bash"].iter().chain(&WRITING);
            let left = known.filter(|name| !denied.iter().any(|other| other == *name));
            Tools::Only(left.map(|name| (*name).to_owned()).collect())
        }
        Tools::Only(names) => {
            Tools::Only(names.into_iter().filter(|name| !denied.contains(name)).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn persona(keys: &str) -> Persona {
        parse("a.md", "a", &format!("---\n{keys}\n---\nYou read.\n")).expect("a good file")
    }

    #[test]
    fn tools_decide_whether_it_writes() {
        assert!(persona("name: a").writes());
        assert!(persona("tools: *").writes());
        assert!(persona("tools: Read, Edit").writes());
        assert!(!persona("tools: read, grep, bash").writes());
        assert!(!persona("tools: none").writes());
        assert!(!persona("tools:").writes());
        assert!(!persona("tools: read, edit, write\ndisallowedTools: Edit, Write").writes());
        assert!(persona("disallowedTools: bash").writes());
        assert!(!persona("disallowedTools: edit, write, multiedit, apply_patch").writes());
    }

    #[test]
    fn foreign_keys_are_named_and_unknown_ones_refused() {
        let warned = persona("model: big\nmaxTurns: 3").warnings;
        insta::assert_snapshot!(warned[0], @"a.md:2: warning: key 'model' is accepted for compatibility, has no effect: choose it in crew.agent.<name>.args or .command");
        assert_eq!(warned[1].line, 3);
        let refused = parse("a.md", "a", "---\ntols: read\n---\nx").unwrap_err();
        insta::assert_snapshot!(refused[0], @"a.md:2: error: unknown key 'tols'; did you mean 'tools'?");
        let empty = parse("a.md", "a", "---\nname: a\n---\n \n").unwrap_err();
        assert!(empty[0].cause.contains("no prompt"));
        assert!(parse("a.md", "a", "").is_err());
    }

    #[test]
    fn programs_and_routing() {
        let found = persona("agent: claude, codex\nuseWhen: often\ndisabled: true");
        assert_eq!(found.agents, ["claude", "codex"]);
        assert!(found.disabled);
        assert_eq!(found.routing, [("useWhen".to_owned(), "often".to_owned())]);
        assert_eq!(found.prompt, "You read.");
    }
}
