//! The parameters of the counting rules.

use ctr_pipeline::config::{Deduplication, JobConfig};

/// All times are milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) window: i64,
    /// How far the watermark stays behind the maximum.
    pub(crate) disorder: i64,
    pub(crate) lateness: i64,
    /// The earliest accepted event time, epoch ms.
    pub(crate) first_time: i64,
    pub(crate) future_skew: i64,
    /// Whether an event ID counts once per window and partition.
    pub(crate) ids_count_once: bool,
}

impl Rules {
    /// The job's rules.
    pub(crate) fn of(job: &JobConfig) -> Self {
        Self {
            window: job.window_size_ms,
            disorder: job.max_out_of_orderness_ms,
            lateness: job.allowed_lateness_ms,
            first_time: job.min_event_time,
            future_skew: job.max_future_skew_ms,
            ids_count_once: job.deduplication == Deduplication::EventId,
        }
    }

    /// The start of the window of an event time.
    pub(crate) fn window_start(&self, time: i64) -> i64 {
        time.div_euclid(self.window) * self.window
    }

    /// The maximum at which a window fires: its last millisecond is at or below the watermark.
    pub(crate) fn fires_at(&self, window_start: i64) -> i64 {
        window_start + self.window + self.disorder
    }

    /// The maximum from which on an event for the window is too late.
    pub(crate) fn closes_at(&self, window_start: i64) -> i64 {
        self.fires_at(window_start) + self.lateness
    }

    /// The first window that no record with an earlier Kafka timestamp can belong to, or make another record late for:
    /// the future guard limits how far an event is ahead, and a maximum is never ahead at all.
    pub(crate) fn first_window_after(&self, kafka_time: i64) -> i64 {
        self.window_start(kafka_time.saturating_add(self.future_skew)).saturating_add(self.window)
    }
}

impl Default for Rules {
    /// The pipeline's defaults.
    fn default() -> Self {
        Self {
            window: 10_000,
            disorder: 2_000,
            lateness: 5_000,
            first_time: 946_684_800_000,
            future_skew: 300_000,
            ids_count_once: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_fires_two_and_closes_seven_seconds_after_its_end() {
        let rules = Rules::default();
        assert_eq!(rules.window_start(29_999), 20_000);
        assert_eq!((rules.fires_at(20_000), rules.closes_at(20_000)), (32_000, 37_000));
    }
}
