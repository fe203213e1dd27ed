//! How much of the foreign text fits: the failure first, up to a third; the
//! results share the rest alike, and what one does not need the others get.

use crate::domain::escape;

use super::{Briefing, Handed};

/// The most paths that are listed of one result.
const PATHS: usize = 40;

/// Foreign text, escaped, free of the mark and cut.
pub(super) struct Foreign {
    /// One for each result, in their order.
    pub(super) words: Vec<String>,
    /// The output of what failed.
    pub(super) output: Option<String>,
}

impl Foreign {
    pub(super) fn is_empty(&self) -> bool {
        self.words.iter().all(String::is_empty) && self.output.as_deref().unwrap_or("").is_empty()
    }
}

pub(super) fn share(briefing: &Briefing<'_>, cut: &mut Vec<String>) -> Foreign {
    let clean = |text: &str| briefing.mark.out_of(escape::lines(text).trim_end());
    let whole = briefing.feedback.map(|feedback| clean(&feedback.output));
    let others = !briefing.results.is_empty();
    let most = if others { briefing.budget / 3 } else { briefing.budget };
    let output = whole.map(|text| {
        // an error's cause is near its end
        let (text, lost) = shorten(&text, most, 4);
        note(cut, lost, "the output of the failed attempt");
        text
    });
    let mut rest = briefing.budget.saturating_sub(output.as_ref().map_or(0, String::len));
    let mut words: Vec<(usize, String)> = briefing
        .results
        .iter()
        .enumerate()
        .map(|(at, handed)| (at, clean(&told(handed))))
        .collect();
    // the short ones first: what they leave goes to the long ones
    words.sort_by_key(|(at, text)| (text.len(), *at));
    let count = words.len();
    for (done, (at, text)) in words.iter_mut().enumerate() {
        let (short, lost) = shorten(text, rest / (count - done), 2);
        rest = rest.saturating_sub(short.len());
        let handed = &briefing.results[*at];
        note(cut, lost, &format!("the words of task '{}'", handed.task));
        *text = short;
    }
    words.sort_by_key(|(at, _)| *at);
    Foreign { words: words.into_iter().map(|(_, text)| text).collect(), output }
}

pub(super) fn note(cut: &mut Vec<String>, lost: usize, what: &str) {
    if lost > 0 {
        cut.push(format!("{lost} bytes of {what}"));
    }
}

/// Changed paths, then words. Paths come from an agent too, so they are foreign.
fn told(handed: &Handed) -> String {
    let mut text = String::new();
    for path in handed.changed.iter().take(PATHS) {
        text.push_str(&format!("changed: {}\n", escape::word(path, 300)));
    }
    let listed = handed.changed.len().min(PATHS) as u64;
    if handed.changed_total > listed && listed > 0 {
        text.push_str(&format!("changed: {} more\n", handed.changed_total - listed));
    }
    if !text.is_empty() && !handed.words.trim().is_empty() {
        text.push('\n');
    }
    text.push_str(handed.words.trim());
    text
}

/// At most `most` bytes (and the remark): the first `1/part` and the end, with a
/// remark between; and how many bytes were left out.
pub(super) fn shorten(text: &str, most: usize, part: usize) -> (String, usize) {
    if text.len() <= most {
        return (text.to_owned(), 0);
    }
    let mut head = most / part;
    while !text.is_char_boundary(head) {
        head -= 1;
    }
    let mut tail = text.len() - (most - most / part);
    while !text.is_char_boundary(tail) {
        tail += 1;
    }
    let lost = tail - head;
    (format!("{}\n[… {lost} bytes cut …]\n{}", &text[..head], &text[tail..]), lost)
}
