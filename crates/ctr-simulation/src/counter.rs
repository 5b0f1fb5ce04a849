//! The one thing under test, as the shell around it sees it: the real task, or a model of it that can be broken.

use ctr_domain::checkpoint::{Checkpoint, RecordMark};
use ctr_domain::counts::CtrResult;
use ctr_domain::event::Event;
use ctr_domain::ledger::Ledger;
use ctr_domain::recovery::PartitionStart;
use ctr_domain::rejection::Rejection;
use ctr_domain::rules::Rules;
use ctr_domain::task::{BySide, EndOffsetRequest, Outcome, RowBatch, Side, Task};

use crate::mutation::Mutation;

/// Counts the records of one pair of partitions. See [`Task`] for what each of these means.
pub(crate) trait Counter: Sized {
    fn restore(rules: Rules, starts: BySide<PartitionStart>, now: i64, mutation: Option<Mutation>) -> Self;
    fn on_event(&mut self, side: Side, record: RecordMark, event: Result<Event<'_>, Rejection>) -> Outcome;
    fn on_arrival(&mut self, side: Side, now: i64);
    fn on_partition_end(&mut self, side: Side, end_offset: i64);
    fn is_replayed(&mut self) -> bool;
    fn is_ahead(&self, side: Side) -> bool;
    fn fire(&mut self, now: i64, limit: usize, row: &mut dyn FnMut(CtrResult<'_>)) -> Option<RowBatch>;
    fn on_rows_acknowledged(&mut self, batch: u64);
    fn on_letters_acknowledged(&mut self, letters: u64);
    fn letters_issued(&self) -> u64;
    fn checkpoint(&mut self) -> Option<Checkpoint>;
    fn may_commit(&self, checkpoint: &Checkpoint) -> bool;
    fn ledger(&self, side: Side) -> &Ledger;
    fn end_offset_request(&self) -> Option<EndOffsetRequest>;
    fn on_end_offset(&mut self, request: EndOffsetRequest, end_offset: i64);
}

impl Counter for Task {
    fn restore(rules: Rules, starts: BySide<PartitionStart>, now: i64, _: Option<Mutation>) -> Self {
        Self::restore(rules, 0, starts, now)
    }
    fn on_event(&mut self, side: Side, record: RecordMark, event: Result<Event<'_>, Rejection>) -> Outcome {
        self.on_event(side, record, event)
    }
    fn on_arrival(&mut self, side: Side, now: i64) {
        self.on_arrival(side, now);
    }
    fn on_partition_end(&mut self, side: Side, end_offset: i64) {
        self.on_partition_end(side, end_offset);
    }
    fn is_replayed(&mut self) -> bool {
        self.is_replayed()
    }
    fn is_ahead(&self, side: Side) -> bool {
        self.is_ahead(side)
    }
    fn fire(&mut self, now: i64, limit: usize, row: &mut dyn FnMut(CtrResult<'_>)) -> Option<RowBatch> {
        self.fire(now, limit, row)
    }
    fn on_rows_acknowledged(&mut self, batch: u64) {
        self.on_rows_acknowledged(batch);
    }
    fn on_letters_acknowledged(&mut self, letters: u64) {
        self.on_letters_acknowledged(letters);
    }
    fn letters_issued(&self) -> u64 {
        self.letters_issued()
    }
    fn checkpoint(&mut self) -> Option<Checkpoint> {
        self.checkpoint()
    }
    fn may_commit(&self, checkpoint: &Checkpoint) -> bool {
        self.may_commit(checkpoint)
    }
    fn ledger(&self, side: Side) -> &Ledger {
        self.ledger(side)
    }
    fn end_offset_request(&self) -> Option<EndOffsetRequest> {
        self.end_offset_request()
    }
    fn on_end_offset(&mut self, request: EndOffsetRequest, end_offset: i64) {
        self.on_end_offset(request, end_offset);
    }
}
