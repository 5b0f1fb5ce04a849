//! The rate of inserts: one per interval on average, a few in a row after a pause.

use std::time::{Duration, Instant};

/// Inserts that may follow each other at once after a pause. Windows end for all partitions together, so rows of a partition
/// that was slightly behind need not wait for the next interval if the previous ones were unused.
const BURST: u32 = 3;

/// Divisor of the interval: how long the first rows wait for those of the other partitions, whose watermarks pass the end of a
/// window within a fetch or two of each other.
const GATHERING: u32 = 4;

/// Determines when the next insert is due. Each insert creates a part that ClickHouse must merge, regardless of its size, so
/// there is at most one per interval on average. This is the generic cell rate algorithm (ITU-T I.371) with a burst.
#[derive(Debug, Clone)]
pub(super) struct Pace {
    interval: Duration,
    /// When the next insert would be due at an even rate; `None` before the first.
    even: Option<Instant>,
}

impl Pace {
    pub(super) fn new(interval: Duration) -> Self {
        Self { interval, even: None }
    }

    /// When rows may be sent of which the first was handed over at `handed_over`: in the past if they waited for an insert.
    pub(super) fn due(&self, handed_over: Instant) -> Instant {
        let gathered = handed_over + self.interval / GATHERING;
        let allowed = self.even.and_then(|even| even.checked_sub(self.interval * (BURST - 1)));
        allowed.map_or(gathered, |allowed| allowed.max(gathered))
    }

    /// Records an insert at `now`.
    pub(super) fn sent(&mut self, now: Instant) {
        self.even = Some(self.even.map_or(now, |even| even.max(now)) + self.interval);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_millis(200);
    const GATHERED: Duration = Duration::from_millis(50);

    #[test]
    fn after_a_pause_a_few_inserts_wait_for_other_rows_alone() {
        let (mut pace, mut now) = (Pace::new(INTERVAL), Instant::now() + Duration::from_secs(60));
        for pause in [0, 1, 3600] {
            now += Duration::from_secs(pause);
            for _ in 0..BURST {
                assert_eq!(pace.due(now), now + GATHERED);
                now = pace.due(now);
                pace.sent(now);
            }
            assert!(pace.due(now) > now + GATHERED, "one more has to wait");
        }
    }

    #[test]
    fn rows_that_waited_for_an_insert_have_waited_for_others() {
        let (mut pace, begun) = (Pace::new(INTERVAL), Instant::now());
        pace.sent(begun);
        let (handed_over, answered) = (begun + Duration::from_millis(10), begun + Duration::from_millis(90));
        assert!(pace.due(handed_over) < answered, "due as soon as the insert before them is answered");
    }

    #[test]
    fn in_the_long_run_there_is_one_insert_an_interval() {
        let (mut pace, begun) = (Pace::new(INTERVAL), Instant::now());
        let mut now = begun;
        for _ in 0..1_000 {
            now = pace.due(now);
            pace.sent(now);
        }
        assert_eq!(now, begun + GATHERED + INTERVAL * (1_000 - BURST));
    }
}
