//! Agents that git-crew knows, played by scripts that print what the real ones
//! were recorded printing.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use git_crew::domain::attempt::{Attempt, Ending, FailureClass};
use git_crew::domain::usage::Usage;

use super::sandbox::{Said, Sandbox, put, said, step, until};
use super::story;

/// The recorded stream of a case.
fn recorded(agent: &str, case: &str) -> String {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/streams");
    let path = root.join(agent).join(format!("{case}.jsonl"));
    assert!(path.exists(), "{} was not recorded", path.display());
    path.display().to_string()
}

/// Puts a program of this name into the sandbox's own `PATH`. It notes how it was
/// called and what it was told; `$n` is the number of the call.
fn install(sandbox: &Sandbox, name: &str, script: &str) {
    let file = sandbox.outside("bin").join(name);
    let log = sandbox.outside(name).display().to_string();
    let head = format!(
        "#!/bin/sh\nif [ \"$1\" = --version ]; then echo '9.8.7 (a fake)'; exit; fi\n\
         log={log}; echo \"$@\" >>$log.calls; n=$(wc -l <$log.calls); cat >$log.$n.prompt\n\
         env >$log.$n.env\n"
    );
    put(&file, head + script + "\n");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
}

/// What a program noted.
fn noted(sandbox: &Sandbox, what: &str) -> String {
    fs::read_to_string(sandbox.outside(what)).unwrap_or_default()
}

/// A run of team `t` with the sandbox's own programs, and its id.
#[track_caller]
fn run(sandbox: &Sandbox, env: &[(&str, &str)], code: i32) -> (String, Said) {
    let mut crew = sandbox.at(sandbox.user()).env("PATH", &path(sandbox));
    for (name, value) in env {
        crew = crew.env(name, value);
    }
    let said = crew.run(&["run", "--team", "t", "do it"]).exits(code);
    (sandbox.newest(), said)
}

fn path(sandbox: &Sandbox) -> String {
    let path = std::env::var("PATH").unwrap();
    format!("{}:{path}", sandbox.outside("bin").display())
}

/// A sandbox with a workflow of one step for these agents.
fn one_step(agents: &str, keys: &[&str]) -> Sandbox {
    let agents = format!("agent: {agents}");
    let mut all = vec![agents.as_str()];
    all.extend(keys);
    Sandbox::with(&[step("one", &all, "true")])
}

fn classes(attempts: &[Attempt]) -> Vec<(&str, &'static str)> {
    let class = |attempt: &Attempt| match &attempt.ending {
        Some(Ending::Failed { class, .. }) => class.word(),
        Some(Ending::Finished) => "finished",
        Some(Ending::Interrupted | Ending::Cancelled) | None => "-",
    };
    attempts.iter().map(|one| (one.agent.as_str(), class(one))).collect()
}

#[test]
fn what_it_said_is_handed_on_and_what_it_used_is_told() {
    let sandbox = Sandbox::with(&[
        step("one", &["agent: claude"], "true"),
        step("two", &["dependsOn: one"], "true"),
    ]);
    let play = format!("echo made >made.txt; cat '{}'", recorded("claude", "edit"));
    install(&sandbox, "claude", &play);
    let keys = [("ANTHROPIC_API_KEY", "k1"), ("OPENAI_API_KEY", "k2"), ("CLAUDECODE", "1")];
    let (id, _) = run(&sandbox, &keys, 0);
    let state = story::sound(&sandbox, &id);
    let account = state.tasks[0].attempts[0].output.clone().expect("it has ended").account;
    let usage = Usage { input: 5000, output: 250, cached: 1000, cost_micro: Some(19_050) };
    assert_eq!(account.usage, Some(usage));
    assert_eq!(account.version.as_deref(), Some("2.1.197"));
    assert_eq!(account.session.as_deref(), Some("id-0001-of-the-program"));
    let words = sandbox.git(&["show", &format!("refs/crew/runs/{id}:tasks/one/result.md")]);
    assert_eq!(words, "All done.");
    let prompt = sandbox.crew(&["show", &id, "two", "--prompt"]).exits(0).out;
    assert!(prompt.contains("All done.") && !prompt.contains("\"type\""), "{prompt}");
    let shown = sandbox.crew(&["show", &id, "one"]).exits(0).out;
    assert!(shown.contains("used 5000 tokens in (1000 more cached), 250 out, $0.0191"), "{shown}");
    assert!(shown.contains("version 2.1.197"), "{shown}");
    let listed = sandbox.crew(&["status"]).exits(0).out;
    assert!(listed.contains("$0.0191 and unknown"), "the other told no price: {listed}");
    let env = noted(&sandbox, "claude.1.env");
    assert!(env.contains("ANTHROPIC_API_KEY=k1\n") && env.contains("IS_SANDBOX=1\n"), "{env}");
    assert!(!env.contains("OPENAI_API_KEY") && !env.contains("CLAUDECODE"), "{env}");
    assert!(noted(&sandbox, "claude.1.prompt").contains("do it"), "by standard input");
    let calls = noted(&sandbox, "claude.calls");
    assert!(calls.contains("--dangerously-skip-permissions"), "{calls}");
}

#[test]
fn the_next_agent_goes_on_after_a_rate_limit() {
    let sandbox = one_step("claude, codex", &["retries: 0"]);
    let limit = format!("cat '{}'; exit 1", recorded("claude", "rate_limited"));
    install(&sandbox, "claude", &limit);
    install(&sandbox, "codex", &format!("echo x >made; cat '{}'", recorded("codex", "edit")));
    let (id, said) = run(&sandbox, &[], 0);
    let state = story::sound(&sandbox, &id);
    let attempts = &state.tasks[0].attempts;
    assert_eq!(classes(attempts), [("claude", "rate-limit"), ("codex", "finished")]);
    assert!(said.err.contains("rate-limit, on to agent 'codex'"), "{}", said.err);
    let version = attempts[1].output.as_ref().and_then(|output| output.account.version.clone());
    assert_eq!(version.as_deref(), Some("9.8.7"), "it is asked where the stream doesn't tell");
    assert_eq!(attempts[1].resumes, None, "another program's session is of no use");
}

#[test]
fn a_missing_login_is_nobodys_to_try_again() {
    let sandbox = one_step("claude, codex", &["retries: 2"]);
    let out = format!("cat '{}'; exit 1", recorded("claude", "no_login"));
    install(&sandbox, "claude", &out);
    install(&sandbox, "codex", &format!("cat '{}'", recorded("codex", "edit")));
    let (id, said) = run(&sandbox, &[], 3);
    let state = story::sound(&sandbox, &id);
    assert_eq!(classes(&state.tasks[0].attempts), [("claude", "auth")]);
    assert_eq!(story::standing(&state), "blocked one=needs_attention");
    let told = "claude needs a login: run 'claude auth login', or set ANTHROPIC_API_KEY";
    assert!(said.out.contains(told), "{}", said.out);
    assert_eq!(noted(&sandbox, "codex.calls"), "");
}

#[test]
fn every_failure_has_its_class() {
    for (agent, case, code, class) in [
        ("claude", "refused", 1, FailureClass::Refused),
        ("claude", "too_long", 1, FailureClass::Context),
        ("claude", "unknown_flag", 1, FailureClass::Crash),
        ("codex", "broken", 1, FailureClass::Overloaded),
        ("codex", "unauthorized", 1, FailureClass::Auth),
        ("pi", "overloaded", 0, FailureClass::Overloaded),
        ("pi", "unauthorized", 0, FailureClass::Auth),
        ("opencode", "quota", 1, FailureClass::RateLimit),
        ("opencode", "filtered", 1, FailureClass::Refused),
    ] {
        let sandbox = one_step(agent, &["retries: 0"]);
        let play = format!(
            "cat '{}'; echo \"error: unknown option\" >&2; exit {code}",
            recorded(agent, case)
        );
        install(&sandbox, agent, &play);
        let expected = if class == FailureClass::Auth { 3 } else { 1 };
        let (id, _) = run(&sandbox, &[], expected);
        let state = story::sound(&sandbox, &id);
        assert_eq!(classes(&state.tasks[0].attempts), [(agent, class.word())], "{case}");
        story::all_work_is_kept(&sandbox, &state);
    }
}

#[test]
fn an_exit_code_of_nothing_proves_nothing() {
    for (script, told) in [
        ("exit 0", "printed no event that can be read; its version is 9.8.7, 2.1.197 is known"),
        ("echo Welcome!; exit 0", "known to work: Welcome!"),
        ("cat '{edit}' >&2; exit 0", "printed its events to standard error"),
        ("head -3 '{edit}'; exit 0", "printed no end of its work"),
    ] {
        let sandbox = one_step("claude", &["retries: 0"]);
        install(&sandbox, "claude", &script.replace("{edit}", &recorded("claude", "edit")));
        let (id, said) = run(&sandbox, &[], 1);
        let state = story::sound(&sandbox, &id);
        assert_eq!(classes(&state.tasks[0].attempts), [("claude", "crash")], "{script}");
        assert!(said.out.contains(told), "{script}: {}", said.out);
    }
}

/// A program that keeps its session where it is told to, and says `edit` first
/// and what `case` names after it.
fn with_a_session(agent: &str, folder: &str, file: &str, cases: [&str; 2]) -> String {
    let [first, second] = cases.map(|case| recorded(agent, case));
    format!(
        "mkdir -p {folder}; [ -e {folder}/{file} ] || echo s >{folder}/{file}\n\
         if [ $n = 1 ]; then echo bad >made; cat '{first}'; else\n\
         cat made >before 2>/dev/null; echo good >made; cat '{second}'; fi"
    )
}

#[test]
fn a_retry_goes_on_with_the_session() {
    let sandbox = one_step("claude", &["check: grep -q good made", "retries: 1"]);
    let folder = "\"$CLAUDE_CONFIG_DIR/projects/-a\"";
    let file = "id-0001-of-the-program.jsonl";
    let script = with_a_session("claude", folder, file, ["edit", "resumed"]);
    install(&sandbox, "claude", &script);
    let state = sandbox.outside("claude-state").display().to_string();
    let (id, said) = run(&sandbox, &[("CLAUDE_CONFIG_DIR", &state)], 0);
    let state = story::sound(&sandbox, &id);
    let attempts = &state.tasks[0].attempts;
    assert_eq!(classes(attempts), [("claude", "finished"), ("claude", "finished")]);
    assert_eq!(attempts[0].resumes, None);
    assert_eq!(attempts[1].resumes.as_deref(), Some("id-0001-of-the-program"));
    assert!(said.err.contains("attempt 2 started on claude, same session"), "{}", said.err);
    let calls = noted(&sandbox, "claude.calls");
    let last = calls.lines().last().unwrap_or_default();
    assert!(last.contains("--resume ") && last.ends_with(file), "{calls}");
    let prompt = noted(&sandbox, "claude.2.prompt");
    let work = attempts[0].work.clone().expect("it is over").commit.expect("it is kept");
    assert!(prompt.contains(&format!("git restore --source={work} .")), "{prompt}");
    let before =
        sandbox.try_git(sandbox.user(), &["show", &format!("refs/crew/results/{id}:before")]);
    assert_eq!(before.out, "", "the folder is a new one");
}

#[test]
fn tokens_of_a_session_are_counted_once() {
    let sandbox = one_step("codex", &["check: grep -q good made", "retries: 1"]);
    let folder = "\"$CODEX_HOME/sessions/2026/01/01\"";
    let file = "rollout-2026-01-01T00-00-00-id-0001-of-the-program.jsonl";
    let script = with_a_session("codex", folder, file, ["large_prompt", "edit"]);
    install(&sandbox, "codex", &script);
    let state = sandbox.outside("codex-state").display().to_string();
    let (id, _) = run(&sandbox, &[("CODEX_HOME", &state)], 0);
    let state = story::sound(&sandbox, &id);
    let used: Vec<_> = state.tasks[0].attempts.iter().filter_map(Attempt::usage).collect();
    let (first, second) = (used[0], used[1]);
    assert!(noted(&sandbox, "codex.calls").contains(" resume id-0001-of-the-program -"));
    let told = Usage { input: 5000, output: 250, cached: 1000, cost_micro: None };
    assert_eq!(first.plus(second), told, "what the program told in the end");
}

#[test]
fn waiting_is_not_idling_and_is_seen() {
    let sandbox = one_step("claude", &["idle: 1s", "retries: 0"]);
    let stream = recorded("claude", "rate_limited_then_fine");
    let script = format!(
        "sed -n 1p '{stream}'; sed -n 2p '{stream}' | sed 's/\"retry_delay_ms\":1000/\"retry_delay_ms\":6000/'\n\
         sleep 4; tail -2 '{stream}'"
    );
    install(&sandbox, "claude", &script);
    let crew = sandbox.at(sandbox.user()).env("PATH", &path(&sandbox));
    let child = crew.spawn(&["run", "--team", "t", "do it"]);
    let seen = until("the agent to be seen waiting", || {
        let folder = sandbox.common().join("crew/live");
        let run = fs::read_dir(folder).ok()?.next()?.ok()?.path();
        let text = fs::read_to_string(run.join("one.1.json")).ok()?;
        let state: serde_json::Value = serde_json::from_str(&text).expect("never half a file");
        (state["doing"] == "waiting").then_some(state)
    });
    assert_eq!(
        (&seen["why"], &seen["session"]),
        (&"rate_limit".into(), &"id-0001-of-the-program".into())
    );
    let wait = seen["until"].as_i64().unwrap_or(0) - seen["since"].as_i64().unwrap_or(0);
    assert_eq!(wait, 6000);
    let ended = said(child).exits(0);
    assert!(ended.out.contains("completed"), "{}", ended.out);
}

#[test]
fn without_any_agent_it_says_what_to_install() {
    let installed = |name: &str| {
        let path = std::env::var_os("PATH").unwrap();
        std::env::split_paths(&path).any(|folder| folder.join(name).exists())
    };
    if ["claude", "codex", "pi", "opencode"].into_iter().any(installed) {
        let skipped = std::io::Write::write_all(
            &mut std::io::stderr(),
            b"skipped: an agent is installed here\n",
        );
        return skipped.expect("standard error is open");
    }
    let sandbox = Sandbox::new();
    let said = sandbox.crew(&["run", "fix it"]).exits(2);
    for words in [
        "no agent is installed",
        "npm install -g @anthropic-ai/claude-code",
        "git config crew.agent",
    ] {
        assert!(said.err.contains(words), "no '{words}' in {}", said.err);
    }
    let said = sandbox.crew(&["run", "--agent", "codex", "fix it"]).exits(2);
    assert!(said.err.contains("install it with 'npm install -g @openai/codex'"), "{}", said.err);
}

#[test]
fn who_plays_is_decided_by_the_nearest_word() {
    let sandbox = Sandbox::new();
    for agent in ["claude", "codex", "pi", "opencode"] {
        install(&sandbox, agent, &format!("cat '{}'", recorded(agent, "large_prompt")));
    }
    let plan = |sandbox: &Sandbox, more: &[&str]| {
        let mut words = vec!["run", "--dry-run", "--json", "fix it"];
        words.extend(more);
        let said = sandbox.at(sandbox.user()).env("PATH", &path(sandbox)).run(&words).exits(0);
        let plan: serde_json::Value = serde_json::from_str(&said.out).expect("JSON");
        plan["data"]["tasks"][0]["agent"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(plan(&sandbox, &[]), "claude", "the first installed one");
    sandbox.by_user(|sandbox| sandbox.git(&["config", "crew.agent.mine.command", "mine"]));
    assert_eq!(plan(&sandbox, &[]), "mine", "somebody set it up");
    sandbox.by_user(|sandbox| sandbox.git(&["config", "crew.defaultAgent", "pi"]));
    assert_eq!(plan(&sandbox, &[]), "pi");
    assert_eq!(plan(&sandbox, &["--agent", "opencode"]), "opencode");
    sandbox.by_user(|sandbox| {
        sandbox.git(&["config", "crew.agent.fast.adapter", "claude"]);
        sandbox.git(&["config", "crew.agent.fast.args", "--model haiku"])
    });
    assert_eq!(plan(&sandbox, &["--agent", "fast"]), "fast");
    let shown =
        sandbox.at(sandbox.user()).env("PATH", &path(&sandbox)).run(&["agents", "show", "fast"]);
    assert!(shown.out.contains("--dangerously-skip-permissions --model haiku"), "{}", shown.out);
    assert!(
        shown.out.contains("claude auth login") && shown.out.contains("ANTHROPIC_API_KEY"),
        "{}",
        shown.out
    );
}
