//! A pair of partitions at work: its task, its queues, and what it waits for.

use std::collections::BTreeSet;
use std::time::{Instant, SystemTime};

use crossbeam_channel::Sender;
use ctr_domain::checkpoint::Checkpoint;
use ctr_domain::dead_letter::DeadLetterReason;
use ctr_domain::event::Event;
use ctr_domain::rules::Rules;
use ctr_domain::task::{BySide, Outcome, Side, Task};
use rdkafka::error::RDKafkaErrorCode;

use super::letters::LetterOutbox;
use crate::crash_point::crash_point;
use crate::sink::dead_letter::Letter;
use crate::sink::dead_letter_record::{Origin, encode, message};
use crate::sink::row_binary;
use crate::sink::writer::{RowChunk, RowSink};
use crate::sink::{Receipt, TaskId};
use crate::source::assignment::{AssignedPair, Topics};
use crate::source::batch::{BatchBuffer, Entry, PartitionQueue, Record};
use crate::status::snapshot::{RecentLetter, WorkerTotals};

/// Something in a partition's queue that the task cannot go on after.
#[derive(Debug)]
pub(super) enum Upset {
    /// The consumer has gone back: restore the task from the last commit.
    Rewind { side: Side, offset: i64, expected: i64 },
    /// The log is another one than the commit speaks of.
    AnotherLog { side: Side },
    /// The partition cannot be read.
    Broken { side: Side, code: RDKafkaErrorCode, message: String },
}

/// One pair of partitions, read by one worker.
pub(super) struct Pair {
    pub(super) id: TaskId,
    pub(super) partition: i32,
    pub(super) task: Task,
    queues: BySide<PartitionQueue>,
    letters: LetterReceipts,
    /// A checkpoint that waits for dead letters, or for its turn, and since when.
    pub(super) due: Option<(Checkpoint, Instant)>,
    /// What the group has of us.
    pub(super) committed: Option<Checkpoint>,
    /// Whether the first commit is still owed: it pins the start of partitions that had none.
    pub(super) is_new: bool,
}

/// The dead letters of one task that are acknowledged: in which order they come is the broker's business.
#[derive(Debug, Default)]
struct LetterReceipts {
    contiguous: u64,
    beyond: BTreeSet<u64>,
}

impl LetterReceipts {
    /// Notes one; returns how many, counted from the first without a gap, are acknowledged now.
    fn note(&mut self, number: u64) -> u64 {
        if number > self.contiguous {
            self.beyond.insert(number);
        }
        while self.beyond.remove(&(self.contiguous + 1)) {
            self.contiguous += 1;
        }
        self.contiguous
    }

    /// Notes one, and tells its task.
    fn acknowledge(&mut self, number: u64, task: &mut Task) {
        task.on_letters_acknowledged(self.note(number));
    }
}

/// What a pair needs of its worker while it reads.
pub(super) struct PairInput<'a> {
    pub(super) buffer: &'a mut BatchBuffer,
    pub(super) outbox: &'a mut LetterOutbox,
    pub(super) topics: &'a Topics,
    /// Milliseconds since the worker began.
    pub(super) now: i64,
}

impl Pair {
    pub(super) fn take_over(assigned: AssignedPair, rules: Rules, now: i64) -> Self {
        let source_partition = u32::try_from(assigned.partition).unwrap_or_default();
        Self {
            id: TaskId::next(),
            partition: assigned.partition,
            task: Task::restore(rules, source_partition, assigned.starts, now),
            queues: assigned.queues,
            letters: LetterReceipts::default(),
            due: None,
            committed: None,
            is_new: assigned.is_new,
        }
    }

    /// Reads one batch of a side into the task; true where there was something.
    pub(super) fn drain(&mut self, side: Side, input: &mut PairInput<'_>) -> Result<bool, Upset> {
        let batch = self.queues[side].read(input.buffer);
        if batch.is_empty() {
            return Ok(false);
        }
        self.task.on_arrival(side, input.now);
        for entry in batch.entries() {
            match entry {
                Entry::Record(record) => {
                    let expected = self.task.position(side);
                    match self.task.on_event(side, record.mark, Event::parse(record.payload)) {
                        Outcome::Counted | Outcome::Duplicate => {}
                        Outcome::Replayed => {
                            crash_point!("in-replay");
                        }
                        Outcome::DeadLetter(reason) => {
                            let number = self.task.letters_issued();
                            let origin = origin(side, self.partition, &record, input.topics);
                            input.outbox.remember(recent(&origin, &reason));
                            input.outbox.push(Letter {
                                task: self.id,
                                number,
                                key: record.key.map(<[u8]>::to_vec),
                                payload: encode(&origin, &reason),
                            });
                        }
                        Outcome::Rewind => {
                            return Err(Upset::Rewind { side, offset: record.mark.offset, expected });
                        }
                        Outcome::AnotherLog => return Err(Upset::AnotherLog { side }),
                    }
                }
                Entry::PartitionEnd(offset) => self.task.on_partition_end(side, offset),
                Entry::Error { code, message } => return Err(Upset::Broken { side, code, message }),
            }
        }
        crash_point!("after-read");
        Ok(true)
    }

    /// Hands the rows that are due to the sink, at most `limit`; says how many, or `None` where the sink has stopped.
    pub(super) fn fire(&mut self, now: i64, limit: usize, sink: &RowSink, reply: &Sender<Receipt>) -> Option<usize> {
        let (mut bytes, mut newest_end) = (Vec::new(), i64::MIN);
        let on_time = self.task.firings().on_time;
        let fired = self.task.fire(now, limit, |row| {
            newest_end = newest_end.max(row.window.end);
            row_binary::encode(&row, &mut bytes);
        });
        let Some(batch) = fired else { return Some(0) };
        let (task, rows) = (self.id, batch.rows);
        let shown_first = (self.task.firings().on_time > on_time).then_some(newest_end);
        let (handed_over, reply) = (Instant::now(), reply.clone());
        sink.send(RowChunk { task, batch: batch.number, rows, bytes, shown_first, handed_over, reply }).then_some(rows)
    }

    /// Adds the account of the task's life to `totals`.
    pub(super) fn account(&self, totals: &mut WorkerTotals) {
        for side in Side::BOTH {
            totals.ledgers[side].add(self.task.ledger(side));
        }
        totals.firings.add(self.task.firings());
    }

    /// Notes what came back from the sinks.
    pub(super) fn on_letter(&mut self, number: u64) {
        self.letters.acknowledge(number, &mut self.task);
    }
}

/// The pair that a task is of; `None` where it is gone, so that what is meant for it is of no interest any more.
pub(super) fn pair_of(pairs: &mut [Pair], task: TaskId) -> Option<&mut Pair> {
    pairs.iter_mut().find(|pair| pair.id == task)
}

fn origin<'a>(side: Side, partition: i32, record: &Record<'a>, topics: &'a Topics) -> Origin<'a> {
    Origin {
        source: match side {
            Side::Impressions => "Impression",
            Side::Clicks => "Click",
        },
        topic: topics.name(side),
        partition,
        mark: record.mark,
        key: record.key,
        payload: record.payload,
        headers: record.headers(),
    }
}

fn recent(origin: &Origin<'_>, reason: &DeadLetterReason) -> RecentLetter {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    RecentLetter {
        read_at: i64::try_from(now.as_millis()).unwrap_or(i64::MAX),
        topic: origin.topic.to_owned(),
        partition: origin.partition,
        offset: origin.mark.offset,
        code: reason.code(),
        message: message(reason).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_holds_back_what_was_acknowledged_beyond_it() {
        let mut receipts = LetterReceipts::default();
        assert_eq!(receipts.note(2), 0);
        assert_eq!(receipts.note(3), 0);
        assert_eq!(receipts.note(1), 3);
        assert_eq!(receipts.note(1), 3, "a second receipt changes nothing");
        assert_eq!(receipts.note(5), 3);
        assert_eq!(receipts.note(4), 5);
    }
}
