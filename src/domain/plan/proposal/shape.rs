//! From JSON to drafts of tasks: the keys, their kinds, their sizes. What must
//! hold between tasks is looked at later.

use crate::domain::id::{TaskId, slug};
use crate::domain::scope::Scope;
use crate::domain::suggest::nearest;
use crate::domain::workflow::is_artifact;
use crate::domain::{defaults, escape};

use super::Faults;
use super::json::Json;

/// The keys of a proposed task, with what each is; agents are told this.
pub const KEYS: [(&str, &str); 9] = [
    ("id", "a short name: letters, digits and dashes; no other task of the run has it"),
    ("role", "who does it, one of the roles below"),
    ("task", "what to do, for somebody who knows nothing but this text and the goal"),
    ("title", "a heading for people; may be left out"),
    (
        "dependsOn",
        "ids of tasks of this plan that must be done before: it starts from their results",
    ),
    ("paths", "globs that its changes must stay inside; may be left out"),
    ("check", "shell commands that its result must pass; may be left out"),
    ("output", "an artifact that it writes for later tasks; may be left out"),
    ("reads", "artifacts of tasks before it; may be left out"),
];

/// A task as it is proposed, with its place in the file.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) path: String,
    pub(super) id: TaskId,
    pub(super) role: String,
    pub(super) title: String,
    pub(super) text: String,
    pub(super) needs: Vec<String>,
    pub(super) paths: Vec<String>,
    pub(super) checks: Vec<String>,
    pub(super) output: Option<String>,
    pub(super) reads: Vec<String>,
}

/// The drafts of a whole file.
pub(super) fn tasks(faults: &mut Faults, value: &Json) -> Vec<Draft> {
    let Json::Map(entries) = value else {
        faults.add("$", format!("it is {}; an object with 'tasks' is expected", value.kind()));
        return Vec::new();
    };
    for (key, _) in entries.iter().filter(|(key, _)| key != "tasks") {
        unknown(faults, "$", key, ["tasks"]);
    }
    let Some((_, tasks)) = entries.iter().find(|(key, _)| key == "tasks") else {
        faults.add("$", "no 'tasks'");
        return Vec::new();
    };
    let Json::List(items) = tasks else {
        faults.add("$.tasks", format!("it is {}; a list is expected", tasks.kind()));
        return Vec::new();
    };
    let most = defaults::MAX_PLAN_TASKS;
    match items.len() {
        0 => faults.add("$.tasks", "no task: a plan has at least one"),
        // what is wrong with each of ten thousand would help nobody
        count if count > most => {
            faults.add("$.tasks", format!("{count} tasks; {most} is the most"));
            return Vec::new();
        }
        _ => {}
    }
    let places = items.iter().enumerate().map(|(at, item)| (format!("$.tasks[{at}]"), item));
    places.filter_map(|(path, item)| task(faults, &path, item)).collect()
}

fn unknown<'a>(
    faults: &mut Faults,
    path: &str,
    key: &str,
    known: impl IntoIterator<Item = &'a str>,
) {
    let shown = escape::word(key, 60);
    faults.meant(path, format!("unknown key '{shown}'"), nearest(key, known));
}

fn task(faults: &mut Faults, path: &str, item: &Json) -> Option<Draft> {
    let Json::Map(entries) = item else {
        faults.add(path, format!("it is {}; an object is expected", item.kind()));
        return None;
    };
    for (key, _) in entries {
        if KEYS.iter().all(|(known, _)| known != key) {
            unknown(faults, path, key, KEYS.map(|(known, _)| known));
        }
    }
    let mut one = Fields { faults, path, entries };
    let id = one.id();
    let role = one.word("role", 64).unwrap_or_else(|| one.lacks("role"));
    let text = one.text();
    let title = one.word("title", 100);
    let needs = one.list("dependsOn", defaults::MAX_PLAN_NEEDS, 100);
    let paths = one.list("paths", defaults::MAX_PLAN_LIST, 300);
    if let Err(error) = Scope::new(&paths) {
        one.fault("paths", error.to_string());
    }
    let checks = one.list("check", defaults::MAX_PLAN_LIST, 2_000);
    let output = one.word("output", 100);
    let reads = one.list("reads", defaults::MAX_PLAN_LIST, 100);
    for (key, name) in output.iter().map(|name| ("output", name)) {
        if !is_artifact(name) {
            let shown = escape::word(name, 60);
            let cause =
                format!("'{shown}' must be a plain file name of letters, digits, '.', '_' and '-'");
            one.fault(key, cause);
        }
    }
    let (id, shown) = id?;
    let title = title.unwrap_or(shown);
    let path = path.to_owned();
    Some(Draft { path, id, role, title, text, needs, paths, checks, output, reads })
}

/// The entries of one task.
struct Fields<'a> {
    faults: &'a mut Faults,
    path: &'a str,
    entries: &'a [(String, Json)],
}

impl<'a> Fields<'a> {
    fn fault(&mut self, key: &str, cause: impl Into<String>) {
        self.faults.add(&format!("{}.{key}", self.path), cause);
    }

    fn lacks(&mut self, key: &str) -> String {
        if self.get(key).is_none() {
            self.faults.add(self.path, format!("no '{key}'"));
        }
        String::new()
    }

    fn get(&self, key: &str) -> Option<&'a Json> {
        self.entries.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// The id, and the text it was made from.
    fn id(&mut self) -> Option<(TaskId, String)> {
        let Some(given) = self.word("id", 100) else {
            self.lacks("id");
            return None;
        };
        let id = slug(&given).and_then(|slug| slug.parse::<TaskId>().ok());
        if id.is_none() {
            let cause = "it cannot be a name: use up to 64 ASCII letters, digits and dashes";
            self.fault("id", cause);
        }
        Some((id?, given))
    }

    fn text(&mut self) -> String {
        let most = defaults::MAX_PLAN_TEXT;
        match self.get("task") {
            Some(Json::Text(text)) if text.trim().is_empty() => {
                self.fault("task", "it is empty: what is to be done?");
            }
            Some(Json::Text(text)) if text.len() > most => {
                self.fault("task", format!("a text of {} bytes; {most} is the most", text.len()));
            }
            Some(Json::Text(text)) => return text.clone(),
            Some(other) => {
                self.fault("task", format!("it is {}; a text is expected", other.kind()))
            }
            None => drop(self.lacks("task")),
        }
        String::new()
    }

    /// A text of one line.
    fn word(&mut self, key: &str, most: usize) -> Option<String> {
        let value = self.get(key)?;
        let found = one_line(value, most);
        found.map_err(|cause| self.fault(key, cause)).ok()
    }

    /// A list of texts of one line each; a single one may stand alone.
    fn list(&mut self, key: &str, count: usize, most: usize) -> Vec<String> {
        let items = match self.get(key) {
            None => return Vec::new(),
            Some(Json::List(items)) => items.as_slice(),
            Some(single) => std::slice::from_ref(single),
        };
        if items.len() > count {
            self.fault(key, format!("{} items; {count} is the most", items.len()));
            return Vec::new();
        }
        let mut found = Vec::new();
        for (at, item) in items.iter().enumerate() {
            match one_line(item, most) {
                Ok(text) => found.push(text),
                Err(cause) => self.fault(&format!("{key}[{at}]"), cause),
            }
        }
        found
    }
}

fn one_line(value: &Json, most: usize) -> Result<String, String> {
    let Json::Text(text) = value else {
        return Err(format!("it is {}; a text is expected", value.kind()));
    };
    let text = text.trim();
    if text.is_empty() {
        Err("it is empty".to_owned())
    } else if text.chars().any(char::is_control) {
        Err("it must be one line, without control characters".to_owned())
    } else if text.len() > most {
        Err(format!("{} bytes; {most} is the most", text.len()))
    } else {
        Ok(text.to_owned())
    }
}
