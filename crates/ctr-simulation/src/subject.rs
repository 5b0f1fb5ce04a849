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

/// [`Task`] as it ships, through the interface that the shell uses, where nothing is broken.
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
        Self { task: Counter::restore((), rules, source_partition, starts, now), mutation }
    }
    fn on_event(&mut self, side: Side, record: RecordMark, event: Result<Event<'_>, Rejection>) -> Outcome {
        Counter::on_event(&mut self.task, side, record, event)
    }
    fn on_arrival(&mut self, side: Side, now: i64) {
        Counter::on_arrival(&mut self.task, side, now);
    }
    fn on_partition_end(&mut self, side: Side, end_offset: i64) {
        Counter::on_partition_end(&mut self.task, side, end_offset);
    }
    fn on_log_end(&mut self, side: Side, end_offset: i64) {
        Counter::on_log_end(&mut self.task, side, end_offset);
    }
    fn is_replayed(&mut self) -> bool {
        Counter::is_replayed(&mut self.task)
    }
    fn is_replaying(&self, side: Side) -> bool {
        Counter::is_replaying(&self.task, side)
    }
    fn is_ahead(&self, side: Side) -> bool {
        Counter::is_ahead(&self.task, side)
    }
    fn position(&self, side: Side) -> i64 {
        Counter::position(&self.task, side)
    }
    fn fire(&mut self, now: i64, limit: usize, row: impl FnMut(CtrResult<'_>)) -> Option<RowBatch> {
        let batch = Counter::fire(&mut self.task, now, limit, row)?;
        if self.is(Mutation::LetGoFirst) {
            Counter::on_rows_acknowledged(&mut self.task, batch.number);
        }
        Some(batch)
    }
    fn firings(&self) -> Firings {
        Counter::firings(&self.task)
    }
    fn on_rows_acknowledged(&mut self, batch: u64) {
        Counter::on_rows_acknowledged(&mut self.task, batch);
    }
    fn on_letters_acknowledged(&mut self, letters: u64) {
        Counter::on_letters_acknowledged(&mut self.task, letters);
    }
    fn letters_issued(&self) -> u64 {
        Counter::letters_issued(&self.task)
    }
    fn is_acknowledged(&self) -> bool {
        Counter::is_acknowledged(&self.task)
    }
    fn checkpoint(&mut self) -> Option<Checkpoint> {
        let mut checkpoint = Counter::checkpoint(&mut self.task)?;
        if let Some(mutation) = self.mutation {
            mutation.alter_checkpoint(&mut checkpoint);
        }
        Some(checkpoint)
    }
    fn may_commit(&self, checkpoint: &Checkpoint) -> bool {
        self.is(Mutation::ForgetLetters) || Counter::may_commit(&self.task, checkpoint)
    }
    fn ledger(&self, side: Side) -> &Ledger {
        Counter::ledger(&self.task, side)
    }
    fn end_offset_request(&self) -> Option<EndOffsetRequest> {
        Counter::end_offset_request(&self.task)
    }
    fn on_end_offset(&mut self, request: EndOffsetRequest, end_offset: i64) {
        Counter::on_end_offset(&mut self.task, request, end_offset);
    }
}
