//! Orders, cycles and ready sets.

use super::*;
use proptest::prelude::*;

fn id(text: &str) -> TaskId {
    text.parse().expect("a task id")
}

fn graph(text: &str) -> Result<Graph, GraphError> {
    Graph::new(text.split(';').map(|part| {
        let (task, needs) = part.split_once(':').unwrap_or((part, ""));
        (id(task.trim()), needs.split_whitespace().map(id).collect())
    }))
}

fn names(tasks: &[&TaskId]) -> String {
    tasks.iter().map(|task| task.as_str()).collect::<Vec<_>>().join(" ")
}

#[test]
fn refuses_what_is_no_graph() {
    let shown = |text| graph(text).unwrap_err().to_string();
    assert_eq!(shown("a; a"), "task 'a' occurs twice");
    assert_eq!(shown("a: b"), "task 'a' depends on 'b', which does not exist");
    assert_eq!(shown("a: a"), "tasks wait for one another: a → a");
    assert_eq!(shown("z: a; a: b; b: c; c: a"), "tasks wait for one another: a → b → c → a");
}

#[test]
fn order_is_the_files_where_needs_allow() {
    let found = graph("join: b a; b: start; a: start; start; alone").unwrap();
    assert_eq!(names(&found.order().iter().collect::<Vec<_>>()), "start b a join alone");
    assert_eq!(names(&found.leaves()), "join alone");
    assert_eq!(names(&found.dependents(&id("start"))), "b a");
    assert_eq!(names(&found.all_dependents(&id("start"))), "b a join");
    assert_eq!(names(&found.ancestors(&id("join"))), "start b a");
}

#[test]
fn a_dead_task_dooms_what_needs_it_and_nothing_else() {
    let found = graph("a; b; c: a; d: c b; e: b").unwrap();
    let progress = |task: &TaskId| match task.as_str() {
        "a" => Progress::Dead,
        "b" => Progress::Done,
        _ => Progress::Waiting,
    };
    assert_eq!(names(&found.ready(progress)), "e");
    let doomed: Vec<_> =
        found.doomed(progress).iter().map(|(t, why)| (t.as_str(), why.as_str())).collect();
    assert_eq!(doomed, [("c", "a"), ("d", "a")]);
}

#[test]
fn tree_for_people() {
    let found =
        graph("explore; code: explore; security: explore; verify: code security; notes").unwrap();
    let weight = |task: &TaskId| if task.as_str() == "security" { 5 } else { 1 };
    let label =
        |task: &TaskId| if task.as_str() == "notes" { "[sh]".into() } else { String::new() };
    insta::assert_snapshot!(found.tree(weight, label), @r"
    explore*
    ├─ code
    └─ security*
       └─ verify* (after code too)
    notes  [sh]
    ");
    assert_eq!(names(&found.critical_path(weight)), "explore security verify");
}

/// Any acyclic graph: task `n` needs only lower numbers; then shuffled.
fn acyclic() -> impl Strategy<Value = Vec<(TaskId, Vec<TaskId>)>> {
    let needs = proptest::collection::vec(proptest::collection::vec(any::<usize>(), 0..4), 1..14);
    needs
        .prop_map(|all| {
            let task = |n: usize| id(&format!("t{n}"));
            let wanted = |n: usize, raw: &[usize]| match n {
                0 => Vec::new(),
                _ => raw.iter().map(|r| task(r % n)).collect(),
            };
            all.iter().enumerate().map(|(n, raw)| (task(n), wanted(n, raw))).collect::<Vec<_>>()
        })
        .prop_shuffle()
}

proptest! {
    #[test]
    fn running_what_is_ready_finishes_every_task_once(tasks in acyclic(), width in 1_usize..4) {
        let found = Graph::new(tasks.clone()).expect("acyclic by construction");
        let mut done: BTreeSet<TaskId> = BTreeSet::new();
        while done.len() < tasks.len() {
            let progress = |t: &TaskId| if done.contains(t) { Progress::Done } else { Progress::Waiting };
            let ready: Vec<TaskId> = found.ready(progress).into_iter().take(width).cloned().collect();
            prop_assert!(!ready.is_empty());
            for task in ready {
                prop_assert!(found.needs(&task).iter().all(|need| done.contains(need)));
                prop_assert!(done.insert(task));
            }
        }
    }

    #[test]
    fn relations_agree(tasks in acyclic()) {
        let found = Graph::new(tasks).expect("acyclic by construction");
        let place = |task: &TaskId| found.order().iter().position(|t| t == task);
        for task in found.order() {
            for above in found.ancestors(task) {
                prop_assert!(place(above) < place(task));
                prop_assert!(found.all_dependents(above).contains(&task));
            }
            prop_assert_eq!(found.leaves().contains(&task), found.dependents(task).is_empty());
        }
        let chain = found.critical_path(|_| 1);
        prop_assert!(chain.windows(2).all(|pair| found.needs(pair[1]).contains(pair[0])));
        prop_assert!(found.order().iter().all(|t| found.ancestors(t).len() + 1 >= 1));
        let lines = found.tree(|_| 1, |_| String::new());
        prop_assert_eq!(lines.lines().count(), found.order().len());
    }

    #[test]
    fn dead_or_doomed_or_ready_or_behind_something_alive(tasks in acyclic(), dead in any::<u16>()) {
        let found = Graph::new(tasks).expect("acyclic by construction");
        let number = |t: &TaskId| t.as_str()[1..].parse::<u32>().unwrap_or(0);
        let progress = |t: &TaskId| if dead >> number(t) & 1 == 1 { Progress::Dead } else { Progress::Waiting };
        let doomed: BTreeSet<&TaskId> = found.doomed(progress).into_iter().map(|(t, _)| t).collect();
        for task in found.order() {
            let hit = found.ancestors(task).iter().any(|t| progress(t) == Progress::Dead);
            prop_assert_eq!(doomed.contains(task), hit && progress(task) == Progress::Waiting);
        }
        prop_assert!(found.ready(progress).iter().all(|t| !doomed.contains(t)));
    }

    #[test]
    fn a_reported_cycle_is_one(edges in proptest::collection::vec((0_usize..8, 0_usize..8), 0..20)) {
        let mut needs: BTreeMap<usize, Vec<TaskId>> = (0..8).map(|n| (n, Vec::new())).collect();
        for (from, to) in edges {
            needs.get_mut(&from).expect("in range").push(id(&format!("t{to}")));
        }
        let tasks: Vec<_> = needs.iter().map(|(n, w)| (id(&format!("t{n}")), w.clone())).collect();
        match Graph::new(tasks.clone()) {
            Ok(found) => prop_assert_eq!(found.order().len(), 8),
            Err(GraphError::Cycle(path)) => {
                prop_assert!(path.len() > 1 && path.first() == path.last());
                let needs: BTreeMap<TaskId, Vec<TaskId>> = tasks.into_iter().collect();
                prop_assert!(path.windows(2).all(|pair| needs[&pair[0]].contains(&pair[1])));
            }
            Err(other) => prop_assert!(false, "{other}"),
        }
    }
}
