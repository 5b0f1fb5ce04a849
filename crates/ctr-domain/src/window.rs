//! Tumbling event-time windows.

use std::num::NonZeroI64;

/// The length of every window, in milliseconds: always positive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowSize(NonZeroI64);

impl WindowSize {
    /// A window length of `ms` milliseconds, or `None` if that is not positive.
    #[must_use]
    pub const fn from_ms(ms: i64) -> Option<Self> {
        match NonZeroI64::new(ms) {
            Some(size) if ms > 0 => Some(Self(size)),
            _ => None,
        }
    }

    /// The length in milliseconds.
    #[must_use]
    pub const fn ms(self) -> i64 {
        self.0.get()
    }

    /// The window that contains `timestamp` (epoch ms). Windows are aligned to the epoch, also before it (Flink's
    /// `TumblingEventTimeWindows` with offset 0).
    #[must_use]
    pub const fn window_of(self, timestamp: i64) -> Window {
        let start = timestamp - timestamp.rem_euclid(self.ms());
        Window { start, end: start + self.ms() }
    }
}

/// A half-open interval of event time, `[start, end)`, in epoch milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window {
    /// The first millisecond inside.
    pub start: i64,
    /// The first millisecond after.
    pub end: i64,
}

impl Window {
    /// The last millisecond inside. A window fires when the watermark reaches it (Flink's `TimeWindow#maxTimestamp`).
    #[must_use]
    pub const fn last_timestamp(self) -> i64 {
        self.end - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(ms: i64) -> WindowSize {
        WindowSize::from_ms(ms).unwrap()
    }

    #[test]
    fn a_boundary_belongs_to_the_window_it_starts() {
        assert_eq!(size(10_000).window_of(20_000), Window { start: 20_000, end: 30_000 });
        assert_eq!(size(10_000).window_of(29_999), Window { start: 20_000, end: 30_000 });
        assert_eq!(size(10_000).window_of(30_000), Window { start: 30_000, end: 40_000 });
    }

    #[test]
    fn windows_before_the_epoch_are_aligned_too() {
        assert_eq!(size(10_000).window_of(-1), Window { start: -10_000, end: 0 });
        assert_eq!(size(10_000).window_of(-10_000), Window { start: -10_000, end: 0 });
    }

    #[test]
    fn a_length_is_positive() {
        assert!(WindowSize::from_ms(0).is_none());
        assert!(WindowSize::from_ms(-1).is_none());
    }
}
