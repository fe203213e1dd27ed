//! Settings are copies, logins come back, nothing else of the user is written.

use super::*;

/// A home with settings and logins of every program.
fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| {
        let path = home.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    put(".claude/settings.json", "{\"hooks\":1}");
    put(".claude/agents/a.md", "a");
    put(".claude/projects/old.jsonl", "old");
    put(".claude.json", "{}");
    put(".claude/.credentials.json", "{\"refreshToken\":\"r1\"}");
    put(".codex/config.toml", "model = 'x'");
    put(".codex/auth.json", "{\"OPENAI_API_KEY\":\"k\"}");
    put(".pi/agent/auth.json", "{\"refresh\":\"r1\"}");
    home
}

fn given(home: &Path) -> impl Fn(&str) -> Option<OsString> + '_ {
    move |name| (name == "HOME").then(|| home.as_os_str().to_owned())
}

fn value<'a>(state: &'a State, name: &str) -> Option<&'a Path> {
    let (_, value) = state.variables.iter().find(|(key, _)| key == name)?;
    Some(Path::new(value))
}

#[test]
fn settings_are_copies_and_nothing_else_comes_along() {
    let (home, own) = (home(), tempfile::tempdir().unwrap());
    let state = prepare("claude", own.path(), &given(home.path()), &[]).unwrap();
    let folder = value(&state, "CLAUDE_CONFIG_DIR").unwrap();
    fs::write(folder.join("settings.json"), "planted").unwrap();
    fs::write(folder.join("agents/a.md"), "planted").unwrap();
    fs::write(folder.join(".claude.json"), "planted").unwrap();
    let read = |name: &str| fs::read_to_string(home.path().join(name)).unwrap();
    assert_eq!(read(".claude/settings.json"), "{\"hooks\":1}");
    assert_eq!(read(".claude/agents/a.md"), "a");
    assert_eq!(read(".claude.json"), "{}");
    assert!(!folder.join("projects").exists());
    assert!(value(&state, "CODEX_HOME").is_none(), "another program's");
    assert!(value(&state, "XDG_STATE_HOME").is_some() && value(&state, "XDG_CACHE_HOME").is_some());
}

#[test]
fn a_login_that_renews_itself_is_written_in_place_and_a_key_is_a_copy() {
    let (home, own) = (home(), tempfile::tempdir().unwrap());
    let state = prepare("claude", own.path(), &given(home.path()), &[]).unwrap();
    let real = home.path().join(".claude/.credentials.json").canonicalize().unwrap();
    assert_eq!(state.files, std::slice::from_ref(&real));
    let ours = value(&state, "CLAUDE_CONFIG_DIR").unwrap().join(".credentials.json");
    fs::write(&ours, "{\"refreshToken\":\"r2\"}").unwrap();
    assert_eq!(fs::read_to_string(&real).unwrap(), "{\"refreshToken\":\"r2\"}");

    let state = prepare("codex", &own.path().join("2"), &given(home.path()), &[]).unwrap();
    assert_eq!(state.files, Vec::<PathBuf>::new());
    let ours = value(&state, "CODEX_HOME").unwrap().join("auth.json");
    fs::write(ours, "{\"OPENAI_API_KEY\":\"stolen\"}").unwrap();
    assert_eq!(state.bring_back(), Vec::<String>::new());
    let kept = fs::read_to_string(home.path().join(".codex/auth.json")).unwrap();
    assert_eq!(kept, "{\"OPENAI_API_KEY\":\"k\"}");
}

#[test]
fn a_login_that_was_renewed_by_a_rename_is_brought_back_once() {
    let (home, own) = (home(), tempfile::tempdir().unwrap());
    let real = home.path().join(".pi/agent/auth.json");
    let renew = |folder: &str, text: &str| {
        let state = prepare("pi", &own.path().join(folder), &given(home.path()), &[]).unwrap();
        let ours = value(&state, "PI_CODING_AGENT_DIR").unwrap().join("auth.json");
        fs::remove_file(&ours).unwrap();
        fs::write(&ours, text).unwrap();
        state
    };
    let first = renew("1", "{\"refresh\":\"r2\"}");
    let second = renew("2", "{\"refresh\":\"r3\"}");
    assert_eq!(first.bring_back(), Vec::<String>::new());
    assert_eq!(fs::read_to_string(&real).unwrap(), "{\"refresh\":\"r2\"}");
    // The user's has changed since the second was given it.
    assert_eq!(second.bring_back(), Vec::<String>::new());
    assert_eq!(fs::read_to_string(&real).unwrap(), "{\"refresh\":\"r2\"}");
    for (n, bad) in ["", "#!/bin/sh", "[1]"].iter().enumerate() {
        assert_eq!(renew(&format!("bad-{n}"), bad).bring_back(), Vec::<String>::new());
        assert_eq!(fs::read_to_string(&real).unwrap(), "{\"refresh\":\"r2\"}", "{bad:?}");
    }
}

#[test]
fn a_link_in_the_place_of_a_login_is_not_followed() {
    let (home, own) = (home(), tempfile::tempdir().unwrap());
    let state = prepare("pi", own.path(), &given(home.path()), &[]).unwrap();
    let ours = value(&state, "PI_CODING_AGENT_DIR").unwrap().join("auth.json");
    fs::remove_file(&ours).unwrap();
    let bait = own.path().join("bait");
    fs::write(&bait, "{\"bait\":1}").unwrap();
    symlink(&bait, &ours).unwrap();
    assert_eq!(state.bring_back(), Vec::<String>::new());
    let kept = fs::read_to_string(home.path().join(".pi/agent/auth.json")).unwrap();
    assert_eq!(kept, "{\"refresh\":\"r1\"}");
}

#[test]
fn a_folder_that_may_be_written_anyway_stays_where_it_is() {
    let (home, own) = (home(), tempfile::tempdir().unwrap());
    let granted = [home.path().join(".cache")];
    let state = prepare("", own.path(), &given(home.path()), &granted).unwrap();
    assert!(value(&state, "XDG_CACHE_HOME").is_none());
    assert!(value(&state, "XDG_STATE_HOME").is_some());
}

#[test]
fn settings_without_end_are_linked() {
    let (home, own) = (home(), tempfile::tempdir().unwrap());
    let skills = home.path().join(".claude/skills");
    fs::create_dir_all(&skills).unwrap();
    for n in 0..FILES + 10 {
        fs::write(skills.join(n.to_string()), "x").unwrap();
    }
    symlink(home.path(), home.path().join(".claude/agents/up")).unwrap();
    let state = prepare("claude", own.path(), &given(home.path()), &[]).unwrap();
    let folder = value(&state, "CLAUDE_CONFIG_DIR").unwrap();
    let links = fs::read_dir(folder.join("skills"))
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().path().is_symlink())
        .count();
    assert_eq!(links, 10);
}
