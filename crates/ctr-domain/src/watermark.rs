//! Watermarks: how far event time has advanced.

/// A point in event time (epoch ms): no event at or below it is expected any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Watermark(
    /// Epoch milliseconds.
    pub i64,
);

impl Watermark {
    /// Before the first event.
    pub const NONE: Self = Self(i64::MIN);

    /// This watermark `elapsed` milliseconds later; none stays none.
    #[must_use]
    pub const fn plus(self, elapsed: i64) -> Self {
        match self {
            Self::NONE => Self::NONE,
            Self(ms) => Self(ms.saturating_add(elapsed)),
        }
    }
}

impl PartialEq<i64> for Watermark {
    fn eq(&self, other: &i64) -> bool {
        self.0 == *other
    }
}

/// The watermark of one partition as its task sees it for firing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Input {
    /// The partition's own watermark.
    pub watermark: Watermark,
    /// Wall time (ms, any monotonic clock) of its last record, or of its assignment.
    pub last_arrival: i64,
    /// Whether it has been silent for the idle timeout, and is at its end.
    pub idle: bool,
}

/// The watermark that determines when a task's windows fire: the minimum over the partitions that are not idle. If all
/// are idle, event time advances with the wall clock from the last arrival, so that the last windows of a silent stream
/// are sent.
///
/// It determines when a row is visible, never what it counts.
#[must_use]
pub fn firing_watermark(inputs: [Input; 2], now: i64) -> Watermark {
    let active = inputs.iter().filter(|input| !input.idle).map(|input| input.watermark).min();
    active.unwrap_or_else(|| {
        let [a, b] = inputs;
        let silent_for = now.saturating_sub(a.last_arrival.max(b.last_arrival)).max(0);
        a.watermark.max(b.watermark).plus(silent_for)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(watermark: i64, last_arrival: i64, idle: bool) -> Input {
        Input { watermark: Watermark(watermark), last_arrival, idle }
    }

    #[test]
    fn the_slower_partition_decides() {
        assert_eq!(firing_watermark([input(5, 0, false), input(9, 0, false)], 100), 5);
    }

    #[test]
    fn an_idle_partition_does_not_hold_back() {
        assert_eq!(firing_watermark([input(5, 0, true), input(9, 0, false)], 100), 9);
    }

    #[test]
    fn silence_lets_the_clock_go_on_from_the_last_arrival() {
        assert_eq!(firing_watermark([input(1_000, 40, true), input(2_000, 70, true)], 100), 2_030);
    }

    #[test]
    fn nothing_seen_is_no_watermark_however_long_it_lasts() {
        let none = Input { watermark: Watermark::NONE, last_arrival: 0, idle: true };
        assert_eq!(firing_watermark([none, none], i64::MAX), Watermark::NONE);
    }
}
