//! What holds when nobody says otherwise: one table, from which the reference
//! is generated. Files, git config and flags override it, in this order.

/// One default, for the reference.
#[derive(Clone, Copy, Debug)]
pub struct Default {
    /// The key of the file or setting.
    pub name: &'static str,
    /// The value as a person would write it.
    pub value: &'static str,
    /// What it means.
    pub doc: &'static str,
}

/// How often a failed task is tried again: two retries make three attempts.
pub const RETRIES: u32 = 2;
/// The most retries a step may ask for.
pub const MAX_RETRIES: u32 = 20;
/// The longest an attempt may run, in milliseconds.
pub const WALL_MS: u64 = 60 * 60_000;
/// The longest an attempt may be silent, in milliseconds.
pub const IDLE_MS: u64 = 15 * 60_000;
/// From SIGTERM to SIGKILL, in milliseconds.
pub const GRACE_MS: u64 = 10_000;
/// From SIGTERM to SIGKILL when a run is cancelled, in milliseconds: a person
/// waits for it.
pub const CANCEL_GRACE_MS: i64 = 500;
/// Tasks that run at the same time.
pub const CONCURRENCY: u32 = 4;
/// The most tasks that a file or flag may let run at the same time.
pub const MAX_CONCURRENCY: u32 = 64;
/// The most steps of a workflow.
pub const MAX_STEPS: usize = 200;
/// The team that runs when nothing names one.
pub const TEAM: &str = "default";
/// Worktrees that wait for further tasks.
pub const SLOTS_MAX: usize = 8;
/// The longest a setup may run, in milliseconds.
pub const SETUP_MS: u64 = 10 * 60_000;
/// The bytes that must stay free where worktrees are.
pub const MIN_FREE: u64 = 256 << 20;
/// The first wait before a retry, in milliseconds; it doubles with each.
pub const BACKOFF_MS: u64 = 1_000;
/// The longest wait before a retry, in milliseconds.
pub const BACKOFF_CAP_MS: u64 = 60_000;
/// The first wait after a rate limit or an overloaded server, in milliseconds.
pub const LATER_MS: u64 = 30_000;
/// The longest such wait, in milliseconds.
pub const LATER_CAP_MS: u64 = 15 * 60_000;
/// The largest part of a wait that chance adds or takes away.
pub const BACKOFF_JITTER: f64 = 0.3;
/// The most bytes of results and feedback in one prompt.
pub const PROMPT_BUDGET: usize = 96 << 10;
/// Room on the disk that is kept for a run's last events, in bytes.
pub const RESERVE: usize = 1 << 20;

/// The most bytes of a plan or a list that an agent writes.
pub const MAX_PLAN_BYTES: usize = 256 << 10;
/// The most tasks that come of one plan or list.
pub const MAX_PLAN_TASKS: usize = 50;
/// The most tasks of a plan that wait one for the other.
pub const MAX_PLAN_DEPTH: usize = 12;
/// The most tasks that one task of a plan waits for directly.
pub const MAX_PLAN_NEEDS: usize = 16;
/// The most globs, checks or artifacts that one task of a plan names.
pub const MAX_PLAN_LIST: usize = 16;
/// The longest text of one task of a plan, in bytes.
pub const MAX_PLAN_TEXT: usize = 16 << 10;
/// The most bytes of names, titles and needs of a plan: they are one event.
pub const MAX_PLAN_NAMES: usize = 40 << 10;
/// The artifact of a planning step that names none.
pub const PLAN_FILE: &str = "plan.json";
/// The longest line of a list, in bytes.
pub const MAX_ITEM: usize = 500;
/// The most bytes of skills in one prompt.
pub const SKILLS_BUDGET: usize = 16 << 10;

/// All of them.
pub const TABLE: &[Default] = &[
    Default { name: "retries", value: "2", doc: "further attempts of a task after a failed one" },
    Default { name: "timeout", value: "60m", doc: "the longest an attempt may run" },
    Default { name: "idle", value: "15m", doc: "the longest an attempt may be silent" },
    Default { name: "grace", value: "10s", doc: "from SIGTERM to SIGKILL" },
    Default { name: "maxConcurrency", value: "4", doc: "tasks that run at the same time" },
    Default { name: "crew.team", value: TEAM, doc: "the team that runs when nothing names one" },
    Default {
        name: "crew.slotsMax",
        value: "8",
        doc: "worktrees that wait for further tasks with their files in place",
    },
    Default {
        name: "crew.setupTimeout",
        value: "10m",
        doc: "the longest that the setup of a worktree may run",
    },
    Default {
        name: "crew.minFree",
        value: "256 MB",
        doc: "what must stay free on the disk of the worktrees",
    },
    Default {
        name: "backoff",
        value: "1s",
        doc: "the first wait before a retry; it doubles, give or take 30 %, up to 60s",
    },
    Default {
        name: "backoff of a limit",
        value: "30s",
        doc: "the first wait after a rate limit or an overloaded server; it doubles up to 15m",
    },
    Default {
        name: "prompt budget",
        value: "96 KiB",
        doc: "results and feedback in one prompt; what is cut is named there",
    },
    Default {
        name: "reserve",
        value: "1 MiB",
        doc: "room on the disk that is kept for a run's last events; given up when the disk is full, \
              made again by the next run, resume or retry",
    },
    Default {
        name: "skills budget",
        value: "16 KiB",
        doc: "skills in one prompt; what is cut is named there",
    },
    Default {
        name: "plan",
        value: "50 tasks",
        doc: "the most that come of one plan or list; 12 deep, 256 KiB",
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::keys::span_ms;

    #[test]
    fn the_table_tells_the_values() {
        let value = |name| TABLE.iter().find(|row| row.name == name).expect("a row").value;
        assert_eq!(value("retries"), RETRIES.to_string());
        assert_eq!(span_ms(value("timeout")), Ok(WALL_MS));
        assert_eq!(span_ms(value("idle")), Ok(IDLE_MS));
        assert_eq!(span_ms(value("grace")), Ok(GRACE_MS));
        assert_eq!(value("maxConcurrency"), CONCURRENCY.to_string());
        assert_eq!(span_ms(value("backoff")), Ok(BACKOFF_MS));
        assert_eq!(value("crew.slotsMax"), SLOTS_MAX.to_string());
        assert_eq!(span_ms(value("backoff of a limit")), Ok(LATER_MS));
        assert_eq!(span_ms(value("crew.setupTimeout")), Ok(SETUP_MS));
        assert_eq!(value("crew.minFree"), format!("{} MB", MIN_FREE >> 20));
        assert_eq!(value("prompt budget"), format!("{} KiB", PROMPT_BUDGET >> 10));
        assert_eq!(value("reserve"), format!("{} MiB", RESERVE >> 20));
        assert_eq!(value("skills budget"), format!("{} KiB", SKILLS_BUDGET >> 10));
        assert_eq!(value("plan"), format!("{MAX_PLAN_TASKS} tasks"));
        let plan = TABLE.iter().find(|row| row.name == "plan").expect("a row").doc;
        assert!(plan.contains(&format!("{MAX_PLAN_DEPTH} deep")), "{plan}");
        assert!(plan.contains(&format!("{} KiB", MAX_PLAN_BYTES >> 10)), "{plan}");
    }
}
