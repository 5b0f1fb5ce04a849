//! The expected results of a log: the counts of every product and window, and the dead letters.
//!
//! The rules are applied to each Kafka partition separately: a record that violates a rule is a dead letter and has no
//! other effect; a record whose window its own partition's watermark has passed permanently is a dead letter `TOO_LATE`;
//! all others count. Window and watermark arithmetic is the pipeline's; the bookkeeping is separate, so that it can
//! verify the pipeline's.
//!
//! This is valid under two assumptions. This producer is the only writer of its topics, from their first record on:
//! [`Truth::foreign`] counts the offsets that it did not write. And the other partition of a pair is never silent for so
//! long that the pipeline closes a window early (`idle-hold-ms`): such dead letters do not follow from one log alone.
//! Kafka timestamps are not assumed: the brokers return them with each acknowledgement.

mod report;

use std::collections::{BTreeMap, HashMap, HashSet};

use ctr_domain::counts::Counts;
use ctr_domain::dead_letter::TOO_LATE;
use ctr_domain::rejection::RejectionCode;
use ctr_domain::rules::{Deduplication, Rules};

use crate::record::{EventFact, Fact, Stream};

/// The position of a record in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    /// Identifies the topic.
    pub(crate) stream: Stream,
    /// The Kafka partition.
    pub(crate) partition: i32,
    /// Its offset there.
    pub(crate) offset: i64,
    /// The record's Kafka timestamp, epoch ms; none if the broker returned none.
    pub(crate) timestamp: Option<i64>,
}

/// Why the truth about a log cannot be determined.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TruthError {
    /// An acknowledgement arrived after that of a later record.
    #[error(
        "{stream:?} partition {partition}: offset {offset} was acknowledged after offset {last}, so the order \
         of the log is not known"
    )]
    OffsetWentBack {
        /// Identifies the topic.
        stream: Stream,
        /// The Kafka partition.
        partition: i32,
        /// The acknowledged offset.
        offset: i64,
        /// The previously acknowledged one.
        last: i64,
    },
    /// A record is in the log, but its offset is unknown (it was sent twice, and the first response was lost).
    #[error("{stream:?} partition {partition}: a record was acknowledged without its offset; run it again")]
    UnknownOffset {
        /// Identifies the topic.
        stream: Stream,
        /// The Kafka partition.
        partition: i32,
    },
}

/// A record that must not be counted, by position and code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct DeadLetter {
    stream: Stream,
    partition: i32,
    offset: i64,
    code: &'static str,
}

/// The state of one partition.
#[derive(Debug, Default)]
struct Partition {
    next_offset: i64,
    /// The largest event time, as far as the records' Kafka timestamps allow it to advance.
    maximum: Option<i64>,
    /// By window end: the counted event IDs. A window that has been passed accepts no more events, and is dropped.
    counted_ids: BTreeMap<i64, HashSet<u64>>,
}

/// The outcomes of all records.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Totals {
    sent: u64,
    counted: Counts,
    duplicates: u64,
    too_late: u64,
    rejected: [u64; RejectionCode::ALL.len()],
}

/// The truth about the records seen so far.
#[derive(Debug)]
pub(crate) struct Truth {
    rules: Rules,
    partitions: HashMap<(Stream, i32), Partition>,
    /// By product number and window start.
    windows: HashMap<(u32, i64), Counts>,
    dead_letters: Vec<DeadLetter>,
    totals: Totals,
    foreign: u64,
}

impl Truth {
    /// The truth about empty topics. Rules that only affect when a row is visible are not used.
    pub(crate) fn new(rules: Rules) -> Self {
        Self {
            rules,
            partitions: HashMap::new(),
            windows: HashMap::new(),
            dead_letters: Vec::new(),
            totals: Totals::default(),
            foreign: 0,
        }
    }

    /// Offsets before and between the records seen: records of other writers (or of an earlier run). They may have
    /// moved the watermark, so if there are any the truth may be wrong.
    pub(crate) fn foreign(&self) -> u64 {
        self.foreign
    }

    /// Takes the next record of a partition.
    ///
    /// # Errors
    ///
    /// If the order of the log is unknown: then the truth is unknown, too.
    pub(crate) fn record(&mut self, position: Position, fact: Fact) -> Result<(), TruthError> {
        let Position { stream, partition, offset, .. } = position;
        if offset < 0 {
            return Err(TruthError::UnknownOffset { stream, partition });
        }
        let log = self.partitions.entry((stream, partition)).or_default();
        if offset < log.next_offset {
            return Err(TruthError::OffsetWentBack { stream, partition, offset, last: log.next_offset - 1 });
        }
        self.foreign += offset.abs_diff(log.next_offset);
        log.next_offset = offset + 1;
        self.totals.sent += 1;
        match fact {
            Fact::Invalid(code) => self.reject(position, code),
            Fact::Event(event) if self.rules.is_future(event.timestamp, position.timestamp) => {
                self.reject(position, RejectionCode::FutureTimestamp);
            }
            Fact::Event(event) => self.event(position, event),
        }
        Ok(())
    }

    fn reject(&mut self, position: Position, code: RejectionCode) {
        self.totals.rejected[code.index()] += 1;
        self.bury(position, code.as_str());
    }

    fn bury(&mut self, position: Position, code: &'static str) {
        let Position { stream, partition, offset, .. } = position;
        self.dead_letters.push(DeadLetter { stream, partition, offset, code });
    }

    /// A valid event: it is judged by the records before it, and moves the watermark only for those after it.
    fn event(&mut self, position: Position, event: EventFact) {
        let rules = self.rules;
        let log = self.partitions.entry((position.stream, position.partition)).or_default();
        let window = rules.window_of(event.timestamp);
        let too_late = rules.has_passed(window.end, rules.watermark(log.maximum));
        let id = event.event_id.filter(|_| rules.deduplication == Deduplication::EventId);
        let repeated = !too_late && id.is_some_and(|id| !log.counted_ids.entry(window.end).or_default().insert(id));
        log.advance(&rules, Rules::progress(event.timestamp, position.timestamp));
        if too_late {
            self.totals.too_late += 1;
            self.bury(position, TOO_LATE);
        } else if repeated {
            self.totals.duplicates += 1;
        } else {
            self.totals.counted.add(event.kind);
            self.windows.entry((event.product, window.start)).or_default().add(event.kind);
        }
    }
}

impl Partition {
    fn advance(&mut self, rules: &Rules, progress: i64) {
        if self.maximum.is_some_and(|maximum| progress <= maximum) {
            return;
        }
        self.maximum = Some(progress);
        let watermark = rules.watermark(self.maximum);
        while let Some(oldest) = self.counted_ids.first_entry()
            && rules.has_passed(*oldest.key(), watermark)
        {
            oldest.remove();
        }
    }
}

#[cfg(test)]
mod tests;
