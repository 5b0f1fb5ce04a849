//! Counts a log by the rules of docs/delivery.md: a second, small implementation that shares no code with the one it
//! checks. Deliberately simple: no recovery, no firing, no holding, because none of these may change a number.

mod code;
mod event;
mod log_count;
mod recount;
mod rules;

use std::collections::HashMap;

use foldhash::fast::RandomState;

pub(crate) use code::Code;
pub(crate) use event::read as read_event;
pub(crate) use log_count::{Known, LogCount, Verdict};
pub(crate) use recount::Recount;
pub(crate) use rules::Rules;

/// One record of the log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record<'a> {
    pub(crate) offset: i64,
    /// The record's Kafka timestamp, epoch ms; `None` if it has none.
    pub(crate) timestamp: Option<i64>,
    pub(crate) value: Option<&'a [u8]>,
}

/// Impressions and clicks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) impressions: u64,
    pub(crate) clicks: u64,
}

impl Counts {
    fn add(&mut self, kind: event::Kind) {
        match kind {
            event::Kind::Impression => self.impressions += 1,
            event::Kind::Click => self.clicks += 1,
        }
    }

    /// The version of a row: `ctr_results_raw` keeps the larger of two.
    pub(crate) const fn version(self) -> u64 {
        self.impressions + self.clicks
    }

    /// Whether neither count exceeds the other's.
    pub(crate) const fn is_within(self, other: Self) -> bool {
        self.impressions <= other.impressions && self.clicks <= other.clicks
    }

    /// The larger of each.
    pub(crate) fn max(self, other: Self) -> Self {
        Self { impressions: self.impressions.max(other.impressions), clicks: self.clicks.max(other.clicks) }
    }
}

impl std::ops::Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { impressions: self.impressions + other.impressions, clicks: self.clicks + other.clicks }
    }
}

/// Changes the value of a product, which is created if missing. Only then is a key allocated.
fn change<V: Default>(products: &mut HashMap<Box<str>, V, RandomState>, product: &str, by: impl FnOnce(&mut V)) {
    if let Some(value) = products.get_mut(product) {
        by(value);
    } else {
        by(products.entry(product.into()).or_default());
    }
}
