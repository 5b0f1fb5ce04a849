//! What is under test inside the shell: the task that ships, with its rules broken at its edges where a mutation says so.

use ctr_domain::checkpoint::{Checkpoint, RecordMark};
use ctr_domain::counts::CtrResult;
use ctr_domain::event::Event;
use ctr_domain::ledger::Ledger;
use ctr_domain::recovery::PartitionStart;
use ctr_domain::rejection::Rejection;
use ctr_domain::rules::Rules;
use ctr_domain::shell::{Counter, Flaw};
use ctr_domain::side::{BySide, Side};
use ctr_domain::task::{EndOffsetRequest, Firings, Outcome, RowBatch, Task};

use crate::mutation::Mutation;

/// [`Task`], as it ships, where nothing is broken.
#[derive(Debug)]
pub(crate) struct Mutable {
    task: Task,
    mutation: Option<Mutation>,
}

impl Mutable {
    fn is(&self, mutation: Mutation) -> bool {
        self.mutation == Some(mutation)
    }
}

impl Counter for Mutable {
    type Broken = Option<Mutation>;

    fn breaks(broken: Self::Broken, flaw: Flaw) -> bool {
        broken.and_then(Mutation::flaw) == Some(flaw)
    }
    fn restore(
        mutation: Self::Broken,
        mut rules: Rules,
        source_partition: u32,
        mut starts: BySide<PartitionStart>,
        now: i64,
    ) -> Self {
        if let Some(mutation) = mutation {
            mutation.alter_rules(&mut rules);
            starts.0.iter_mut().for_each(|start| mutation.alter_start(start));
        }
        Self { task: Task::restore(rules, source_partition, starts, now), mutation }
    }
    fn on_event(&mut self, side: Side, record: RecordMark, event: Result<Event<'_>, Rejection>) -> Outcome {
        self.task.on_event(side, record, event)
    }
    fn on_arrival(&mut self, side: Side, now: i64) {
        self.task.on_arrival(side, now);
    }
    fn on_partition_end(&mut self, side: Side, end_offset: i64) {
        self.task.on_partition_end(side, end_offset);
    }
    fn on_log_end(&mut self, side: Side, end_offset: i64) {
        self.task.on_log_end(side, end_offset);
    }
    fn is_replayed(&mut self) -> bool {
        self.task.is_replayed()
    }
    fn is_replaying(&self, side: Side) -> bool {
        self.task.is_replaying(side)
    }
    fn is_ahead(&self, side: Side) -> bool {
        self.task.is_ahead(side)
    }
    fn position(&self, side: Side) -> i64 {
        self.task.position(side)
    }
    fn fire(&mut self, now: i64, limit: usize, row: impl FnMut(CtrResult<'_>)) -> Option<RowBatch> {
        let batch = self.task.fire(now, limit, row)?;
        if self.is(Mutation::LetGoFirst) {
            self.task.on_rows_acknowledged(batch.number);
        }
        Some(batch)
    }
    fn firings(&self) -> Firings {
        self.task.firings()
    }
    fn on_rows_acknowledged(&mut self, batch: u64) {
        self.task.on_rows_acknowledged(batch);
    }
    fn on_letters_acknowledged(&mut self, letters: u64) {
        self.task.on_letters_acknowledged(letters);
    }
    fn letters_issued(&self) -> u64 {
        self.task.letters_issued()
    }
    fn is_acknowledged(&self) -> bool {
        self.task.is_acknowledged()
    }
    fn checkpoint(&mut self) -> Option<Checkpoint> {
        let mut checkpoint = self.task.checkpoint()?;
        if let Some(mutation) = self.mutation {
            mutation.alter_checkpoint(&mut checkpoint);
        }
        Some(checkpoint)
    }
    fn may_commit(&self, checkpoint: &Checkpoint) -> bool {
        self.is(Mutation::ForgetLetters) || self.task.may_commit(checkpoint)
    }
    fn ledger(&self, side: Side) -> &Ledger {
        self.task.ledger(side)
    }
    fn end_offset_request(&self) -> Option<EndOffsetRequest> {
        self.task.end_offset_request()
    }
    fn on_end_offset(&mut self, request: EndOffsetRequest, end_offset: i64) {
        self.task.on_end_offset(request, end_offset);
    }
}
