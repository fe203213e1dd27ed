//! An agent that is understood while it runs: what it prints goes to its reader,
//! what it does into a file for others.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::domain::account::{self, Account};
use crate::domain::activity::Activity;
use crate::domain::attempt::Attempt;
use crate::domain::id::TaskId;
use crate::domain::run::Run;
use crate::domain::usage::Usage;
use crate::world::agents::{Adapter, Finding, Stream};
use crate::world::clock::Clock;
use crate::world::live;
use crate::world::process::{Listener, output};

use super::{Shop, blocking, sessions};

/// How long a program may take to tell its version.
const ASKING: Duration = Duration::from_secs(10);

/// The time between two states in the file.
const PACE: Duration = Duration::from_millis(250);

/// An agent's stream, read as it comes.
struct Heard {
    stream: Mutex<Option<Stream>>,
    clock: Arc<dyn Clock>,
    path: PathBuf,
}

impl Heard {
    fn new(adapter: &Adapter, clock: Arc<dyn Clock>, path: PathBuf) -> Arc<Self> {
        Arc::new(Self { stream: Mutex::new(Some(adapter.stream())), clock, path })
    }

    /// A panic in a reader must not cost the work: what it knew is all there is.
    fn lock(&self) -> MutexGuard<'_, Option<Stream>> {
        self.stream.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn activity(&self) -> Activity {
        self.lock().as_ref().map(|stream| stream.activity().clone()).unwrap_or_default()
    }

    /// Writes the file whenever something has changed; never comes back.
    async fn tell(self: Arc<Self>) {
        let mut told = None;
        let mut pace = interval(PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            pace.tick().await;
            let now = self.activity();
            if told.as_ref() == Some(&now) {
                continue;
            }
            told = Some(now.clone());
            let this = Arc::clone(&self);
            blocking(move || {
                // Not beside the end of the attempt, which takes the file away.
                let open = this.lock();
                if open.is_some() {
                    // It is for those who watch. Nothing depends on it.
                    let _ = live::write(&this.path, &now, this.clock.now());
                }
            })
            .await;
        }
    }

    /// What the stream came to. The file has had its time.
    fn finish(&self) -> Finding {
        let stream = self.lock().take();
        let _ = std::fs::remove_file(&self.path);
        stream.map(Stream::finish).unwrap_or_default()
    }
}

impl Listener for Heard {
    fn heard(&self, chunk: &[u8]) {
        let now = self.clock.now();
        if let Some(stream) = self.lock().as_mut() {
            stream.push(chunk, now);
        }
    }

    fn waits_until(&self) -> Option<Instant> {
        let until = self.lock().as_ref()?.activity().waits_until()?;
        let ms = u64::try_from(until.since_ms(self.clock.now())).unwrap_or(0);
        Some(Instant::now() + Duration::from_millis(ms))
    }
}

/// An attempt's agent that git-crew knows.
pub(super) struct Known {
    adapter: &'static Adapter,
    heard: Arc<Heard>,
    env: Vec<(OsString, OsString)>,
}

/// A task that ends with its handle.
pub(super) struct Telling(JoinHandle<()>);

impl Drop for Telling {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What an agent came to, as it told.
pub(super) struct Told {
    pub(super) adapter: &'static Adapter,
    pub(super) finding: Finding,
    /// The finding's, with what others had to tell.
    pub(super) account: Account,
}

impl Told {
    /// Its answer; where there is none, why.
    pub(super) fn words(&self) -> String {
        let failure = self.finding.earlier.as_ref().map(|(_, text)| text.clone());
        let strays = || self.finding.strays.join("\n");
        self.finding.text.clone().or(failure).unwrap_or_else(strays)
    }
}

impl Known {
    pub(super) fn new(
        adapter: &'static Adapter,
        shop: &Shop,
        path: PathBuf,
        env: &[(OsString, OsString)],
    ) -> Self {
        Self {
            adapter,
            heard: Heard::new(adapter, Arc::clone(&shop.clock), path),
            env: env.to_vec(),
        }
    }

    pub(super) fn listener(&self) -> Arc<dyn Listener> {
        Arc::<Heard>::clone(&self.heard)
    }

    /// Tells others what is done, until the handle goes.
    pub(super) fn tell(&self) -> Telling {
        Telling(tokio::spawn(Arc::clone(&self.heard).tell()))
    }

    /// Its process has ended: takes what it told together, and keeps its session.
    pub(super) fn conclude(self, shop: &Shop, run: &Run, task: &TaskId) -> Told {
        let Self { adapter, heard, env } = self;
        let finding = heard.finish();
        let mut account = finding.account.clone();
        if account.version.is_none() {
            account.version = version(shop, adapter, &env);
        }
        if let Some(session) = &account.session {
            sessions::keep(shop, task, adapter, session, &env);
        }
        if adapter.counts_session {
            let earlier = counted(run, task, account.session.as_deref());
            account.usage = account.usage.map(|usage| usage.less(earlier));
        }
        Told { adapter, finding, account }
    }
}

/// What earlier attempts of a task used of a session.
fn counted(run: &Run, task: &TaskId, session: Option<&str>) -> Usage {
    let attempts = run.task(task).map(|task| task.attempts.as_slice()).unwrap_or_default();
    let same = |attempt: &&Attempt| {
        let account = attempt.output.as_ref().map(|output| &output.account);
        account.is_some_and(|account| session.is_some() && account.session.as_deref() == session)
    };
    let used = attempts.iter().filter(same).filter_map(Attempt::usage);
    used.fold(Usage::default(), Usage::plus)
}

/// The version of a program that doesn't tell it in its stream: asked once in a
/// run.
fn version(shop: &Shop, adapter: &Adapter, env: &[(OsString, OsString)]) -> Option<String> {
    let mut known = shop.versions.lock().unwrap_or_else(PoisonError::into_inner);
    let asked = || {
        let path = env.iter().find(|(name, _)| name == "PATH").map(|(_, value)| value.as_os_str());
        let program = adapter.installed(path)?;
        let args = ["--version".into()];
        let said = output(program.as_os_str(), &args, env, Path::new("/"), &[], ASKING).ok()?;
        // pi tells it on standard error.
        let said =
            [said.stdout, said.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        let number = |word: &&str| word.starts_with(|c: char| c.is_ascii_digit());
        account::name(said.iter().flat_map(|text| text.split_whitespace()).find(number)?)
    };
    known.entry(adapter.name).or_insert_with(asked).clone()
}
