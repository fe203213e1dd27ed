//! What an agent is doing, as a small file for other processes.
//!
//! Promise: whoever reads the file finds one whole state or none. It is not part
//! of the record: it goes with the attempt, and may be lost at any time.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::domain::account::Account;
use crate::domain::activity::{Activity, Doing};
use crate::domain::id::TaskId;
use crate::domain::time::Timestamp;
use crate::domain::usage::Usage;

/// The longest file that is read.
const MOST: u64 = 64 << 10;

/// The file of an attempt in the folder of its run.
#[must_use]
pub fn path(folder: &Path, task: &TaskId, attempt: u32) -> PathBuf {
    folder.join(format!("{task}.{attempt}.json"))
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Wire {
    at: Timestamp,
    doing: String,
    since: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    words: String,
    tools: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<WireUsage>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct WireUsage {
    input: u64,
    output: u64,
    cached: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost_micro: Option<u64>,
}

/// Replaces the file by what is done `at` this time.
///
/// # Errors
/// What the file system says.
pub fn write(path: &Path, activity: &Activity, at: Timestamp) -> io::Result<()> {
    let Activity { doing, since, words, tools, account } = activity.clone();
    let mut wire = Wire {
        at,
        doing: doing.word().to_owned(),
        since,
        words,
        tools,
        version: account.version,
        model: account.model,
        session: account.session,
        usage: account.usage.map(|usage| {
            let Usage { input, output, cached, cost_micro } = usage;
            WireUsage { input, output, cached, cost_micro }
        }),
        ..Wire::default()
    };
    match doing {
        Doing::Tool { label } => wire.tool = Some(label),
        Doing::Waiting { until, why } => (wire.until, wire.why) = (Some(until), Some(why)),
        Doing::Starting | Doing::Thinking | Doing::Done => {}
    }
    let bytes = serde_json::to_vec(&wire).map_err(io::Error::other)?;
    // One writer an attempt: a name of its own beside it is enough.
    let beside = path.with_extension("json.new");
    fs::write(&beside, bytes)?;
    fs::rename(&beside, path)
}

/// What is done, and when that was; `None` where nobody tells.
#[must_use]
pub fn read(path: &Path) -> Option<(Activity, Timestamp)> {
    use std::io::Read;
    let mut bytes = Vec::new();
    fs::File::open(path).ok()?.take(MOST).read_to_end(&mut bytes).ok()?;
    let wire: Wire = serde_json::from_slice(&bytes).ok()?;
    let doing = match wire.doing.as_str() {
        "thinking" => Doing::Thinking,
        "tool" => Doing::Tool { label: wire.tool.unwrap_or_default() },
        "waiting" => Doing::Waiting {
            until: wire.until.unwrap_or_default(),
            why: wire.why.unwrap_or_default(),
        },
        "done" => Doing::Done,
        _ => Doing::Starting,
    };
    let usage = wire.usage.map(|wire| {
        let WireUsage { input, output, cached, cost_micro } = wire;
        Usage { input, output, cached, cost_micro }
    });
    let account =
        Account { version: wire.version, model: wire.model, session: wire.session, usage };
    let (since, words, tools) = (wire.since, wire.words, wire.tools);
    Some((Activity { doing, since, words, tools, account }, wire.at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_comes_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = path(folder.path(), &"build".parse().expect("a slug"), 2);
        assert_eq!(read(&path), None);
        for doing in [
            Doing::Starting,
            Doing::Thinking,
            Doing::Tool { label: "Bash: ls".into() },
            Doing::Waiting { until: Timestamp(9), why: "rate limit".into() },
            Doing::Done,
        ] {
            let usage = Usage { input: 1, output: 2, cached: 3, cost_micro: None };
            let account =
                Account { session: Some("s".into()), usage: Some(usage), ..Account::default() };
            let activity =
                Activity { doing, since: Timestamp(5), words: "w".into(), tools: 4, account };
            write(&path, &activity, Timestamp(7)).expect("written");
            assert_eq!(read(&path), Some((activity, Timestamp(7))));
        }
        let names: Vec<_> = fs::read_dir(folder.path()).expect("a folder").collect();
        assert_eq!(names.len(), 1, "nothing is left beside it");
        fs::write(&path, "{").expect("written");
        assert_eq!(read(&path), None);
    }
}
