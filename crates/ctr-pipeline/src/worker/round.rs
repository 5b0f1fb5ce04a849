//! The steps of a worker's round.

use std::time::Instant;

use ctr_domain::task::Side;

use super::pair::{Pair, PairInput, Upset, pair_of};
use super::{ASK_INTERVAL, ROWS_PER_FIRING, STATUS_INTERVAL, Worker, WorkerError};
use crate::sink::Receipt;
use crate::source::assignment::Assigner;
use crate::source::end_offsets::Question;

impl Worker {
    /// Milliseconds of this worker's clock. It never goes back, and no record is judged by it.
    pub(super) fn now(&self) -> i64 {
        i64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    /// Takes over partitions: old tasks are dropped, new ones restored from the commits.
    pub(super) fn take_over(&mut self, partitions: &[i32]) -> Result<(), WorkerError> {
        self.retire();
        let begun = Instant::now();
        let assigner = Assigner {
            consumer: &self.consumer,
            topics: &self.setup.topics,
            rules: &self.setup.rules,
            anew: &self.anew,
        };
        let assigned = assigner.assign(partitions)?;
        let now = self.now();
        for pair in assigned {
            for (side, notice) in &pair.notices {
                let topic = self.setup.topics.name(*side);
                tracing::warn!(
                    topic,
                    partition = pair.partition,
                    records_lost = notice.records_lost_at_most(),
                    ?notice,
                    "recovery"
                );
                self.totals.recoveries += 1;
                self.totals.records_lost += notice.records_lost_at_most();
            }
            self.pairs.push(Pair::take_over(pair, self.setup.rules, now));
        }
        let duration_seconds = begun.elapsed().as_secs_f32();
        tracing::info!(worker = self.setup.number, ?partitions, duration_seconds, "partitions taken over");
        Ok(())
    }

    /// Drops all tasks, and keeps their accounts.
    pub(super) fn retire(&mut self) {
        for pair in self.pairs.drain(..) {
            pair.account(&mut self.totals);
        }
    }

    /// Hands acknowledgements and answers to the tasks they are meant for. Those for tasks that are gone are ignored.
    pub(super) fn take_receipts(&mut self) {
        self.outbox.serve();
        for receipt in self.receipts.1.try_iter() {
            match receipt {
                Receipt::Rows { task, batch } => {
                    if let Some(pair) = pair_of(&mut self.pairs, task) {
                        pair.task.on_rows_acknowledged(batch);
                    }
                }
                Receipt::Letter { task, number } => {
                    self.totals.letters_written += 1;
                    self.outbox.on_success();
                    if let Some(pair) = pair_of(&mut self.pairs, task) {
                        pair.on_letter(number);
                    }
                }
                Receipt::Undelivered { letter, reason } => {
                    self.outbox.take_back(letter, &reason, self.epoch.elapsed());
                }
            }
        }
        for answer in self.answers.1.try_iter() {
            if let (Some(pair), Some(end_offset)) = (pair_of(&mut self.pairs, answer.task), answer.end_offset) {
                pair.task.on_end_offset(answer.request, end_offset);
            }
        }
    }

    /// Reads one batch of every partition that may be read; true where any had something. A partition that must wait is
    /// simply not drained: its queue fills, and librdkafka stops fetching it.
    pub(super) fn drain(&mut self) -> Result<bool, WorkerError> {
        if !self.setup.rows.has_room() || !self.setup.rows.state().is_available() {
            return Ok(false);
        }
        let now = self.now();
        let mut any = false;
        for index in 0..self.pairs.len() {
            for side in Side::BOTH {
                let pair = &mut self.pairs[index];
                let letters_may_come = !pair.task.is_replaying(side);
                if pair.task.is_ahead(side) || (letters_may_come && !self.outbox.has_room()) {
                    continue;
                }
                let mut input =
                    PairInput { buffer: &mut self.buffer, outbox: &mut self.outbox, topics: &self.setup.topics, now };
                match pair.drain(side, &mut input) {
                    Ok(read) => any |= read,
                    Err(upset) => {
                        let partition = pair.partition;
                        self.recover(partition, upset)?;
                        return Ok(true);
                    }
                }
            }
        }
        Ok(any)
    }

    /// Takes all partitions over again from the last commits, where that mends what a queue has shown.
    fn recover(&mut self, partition: i32, upset: Upset) -> Result<(), WorkerError> {
        self.forget_replaced_commits();
        match upset {
            Upset::Rewind { side, offset, expected } => {
                let topic = self.setup.topics.name(side);
                tracing::warn!(
                    topic,
                    partition,
                    offset,
                    position = expected,
                    "the consumer has gone back; restoring from the commits"
                );
            }
            Upset::AnotherLog { side } => {
                self.anew.insert((side, partition));
            }
            Upset::Broken { side, code, message } => {
                let topic = self.setup.topics.name(side).to_owned();
                return Err(WorkerError::Partition { topic, partition, code, message });
            }
        }
        let partitions: Vec<i32> = self.pairs.iter().map(|pair| pair.partition).collect();
        self.take_over(&partitions)
    }

    /// What was found of a log holds until a commit of this life has taken the place of the one that spoke of another log:
    /// both topics may have been made anew, and each is found only by reading it.
    fn forget_replaced_commits(&mut self) {
        let pairs = &self.pairs;
        self.anew.retain(|(_, partition)| {
            !pairs.iter().any(|pair| pair.partition == *partition && pair.committed.is_some())
        });
    }

    /// Hands the rows that are due to the sink, if it has room.
    pub(super) fn fire(&mut self) -> Result<(), WorkerError> {
        let begun = Instant::now();
        if begun < self.next_fire {
            return Ok(());
        }
        self.next_fire = begun + self.setup.fire_interval;
        let (now, mut any) = (self.now(), false);
        for pair in &mut self.pairs {
            if !self.setup.rows.has_room() {
                break;
            }
            let rows = pair.fire(now, ROWS_PER_FIRING, &self.setup.rows, &self.receipts.0);
            let rows = rows.ok_or(WorkerError::SinkStopped)?;
            any |= rows > 0;
            if rows == ROWS_PER_FIRING {
                // There is more: go on with the next round, after reading.
                self.next_fire = begun;
            }
        }
        if any {
            self.totals.firing_durations.observe(begun.elapsed());
        }
        Ok(())
    }

    /// Hands dead letters to their producer.
    pub(super) fn send_letters(&mut self) {
        let (pairs, now) = (&mut self.pairs, self.epoch.elapsed());
        self.outbox.send(&self.receipts.0, now, |task| pair_of(pairs, task).map(|pair| pair.task.is_replayed()));
    }

    /// Asks the broker for end offsets where only its word lets windows go.
    pub(super) fn ask_for_proofs(&mut self) {
        let now = Instant::now();
        if now < self.next_ask {
            return;
        }
        self.next_ask = now + ASK_INTERVAL;
        for pair in &self.pairs {
            if let Some(request) = pair.task.end_offset_request() {
                let reply = self.answers.0.clone();
                self.setup.end_offsets.ask(Question { task: pair.id, partition: pair.partition, request, reply });
            }
        }
    }

    /// Shows how the worker is, a few times a second.
    pub(super) fn show(&mut self) {
        let now = Instant::now();
        if now >= self.next_status {
            self.note_waiting(now + STATUS_INTERVAL - self.next_status);
            self.next_status = now + STATUS_INTERVAL;
            self.show_now();
        }
    }

    pub(super) fn show_now(&mut self) {
        let status = self.status();
        self.setup.board.show(self.setup.number, status);
    }
}
