//! Commands against a repository in memory: what they answer, what they tell,
//! how they end.

use std::cell::{Cell, RefCell};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::ctx::{Host, Piece, Reads};
use super::*;
use crate::domain::attempt::Attempt;
use crate::domain::attempt::Judgement;
use crate::domain::escape::is_hidden;
use crate::domain::event::Event;
use crate::domain::id::{RunId, TaskId};
use crate::domain::lease::Life;
use crate::domain::run::Run;
use crate::domain::time::Timestamp;
use crate::domain::usage::Spent;
use crate::view::list::RunRow;
use crate::view::sample::{self, HOSTILE, START, Story};

/// Runs in memory, the newest first.
#[derive(Clone, Default)]
struct Memory {
    stories: Rc<Vec<(Run, Vec<Event>)>>,
    output: Rc<Vec<u8>>,
    damage: bool,
}

impl Reads for Memory {
    fn runs(&self) -> Result<Vec<RunRow>, Fault> {
        let row = |(run, _): &(Run, Vec<Event>)| RunRow {
            weakest_sandbox: run.weakest_sandbox().map(str::to_owned),
            id: run.id.clone(),
            status: Ok(run.status),
            verified: run.verified(),
            goal: run.goal.clone(),
            done: 0,
            tasks: 0,
            spent: Spent::default(),
            holder: None,
            updated: run.updated,
        };
        Ok(self.stories.iter().map(row).collect())
    }

    fn detail(&self, _: &mut [RunRow]) {}

    fn run(&self, id: &RunId) -> Result<Run, Fault> {
        let found = self.stories.iter().find(|(run, _)| &run.id == id);
        found.map(|(run, _)| run.clone()).ok_or_else(|| Fault::new(Exit::NotFound, "no such run"))
    }

    fn events(
        &self,
        id: &RunId,
        most: Option<usize>,
    ) -> Result<(Vec<Event>, Option<Fault>), Fault> {
        let found = self.stories.iter().find(|(run, _)| &run.id == id);
        let mut events = found.map(|(_, events)| events.clone()).unwrap_or_default();
        events.drain(..events.len().saturating_sub(most.unwrap_or(usize::MAX)));
        let damage = Fault::new(Exit::Internal, "event 4 is missing");
        Ok((events, self.damage.then_some(damage)))
    }

    fn file(&self, _: &RunId, path: &str) -> Result<Option<Vec<u8>>, Fault> {
        let known = path == "tasks/plan/packet.md";
        Ok(known.then(|| format!("Do it.\n{HOSTILE}\n").into_bytes()))
    }

    fn output(&self, _: &RunId, _: &TaskId, _: u32, from: u64) -> Result<Option<Piece>, Fault> {
        if self.output.is_empty() {
            return Ok(None);
        }
        // Three bytes at a time, so that characters are cut in two.
        let from = usize::try_from(from).expect("a small file");
        let end = (from + 3).min(self.output.len());
        let bytes = self.output[from..end].to_vec();
        Ok(Some(Piece { bytes, next: u64::try_from(end).expect("small"), open: false }))
    }

    fn life(&self, _: &Run) -> Life {
        Life::Unknown
    }

    fn slot(&self, attempt: &Attempt) -> Result<Option<PathBuf>, Fault> {
        Ok(attempt.is_open().then(|| PathBuf::from("/slots").join(&attempt.slot)))
    }
}

#[derive(Default)]
struct Scripted {
    memory: Option<Memory>,
    man_path: Option<String>,
    git_says: Cell<i32>,
    asked: RefCell<Vec<String>>,
    written: RefCell<Vec<PathBuf>>,
}

impl Host for Scripted {
    fn now(&self) -> Timestamp {
        START.plus_ms(7_200_000)
    }

    fn pause(&self, _: u64) -> Result<(), Fault> {
        Ok(())
    }

    fn git(&self, args: &[OsString]) -> Result<i32, Fault> {
        let words = args.iter().map(|word| word.to_string_lossy().into_owned());
        self.asked.borrow_mut().extend(words);
        Ok(self.git_says.get())
    }

    fn confirm(&self, _: &str) -> Result<Option<bool>, Fault> {
        Ok(None)
    }

    fn man_path(&self) -> Option<String> {
        self.man_path.clone()
    }

    fn write(&self, path: &Path, _: &[u8]) -> Result<(), Fault> {
        self.written.borrow_mut().push(path.to_owned());
        Ok(())
    }

    fn open(&self) -> Result<Box<dyn Reads>, Fault> {
        match &self.memory {
            Some(memory) => Ok(Box::new(memory.clone())),
            None => Err(Fault::new(Exit::Repository, "not a git repository")),
        }
    }
}

fn host(stories: Vec<Story>) -> Scripted {
    let stories = stories.into_iter().map(|story| (story.run(), story.events)).collect();
    let memory = Memory { stories: Rc::new(stories), ..Memory::default() };
    Scripted { memory: Some(memory), ..Scripted::default() }
}

fn two() -> Scripted {
    host(vec![
        sample::completed("7kq2-fix", "words", Judgement::Unverified),
        sample::blocked("words"),
        sample::completed("7kz9-other", HOSTILE, Judgement::Passed),
    ])
}

/// What one command line does: its end, its answer, its story.
fn ask(host: &Scripted, line: &str) -> (Exit, String, String) {
    let words = std::iter::once("git crew").chain(line.split(' ').filter(|word| !word.is_empty()));
    let (mut out, captured) = Out::captured(false);
    let exit = match Cli::try_parse_from(words) {
        Err(error) => told(&mut out, &error),
        Ok(cli) => {
            let data_home = Some(PathBuf::from("/home/x/.local/share"));
            let env = Environment { data_home, ..Environment::default() };
            let mut ctx = Ctx::new(out, cli.global, env, host);
            perform(&mut ctx, &cli.command)
        }
    };
    (exit, captured.answer(), captured.story())
}

fn faulted(host: &Scripted, line: &str, exit: Exit) -> String {
    let (end, answer, story) = ask(host, line);
    assert_eq!((end, answer.as_str()), (exit, ""), "{line}: {story}");
    story
}

#[test]
fn clap_finds_no_fault_with_the_command_line() {
    Cli::command().debug_assert();
}

#[test]
fn a_prefix_that_fits_one_run_is_enough() {
    let host = two();
    let (exit, answer, _) = ask(&host, "show 7kz");
    assert_eq!(exit, Exit::Ok);
    assert!(answer.starts_with("7kz9-other"), "{answer}");
    let (_, newest, _) = ask(&host, "show");
    assert!(newest.starts_with("7kq2-fix"), "{newest}");
    insta::assert_snapshot!(faulted(&host, "show 7k", Exit::NotFound), @r"
        error: '7k' fits 2 runs
        hint: say which: 7kq2-fix and 7kz9-other
        ");
    insta::assert_snapshot!(faulted(&host, "show zz", Exit::NotFound), @r"
        error: no run begins with 'zz'
        hint: see all runs: git crew status
        ");
    insta::assert_snapshot!(faulted(&self::host(vec![]), "show", Exit::NotFound), @r#"
        error: no runs in this repository
        hint: start one: git crew run "GOAL"
        "#);
}

#[test]
fn what_is_not_there_is_named_with_what_is() {
    let host = two();
    insta::assert_snapshot!(faulted(&host, "show 7kq2-fix nope", Exit::NotFound), @r"
        error: no task 'nope' in run '7kq2-fix'
        hint: its tasks are plan and implement
        ");
    insta::assert_snapshot!(faulted(&host, "diff 7kq2-fix plan@7", Exit::NotFound), @r"
        error: no attempt 7 of task 'plan'
        hint: it has one attempt
        ");
    insta::assert_snapshot!(faulted(&host, "show 7kq2-fix implement --prompt", Exit::NotFound), @r"
        error: no prompt is stored for task 'implement'
        hint: see where it stands: git crew show 7kq2-fix implement
        ");
    insta::assert_snapshot!(faulted(&host, "log 7kq2-fix plan --output", Exit::NotFound), @r"
        error: nothing is kept of what attempt 1 of 'plan' printed
        hint: its digest and its end: git crew show 7kq2-fix plan
        ");
    insta::assert_snapshot!(faulted(&Scripted::default(), "status", Exit::Repository), @"error: not a git repository");
}

#[test]
fn status_lists_and_shows_how_to_see_more() {
    let stories = (0..25)
        .map(|at| sample::completed(&format!("a{at}b"), "words", Judgement::Passed))
        .collect();
    let host = host(stories);
    let (_, answer, story) = ask(&host, "status");
    assert_eq!(answer.lines().count(), 20);
    assert_eq!(story, "5 more: git crew status -a\n");
    assert_eq!(ask(&host, "status -a").1.lines().count(), 25);
    assert_eq!(ask(&host, "status -n 3").1.lines().count(), 3);
    let json: serde_json::Value =
        serde_json::from_str(&ask(&host, "status --json").1).expect("JSON");
    assert_eq!(json["kind"], "runs");
    assert_eq!(json["data"].as_array().map(Vec::len), Some(25));
    let (exit, empty, _) = ask(&self::host(vec![]), "status");
    assert_eq!((exit, empty.lines().next()), (Exit::Ok, Some("no runs here yet")));
}

#[test]
fn log_filters_counts_and_speaks_json_lines() {
    let host = two();
    let (_, all, _) = ask(&host, "log 7kq2");
    assert_eq!(all.lines().count(), 14, "{all}");
    assert_eq!(ask(&host, "log 7kq2 plan").1.lines().count(), 4);
    assert_eq!(ask(&host, "log 7kq2 plan -n 1").1.lines().count(), 1);
    let (_, json, _) = ask(&host, "log 7kq2 -n 2 --json");
    let events: Vec<serde_json::Value> =
        json.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect();
    assert_eq!(events.len(), 2);
    assert_eq!(events[1]["data"]["event"], "lease-released");
}

#[test]
fn the_intact_part_of_a_damaged_chain_is_shown_and_the_damage_named() {
    let mut host = two();
    if let Some(memory) = &mut host.memory {
        memory.damage = true;
    }
    let (exit, answer, story) = ask(&host, "log 7kq2");
    assert_eq!(exit, Exit::Internal);
    assert_eq!(answer.lines().count(), 14);
    assert_eq!(story, "error: event 4 is missing\n");
}

#[test]
fn output_is_shown_escaped_and_whole() {
    let mut host = two();
    if let Some(memory) = &mut host.memory {
        memory.output = Rc::new("äöü\r\n日本\u{1b}[2J\u{202e}".as_bytes().to_vec());
    }
    let (exit, answer, _) = ask(&host, "log 7kq2 plan --output");
    assert_eq!((exit, answer.as_str()), (Exit::Ok, "äöü\n日本\\x1b[2J\\u{202e}"));
    assert_eq!(ask(&host, "log 7kq2 plan --output -f").1, answer);
}

#[test]
fn a_prompt_is_shown_escaped() {
    let (exit, answer, _) = ask(&two(), "show 7kq2 plan --prompt");
    assert_eq!(exit, Exit::Ok);
    assert!(answer.starts_with("Do it.\nx\\x1b]0;owned\\x07"), "{answer}");
    assert!(!answer.chars().any(|c| is_hidden(c) && c != '\n'));
}

#[test]
fn diff_hands_two_commits_to_git() {
    let host = two();
    assert_eq!(ask(&host, "diff 7kq2 -- --stat src").0, Exit::Ok);
    let (base, result) = (sample::oid('0'), sample::oid('e'));
    let asked = host.asked.take();
    assert_eq!(asked, ["diff", "--stat", base.as_str(), result.as_str(), "--", "src"]);
    assert_eq!(ask(&host, "diff 7kq2 plan@1").0, Exit::Ok);
    let (from, to) = (sample::oid('1'), sample::oid('c'));
    assert_eq!(host.asked.take(), ["diff", from.as_str(), to.as_str(), "--"]);
    host.git_says.set(128);
    assert_eq!(ask(&host, "diff").0, Exit::Internal);
    host.git_says.set(141);
    assert_eq!(faulted(&host, "diff", Exit::Closed), "", "nobody is left to be told");
    let (_, json, _) = ask(&host, "diff 7kq2 --json");
    assert!(json.contains(result.as_str()), "{json}");
}

#[test]
fn path_prints_the_folder() {
    let said = faulted(&two(), "path 7kq2 plan", Exit::NotFound);
    assert!(said.contains("git crew diff"), "a slot that is gone has a next command: {said}");
}

#[test]
fn man_pages_go_where_they_are_found_or_say_how() {
    let mut host = two();
    host.man_path = Some("/usr/share/man".into());
    let (exit, answer, story) = ask(&host, "man --install");
    assert_eq!(exit, Exit::Ok);
    assert!(answer.contains("/home/x/.local/share/man/man1"), "{answer}");
    let hint =
        "hint: man does not look there yet: export MANPATH=\"/home/x/.local/share/man:$MANPATH\"\n";
    assert_eq!(story, hint);
    let first = PathBuf::from("/home/x/.local/share/man/man1/git-crew.1");
    assert_eq!(host.written.borrow().first(), Some(&first));
    host.man_path = Some("/usr/share/man:/home/x/.local/share/man\n".into());
    assert_eq!(ask(&host, "man --install").2, "");
    assert!(ask(&host, "man status").1.contains("git\\-crew\\-status"));
    faulted(&host, "man nope", Exit::Usage);
}

#[test]
fn completion_knows_runs_and_works_without_a_repository() {
    let (exit, answer, _) = ask(&two(), "__complete -- show 7kq");
    assert_eq!((exit, answer.as_str()), (Exit::Ok, "7kq2-fix\twords\n"));
    let (exit, answer, story) = ask(&Scripted::default(), "__complete -- sta");
    assert_eq!((exit, story.as_str()), (Exit::Ok, ""));
    assert!(answer.starts_with("status\t"), "{answer}");
}

#[test]
fn json_is_refused_where_there_is_none() {
    let story = faulted(&two(), "completions bash --json", Exit::Usage);
    assert_eq!(story, "error: this command has no answer in JSON\nhint: leave out --json\n");
}

#[test]
fn a_slip_is_met_with_the_nearest_word() {
    let host = Scripted::default();
    assert!(faulted(&host, "stauts", Exit::Usage).contains("'status'"));
    assert!(faulted(&host, "help stauts", Exit::Usage).contains("'status'"));
    assert!(faulted(&host, "status --jsn", Exit::Usage).contains("'--json'"));
    let hostile = faulted(&host, "x\u{1b}[31m\u{9b}", Exit::Usage);
    assert!(!hostile.chars().any(|c| is_hidden(c) && c != '\n'), "{hostile:?}");
}

#[test]
fn help_is_an_answer() {
    let host = Scripted::default();
    let (exit, root, story) = ask(&host, "help");
    assert_eq!((exit, story.as_str()), (Exit::Ok, ""));
    assert!(root.trim_end().ends_with("Plain git reads it too: git log refs/crew"), "{root}");
    let (_, show, _) = ask(&host, "help show");
    assert!(show.contains("Usage: git crew show"), "{show}");
    assert!(show.contains("Examples:"), "the long one");
    let (_, short, _) = ask(&host, "show -h");
    assert!(!short.contains("Examples:"), "the short one");
    assert!(!root.contains("__complete"));
}
