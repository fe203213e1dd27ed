//! How fast an event is written so that a power cut can't take it.

use std::io::Write;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use git_crew::domain::event::EventKind;
use git_crew::domain::id::{Oid, RunId};
use git_crew::domain::time::Timestamp;
use git_crew::store::chain::{Chains, NewEntry, Person, TreeEdit};
use git_crew::store::git::{Durability, GitStore};
use git_crew::store::ledger::Files;
use git_crew::store::names::RefName;

use crate::fixture::{self, Repo, median, ms, share, timed};
use crate::{Figure, Target};

/// Appends measured one by one.
const APPENDS: u32 = 120;

/// Writers beside the one that is measured.
const WRITERS: u8 = 16;

/// How long these write.
const BESIDE: Duration = Duration::from_secs(6);

/// The pause of a writer that writes as often as a busy agent's task does.
const PACE: Duration = Duration::from_millis(100);

/// A message as the program writes them, of about 350 bytes.
fn message(number: u32) -> String {
    format!(
        "implement: attempt {number} started on sh\n\n{{\"agent\":\"sh\",\"slot\":\"7kq2-implement-1-0f3a9c\"}}\n\n\
         Crew-Event: attempt_started\nCrew-Run: 7kq2-fix-login\nCrew-Task: implement\n\
         Crew-Attempt: {number}\nCrew-Token: 1\nCrew-Seq: {number}\nCrew-Status: running\n\
         Crew-Op: 0f3a9c6d5b7e418290a1b2c3d4e5f607\nCrew-Format: 1.0\n"
    )
}

fn entry(number: u32) -> NewEntry {
    NewEntry {
        message: message(number),
        tree: TreeEdit::Keep,
        extra_parents: Vec::new(),
        at: Timestamp(1_700_000_000_000),
        author: Person::new("crew", "0f3a9c6d@crew.invalid"),
        committer: None,
    }
}

/// A chain of commit-only events.
struct Chain {
    store: GitStore,
    name: RefName,
    tip: Option<Oid>,
    next: u32,
}

impl Chain {
    fn new(store: GitStore, number: u32) -> Self {
        let name = RefName::run(&RunId::new(number, "chain"));
        Self { store, name, tip: None, next: 0 }
    }

    fn append(&mut self) {
        self.next += 1;
        let swap = self.store.append(&self.name, self.tip.as_ref(), &[entry(self.next)]);
        self.tip = swap.expect("an append").won().cloned();
        assert!(self.tip.is_some(), "nobody else writes this chain");
    }
}

/// The same by two git programs: the event, then the ref.
fn by_git(repo: &Repo, tree: &str, tip: &mut String, number: u32) {
    let fsync = ["-c", "core.fsync=committed"];
    let mut words = fsync.to_vec();
    words.extend(["commit-tree", tree]);
    if !tip.is_empty() {
        words.extend(["-p", tip.as_str()]);
    }
    let mut child = repo
        .command("git", &words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("git starts");
    let mut input = child.stdin.take().expect("piped");
    input.write_all(message(number).as_bytes()).expect("git reads");
    drop(input);
    let said = child.wait_with_output().expect("git ends");
    assert!(said.status.success(), "git commit-tree");
    let new = String::from_utf8_lossy(&said.stdout).trim().to_owned();
    let mut words = fsync.to_vec();
    words.extend(["update-ref", "refs/bench/chain", new.as_str(), tip.as_str()]);
    fixture::output(&mut repo.command("git", &words));
    *tip = new;
}

/// One writer, alone.
pub(crate) fn durable() -> Vec<Figure> {
    let repo = Repo::new([]);
    let mut chain = Chain::new(repo.store(1, Durability::Full), 1);
    let mut bare = Chain::new(repo.store(2, Durability::None), 2);
    let mut ledger = fixture::begin(&repo.store(3, Durability::Full), 3);
    let (tree, mut tip) = (repo.git(&["write-tree"]), String::new());
    chain.append();
    by_git(&repo, &tree, &mut tip, 0);
    bare.append();
    let mut times: [Vec<Duration>; 4] = Default::default();
    for number in 1..=APPENDS {
        times[0].push(timed(|| chain.append()));
        times[1].push(timed(|| by_git(&repo, &tree, &mut tip, number)));
        let note = vec![EventKind::Noted { text: format!("note {number}") }];
        times[2].push(timed(|| drop(ledger.write(note, Files::new()).expect("a write").clone())));
        times[3].push(timed(|| bare.append()));
    }
    let [ours, git, typed, unsynced] = times;
    let beside = |times: &[Duration], what: &str| {
        let (middle, worst) = (ms(median(times)), ms(share(times, 99)));
        format!("{what}: median {middle:.2} ms, p99 {worst:.2} ms")
    };
    let ratio = median(&git).as_secs_f64() / median(&ours).as_secs_f64();
    let rate = |times: &[Duration]| 1.0 / median(times).as_secs_f64();
    let own = beside(&ours, "append");
    let theirs = beside(&git, "git commit-tree + update-ref, core.fsync=committed");
    let record = |name, times: &[Duration], what: &str| Figure {
        name,
        value: rate(times),
        target: Target::None,
        unit: "/s",
        baseline: beside(times, what),
    };
    let mut figures = vec![
        Figure {
            name: "append: durable, against git",
            value: ratio,
            target: Target::AtLeast(2.5),
            unit: "x",
            baseline: format!("{own}; {theirs}"),
        },
        record("append: durable", &ours, "one commit"),
        record("append: git", &git, "commit-tree + update-ref"),
        record("append: typed event", &typed, "run.json + tree + commit"),
        record("append: durability none", &unsynced, "one commit"),
    ];
    match sqlite(&repo) {
        Ok(each) => figures.push(Figure {
            name: "append: SQLite, WAL, FULL",
            value: 1.0 / each,
            target: Target::None,
            unit: "/s",
            baseline: "700-byte rows, a transaction each, one process".to_owned(),
        }),
        Err(why) => eprintln!("skipped: {why}"),
    }
    figures
}

/// Seconds that SQLite needs for one synced row.
fn sqlite(repo: &Repo) -> Result<f64, String> {
    const ROWS: u32 = 400;
    if !fixture::has("sqlite3") {
        return Err("no program sqlite3 here, so no figure of it".to_owned());
    }
    let file = repo.beside("sqlite").join("events");
    let prepare = "PRAGMA journal_mode=WAL; CREATE TABLE event (text TEXT);";
    let path = fixture::text(&file);
    fixture::output(&mut repo.command("sqlite3", &[path, prepare]));
    let row = format!("INSERT INTO event VALUES ('{}');\n", "x".repeat(700));
    let script = format!("PRAGMA synchronous=FULL;\n{}", row.repeat(ROWS as usize));
    let fed = |script: &str| {
        let mut child = repo
            .command("sqlite3", &[path])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("sqlite3 starts");
        child.stdin.take().expect("piped").write_all(script.as_bytes()).expect("sqlite3 reads");
        assert!(child.wait().expect("sqlite3 ends").success(), "sqlite3");
    };
    let start = timed(|| fed("SELECT 1;\n"));
    let whole = timed(|| fed(&script));
    Ok(whole.saturating_sub(start).as_secs_f64() / f64::from(ROWS))
}

/// One writer that is measured, sixteen others on refs of their own, and a
/// `packed-refs` file.
pub(crate) fn beside_others() -> Vec<Figure> {
    let repo = Repo::new([]);
    let alone = latencies(&repo, 0, PACE);
    let paced = latencies(&repo, WRITERS, PACE);
    let flat_out = latencies(&repo, WRITERS, Duration::ZERO);
    let again = latencies(&repo, 0, PACE);
    let quiet: Vec<Duration> = alone.0.into_iter().chain(again.0).collect();
    let figure = |name, (times, others): &(Vec<Duration>, u32), target| Figure {
        name,
        value: ms(share(times, 99)),
        target,
        unit: "ms",
        baseline: format!(
            "alone p99 {:.2} ms, median {:.2} ms; here median {:.2} ms, others {:.0} events/s",
            ms(share(&quiet, 99)),
            ms(median(&quiet)),
            ms(median(times)),
            f64::from(*others) / BESIDE.as_secs_f64(),
        ),
    };
    vec![
        figure("beside: p99, 16 writers of 10/s", &paced, Target::AtMost(15.0)),
        figure("beside: p99, 16 writers flat out", &flat_out, Target::None),
    ]
}

/// The times of one writer's appends, and how many the others made.
fn latencies(repo: &Repo, writers: u8, pace: Duration) -> (Vec<Duration>, u32) {
    let over = AtomicBool::new(false);
    let (mut times, mut others) = (Vec::new(), 0);
    thread::scope(|scope| {
        let over = &over;
        let writer = |who: u8| {
            let mut chain = Chain::new(repo.store(who, Durability::Full), fresh());
            chain.append();
            move || {
                let mut count = 0;
                while !over.load(Ordering::Relaxed) {
                    chain.append();
                    count += 1;
                    thread::sleep(pace);
                }
                count
            }
        };
        let all: Vec<_> = (0..writers).map(|n| scope.spawn(writer(n + 10))).collect();
        let mut measured = Chain::new(repo.store(9, Durability::Full), fresh());
        measured.append();
        let until = Instant::now() + BESIDE;
        while Instant::now() < until {
            times.push(timed(|| measured.append()));
            thread::sleep(Duration::from_millis(5));
        }
        over.store(true, Ordering::Relaxed);
        others = all.into_iter().map(|one| one.join().expect("a writer ends")).sum();
    });
    (times, others)
}

/// A number that no chain has yet.
fn fresh() -> u32 {
    use std::sync::atomic::AtomicU32;
    static NEXT: AtomicU32 = AtomicU32::new(100);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
