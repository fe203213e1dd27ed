//! The rows, and what is made of them.

use super::*;

fn words(args: &[OsString]) -> String {
    let words: Vec<_> = args.iter().map(|word| word.to_string_lossy()).collect();
    words.join(" ")
}

#[test]
fn every_row_makes_its_calls() {
    let mut calls = String::new();
    for adapter in ALL {
        let more = ["--model".to_owned(), "m".to_owned()];
        calls += &format!("{} {}\n", adapter.program, words(&adapter.args(&[], None)));
        let session = Some(OsStr::new("S"));
        calls += &format!("{} {}\n", adapter.program, words(&adapter.args(&more, session)));
    }
    insta::assert_snapshot!(calls, @r"
    claude -p --output-format stream-json --verbose --dangerously-skip-permissions
    claude -p --output-format stream-json --verbose --dangerously-skip-permissions --model m --resume S
    codex exec --json --skip-git-repo-check --dangerously-bypass-approvals-and-sandbox -
    codex exec --json --skip-git-repo-check --dangerously-bypass-approvals-and-sandbox --model m resume S -
    pi --mode json -p
    pi --mode json -p --model m --session S
    opencode run --format json --auto
    opencode run --format json --auto --model m
    ");
}

#[test]
fn rows_have_their_own_names() {
    for adapter in ALL {
        assert_eq!(find(adapter.name), Some(adapter));
        let mut all = adapter.environment();
        let before = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), before, "{}: a name twice", adapter.name);
        for name in &all {
            assert!(!name.starts_with("GIT_") && !name.starts_with("CREW_"), "{name}");
        }
        for secret in adapter.secrets {
            assert!(secret.ends_with("_KEY") || secret.ends_with("_TOKEN"), "{secret}");
        }
        for name in adapter.names {
            assert!(!name.ends_with("_KEY") && !name.ends_with("_TOKEN"), "{name} is a secret");
        }
    }
    let of = |name| find(name).expect("a row").environment();
    assert!(!of("claude").contains(&"OPENAI_API_KEY".to_owned()), "each sees only its own");
    assert!(!of("codex").contains(&"ANTHROPIC_API_KEY".to_owned()), "each sees only its own");
}

#[test]
fn a_program_is_installed_where_it_can_be_executed() {
    let folder = tempfile::tempdir().expect("a folder");
    let (first, second) = (folder.path().join("1"), folder.path().join("2"));
    for (folder, mode) in [(&first, 0o644), (&second, 0o755)] {
        fs::create_dir(folder).expect("made");
        fs::write(folder.join("claude"), "#!/bin/sh\n").expect("written");
        let mode = fs::Permissions::from_mode(mode);
        fs::set_permissions(folder.join("claude"), mode).expect("set");
    }
    let path = std::env::join_paths([&first, &second]).expect("a PATH");
    let claude = find("claude").expect("a row");
    assert_eq!(claude.installed(Some(&path)), Some(second.join("claude")));
    assert_eq!(claude.installed(Some(first.as_os_str())), None);
    assert_eq!(claude.installed(Some(OsStr::new(":."))), None);
    assert_eq!(claude.installed(None), None);
}

#[test]
fn a_session_is_found_by_its_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let put = |path: &str| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(&path, "").expect("written");
        path
    };
    let id = "0199a213-81c0-7800";
    let of = |name| find(name).and_then(|adapter| adapter.session(folder.path(), id));
    assert_eq!(of("claude"), None);
    let claude = put(&format!("projects/-slots-1/{id}.jsonl"));
    put(&format!("projects/-slots-1/x{id}.jsonl"));
    assert_eq!(of("claude"), Some(claude.into_os_string()));
    assert_eq!((of("pi"), of("codex")), (None, None));
    put(&format!("sessions/2026/11/21/rollout-2026-11-21T16-00-39-{id}.jsonl"));
    assert_eq!(of("codex"), Some(OsString::from(id)));
    let pi = put(&format!("sessions/--slots-1--/2026-11-21T16-00-39-700Z_{id}.jsonl"));
    assert_eq!(of("pi"), Some(pi.into_os_string()));
    assert_eq!(of("opencode"), None, "it can't");
}

#[test]
fn the_state_is_where_the_variable_says_or_at_home() {
    let claude = find("claude").expect("a row");
    let of = |all: &[(&str, &str)]| {
        claude.state_folder(|name| {
            all.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into())
        })
    };
    assert_eq!(of(&[("HOME", "/h")]), Some("/h/.claude".into()));
    assert_eq!(of(&[("HOME", "/h"), ("CLAUDE_CONFIG_DIR", "/c")]), Some("/c".into()));
    assert_eq!(of(&[("HOME", "/h"), ("CLAUDE_CONFIG_DIR", "c")]), Some("/h/.claude".into()));
    assert_eq!(of(&[]), None);
}

#[test]
fn the_fence_makes_the_same_folders_private() {
    use crate::world::fence::state;
    for adapter in ALL {
        for folder in adapter.state {
            let row = state::TABLE.iter().find(|row| {
                (row.program == adapter.program || row.program.is_empty())
                    && row.variable == folder.variable
            });
            let usual = row.map(|row| row.usual);
            assert_eq!(usual, Some(folder.default), "{}: {}", adapter.name, folder.variable);
        }
    }
}
