//! What a file looks like: short, opened by a sentence, without leftovers and
//! without the machine it was written on.

use std::path::{Path, PathBuf};

/// The most lines of a file.
const LINES: usize = 400;
/// Names that say nothing of what is inside.
const NAMES: [&str; 8] = ["util", "utils", "helpers", "common", "misc", "imp", "stuff", "tmp"];
/// What is written to be taken out again. Put together here, or this file
/// would be its own first fault.
const LEFTOVERS: [&str; 6] = [
    concat!("to", "do!"),
    concat!("unimpl", "emented!"),
    concat!("d", "bg!"),
    concat!("FIX", "ME"),
    concat!("TO", "DO"),
    concat!("not yet impl", "emented"),
];
/// Folders of one machine.
const PLACES: [&str; 4] = [
    concat!("/wo", "rk/"),
    concat!("/tmp/cr", "ew/"),
    concat!("/tmp/t", "-"),
    concat!("/ro", "ot/"),
];

fn shape(path: &Path, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let lines = text.lines().count();
    if lines > LINES {
        faults.push(format!("{}: {lines} lines, {LINES} are the most", path.display()));
    }
    if !text.starts_with("//! ") {
        faults.push(format!("{}: does not open with what it is for", path.display()));
    }
    let part = |part: &str| part.split('_').any(|word| NAMES.contains(&word));
    let stem = path.with_extension("");
    if stem.iter().filter_map(|name| name.to_str()).any(part) {
        faults.push(format!("{}: the name says nothing", path.display()));
    }
    faults
}

fn leftovers(path: &Path, text: &str) -> Vec<String> {
    let told = |(number, line): (usize, &str)| {
        let word = LEFTOVERS.iter().find(|word| line.contains(**word))?;
        Some(format!("{}:{}: '{word}'", path.display(), number + 1))
    };
    text.lines().enumerate().filter_map(told).collect()
}

/// A place counts where a path begins: `refs/crew` has folders of that name.
fn places(path: &Path, text: &str) -> Vec<String> {
    let begins = |line: &str, at: usize| {
        !line[..at].ends_with(|c: char| c.is_alphanumeric() || "_-.>}".contains(c))
    };
    let told = |(number, line): (usize, &str)| {
        let named = |place: &&&str| line.match_indices(**place).any(|(at, _)| begins(line, at));
        let place = PLACES.iter().find(named)?;
        Some(format!("{}:{}: '{place}' is a place of one machine", path.display(), number + 1))
    };
    text.lines().enumerate().filter_map(told).collect()
}

#[test]
fn each_rule_finds_what_it_forbids() {
    let path = PathBuf::from("src/store/chain.rs");
    let long = format!("//! A file.\n{}", "\n".repeat(LINES));
    assert_eq!(shape(&path, &long).len(), 1);
    assert_eq!(shape(&path, &long[..LINES]), Vec::<String>::new());
    assert_eq!(shape(&path, "use std::fmt;\n").len(), 1);
    for name in ["src/util.rs", "src/common/mod.rs", "src/view/text_tmp.rs"] {
        assert_eq!(shape(Path::new(name), "//! A file.\n").len(), 1, "{name}");
    }
    for word in LEFTOVERS {
        assert_eq!(leftovers(&path, &format!("//! A\n    {word}(\"x\")\n")).len(), 1, "{word}");
    }
    for place in PLACES {
        assert_eq!(places(&path, &format!("see {place}notes.md")).len(), 1, "{place}");
        assert_eq!(places(&path, &format!("cd '{place}x'")).len(), 1, "{place}");
    }
    let reference = format!("refs/crew{}7kq2", PLACES[0]);
    assert_eq!(places(&path, &reference), Vec::<String>::new());
}

#[test]
fn every_file_is_short_named_and_introduced() {
    let mut all = super::files("src", "rs");
    all.extend(super::files("tests", "rs"));
    let found: Vec<String> = all.iter().flat_map(|path| shape(path, &super::text(path))).collect();
    super::none(&found);
}

#[test]
fn nothing_is_left_to_be_done() {
    let all = super::files("src", "rs");
    let found: Vec<String> =
        all.iter().flat_map(|path| leftovers(path, &super::text(path))).collect();
    super::none(&found);
}

#[test]
fn no_file_names_the_machine_it_was_written_on() {
    let all = super::files("", "");
    let found: Vec<String> = all.iter().flat_map(|path| places(path, &super::text(path))).collect();
    super::none(&found);
}
