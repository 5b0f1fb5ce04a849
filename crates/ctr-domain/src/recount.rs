//! Counting whole windows again, from the log alone.
//!
//! The task decides by what the log says *before* a record, so it leaves out what came too late. A recount looks back at
//! the whole log: every valid record of a window counts, whatever its lateness, and of the records that were put back from
//! the dead letters each origin counts once. What a task has counted of a window in one partition is the beginning of what is
//! counted here, so no count of a recount is smaller than the task's, and its row replaces the task's (`docs/adr/0008`).

use std::collections::{BTreeMap, HashSet};

use crate::checkpoint::RecordMark;
use crate::counts::CtrResult;
use crate::dead_letter::TOO_LATE;
use crate::event::Event;
use crate::redriven::DeadLetterId;
use crate::rejection::Rejection;
use crate::rules::Rules;
use crate::task::open_window::OpenWindow;
use crate::task::{BySide, Side};
use crate::watermark::Watermark;
use crate::window::{Window, WindowSize};

/// Whole windows without a gap between them: at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowRange {
    start: i64,
    end: i64,
    size: WindowSize,
}

impl WindowRange {
    /// The windows that hold any moment of `[from, to)`, epoch ms; `None` where that is empty.
    #[must_use]
    pub const fn covering(from: i64, to: i64, size: WindowSize) -> Option<Self> {
        if from >= to {
            return None;
        }
        Some(Self { start: size.window_of(from).start, end: size.window_of(to - 1).end, size })
    }

    /// The first millisecond of the first window.
    #[must_use]
    pub const fn start(&self) -> i64 {
        self.start
    }

    /// The first millisecond after the last window.
    #[must_use]
    pub const fn end(&self) -> i64 {
        self.end
    }

    /// The windows, oldest first.
    pub fn windows(&self) -> impl Iterator<Item = Window> + use<> {
        let Self { start, end, size } = *self;
        (0..).map(move |number| size.window_of(start + number * size.ms())).take_while(move |window| window.end <= end)
    }

    const fn contains(&self, timestamp: i64) -> bool {
        self.start <= timestamp && timestamp < self.end
    }
}

/// What was read of one partition.
#[derive(Debug, Default)]
struct Reading {
    /// The first offset looked at.
    first: Option<i64>,
    /// The largest event time so far, as for a watermark.
    maximum: Option<i64>,
    /// Offsets of the records that break a rule, ascending.
    rejected: Vec<i64>,
    /// Origins of which a copy has counted.
    copied: HashSet<i64>,
}

impl Reading {
    /// Whether the record at an earlier offset counts by itself. Below what was read only its code can tell: too late means
    /// that it was valid.
    fn is_valid(&self, origin: &DeadLetterId) -> bool {
        if self.first.is_some_and(|first| origin.offset >= first) {
            return self.rejected.binary_search(&origin.offset).is_err();
        }
        origin.code == TOO_LATE
    }
}

/// The counts of a range of windows in one pair of partitions.
#[derive(Debug)]
pub struct Recount {
    rules: Rules,
    range: WindowRange,
    source_partition: u32,
    readings: BySide<Reading>,
    windows: BTreeMap<i64, OpenWindow>,
}

impl Recount {
    /// A count of the pair `source_partition` that has read nothing. What it needs: the records of both partitions, each
    /// in the order of its log, from the first whose Kafka timestamp is not before [`Recount::read_from`].
    #[must_use]
    pub fn new(rules: Rules, range: WindowRange, source_partition: u32) -> Self {
        Self { rules, range, source_partition, readings: BySide::default(), windows: BTreeMap::new() }
    }

    /// The Kafka timestamp (epoch ms) from which on records may belong to the range: an event is never further ahead of its
    /// record's timestamp than the future guard allows, but may be behind it by any time.
    #[must_use]
    pub const fn read_from(rules: &Rules, range: &WindowRange) -> i64 {
        range.start.saturating_sub(rules.max_future_skew_ms)
    }

    /// Takes the next record of one side. `origin` is what its header says, if it is a redriven one.
    pub fn on_record(
        &mut self,
        side: Side,
        record: RecordMark,
        event: Result<Event<'_>, Rejection>,
        origin: Option<&DeadLetterId>,
    ) {
        let reading = &mut self.readings[side];
        reading.first.get_or_insert(record.offset);
        let event = match event {
            Ok(event) if !self.rules.is_future(event.timestamp, record.timestamp) => event,
            _ => return reading.rejected.push(record.offset),
        };
        reading.maximum = reading.maximum.max(Some(Rules::progress(event.timestamp, record.timestamp)));
        if origin.is_some_and(|origin| reading.is_valid(origin) || !reading.copied.insert(origin.offset)) {
            return;
        }
        if self.range.contains(event.timestamp) {
            let window = self.rules.window_of(event.timestamp);
            let open = self.windows.entry(window.start).or_insert_with(|| OpenWindow::new(window));
            open.count(side, &event, self.rules.deduplication);
        }
    }

    /// The smaller watermark of both logs: what comes for a window that it has passed is too late for the task.
    #[must_use]
    pub fn watermark(&self) -> Watermark {
        let [impressions, clicks] = self.readings.0.each_ref().map(|reading| self.rules.watermark(reading.maximum));
        impressions.min(clicks)
    }

    /// Hands out the rows of all windows that `wanted` names, oldest first. Once.
    pub fn rows(&mut self, mut wanted: impl FnMut(Window) -> bool, mut row: impl FnMut(CtrResult<'_>)) {
        let source_partition = self.source_partition;
        for open in self.windows.values_mut() {
            let window = open.window;
            if wanted(window) {
                open.show(usize::MAX, |product_id, counts| {
                    row(CtrResult { product_id, window, source_partition, counts });
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::EventKind;
    use crate::rejection::RejectionCode;
    use crate::rules::Deduplication;

    const T: i64 = 1_700_000_000_000;

    fn range() -> WindowRange {
        WindowRange::covering(T, T + 10_000, Rules::default().window_size).unwrap()
    }

    struct Log(Recount, i64);

    impl Log {
        fn new(deduplication: Deduplication) -> Self {
            Self(Recount::new(Rules { deduplication, ..Rules::default() }, range(), 3), 100)
        }

        /// Appends an event of the impressions topic; `None` is one that breaks a rule. Returns its offset.
        fn append(&mut self, at: Option<i64>, origin: Option<(i64, &str)>) -> i64 {
            let record = RecordMark { offset: self.1, timestamp: Some(T + 3_600_000) };
            let event = at.map(|timestamp| Event {
                kind: EventKind::Impression,
                product_id: "p".into(),
                timestamp,
                event_id: Some("one".into()),
            });
            let event = event.ok_or_else(|| Rejection::new(RejectionCode::InvalidJson, String::new()));
            let origin = origin.map(|(offset, code)| DeadLetterId {
                topic: "impressions".to_owned(),
                partition: 3,
                offset,
                code: code.to_owned(),
            });
            self.0.on_record(Side::Impressions, record, event, origin.as_ref());
            self.1 += 1;
            record.offset
        }

        fn impressions(mut self) -> u64 {
            let mut sum = 0;
            self.0.rows(|_| true, |row| sum += row.counts.impressions);
            sum
        }
    }

    #[test]
    fn a_range_is_made_of_whole_windows() {
        let size = Rules::default().window_size;
        let range = WindowRange::covering(9_999, 20_001, size).unwrap();
        assert_eq!((range.start(), range.end()), (0, 30_000));
        assert_eq!(range.windows().map(|window| window.start).collect::<Vec<_>>(), [0, 10_000, 20_000]);
        assert_eq!(WindowRange::covering(10_000, 20_000, size).unwrap().windows().count(), 1);
        assert!(WindowRange::covering(10_000, 10_000, size).is_none());
    }

    #[test]
    fn lateness_does_not_matter_and_other_windows_do_not_count() {
        let mut log = Log::new(Deduplication::Off);
        for at in [T, T + 9_999, T + 600_000, T + 1, T - 1, T + 10_000] {
            log.append(Some(at), None);
        }
        assert_eq!(log.impressions(), 3);
    }

    #[test]
    fn a_mended_copy_counts_once_for_its_origin() {
        let mut log = Log::new(Deduplication::Off);
        let broken = log.append(None, None);
        let other = log.append(None, None);
        log.append(None, Some((broken, "INVALID_JSON")));
        log.append(Some(T), Some((broken, "INVALID_JSON")));
        log.append(Some(T), Some((broken, "INVALID_JSON")));
        log.append(Some(T), Some((other, "INVALID_JSON")));
        assert_eq!(log.impressions(), 2);
    }

    #[test]
    fn a_copy_of_a_record_that_counts_itself_does_not_count() {
        let mut log = Log::new(Deduplication::Off);
        let late = log.append(Some(T), None);
        log.append(Some(T), Some((late, "TOO_LATE")));
        log.append(Some(T), Some((7, "TOO_LATE")));
        assert_eq!(log.impressions(), 1);
    }

    #[test]
    fn a_copy_of_a_broken_record_that_lies_before_what_is_read_counts() {
        let mut log = Log::new(Deduplication::Off);
        log.append(Some(T), Some((7, "INVALID_JSON")));
        assert_eq!(log.impressions(), 1);
    }

    #[test]
    fn event_ids_count_once_where_that_is_asked_for() {
        let mut log = Log::new(Deduplication::EventId);
        let broken = log.append(None, None);
        log.append(Some(T), None);
        log.append(Some(T), None);
        log.append(Some(T), Some((broken, "INVALID_JSON")));
        assert_eq!(log.impressions(), 1);
    }

    #[test]
    fn the_watermark_is_that_of_the_log_that_is_behind() {
        let mut log = Log::new(Deduplication::Off);
        log.append(Some(T + 16_999), None);
        assert_eq!(log.0.watermark(), Watermark::NONE, "of the clicks nothing was read");
        let click = Event { kind: EventKind::Click, product_id: "p".into(), timestamp: T, event_id: None };
        log.0.on_record(Side::Clicks, RecordMark { offset: 0, timestamp: Some(T) }, Ok(click), None);
        assert_eq!(log.0.watermark(), Watermark(T - 2_001));
    }

    #[test]
    fn events_of_a_clock_that_runs_ahead_are_read_too() {
        assert_eq!(Recount::read_from(&Rules::default(), &range()), T - 300_000);
    }
}
