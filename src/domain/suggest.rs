//! The nearest known word to a mistyped one, for "did you mean".
//!
//! Promise: deterministic, and no suggestion rather than a far-fetched one: at
//! most a third of the letters may differ.

/// Words longer than this are not compared: the cost grows with the square.
const MAX_WORD: usize = 64;

/// The known word with the fewest edits to `word`, ignoring case; the first of
/// equals. `None` when none is near.
///
/// ```
/// # use git_crew::domain::suggest::nearest;
/// assert_eq!(nearest("dependOn", ["role", "dependsOn"]), Some("dependsOn"));
/// assert_eq!(nearest("banana", ["role", "dependsOn"]), None);
/// ```
#[must_use]
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word: Vec<char> = word.to_lowercase().chars().collect();
    if word.is_empty() || word.len() > MAX_WORD {
        return None;
    }
    let mut best: Option<(usize, &str)> = None;
    for candidate in known {
        let letters: Vec<char> = candidate.to_lowercase().chars().collect();
        if letters.len() > MAX_WORD {
            continue;
        }
        let edits = distance(&word, &letters);
        let near = edits <= (word.len().max(letters.len()) / 3).max(1) && edits < letters.len();
        if near && best.is_none_or(|(least, _)| edits < least) {
            best = Some((edits, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Insertions, deletions, substitutions and swaps of neighbours between two words.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let mut cost = (last[j] + usize::from(x != y)).min(last[j + 1] + 1).min(row[j] + 1);
            let swapped = i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y;
            if swapped {
                cost = cost.min(before[j - 1] + 1);
            }
            row.push(cost);
        }
        before = last;
        last = row;
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn finds_the_slip_and_not_more() {
        let known = ["role", "reads", "retries", "paths", "dependsOn"];
        assert_eq!(nearest("rolle", known), Some("role"));
        assert_eq!(nearest("raeds", known), Some("reads"));
        assert_eq!(nearest("DEPENDSON", known), Some("dependsOn"));
        assert_eq!(nearest("x", known), None);
        assert_eq!(nearest("", known), None);
        assert_eq!(nearest("b", ["a"]), None, "one letter of one is not near");
        assert_eq!(nearest(&"role".repeat(100), known), None);
    }

    proptest! {
        #[test]
        fn distance_is_a_metric(a in "[abc]{0,8}", b in "[abc]{0,8}") {
            let (x, y): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
            prop_assert_eq!(distance(&x, &y), distance(&y, &x));
            prop_assert_eq!(distance(&x, &y) == 0, a == b);
            prop_assert!(distance(&x, &y) <= x.len().max(y.len()));
        }
    }
}
