//! Every key, variable, trailer, ref, command and exit code that a document names
//! is one that the program has, and the other way round.

use std::collections::BTreeSet;

use git_crew::domain::settings;
use git_crew::store::names;
use git_crew::surface::exit::Exit;

use super::{documents, read};

/// Settings that the design speaks of and that nothing reads yet: they may be
/// named there, and nowhere else.
const DESIGNED: [&str; 4] = ["crew.keepWork", "crew.keepAttic", "crew.copy", "crew.setup"];

/// Every longest run of characters that begins with `prefix` (not inside a
/// word) and goes on with what `part` allows.
fn found(text: &str, prefix: &str, part: impl Fn(char) -> bool) -> BTreeSet<String> {
    let begins =
        |at: usize| !text[..at].ends_with(|c: char| c.is_alphanumeric() || "@_./-".contains(c));
    text.match_indices(prefix)
        .filter(|(at, _)| begins(*at))
        .map(|(at, _)| {
            let rest = &text[at + prefix.len()..];
            let end = rest.find(|c| !part(c)).unwrap_or(rest.len());
            format!("{prefix}{}", rest[..end].trim_end_matches(['.', '-', '/']))
        })
        .filter(|word| word != prefix)
        .collect()
}

/// Whether a key as somebody writes it can be this row of the table.
fn is_row(key: &str, row: &str) -> bool {
    let parts = |text: &str| -> Vec<String> { text.split('.').map(str::to_lowercase).collect() };
    let (key, row) = (parts(key), parts(row));
    key.len() == row.len() && key.iter().zip(&row).all(|(a, b)| a == b || b.starts_with('<'))
}

fn sources(folder: &str) -> Vec<String> {
    crate::tidy::files(folder, "rs").iter().map(|path| crate::tidy::text(path)).collect()
}

#[test]
fn a_word_is_found_as_a_whole() {
    let part = |c: char| c.is_alphanumeric() || ".<>".contains(c);
    let text = "set `crew.agent.<name>.command=x`, crew.team. Not a@crew.invalid, xcrew.y or crew.";
    let want: BTreeSet<String> =
        ["crew.agent.<name>.command", "crew.team"].iter().map(ToString::to_string).collect();
    assert_eq!(found(text, "crew.", part), want);
    assert!(is_row("crew.agent.claude.command", "crew.agent.<name>.command"));
    assert!(is_row("crew.defaultagent", "crew.defaultAgent"));
    assert!(!is_row("crew.agent.claude.model", "crew.agent.<name>.command"));
}

#[test]
fn every_setting_that_a_document_names_exists() {
    let part = |c: char| c.is_alphanumeric() || ".<>".contains(c);
    for (name, text) in documents() {
        for key in found(&text, "crew.", part) {
            let known = settings::TABLE.iter().any(|row| is_row(&key, row.key));
            let designed = name.starts_with("docs/design/") && DESIGNED.contains(&key.as_str());
            assert!(known || designed, "{name}: no setting '{key}'");
        }
    }
}

#[test]
fn the_program_reads_the_settings_of_the_table_and_no_others() {
    let read: BTreeSet<String> = sources("src/engine")
        .iter()
        .flat_map(|text| found(text, "\"crew.", |c| c.is_alphanumeric() || ".{}".contains(c)))
        .map(|literal| literal.trim_start_matches('"').to_owned())
        .collect();
    let begins = |row: &str| row.split('<').next().unwrap_or(row).to_lowercase();
    for literal in &read {
        let fixed = literal.split('{').next().unwrap_or(literal).trim_end_matches('.');
        let known = settings::TABLE.iter().any(|row| begins(row.key).starts_with(fixed));
        assert!(known, "'{literal}' is read and not in the table");
    }
    for row in settings::TABLE {
        let fixed = begins(row.key);
        let fixed = fixed.trim_end_matches('.');
        let known = read.iter().any(|literal| literal.to_lowercase().starts_with(fixed));
        assert!(known, "'{}' is in the table and not read", row.key);
    }
}

#[test]
fn every_variable_exists_and_those_of_agents_are_written_down() {
    let part = |c: char| c.is_ascii_uppercase() || c == '_';
    let program: BTreeSet<String> = sources("src")
        .iter()
        .chain(&sources("tests/it"))
        .flat_map(|text| found(text, "CREW_", part))
        .collect();
    let mut named = BTreeSet::new();
    for (name, text) in documents() {
        for variable in found(&text, "CREW_", part) {
            assert!(program.contains(&variable), "{name}: no variable '{variable}'");
            named.insert(variable);
        }
    }
    for variable in ["RUN", "TASK", "ATTEMPT", "BASE", "IN", "OUT", "MARK", "DEPTH", "LOG"] {
        assert!(named.contains(&format!("CREW_{variable}")), "CREW_{variable}: nowhere written");
    }
}

#[test]
fn every_trailer_is_one_that_is_written() {
    let part = |c: char| c.is_ascii_alphabetic();
    let written: BTreeSet<String> = crate::tidy::files("tests/fixtures/wire/v1.2", "txt")
        .iter()
        .flat_map(|path| found(&crate::tidy::text(path), "Crew-", part))
        .collect();
    assert!(written.len() > 8, "{written:?}");
    for (name, text) in documents() {
        for trailer in found(&text, "Crew-", part) {
            assert!(written.contains(&trailer), "{name}: no trailer '{trailer}'");
        }
    }
    let format = found(&read("docs/format.md"), "Crew-", part);
    assert_eq!(written.difference(&format).count(), 0, "format.md names {format:?} of {written:?}");
}

#[test]
fn every_ref_is_one_of_ours() {
    let kinds = [
        names::RUNS,
        names::LEASES,
        names::WORK,
        names::RESULTS,
        names::KEPT,
        names::ATTIC,
        "refs/crew/log",
    ];
    let part = |c: char| c.is_ascii_lowercase();
    for (name, text) in documents() {
        for written in found(&text, names::ALL, part) {
            let known = kinds.iter().any(|kind| kind.trim_end_matches('/') == written);
            assert!(known, "{name}: no ref '{written}'");
        }
    }
    let format = read("docs/format.md");
    for kind in kinds.iter().chain(&["refs/refs/crew", "refs/notes/crew"]) {
        assert!(format.contains(kind), "format.md does not name '{kind}'");
    }
}

#[test]
fn every_command_exists() {
    let mut command = git_crew::surface::cli::command();
    command.build();
    for (name, text) in documents() {
        // In the design a command may be named before it is there.
        if name.starts_with("docs/design/") {
            continue;
        }
        for written in found(&text, "git crew ", |c| c.is_ascii_lowercase()) {
            let word = written.trim_start_matches("git crew ");
            let file = format!("src/surface/cli/commands/{word}.rs");
            let known = command.find_subcommand(word).is_some() || super::path(&file).exists();
            let prose = ["is", "and", "of", "are", "works", "itself", "has", "keeps", "runs"];
            assert!(known || prose.contains(&word), "{name}: no command '{written}'");
        }
    }
}

#[test]
fn every_exit_code_is_in_the_table() {
    for (name, text) in documents() {
        for prefix in ["exit code ", "exits with ", "exits "] {
            for written in found(&text, prefix, |c| c.is_ascii_digit()) {
                let code: u8 = written[prefix.len()..].parse().expect("a code");
                let known = Exit::ALL.iter().any(|exit| exit.code() == code);
                assert!(known, "{name}: no exit code {code}");
            }
        }
    }
}
