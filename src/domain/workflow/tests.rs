//! Workflow files, good and bad.

use super::*;
use proptest::prelude::*;

const FILE: &str = "---
name: quick
description: two steps
maxConcurrency: 2
topology: sequential
---
# For people

## Explore & Map

role: explorer
output: notes.md
parallelGroup: one
timeout: 90s
idle: 10m
retries: 3

Look at {goal}.

### Not a step
```sh
## a remark, not a step
```

## execute
role: executor
dependsOn: Explore & Map, explore-map
reads: notes.md
check: cargo test
check: test -f \"a b\"
paths: src/*.{rs,md}, docs
agent: claude, sh
verify: true
worktree: true
model: big

Do it.
";

#[test]
fn reads_every_key() {
    let flow = parse("q.workflow.md", "quick", FILE).expect("a good file");
    assert_eq!((flow.max_concurrency, flow.description.as_str()), (Some(2), "two steps"));
    let [explore, execute] = flow.steps.as_slice() else { panic!("{:?}", flow.steps) };
    assert_eq!((explore.id.as_str(), explore.title.as_str()), ("explore-map", "Explore & Map"));
    assert_eq!((explore.line, explore.role.1), (9, 11));
    assert_eq!(
        (explore.wall_ms, explore.idle_ms, explore.retries),
        (Some(90_000), Some(600_000), Some(3))
    );
    assert_eq!(explore.group.as_deref(), Some("one"));
    assert!(explore.text.starts_with("Look at {goal}.") && explore.text.ends_with("```"));
    assert_eq!(execute.needs.len(), 1, "named twice, needed once");
    assert_eq!(execute.checks, ["cargo test", "test -f \"a b\""]);
    assert_eq!(execute.paths, ["src/*.{rs,md}", "docs"]);
    assert_eq!(execute.agents, ["claude", "sh"]);
    assert!(execute.verify);
    assert_eq!(execute.text, "Do it.");
    assert_eq!(flow.warnings.len(), 1);
    assert_eq!(flow.warnings[0].line, 35);
}

fn faults(body: &str) -> String {
    let text = format!("---\nname: f\n---\n{body}");
    let found = match parse("f.workflow.md", "f", &text) {
        Ok(flow) => flow.warnings,
        Err(found) => found,
    };
    found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn ids_that_cannot_be() {
    insta::assert_snapshot!(faults("## 日本\nrole: r\n\nx\n"), @"f.workflow.md:4: error: step '日本' cannot be named: use up to 64 ASCII letters, digits and dashes");
    insta::assert_snapshot!(faults("## ..\nrole: r\n\nx\n"), @"f.workflow.md:4: error: step '..' cannot be named: use up to 64 ASCII letters, digits and dashes");
    insta::assert_snapshot!(faults("## /\nrole: r\n\nx\n"), @"f.workflow.md:4: error: step '/' cannot be named: use up to 64 ASCII letters, digits and dashes");
    insta::assert_snapshot!(faults(&format!("## {}\nrole: r\n\nx\n", "x".repeat(300))), @"f.workflow.md:4: error: step 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…' cannot be named: use up to 64 ASCII letters, digits and dashes");
    insta::assert_snapshot!(faults("## a b\nrole: r\n\nx\n## A-b\nrole: r\n\nx\n"), @"f.workflow.md:8: error: step 'A-b' is called 'a-b', as is the step on line 4");
    assert_eq!(faults("## a/../b c\nrole: r\n\nx\n"), "", "slugged, the title kept");
}

#[test]
fn keys_that_cannot_be() {
    insta::assert_snapshot!(faults("## a\nrole: r\ndependOn: b\n\nx\n"), @"f.workflow.md:6: error: unknown key 'dependOn'; did you mean 'dependsOn'?");
    insta::assert_snapshot!(faults("## a\nrole: r\nrole: s\n\nx\n"), @"f.workflow.md:6: error: key 'role' is set twice, first on line 5");
    insta::assert_snapshot!(faults("## a\nrole: r\nDo it.\n"), @r"
    f.workflow.md:4: error: step 'a' has no text: what is the task?
    f.workflow.md:6: error: expected 'key: value' or an empty line before the text, found 'Do it.'
    ");
    insta::assert_snapshot!(faults("## a\n\nDo it: now\n"), @r"
    f.workflow.md:4: error: step 'a' has no 'role:'
    f.workflow.md:4: error: step 'a' has no text: what is the task?
    f.workflow.md:6: error: expected 'key: value' or an empty line before the text, found 'Do it: now'
    ");
    insta::assert_snapshot!(faults("## a\nrole: r\ntimeout: 90\nretries: 21\nverify: maybe\nworktree: false\n\nx\n"), @r"
    f.workflow.md:6: error: 'timeout': '90' is not a span of time: write 90s, 10m or 2h (168h at most)
    f.workflow.md:7: error: 'retries' must be a number from 0 to 20, not '21'
    f.workflow.md:8: error: 'verify' must be true or false, not 'maybe'
    f.workflow.md:9: error: 'worktree: false' is not supported: every attempt has its own
    ");
    insta::assert_snapshot!(faults("## a\nrole: r\npaths: ../x\noutput: a/b\ncheck:\n\nx\n"), @r"
    f.workflow.md:6: error: '../x' must be a path inside the repository, without '/' in front and without '..'
    f.workflow.md:7: error: 'output: a/b' must be a plain file name of letters, digits, '.', '_' and '-'
    f.workflow.md:8: error: 'check:' without a command
    ");
    insta::assert_snapshot!(faults("## a\nrole: r\npreStepScript: x.sh\nseedPaths: y\n\nx\n"), @r"
    f.workflow.md:6: error: key 'preStepScript' is not supported: no script runs before a step; use crew.setup, or a step with 'agent: sh' before it
    f.workflow.md:7: warning: key 'seedPaths' is accepted for compatibility, has no effect: tracked files are there; name others in crew.copy or .worktreeinclude
    ");
    insta::assert_snapshot!(faults("## a\nrole: r\n\nx\n```sh\n## b\n"), @"f.workflow.md:8: error: the fenced block that begins here is never closed");
    insta::assert_snapshot!(faults("no steps\n"), @"f.workflow.md:4: error: no steps: write '## <step>', keys, an empty line, the text");
}

#[test]
fn relations_that_cannot_be() {
    insta::assert_snapshot!(faults("## explore\nrole: r\n\nx\n## b\nrole: r\ndependsOn: exlpore\n\nx\n"), @"f.workflow.md:10: error: step 'b' depends on 'exlpore', which does not exist; did you mean 'explore'?");
    insta::assert_snapshot!(faults("## a\nrole: r\ndependsOn: a\n\nx\n"), @"f.workflow.md:6: error: step 'a' depends on itself");
    insta::assert_snapshot!(faults("## a\nrole: r\ndependsOn: c\n\nx\n## b\nrole: r\ndependsOn: a\n\nx\n## c\nrole: r\ndependsOn: b\n\nx\n"), @"f.workflow.md:4: error: tasks wait for one another: a → c → b → a");
    insta::assert_snapshot!(faults("## a\nrole: r\noutput: plan.md\n\nx\n## b\nrole: r\ndependsOn: a\nreads: plam.md\n\nx\n"), @"f.workflow.md:12: error: step 'b' reads 'plam.md', which no step has as 'output:' (files of the repository are in the worktree); did you mean 'plan.md'?");
    insta::assert_snapshot!(faults("## a\nrole: r\noutput: plan.md\n\nx\n## b\nrole: r\nreads: plan.md\n\nx\n"), @"f.workflow.md:11: error: step 'b' reads 'plan.md' but does not depend on 'a', which makes it");
    insta::assert_snapshot!(faults("## a\nrole: r\noutput: plan.md\n\nx\n## b\nrole: r\noutput: PLAN.md\n\nx\n"), @"f.workflow.md:9: error: steps 'a' and 'b' both make 'PLAN.md'");
    insta::assert_snapshot!(faults("## a\nrole: r\n\nx\n## b\nrole: r\nparallelGroup: g\n\nx\n## c\nrole: r\nparallelGroup: g\n\nx\n"), @"f.workflow.md:8: warning: no step of group 'g' depends on anything, so none waits for 'a': is 'dependsOn' missing?");
}

#[test]
fn limits() {
    let many: String = (0..201).map(|n| format!("## s{n}\nrole: r\n\nx\n")).collect();
    insta::assert_snapshot!(faults(&many), @"f.workflow.md:804: error: 201 steps; 200 is the most");
    let fits: String = (0..200).map(|n| format!("## s{n}\nrole: r\n\nx\n")).collect();
    assert_eq!(faults(&fits), "");
    insta::assert_snapshot!(faults("## a\nrole: r\n\nx\0\n"), @"f.workflow.md:7: error: a NUL character");
    assert_eq!(
        faults("## a\nrole: r\noutput: false\nreads: false\n\nescape \u{1b} stays text\n"),
        ""
    );
    let parsed = |keys: &str| parse("f", "f", &format!("---\n{keys}\n---\n## a\nrole: r\n\nx\n"));
    assert!(parsed("topology: dynamic").is_err() && parsed("specStrict: true").is_err());
    assert!(parsed("specStrict: false").is_ok_and(|flow| flow.warnings.is_empty()));
}

proptest! {
    #[test]
    fn no_text_panics_and_what_parses_is_a_graph(
        body in "(## [a-c]\n|role: r\n|dependsOn: [a-c](, [a-c])?\n|output: x\n|reads: x\n|\n|text\n|```\n|[ -~é\n]){0,30}"
    ) {
        if let Ok(flow) = parse("f", "f", &format!("---\n---\n{body}")) {
            let tasks = flow.steps.iter().map(|s| (s.id.clone(), s.needs.clone()));
            prop_assert!(crate::domain::graph::Graph::new(tasks).is_ok());
            prop_assert!(flow.steps.iter().all(|s| !s.text.is_empty() && s.line > 2));
        }
    }
}
