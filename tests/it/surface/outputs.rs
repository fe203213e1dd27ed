//! What needs the user's terminal, the user's git and files beside the refs.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use git_crew::domain::attempt::{Ending, Output, Work};
use git_crew::domain::event::EventKind;
use git_crew::domain::id::HolderId;
use git_crew::domain::time::Timestamp;
use git_crew::store::git::{GitStore, Options};
use git_crew::store::ledger::Ledger;
use git_crew::store::{Chains, NewEntry, Person, RefName, TreeEdit};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::real::{crew, git, start};

fn commit(dir: &Path, name: &str) -> String {
    std::fs::write(dir.join(name), "text\n").expect("written");
    git(dir, &["add", name]);
    git(dir, &["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", name]);
    git(dir, &["rev-parse", "HEAD"])
}

fn repository() -> (tempfile::TempDir, Ledger) {
    let folder = tempfile::tempdir().expect("a folder");
    git(folder.path(), &["init", "-q"]);
    let base = commit(folder.path(), "one").parse().expect("an id");
    let ledger = start(folder.path(), base);
    (folder, ledger)
}

fn live(dir: &Path) -> std::path::PathBuf {
    let folder = dir.join(".git/crew/live/7kq2-fix");
    std::fs::create_dir_all(&folder).expect("made");
    folder.join("plan.1.out")
}

#[test]
fn git_shows_the_difference_with_the_users_settings() {
    let (folder, mut ledger) = repository();
    let dir = folder.path();
    let made = commit(dir, "two");
    let ended = EventKind::AttemptEnded {
        task: "plan".parse().expect("a part"),
        attempt: 1,
        ending: Ending::Finished,
        work: Work {
            commit: Some(made.parse().expect("an id")),
            tree: Some(git(dir, &["rev-parse", "HEAD^{tree}"]).parse().expect("an id")),
            changed_total: 1,
            ..Work::default()
        },
        output: Output::default(),
    };
    ledger.write(vec![ended], BTreeMap::new()).expect("ended");
    git(dir, &["config", "diff.noprefix", "true"]);
    let (code, shown, story) = crew(dir, &["diff", "7kq2", "plan"]);
    assert_eq!(code, Some(0), "{story}");
    assert!(shown.contains("+++ two"), "the user's diff.noprefix counts: {shown}");
    let sub = dir.join("sub");
    std::fs::create_dir(&sub).expect("made");
    let (_, stat, _) = crew(&sub, &["diff", "7kq2", "plan", "--", "--stat"]);
    assert!(stat.contains("1 file changed"), "{stat}");
    let (code, _, story) = crew(dir, &["diff", "7kq2", "plan", "--", "--no-such-option"]);
    assert_eq!(code, Some(70), "{story}");
    assert!(story.contains("git exited with code 129"), "{story}");
    let bad = crew(dir, &["diff", "7kq2", "plan", "--", "--exit-code"]);
    assert_eq!(bad.0, Some(1), "git's own answer is handed on");
}

#[test]
fn what_an_attempt_prints_is_shown_while_it_runs_and_afterwards() {
    let (folder, mut ledger) = repository();
    let dir = folder.path();
    let words = ["log", "7kq2", "plan", "--output"];
    assert_eq!(crew(dir, &words).1, "", "nothing yet, and no error");
    let path = live(dir);
    std::fs::write(path.with_extension("out.1"), "early\n").expect("written");
    std::fs::write(&path, "late \u{1b}[2J\n").expect("written");
    assert_eq!(crew(dir, &words).1, "early\nlate \\x1b[2J\n");
    let ended = EventKind::AttemptEnded {
        task: "plan".parse().expect("a part"),
        attempt: 1,
        ending: Ending::Interrupted,
        work: Work::default(),
        output: Output::default(),
    };
    ledger.write(vec![ended], BTreeMap::new()).expect("ended");
    std::fs::remove_dir_all(dir.join(".git/crew/live")).expect("removed");
    let (code, nothing, story) = crew(dir, &words);
    assert_eq!((code, nothing.as_str()), (Some(0), ""), "{story}");
    assert_eq!(story, "attempt 1 of 'plan' printed nothing\n");
    keep(dir);
    assert_eq!(crew(dir, &words).1, "said\ncomplained\nchecked\n");
    let (_, json, _) = crew(dir, &["log", "7kq2", "plan", "--output", "--json"]);
    let told: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(told["data"], "said\ncomplained\nchecked\n");
}

/// Puts an output into the attic.
fn keep(dir: &Path) {
    let store = GitStore::open(dir, Options::new(HolderId::new([8; 16]))).expect("a repository");
    let files = [("out", "said\n"), ("err", "complained\n"), ("check-1-out", "checked\n")];
    let files = files.map(|(name, text)| (format!("plan/1/{name}"), Some(text.into())));
    let entry = NewEntry {
        message: "plan: output\n".into(),
        tree: TreeEdit::Put(BTreeMap::from(files)),
        extra_parents: Vec::new(),
        at: Timestamp(1_700_000_000_000),
        author: Person::new("crew", "crew@crew.invalid"),
        committer: None,
    };
    let name = RefName::attic(&"7kq2-fix".parse().expect("a part"));
    let swap = store.append(&name, None, &[entry]).expect("appended");
    assert!(swap.won().is_some());
}

#[test]
fn a_follower_sees_what_comes_and_ends_at_an_interrupt() {
    let (folder, _ledger) = repository();
    let path = live(folder.path());
    std::fs::write(&path, "one\n").expect("written");
    let mut child = Command::new(env!("CARGO_BIN_EXE_git-crew"))
        .args(["log", "7kq2", "plan", "--output", "-f"])
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut answer = child.stdout.take().expect("piped");
    let mut seen = [0; 4];
    answer.read_exact(&mut seen).expect("the first line");
    let mut file = std::fs::OpenOptions::new().append(true).open(&path).expect("there");
    std::io::Write::write_all(&mut file, b"two\n").expect("written");
    answer.read_exact(&mut seen).expect("the second line");
    assert_eq!(&seen, b"two\n");
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("a number"));
    kill(pid, Signal::SIGINT).expect("it lives");
    let deadline = Instant::now() + Duration::from_secs(20);
    let status = loop {
        if let Some(status) = child.try_wait().expect("waited") {
            break status;
        }
        assert!(Instant::now() < deadline, "Ctrl-C does not end it");
        std::thread::sleep(Duration::from_millis(5));
    };
    let mut story = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut story).expect("UTF-8");
    assert_eq!(story, "");
    let by_signal = std::os::unix::process::ExitStatusExt::signal(&status) == Some(2);
    assert!(status.code() == Some(130) || by_signal, "{status:?}");
}

#[test]
fn man_is_asked_where_it_looks() {
    let home = tempfile::tempdir().expect("a folder");
    let bin = home.path().join("bin");
    std::fs::create_dir(&bin).expect("made");
    let run = |said: &str| {
        std::fs::write(bin.join("manpath"), format!("#!/bin/sh\necho '{said}'\n")).expect("made");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(bin.join("manpath"), mode).expect("made executable");
        let done = Command::new(env!("CARGO_BIN_EXE_git-crew"))
            .args(["man", "--install"])
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", bin.display()))
            .env("XDG_DATA_HOME", home.path())
            .output()
            .expect("the program starts");
        String::from_utf8(done.stderr).expect("UTF-8")
    };
    let story = run("/usr/share/man");
    assert!(story.contains("man does not look there yet"), "{story}");
    let here = home.path().join("man");
    assert_eq!(run(&format!("/usr/share/man:{}", here.display())), "");
}

/// The likeliest mistakes, and the words that help.
#[test]
fn a_likely_mistake_is_told_what_was_probably_meant() {
    let (folder, _ledger) = repository();
    let dir = folder.path();
    let quotes = "hint: a goal is one argument, in quotes: ";
    for (words, code, help) in [
        (&["run", "fix", "the", "typo"][..], 2, quotes),
        (&["run"], 2, quotes),
        (&["status", "7kq2"], 2, "hint: one run in full: git crew show RUN"),
        (&["show", "--prompt"], 2, "hint: a run and its tasks: git crew show"),
        (&["show", "plan"], 5, "hint: a task comes after its run: 7kq2-fix plan"),
        (&["log", "7kq2", "plan@7"], 5, "no attempt 7 of task 'plan'"),
        (&["teams", "check", "/nowhere/x.team.md"], 5, "hint: a name without '/'"),
        (&["run", "--from", "nope", "x"], 5, "hint: see what there is: git log --all"),
    ] {
        let (ended, answer, story) = crew(dir, words);
        assert_eq!((ended, answer.as_str()), (Some(code), ""), "{words:?}: {story}");
        assert!(story.contains(help), "{words:?}: {story}");
        assert!(!story.contains("NotFound"), "{words:?}: {story}");
    }
    let (_, _, story) = crew(dir, &["run", "--no-such-option", "x"]);
    assert!(!story.contains(quotes), "{story}");
}
