//! Reading 100 MB of an agent's events, in the pieces that a pipe gives, and the
//! most memory that was held for it. Time is that of the core, or a busy machine
//! would be measured.

use std::path::Path;

use git_crew::domain::time::Timestamp;
use git_crew::world::agents::table;

use crate::{Figure, Target};

/// How much is read of each program's events.
const BYTES: usize = 100 << 20;

/// The most that a pipe gives at once.
const PIECE: usize = 1 << 16;

/// Each program's events, over and over.
pub(crate) fn events() -> Vec<Figure> {
    table::ALL.into_iter().flat_map(|adapter| of(adapter.name)).collect()
}

fn of(agent: &'static str) -> [Figure; 2] {
    let bytes = stream(agent);
    let mut speeds = Vec::new();
    let before = resident();
    let mut most = before;
    for _ in 0..3 {
        let mut reader = table::find(agent).expect("a row").stream();
        let begun = on_core();
        for (at, piece) in bytes.chunks(PIECE).enumerate() {
            reader.push(piece, Timestamp(0));
            if at % 64 == 0 {
                most = most.max(resident());
            }
        }
        let finding = reader.finish();
        let seconds = on_core() - begun;
        assert!(finding.ended && finding.events > 0, "it was understood");
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        speeds.push(bytes.len() as f64 / 1e6 / seconds);
    }
    speeds.sort_by(f64::total_cmp);
    let named = |what: &str| -> &'static str { format!("{what}, {agent}").leak() };
    let baseline = format!("{} MB in pieces of 64 KiB", bytes.len() >> 20);
    [
        Figure {
            name: named("events read"),
            value: speeds[1],
            target: Target::AtLeast(200.0),
            unit: "MB/s",
            baseline,
        },
        Figure {
            name: named("memory held for it"),
            value: most - before,
            target: Target::AtMost(8.0),
            unit: "MB",
            baseline: "the process before it".to_owned(),
        },
    ]
}

/// A recorded task again and again, its tools printing as much as they often do:
/// most of a real stream is what tools print.
fn stream(agent: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/streams").join(agent);
    let one = std::fs::read_to_string(folder.join("edit.jsonl")).expect("a recorded stream");
    let printed = "    at line 12: \\\"quoted\\\" and more\\n".repeat(60);
    let one = one.replace("hello new world", &printed);
    let mut bytes = Vec::with_capacity(BYTES + one.len());
    while bytes.len() < BYTES {
        bytes.extend_from_slice(one.as_bytes());
    }
    bytes
}

/// Seconds that this thread was on a core.
fn on_core() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    let ns = text.split(' ').next().and_then(|ns| ns.parse::<f64>().ok());
    ns.expect("nanoseconds") / 1e9
}

/// Megabytes of this process in memory.
fn resident() -> f64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text.split(' ').nth(1).and_then(|pages| pages.parse::<f64>().ok());
    pages.unwrap_or_default() * 4096.0 / 1e6
}
