//! What the documentation says is true: its commands run, its words exist in the
//! program, and what the program has is written down.
//!
//! `CREW_BLESS=1 cargo test --test it docs::` writes the parts that are made.

mod format;
mod readme;
mod words;

use std::path::{Path, PathBuf};

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn read(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Every document of the project: its name and its text.
fn documents() -> Vec<(String, String)> {
    let name = |path: PathBuf| path.to_str().expect("UTF-8").to_owned();
    let mut names: Vec<String> = crate::tidy::files("docs", "md").into_iter().map(name).collect();
    names.push("README.md".to_owned());
    names.into_iter().map(|name| (name.clone(), read(&name))).collect()
}

/// Puts `made` between two marks of a document, or compares it with what is
/// there.
fn between(name: &str, begin: &str, end: &str, made: &str) {
    let text = read(name);
    let (before, rest) = text.split_once(begin).unwrap_or_else(|| panic!("{name}: no '{begin}'"));
    let (kept, after) = rest.split_once(end).unwrap_or_else(|| panic!("{name}: no '{end}'"));
    let made = format!("\n{made}");
    if kept != made && std::env::var_os("CREW_BLESS").is_some() {
        std::fs::write(path(name), format!("{before}{begin}{made}{end}{after}")).expect("written");
        return;
    }
    assert!(kept == made, "{name}: what stands after '{begin}' is old: CREW_BLESS=1 writes it");
}

/// A fenced block: the line of its fence without the backticks, and its text.
struct Block {
    info: String,
    text: String,
}

fn blocks(text: &str) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let mut open = false;
    for line in text.lines() {
        match (line.strip_prefix("```"), open) {
            (Some(_), true) => open = false,
            (Some(info), false) => {
                found.push(Block { info: info.trim().to_owned(), text: String::new() });
                open = true;
            }
            (None, true) => {
                let block = found.last_mut().expect("one is open");
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, false) => {}
        }
    }
    assert!(!open, "a block has no end");
    found
}
