//! The interface of a pair's counter, as the shell uses it.

use crate::checkpoint::{Checkpoint, RecordMark};
use crate::counts::CtrResult;
use crate::event::Event;
use crate::ledger::Ledger;
use crate::recovery::PartitionStart;
use crate::rejection::Rejection;
use crate::rules::Rules;
use crate::side::{BySide, Side};
use crate::task::{EndOffsetRequest, Firings, Outcome, RowBatch, Task};

/// A rule of the shell that a test may break: each was a bug of an earlier version. The histories must catch it, or
/// they prove nothing about the rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// Failing to write dead letters is remembered after the letters are forgotten: nothing is read, so none can ever
    /// succeed.
    FailingOutlivesItsLetters,
    /// Any commit result is attributed to the commit in flight.
    AnyAnswerIsTheLast,
    /// Every interval requests the end of a log, whether the previous request was answered or not.
    AsksWithoutEnd,
    /// A refused dead letter is not checked for its task: it waits for a dropped task.
    RefusedLettersOutliveTheirTask,
}

/// Counts the records of one pair of partitions. See [`Task`], the shipped implementation, for the meaning of each
/// method.
pub trait Counter: Sized {
    /// The rule that a test breaks; `()` in the shipped counter.
    type Broken: Copy + std::fmt::Debug;

    /// Whether the shell should break one of its rules.
    #[must_use]
    fn breaks(_broken: Self::Broken, _flaw: Flaw) -> bool {
        false
    }

    /// [`Task::restore`]
    #[must_use]
    fn restore(
        broken: Self::Broken,
        rules: Rules,
        source_partition: u32,
        starts: BySide<PartitionStart>,
        now: i64,
    ) -> Self;
    /// [`Task::on_event`]
    fn on_event(&mut self, side: Side, record: RecordMark, event: Result<Event<'_>, Rejection>) -> Outcome;
    /// [`Task::on_arrival`]
    fn on_arrival(&mut self, side: Side, now: i64);
    /// [`Task::on_partition_end`]
    fn on_partition_end(&mut self, side: Side, end_offset: i64);
    /// [`Task::on_log_end`]
    fn on_log_end(&mut self, side: Side, end_offset: i64);
    /// [`Task::is_replayed`]
    fn is_replayed(&mut self) -> bool;
    /// [`Task::is_replaying`]
    fn is_replaying(&self, side: Side) -> bool;
    /// Whether either side is replaying.
    fn is_any_replaying(&self) -> bool {
        Side::BOTH.into_iter().any(|side| self.is_replaying(side))
    }
    /// [`Task::is_ahead`]
    fn is_ahead(&self, side: Side) -> bool;
    /// [`Task::position`]
    fn position(&self, side: Side) -> i64;
    /// [`Task::fire`]
    fn fire(&mut self, now: i64, limit: usize, row: impl FnMut(CtrResult<'_>)) -> Option<RowBatch>;
    /// [`Task::firings`]
    fn firings(&self) -> Firings;
    /// [`Task::on_rows_acknowledged`]
    fn on_rows_acknowledged(&mut self, batch: u64);
    /// [`Task::on_letters_acknowledged`]
    fn on_letters_acknowledged(&mut self, letters: u64);
    /// [`Task::letters_issued`]
    fn letters_issued(&self) -> u64;
    /// [`Task::is_acknowledged`]
    fn is_acknowledged(&self) -> bool;
    /// [`Task::checkpoint`]
    fn checkpoint(&mut self) -> Option<Checkpoint>;
    /// [`Task::may_commit`]
    fn may_commit(&self, checkpoint: &Checkpoint) -> bool;
    /// [`Task::ledger`]
    fn ledger(&self, side: Side) -> &Ledger;
    /// [`Task::end_offset_request`]
    fn end_offset_request(&self) -> Option<EndOffsetRequest>;
    /// [`Task::on_end_offset`]
    fn on_end_offset(&mut self, request: EndOffsetRequest, end_offset: i64);
}

impl Counter for Task {
    type Broken = ();

    fn restore(_: (), rules: Rules, source_partition: u32, starts: BySide<PartitionStart>, now: i64) -> Self {
        Self::restore(rules, source_partition, starts, now)
    }
    #[inline]
    fn on_event(&mut self, side: Side, record: RecordMark, event: Result<Event<'_>, Rejection>) -> Outcome {
        self.on_event(side, record, event)
    }
    #[inline]
    fn on_arrival(&mut self, side: Side, now: i64) {
        self.on_arrival(side, now);
    }
    #[inline]
    fn on_partition_end(&mut self, side: Side, end_offset: i64) {
        self.on_partition_end(side, end_offset);
    }
    #[inline]
    fn on_log_end(&mut self, side: Side, end_offset: i64) {
        self.on_log_end(side, end_offset);
    }
    #[inline]
    fn is_replayed(&mut self) -> bool {
        self.is_replayed()
    }
    #[inline]
    fn is_replaying(&self, side: Side) -> bool {
        self.is_replaying(side)
    }
    #[inline]
    fn is_ahead(&self, side: Side) -> bool {
        self.is_ahead(side)
    }
    #[inline]
    fn position(&self, side: Side) -> i64 {
        self.position(side)
    }
    #[inline]
    fn fire(&mut self, now: i64, limit: usize, row: impl FnMut(CtrResult<'_>)) -> Option<RowBatch> {
        self.fire(now, limit, row)
    }
    #[inline]
    fn firings(&self) -> Firings {
        self.firings()
    }
    #[inline]
    fn on_rows_acknowledged(&mut self, batch: u64) {
        self.on_rows_acknowledged(batch);
    }
    #[inline]
    fn on_letters_acknowledged(&mut self, letters: u64) {
        self.on_letters_acknowledged(letters);
    }
    #[inline]
    fn letters_issued(&self) -> u64 {
        self.letters_issued()
    }
    #[inline]
    fn is_acknowledged(&self) -> bool {
        self.is_acknowledged()
    }
    #[inline]
    fn checkpoint(&mut self) -> Option<Checkpoint> {
        self.checkpoint()
    }
    #[inline]
    fn may_commit(&self, checkpoint: &Checkpoint) -> bool {
        self.may_commit(checkpoint)
    }
    #[inline]
    fn ledger(&self, side: Side) -> &Ledger {
        self.ledger(side)
    }
    #[inline]
    fn end_offset_request(&self) -> Option<EndOffsetRequest> {
        self.end_offset_request()
    }
    #[inline]
    fn on_end_offset(&mut self, request: EndOffsetRequest, end_offset: i64) {
        self.on_end_offset(request, end_offset);
    }
}
