//! `teams`, `workflows` and `agents`, inside and outside of a repository.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::real::git;

fn crew(dir: &Path, words: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_git-crew"));
    command.current_dir(dir).args(words).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
        .env("XDG_CONFIG_HOME", dir.join("config"))
        .env("GIT_CEILING_DIRECTORIES", dir.parent().expect("a folder above"));
    let said = command.output().expect("the program starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (said.status.code(), text(said.stdout), text(said.stderr))
}

fn json(dir: &Path, words: &[&str]) -> serde_json::Value {
    let (_, answer, story) = crew(dir, words);
    serde_json::from_str(&answer).unwrap_or_else(|_| panic!("no JSON: {answer}{story}"))
}

#[test]
fn the_shipped_ones_are_there_and_right_without_a_repository() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path();
    for kind in ["teams", "workflows", "agents"] {
        let (code, listed, story) = crew(dir, &[kind]);
        assert_eq!(code, Some(0), "{story}");
        assert!(listed.contains("shipped"), "{listed}");
        assert_eq!(crew(dir, &[kind, "list"]).1, listed);
        let (code, found, story) = crew(dir, &[kind, "check"]);
        assert_eq!((code, found.as_str()), (Some(0), ""), "{story}");
        assert!(story.contains("0 errors"), "{story}");
        let name = json(dir, &[kind, "list", "--json"])["data"]["files"][0]["name"].clone();
        let name = name.as_str().expect("a name");
        let (code, text, from) = crew(dir, &[kind, "show", name]);
        assert_eq!(code, Some(0));
        assert!(text.starts_with("---\n") && from.starts_with("from: "), "{from}{text}");
    }
    assert!(crew(dir, &["agents"]).1.contains("embedded"));
    let (code, _, story) = crew(dir, &["teams", "show", "defualt"]);
    assert_eq!(code, Some(5));
    assert!(story.contains("did you mean 'default'?"), "{story}");
}

#[test]
fn the_users_come_first_and_the_repositorys_last() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path();
    git(dir, &["init", "-q"]);
    assert_eq!(crew(dir, &["teams"]).0, Some(0), "no commit yet");
    let (_, shipped, _) = crew(dir, &["teams", "show", "default"]);
    let brought = dir.join(".crew/teams");
    fs::create_dir_all(&brought).expect("made");
    fs::write(brought.join("default.team.md"), &shipped).expect("written");
    fs::write(brought.join("ours.team.md"), shipped.replace("name: default", "name: ours"))
        .expect("written");
    git(dir, &["add", ".crew"]);
    git(dir, &["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "teams"]);
    let users = dir.join("config/git-crew/teams");
    fs::create_dir_all(&users).expect("made");
    fs::write(users.join("default.team.md"), &shipped).expect("written");
    let listed = json(dir, &["teams", "list", "--json"]);
    let files = listed["data"]["files"].as_array().expect("a list");
    let one =
        |name: &str| files.iter().find(|file| file["name"] == name).expect("it is listed").clone();
    assert_eq!(one("default")["source"]["from"], "user");
    assert_eq!(one("default")["hides"].as_array().map(Vec::len), Some(2));
    assert_eq!(one("ours")["source"]["from"], "repository");
}

#[test]
fn a_check_names_file_line_cause_and_the_nearest_word() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path();
    let (_, shipped, _) = crew(dir, &["workflows", "show", "default"]);
    let file = dir.join("mine.workflow.md");
    fs::write(&file, shipped.replacen("role:", "rolle:", 1)).expect("written");
    let (code, found, story) = crew(dir, &["workflows", "check", "mine.workflow.md"]);
    assert_eq!(code, Some(2), "{found}{story}");
    let meant = "mine.workflow.md:7: error: unknown key 'rolle'; did you mean 'role'?";
    assert!(found.lines().any(|line| line == meant), "{found}");
    assert!(!story.contains(" 0 errors"), "{story}");
    let told = json(dir, &["workflows", "check", "./mine.workflow.md", "--json"]);
    assert_eq!(told["data"]["checked"], 1);
    assert_eq!(told["data"]["found"][1]["severity"], "error");
    assert_eq!(crew(dir, &["workflows", "check", "absent.workflow.md"]).0, Some(5));
    assert_eq!(crew(dir, &["workflows", "check", "absent"]).0, Some(5));
    let (code, found, _) = crew(dir, &["teams", "check", "./mine.workflow.md"]);
    assert_eq!(code, Some(2), "{found}");
    fs::create_dir_all(dir.join("config/git-crew/workflows")).expect("made");
    fs::rename(file, dir.join("config/git-crew/workflows/mine.workflow.md")).expect("moved");
    assert_eq!(crew(dir, &["workflows", "check"]).0, Some(2));
    let (code, listed, _) = crew(dir, &["workflows"]);
    assert_eq!(code, Some(0));
    assert!(listed.contains("mine.workflow.md:"), "what is wrong is in the list: {listed}");
}

#[test]
fn programs_are_listed_with_the_agents() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path();
    git(dir, &["init", "-q"]);
    git(dir, &["config", "crew.agent.Mine.command", "mine --go"]);
    git(dir, &["config", "crew.agent.Mine.prompt", "file"]);
    let (_, listed, _) = crew(dir, &["agents"]);
    assert!(listed.contains("mine --go") && listed.contains("prompt by file"), "{listed}");
    assert!(crew(dir, &["agents", "show", "Mine"]).1.contains("mine --go"));
    git(dir, &["config", "crew.agent.Mine.prompt", "shouting"]);
    let (code, _, story) = crew(dir, &["agents", "check"]);
    assert_eq!(code, Some(2));
    assert!(story.contains("'shouting'") && story.contains("hint: "), "{story}");
}
