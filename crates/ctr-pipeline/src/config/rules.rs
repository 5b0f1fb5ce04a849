//! Converts the settings to the rules of the domain.

use anyhow::Context as _;
use ctr_domain::rules::{Deduplication, Rules};
use ctr_domain::window::WindowSize;

use super::settings::{Deduplication as DeduplicationSetting, JobConfig};

impl JobConfig {
    /// The rules of these settings.
    ///
    /// # Errors
    ///
    /// If the window size is invalid, which validated settings exclude.
    pub fn rules(&self) -> anyhow::Result<Rules> {
        Ok(Rules {
            window_size: WindowSize::from_ms(self.window_size_ms)
                .context("`ctr.job.window-size-ms` must be positive")?,
            max_out_of_orderness_ms: self.max_out_of_orderness_ms,
            allowed_lateness_ms: self.allowed_lateness_ms,
            min_event_time: self.min_event_time,
            max_future_skew_ms: self.max_future_skew_ms,
            idle_timeout_ms: self.idle_timeout_ms,
            idle_hold_ms: self.idle_hold_ms,
            max_drift_ms: self.max_drift_ms,
            deduplication: match self.deduplication {
                DeduplicationSetting::Off => Deduplication::Off,
                DeduplicationSetting::EventId => Deduplication::EventId,
            },
        })
    }
}
