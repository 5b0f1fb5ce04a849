//! How long an insert is waited for: longer each time it was not long enough.

use std::time::Duration;

/// So many times the setting at most.
const LONGEST: u32 = 8;

/// The wait for the next attempt. An insert that takes longer than its timeout would else be sent for ever, and its rows land
/// each time without anybody hearing of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    first: Duration,
    now: Duration,
}

impl Patience {
    pub(super) const fn new(first: Duration) -> Self {
        Self { first, now: first }
    }

    pub(super) const fn get(self) -> Duration {
        self.now
    }

    /// It was not long enough.
    pub(super) fn grow(&mut self) {
        self.now = self.now.saturating_mul(2).min(self.first.saturating_mul(LONGEST));
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
}
