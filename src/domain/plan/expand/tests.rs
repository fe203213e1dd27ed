//! Steps that are done once for each line of a list.

use proptest::prelude::*;

use super::*;
use crate::domain::plan::Limits;

fn id(name: &str) -> TaskId {
    name.parse().expect("a slug")
}

fn task(name: &str, needs: &[&str]) -> PlannedTask {
    PlannedTask {
        id: id(name),
        title: name.to_uppercase(),
        role: "r".into(),
        agent: "any".into(),
        fallbacks: vec![],
        persona: String::new(),
        writes: true,
        needs: needs.iter().map(|need| id(need)).collect(),
        text: "Mend {item}, only {item}.".into(),
        checks: vec!["cargo test".into()],
        plan_checks: vec![],
        paths: vec![],
        output: None,
        reads: vec![],
        limits: Limits { wall_ms: 1, idle_ms: 1 },
        retries: 2,
        verify: false,
        expand: None,
        planned_by: None,
        item: None,
        skills: vec![],
    }
}

/// `find` makes `files.txt`, `mend` is for each line, `last` reads what it made.
fn plan() -> Plan {
    let mut find = task("find", &[]);
    find.output = Some("files.txt".into());
    let mut mend = task("mend", &["find"]);
    mend.expand = Some(Expand::Foreach { of: "files.txt".into() });
    mend.output = Some("notes.md".into());
    let mut last = task("last", &["mend"]);
    last.reads = vec!["notes.md".into()];
    Plan {
        goal: "g".into(),
        team: "t".into(),
        workflow: "w".into(),
        sources: vec![],
        max_concurrency: 2,
        tasks: vec![find, mend, last],
        cast: vec![],
        skills: vec![],
    }
}

fn made(plan: &Plan, list: &str) -> Vec<PlannedTask> {
    let items = items("files.txt", list.as_bytes()).expect("a list");
    of_items(plan, plan.task(&id("mend")).expect("there"), &items).expect("free names")
}

#[test]
fn each_line_is_a_task() {
    let plan = plan();
    let tasks = made(&plan, "\u{feff}src/a.rs\r\n\n  src/b c.rs \n日本\n");
    let names: Vec<&str> = tasks.iter().map(|task| task.id.as_str()).collect();
    assert_eq!(names, ["mend-1-src-a-rs", "mend-2-src-b-c-rs", "mend-3"]);
    assert_eq!(tasks[0].text, "Mend src/a.rs, only src/a.rs.");
    assert_eq!(tasks[1].title, "MEND: src/b c.rs");
    assert_eq!(
        (&tasks[1].item, &tasks[1].checks),
        (&Some("src/b c.rs".to_owned()), &vec!["cargo test".to_owned()])
    );
    let revised = plan.revised(&id("mend"), tasks);
    assert_eq!(revised.task(&id("mend")), None, "they stand in its place");
    let last = revised.task(&id("last")).expect("there");
    assert_eq!(last.needs, [id("mend-1-src-a-rs"), id("mend-2-src-b-c-rs"), id("mend-3")]);
    assert_eq!(last.reads, ["notes-1.md", "notes-2.md", "notes-3.md"], "one artifact each");
    revised.graph().expect("a graph");
}

#[test]
fn without_a_line_who_waits_goes_on() {
    let plan = plan();
    let revised = plan.revised(&id("mend"), made(&plan, "\n \n"));
    assert!(revised.task(&id("mend")).is_some(), "it stays, to be seen as skipped");
    let last = revised.task(&id("last")).expect("there");
    assert_eq!((last.needs.as_slice(), last.reads.as_slice()), (&[id("find")][..], &[][..]));
}

#[test]
fn a_line_is_no_part_of_a_script() {
    let mut plan = plan();
    plan.tasks[1].agent = SH.into();
    let tasks = made(&plan, "$(rm -rf /)\n");
    assert_eq!(tasks[0].text, "Mend {item}, only {item}.");
    assert_eq!(tasks[0].item.as_deref(), Some("$(rm -rf /)"));
}

#[test]
fn what_is_no_list_is_refused() {
    let fault = |bytes: &[u8]| items("l", bytes).expect_err("no list").to_string();
    insta::assert_snapshot!(fault(b"a\n\xff"), @"'l': a byte that is not UTF-8 text, at offset 2");
    insta::assert_snapshot!(fault(b"a\x1b[2J\n"), @"'l': line 1 holds control characters");
    insta::assert_snapshot!(fault("x\n".repeat(51).as_bytes()), @"'l': 51 lines; 50 is the most");
    insta::assert_snapshot!(fault("é".repeat(300).as_bytes()), @"'l': line 1 has 600 bytes; 500 is the most");
    insta::assert_snapshot!(fault(&vec![b'\n'; 300_000]), @"'l': a file of 300000 bytes; 262144 is the most");
    let mut plan = plan();
    plan.tasks.push(task("mend-1-a", &[]));
    let items = items("l", b"a").expect("a list");
    let taken = of_items(&plan, &plan.tasks[1], &items).expect_err("taken");
    insta::assert_snapshot!(taken, @"line 1 ('a'): no free name");
}

proptest! {
    #[test]
    fn any_list_makes_a_graph(list in "([a-zé/ .-]{0,90}\n){0,50}") {
        let plan = plan();
        let tasks = made(&plan, &list);
        prop_assert_eq!(tasks.len(), list.lines().filter(|line| !line.trim().is_empty()).count());
        prop_assert!(plan.revised(&id("mend"), tasks).graph().is_ok());
    }
}
