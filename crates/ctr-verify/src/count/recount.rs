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
    /// Reads `<topic>/<partition>/<offset>/<code>` of the record at `offset`. Only an earlier record of the same log can be an
    /// origin; a header that says something else says nothing.
    pub(crate) fn parse(header: &[u8], topic: &str, partition: i32, offset: i64) -> Option<Self> {
        let mut parts = std::str::from_utf8(header).ok()?.split('/');
        let is_here = parts.next()? == topic && parts.next()?.parse() == Ok(partition);
        let origin = Self { offset: parts.next()?.parse().ok()?, code: Code::of_letter(parts.next()?, false)? };
        (is_here && parts.next().is_none() && (0..offset).contains(&origin.offset)).then_some(origin)
    }
}

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

    /// Takes a valid record of this window, the next of its partition that is no copy of one that counts.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_earlier_record_of_the_same_log_is_an_origin() {
        let parse = |header: &str| Redriven::parse(header.as_bytes(), "clicks", 3, 10);
        assert_eq!(parse("clicks/3/9/TOO_LATE"), Some(Redriven { offset: 9, code: Code::TooLate }));
        for header in
            ["clicks/3/10/TOO_LATE", "views/3/9/TOO_LATE", "clicks/2/9/TOO_LATE", "clicks/3/9/MOOD", "clicks/3/9"]
        {
            assert_eq!(parse(header), None, "{header}");
        }
    }
}
