//! What only the built program can show: its streams, its end, its folder.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Output, Stdio};

fn crew(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_git-crew"));
    command.args(words).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
}

fn run(command: &mut Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command.output().expect("the program starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the program writes UTF-8");
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn help_is_an_answer_and_a_slip_is_not() {
    let (code, answer, story) = run(&mut crew(&["help"]));
    assert_eq!((code, story.as_str()), (Some(0), ""));
    assert!(answer.contains("Quick start:"));
    let (code, answer, story) = run(&mut crew(&["stauts"]));
    assert_eq!((code, answer.as_str()), (Some(2), ""));
    assert!(story.contains("'status'"), "{story}");
    let (code, answer, story) = run(&mut crew(&[]));
    assert_eq!((code, answer.as_str()), (Some(2), ""));
    assert!(story.contains("Quick start:"), "{story}");
    assert_eq!(run(&mut crew(&["--version"])).0, Some(0));
}

#[test]
fn colour_is_asked_for_or_absent() {
    let escape = '\u{1b}';
    assert!(!run(&mut crew(&["help"])).1.contains(escape), "no terminal");
    let forced = run(crew(&["help"]).env("CLICOLOR_FORCE", "1")).1;
    assert!(forced.contains(escape), "CLICOLOR_FORCE");
    let both = run(crew(&["help"]).env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1")).1;
    assert!(!both.contains(escape), "NO_COLOR");
    let (_, _, story) = run(crew(&["stauts"]).env("CLICOLOR_FORCE", "1"));
    assert!(story.contains(escape), "the story too");
    assert!(run(&mut crew(&["help", "--color", "always"])).1.contains(escape));
}

#[test]
fn a_reader_that_goes_away_is_no_panic() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut child =
        crew(&["man"]).stdout(writer).stderr(Stdio::piped()).spawn().expect("the program starts");
    let mut story = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut story).expect("UTF-8");
    let status = child.wait().expect("it ends");
    assert_eq!(story, "");
    assert_eq!(status.code(), Some(141));
}

#[test]
fn the_first_line_is_enough_for_a_reader() {
    let mut child = crew(&["help"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut first = String::new();
    let mut answer = BufReader::with_capacity(1, child.stdout.take().expect("piped"));
    answer.read_line(&mut first).expect("UTF-8");
    drop(answer);
    let mut story = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut story).expect("UTF-8");
    let code = child.wait().expect("it ends").code();
    assert!(!first.trim().is_empty());
    assert_eq!(story, "");
    assert!(matches!(code, Some(0 | 141)), "{code:?}");
}

#[test]
fn manual_pages_are_installed_whole() {
    let home = tempfile::tempdir().expect("a folder");
    let (code, answer, story) = run(crew(&["man", "--install"]).env("XDG_DATA_HOME", home.path()));
    assert_eq!(code, Some(0), "{story}");
    let folder = home.path().join("man/man1");
    assert!(answer.contains(folder.to_str().expect("UTF-8")), "{answer}");
    assert!(story.contains("MANPATH"), "{story}");
    let installed = std::fs::read_to_string(folder.join("git-crew-status.1")).expect("installed");
    assert_eq!(installed, run(&mut crew(&["man", "status"])).1);
    let again = run(crew(&["man", "--install"]).env("XDG_DATA_HOME", home.path()));
    assert_eq!(again.1, answer, "twice is as good as once");
}

#[test]
fn completion_scripts_ask_the_program() {
    for shell in ["bash", "zsh", "fish"] {
        let (code, script, _) = run(&mut crew(&["completions", shell]));
        assert_eq!(code, Some(0));
        assert!(script.contains("__complete"), "{shell}");
    }
}

#[test]
fn a_folder_that_is_no_repository_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let ceiling = folder.path().parent().expect("a folder above");
    let mut command = crew(&["status"]);
    command.current_dir(folder.path()).env("GIT_CEILING_DIRECTORIES", ceiling);
    let (code, answer, story) = run(&mut command);
    assert_eq!((code, answer.as_str()), (Some(128), ""));
    assert!(story.contains("not a git repository") && story.contains("hint:"), "{story}");
}

#[test]
fn an_empty_repository_says_how_to_begin() {
    let folder = tempfile::tempdir().expect("a folder");
    let made = Command::new("git").args(["init", "-q"]).arg(folder.path()).status();
    assert!(made.is_ok_and(|status| status.success()), "git init");
    let words = ["-C", folder.path().to_str().expect("UTF-8"), "status"];
    let (code, answer, _) = run(&mut crew(&words));
    assert_eq!(code, Some(0));
    assert!(answer.starts_with("no runs here yet"), "{answer}");
    let (code, _, story) = run(&mut crew(&[words[0], words[1], "show"]));
    assert_eq!(code, Some(5));
    assert!(story.contains("git crew run"), "{story}");
}
