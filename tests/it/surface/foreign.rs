//! Files as people have them who used pi-crew: every key it knows is in the
//! fixtures. They load as they are, and what is not carried out is said line by
//! line; `check --strict` makes that an error.

use std::path::Path;
use std::process::Command;

/// What `git crew KIND check MORE FILE` exits with and answers, in the fixtures'
/// folder and without a repository.
fn check(kind: &str, more: &[&str], file: &str) -> (Option<i32>, String) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/foreign");
    let mut command = Command::new(env!("CARGO_BIN_EXE_git-crew"));
    command.current_dir(&dir).args([kind, "check"]).args(more).arg(file).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("GIT_CEILING_DIRECTORIES", dir.parent().expect("a folder above"));
    let said = command.output().expect("the program starts");
    (said.status.code(), String::from_utf8(said.stdout).expect("UTF-8"))
}

const FILES: [(&str, &str); 3] = [
    ("teams", "teams/harbour.team.md"),
    ("workflows", "workflows/harbour.workflow.md"),
    ("agents", "agents/hand.md"),
];

#[test]
fn they_load_and_say_what_is_not_carried_out() {
    let mut all = String::new();
    for (kind, file) in FILES {
        let (code, found) = check(kind, &[], file);
        assert_eq!(code, Some(0), "{found}");
        for line in found.lines() {
            // what to do instead may be worded otherwise any day
            let (what, instead) = line.split_once(", ").expect("what, and what to do instead");
            assert!(instead.len() > 20, "{line}");
            all += &format!("{what}\n");
        }
    }
    insta::assert_snapshot!(all, @r"
    teams/harbour.team.md:5: warning: key 'workspaceMode' is accepted for compatibility
    teams/harbour.team.md:7: warning: key 'observability' is accepted for compatibility
    teams/harbour.team.md:8: warning: key 'source' is accepted for compatibility
    teams/harbour.team.md:20: warning: key 'model' is accepted for compatibility
    teams/harbour.team.md:20: warning: key 'fallbackModels' is accepted for compatibility
    teams/harbour.team.md:20: warning: key 'thinking' is accepted for compatibility
    teams/harbour.team.md:21: warning: key 'maxConcurrency' is accepted for compatibility
    workflows/harbour.workflow.md:6: warning: key 'coalesceMicroTasks' is accepted for compatibility
    workflows/harbour.workflow.md:10: warning: step 'assess' is told to print a plan of another form
    workflows/harbour.workflow.md:13: warning: key 'model' is accepted for compatibility
    workflows/harbour.workflow.md:14: warning: key 'progress' is accepted for compatibility
    workflows/harbour.workflow.md:26: warning: key 'seedPaths' is accepted for compatibility
    workflows/harbour.workflow.md:36: warning: key 'specRefs' is accepted for compatibility
    workflows/harbour.workflow.md:37: warning: key 'preStepArgs' is accepted for compatibility
    workflows/harbour.workflow.md:38: warning: key 'preStepTimeout' is accepted for compatibility
    workflows/harbour.workflow.md:39: warning: key 'preStepOptional' is accepted for compatibility
    agents/hand.md:4: warning: key 'model' is accepted for compatibility
    agents/hand.md:5: warning: key 'fallbackModels' is accepted for compatibility
    agents/hand.md:6: warning: key 'thinking' is accepted for compatibility
    agents/hand.md:9: warning: key 'extensions' is accepted for compatibility
    agents/hand.md:10: warning: key 'excludeExtensions' is accepted for compatibility
    agents/hand.md:12: warning: key 'systemPromptMode' is accepted for compatibility
    agents/hand.md:13: warning: key 'inheritProjectContext' is accepted for compatibility
    agents/hand.md:14: warning: key 'inheritSkills' is accepted for compatibility
    agents/hand.md:15: warning: key 'memory' is accepted for compatibility
    agents/hand.md:16: warning: key 'loadMode' is accepted for compatibility
    agents/hand.md:17: warning: key 'contextMode' is accepted for compatibility
    agents/hand.md:18: warning: key 'defaultTools' is accepted for compatibility
    agents/hand.md:19: warning: key 'disableTools' is accepted for compatibility
    agents/hand.md:20: warning: key 'maxTurns' is accepted for compatibility
    agents/hand.md:21: warning: key 'maxTokens' is accepted for compatibility
    agents/hand.md:22: warning: key 'effort' is accepted for compatibility
    agents/hand.md:24: warning: key 'scratchpad' is accepted for compatibility
    ");
}

#[test]
fn strict_makes_an_error_of_each_line() {
    for (kind, file) in FILES {
        let (_, loose) = check(kind, &[], file);
        let (code, strict) = check(kind, &["--strict"], file);
        assert_eq!(code, Some(2), "{strict}");
        assert_eq!(strict, loose.replace(": warning: ", ": error: "));
    }
    let folder = tempfile::tempdir().expect("a folder");
    let own = folder.path().join("own.md");
    std::fs::write(&own, "---\ntools: read\nskils: a\n---\nYou read.\n").expect("written");
    let own = own.display().to_string();
    for more in [&[][..], &["--strict"]] {
        let (code, found) = check("agents", more, &own);
        assert_eq!(code, Some(2), "what nobody knows is an error either way");
        assert!(
            found.contains(":3: error: unknown key 'skils'; did you mean 'skills'?"),
            "{found}"
        );
    }
    std::fs::write(&own, "---\ntools: read\n---\nYou read.\n").expect("written");
    assert_eq!(check("agents", &["--strict"], &own), (Some(0), String::new()));
}
