//! The expected result of a recount (`ctr-pipeline recount`) of a window of one partition: every valid record below an
//! offset, regardless of its lateness and headers.

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;

use super::event::Event;
use super::{Counts, Record, Rules, change};

/// One window of one partition that was recounted.
#[derive(Debug, Default)]
pub(crate) struct Recount {
    /// The recount has read the records below this offset.
    pub(crate) end: i64,
    pub(crate) products: HashMap<Box<str>, Counts, RandomState>,
    ids: HashSet<Box<str>, RandomState>,
}

impl Recount {
    /// A recount that has read up to an end offset, exclusive.
    pub(crate) fn up_to(end: i64) -> Self {
        Self { end, ..Self::default() }
    }

    /// Takes a valid record of this window, the next of its partition.
    pub(super) fn take(&mut self, rules: &Rules, record: &Record<'_>, event: &Event<'_>) {
        if record.offset >= self.end {
            return;
        }
        if rules.ids_count_once
            && let Some(id) = event.id.as_deref()
            && !self.ids.insert(id.into())
        {
            return;
        }
        change(&mut self.products, &event.product, |counts: &mut Counts| counts.add(event.kind));
    }
}
