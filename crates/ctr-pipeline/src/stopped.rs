//! Time in which this process did not run: stopped by a signal, or starved of its CPU. Whoever waits for an answer must not
//! blame others for it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;

/// How often the watch looks at the clock.
const TICK: Duration = Duration::from_millis(500);

/// A look that comes this late means that the process did not run.
const GAP: Duration = Duration::from_secs(3);

static WATCH: Mutex<Watch> = Mutex::new(Watch { last: None, total: Duration::ZERO });

/// When the clock was last looked at, and the time in which nobody could.
#[derive(Debug)]
struct Watch {
    last: Option<Instant>,
    total: Duration,
}

impl Watch {
    /// Looks at the clock; how long the process did not run since the last look, if it did not.
    fn look(&mut self, now: Instant) -> Option<Duration> {
        let gap = self.last.replace(now).map_or(Duration::ZERO, |last| now.saturating_duration_since(last));
        let gap = (gap >= GAP).then_some(gap)?;
        self.total += gap;
        Some(gap)
    }
}

fn watch() -> MutexGuard<'static, Watch> {
    WATCH.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Looks at the clock every half second, on a thread of its own, until the process ends.
///
/// # Errors
/// Where the thread cannot be started.
pub(crate) fn start() -> anyhow::Result<()> {
    watch().look(Instant::now());
    let forever = || {
        loop {
            look();
            std::thread::sleep(TICK);
        }
    };
    std::thread::Builder::new().name("stopped-watch".to_owned()).spawn(forever).context("watch over the clock")?;
    Ok(())
}

/// Looks at the clock now; says so where the process did not run.
pub(crate) fn look() {
    let gap = {
        let mut watch = watch();
        // Only where the watch runs: a command that looks now and then has no last look to compare with.
        if watch.last.is_none() { None } else { watch.look(Instant::now()) }
    };
    if let Some(gap) = gap {
        let seconds = gap.as_secs();
        tracing::warn!(
            seconds,
            "this process itself did not run for {seconds} s: it was stopped (SIGSTOP, a paused container), or had no CPU"
        );
    }
}

/// How long the process did not run, all times together.
#[must_use]
pub(crate) fn total() -> Duration {
    watch().total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_gap_counts() {
        let mut watch = Watch { last: None, total: Duration::ZERO };
        let begun = Instant::now();
        assert_eq!(watch.look(begun), None);
        assert_eq!(watch.look(begun + TICK), None);
        assert_eq!(watch.look(begun + TICK + Duration::from_secs(330)), Some(Duration::from_secs(330)));
        assert_eq!(watch.look(begun + TICK + Duration::from_secs(331)), None);
        assert_eq!(watch.total, Duration::from_secs(330));
    }
}
