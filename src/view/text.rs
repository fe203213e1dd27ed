//! Text with labels. A span says what its words are, never what colour they
//! have; the surface decides.
//!
//! Promise: whatever is pushed is escaped, so no view can forget it, and a
//! [`Line`] is one line whatever its parts hold.

use crate::domain::escape::escaped;
use crate::domain::words::columns;

/// What a piece of text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Label {
    /// Nothing in particular.
    Plain,
    /// A heading or the point of a line.
    Strong,
    /// It went well.
    Good,
    /// It went wrong.
    Bad,
    /// Somebody should look at it.
    Warn,
    /// Worth having, not worth a glance.
    Dim,
    /// The name of a run, a task or a commit.
    Id,
    /// A command to type next.
    Hint,
}

impl Label {
    /// Every label.
    pub const ALL: [Self; 8] = [
        Self::Plain,
        Self::Strong,
        Self::Good,
        Self::Bad,
        Self::Warn,
        Self::Dim,
        Self::Id,
        Self::Hint,
    ];
}

/// Words under one label, escaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    label: Label,
    words: String,
}

impl Span {
    /// What the words are.
    #[must_use]
    pub fn label(&self) -> Label {
        self.label
    }

    /// The words, safe to print.
    #[must_use]
    pub fn words(&self) -> &str {
        &self.words
    }
}

/// One line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    spans: Vec<Span>,
}

impl Line {
    /// An empty line.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A line of unlabelled words.
    #[must_use]
    pub fn plain(words: &str) -> Self {
        Self::new().with(Label::Plain, words)
    }

    /// This line with more words at its end. They are escaped here.
    #[must_use]
    pub fn with(mut self, label: Label, words: &str) -> Self {
        self.push(label, words);
        self
    }

    /// Appends words. They are escaped here.
    pub fn push(&mut self, label: Label, words: &str) {
        if !words.is_empty() {
            self.spans.push(Span { label, words: escaped(words) });
        }
    }

    /// Appends another line's spans.
    pub fn append(&mut self, other: Self) {
        self.spans.extend(other.spans);
    }

    /// Fills up with blanks until the line is `wide` columns wide.
    pub fn pad(&mut self, wide: usize) {
        let used = self.columns();
        if used < wide {
            self.push(Label::Plain, &" ".repeat(wide - used));
        }
    }

    /// How many columns it takes.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.spans.iter().map(|span| columns(&span.words)).sum()
    }

    /// Its spans, in order.
    #[must_use]
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// Its words without labels, without blanks at the end.
    #[must_use]
    pub fn to_plain(&self) -> String {
        let all: String = self.spans.iter().map(Span::words).collect();
        all.trim_end().to_owned()
    }
}

/// Lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    lines: Vec<Line>,
}

impl Text {
    /// No lines yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a line.
    pub fn push(&mut self, line: Line) {
        self.lines.push(line);
    }

    /// Appends an empty line, unless there is none before it or the last is empty.
    pub fn gap(&mut self) {
        if self.lines.last().is_some_and(|line| !line.spans.is_empty()) {
            self.lines.push(Line::new());
        }
    }

    /// Appends another text's lines.
    pub fn append(&mut self, other: Self) {
        self.lines.extend(other.lines);
    }

    /// The lines.
    #[must_use]
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// The text without labels, each line with its line feed.
    #[must_use]
    pub fn to_plain(&self) -> String {
        self.lines.iter().map(|line| line.to_plain() + "\n").collect()
    }
}

/// Lines of cells as columns: every column as wide as its widest cell, two
/// blanks between.
#[must_use]
pub fn table(rows: Vec<Vec<Line>>) -> Text {
    let mut wide: Vec<usize> = Vec::new();
    for row in &rows {
        for (at, cell) in row.iter().enumerate() {
            match wide.get_mut(at) {
                Some(most) => *most = (*most).max(cell.columns()),
                None => wide.push(cell.columns()),
            }
        }
    }
    let mut text = Text::new();
    for row in rows {
        let mut line = Line::new();
        let mut end = 0;
        for (cell, wide) in row.into_iter().zip(&wide) {
            line.pad(end);
            line.append(cell);
            end += wide + if *wide == 0 { 0 } else { 2 };
        }
        text.push(line);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stays_one_safe_line() {
        let line = Line::plain("a\nb").with(Label::Bad, "\u{1b}[31m\u{9b}0m");
        assert_eq!(line.to_plain(), "a\\nb\\x1b[31m\\u{9b}0m");
    }

    #[test]
    fn columns_line_up_and_nothing_trails() {
        let row = |cells: [&str; 3]| cells.iter().map(|cell| Line::plain(cell)).collect();
        let text = table(vec![row(["a", "", "日本"]), row(["long", "", "x"])]);
        assert_eq!(text.to_plain(), "a     日本\nlong  x\n");
    }

    #[test]
    fn a_gap_is_one_empty_line() {
        let mut text = Text::new();
        text.gap();
        text.push(Line::plain("a"));
        text.gap();
        text.gap();
        text.push(Line::plain("b"));
        assert_eq!(text.to_plain(), "a\n\nb\n");
    }
}
