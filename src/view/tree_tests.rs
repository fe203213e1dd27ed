//! Runs, tasks, lists and logs as text and as JSON, of one fixed story.

use proptest::prelude::*;

use super::*;
use crate::domain::attempt::Judgement;
use crate::domain::escape::is_hidden;
use crate::domain::id::RunId;
use crate::domain::lease::Life;
use crate::domain::run::RunStatus;
use crate::domain::time::Timestamp;
use crate::domain::usage::Spent;
use crate::view::event::EventView;
use crate::view::json::Envelope;
use crate::view::list::{self, RowView, RunRow};
use crate::view::run::Seen;
use crate::view::sample::{self, HOSTILE, START, Story};

fn seen(life: Life) -> Seen {
    Seen { now: START.plus_ms(7_200_000), life }
}

fn view(story: &Story) -> RunView {
    RunView::new(&story.run(), seen(Life::Unknown))
}

#[test]
fn a_blocked_run_says_what_to_do() {
    let view = view(&sample::blocked("words"));
    insta::assert_snapshot!(text(&view).to_plain(), @r"
        9abc-fix  blocked
        words
        asked 2 hours ago, took 6m 36s, from 000000000000

        └─ explore         completed, unverified  1m 05s  on words; kept cccccccccccc (3 paths); not kept: 1 ignored and 1 that could not be
           ├─ left         completed              2m 10s  after explore
           │    attempt 1  failed                 1m 05s  on words; failed 'words' with exit code 1; kept cccccccccccc (3 paths); not kept: 1 ignored and 1 that could not be
           │    attempt 2  passed                 1m 05s  on words; kept cccccccccccc (3 paths); not kept: 1 ignored and 1 that could not be
           ├─ right        needs_attention        3m 15s  after explore; words
           │    attempt 1  failed                 1m 05s  on words; wall-limit: words; kept cccccccccccc (3 paths); not kept: 1 ignored and 1 that could not be
           │    attempt 2  interrupted            1m 05s  on words; kept cccccccccccc (3 paths); not kept: 1 ignored and 1 that could not be
           │    attempt 3  failed                 1m 05s  on words; wall-limit: words; kept cccccccccccc (3 paths); not kept: 1 ignored and 1 that could not be
           ├─ join         skipped                        after left and right; words
           └─ review       skipped                        after join; words

        why       words
        result    eeeeeeeeeeee holds explore
        left out  left does not merge: conflicts in words and b
        used      74.0k tokens in (54.0k more cached), 4068 out, $0.0741
        next      git crew log 9abc-fix right --output
                  git crew retry 9abc-fix right
                  git crew diff 9abc-fix left
                  git crew diff 9abc-fix
                  git merge refs/crew/results/9abc-fix
        ");
}

#[test]
fn a_completed_run_without_checks_says_so() {
    let unverified = view(&sample::completed("7kq2-fix", "words", Judgement::Unverified));
    insta::assert_snapshot!(text(&unverified).to_plain(), @r"
        7kq2-fix  completed, unverified
        words
        asked 2 hours ago, took 2m 15s, from 000000000000

        ├─ plan       completed              1m 05s  on words; kept cccccccccccc (3 paths); not kept: 1 ignored and 1 that could not be
        └─ implement  completed, unverified  1m 05s  after plan; on words; kept cccccccccccc (3 paths); not kept: 1 ignored and 1 that could not be

        why     words
        result  eeeeeeeeeeee holds plan and implement
        used    24.6k tokens in (18.0k more cached), 1356 out, $0.0247
        next    git crew diff 7kq2-fix
                git merge refs/crew/results/7kq2-fix
        ");
    let verified = view(&sample::completed("7kq2-fix", "words", Judgement::Passed));
    assert!(!text(&verified).to_plain().contains("unverified"));
}

#[test]
fn a_run_that_goes_on_says_who_works_on_it() {
    let mut story = Story::planned("7kq2-fix", "words", &[("a", &[]), ("b", &[])]);
    story.start("a", 1);
    let run = story.run();
    let alive = text(&RunView::new(&run, seen(Life::Alive))).to_plain();
    insta::assert_snapshot!(alive, @r"
        7kq2-fix  running
        words
        asked 2 hours ago, from 000000000000

        ├─ a  running  1h 59m  on words
        └─ b  queued

        holder  abababab, token 1, alive
        next    git crew wait 7kq2-fix
                git crew cancel 7kq2-fix
        ");
    let dead = RunView::new(&run, seen(Life::Dead));
    assert_eq!(dead.next.first().map(String::as_str), Some("git crew resume 7kq2-fix"));
}

#[test]
fn a_task_is_shown_in_full() {
    let view = view(&sample::blocked("words"));
    let shown = crate::view::task::text(&view.id, &view.tasks[1], None).to_plain();
    insta::assert_snapshot!(shown, @r"
        9abc-fix left  completed
        words
        played by words, after explore

        attempt 1  failed  1m 05s on words, from 111111111111
          sandbox: fenced
          told: version words, words, session s-1
          used 12.3k tokens in (9000 more cached), 678 out, $0.0124
          failed 'words' with exit code 1
          kept cccccccccccc, 3 paths changed, 1 commit of the agent's own
            M words
            and 2 more
          1 ignored path not kept
            words  2.0 KiB
          could not be kept: words: words
          printed 1.5 KiB
          left running and killed: words
          checks (unconfined): failed
            words  exit code 1  1s
              one
              words

        attempt 2  passed  1m 05s on words, from 111111111111
          sandbox: fenced
          told: version words, words, session s-1
          used 12.3k tokens in (9000 more cached), 678 out, $0.0124
          kept cccccccccccc, 3 paths changed, 1 commit of the agent's own
            M words
            and 2 more
          1 ignored path not kept
            words  2.0 KiB
          could not be kept: words: words
          printed 1.5 KiB
          left running and killed: words
          checks (unconfined): passed
            words  passed  1s
        ");
    let second = crate::view::task::text(&view.id, &view.tasks[1], Some(2)).to_plain();
    assert!(!second.contains("attempt 1"));
}

#[test]
fn a_log_is_a_line_an_event() {
    let story = sample::completed("7kq2-fix", "words", Judgement::Unverified);
    let now = seen(Life::Unknown).now;
    let views: Vec<EventView> =
        story.events.iter().map(|event| EventView::new(event, now)).collect();
    insta::assert_snapshot!(crate::view::event::text(&views).to_plain(), @r"
        1   2 hours ago  run created: words
        2   1 hour ago   lease granted to abababab, token 1
        3   1 hour ago   planned 2 tasks, at most 2 at a time
        4   1 hour ago   plan: attempt 1 started on words
        5   1 hour ago   plan: attempt 1 finished, 3 changed paths kept
        6   1 hour ago   plan: attempt 1 passed 1 check
        7   1 hour ago   plan: completed
        8   1 hour ago   implement: attempt 1 started on words
        9   1 hour ago   implement: attempt 1 finished, 3 changed paths kept
        10  1 hour ago   implement: attempt 1 is unverified, it has no check
        11  1 hour ago   implement: completed
        12  1 hour ago   result eeeeeeeeeeee holds 2 tasks
        13  1 hour ago   run completed: words
        14  1 hour ago   lease released by abababab, token 1
        ");
    let json = Envelope::new("event", &views[3]).document().expect("it serializes");
    insta::assert_snapshot!(json, @r#"
        {
          "schema": "git-crew/v1",
          "kind": "event",
          "data": {
            "seq": 4,
            "at": "2023-11-14T22:13:22Z",
            "event": "attempt-started",
            "subject": "plan: attempt 1 started on words",
            "task": "plan",
            "attempt": 1,
            "token": 1,
            "by": "abababababababababababababababab",
            "op": "04040404040404040404040404040404"
          }
        }
        "#);
}

fn row(id: &str, status: Result<RunStatus, String>, holder: Option<Life>, goal: &str) -> RunRow {
    RunRow {
        weakest_sandbox: None,
        id: id.parse::<RunId>().expect("a part"),
        status,
        verified: false,
        goal: goal.into(),
        done: 1,
        tasks: 4,
        spent: Spent::default(),
        holder,
        updated: START,
    }
}

fn rows(goal: &str) -> Vec<RowView> {
    [
        row("aaaa-x", Ok(RunStatus::Running), Some(Life::Alive), goal),
        row("bbbb-x", Ok(RunStatus::Running), None, goal),
        row("cccc-x", Ok(RunStatus::Running), Some(Life::Dead), goal),
        row("dddd-x", Ok(RunStatus::Completed), None, goal),
        row("eeee-x", Ok(RunStatus::Failed), None, goal),
        row("ffff-x", Err(format!("a hole: {goal}")), None, goal),
    ]
    .iter()
    .map(|row| RowView::new(row, START.plus_ms(60_000)))
    .collect()
}

#[test]
fn a_list_fits_its_width() {
    let goal = "a long goal that needs much more room than there is on a terminal like this";
    let text = list::text(&rows(goal), 80);
    insta::assert_snapshot!(text.to_plain(), @r"
        aaaa-x  running                1/4 tasks  1 minute ago  a long goal that needs…
        bbbb-x  running, interrupted   1/4 tasks  1 minute ago  a long goal that needs…
        cccc-x  running, holder dead   1/4 tasks  1 minute ago  a long goal that needs…
        dddd-x  completed, unverified  1/4 tasks  1 minute ago  a long goal that needs…
        eeee-x  failed                 1/4 tasks  1 minute ago  a long goal that needs…
        ffff-x  unreadable             1/4 tasks  1 minute ago  a hole: a long goal that needs much more room than there is on a terminal like this
        ");
    assert!(list::text(&[], 80).to_plain().contains("git crew run"));
}

#[test]
fn json_has_the_names_that_others_rely_on() {
    let story = sample::blocked("words");
    let json = Envelope::new("run", view(&story)).document().expect("it serializes");
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["schema"], "git-crew/v1");
    let run = &json["data"];
    for name in ["id", "status", "goal", "base", "result", "tasks"] {
        assert!(run.get(name).is_some(), "{name}");
    }
    let first = &run["tasks"][0];
    for name in ["id", "status", "attempts"] {
        assert!(first.get(name).is_some(), "{name}");
    }
    assert_eq!(first["standing"], "completed, unverified");
    assert_eq!(first["verified"], false);
    assert_eq!(first["attempts"][0]["work"]["ignored_total"], 1);
    assert!(first.get("not_before").is_none(), "what is not known is absent");
    let nulls = json.to_string().matches("null").count();
    assert_eq!(nulls, 0, "absent, never null");
}

#[test]
fn no_foreign_text_reaches_a_terminal_as_an_order() {
    let story = sample::blocked(HOSTILE);
    let view = view(&story);
    let now = Timestamp(0);
    let events: Vec<EventView> =
        story.events.iter().map(|event| EventView::new(event, now)).collect();
    let mut shown = text(&view).to_plain();
    for task in &view.tasks {
        shown += &crate::view::task::text(&view.id, task, None).to_plain();
    }
    shown += &crate::view::event::text(&events).to_plain();
    shown += &list::text(&rows(HOSTILE), 80).to_plain();
    shown += &Envelope::new("run", &view).document().expect("it serializes");
    shown += &Envelope::new("runs", rows(HOSTILE)).document().expect("it serializes");
    let found: Vec<char> = shown.chars().filter(|c| is_hidden(*c) && *c != '\n').collect();
    assert_eq!(found, Vec::<char>::new());
    assert!(shown.contains("x\\x1b]0;owned\\x07"), "shown, not dropped");
}

proptest! {
    /// Whatever the graph: every task has its line, once.
    #[test]
    fn a_tree_shows_every_task_once(edges in prop::collection::vec(any::<u16>(), 1..12)) {
        let names: Vec<String> = (0..edges.len()).map(|at| format!("t{at}x")).collect();
        let needs: Vec<Vec<&str>> = edges
            .iter()
            .enumerate()
            .map(|(at, bits)| {
                (0..at).filter(|i| bits >> i & 1 == 1).map(|i| names[i].as_str()).collect()
            })
            .collect();
        let nodes: Vec<(&str, &[&str])> =
            names.iter().map(String::as_str).zip(needs.iter().map(Vec::as_slice)).collect();
        let shown = tasks(&view(&Story::planned("a", "w", &nodes))).to_plain();
        for name in &names {
            let lines = shown
                .lines()
                .filter(|line| line.trim_start_matches([' ', '│', '├', '└', '─']).starts_with(name))
                .count();
            prop_assert_eq!(lines, 1, "{} in\n{}", name, shown);
        }
    }
}
