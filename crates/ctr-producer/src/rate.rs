//! Pacing: how many events are due.

use std::time::Duration;

/// Maximum backlog that is caught up after a stall, in seconds of the rate. After a longer stall (brokers unavailable) the rest
/// is skipped: a burst would not simulate users.
const BURST_SECONDS: f64 = 1.0;

/// A token bucket. The number of due events follows from the time since the start, not since the last call, so it does not
/// drift with rare or irregular calls.
#[derive(Debug)]
pub(crate) struct Pace {
    per_second: f64,
    forgiven: f64,
}

impl Pace {
    /// A pace of `per_second` events, more than 0.
    pub(crate) fn new(per_second: f64) -> Self {
        Self { per_second, forgiven: 0.0 }
    }

    /// The number of events due at `elapsed` after the start, if `sent` have already been sent.
    #[allow(clippy::cast_precision_loss, reason = "2^53 events are out of reach")]
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast of a float saturates")]
    pub(crate) fn due(&mut self, elapsed: Duration, sent: u64) -> u64 {
        let backlog = self.per_second * elapsed.as_secs_f64() - self.forgiven - sent as f64;
        let burst = (self.per_second * BURST_SECONDS).max(1.0);
        if backlog > burst {
            self.forgiven += backlog - burst;
        }
        // Add a little, so that an integer computed as 9.999999 is not delayed.
        (backlog.min(burst) + 1e-6) as u64
    }

    /// The time between two events.
    pub(crate) fn interval(&self) -> Duration {
        Duration::try_from_secs_f64(1.0 / self.per_second).unwrap_or(Duration::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends what is due at each of the given times (ms) and returns the total.
    fn sent_at(per_second: f64, times: impl IntoIterator<Item = u64>) -> u64 {
        let mut pace = Pace::new(per_second);
        times.into_iter().fold(0, |sent, ms| sent + pace.due(Duration::from_millis(ms), sent))
    }

    #[test]
    fn an_hour_of_uneven_looks_does_not_drift() {
        let uneven = (0..3_600_000).step_by(7).chain([3_600_000]);
        assert_eq!(sent_at(333.3, uneven), 1_199_880);
        assert_eq!(sent_at(0.5, (0..=3_600_000).step_by(100)), 1_800);
    }

    #[test]
    fn nothing_is_sent_before_it_is_due() {
        assert_eq!(sent_at(10.0, [0, 99]), 0);
        assert_eq!(sent_at(10.0, [0, 100]), 1);
    }

    #[test]
    fn a_long_standstill_is_forgiven_but_for_a_second() {
        let mut pace = Pace::new(1_000.0);
        assert_eq!(pace.due(Duration::from_secs(60), 0), 1_000);
        assert_eq!(pace.due(Duration::from_secs(60), 1_000), 0);
        assert_eq!(pace.due(Duration::from_millis(60_010), 1_000), 10);
    }
}
