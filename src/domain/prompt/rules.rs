//! What every agent must keep to, and where its inputs and outputs are.

use crate::domain::escape;

use super::Briefing;

/// The rules of one task as a list.
pub(super) fn text(briefing: &Briefing<'_>) -> String {
    let task = briefing.task;
    let mut rules = vec![format!(
        "You are task `{}` of run `{}`, alone in the current folder: a worktree of your own at commit {}. \
         Work in it and nowhere else; other tasks have other worktrees.",
        task.id,
        briefing.run,
        briefing.base.short()
    )];
    rules.push(if task.writes {
        "Change files as the task needs. Committing is up to you: committed or not, what you leave is kept, \
         except what the repository ignores."
            .into()
    } else {
        "Your role is read-only: an attempt that leaves a file changed, added or removed fails.".into()
    });
    if task.writes && !task.paths.is_empty() {
        let globs: Vec<String> = task.paths.iter().map(|glob| code(glob)).collect();
        rules.push(format!("Change nothing outside {}: it fails the attempt.", globs.join(", ")));
    }
    rules.extend(files(briefing));
    if task.is_checked() {
        let checks = task.checks.iter().chain(&task.plan_checks);
        let checks: Vec<String> = checks.map(|check| format!("  - {}", code(check))).collect();
        rules.push(format!(
            "Your result is accepted when these pass in a fresh checkout of it:\n{}",
            checks.join("\n")
        ));
    }
    rules.push("Temporary files belong in `$TMPDIR`.".into());
    rules.push(
        "Do not push, fetch or change remotes, and do not start `git crew run`. Nobody answers questions: \
         decide, and say what you decided."
            .into(),
    );
    let minutes = task.limits.wall_ms.div_ceil(60_000);
    rules.push(format!(
        "You have {minutes} {}. Whoever continues sees your last message: give a summary, the files changed, \
         what you ran to verify it and with which result, and what is left to do. Claim nothing you did not see.",
        if minutes == 1 { "minute" } else { "minutes" }
    ));
    let lines: Vec<String> = rules.iter().map(|rule| format!("- {rule}")).collect();
    briefing.mark.out_of(&lines.join("\n"))
}

fn files(briefing: &Briefing<'_>) -> Vec<String> {
    let task = briefing.task;
    let mut rules = Vec::new();
    for name in &task.reads {
        rules.push(format!("Read `$CREW_IN/{name}`, made by a task before."));
    }
    if task.item.is_some() {
        rules.push(
            "Your line of the list is in `$CREW_IN/item`; other tasks have the other lines.".into(),
        );
    }
    if let Some(name) = task.output.as_ref().filter(|_| briefing.lists) {
        rules.push(format!(
            "Write your list to `$CREW_OUT/{name}`, one item a line, at most {}: a task follows for each. Without an \
             item write the file empty.",
            crate::domain::defaults::MAX_PLAN_TASKS
        ));
    } else if let Some(name) = &task.output {
        rules.push(format!(
            "Write your artifact to `$CREW_OUT/{name}`: the folder is outside the worktree, and the file is handed on."
        ));
    }
    rules
}

/// Inline code that the text cannot end early.
pub(super) fn code(text: &str) -> String {
    let shown = escape::word(text, 500);
    let longest = shown.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let ticks = "`".repeat(longest + 1);
    let pad = if shown.starts_with('`') || shown.ends_with('`') { " " } else { "" };
    format!("{ticks}{pad}{shown}{pad}{ticks}")
}
