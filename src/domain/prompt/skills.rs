//! The skills of a task, within their budget: short ones are whole, what a long
//! one lost is said in its place.

use crate::domain::defaults;

use super::{Briefing, budget, own};

/// Each skill under its name.
pub(super) fn text(briefing: &Briefing<'_>, cut: &mut Vec<String>) -> String {
    let mut texts: Vec<(usize, String)> = briefing
        .skills
        .iter()
        .enumerate()
        .map(|(at, skill)| (at, own(briefing.mark, &skill.text)))
        .collect();
    texts.sort_by_key(|(at, text)| (text.len(), *at));
    let (mut rest, count) = (defaults::SKILLS_BUDGET, texts.len());
    for (done, (at, text)) in texts.iter_mut().enumerate() {
        let (short, lost) = budget::shorten(text, rest / (count - done), 1);
        rest = rest.saturating_sub(short.len());
        budget::note(cut, lost, &format!("the skill '{}'", briefing.skills[*at].name));
        *text = short;
    }
    texts.sort_by_key(|(at, _)| *at);
    let parts = texts.iter().map(|(at, text)| {
        let skill = briefing.skills[*at];
        format!("## {}\n\n{}", skill.name, text.trim_end())
    });
    parts.collect::<Vec<_>>().join("\n\n")
}
