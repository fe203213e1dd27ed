//! From a team, a workflow and a goal to a plan.

use std::collections::BTreeMap;

use super::*;
use crate::domain::agent_file;
use crate::domain::diagnostic::Diagnostic;
use crate::domain::team;
use crate::domain::workflow;

const TEAM: &str =
    "---\nmaxConcurrency: 3\n---\n- explorer: agent=scout\n- executor: agent=maker\n";
const FLOW: &str = "---\n---
## Look around
role: explorer
output: notes.md

Look at {goal}, not {goal {goal}.

## do it
role: executor
dependsOn: look around
reads: notes.md
agent: sh
check: test -f a
check: true
timeout: 90s
retries: 0

Do:
```sh
touch a
```
";

fn source(kind: Kind, name: &str) -> Source {
    Source { kind, name: name.to_owned(), place: Where::Shipped }
}

/// Resolves texts with personas `scout` (read-only) and `maker`.
fn made(
    team: &str,
    flow: &str,
    programs: &Programs,
) -> Result<(Plan, Vec<Diagnostic>), Vec<Diagnostic>> {
    let team = team::parse("t.team.md", "t", team)?;
    let flow = workflow::parse("f.workflow.md", "f", flow)?;
    let files = [("scout", "tools: read"), ("maker", "model: x"), ("off", "disabled: true")];
    let mut personas = BTreeMap::new();
    for (name, keys) in files {
        let text = format!("---\n{keys}\n---\nYou are {name}.\n");
        let persona = agent_file::parse(&format!("{name}.md"), name, &text)?;
        personas.insert(name.to_owned(), (persona, source(Kind::Agent, name)));
    }
    let known: Vec<String> = personas.keys().cloned().collect();
    resolve(Inputs {
        goal: "the {goal} door",
        team: (&team, &source(Kind::Team, "t")),
        workflow: (&flow, &source(Kind::Workflow, "f")),
        personas: &personas,
        known_personas: &known,
        programs,
        skills: &BTreeMap::new(),
        known_skills: &[],
        max_concurrency: None,
    })
}

fn any() -> Programs {
    Programs { available: vec!["any".into()], ..Programs::default() }
}

#[test]
fn the_stored_form_is_stable() {
    let (mut plan, _) = made(TEAM, FLOW, &any()).expect("a plan");
    let json = serde_json::to_string(&plan).expect("plans are plain data");
    assert_eq!(serde_json::from_str::<Plan>(&json).expect("reads back"), plan);
    let task = serde_json::to_string_pretty(&plan.tasks[1]).expect("plain data");
    insta::assert_snapshot!(task, @r#"
    {
      "id": "do-it",
      "title": "do it",
      "role": "executor",
      "agent": "sh",
      "persona": "You are maker.",
      "writes": true,
      "needs": [
        "look-around"
      ],
      "text": "Do:\n```sh\ntouch a\n```",
      "checks": [
        "test -f a",
        "true"
      ],
      "paths": [],
      "output": null,
      "reads": [
        "notes.md"
      ],
      "limits": {
        "wall_ms": 90000,
        "idle_ms": 900000
      },
      "retries": 0,
      "verify": false
    }
    "#);
    plan.tasks.clear();
    plan.sources[1].place = Where::User { path: "/c/f".into() };
    plan.sources[2].place = Where::Repository { path: ".crew/x".into() };
    insta::assert_snapshot!(serde_json::to_string(&plan).expect("plain data"), @r#"{"goal":"the {goal} door","team":"t","workflow":"f","sources":[{"kind":"team","name":"t","where":{"from":"shipped"}},{"kind":"workflow","name":"f","where":{"from":"user","path":"/c/f"}},{"kind":"agent","name":"maker","where":{"from":"repository","path":".crew/x"}},{"kind":"agent","name":"scout","where":{"from":"shipped"}}],"max_concurrency":3,"tasks":[]}"#);
}

#[test]
fn defaults_goal_and_warnings() {
    let (plan, warnings) = made(TEAM, FLOW, &any()).expect("a plan");
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    let first = &plan.tasks[0];
    assert_eq!(first.text, "Look at the {goal} door, not {goal the {goal} door.");
    assert_eq!((first.retries, first.limits.wall_ms), (2, 3_600_000));
    assert!(!first.writes && plan.tasks[1].writes);
    insta::assert_snapshot!(plan.tree().expect("a graph"), @r"
    look-around*  [explorer on any, read-only]
    └─ do-it*  [executor on sh, 2 checks]
    ");
}

fn faults(team: &str, flow: &str, programs: &Programs) -> String {
    let found = made(team, flow, programs).unwrap_err();
    found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn what_does_not_fit_together() {
    let flow = |text: &str| format!("---\n---\n## a\n{text}\n");
    insta::assert_snapshot!(faults(TEAM, &flow("role: explorr\n\nx"), &any()), @"f.workflow.md:4: error: step 'a' wants role 'explorr', which team 't' lacks; did you mean 'explorer'?");
    insta::assert_snapshot!(faults("---\n---\n- explorer: agent=skout\n", &flow("role: explorer\n\nx"), &any()), @"t.team.md:3: error: role 'explorer' is played by agent 'skout', which is unknown; did you mean 'scout'?");
    insta::assert_snapshot!(faults("---\n---\n- explorer: agent=off\n", &flow("role: explorer\n\nx"), &any()), @"t.team.md:3: error: role 'explorer' is played by agent 'off', which is disabled");
    insta::assert_snapshot!(faults(TEAM, &flow("role: explorer\n\nx"), &Programs::default()), @r#"f.workflow.md:1: error: no agent is installed or configured: name any command line with 'git config crew.agent.<name>.command "<command line>"'; it reads its task from standard input"#);
    insta::assert_snapshot!(faults(TEAM, &flow("role: explorer\nagent: sh\n\nx"), &any()), @"f.workflow.md:3: error: step 'a' is run by agent 'sh', and its text has no fenced sh block");
}

#[test]
fn a_goal_in_a_script_is_pointed_out() {
    let flow = "---\n---\n## a\nrole: explorer\nagent: sh\npaths: src\n\n```sh\necho {goal}\n```\n";
    let (_, warnings) = made(TEAM, flow, &any()).expect("a plan");
    let shown: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(shown.join("\n"), @r"
    f.workflow.md:3: warning: step 'a' pastes the goal into a shell script as it is, unquoted
    f.workflow.md:3: warning: 'paths:' of step 'a' has no effect: role 'explorer' is read-only
    ");
}

#[test]
fn a_plan_edited_into_a_cycle_is_refused_on_use() {
    let (mut plan, _) = made(TEAM, FLOW, &any()).expect("a plan");
    let last = plan.tasks[1].id.clone();
    plan.tasks[0].needs.push(last);
    assert!(matches!(plan.graph(), Err(GraphError::Cycle(_))));
}
