//! `git crew run` and what it leaves.

use std::time::Duration;

use super::sandbox::{Sandbox, said, step, until};
use super::story;

/// An agent that changes a file where its role may write.
const FAKE: &str = "cat >/dev/null; echo \"agent $CREW_TASK\"; \
    if [ \"$CREW_TASK\" = execute ]; then echo fixed >README; fi; \
    if [ \"$CREW_TASK\" = plan ]; then echo 'fix it' >\"$CREW_OUT/plan.md\"; fi";

#[test]
fn the_short_way_ends_in_a_merge_by_plain_git() {
    let sandbox = Sandbox::new();
    sandbox.by_user(|sandbox| sandbox.git(&["config", "crew.agent.fake.command", FAKE]));
    let said = sandbox.crew(&["run", "fix the typo in README"]).exits(0);
    let id = sandbox.newest();
    assert_eq!(said.err.matches("initialised refs/crew in ").count(), 1, "{}", said.err);
    assert!(said.err.contains("team default (shipped)"), "{}", said.err);
    assert!(said.out.contains("README | 2 +-"), "what changed: {}", said.out);
    assert!(said.out.contains("unverified"), "no check ran: {}", said.out);
    let last: Vec<&str> = said.out.trim_end().lines().rev().take(2).collect();
    assert!(last[1].ends_with(&format!("git crew diff {id}")), "{last:?}");
    assert!(last[0].ends_with(&format!("git merge refs/crew/results/{id}")), "{last:?}");
    let run = story::sound(&sandbox, &id);
    assert_eq!(
        story::standing(&run),
        "completed explore=completed plan=completed execute=completed verify=completed"
    );
    let prompt = sandbox.crew(&["show", &id, "execute", "--prompt"]).exits(0).out;
    assert!(prompt.contains("fix the typo in README") && prompt.contains("plan.md"), "{prompt}");
    sandbox.by_user(|sandbox| {
        sandbox.git(&["merge", "-q", &format!("refs/crew/results/{id}")]);
        assert_eq!(std::fs::read_to_string(sandbox.user().join("README")).unwrap(), "fixed\n");
    });
    let again = sandbox.crew(&["run", "fix the typo in README"]).exits(0);
    assert!(!again.err.contains("initialised"), "{}", again.err);
}

#[test]
fn plain_git_tells_the_story() {
    let sandbox = Sandbox::with(&[
        step("first", &["check: test -s made"], "echo one >made"),
        step("second", &["dependsOn: first"], "echo two >>made"),
    ]);
    let (id, _) = sandbox.run(&[], 0);
    let run = story::sound(&sandbox, &id);
    story::all_work_is_kept(&sandbox, &run);
    let journal = sandbox.git(&["log", "--first-parent", "--format=%s", "refs/crew"]);
    assert!(journal.contains(&format!("{id}: begun: do it")), "{journal}");
    assert!(journal.contains(&format!("{id}: completed")), "{journal}");
    let chain = sandbox.git(&["log", "--format=%s", &format!("refs/crew/runs/{id}")]);
    for line in ["first: attempt 1 started on sh", "first: attempt 1 passed 1 check"] {
        assert!(chain.lines().any(|subject| subject == line), "no '{line}' in {chain}");
    }
    let all = sandbox.git(&["log", "--format=%s", "refs/crew"]);
    assert!(all.contains("first: attempt 1 started on sh") && !all.contains("base\n"), "{all}");
    assert!(all.lines().all(|line| line.chars().count() <= 72), "{all}");
    let state = story::state(&sandbox, &id);
    for name in ["id", "status", "goal", "base", "result", "tasks"] {
        assert!(!state[name].is_null(), "run.json has no '{name}'");
    }
    assert_eq!((&state["id"], &state["status"]), (&id.clone().into(), &"completed".into()));
    assert_eq!(state["tasks"][0]["id"], "first");
    assert_eq!(state["tasks"][0]["attempts"].as_array().map(Vec::len), Some(1));
    let made = sandbox.git(&["show", &format!("refs/crew/results/{id}:made")]);
    assert_eq!(made, "one\ntwo");
}

#[test]
fn a_dry_run_writes_nothing() {
    let sandbox = Sandbox::with(&[
        step("first", &["check: test -s made"], "echo one >made"),
        step("second", &["dependsOn: first"], "true"),
    ]);
    let before = sandbox.ours();
    let said = sandbox.crew(&["run", "--team", "t", "--dry-run", "do it"]).exits(0);
    assert!(said.out.contains("first") && said.out.contains("check: test -s made"), "{}", said.out);
    assert!(said.out.contains("second") && said.out.contains("sh"), "{}", said.out);
    assert_eq!(sandbox.ours(), before);
    assert!(super::fingerprint::files_below(&sandbox.top().join("state")).len() <= 1);
    let words = ["run", "--team", "none", "--dry-run", "do it"];
    sandbox.crew(&words).refused(5, &["'none'"]);
}

#[test]
fn a_run_starts_from_the_commit_that_is_named() {
    let sandbox = Sandbox::with(&[step("look", &[], "cp README seen")]);
    sandbox.by_user(|sandbox| {
        let tree = sandbox.git(&["rev-parse", "v1^{tree}"]);
        sandbox.git(&["tag", "other-start", &sandbox.git(&["commit-tree", &tree, "-m", "x"])]);
    });
    let (id, _) = sandbox.run(&["--from", "other-start"], 0);
    let base = sandbox.git(&["rev-parse", "other-start"]);
    assert_eq!(story::state(&sandbox, &id)["base"], base);
    assert_eq!(sandbox.git(&["rev-parse", &format!("refs/crew/results/{id}~1")]), base);
    let before = sandbox.ours();
    let words = ["run", "--team", "t", "--from", "nowhere", "do it"];
    sandbox.crew(&words).refused(5, &["'nowhere'"]);
    assert_eq!(sandbox.ours(), before);
}

/// Steps that note when they begin and end.
fn noting(sandbox: &Sandbox, count: usize) -> Vec<String> {
    let log = sandbox.outside("noted").display().to_string();
    let script = format!("echo + >>{log}; sleep 0.3; echo - >>{log}");
    (0..count).map(|n| step(&format!("s{n}"), &[], &script)).collect()
}

fn most_at_once(sandbox: &Sandbox) -> i32 {
    let (mut now, mut most) = (0, 0);
    for line in std::fs::read_to_string(sandbox.outside("noted")).unwrap().lines() {
        now += if line == "+" { 1 } else { -1 };
        most = most.max(now);
    }
    most
}

#[test]
fn the_number_of_tasks_at_a_time_is_kept() {
    let sandbox = Sandbox::new();
    sandbox.workflow(&noting(&sandbox, 4));
    sandbox.run(&["-j", "1"], 0);
    assert_eq!(most_at_once(&sandbox), 1);
    sandbox.crew(&["run", "--team", "t", "-j", "0", "do it"]).exits(2);
    std::fs::remove_file(sandbox.outside("noted")).unwrap();
    sandbox.run(&["-j", "4"], 0);
    assert!((2..=4).contains(&most_at_once(&sandbox)), "{}", most_at_once(&sandbox));
}

#[test]
fn a_run_stops_when_its_time_is_up_and_keeps_its_work() {
    let sandbox = Sandbox::with(&[step("slow", &[], "echo half >made; sleep 300")]);
    let (id, said) = sandbox.run(&["--max-time", "2s"], 1);
    assert!(said.out.contains("--max-time"), "{}", said.out);
    let run = story::sound(&sandbox, &id);
    assert_eq!(story::standing(&run), "failed slow=cancelled");
    let commit = run.tasks[0].attempts[0].work.as_ref().and_then(|work| work.commit.clone());
    let commit = commit.expect("its work is kept");
    assert_eq!(sandbox.git(&["show", &format!("{commit}:made")]), "half");
    story::all_work_is_kept(&sandbox, &run);
    sandbox.crew(&["run", "--team", "t", "--max-time", "soon", "do it"]).exits(2);
}

#[test]
fn a_detached_run_exists_when_it_is_confirmed() {
    let sandbox = Sandbox::with(&[step("slow", &[], "sleep 1; echo it >made")]);
    let said = sandbox.crew(&["run", "--team", "t", "--detach", "do it"]).exits(0);
    let id = said.out.trim().to_owned();
    let first = story::events(&sandbox, &id);
    assert_eq!(first[0].kind.word(), "run-created");
    assert!(said.err.contains(&format!("git crew wait {id}")), "{}", said.err);
    let waited = sandbox.crew(&["wait", &id]).exits(0);
    assert!(waited.out.contains("completed"), "{}", waited.out);
    story::sound(&sandbox, &id);
    let before = sandbox.git(&["for-each-ref", "refs/crew"]);
    let words = ["run", "--team", "none", "--detach", "do it"];
    let refused = sandbox.crew(&words).exits(5);
    assert!(refused.out.is_empty() && refused.err.contains("'none'"), "{}", refused.err);
    assert_eq!(sandbox.git(&["for-each-ref", "refs/crew"]), before);
}

#[test]
fn waiting_ends_with_the_run_and_says_what_is_wrong() {
    let sandbox = Sandbox::with(&[step("fails", &["retries: 0"], "exit 3")]);
    let child = sandbox.start(&[]);
    until("a run", || (!sandbox.git(&["for-each-ref", "refs/crew/runs"]).is_empty()).then_some(()));
    let waited = sandbox.crew(&["wait"]).exits(1);
    assert!(waited.out.contains("exited with 3"), "{}", waited.out);
    assert_eq!(said(child).code, Some(1));
    sandbox.crew(&["wait", "zzzz"]).refused(5, &["'zzzz'"]);
    sandbox.workflow(&[step("slow", &[], "sleep 300")]);
    let child = sandbox.start(&[]);
    let slow = until("a task", || {
        let runs = sandbox.git(&["for-each-ref", "--format=%(refname:lstrip=3)", "refs/crew/runs"]);
        runs.lines().map(str::to_owned).find(|id| story::state(&sandbox, id)["status"] == "running")
    });
    let words = ["wait", &slow, "--timeout", "300ms"];
    let waited = sandbox.crew(&words).exits(1);
    assert!(waited.err.contains("still running"), "{}", waited.err);
    sandbox.crew(&["cancel", &slow]).exits(0);
    assert_eq!(said(child).code, Some(1));
}

#[test]
fn the_first_agent_is_there_soon_and_a_silent_one_is_stopped() {
    let sandbox = Sandbox::with(&[step("mute", &["idle: 1s", "retries: 0"], "sleep 300")]);
    let begun = std::time::Instant::now();
    let (id, _) = sandbox.run(&[], 1);
    assert!(begun.elapsed() < Duration::from_secs(60));
    let run = story::sound(&sandbox, &id);
    let ending = format!("{:?}", run.tasks[0].attempts[0].ending);
    assert!(ending.contains("IdleLimit"), "{ending}");
}
