//! Plans as agents write them, good and bad.

use proptest::prelude::*;

use super::*;
use crate::domain::id::TaskId;
use crate::domain::plan::{Expand, Limits, Part, SH};

fn id(name: &str) -> TaskId {
    name.parse().expect("a slug")
}

fn task(name: &str, needs: &[&str]) -> PlannedTask {
    PlannedTask {
        id: id(name),
        title: name.into(),
        role: "planner".into(),
        agent: "any".into(),
        fallbacks: vec![],
        persona: String::new(),
        writes: false,
        needs: needs.iter().map(|need| id(need)).collect(),
        text: String::new(),
        checks: vec![],
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

fn part(role: &str, agent: &str, writes: bool) -> Part {
    Part {
        role: role.into(),
        description: String::new(),
        agent: agent.into(),
        fallbacks: vec![],
        persona: format!("You are {role}."),
        writes,
        skills: vec![],
    }
}

/// `look` (makes `notes.md`), `plan` behind it, `last` behind that.
fn around() -> Plan {
    let mut look = task("look", &[]);
    look.output = Some("notes.md".into());
    let mut planner = task("plan", &["look"]);
    planner.output = Some("plan.json".into());
    planner.expand = Some(Expand::Plan { checks: vec!["cargo test".into()] });
    Plan {
        goal: "g".into(),
        team: "t".into(),
        workflow: "w".into(),
        sources: vec![],
        max_concurrency: 2,
        tasks: vec![look, planner, task("last", &["plan"])],
        cast: vec![
            part("executor", "any", true),
            part("reviewer", "any", false),
            part("runner", SH, true),
        ],
        skills: vec![],
    }
}

fn read_in(plan: &Plan, text: &str) -> Result<Vec<PlannedTask>, Vec<Fault>> {
    read(plan, plan.task(&id("plan")).expect("there"), text.as_bytes())
}

fn faults(text: &str) -> String {
    let faults = read_in(&around(), text).expect_err("it is bad");
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

const GOOD: &str = r#"{"tasks": [
    {"id": "Tests", "role": "executor", "task": "Test it.", "dependsOn": ["parser", "look"],
     "check": "true", "reads": ["notes.md", "shape.md"], "paths": ["tests/**"]},
    {"id": "parser", "role": "executor", "task": "Write it.", "title": "The parser", "output": "shape.md"},
    {"id": "review", "role": "reviewer", "task": "Read it.", "dependsOn": "parser", "check": ["a", "b"]}
]}"#;

#[test]
fn a_good_plan_is_tasks_in_order() {
    let plan = around();
    let tasks = read_in(&plan, GOOD).expect("a good plan");
    let names: Vec<&str> = tasks.iter().map(|task| task.id.as_str()).collect();
    assert_eq!(names, ["parser", "tests", "review"]);
    let [parser, tests, review] = tasks.as_slice() else { panic!("{tasks:?}") };
    assert_eq!(parser.needs, [id("plan")], "what waits for none of the plan waits for its maker");
    assert_eq!((parser.title.as_str(), tests.title.as_str()), ("The parser", "Tests"));
    assert_eq!(tests.needs, [id("parser")], "what comes before the plan is waited for anyway");
    assert_eq!(parser.planned_by, Some(id("plan")));
    // the workflow's checks stay, and stand apart from the plan's
    assert_eq!(
        (tests.checks.as_slice(), tests.plan_checks.as_slice()),
        (&["cargo test".to_owned()][..], &["true".to_owned()][..])
    );
    assert_eq!((review.checks.len(), review.plan_checks.len()), (0, 2), "it changes nothing");
    assert_eq!(review.persona, "You are reviewer.");
    let revised = plan.revised(&id("plan"), tasks);
    let order: Vec<&str> = revised.tasks.iter().map(|task| task.id.as_str()).collect();
    assert_eq!(order, ["look", "plan", "parser", "tests", "review", "last"]);
    let last = revised.task(&id("last")).expect("there");
    assert_eq!(last.needs, [id("plan"), id("tests"), id("review")]);
    revised.graph().expect("no cycle");
}

#[test]
fn prose_stands_around_one_block_or_not_at_all() {
    let plan = around();
    let fenced = format!("Here it is:\n```json\n{GOOD}\n```\nDone.\n");
    assert_eq!(read_in(&plan, &fenced), read_in(&plan, GOOD));
    assert_eq!(read_in(&plan, &format!("\u{feff}\n {GOOD}\n\n")), read_in(&plan, GOOD));
    insta::assert_snapshot!(faults("Sure! {\"tasks\": []}"), @"$: no JSON: it must be the whole file, or stand in one ```json block");
    insta::assert_snapshot!(faults(&format!("{GOOD} I hope it helps.")), @"$: not JSON: trailing characters at line 6 column 4");
    insta::assert_snapshot!(faults("```json\n{}\n```\n```json\n{}\n```\n"), @"$: 2 json blocks; one is expected");
    insta::assert_snapshot!(faults("```json\n{\"tasks\": ["), @"$: no JSON: it must be the whole file, or stand in one ```json block");
    insta::assert_snapshot!(faults("{\"tasks\": [1, 2"), @"$: not JSON: EOF while parsing a list at line 1 column 15");
    insta::assert_snapshot!(faults("[]"), @"$: it is a list; an object with 'tasks' is expected");
    insta::assert_snapshot!(faults("{\"tasks\": [], \"tasks\": []}"), @"$: not JSON: key 'tasks' is there twice at line 1 column 26");
    let bad = read(&plan, plan.task(&id("plan")).expect("there"), b"{\xff}").expect_err("bytes");
    assert!(bad[0].cause.contains("not UTF-8"), "{bad:?}");
}

#[test]
fn every_fault_has_its_place_and_the_nearest_word() {
    insta::assert_snapshot!(faults(r#"{"task": [], "steps": 1}"#), @r"
    $: unknown key 'task'; did you mean 'tasks'?
    $: unknown key 'steps'
    $: no 'tasks'
    ");
    insta::assert_snapshot!(faults(r#"{"tasks": []}"#), @"$.tasks: no task: a plan has at least one");
    insta::assert_snapshot!(faults(r#"{"tasks": [7, {"rolle": "x", "id": "", "task": " ", "dependsOn": [1]},
        {"id": "日本", "role": "a\nb", "task": 1, "paths": "../x", "output": "a/b", "agent": "sh"}]}"#), @r"
    $.tasks[0]: it is a number; an object is expected
    $.tasks[1]: unknown key 'rolle'; did you mean 'role'?
    $.tasks[1].id: it is empty
    $.tasks[1]: no 'role'
    $.tasks[1].task: it is empty: what is to be done?
    $.tasks[1].dependsOn[0]: it is a number; a text is expected
    $.tasks[2]: unknown key 'agent'
    $.tasks[2].id: it cannot be a name: use up to 64 ASCII letters, digits and dashes
    $.tasks[2].role: it must be one line, without control characters
    $.tasks[2].task: it is a number; a text is expected
    $.tasks[2].paths: '../x' must be a path inside the repository, without '/' in front and without '..'
    $.tasks[2].output: 'a/b' must be a plain file name of letters, digits, '.', '_' and '-'
    ");
    insta::assert_snapshot!(faults(r#"{"tasks": [
        {"id": "a", "role": "exekutor", "task": "x"},
        {"id": "A", "role": "executor", "task": "x", "dependsOn": ["A"]},
        {"id": "last", "role": "executor", "task": "x", "dependsOn": ["alst", "last"]},
        {"id": "b", "role": "runner", "task": "```sh\nrm -rf /\n```"}]}"#), @r"
    $.tasks[1].id: it is called 'a', as is $.tasks[0]
    $.tasks[2].id: the run has a task 'last' already
    $.tasks[1].dependsOn[0]: it depends on itself
    $.tasks[2].dependsOn[0]: no task 'alst' in this plan; did you mean 'last'?
    $.tasks[2].dependsOn[1]: it depends on itself
    $.tasks[0].role: team 't' has no role 'exekutor' that a plan may use; did you mean 'executor'?
    $.tasks[3].role: role 'runner' is played by 'sh', which runs its text as a script: a plan can't use it
    ");
    insta::assert_snapshot!(faults(r#"{"tasks": [
        {"id": "a", "role": "executor", "task": "x", "dependsOn": ["b"]},
        {"id": "b", "role": "executor", "task": "x", "dependsOn": ["a"]}]}"#), @"$.tasks[0].dependsOn: tasks wait for one another: a → b → a");
    insta::assert_snapshot!(faults(r#"{"tasks": [
        {"id": "a", "role": "executor", "task": "x", "output": "Notes.md", "reads": ["gaps.md", "note.md"]},
        {"id": "b", "role": "executor", "task": "x", "output": "gaps.md"}]}"#), @r"
    $.tasks[0].output: another task of the run makes 'Notes.md'
    $.tasks[0].reads[0]: no task that comes before has 'gaps.md' as its output
    $.tasks[0].reads[1]: no task that comes before has 'note.md' as its output; did you mean 'notes.md'?
    ");
}

fn many(count: usize, more: impl Fn(usize) -> String) -> String {
    let one = |n| format!(r#"{{"id": "t{n}", "role": "executor", "task": "x"{}}}"#, more(n));
    let tasks: Vec<String> = (0..count).map(one).collect();
    format!(r#"{{"tasks": [{}]}}"#, tasks.join(","))
}

#[test]
fn what_is_too_much_is_refused() {
    let plan = around();
    let most = defaults::MAX_PLAN_TASKS;
    assert_eq!(read_in(&plan, &many(most, |_| String::new())).expect("just fits").len(), most);
    insta::assert_snapshot!(faults(&many(4_000, |_| String::new())), @"$.tasks: 4000 tasks; 50 is the most");
    insta::assert_snapshot!(faults(&many(10_000, |_| String::new())), @"$: a file of 488902 bytes; 262144 is the most");
    let chain = |n: usize| {
        if n == 0 { String::new() } else { format!(r#", "dependsOn": "t{}""#, n - 1) }
    };
    assert!(read_in(&plan, &many(defaults::MAX_PLAN_DEPTH, chain)).is_ok());
    insta::assert_snapshot!(faults(&many(13, chain)), @"$.tasks: 13 tasks wait one for the other, from 't0' to 't12'; 12 is the most");
    let wide = |n: usize| {
        if n == 17 {
            format!(r#", "dependsOn": [{}]"#, vec![r#""t0""#; 17].join(","))
        } else {
            String::new()
        }
    };
    insta::assert_snapshot!(faults(&many(18, wide)), @"$.tasks[17].dependsOn: 17 items; 16 is the most");
    let long = format!(
        r#"{{"tasks": [{{"id": "a", "role": "executor", "task": "{}"}}]}}"#,
        "x".repeat(17_000)
    );
    insta::assert_snapshot!(faults(&long), @"$.tasks[0].task: a text of 17000 bytes; 16384 is the most");
    let name = "n".repeat(60);
    let needs: Vec<String> = (0..16).map(|n| format!("\"{name}{n}\"")).collect();
    let heavy = |n: usize| {
        let id = format!(r#", "title": "{}""#, "é".repeat(49));
        if n < 16 { id } else { format!(r#"{id}, "dependsOn": [{}]"#, needs.join(",")) }
    };
    let text = many(50, heavy);
    let text =
        (0..16).fold(text, |text, n| text.replace(&format!("\"t{n}\""), &format!("\"{name}{n}\"")));
    insta::assert_snapshot!(faults(&text), @"$.tasks: its names, titles and dependencies have 44948 bytes; 40960 is the most");
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    insta::assert_snapshot!(faults(&deep), @"$: not JSON: recursion limit exceeded at line 1 column 128");
}

proptest! {
    #[test]
    fn no_text_breaks_it_and_what_passes_fits(text in "[\\[\\]{}\",:a-c \\n`]{0,80}|.{0,80}", at in 0..GOOD.len(), with in "[\\[\\]{}\",:a-z]{0,3}") {
        let plan = around();
        let mangled = format!("{}{with}{}", &GOOD[..at], &GOOD[at..]);
        for text in [text, mangled] {
            match read_in(&plan, &text) {
                Ok(tasks) => {
                    prop_assert!(tasks.iter().all(|task| task.agent != SH && task.expand.is_none()));
                    let revised = plan.revised(&id("plan"), tasks);
                    prop_assert!(revised.graph().is_ok());
                }
                Err(faults) => {
                    prop_assert!(!faults.is_empty());
                    prop_assert!(faults.iter().all(|fault| !fault.to_string().chars().any(char::is_control)));
                }
            }
        }
    }
}
