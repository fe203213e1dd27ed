//! Where `tracing` goes: standard error, if `-v` or `CREW_LOG` asks for it.

use tracing_subscriber::EnvFilter;

/// Starts tracing. `CREW_LOG` (`git_crew::store=trace`) wins over `-v` (what
/// git-crew decides) and `-vv` (everything it does); neither is silence.
///
/// A `CREW_LOG` that can't be understood counts as `-vv`: somebody wanted to see
/// something.
pub fn start(verbose: u8, log: Option<&str>) {
    let by_flag = match verbose {
        0 => None,
        1 => Some("git_crew=debug"),
        2.. => Some("trace"),
    };
    let Some(wanted) = log.or(by_flag) else { return };
    let filter = EnvFilter::try_new(wanted).unwrap_or_else(|_| EnvFilter::new("trace"));
    let started = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .without_time()
        .try_init();
    // Only a second start in one process fails, and then the first one goes on.
    drop(started);
}
