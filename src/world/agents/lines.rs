//! A stream of bytes as lines, in bounded memory.
//!
//! Promises: a line is handed on once it is whole and never holds more than
//! [`LINE`] bytes; a longer one is left out and counted; what a reader does with
//! one line has no effect on the next.

/// The most bytes of a line that is read. Programs print a tool's whole output
/// as one line; what is longer than this is of no use to us.
pub(super) const LINE: usize = 1 << 20;

/// Cuts chunks into lines.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// The beginning of a line that is not over.
    begun: Vec<u8>,
    /// The line is too long already.
    skipping: bool,
    /// How many lines were left out.
    pub(super) skipped: u64,
}

impl Lines {
    /// Takes what came; `each` gets every line that is whole now, without its end.
    pub(super) fn push(&mut self, mut chunk: &[u8], mut each: impl FnMut(&[u8])) {
        while let Some(end) = chunk.iter().position(|byte| *byte == b'\n') {
            let (line, rest) = (chunk.get(..end), chunk.get(end + 1..));
            self.end(line.unwrap_or_default(), &mut each);
            chunk = rest.unwrap_or_default();
        }
        self.keep(chunk);
    }

    /// The stream is over: the last line may lack its end.
    pub(super) fn close(&mut self, mut each: impl FnMut(&[u8])) {
        if !self.begun.is_empty() || self.skipping {
            self.end(&[], &mut each);
        }
        self.begun = Vec::new();
    }

    fn end(&mut self, tail: &[u8], each: &mut impl FnMut(&[u8])) {
        if self.begun.is_empty() && !self.skipping && tail.len() <= LINE {
            return each(trimmed(tail));
        }
        self.keep(tail);
        if self.skipping {
            self.skipped += 1;
            self.skipping = false;
        } else {
            each(trimmed(&self.begun));
        }
        self.begun.clear();
    }

    fn keep(&mut self, more: &[u8]) {
        if self.skipping || self.begun.len() + more.len() > LINE {
            self.skipping = true;
            self.begun = Vec::new();
        } else {
            self.begun.extend_from_slice(more);
        }
    }
}

/// Without a carriage return, blanks around, or a byte order mark before it.
fn trimmed(line: &[u8]) -> &[u8] {
    line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line).trim_ascii()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut(text: &[u8], size: usize) -> (Vec<Vec<u8>>, u64) {
        let (mut lines, mut found) = (Lines::default(), Vec::new());
        for chunk in text.chunks(size.max(1)) {
            lines.push(chunk, |line| found.push(line.to_vec()));
            assert!(lines.begun.capacity() <= 2 * LINE);
        }
        lines.close(|line| found.push(line.to_vec()));
        (found, lines.skipped)
    }

    #[test]
    fn a_line_that_is_too_long_costs_itself_alone() {
        let long = [b"one\n".as_slice(), &vec![b'x'; 10 << 20], b"\r\n\n\xef\xbb\xbftwo\r\nlast"];
        for size in [1000, LINE, LINE + 7, 20 << 20] {
            let (found, skipped) = cut(&long.concat(), size);
            assert_eq!(skipped, 1);
            assert_eq!(found, [b"one".as_slice(), b"", b"two", b"last"]);
        }
        let (found, skipped) = cut(&vec![b'x'; LINE + 1], 4096);
        assert_eq!((found.len(), skipped), (0, 1));
        let (found, skipped) = cut(&vec![b'x'; LINE], 4096);
        assert_eq!((found.len(), skipped), (1, 0));
    }

    proptest! {
        #[test]
        fn any_cut_gives_the_same_lines(text in proptest::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..300), size in 1_usize..40) {
            prop_assert_eq!(cut(&text, size), cut(&text, text.len().max(1)));
        }
    }
}
