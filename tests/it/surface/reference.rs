//! `docs/reference/` is made of the program: commands from clap, exit codes and
//! states from their tables. `CREW_BLESS=1` writes it.

use std::fmt::Write as _;
use std::path::PathBuf;

use git_crew::domain::attempt::{FailureClass, Judgement};
use git_crew::domain::defaults;
use git_crew::domain::run::RunStatus;
use git_crew::domain::settings;
use git_crew::domain::task::TaskStatus;
use git_crew::surface::cli::command;
use git_crew::surface::exit::Exit;

const MADE: &str =
    "<!-- Made by `CREW_BLESS=1 cargo test --test it surface::`; edit the program. -->\n\n";

fn compare(name: &str, made: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/reference").join(name);
    let made = format!("{MADE}{made}");
    if std::env::var_os("CREW_BLESS").is_some() {
        let folder = path.parent().expect("a folder");
        std::fs::create_dir_all(folder).expect("docs/reference can be made");
        std::fs::write(&path, &made).expect("docs/reference can be written");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == made,
        "{} is not what the program says: CREW_BLESS=1 writes it",
        path.display()
    );
}

fn section(out: &mut String, depth: usize, command: &clap::Command) {
    let mut command = command.clone().term_width(100);
    let name = command.get_bin_name().unwrap_or(command.get_name()).to_owned();
    let help = command.render_long_help().to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    let text = lines.join("\n");
    writeln!(out, "{} {name}\n\n```text\n{}\n```\n", "#".repeat(depth), text.trim_end())
        .expect("a string takes it");
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        section(out, 2, sub);
    }
}

#[test]
fn commands() {
    let mut out = String::new();
    section(&mut out, 1, &command());
    compare("commands.md", out.trim_end_matches('\n').to_owned().as_str());
}

#[test]
fn exit_codes() {
    let mut out = String::from("# Exit codes\n\n| code | meaning |\n|---:|---|\n");
    for exit in Exit::ALL {
        writeln!(out, "| {} | {} |", exit.code(), exit.meaning()).expect("a string takes it");
    }
    compare("exit-codes.md", &out);
}

#[test]
fn settings_of_git_config() {
    let mut out = String::from(
        "# Settings\n\nSet with `git config <key> <value>`, for one repository or with `--global`.\n\n\
         | key | value | default | what it decides |\n|---|---|---|---|\n",
    );
    for row in settings::TABLE {
        let settings::Setting { key, values, default, doc } = row;
        writeln!(out, "| `{key}` | {values} | {default} | {doc} |").expect("a string takes it");
    }
    compare("settings.md", &out);
}

#[test]
fn defaults_of_files_and_flags() {
    let mut out = String::from(
        "# Defaults\n\nWhat holds when nobody says otherwise: files override it, then git config, \
         then flags.\n\n| what | default | meaning |\n|---|---|---|\n",
    );
    for row in defaults::TABLE {
        writeln!(out, "| {} | {} | {} |", row.name, row.value, row.doc).expect("a string takes it");
    }
    compare("defaults.md", &out);
}

fn moves<S: Copy>(all: &[S], may: impl Fn(S) -> bool, word: impl Fn(S) -> &'static str) -> String {
    let next: Vec<String> =
        all.iter().filter(|next| may(**next)).map(|next| format!("`{}`", word(*next))).collect();
    if next.is_empty() { "nothing: final".into() } else { next.join(", ") }
}

#[test]
fn states() {
    let head = "| status | over | may become |\n|---|---|---|\n";
    let mut out = format!("# States\n\n## Runs\n\n{head}");
    let over = |terminal| if terminal { "yes" } else { "no" };
    for status in RunStatus::ALL {
        let next = moves(&RunStatus::ALL, |next| status.may_become(next), RunStatus::word);
        let over = over(status.is_terminal());
        writeln!(out, "| `{}` | {over} | {next} |", status.word()).expect("a string takes it");
    }
    write!(out, "\n## Tasks\n\n{head}").expect("a string takes it");
    for status in TaskStatus::ALL {
        let next = moves(&TaskStatus::ALL, |next| status.may_become(next), TaskStatus::word);
        let over = over(status.is_terminal());
        writeln!(out, "| `{}` | {over} | {next} |", status.word()).expect("a string takes it");
    }
    out.push_str(
        "\nWhat is over moves only when a person reopens it (`retry`, `resume`). A run or task that \
         completed without a passed check is shown as `completed, unverified` everywhere.\n",
    );
    out.push_str("\n## Why an attempt fails\n\n");
    for class in FailureClass::ALL {
        writeln!(out, "- `{}`", class.word()).expect("a string takes it");
    }
    out.push_str("\n## What is known of a result\n\n");
    for judgement in Judgement::ALL {
        writeln!(out, "- `{}`", judgement.word()).expect("a string takes it");
    }
    compare("states.md", &out);
}
