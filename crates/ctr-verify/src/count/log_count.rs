//! The result of one partition's log: which records count, which are dead letters, and the maximum.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;

use foldhash::fast::RandomState;

use super::event::{self, Event};
use super::{Code, Counts, Record, Recount, Rules, change};
use crate::letters::{Letter, OffsetRuns, PartitionLetters};

/// The outcome of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It counts, and its window had not fired according to its own partition's watermark.
    Counted,
    /// It counts, and changes a window that its own partition's watermark had reached.
    CountedLate,
    /// Its event ID has been counted in this window.
    Duplicate,
    /// It is a dead letter.
    Letter(Code),
    /// It belongs to a window that is not compared.
    Apart,
}

/// A product's counts in one window of one partition.
#[derive(Debug, Default)]
pub(crate) struct Product {
    /// The result of the rules.
    pub(crate) counts: Counts,
    /// Records that have a dead letter `closedEarly`: in the dead letters, and possibly in the table too.
    pub(crate) closed_early: Counts,
    /// The number of the comparison that has found a row of this product.
    pub(crate) met_by: u32,
}

/// The products of one window.
pub(crate) type Products = HashMap<Box<str>, Product, RandomState>;

/// What is known about one partition in advance.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// The existing dead letters `closedEarly`, by offset.
    pub(crate) closed_early: HashSet<i64, RandomState>,
    /// By window start.
    pub(crate) recounts: HashMap<i64, Recount, RandomState>,
    /// Dead letters of records with an older Kafka timestamp may be gone from their topic.
    pub(crate) letters_kept_since: Option<i64>,
}

/// The count of one partition, record by record in log order.
#[derive(Debug)]
pub(crate) struct LogCount {
    rules: Rules,
    known: Known,
    /// The compared windows, by start.
    compared: Range<i64>,
    maximum: Option<i64>,
    ids: BTreeMap<i64, HashSet<Box<str>, RandomState>>,
    /// By window start.
    pub(crate) windows: BTreeMap<i64, Products>,
    /// The expected dead letters.
    pub(crate) letters: PartitionLetters,
    /// Valid events of windows that are not compared.
    pub(crate) apart: OffsetRuns,
    pub(crate) records: u64,
}

impl LogCount {
    /// Starts at the first record of a log.
    pub(crate) fn begin(rules: Rules, compared: Range<i64>, known: Known) -> Self {
        Self {
            rules,
            known,
            compared,
            maximum: None,
            ids: BTreeMap::new(),
            windows: BTreeMap::new(),
            letters: PartitionLetters::default(),
            apart: OffsetRuns::default(),
            records: 0,
        }
    }

    /// The log begins with a record of this Kafka time, and earlier ones are gone: windows that they may have been part
    /// of are not compared.
    pub(crate) fn is_cut_before(&mut self, kafka_time: Option<i64>) {
        let whole = kafka_time.map_or(i64::MAX, |time| self.rules.first_window_after(time));
        self.compared.start = self.compared.start.max(whole);
    }

    /// The compared windows, by start.
    pub(crate) fn compared(&self) -> &Range<i64> {
        &self.compared
    }

    /// Takes the next record of the log.
    pub(crate) fn take(&mut self, record: &Record<'_>) -> Verdict {
        self.records += 1;
        let verdict = match self.read(record) {
            Ok(event) => self.judge(record, &event),
            Err(code) => Verdict::Letter(code),
        };
        match verdict {
            Verdict::Letter(code) => self.expect_letter(record, code),
            Verdict::Apart => self.apart.push(record.offset),
            Verdict::Counted | Verdict::CountedLate | Verdict::Duplicate => {}
        }
        verdict
    }

    /// The largest event time so far (epoch ms), as far as records' Kafka timestamps allow.
    pub(crate) fn maximum(&self) -> Option<i64> {
        self.maximum
    }

    /// Whether an event for this window would be too late now.
    pub(crate) fn has_closed(&self, window_start: i64) -> bool {
        self.maximum >= Some(self.rules.closes_at(window_start))
    }

    /// The result of a window's recount, if there was one.
    pub(crate) fn recount(&self, window_start: i64) -> Option<&Recount> {
        self.known.recounts.get(&window_start)
    }

    fn read<'r>(&self, record: &Record<'r>) -> Result<Event<'r>, Code> {
        let event = event::read(record.value)?;
        if event.time < self.rules.first_time {
            return Err(Code::InvalidTimestamp);
        }
        match record.timestamp {
            Some(now) if event.time > now.saturating_add(self.rules.future_skew) => Err(Code::FutureTimestamp),
            _ => Ok(event),
        }
    }

    fn judge(&mut self, record: &Record<'_>, event: &Event<'_>) -> Verdict {
        let start = self.rules.window_start(event.time);
        let before = self.maximum;
        self.maximum = before.max(Some(record.timestamp.map_or(event.time, |limit| limit.min(event.time))));
        if !self.compared.contains(&start) {
            return Verdict::Apart;
        }
        if let Some(recount) = self.known.recounts.get_mut(&start) {
            recount.take(&self.rules, record, event);
            // Rows are compared product by product: the product must be known here, even if it has no other count.
            self.change(start, &event.product, |_| {});
        }
        if before >= Some(self.rules.closes_at(start)) {
            return Verdict::Letter(Code::TooLate);
        }
        if self.known.closed_early.contains(&record.offset) {
            self.change(start, &event.product, |product| product.closed_early.add(event.kind));
            return Verdict::Letter(Code::ClosedEarly);
        }
        if self.repeats(start, event) {
            return Verdict::Duplicate;
        }
        self.change(start, &event.product, |product| product.counts.add(event.kind));
        if before >= Some(self.rules.fires_at(start)) { Verdict::CountedLate } else { Verdict::Counted }
    }

    fn change(&mut self, start: i64, product: &str, by: impl FnOnce(&mut Product)) {
        change(self.windows.entry(start).or_default(), product, by);
    }

    /// Whether an event ID has counted in the window. IDs are kept until their window closes.
    fn repeats(&mut self, start: i64, event: &Event<'_>) -> bool {
        let Some(id) = event.id.as_deref().filter(|_| self.rules.ids_count_once) else { return false };
        while let Some(oldest) = self.ids.first_key_value().map(|(start, _)| *start)
            && self.has_closed(oldest)
            && oldest != start
        {
            self.ids.pop_first();
        }
        !self.ids.entry(start).or_default().insert(id.into())
    }

    fn expect_letter(&mut self, record: &Record<'_>, code: Code) {
        let may_be_gone = record.timestamp < self.known.letters_kept_since;
        self.letters.push(Letter { offset: record.offset, code, may_be_gone });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLICK: &[u8] = br#"{"event_type":"click","product_id":"p","timestamp":1700000000000}"#;

    #[test]
    fn a_recount_takes_what_came_too_late_and_no_record_twice() {
        let window = 1_700_000_000_000;
        let known = Known { recounts: [(window, Recount::up_to(4))].into_iter().collect(), ..Known::default() };
        let mut log = LogCount::begin(Rules::default(), i64::MIN..i64::MAX, known);
        let later = br#"{"event_type":"click","product_id":"p","timestamp":1700000060000}"#;
        for (offset, value) in [(0, CLICK), (1, b"{".as_slice()), (2, later), (3, CLICK), (9, CLICK)] {
            log.take(&Record { offset, timestamp: None, value: Some(value) });
        }
        let counts = log.recount(window).unwrap().products["p"];
        assert_eq!(counts, Counts { impressions: 0, clicks: 2 });
        assert_eq!(log.windows[&window]["p"].counts.clicks, 1);
        assert_eq!(log.letters.len(), 3);
    }

    #[test]
    fn what_is_older_than_all_moves_nothing() {
        let rules = Rules { first_time: 1_700_000_000_001, ..Rules::default() };
        let mut log = LogCount::begin(rules, i64::MIN..i64::MAX, Known::default());
        let verdict = log.take(&Record { offset: 0, timestamp: None, value: Some(CLICK) });
        assert_eq!((verdict, log.maximum()), (Verdict::Letter(Code::InvalidTimestamp), None));
    }
}
