//! Fenced blocks of Markdown text: ```` ``` ```` or `~~~`, three or more.
//!
//! Promise: what stands inside a fence is never taken for a heading, and a fence
//! is closed only by one of its own kind, at least as long, without a word.

/// Follows fences through lines.
#[derive(Debug, Default)]
pub struct Fences {
    open: Option<(char, usize, usize)>,
}

/// The mark, its length and the word behind it, if a line is a fence.
fn fence(line: &str) -> Option<(char, usize, &str)> {
    let text = line.trim_start_matches(' ');
    let mark = text.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let rest = text.trim_start_matches(mark);
    let length = text.len() - rest.len();
    let indented = line.len() - text.len() > 3;
    // an inline code span is no fence
    let good = length >= 3 && !indented && !(mark == '`' && rest.contains('`'));
    good.then(|| (mark, length, rest.trim()))
}

impl Fences {
    /// Takes the next line; whether it belongs to a fenced block, its fences included.
    pub fn step(&mut self, line: &str, number: usize) -> bool {
        match (self.open, fence(line)) {
            (None, Some((mark, length, _))) => self.open = Some((mark, length, number)),
            (None, None) => return false,
            (Some((mark, least, _)), Some((found, length, "")))
                if found == mark && length >= least =>
            {
                self.open = None;
            }
            (Some(_), _) => {}
        }
        true
    }

    /// The line of the fence that is open.
    #[must_use]
    pub fn open_since(&self) -> Option<usize> {
        self.open.map(|(_, _, line)| line)
    }
}

/// The inside of the last closed block fenced as `sh` (or `shell`, `bash`): what
/// the embedded agent `sh` runs. `None` when the text has none.
///
/// ```
/// # use git_crew::domain::fence::last_sh_block;
/// let text = "Do this:\n```sh\necho one\n```\nand then:\n```sh\necho two\n```\n";
/// assert_eq!(last_sh_block(text), Some("echo two\n"));
/// assert_eq!(last_sh_block("```python\npass\n```"), None);
/// ```
#[must_use]
pub fn last_sh_block(text: &str) -> Option<&str> {
    blocks(text, &["sh", "shell", "bash"]).pop()
}

/// The insides of all closed blocks whose fence has one of these words.
#[must_use]
pub fn blocks<'a>(text: &'a str, words: &[&str]) -> Vec<&'a str> {
    let mut fences = Fences::default();
    let (mut start, mut found) = (None, Vec::new());
    let mut at = 0;
    let wanted = |word: &str| word.split_whitespace().next().is_some_and(|w| words.contains(&w));
    for line in text.split_inclusive('\n') {
        let bare = line.trim_end_matches(['\n', '\r']);
        let was_open = fences.open_since().is_some();
        fences.step(bare, 0);
        let is_open = fences.open_since().is_some();
        if !was_open && is_open {
            start = fence(bare).filter(|(_, _, word)| wanted(word)).map(|_| at + line.len());
        } else if let Some(from) = start.filter(|_| was_open && !is_open) {
            found.extend(text.get(from..at));
            start = None;
        }
        at += line.len();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_last_closed_sh_block_counts() {
        assert_eq!(last_sh_block(""), None);
        assert_eq!(last_sh_block("```sh\na\n"), None, "never closed");
        assert_eq!(last_sh_block("```sh\na\n```\n```sh\nb"), Some("a\n"));
        assert_eq!(last_sh_block("```sh\n```"), Some(""));
        assert_eq!(last_sh_block("~~~sh x\n```\nb\n~~~"), Some("```\nb\n"));
        assert_eq!(last_sh_block("````\n```sh\nno\n```\n````\n"), None, "quoted");
        assert_eq!(last_sh_block("```sh\r\na\r\n```\r\n"), Some("a\r\n"));
        assert_eq!(last_sh_block("```sh\na\n```\n```text\nb\n```"), Some("a\n"));
        assert_eq!(last_sh_block("    ```sh\n    a\n    ```\n"), None, "an indented block");
    }

    proptest! {
        #[test]
        fn a_block_never_holds_its_own_end(text in "(```|```sh|~~~|a|\n|\r|`){0,40}") {
            let block = last_sh_block(&text);
            prop_assert!(block.is_none_or(|block| text.contains(block)));
        }
    }
}
