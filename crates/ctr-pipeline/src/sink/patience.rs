//! The timeout of inserts, pings and the checks of a start, which grows with every timeout.

use std::time::Duration;

/// Maximum timeout, as a multiple of the setting.
const LONGEST: u32 = 8;

/// The timeout of the next attempt. With a fixed timeout, an insert that takes longer would be retried forever, and every
/// attempt would write its rows without an acknowledgement.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    first: Duration,
    now: Duration,
}

impl Patience {
    pub(crate) const fn new(first: Duration) -> Self {
        Self { first, now: first }
    }

    pub(crate) const fn get(self) -> Duration {
        self.now
    }

    /// Doubles the timeout, up to the maximum.
    pub(crate) fn grow(&mut self) {
        self.now = self.now.saturating_mul(2).min(self.first.saturating_mul(LONGEST));
    }

    /// Back to the setting after a response that it would have been long enough for.
    pub(crate) fn relax(&mut self, took: Duration) {
        if took < self.first {
            self.now = self.first;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_up_to_a_bound() {
        let mut patience = Patience::new(Duration::from_secs(2));
        let mut waits = Vec::new();
        for _ in 0..5 {
            waits.push(patience.get().as_secs());
            patience.grow();
        }
        assert_eq!(waits, [2, 4, 8, 16, 16]);
    }

    #[test]
    fn it_is_the_setting_again_once_that_is_enough() {
        let mut patience = Patience::new(Duration::from_secs(2));
        patience.grow();
        patience.relax(Duration::from_secs(3));
        assert_eq!(patience.get(), Duration::from_secs(4), "with 2 s the next one would time out again");
        patience.relax(Duration::from_secs(1));
        assert_eq!(patience.get(), Duration::from_secs(2));
    }
}
