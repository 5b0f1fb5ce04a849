//! Stop requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use anyhow::Context as _;
use signal_hook::consts::{SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;

/// The kind of stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StopKind {
    /// SIGTERM, SIGINT: keep the group membership, so that a restart moves no partitions.
    Keep,
    /// SIGQUIT: leave the group, so that other instances take the partitions over immediately.
    Leave,
    /// A worker has failed permanently: the others stop too.
    Failed,
}

/// Whether, and how, a stop was requested. Clones share the state.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shutdown(Arc<AtomicU8>);

impl Shutdown {
    /// Requests a stop. The first request wins.
    pub(crate) fn request(&self, kind: StopKind) {
        let code = match kind {
            StopKind::Keep => 1,
            StopKind::Leave => 2,
            StopKind::Failed => 3,
        };
        // The first request has already been recorded.
        let _ = self.0.compare_exchange(0, code, Ordering::SeqCst, Ordering::SeqCst);
    }

    /// Whether to stop.
    #[must_use]
    pub(crate) fn is_requested(&self) -> bool {
        self.0.load(Ordering::Relaxed) != 0
    }

    /// How to stop; `None` if no stop was requested.
    #[must_use]
    pub(crate) fn kind(&self) -> Option<StopKind> {
        match self.0.load(Ordering::SeqCst) {
            1 => Some(StopKind::Keep),
            2 => Some(StopKind::Leave),
            3 => Some(StopKind::Failed),
            _ => None,
        }
    }

    /// Listens for signals on a separate thread: the first one requests a stop, the second ends the process
    /// immediately.
    ///
    /// # Errors
    ///
    /// If the handlers cannot be installed.
    pub(crate) fn on_signals(&self) -> anyhow::Result<()> {
        let mut signals = Signals::new([SIGTERM, SIGINT, SIGQUIT]).context("signal handlers")?;
        let shutdown = self.clone();
        std::thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                let mut count = SignalCount::default();
                for signal in signals.forever() {
                    if count.is_second() {
                        tracing::warn!(
                            signal,
                            "second signal: exiting immediately; the next start continues from the last commit"
                        );
                        std::process::exit(128 + signal);
                    }
                    tracing::info!(signal, "stopping");
                    shutdown.request(if signal == SIGQUIT { StopKind::Leave } else { StopKind::Keep });
                }
            })
            .context("signal thread")?;
        Ok(())
    }
}

/// Number of signals so far. A stop requested by a failure does not count: the first signal after it is still the
/// first.
#[derive(Debug, Default)]
struct SignalCount(bool);

impl SignalCount {
    /// Counts one; true if it is not the first.
    const fn is_second(&mut self) -> bool {
        std::mem::replace(&mut self.0, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_signal_after_a_failure_is_the_first() {
        let (shutdown, mut count) = (Shutdown::default(), SignalCount::default());
        shutdown.request(StopKind::Failed);
        assert!(!count.is_second(), "the other workers may still stop in peace");
        assert!(count.is_second());
    }

    #[test]
    fn the_first_request_counts() {
        let shutdown = Shutdown::default();
        assert!(!shutdown.is_requested());
        shutdown.request(StopKind::Leave);
        shutdown.request(StopKind::Keep);
        assert_eq!(shutdown.clone().kind(), Some(StopKind::Leave));
    }
}
