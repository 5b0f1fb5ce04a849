//! Counts, and the results computed from them.

use crate::event::EventKind;
use crate::window::Window;

/// Impressions and clicks of one product in one window. Neither ever decreases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Number of impressions.
    pub impressions: u64,
    /// Number of clicks.
    pub clicks: u64,
}

impl Counts {
    /// Counts one event.
    pub fn add(&mut self, kind: EventKind) {
        match kind {
            EventKind::Impression => self.impressions += 1,
            EventKind::Click => self.clicks += 1,
        }
    }

    /// Clicks per impression, 0 without impressions. Above 1 if clicks arrived without their impressions.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "2^53 events of one product in one window are out of reach")]
    pub fn ctr(self) -> f64 {
        if self.impressions == 0 { 0.0 } else { self.clicks as f64 / self.impressions as f64 }
    }
}

/// One result row: the counts of a product in a window, from one pair of Kafka partitions. The tables keep the largest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CtrResult<'a> {
    /// The product.
    pub product_id: &'a str,
    /// The window.
    pub window: Window,
    /// The number of the counted partitions in both topics.
    pub source_partition: u32,
    /// The counts.
    pub counts: Counts,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ctr_is_clicks_per_impression() {
        let mut counts = Counts::default();
        assert_eq!(counts.ctr(), 0.0);
        counts.add(EventKind::Click);
        assert_eq!(counts.ctr(), 0.0, "clicks without impressions have no rate");
        for _ in 0..4 {
            counts.add(EventKind::Impression);
        }
        assert_eq!(counts.ctr(), 0.25);
    }
}
