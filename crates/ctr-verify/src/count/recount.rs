//! What a recount (`ctr-pipeline recount`) must have found in a window of one partition: every valid record below an offset,
//! whatever its lateness, a record that was sent once more (redriven) counting once, and not at all where its origin counts.

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;

use super::event::Event;
use super::{Code, Counts, Record, Rules, change};

/// A redriven record's origin, in the same log: header `ctr-redriven`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Redriven {
    pub(crate) offset: i64,
    pub(crate) code: Code,
}

impl Redriven {
    /// Reads `<topic>/<partition>/<offset>/<code>`; topics hold no slash.
    pub(crate) fn parse(header: &[u8]) -> Option<Self> {
        let mut parts = std::str::from_utf8(header).ok()?.rsplit('/');
        let code = Code::of_letter(parts.next()?, false)?;
        Some(Self { code, offset: parts.next()?.parse().ok()? })
    }
}

/// One window of one partition that was recounted.
#[derive(Debug, Default)]
pub(crate) struct Recount {
    /// The recount has read the records below this offset.
    pub(crate) end: i64,
    pub(crate) products: HashMap<Box<str>, Counts, RandomState>,
    ids: HashSet<Box<str>, RandomState>,
    origins: HashSet<i64, RandomState>,
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
        if let Some(origin) = record.redriven
            && (origin.code.is_late() || !self.origins.insert(origin.offset))
        {
            // The origin is a valid record, which counts itself; or another copy of it has been counted.
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

#[cfg(test)]
mod tests {
    use super::super::event;
    use super::*;

    const CLICK: &[u8] = br#"{"event_type":"click","product_id":"p","timestamp":1700000000000}"#;

    #[test]
    fn a_copy_counts_once_and_never_beside_its_origin() {
        let event = event::read(Some(CLICK)).unwrap();
        let mut recount = Recount::up_to(10);
        for (offset, redriven) in [
            (0, None),
            (1, Some("clicks/0/7/TOO_LATE")),
            (2, Some("clicks/0/8/INVALID_JSON")),
            (3, Some("clicks/0/8/INVALID_JSON")),
            (4, Some("clicks/0/9/INVALID_JSON")),
            (10, None),
        ] {
            let redriven = redriven.and_then(|header: &str| Redriven::parse(header.as_bytes()));
            let record = Record { offset, timestamp: None, value: Some(CLICK), redriven };
            recount.take(&Rules::default(), &record, &event);
        }
        assert_eq!(recount.products["p"], Counts { impressions: 0, clicks: 3 });
    }
}
