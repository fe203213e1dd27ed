//! What an agent is told that writes a plan: the file, its keys, its limits, the
//! roles there are.

use crate::domain::plan::Expand;
use crate::domain::plan::proposal::KEYS;
use crate::domain::{defaults, escape};

use super::{Briefing, rules};

/// How to write it. The tables are those by which it will be read.
pub(super) fn text(briefing: &Briefing<'_>) -> String {
    let file = briefing.task.output.as_deref().unwrap_or(defaults::PLAN_FILE);
    let keys: Vec<String> = KEYS.iter().map(|(key, doc)| format!("- `{key}`: {doc}")).collect();
    let roles = briefing.cast.iter().filter(|part| !part.runs_scripts()).map(|part| {
        let may = if part.writes { "" } else { " (read-only)" };
        format!("- `{}`{may}: {}", part.role, escape::word(&part.description, 200))
    });
    let mut parts = vec![
        format!(
            "Write your plan to `$CREW_OUT/{file}`: JSON, `{{\"tasks\": [...]}}`, nothing else in the file. The tasks \
             become tasks of this run as soon as you are done; nobody edits them. Tasks that do not \
             depend on each other run at the same time, each in a worktree of its own, and are merged: \
             give them different files. A task has:"
        ),
        keys.join("\n"),
        "`dependsOn`, `paths`, `check` and `reads` are a text or a list of texts. Roles:"
            .to_owned(),
        roles.collect::<Vec<_>>().join("\n"),
        format!(
            "At most {} tasks, no more than {} one after the other, {} KiB in all, {} KiB for one text. A plan with \
             a fault is refused; you get one chance to mend it. Plan no more than the goal needs: a small goal is one task.",
            defaults::MAX_PLAN_TASKS,
            defaults::MAX_PLAN_DEPTH,
            defaults::MAX_PLAN_BYTES >> 10,
            defaults::MAX_PLAN_TEXT >> 10
        ),
    ];
    if let Some(Expand::Plan { checks }) = &briefing.task.expand
        && !checks.is_empty()
    {
        let checks: Vec<String> =
            checks.iter().map(|check| format!("- {}", rules::code(check))).collect();
        parts.push(format!(
            "Each task that changes files must pass these, whatever you plan; only they verify a result, what you add as `check` can but fail it:\n\n{}",
            checks.join("\n")
        ));
    }
    briefing.mark.out_of(&parts.join("\n\n"))
}
