//! Real processes for the store's tests: the test binary starts itself again
//! with a role in its environment. A writer notes every acknowledged event in a
//! file of its own, after the acknowledgement.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use git_crew::domain::id::Oid;
use git_crew::store::{Chains, GitStore, NewEntry, Options, Swap, TreeEdit};

use super::fixture::{entry, holder, run_ref};

/// What a writer is told.
#[derive(Clone, Debug)]
pub(crate) struct Orders {
    pub(crate) repo: PathBuf,
    pub(crate) acks: PathBuf,
    pub(crate) holder: String,
    pub(crate) run: String,
    /// How many events; it may also be stopped by the clock.
    pub(crate) events: u32,
    pub(crate) seconds: u64,
    /// `CREW_FAIL`.
    pub(crate) fail: String,
    /// Whether a writer with these orders has been killed before.
    pub(crate) again: bool,
}

impl Orders {
    pub(crate) fn new(repo: &Path, holder: &str, run: &str) -> Self {
        Self {
            repo: repo.to_owned(),
            acks: repo.join(".git").join(format!("acks-{holder}")),
            holder: holder.to_owned(),
            run: run.to_owned(),
            events: 20,
            seconds: 120,
            fail: String::new(),
            again: false,
        }
    }

    pub(crate) fn spawn(&self) -> Child {
        self.command().spawn().expect("the test binary can be started")
    }

    /// The writer, to be started.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", "store::child::child", "--nocapture", "--test-threads=1"])
            .env("CREW_CHILD_REPO", &self.repo)
            .env("CREW_CHILD_ACKS", &self.acks)
            .env("CREW_CHILD_HOLDER", &self.holder)
            .env("CREW_CHILD_RUN", &self.run)
            .env("CREW_CHILD_EVENTS", self.events.to_string())
            .env("CREW_CHILD_SECONDS", self.seconds.to_string())
            .env("CREW_CHILD_AGAIN", u8::from(self.again).to_string())
            .env("CREW_FAIL", &self.fail)
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        command
    }

    /// The acknowledged events: message and commit.
    pub(crate) fn acked(&self) -> Vec<(String, Oid)> {
        let text = std::fs::read_to_string(&self.acks).unwrap_or_default();
        let whole = text.lines().filter(|line| line.ends_with('.'));
        whole
            .map(|line| {
                let mut words = line.trim_end_matches('.').split(' ');
                let message = words.next().unwrap().to_owned();
                (message, words.next().unwrap().parse().unwrap())
            })
            .collect()
    }
}

/// Waits for a child that is expected to end well.
pub(crate) fn finish(child: Child) {
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "a writer failed: {errors}");
}

/// Quick patience for tests that leave locks behind.
pub(crate) fn quick(name: &str) -> Options {
    let stale_after = Duration::from_millis(300);
    Options { stale_after, lock_wait: Duration::from_secs(30), ..Options::new(holder(name)) }
}

/// The event with this message, when it is in the chain.
fn find(store: &GitStore, run: &str, message: &str) -> Option<Oid> {
    let mut at = store.tip(&run_ref(run)).unwrap();
    while let Some(id) = at {
        let entry = store.entry(&id).unwrap();
        if entry.message == message {
            return Some(id);
        }
        at = entry.parents.into_iter().next();
    }
    None
}

/// Appends one event. `doubtful`: it may be there from before a crash.
fn append(store: &GitStore, run: &str, message: &str, mut doubtful: bool) -> Oid {
    let name = run_ref(run);
    let may_fail = std::env::var("CREW_FAIL").is_ok_and(|fail| !fail.is_empty());
    loop {
        if let Some(found) = doubtful.then(|| find(store, run, message)).flatten() {
            return found;
        }
        let tip = store.tip(&name).unwrap();
        let path = format!("state/{}", store.holder());
        let edits = BTreeMap::from([(path, Some(message.as_bytes().to_vec()))]);
        let new = NewEntry { tree: TreeEdit::Put(edits), ..entry(message) };
        match store.append(&name, tip.as_ref(), &[new]) {
            Ok(Swap::Won(id)) => return id,
            Ok(Swap::Lost(_)) => {}
            Err(error) if may_fail => doubtful = error.is_unsettled(),
            Err(error) => panic!("{error:?}"),
        }
    }
}

/// Not a test of its own: the other end of [`Orders::spawn`].
#[test]
fn child() {
    let Ok(repo) = std::env::var("CREW_CHILD_REPO") else { return };
    let var = |name: &str| std::env::var(format!("CREW_CHILD_{name}")).unwrap();
    let store = GitStore::open(&repo, quick(&var("HOLDER"))).unwrap();
    let _life = git_crew::store::holder::Holder::take(&store).unwrap();
    let mut acks = OpenOptions::new().create(true).append(true).open(var("ACKS")).unwrap();
    let deadline = Instant::now() + Duration::from_secs(var("SECONDS").parse().unwrap());
    let mut checked = Instant::now();
    let again = !std::fs::read_to_string(var("ACKS")).unwrap().is_empty() || var("AGAIN") == "1";
    for n in 0..var("EVENTS").parse::<u32>().unwrap() {
        let message = format!("{}-{n}", var("HOLDER"));
        let id = append(&store, &var("RUN"), &message, again);
        // After the shutdown of the file system a sync may lie; an open does not.
        std::fs::File::open(store.common_dir().join("HEAD")).unwrap();
        acks.write_all(format!("{message} {id}.\n").as_bytes()).unwrap();
        if checked.elapsed() > Duration::from_millis(500) {
            store.recheck().unwrap();
            checked = Instant::now();
        }
        if Instant::now() > deadline {
            break;
        }
    }
    store.recheck().unwrap();
}
