//! Compares the log's counts with ClickHouse and the dead letter topic.

use std::collections::BTreeMap;
use std::ops::Range;

use super::difference::{Difference, DifferenceKind, Differences, counts, row_place};
use super::letter_topic::LetterTopic;
use super::tables::{Row, WindowSum};
use super::topic_count::TopicCount;
use crate::count::{Counts, LogCount, Rules};
use crate::letters::{Mismatch, PartitionLetters};
use crate::time;

/// The expected counts of a product in a window of a pair of partitions.
#[derive(Debug, Clone, Copy, Default)]
struct Expected {
    stream: Counts,
    closed_early: Counts,
    recount: Option<Counts>,
}

impl Expected {
    /// The larger of a recount's row and the job's own is kept. Records closed early are in dead letters, and may also
    /// be in the table: the job may have counted them before a crash.
    fn allows(&self, found: Counts) -> bool {
        let recount = self.recount.unwrap_or_default();
        let least = if recount.version() > self.stream.version() { recount } else { self.stream };
        let most = (self.stream + self.closed_early).max(recount);
        least.is_within(found) && found.is_within(most)
    }

    fn show(&self) -> String {
        let mut text = counts(self.recount.map_or(self.stream, |recount| recount.max(self.stream)));
        if self.closed_early != Counts::default() {
            text.push_str(&format!(" (and up to {} closed early)", counts(self.closed_early)));
        }
        text
    }
}

/// The result of one comparison.
#[derive(Debug)]
pub(super) struct Comparison {
    pub(super) differences: Differences,
    /// Rows compared.
    pub(super) rows: u64,
    /// (window start, partition) pairs that match an effective recount.
    pub(super) recounted: u64,
    /// Rows of windows that are not completely in the log.
    pub(super) rows_apart: u64,
    /// Rows, in the log or in the table, of windows so old that the table may have dropped them.
    pub(super) beyond_retention: u64,
    /// Windows that end here (epoch ms) or before are that old.
    dropped_up_to: Option<i64>,
    /// Rows that differ in windows whose log is growing: they are not final, and not judged.
    pub(super) rows_moving: u64,
    /// Missing dead letters of records that are only seconds old.
    pub(super) letters_under_way: u64,
    /// Matching dead letters, and those that were not checked.
    pub(super) letters: u64,
    pub(super) letters_apart: u64,
    pub(super) closed_early: u64,
    sums: BTreeMap<i64, Counts>,
    number: u32,
}

/// The two counted topics, and what may be in flight.
pub(super) struct Logs<'a> {
    pub(super) topics: [&'a mut TopicCount; 2],
    pub(super) names: [&'a str; 2],
    /// For each partition that is moving: the first offset of a record whose dead letter may be in flight.
    pub(super) in_flight: [Vec<Option<i64>>; 2],
    pub(super) rules: Rules,
}

impl Logs<'_> {
    /// The partition's two logs.
    fn pair(&self, partition: usize) -> impl Iterator<Item = (usize, &LogCount)> {
        self.topics.iter().enumerate().filter_map(move |(side, topic)| Some((side, topic.logs.get(partition)?)))
    }

    /// Whether a window of a partition is compared.
    fn compares(&self, partition: usize, start: i64) -> bool {
        self.pair(partition).all(|(_, log)| log.compared().contains(&start))
    }

    /// Whether records for a window may still count: not in a log that has closed it.
    fn is_open(&self, partition: usize, start: i64) -> bool {
        self.pair(partition).any(|(_, log)| !log.has_closed(start))
    }

    /// Whether such records are arriving: then the table may be ahead of what was read of the log, or behind it.
    fn is_moving(&self, partition: usize, start: i64) -> bool {
        self.pair(partition).any(|(side, log)| !log.has_closed(start) && self.in_flight[side][partition].is_some())
    }

    fn expected(&self, partition: usize, start: i64, product: &str) -> Expected {
        let mut expected = Expected::default();
        for (_, log) in self.pair(partition) {
            if let Some(found) = log.windows.get(&start).and_then(|products| products.get(product)) {
                expected.stream = expected.stream + found.counts;
                expected.closed_early = expected.closed_early + found.closed_early;
            }
            if let Some(recount) = log.recount(start) {
                let counts = recount.products.get(product).copied().unwrap_or_default();
                expected.recount = Some(expected.recount.unwrap_or_default() + counts);
            }
        }
        expected
    }

    fn note(&self, partition: usize, start: i64, expected: &Expected) -> Option<&'static str> {
        match (expected.recount, self.is_open(partition, start)) {
            (Some(_), _) => Some("recounted"),
            (None, true) => Some("still open at the end of the log"),
            (None, false) => None,
        }
    }

    /// The products for which a comparison has found no row.
    fn unmet(&self, number: u32) -> impl Iterator<Item = (usize, i64, &str)> {
        let logs = self.topics.iter().enumerate().flat_map(|(side, topic)| {
            topic.logs.iter().enumerate().map(move |(partition, log)| (side, partition, log))
        });
        let keys = logs.flat_map(|(side, partition, log)| {
            log.windows.iter().flat_map(move |(start, products)| {
                products.iter().map(move |(product, found)| (side, partition, *start, &**product, found.met_by))
            })
        });
        keys.filter(move |(side, partition, start, product, met_by)| {
            // What both topics have is reported once.
            *met_by != number && (*side == 0 || !self.topics[0].knows(*partition, *start, product))
        })
        .map(|(_, partition, start, product, _)| (partition, start, product))
    }

    fn mark(&mut self, partition: usize, start: i64, product: &str, number: u32) {
        for topic in &mut self.topics {
            let window = topic.logs.get_mut(partition).and_then(|log| log.windows.get_mut(&start));
            if let Some(found) = window.and_then(|products| products.get_mut(product)) {
                found.met_by = number;
            }
        }
    }
}

impl Comparison {
    /// Starts the comparison with this number, from 1. `dropped_up_to`: the end of the newest window that the table may
    /// have dropped.
    pub(super) fn begin(number: u32, keep: usize, dropped_up_to: Option<i64>) -> Self {
        Self {
            differences: Differences::keeping(keep),
            rows: 0,
            recounted: 0,
            rows_apart: 0,
            beyond_retention: 0,
            dropped_up_to,
            rows_moving: 0,
            letters_under_way: 0,
            letters: 0,
            letters_apart: 0,
            closed_early: 0,
            sums: BTreeMap::new(),
            number,
        }
    }

    /// Takes a row of the table.
    pub(super) fn row(&mut self, logs: &mut Logs<'_>, row: &Row) {
        let (partition, start) = (row.partition, row.window.start);
        let sum = self.sums.entry(start).or_default();
        *sum = *sum + row.counts;
        if !logs.compares(partition, start) {
            self.rows_apart += 1;
            return;
        }
        if self.is_beyond_retention(logs, start) {
            self.beyond_retention += 1;
            logs.mark(partition, start, &row.product, self.number);
            return;
        }
        self.rows += 1;
        let is_window = row.window.end == start + logs.rules.window;
        let expected = if is_window { logs.expected(partition, start, &row.product) } else { Expected::default() };
        if is_window {
            logs.mark(partition, start, &row.product, self.number);
        }
        self.judge(logs, (partition, start, &row.product), &expected, Some(row.counts));
    }

    /// After all rows: counts of the log without a row.
    pub(super) fn missing_rows(&mut self, logs: &Logs<'_>) {
        for (partition, start, product) in logs.unmet(self.number) {
            let expected = logs.expected(partition, start, product);
            if !logs.compares(partition, start) || expected.allows(Counts::default()) {
                continue;
            }
            if self.is_beyond_retention(logs, start) {
                self.beyond_retention += 1;
            } else {
                self.judge(logs, (partition, start, product), &expected, None);
            }
        }
    }

    fn is_beyond_retention(&self, logs: &Logs<'_>, start: i64) -> bool {
        Some(start.saturating_add(logs.rules.window)) <= self.dropped_up_to
    }

    fn judge(&mut self, logs: &Logs<'_>, key: (usize, i64, &str), expected: &Expected, found: Option<Counts>) {
        let (partition, start, product) = key;
        if expected.recount.is_some() {
            self.recounted += 1;
        }
        if found.is_some_and(|found| found != Counts::default() && expected.allows(found)) {
            return;
        }
        if logs.is_moving(partition, start) {
            self.rows_moving += 1;
            return;
        }
        if logs.is_open(partition, start) {
            self.differences.in_open_windows += 1;
        }
        self.differences.push(|| Difference {
            kind: DifferenceKind::Row,
            place: row_place(product, start, partition),
            expected: expected.show(),
            found: found.map_or_else(|| "no row".to_owned(), counts),
            note: logs.note(partition, start, expected),
        });
    }

    /// Compares the view with its underlying rows. For windows that are changing the two were read at different times.
    pub(super) fn view(&mut self, logs: &Logs<'_>, sums: &[WindowSum]) {
        let mut rows = std::mem::take(&mut self.sums);
        for sum in sums {
            let expected = rows.remove(&sum.window_start).unwrap_or_default();
            self.view_window(logs, sum.window_start, expected, (sum.counts, sum.surplus_rows));
        }
        for (start, expected) in rows {
            self.view_window(logs, start, expected, (Counts::default(), 0));
        }
    }

    fn view_window(&mut self, logs: &Logs<'_>, start: i64, expected: Counts, (found, surplus): (Counts, u64)) {
        let is_moving = (0..logs.topics[0].logs.len()).any(|partition| logs.is_moving(partition, start));
        if (found == expected && surplus == 0) || is_moving || self.is_beyond_retention(logs, start) {
            return;
        }
        self.differences.push(|| Difference {
            kind: DifferenceKind::Window,
            place: format!("ctr_windows  {}", time(start)),
            expected: format!("{} in total, as in ctr_results_raw", counts(expected)),
            found: format!("{}, {surplus} surplus rows", counts(found)),
            note: None,
        });
    }

    /// Compares the dead letters of all partitions.
    pub(super) fn letters(&mut self, logs: &Logs<'_>, found: &LetterTopic) {
        for (side, topic) in logs.topics.iter().enumerate() {
            for (partition, log) in topic.logs.iter().enumerate() {
                let Some(progress) = topic.progress(partition) else { continue };
                let none = PartitionLetters::default();
                let found = found.of(side, partition).map_or(&none, |found| &found.letters);
                let place = |offset: i64| format!("{} partition {partition} offset {offset}", logs.names[side]);
                let read = progress.begin..progress.next;
                let under_way = logs.in_flight[side][partition];
                self.letters += found.len() as u64;
                self.closed_early += log.letters.iter().filter(|letter| letter.code.is_closed_early()).count() as u64;
                for mismatch in log.letters.mismatches(found) {
                    self.letter(log, &read, under_way, mismatch, &place);
                }
            }
        }
    }

    fn letter(
        &mut self,
        log: &LogCount,
        read: &Range<i64>,
        under_way: Option<i64>,
        mismatch: Mismatch,
        place: &dyn Fn(i64) -> String,
    ) {
        let none = || "no dead letter".to_owned();
        let (letter, expected, found) = match mismatch {
            Mismatch::Missing(letter) if letter.may_be_gone => return self.letters_apart += 1,
            Mismatch::Missing(letter) if under_way.is_some_and(|from| letter.offset >= from) => {
                return self.letters_under_way += 1;
            }
            Mismatch::Missing(letter) => (letter, letter.code.name().to_owned(), none()),
            Mismatch::Unexpected(letter)
                if !read.contains(&letter.offset) || (letter.code.is_late() && log.apart.contains(letter.offset)) =>
            {
                return self.letters_apart += 1;
            }
            Mismatch::Unexpected(letter) => (letter, none(), letter.code.name().to_owned()),
        };
        let (place, note) = (place(letter.offset), Some(letter.code.meaning()));
        self.differences.push(|| Difference { kind: DifferenceKind::Letter, place, expected, found, note });
    }
}
