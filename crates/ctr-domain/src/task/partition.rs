//! One partition of a task: how far it was read, and how far its event time has advanced.

use super::open_window::FirstRecord;
use crate::checkpoint::{PartitionCheckpoint, RecordMark};
use crate::ledger::Ledger;
use crate::recovery::PartitionStart;
use crate::window::WindowSize;

/// The state of one partition of a task.
#[derive(Debug)]
pub(super) struct Partition {
    // Determined by the log.
    /// The next offset to read.
    pub(super) next: i64,
    /// The largest event time so far, as [`crate::rules::Rules::progress`] moves it.
    pub(super) maximum: Option<i64>,
    /// The end of the newest window that any record belongs to.
    pub(super) newest: Option<i64>,
    /// The last record read.
    last: Option<RecordMark>,
    /// The ledger of this run.
    pub(super) ledger: Ledger,

    // From the commit.
    /// Records below this offset were accounted for by an earlier run.
    pub(super) silent_until: i64,
    /// Records below this offset belong to no window held, and the maximum already includes their event times.
    pub(super) low_offset: i64,
    /// The record that must be present if the log is the same.
    pub(super) anchor: Option<RecordMark>,
    /// Records up to and including this offset are checked for the two above.
    pub(super) check_until: i64,

    // Current knowledge.
    /// Whether all visible records have been read.
    has_seen_all: bool,
    /// Where the log was last seen to end, including records held back by open transactions.
    log_end: i64,
    /// When records last arrived; initially, when the partition was assigned.
    pub(super) last_arrival: i64,
    /// The broker has confirmed, after the twin had passed them, that no record for windows up to this end is
    /// unread.
    pub(super) proved_end: Option<i64>,
}

impl Partition {
    pub(super) fn restore(start: PartitionStart, now: i64) -> Self {
        Self {
            next: start.offset,
            maximum: start.maximum,
            newest: start.newest,
            last: start.anchor,
            ledger: Ledger::default(),
            silent_until: start.position,
            low_offset: start.low_offset,
            anchor: start.anchor,
            check_until: start.anchor.map_or(start.low_offset - 1, |anchor| anchor.offset.max(start.low_offset - 1)),
            has_seen_all: false,
            log_end: i64::MIN,
            last_arrival: now,
            proved_end: None,
        }
    }

    pub(super) fn step(&mut self, record: RecordMark) {
        self.next = record.offset + 1;
        self.last = Some(record);
        self.has_seen_all = false;
        self.ledger.consumed += 1;
    }

    pub(super) fn is_replayed(&self) -> bool {
        self.next >= self.silent_until || self.has_seen_all
    }

    /// Everything before `offset` has been read, and nothing after it is visible.
    pub(super) fn see_all(&mut self, offset: i64) {
        self.next = offset;
        self.has_seen_all = true;
    }

    /// The log ends at `offset`, including records that are not visible yet.
    pub(super) fn note_log_end(&mut self, offset: i64) {
        self.log_end = offset;
    }

    /// Whether all existing records have been read. The end of a log is its high watermark: a partition with records
    /// held back by an open transaction is not at its end, although nothing more can be read.
    pub(super) fn is_at_end(&self) -> bool {
        self.has_seen_all && self.log_end <= self.next
    }

    /// The commit: the low offset of the windows held with the maximum before it, or the position if none is held.
    pub(super) fn checkpoint(
        &self,
        held: Option<FirstRecord>,
        closed: Option<i64>,
        window_size: WindowSize,
    ) -> PartitionCheckpoint {
        let position = self.next.max(self.silent_until);
        let (low_offset, maximum, anchor) = match held {
            Some(first) => (first.record.offset, first.maximum_before, Some(first.record)),
            None => (self.next, self.maximum, self.last),
        };
        PartitionCheckpoint {
            low_offset,
            maximum,
            maximum_at_position: self.maximum,
            position,
            closed,
            newest: self.newest,
            anchor,
            window_size,
        }
    }
}
