//! The grammar of a file's head, and what is wrong with a bad one.

use super::*;
use proptest::prelude::*;

fn faults(text: &str) -> Vec<String> {
    let mut report = Report::new("f.md");
    let _ = split(&mut report, text);
    report.finish().err().unwrap_or_default().iter().map(ToString::to_string).collect()
}

#[test]
fn takes_a_file_apart() {
    let mut report = Report::new("f.md");
    let text =
        "\u{feff}---\r\nname: x\r\n# remark\r\n\r\ntext: \"a: b\"\r\nempty:\r\n---\r\nbody\r\n";
    let found = split(&mut report, text).expect("a document");
    assert_eq!(found.body, "body\r\n");
    assert_eq!(found.body_line, 8);
    let fields: Vec<_> =
        found.fields.iter().map(|f| (f.key.as_str(), f.value.as_str(), f.line)).collect();
    assert_eq!(fields, [("name", "x", 2), ("text", "a: b", 5), ("empty", "", 6)]);
    assert!(!report.failed());
}

#[test]
fn bad_input_is_named_with_its_line() {
    let starts = "f.md:1: error: the first line must be '---'";
    assert!(faults("")[0].starts_with(starts));
    assert!(faults("name: x\n")[0].starts_with(starts));
    assert!(faults("---\nname: x\n")[0].contains("never closed"));
    assert_eq!(faults("---\nna\0me: x\n---\n"), ["f.md:2: error: a NUL character"]);
    assert!(
        faults("---\nx\u{1b}\n---\n")[0]
            .contains("f.md:2: error: expected 'key: value', found 'x\\x1b'")
    );
    assert!(
        faults("---\na: 1\na: 2\n---\n")[0]
            .contains("f.md:3: error: key 'a' is set twice, first on line 2")
    );
    assert!(faults("---\na:\n  - b\n---\n")[0].contains("f.md:3: error: a value is one line"));
}

#[test]
fn one_megabyte_of_front_block_is_refused() {
    let distinct: String = (0..100_000).map(|n| format!("k{n}: v\n")).collect();
    let long = format!("---\n{distinct}---\n");
    assert_eq!(faults(&long).len(), 1);
    assert!(faults(&long)[0].contains("exceeds 65536 bytes"));
    assert!(faults(&format!("---\n{}---\n", "ab: c\n".repeat(160_000))).len() <= 101);
    let one_line = format!("---\na: {}\n---\n", "x".repeat(1_000_000));
    assert_eq!(faults(&one_line), ["f.md:2: error: the block of keys exceeds 65536 bytes"]);
    let large = format!("---\na: b\n---\n{}", "x".repeat(FILE_LIMIT));
    assert!(faults(&large)[0].contains("1048576 is the most"));
    assert!(decode("f", &vec![b'x'; FILE_LIMIT + 1]).is_err());
    assert_eq!(decode("f", b"a\nb\xff").unwrap_err().line, 2);
}

#[test]
fn lists() {
    assert_eq!(list("a,b , c,"), ["a", "b", "c"]);
    assert_eq!(list("[read, grep]"), ["read", "grep"]);
    assert_eq!(list("\"a, b\", 'c'"), ["a, b", "c"]);
    assert!(list("").is_empty());
    assert_eq!(list("it's, b"), ["it's", "b"]);
}

proptest! {
    #[test]
    fn no_text_panics(text in "(---\n)?[a-z:\\- #\n\"',\\x00\u{1b}é]{0,200}(\n---\n)?.{0,20}") {
        let mut report = Report::new("f");
        if let Some(document) = split(&mut report, &text) {
            prop_assert!(text.ends_with(document.body));
            let before = &text[..text.len() - document.body.len()];
            prop_assert_eq!(before.matches('\n').count() + 1, document.body_line + usize::from(!before.ends_with('\n')));
        }
        let _ = list(&text);
    }
}
