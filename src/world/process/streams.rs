//! The two streams of a program, read as they come.
//!
//! Promises: a stream is read at the speed at which it can be hashed, so a
//! program is slowed down rather than anything lost or kept without bound;
//! closing waits two seconds at most for a stream that somebody holds open.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Child;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::capture::{Capture, Captured, Live};
use super::{Listener, OutputSpec};

/// How long a stream may stay open once nothing is left that we know of.
const DRAIN: Duration = Duration::from_secs(2);

/// When a byte last came, as milliseconds since the start.
pub(super) struct LastByte {
    start: Instant,
    ms: AtomicU64,
}

impl LastByte {
    fn touch(&self) {
        let ms = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.ms.store(ms, Ordering::Relaxed);
    }

    pub(super) fn last(&self) -> Instant {
        self.start + Duration::from_millis(self.ms.load(Ordering::Relaxed))
    }
}

/// Both streams of a program, each read by a task of its own.
pub(super) struct Streams {
    pub(super) clock: Arc<LastByte>,
    live: Option<Arc<Mutex<Live>>>,
    stdout: Reader,
    stderr: Reader,
}

impl Streams {
    pub(super) fn new(
        shim: &mut Child,
        output: &OutputSpec,
        start: Instant,
        listener: Option<Arc<dyn Listener>>,
    ) -> Self {
        let clock = Arc::new(LastByte { start, ms: AtomicU64::new(0) });
        let cap = output.head.saturating_add(output.tail);
        let live = output.live.as_ref().map(|path| Arc::new(Mutex::new(Live::new(path, cap))));
        let ways = |listener| Ways { clock: Arc::clone(&clock), live: live.clone(), listener };
        let stdout = Reader::new(shim.stdout.take(), output, ways(listener));
        let stderr = Reader::new(shim.stderr.take(), output, ways(None));
        Self { clock, live, stdout, stderr }
    }

    /// Reads both to their ends, or gives up on them.
    pub(super) async fn close(self) -> Closed {
        let until = Instant::now() + DRAIN;
        let mut troubles = Vec::new();
        let stdout = self.stdout.close(until, "standard output", &mut troubles).await;
        let stderr = self.stderr.close(until, "standard error", &mut troubles).await;
        troubles.extend(self.live.and_then(|live| whole(&live).trouble.take()));
        Closed { stdout, stderr, troubles }
    }
}

/// What was read in all.
pub(super) struct Closed {
    pub(super) stdout: Captured,
    pub(super) stderr: Captured,
    pub(super) troubles: Vec<String>,
}

/// Where what is read of a stream goes.
struct Ways {
    clock: Arc<LastByte>,
    live: Option<Arc<Mutex<Live>>>,
    listener: Option<Arc<dyn Listener>>,
}

/// One stream and the task that reads it.
struct Reader {
    kept: Arc<Mutex<Capture>>,
    task: JoinHandle<()>,
}

impl Reader {
    fn new(
        pipe: Option<impl AsyncRead + Unpin + Send + 'static>,
        output: &OutputSpec,
        ways: Ways,
    ) -> Self {
        let kept = Arc::new(Mutex::new(Capture::new(output.head, output.tail)));
        let capture = Arc::clone(&kept);
        let Ways { clock, live, listener } = ways;
        let task = tokio::spawn(async move {
            let Some(mut pipe) = pipe else { return };
            let mut buffer = vec![0; 1 << 16];
            while let Ok(n @ 1..) = pipe.read(&mut buffer).await {
                let chunk = buffer.get(..n).unwrap_or_default();
                clock.touch();
                whole(&capture).push(chunk);
                if let Some(live) = &live {
                    whole(live).push(chunk);
                }
                if let Some(listener) = &listener {
                    listener.heard(chunk);
                }
            }
        });
        Self { kept, task }
    }

    async fn close(mut self, until: Instant, name: &str, troubles: &mut Vec<String>) -> Captured {
        if timeout_at(until, &mut self.task).await.is_err() {
            self.task.abort();
            troubles.push(format!("{name} is still held open by a process out of reach"));
        }
        whole(&self.kept).take()
    }
}

/// A lock whose value is whole after any panic: bytes and counters.
fn whole<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}
