//! Measures time in which this process was suspended: stopped by a signal, or without CPU. Timeouts must not count it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;

/// How often the clock is read.
const TICK: Duration = Duration::from_millis(500);

/// A reading that is this late means that the process was suspended.
const GAP: Duration = Duration::from_secs(3);

static WATCH: Mutex<Watch> = Mutex::new(Watch { last: None, total: Duration::ZERO });

/// The last reading of the clock, and the total time of suspension.
#[derive(Debug)]
struct Watch {
    last: Option<Instant>,
    total: Duration,
}

impl Watch {
    /// Reads the clock. Returns how long the process was suspended since the last reading, if it was.
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

/// Reads the clock every half second on a separate thread until the process ends.
///
/// # Errors
/// If the thread cannot be started.
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

/// Reads the clock now, and logs a warning if the process was suspended.
pub(crate) fn look() {
    let gap = {
        let mut watch = watch();
        // Only if the thread runs: other commands have no last reading to compare with.
        if watch.last.is_none() { None } else { watch.look(Instant::now()) }
    };
    if let Some(gap) = gap {
        let seconds = gap.as_secs();
        tracing::warn!(
            seconds,
            "this process was suspended for {seconds} s: it was stopped (SIGSTOP, a paused container), or had no CPU"
        );
    }
}

/// The total time in which the process was suspended.
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
