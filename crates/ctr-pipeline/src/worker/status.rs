//! Status of a worker.

use std::time::{Duration, Instant};

use ctr_domain::shell::{Pair, WaitReason};
use ctr_domain::side::Side;
use ctr_domain::task::Task;

use super::{STATUS_INTERVAL, Worker};
use crate::logging::Repeats;
use crate::status::snapshot::{
    CheckpointStatus, LetterStatus, PartitionStatus, PastCheckpoint, WorkerStatus, WorkerTotals, remember,
};

/// How often waiting workers check whether they still wait.
static PAUSES: Repeats = Repeats::new();

impl Worker {
    /// Publishes the status of the worker, a few times a second.
    pub(super) fn show(&mut self) {
        let now = Instant::now();
        if now >= self.next_status {
            self.tell_log_ends();
            self.tell_first_count();
            self.note_waiting(now + STATUS_INTERVAL - self.next_status);
            self.next_status = now + STATUS_INTERVAL;
            self.show_now();
        }
    }

    pub(super) fn show_now(&mut self) {
        self.note_commits();
        let status = self.status();
        self.setup.board.show(self.setup.number, status);
    }

    /// A snapshot of the worker, with everything needed by the page, metrics and tests.
    fn status(&self) -> WorkerStatus {
        let now = self.now();
        let mut partitions = Vec::new();
        for (index, pair) in self.shell.pairs().iter().enumerate() {
            for side in Side::BOTH {
                let topic = self.setup.topics.name(side).to_owned();
                let low_offset = self.shell.low_offset(index, side);
                let waits_for = self.shell.may_read(index, side).err();
                partitions.push(partition_status(pair, side, now, topic, low_offset, waits_for));
            }
        }
        WorkerStatus {
            joined: self.shell.has_joined(),
            replaying: self.shell.replaying(),
            partitions,
            totals: self.totals(),
            letters: LetterStatus {
                waiting: self.shell.letters_waiting(),
                failing: self.shell.letters_fail(),
                recent: self.record.recent_letters.clone(),
            },
            checkpoints: CheckpointStatus {
                recent: self.record.recent_commits.clone(),
                current_at: self.instant(self.shell.committed_at()),
                waits_for: self.shell.commit_waits_for(),
            },
            seen: Instant::now(),
        }
    }

    pub(super) fn totals(&self) -> WorkerTotals {
        let (account, record) = (self.shell.account(), &self.record);
        WorkerTotals {
            ledgers: account.ledgers,
            firings: account.firings,
            firing_durations: record.firing_durations,
            letters_written: record.letters_written,
            checkpoints_completed: record.commits_completed,
            checkpoints_failed: record.commits_failed,
            checkpoint_durations: record.commit_durations,
            waited: record.waited,
            recoveries: record.recoveries,
            records_lost: record.records_lost,
        }
    }

    /// Records the completed commits.
    fn note_commits(&mut self) {
        while let Some(past) = self.shell.next_past_commit() {
            let past = PastCheckpoint {
                ended: self.instant(past.ended),
                completed: past.completed,
                pairs: past.pairs,
                waited_for_letters: milliseconds(past.waited_for_letters),
                waited_for_broker: milliseconds(past.waited_for_broker),
            };
            let record = &mut self.record;
            if past.completed {
                record.commits_completed += 1;
                record.commit_durations.observe(past.duration());
            } else {
                record.commits_failed += 1;
            }
            remember(&mut record.recent_commits, past);
        }
    }

    /// A time of the shell's clock.
    fn instant(&self, ms: i64) -> Instant {
        self.epoch + milliseconds(ms)
    }

    /// Logs once that the worker has counted its first record, which ends its startup.
    fn tell_first_count(&mut self) {
        let counts = |pair: &Pair<Task>| Side::BOTH.into_iter().any(|side| pair.counter().ledger(side).counted > 0);
        if self.record.has_counted || !self.shell.pairs().iter().any(counts) {
            return;
        }
        self.record.has_counted = true;
        let duration_seconds = self.epoch.elapsed().as_secs_f32();
        tracing::info!(worker = self.setup.number, duration_seconds, "first record counted");
    }

    /// Counts `elapsed` as waiting if the worker, or one of its partitions, is waiting.
    fn note_waiting(&mut self, elapsed: Duration) {
        let of_partitions = (0..self.queues.len())
            .flat_map(|index| Side::BOTH.map(|side| (index, side)))
            .find_map(|(index, side)| self.shell.may_read(index, side).err());
        if let Some(reason) = self.shell.waits_for().or(of_partitions) {
            self.record.waited[reason as usize] += elapsed;
            let (worker, text) = (self.setup.number, reason.text());
            if reason != WaitReason::Stopping
                && let Some(unsaid) = PAUSES.next_of(worker, reason.label())
            {
                tracing::info!(worker, reason = reason.label(), unsaid, "reading pauses: {text}");
            }
        }
    }
}

fn milliseconds(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or_default())
}

fn partition_status(
    pair: &Pair<Task>,
    side: Side,
    now: i64,
    topic: String,
    low_offset: Option<i64>,
    waits_for: Option<WaitReason>,
) -> PartitionStatus {
    let task = pair.counter();
    let watermark = task.watermark(side);
    PartitionStatus {
        topic,
        partition: pair.partition(),
        position: task.position(side),
        low_offset,
        watermark: (watermark != ctr_domain::watermark::Watermark::NONE).then_some(watermark.0),
        maximum: task.maximum(side),
        at_end: task.is_at_end(side),
        idle: task.is_idle(side, now),
        waits_for,
        open_windows: task.open_windows(),
    }
}
