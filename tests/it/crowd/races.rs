//! Many processes that want the same at the same time.

use std::process::Child;

use nix::sys::signal::Signal;

use super::yard::{Said, Yard, said, signal, until};

const MANY: usize = 16;

fn all(yard: &Yard, words: &[&str], count: usize) -> Vec<Said> {
    let children: Vec<Child> = (0..count).map(|_| yard.spawn(words)).collect();
    children.into_iter().map(said).collect()
}

fn codes(all: &[Said]) -> Vec<i32> {
    let mut codes: Vec<i32> = all.iter().filter_map(|said| said.code).collect();
    codes.sort_unstable();
    codes
}

/// A run whose holder was killed while its agent was at work.
fn left_alone(yard: &Yard) -> String {
    let mut child = yard.spawn(&["run", "--team", "t", "go"]);
    let run = until("an agent at work", || {
        let run = yard.runs().pop()?;
        yard.outside("begun").exists().then_some(run)
    });
    signal(&child, Signal::SIGKILL);
    child.wait().unwrap();
    std::fs::remove_file(yard.outside("begun")).unwrap();
    run
}

#[test]
fn of_many_that_resume_one_run_one_holds_it() {
    let yard = Yard::new();
    let (begun, go) = (yard.outside("begun"), yard.outside("go"));
    let script = format!(
        "touch {}; while ! [ -e {} ]; do sleep 0.05; done; echo it >made",
        begun.display(),
        go.display()
    );
    yard.steps(&[("one", "", &script)]);
    let run = left_alone(&yard);
    for round in 0..2 {
        let mut children: Vec<Child> = (0..MANY).map(|_| yard.spawn(&["resume", &run])).collect();
        let mut losers = Vec::new();
        until("all but one to be refused", || {
            let (over, alive): (Vec<Child>, Vec<Child>) = children.drain(..).split_ended();
            losers.extend(over.into_iter().map(said));
            children = alive;
            (children.len() <= 1).then_some(())
        });
        for loser in &losers {
            assert_eq!(loser.code, Some(4), "two holders? {}", loser.err);
            assert!(loser.err.contains("holds it (token"), "{}", loser.err);
        }
        assert_eq!(losers.len(), MANY - 1, "nobody holds it");
        let winner = children.pop().expect("one holds it");
        until("its agent", || begun.exists().then_some(()));
        let grants = yard.events(&run).iter().filter(|line| line.contains("lease granted")).count();
        assert_eq!(grants, round + 2, "two holders: {:#?}", yard.events(&run));
        if round == 0 {
            // Killed as the first was, and once more.
            let mut winner = winner;
            signal(&winner, Signal::SIGKILL);
            winner.wait().unwrap();
            std::fs::remove_file(&begun).unwrap();
            continue;
        }
        std::fs::write(&go, "").unwrap();
        assert_eq!(said(winner).code, Some(0));
    }
    yard.sound(&run);
    yard.readable();
    assert_eq!(yard.state(&run)["status"], "completed");
}

trait Over: Iterator<Item = Child> + Sized {
    /// Those that have ended, and those that have not.
    fn split_ended(self) -> (Vec<Child>, Vec<Child>) {
        let (mut over, mut alive) = (Vec::new(), Vec::new());
        for mut child in self {
            match child.try_wait().unwrap() {
                Some(_) => over.push(child),
                None => alive.push(child),
            }
        }
        (over, alive)
    }
}

impl<I: Iterator<Item = Child>> Over for I {}

/// The one that wins is done before the others have even looked.
#[test]
fn a_run_that_ends_while_many_resume_it_is_not_held_again() {
    let yard = Yard::new();
    let begun = yard.outside("begun");
    yard.steps(&[("one", "", &format!("touch {}; sleep 0.1; echo it >made", begun.display()))]);
    let run = left_alone(&yard);
    let all = all(&yard, &["resume", &run], MANY);
    let codes = codes(&all);
    assert_eq!(codes.iter().filter(|code| **code == 0).count(), 1, "{all:#?}");
    assert!(codes.iter().all(|code| [0, 1, 4].contains(code)), "{all:#?}");
    let events = yard.events(&run);
    let end = events.iter().position(|line| line.contains("completed") && !line.contains("one"));
    let after = &events[end.unwrap_or_else(|| panic!("no end in {events:#?}")) + 1..];
    assert!(after.iter().all(|line| line.contains("released")), "after the end: {events:#?}");
    yard.sound(&run);
    yard.readable();
    assert_eq!(yard.journal().get(&format!("{run} completed")), Some(&1));
}

#[test]
fn many_runs_at_once_in_a_fresh_repository_all_complete() {
    let yard = Yard::new();
    yard.steps(&[("one", "", "echo $CREW_RUN >made"), ("two", "dependsOn: one", "cat made >too")]);
    let all = all(&yard, &["run", "--team", "t", "go"], MANY);
    for said in &all {
        assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    }
    let runs = yard.runs();
    assert_eq!(runs.len(), MANY);
    let journal = yard.journal();
    for run in &runs {
        yard.sound(run);
        for what in ["begun", "completed"] {
            assert_eq!(journal.get(&format!("{run} {what}")), Some(&1), "{run} {what}");
        }
        let made = yard.git(&["show", &format!("refs/crew/results/{run}:too")]);
        assert_eq!(&made, run);
    }
    assert_eq!(yard.git(&["for-each-ref", "refs/crew/work"]), "");
    yard.readable();
}

#[test]
fn many_that_cancel_one_run_all_see_it_cancelled() {
    let yard = Yard::new();
    let begun = yard.outside("begun");
    yard.steps(&[("one", "", &format!("echo half >made; touch {}; sleep 300", begun.display()))]);
    for alone in [false, true] {
        let (run, holder) = if alone {
            (left_alone(&yard), None)
        } else {
            let holder = yard.spawn(&["run", "--team", "t", "go"]);
            until("an agent at work", || begun.exists().then_some(()));
            std::fs::remove_file(&begun).unwrap();
            (yard.runs().pop().unwrap(), Some(holder))
        };
        let all = all(&yard, &["cancel", &run], 8);
        for said in &all {
            let late = said.code == Some(1) && said.err.contains("the run is cancelled");
            assert!(said.code == Some(0) || late, "alone: {alone}, {said:#?}");
        }
        if let Some(holder) = holder {
            assert_eq!(said(holder).code, Some(1));
        }
        assert_eq!(yard.state(&run)["status"], "cancelled");
        yard.sound(&run);
        let kept = yard.git(&["log", "--format=%H", &format!("refs/crew/kept/{run}")]);
        let half = kept.lines().any(|commit| {
            let show = format!("{commit}:made");
            crate::store::fixture::git_output(yard.repo(), &["show", &show]).stdout == b"half\n"
        });
        assert!(half, "its work is not kept");
        assert_eq!(yard.journal().get(&format!("{run} cancelled")), Some(&1));
    }
    yard.readable();
}
