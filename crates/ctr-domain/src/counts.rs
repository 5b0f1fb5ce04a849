//! What is counted, and the result it gives.

use crate::event::EventKind;
use crate::window::Window;

/// Impressions and clicks of one product in one window. Neither ever goes down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// How often it was shown.
    pub impressions: u64,
    /// How often it was clicked.
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

    /// Clicks per impression, 0 where nothing was shown. More than 1 where clicks came without their impressions.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "2^53 events of one product in one window are out of reach")]
    pub fn ctr(self) -> f64 {
        if self.impressions == 0 { 0.0 } else { self.clicks as f64 / self.impressions as f64 }
    }
}

/// One result row: what one pair of Kafka partitions holds of a product in a window. The tables keep the largest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CtrResult<'a> {
    /// The product.
    pub product_id: &'a str,
    /// The window.
    pub window: Window,
    /// The number of the partitions of both topics that were counted.
    pub source_partition: u32,
    /// What was counted.
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
