//! The rules for all decisions, as numbers.

use crate::rejection::Rejection;
use crate::timestamp::DEFAULT_MIN_MS;
use crate::watermark::Watermark;
use crate::window::{Window, WindowSize};

/// Whether an event with a repeated `event_id` counts again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deduplication {
    /// Every valid event counts.
    Off,
    /// An `event_id` counts once per window and Kafka partition. The set of IDs exists as long as the window and is
    /// rebuilt with it.
    EventId,
}

/// All settings that affect a task's decisions. All times are milliseconds, none is negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// The length of a window.
    pub window_size: WindowSize,
    /// How far the watermark stays behind the largest event time of a partition.
    pub max_out_of_orderness_ms: i64,
    /// How long after its end, in event time, a window still accepts events.
    pub allowed_lateness_ms: i64,
    /// The earliest accepted event time (epoch ms).
    pub min_event_time: i64,
    /// How far an event may be ahead of its record's Kafka timestamp.
    pub max_future_skew_ms: i64,
    /// Wall time without a record after which a partition at its end no longer holds back the watermark of its task.
    pub idle_timeout_ms: i64,
    /// Event time by which one partition must have passed a window before it may be closed although the other partition
    /// is silent.
    pub idle_hold_ms: i64,
    /// How far, in event time, one partition of a task is read ahead of the other.
    pub max_drift_ms: i64,
    /// Whether repeated event IDs count.
    pub deduplication: Deduplication,
}

impl Rules {
    /// The window of an event time.
    #[must_use]
    pub const fn window_of(&self, timestamp: i64) -> Window {
        self.window_size.window_of(timestamp)
    }

    /// The watermark that follows from the largest event time of a partition: no event at or below it is expected any
    /// more (Flink's `BoundedOutOfOrdernessWatermarks`: maximum - bound - 1 ms).
    #[must_use]
    pub const fn watermark(&self, maximum: Option<i64>) -> Watermark {
        match maximum {
            Some(maximum) => Watermark(maximum.saturating_sub(self.max_out_of_orderness_ms).saturating_sub(1)),
            None => Watermark::NONE,
        }
    }

    /// Whether a watermark has passed a window permanently: its last timestamp plus the allowed lateness. An event for
    /// such a window is too late (Flink's `WindowOperator#isWindowLate`).
    #[must_use]
    pub const fn has_passed(&self, window_end: i64, watermark: Watermark) -> bool {
        window_end.saturating_sub(1).saturating_add(self.allowed_lateness_ms) <= watermark.0
    }

    /// The maximum after one record: it advances to the event's time, but never beyond the record's own Kafka
    /// timestamp, so that a clock that runs ahead cannot make other events late.
    #[must_use]
    pub const fn progress(timestamp: i64, record_timestamp: Option<i64>) -> i64 {
        match record_timestamp {
            Some(limit) if limit < timestamp => limit,
            _ => timestamp,
        }
    }

    /// Checks the two rules for event times that need more than the event: not before `min_event_time`, and not too far
    /// ahead of its record's Kafka timestamp.
    ///
    /// # Errors
    ///
    /// `INVALID_TIMESTAMP`, `FUTURE_TIMESTAMP`.
    #[inline]
    pub fn accept_time(&self, timestamp: i64, record_timestamp: Option<i64>) -> Result<(), Rejection> {
        if timestamp < self.min_event_time {
            return Err(Rejection::before_all(timestamp, self.min_event_time));
        }
        match record_timestamp {
            Some(now) if self.is_future(timestamp, record_timestamp) => {
                Err(Rejection::future(timestamp, now, self.max_future_skew_ms))
            }
            _ => Ok(()),
        }
    }

    /// Whether an event is so far ahead of its record's Kafka timestamp that it must be wrong.
    #[must_use]
    pub const fn is_future(&self, timestamp: i64, record_timestamp: Option<i64>) -> bool {
        match record_timestamp {
            Some(now) => timestamp > now.saturating_add(self.max_future_skew_ms),
            None => false,
        }
    }
}

impl Default for Rules {
    /// The pipeline's defaults: 10 s windows, 2 s disorder, 5 s lateness, events from 2000-01-01.
    fn default() -> Self {
        const TEN_SECONDS: WindowSize = match WindowSize::from_ms(10_000) {
            Some(size) => size,
            None => panic!("10000 is positive"),
        };
        Self {
            window_size: TEN_SECONDS,
            max_out_of_orderness_ms: 2_000,
            allowed_lateness_ms: 5_000,
            min_event_time: DEFAULT_MIN_MS,
            max_future_skew_ms: 300_000,
            idle_timeout_ms: 5_000,
            idle_hold_ms: 60_000,
            max_drift_ms: 60_000,
            deduplication: Deduplication::Off,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: fn() -> Rules = Rules::default;

    #[test]
    fn the_watermark_stays_a_bound_and_a_millisecond_behind() {
        assert_eq!(RULES().watermark(Some(10_000)), Watermark(7_999));
        assert_eq!(RULES().watermark(None), Watermark::NONE);
    }

    #[test]
    fn a_window_is_passed_exactly_at_its_last_timestamp_and_the_lateness() {
        assert!(!RULES().has_passed(10_000, Watermark(14_998)));
        assert!(RULES().has_passed(10_000, Watermark(14_999)));
        assert!(!RULES().has_passed(10_000, Watermark::NONE));
    }

    #[test]
    fn a_clock_ahead_moves_the_maximum_only_to_the_brokers_time() {
        assert_eq!(Rules::progress(50_000, Some(40_000)), 40_000);
        assert_eq!(Rules::progress(30_000, Some(40_000)), 30_000);
        assert_eq!(Rules::progress(30_000, None), 30_000);
    }

    #[test]
    fn the_future_begins_after_the_skew() {
        assert!(!RULES().is_future(340_000, Some(40_000)));
        assert!(RULES().is_future(340_001, Some(40_000)));
        assert!(!RULES().is_future(i64::MAX, None));
    }
}
