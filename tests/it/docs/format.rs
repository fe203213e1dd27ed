//! `docs/format.md` is enough for a second implementation: its examples are the
//! golden files, and every field that is stored is named there.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use git_crew::domain::attempt::{FailureClass, Judgement};
use git_crew::domain::plan::Programs;
use git_crew::domain::run::RunStatus;
use git_crew::domain::task::TaskStatus;
use git_crew::world::library::Library;
use serde_json::Value;

use super::{between, read};

const NAME: &str = "docs/format.md";

/// The first golden file of each event, by the order of the story they tell.
#[test]
fn the_examples_are_the_golden_files() {
    let mut seen = BTreeSet::new();
    let mut out = String::new();
    for path in crate::tidy::files("tests/fixtures/wire/v1.2", "txt") {
        let stem = path.file_stem().and_then(|stem| stem.to_str()).expect("UTF-8");
        let word = stem.split_once('-').expect("a number and a word").1;
        if seen.insert(word.to_owned()) {
            let text = crate::tidy::text(&path);
            write!(out, "\n#### `{word}`\n\n```text\n{text}```\n").expect("a string takes it");
        }
    }
    let text = read(NAME);
    for word in &seen {
        assert!(text.contains(&format!("| `{word}` |")), "{NAME}: no row for '{word}'");
    }
    let rows = text
        .split("<!-- payloads -->")
        .nth(1)
        .and_then(|rest| rest.split("<!-- /payloads -->").next())
        .expect("the table of payloads");
    let rows = rows.lines().filter(|line| line.starts_with("| `")).count();
    assert_eq!(rows, seen.len(), "{NAME}: a row for an event that does not exist");
    between(NAME, "<!-- examples -->", "<!-- /examples -->", &out);
}

fn keys(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                found.insert(key.clone());
                keys(value, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| keys(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[track_caller]
fn names_all(section: &str, value: &Value) {
    let text = read(NAME);
    let begin = format!("\n## {section}\n");
    let (_, rest) = text.split_once(&begin).unwrap_or_else(|| panic!("no section '{section}'"));
    let rest = rest.split("\n## ").next().unwrap_or(rest);
    let mut found = BTreeSet::new();
    keys(value, &mut found);
    let missing: Vec<String> =
        found.into_iter().filter(|key| !rest.contains(&format!("`{key}`"))).collect();
    assert!(missing.is_empty(), "{NAME}: {section} does not name {missing:?}");
}

#[test]
fn every_field_of_the_state_is_named() {
    let text = read("tests/fixtures/wire/v1.2/run.json");
    names_all("run.json", &serde_json::from_str(&text).expect("JSON"));
}

#[test]
fn every_field_of_the_plan_is_named() {
    let gathered = Library::default().gather("implementation", None).expect("shipped");
    let programs = Programs { available: vec!["an-agent".into()], ..Programs::default() };
    let plan = gathered.resolve("goal", &programs, None).expect("a plan").0;
    names_all("plan.json", &serde_json::to_value(&plan).expect("JSON"));
}

#[test]
fn every_field_of_a_payload_is_named() {
    for path in crate::tidy::files("tests/fixtures/wire/v1.2", "txt") {
        let text = crate::tidy::text(&path);
        let line = text.lines().nth(2).expect("a payload");
        names_all("Events", &serde_json::from_str(line).expect("JSON"));
    }
}

#[test]
fn its_words_are_those_of_the_program() {
    let text = read(NAME);
    let line = |what: &str, words: Vec<&str>| {
        let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
        let line = format!("- {what}: {}", words.join(" "));
        assert!(text.lines().any(|have| have == line), "{NAME}: no line\n{line}");
    };
    line("run", RunStatus::ALL.map(RunStatus::word).to_vec());
    line("task", TaskStatus::ALL.map(TaskStatus::word).to_vec());
    line("failure class", FailureClass::ALL.map(FailureClass::word).to_vec());
    line("judgement", Judgement::ALL.map(Judgement::word).to_vec());
}
