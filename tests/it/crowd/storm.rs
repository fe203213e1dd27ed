//! Whole runs while git's housekeeping works on the same repository, without a
//! pause and without mercy.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::yard::{Yard, said, storm_seconds};
use crate::store::fixture::git_output;

/// Eight small tasks: four at once, then what merges them, a chain, a binary.
const STEPS: [(&str, &str, &str); 8] = [
    ("a", "check: test -s a/text\n", "mkdir a; echo a >a/text"),
    ("b", "", "mkdir b; echo b >b/text; git add b; git commit -qm own; echo more >>b/text"),
    ("c", "", "mkdir -p c/d/e; head -c 200000 /dev/urandom >c/d/e/blob; ln -s d c/link"),
    ("d", "", "echo out >\"$CREW_OUT/words\"; echo d >d"),
    ("e", "dependsOn: a, b\n", "cat a/text b/text >e"),
    ("f", "dependsOn: c, d\ncheck: test -s f\n", "wc -c <c/d/e/blob >f; git branch stray"),
    ("g", "dependsOn: e, f\n", "cat e f >g"),
    ("h", "dependsOn: g\n", "git rm -q README; echo h >h"),
];

/// The run's story as it was shown while it ran: event commits by number.
fn watch(yard: &Yard, seen: &mut BTreeMap<String, Vec<String>>) {
    for run in yard.runs() {
        let said = said(yard.spawn(&["log", &run, "--json"]));
        assert_eq!(said.code, Some(0), "lost: log of {run}: {}", said.err);
        let lines: Vec<String> = said.out.lines().map(strip).collect();
        let before = seen.entry(run.clone()).or_default();
        assert!(lines.starts_with(before), "lost: {run} told {before:#?}, then {lines:#?}");
        *before = lines;
    }
}

/// An event without what changes with the time of reading.
fn strip(line: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(line).expect("a line of JSON");
    let data = &value["data"];
    format!("{} {} {}", data["seq"], data["event"], data["subject"])
}

fn storm(commands: &[&[&str]]) {
    let yard = Yard::new();
    yard.steps(&STEPS);
    let (over, until) = (AtomicBool::new(false), Instant::now() + storm_seconds(5));
    let (mut seen, mut runs) = (BTreeMap::new(), 0);
    let passes = std::thread::scope(|scope| {
        let keeper = scope.spawn(|| {
            let mut passes = 0;
            while !over.load(Ordering::Relaxed) {
                for command in commands {
                    // git itself may stop at a hole; only what is ours counts.
                    passes += usize::from(git_output(yard.repo(), command).status.success());
                }
                std::thread::sleep(Duration::from_millis(5));
            }
            passes
        });
        let worked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            while runs == 0 || Instant::now() < until {
                run_two(&yard, &mut seen);
                runs += 2;
            }
        }));
        over.store(true, Ordering::Relaxed);
        let passes = keeper.join().unwrap();
        worked.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        passes
    });
    // The last pass of git may have outlived the last run; whatever it took has
    // a copy, which the next command puts back.
    run_two(&yard, &mut seen);
    runs += 2;
    yard.readable();
    assert_eq!(yard.runs().len(), runs, "lost: a run");
    let (mut events, journal) = (0, yard.journal());
    for run in yard.runs() {
        yard.sound(&run);
        events += yard.events(&run).len();
        for (path, want) in [("e", "a\nb\nmore"), ("h", "h"), ("g", "a\nb\nmore\n200000")] {
            let have = yard.git(&["show", &format!("refs/crew/results/{run}:{path}")]);
            assert_eq!(have, want, "the result of {run}");
        }
        for task in ["a", "h"] {
            let packet = format!("refs/crew/runs/{run}:tasks/{task}/packet.md");
            assert!(yard.git(&["show", &packet]).contains("go"), "the packet of {task}");
        }
        assert_eq!(journal.get(&format!("{run} completed")), Some(&1));
    }
    println!("{commands:?}: {runs} runs, {events} events, {passes} passes of git succeeded");
}

/// Two runs at once, watched.
fn run_two(yard: &Yard, seen: &mut BTreeMap<String, Vec<String>>) {
    let mut children: Vec<_> = (0..2).map(|_| yard.spawn(&["run", "--team", "t", "go"])).collect();
    while children.iter_mut().any(|child| child.try_wait().unwrap().is_none()) {
        watch(yard, seen);
    }
    for child in children {
        let said = said(child);
        assert_eq!(said.code, Some(0), "a run did not complete: {}{}", said.out, said.err);
        assert!(!said.err.contains("retr"), "an attempt was hit by housekeeping: {}", said.err);
    }
    watch(yard, seen);
}

#[test]
fn runs_complete_beside_gc_that_prunes_now() {
    storm(&[&["gc", "--quiet", "--prune=now"]]);
}

#[test]
fn runs_complete_beside_prune_that_expires_now() {
    storm(&[&["prune", "--expire=now"]]);
}

#[test]
fn runs_complete_beside_repack_and_pack_refs() {
    storm(&[&["repack", "-a", "-d", "-q"], &["pack-refs", "--all", "--prune"]]);
}
