//! The task: one pair of partitions, `impressions-p` and `clicks-p`, from records to result rows.
//!
//! A pure state machine. Records go in with [`Task::on_event`]; rows come out of [`Task::fire`]; acknowledgements come back
//! through [`Task::on_rows_acknowledged`]; [`Task::checkpoint`] returns what may be committed. Time is an argument: `now` is
//! milliseconds of any monotonic clock, and affects only when a row is visible, never what it counts.
//!
//! Whether a record counts depends only on its own partition's log before it (with one exception, windows closed early
//! because the other partition is silent, whose records become dead letters). So two tasks over one log get the same counts.

mod firing;
mod hold;
pub(crate) mod open_window;
mod partition;

use crate::checkpoint::{Checkpoint, RecordMark};
use crate::dead_letter::{DeadLetterReason, TooLate};
use crate::event::Event;
use crate::ledger::Ledger;
use crate::recovery::PartitionStart;
use crate::rejection::Rejection;
use crate::rules::Rules;
use crate::side::{BySide, Side};
use crate::watermark::Watermark;
use open_window::{OpenWindow, OpenWindows};
use partition::Partition;

pub use firing::{Firings, MAX_FIRING_ID_BYTES, RowBatch};
pub use hold::EndOffsetRequest;

/// The outcome of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It made a count grow.
    Counted,
    /// Its event ID had already been counted.
    Duplicate,
    /// An earlier run accounted for it; it only rebuilt a window.
    Replayed,
    /// It must be kept as a dead letter. The task has issued this dead letter: it holds back checkpoints until
    /// [`Task::on_letters_acknowledged`] covers it.
    DeadLetter(DeadLetterReason),
    /// It is below the next offset: the consumer has moved back. The record was ignored; the task must be discarded and
    /// restored.
    Rewind,
    /// The record that the commit refers to is a different one: the topic was recreated. The record was ignored; the
    /// task must be discarded and this side started from its beginning.
    AnotherLog,
}

/// The state of one pair of partitions.
#[derive(Debug)]
pub struct Task {
    rules: Rules,
    source_partition: u32,

    // Determined by the log: equal in every run that has read the same records.
    partitions: BySide<Partition>,
    windows: OpenWindows,
    closed: Option<i64>,

    // What this run has sent and knows to be durable.
    fired: Watermark,
    firings: Firings,
    replayed: bool,
    rows: Acknowledged,
    letters: Acknowledged,
}

/// A count of items sent, and how many of them, in order, are acknowledged.
#[derive(Debug, Default, Clone, Copy)]
struct Acknowledged {
    issued: u64,
    acknowledged: u64,
}

impl Acknowledged {
    fn issue(&mut self) -> u64 {
        self.issued += 1;
        self.issued
    }

    /// Acknowledgements may arrive late, twice and out of order: the largest counts.
    fn acknowledge(&mut self, up_to: u64) {
        self.acknowledged = self.acknowledged.max(up_to.min(self.issued));
    }
}

impl Task {
    /// A task that continues where two partitions stopped.
    #[must_use]
    pub fn restore(rules: Rules, source_partition: u32, starts: BySide<PartitionStart>, now: i64) -> Self {
        let [a, b] = starts.0;
        Self {
            rules,
            source_partition,
            closed: a.closed.max(b.closed),
            partitions: BySide([Partition::restore(a, now), Partition::restore(b, now)]),
            windows: OpenWindows::default(),
            fired: Watermark::NONE,
            firings: Firings::default(),
            replayed: a.offset >= a.position && b.offset >= b.position,
            rows: Acknowledged::default(),
            letters: Acknowledged::default(),
        }
    }

    /// Takes the next record of one side: a valid event, or its rejection.
    pub fn on_event(&mut self, side: Side, record: RecordMark, event: Result<Event<'_>, Rejection>) -> Outcome {
        let partition = &mut self.partitions[side];
        if record.offset < partition.next {
            return Outcome::Rewind;
        }
        if record.offset <= partition.check_until {
            if partition.anchor.is_some_and(|anchor| anchor.offset == record.offset && anchor != record) {
                return Outcome::AnotherLog;
            }
            if record.offset < partition.low_offset {
                partition.step(record);
                return partition.account(Verdict::BelowLow, false);
            }
        }
        partition.step(record);
        let silent = record.offset < partition.silent_until;
        let verdict = self.judge(side, record, event);
        if matches!(verdict, Verdict::DeadLetter(_)) && !silent {
            self.letters.issue();
        }
        self.partitions[side].account(verdict, silent)
    }

    fn judge(&mut self, side: Side, record: RecordMark, event: Result<Event<'_>, Rejection>) -> Verdict {
        let event = match event {
            Ok(event) => event,
            Err(rejection) => return Verdict::DeadLetter(DeadLetterReason::Rejected(rejection)),
        };
        if let Err(rejection) = self.rules.accept_time(event.timestamp, record.timestamp) {
            return Verdict::DeadLetter(DeadLetterReason::Rejected(rejection));
        }
        let partition = &mut self.partitions[side];
        let maximum_before = partition.maximum;
        let watermark = self.rules.watermark(maximum_before);
        let window = self.rules.window_of(event.timestamp);
        partition.maximum = maximum_before.max(Some(Rules::progress(event.timestamp, record.timestamp)));
        partition.newest = partition.newest.max(Some(window.end));

        let passed = self.rules.has_passed(window.end, watermark);
        if passed || Some(window.end) <= self.closed {
            return Verdict::DeadLetter(DeadLetterReason::TooLate(TooLate {
                event_time: event.timestamp,
                window,
                closed_early: !passed,
            }));
        }
        let open = self.windows.open(window);
        open.hold(side, record, maximum_before);
        if open.count(side, &event, self.rules.deduplication) { Verdict::Counted } else { Verdict::Duplicate }
    }

    /// Notes that records of a side have arrived at `now`. Called once per batch, so that the clock is not read per
    /// record.
    pub fn on_arrival(&mut self, side: Side, now: i64) {
        let last = &mut self.partitions[side].last_arrival;
        *last = now.max(*last);
    }

    /// A side was read to its end: `end_offset` is the offset of its next record. Gaps in the log (transaction markers,
    /// compaction) before it are passed.
    pub fn on_partition_end(&mut self, side: Side, end_offset: i64) {
        let partition = &mut self.partitions[side];
        if end_offset >= partition.next {
            partition.see_all(end_offset);
        }
    }

    /// Records where the log of a side ends: its high watermark. Records between that and the readable end are held
    /// back by an open transaction; until it ends, the side is neither at its end nor idle, so no window is closed
    /// early because of it.
    pub fn on_log_end(&mut self, side: Side, end_offset: i64) {
        self.partitions[side].note_log_end(end_offset);
    }

    /// Whether every side has passed its position or its end, so that rows and dead letters may be sent.
    pub fn is_replayed(&mut self) -> bool {
        self.replayed = self.replayed || self.partitions.0.iter().all(Partition::is_replayed);
        self.replayed
    }

    /// Whether a side has not passed its position or its end yet.
    #[must_use]
    pub fn is_replaying(&self, side: Side) -> bool {
        !self.replayed && !self.partitions[side].is_replayed()
    }

    /// Whether a side must wait because it is more than `max-drift` of event time ahead of its twin while that
    /// has records to read. Waiting means not draining its queue.
    #[must_use]
    pub fn is_ahead(&self, side: Side) -> bool {
        let (own, twin) = (&self.partitions[side], &self.partitions[side.twin()]);
        if twin.is_at_end() {
            return false;
        }
        match (own.maximum, twin.maximum) {
            (Some(own), Some(twin)) => own.saturating_sub(twin) > self.rules.max_drift_ms,
            (Some(_), None) => true,
            (None, _) => false,
        }
    }

    /// All row batches up to and including `batch` are durable.
    pub fn on_rows_acknowledged(&mut self, batch: u64) {
        self.rows.acknowledge(batch);
    }

    /// The first `letters` dead letters that this task has issued are durable.
    pub fn on_letters_acknowledged(&mut self, letters: u64) {
        self.letters.acknowledge(letters);
    }

    /// How many dead letters the task has issued: the number of the newest.
    #[must_use]
    pub const fn letters_issued(&self) -> u64 {
        self.letters.issued
    }

    /// Lets go of every window that can no longer change, then returns what may be committed; `None` while replaying.
    ///
    /// The commit itself must wait for [`Checkpoint::after_letters`]: see [`Task::may_commit`].
    pub fn checkpoint(&mut self) -> Option<Checkpoint> {
        if !self.is_replayed() {
            return None;
        }
        self.let_go();
        let partitions = Side::BOTH.map(|side| {
            let held = self.windows.low(side);
            self.partitions[side].checkpoint(held, self.closed, self.rules.window_size)
        });
        Some(Checkpoint { partitions, after_letters: self.letters.issued })
    }

    /// Whether every dead letter of the records before a checkpoint's positions is durable.
    #[must_use]
    pub const fn may_commit(&self, checkpoint: &Checkpoint) -> bool {
        checkpoint.after_letters <= self.letters.acknowledged
    }

    /// Whether every row and every dead letter that was handed out is durable.
    #[must_use]
    pub const fn is_acknowledged(&self) -> bool {
        self.rows.acknowledged == self.rows.issued && self.letters.acknowledged == self.letters.issued
    }

    /// The ledger of a side's records in this run.
    #[must_use]
    pub fn ledger(&self, side: Side) -> &Ledger {
        &self.partitions[side].ledger
    }

    /// The next offset to read of a side.
    #[must_use]
    pub fn position(&self, side: Side) -> i64 {
        self.partitions[side].next
    }

    /// The watermark of a side's own partition.
    #[must_use]
    pub fn watermark(&self, side: Side) -> Watermark {
        self.rules.watermark(self.partitions[side].maximum)
    }

    /// The largest event time of a side so far, as advanced by its records; `None` before the first one.
    #[must_use]
    pub fn maximum(&self, side: Side) -> Option<i64> {
        self.partitions[side].maximum
    }

    /// Whether a side was read to its end.
    #[must_use]
    pub fn is_at_end(&self, side: Side) -> bool {
        self.partitions[side].is_at_end()
    }

    /// Number of windows held.
    #[must_use]
    pub fn open_windows(&self) -> usize {
        self.windows.len()
    }

    /// The closed mark: windows that end here or before are never rebuilt.
    #[must_use]
    pub const fn closed(&self) -> Option<i64> {
        self.closed
    }
}

/// Applies the rules to a record, before it is known whether an earlier run has already handled it.
enum Verdict {
    Counted,
    Duplicate,
    DeadLetter(DeadLetterReason),
    /// Read only to check that the log is the same.
    BelowLow,
}

impl Partition {
    fn account(&mut self, verdict: Verdict, silent: bool) -> Outcome {
        let ledger = &mut self.ledger;
        if silent || matches!(verdict, Verdict::BelowLow) {
            ledger.replayed += 1;
            return Outcome::Replayed;
        }
        match verdict {
            Verdict::Counted => {
                ledger.counted += 1;
                Outcome::Counted
            }
            Verdict::Duplicate => {
                ledger.duplicates += 1;
                Outcome::Duplicate
            }
            Verdict::BelowLow => Outcome::Replayed,
            Verdict::DeadLetter(reason) => {
                match &reason {
                    DeadLetterReason::Rejected(rejection) => ledger.rejected[rejection.code.index()] += 1,
                    DeadLetterReason::TooLate(late) => {
                        ledger.too_late += 1;
                        ledger.closed_early += u64::from(late.closed_early);
                    }
                }
                Outcome::DeadLetter(reason)
            }
        }
    }
}

impl OpenWindow {
    /// Whether the window's newest rows are sent, and whether they are acknowledged.
    fn is_settled(&self, rows: Acknowledged) -> bool {
        self.is_shown() && self.last_batch <= rows.acknowledged
    }
}
