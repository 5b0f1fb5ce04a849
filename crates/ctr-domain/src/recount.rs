//! Recounting whole windows, from the log alone.
//!
//! The task decides by what the log says *before* a record, so it excludes records that are too late. A recount reads
//! the whole log: every valid record of a window counts, however late. Headers affect neither: anyone may write them
//! (`docs/adr/0015`). What a task has counted for a window in one partition is a prefix of what is counted here, so no
//! count of a recount is smaller than the task's, and its row replaces the task's (`docs/adr/0008`).

use std::collections::BTreeMap;

use crate::checkpoint::RecordMark;
use crate::counts::CtrResult;
use crate::event::Event;
use crate::rejection::Rejection;
use crate::rules::Rules;
use crate::side::{BySide, Side};
use crate::task::open_window::{FiringRoom, OpenWindow};
use crate::watermark::Watermark;
use crate::window::{Window, WindowSize};

/// Consecutive whole windows: at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowRange {
    start: i64,
    end: i64,
    size: WindowSize,
}

impl WindowRange {
    /// The windows that overlap `[from, to)`, epoch ms; `None` if that is empty.
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

/// The counts of a range of windows in one pair of partitions.
#[derive(Debug)]
pub struct Recount {
    rules: Rules,
    range: WindowRange,
    source_partition: u32,
    /// The largest event time so far in each log, as for a watermark.
    max_event_time: BySide<Option<i64>>,
    windows: BTreeMap<i64, OpenWindow>,
}

impl Recount {
    /// A count of the pair `source_partition` that has read nothing yet. It needs the records of both partitions, each
    /// in log order, from the first whose Kafka timestamp is not before [`Recount::read_from`].
    #[must_use]
    pub fn new(rules: Rules, range: WindowRange, source_partition: u32) -> Self {
        Self { rules, range, source_partition, max_event_time: BySide::default(), windows: BTreeMap::new() }
    }

    /// The Kafka timestamp (epoch ms) from which on records may belong to the range: an event is never further ahead of
    /// its record's timestamp than the future guard allows, but may be behind it by any amount.
    #[must_use]
    pub const fn read_from(rules: &Rules, range: &WindowRange) -> i64 {
        range.start.saturating_sub(rules.max_future_skew_ms)
    }

    /// Takes the next record of one side: a valid event, or its rejection.
    pub fn on_record(&mut self, side: Side, record: RecordMark, event: Result<Event<'_>, Rejection>) {
        let Ok(event) = event else { return };
        if self.rules.accept_time(event.timestamp, record.timestamp).is_err() {
            return;
        }
        let max_event_time = &mut self.max_event_time[side];
        *max_event_time = (*max_event_time).max(Some(Rules::progress(event.timestamp, record.timestamp)));
        if self.range.contains(event.timestamp) {
            let window = self.rules.window_of(event.timestamp);
            let open = self.windows.entry(window.start).or_insert_with(|| OpenWindow::new(window));
            open.count(side, &event, self.rules.deduplication);
        }
    }

    /// The smaller watermark of both logs: an event for a window that it has passed is too late for the task.
    #[must_use]
    pub fn watermark(&self) -> Watermark {
        let [impressions, clicks] = self.max_event_time.0.map(|max_event_time| self.rules.watermark(max_event_time));
        impressions.min(clicks)
    }

    /// Hands out the rows of all windows selected by `wanted`, oldest first. Can be called once.
    pub fn rows(&mut self, mut wanted: impl FnMut(Window) -> bool, mut row: impl FnMut(CtrResult<'_>)) {
        let source_partition = self.source_partition;
        let mut room = FiringRoom::UNBOUNDED;
        for open in self.windows.values_mut() {
            let window = open.window;
            if wanted(window) {
                open.show(&mut room, |product_id, counts| {
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

        /// Appends an event of the impressions topic; `None` is an invalid one.
        fn append(&mut self, at: Option<i64>) {
            let record = RecordMark { offset: self.1, timestamp: Some(T + 3_600_000) };
            let event = at.map(|timestamp| Event {
                kind: EventKind::Impression,
                product_id: "p".into(),
                timestamp,
                event_id: Some("one".into()),
            });
            let event = event.ok_or_else(|| Rejection::new(RejectionCode::InvalidJson, String::new()));
            self.0.on_record(Side::Impressions, record, event);
            self.1 += 1;
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
            log.append(Some(at));
        }
        assert_eq!(log.impressions(), 3);
    }

    #[test]
    fn what_breaks_a_rule_or_is_older_than_all_does_not_count() {
        let mut log = Log::new(Deduplication::Off);
        log.append(None);
        log.append(Some(T));
        log.0.rules.min_event_time = T + 1;
        log.append(Some(T));
        assert_eq!(log.impressions(), 1);
    }

    #[test]
    fn event_ids_count_once_where_that_is_asked_for() {
        let mut log = Log::new(Deduplication::EventId);
        log.append(Some(T));
        log.append(Some(T));
        assert_eq!(log.impressions(), 1);
    }

    #[test]
    fn the_watermark_is_that_of_the_log_that_is_behind() {
        let mut log = Log::new(Deduplication::Off);
        log.append(Some(T + 16_999));
        assert_eq!(log.0.watermark(), Watermark::NONE, "of the clicks nothing was read");
        let click = Event { kind: EventKind::Click, product_id: "p".into(), timestamp: T, event_id: None };
        log.0.on_record(Side::Clicks, RecordMark { offset: 0, timestamp: Some(T) }, Ok(click));
        assert_eq!(log.0.watermark(), Watermark(T - 2_001));
    }

    #[test]
    fn events_of_a_clock_that_runs_ahead_are_read_too() {
        assert_eq!(Recount::read_from(&Rules::default(), &range()), T - 300_000);
    }
}
