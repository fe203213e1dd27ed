//! The README: its blocks that are marked `run` are run, in order, in one
//! repository, with a home of their own.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Output};

use super::{between, blocks, read};

/// How the blocks that are run are marked.
const RUN: &str = "sh run=repository";

struct Room {
    root: tempfile::TempDir,
}

impl Room {
    /// A home, and beside it a repository with the README that the text speaks
    /// of.
    fn new() -> Self {
        let room = Self { root: tempfile::tempdir().expect("a folder") };
        std::fs::create_dir(room.root.path().join("home")).expect("a folder");
        let made = room.sh(
            ".",
            "git init -q -b main project && cd project && git config user.name You &&
             git config user.email you@example.com && echo 'all teh best' >README &&
             git add README && git commit -q -m begin",
        );
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        room
    }

    fn sh(&self, folder: &str, script: &str) -> Output {
        let program = Path::new(env!("CARGO_BIN_EXE_git-crew"));
        let programs = program.parent().and_then(Path::to_str).expect("UTF-8");
        let path = std::env::var("PATH").unwrap_or_default();
        Command::new("sh")
            .args(["-e", "-c", script])
            .current_dir(self.root.path().join(folder))
            .env_clear()
            .env("PATH", format!("{programs}:{path}"))
            .env("HOME", self.root.path().join("home"))
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .output()
            .expect("a shell")
    }
}

#[test]
fn it_opens_with_the_two_commands() {
    let readme = read("README.md");
    let first = &blocks(&readme)[0];
    let commands: Vec<&str> =
        first.text.lines().map(|line| line.split('#').next().unwrap_or(line).trim()).collect();
    assert_eq!(commands, ["cargo run --release -- demo", "cargo test"]);
    let head = readme.lines().take_while(|line| !line.starts_with("```")).count();
    assert!(head < 4, "the two commands come first");
    let ci = read(".ci/run");
    assert!(ci.contains("cargo run --locked --release -- demo"), "and the first is run");
}

#[test]
fn its_commands_do_what_it_says() {
    let room = Room::new();
    let readme = read("README.md");
    let mut answers = String::new();
    let mut count = 0;
    for block in blocks(&readme).iter().filter(|block| block.info == RUN) {
        let said = room.sh("project", &block.text);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (answer, story) = (text(&said.stdout), text(&said.stderr));
        assert!(said.status.success(), "{}\n{answer}\n{story}", block.text);
        answers.push_str(&answer);
        count += 1;
    }
    assert!(count >= 3, "{count} blocks are marked '{RUN}'");
    for told in ["+all the best", "\"status\": \"completed\"", "completed, unverified"] {
        assert!(answers.contains(told), "no '{told}' in\n{answers}");
    }
    let fixed = std::fs::read_to_string(room.root.path().join("project/README")).expect("a file");
    assert_eq!(fixed, "all the best\n", "the merge brought it");
}

#[test]
fn every_block_of_the_shell_is_sound() {
    for block in blocks(&read("README.md")).iter().filter(|block| block.info.starts_with("sh")) {
        assert!(block.info == "sh" || block.info == RUN, "no block is '{}'", block.info);
        let parsed = Command::new("sh").args(["-n", "-c", &block.text]).status();
        assert!(parsed.expect("a shell").success(), "{}", block.text);
    }
}

#[test]
fn its_table_has_every_command() {
    let mut table = String::from("| command | what it does |\n|---|---|\n");
    let mut command = git_crew::surface::cli::command();
    command.build();
    let mut rows: Vec<(String, String)> = command
        .get_subcommands()
        .filter(|sub| !sub.is_hide_set())
        .map(|sub| {
            let about = sub.get_about().map(ToString::to_string).unwrap_or_default();
            (sub.get_name().to_owned(), about)
        })
        .collect();
    rows.sort();
    for (name, about) in rows {
        writeln!(table, "| `git crew {name}` | {about} |").expect("a string takes it");
    }
    between("README.md", "<!-- commands -->", "<!-- /commands -->", &table);
}

/// Every link into the project leads to a file.
#[test]
fn no_link_is_dead() {
    for (name, text) in super::documents() {
        for (at, _) in text.match_indices("](") {
            let target = text[at + 2..].split(')').next().unwrap_or_default();
            let target = target.split('#').next().unwrap_or_default();
            if target.is_empty() || target.contains("://") {
                continue;
            }
            let folder = Path::new(&name).parent().expect("a folder");
            let path = super::path(".").join(folder).join(target);
            assert!(path.exists(), "{name}: no '{target}'");
        }
    }
}
