//! The page beside the recorded streams, made of them.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use super::{End, NAMES, folder};
use crate::programs::Program;

const HEAD: &str = "<!-- Made by `CREW_BLESS=1 bash .ci/agents raw::table`; play the cases. -->

# What the programs printed

Streams of the real programs against the scripted model of `tests/agents/server`, recorded by
`CREW_BLESS=1 bash .ci/agents`. Ids, times and places are replaced, nothing else. `<case>.jsonl` is
standard output as it came; `<case>.end.json` says how the program ended, what it printed on
standard error and which files it left changed.

How often a program tries again by itself is set to two where it can be set (claude, codex, pi; some
layers below keep their own count), opencode goes by its own. *we* ended the case `hang` after 3 s,
and would end what asks for a turn more than twelve times.
";

fn row(program: Program, name: &str) -> Option<String> {
    let at = folder(program);
    let end = fs::read_to_string(at.join(format!("{name}.end.json"))).ok()?;
    let end: End = serde_json::from_str(&end).ok()?;
    let out = fs::read_to_string(at.join(format!("{name}.jsonl"))).ok()?;
    let code = match end.code {
        _ if end.ended_by_us => "*we*".to_owned(),
        Some(code) => code.to_string(),
        None => "signal".to_owned(),
    };
    let last = super::scrub::kinds(out.lines().last().unwrap_or_default()).join("");
    let said = end.stderr.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let said: String = said.chars().filter(|c| !c.is_control()).take(100).collect();
    let said = said.replace('|', "\\|");
    let changed = end.changed.join(", ");
    let (asked, lines) = (end.requests, out.lines().count());
    Some(format!("| {name} | {code} | {asked} | {lines} | {last} | {changed} | {said} |\n"))
}

fn page() -> String {
    let mut page = HEAD.to_owned();
    page.push_str("\n| case | the server |\n|---|---|\n");
    for name in NAMES {
        let case = super::cases::case(Program::Claude, name);
        writeln!(page, "| {name} | {} |", case.says).expect("a string takes it");
    }
    for program in Program::ALL {
        write!(
            page,
            "\n## {} {}\n\n| case | exit | requests | lines | last event | changed | first line \
             of stderr |\n|---|---|---|---|---|---|---|\n",
            program.name(),
            program.pinned()
        )
        .expect("a string takes it");
        page.extend(NAMES.iter().filter_map(|name| row(program, name)));
    }
    page
}

#[test]
fn the_page_is_made_of_what_was_recorded() {
    let place = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/streams/README.md");
    if std::env::var_os("CREW_BLESS").is_some() {
        fs::write(&place, page()).expect("a file");
    }
    assert_eq!(fs::read_to_string(&place).expect("the page"), page(), "see its first line");
}
