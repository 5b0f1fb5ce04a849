//! The wait before a retry.

use std::time::Duration;

use rand::RngExt as _;

/// Exponential backoff with full jitter between two bounds, so that many instances that lost the same server do not reconnect
/// at the same time.
#[derive(Debug, Clone)]
pub struct Backoff {
    min: Duration,
    max: Duration,
    attempt: u32,
}

impl Backoff {
    /// Waits between `min` and `max`.
    #[must_use]
    pub fn new(min: Duration, max: Duration) -> Self {
        Self { min, max, attempt: 0 }
    }

    /// The number of waits returned so far.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.attempt
    }

    /// The next wait: between the lower bound and a ceiling that doubles with every attempt.
    pub fn next_wait(&mut self) -> Duration {
        let ceiling = self.min.saturating_mul(1 << self.attempt.min(20)).clamp(self.min, self.max);
        self.attempt = self.attempt.saturating_add(1);
        rand::rng().random_range(self.min..=ceiling)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_stay_between_the_bounds_and_reach_for_the_upper_one() {
        let (min, max) = (Duration::from_millis(100), Duration::from_secs(10));
        let mut longest = Duration::ZERO;
        for _ in 0..50 {
            let mut backoff = Backoff::new(min, max);
            for attempt in 0..40 {
                let wait = backoff.next_wait();
                assert!((min..=max).contains(&wait), "attempt {attempt}: {wait:?}");
                longest = longest.max(wait);
            }
            assert_eq!(backoff.attempts(), 40);
        }
        assert!(longest > Duration::from_secs(5), "{longest:?}");
    }
}
