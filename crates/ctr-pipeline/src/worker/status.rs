//! What a worker shows of itself.

use ctr_domain::task::Side;

use super::Worker;
use super::pair::Pair;
use crate::status::snapshot::{PartitionStatus, WaitReason, WorkerStatus};

impl Worker {
    /// A snapshot of the worker: everything a page, a metric or a test asks.
    pub(super) fn status(&mut self) -> WorkerStatus {
        let now = self.now();
        let blocked = self.blocked();
        let checkpoints = self.checkpoints.stats();
        let mut ledger = self.retired.clone();
        let (mut partitions, mut replaying) = (Vec::new(), 0);
        for pair in &mut self.pairs {
            replaying += usize::from(!pair.task.is_replayed());
            for side in Side::BOTH {
                let topic = self.setup.topics.name(side).to_owned();
                ledger.add(pair.task.ledger(side));
                partitions.push(partition_status(pair, side, topic, blocked, now));
            }
        }
        WorkerStatus {
            joined: self.joined,
            replaying,
            partitions,
            ledger,
            letters_waiting: self.outbox.len(),
            letters_written: self.letters_written,
            letters_failing: self.outbox.is_failing(),
            checkpoints_completed: checkpoints.completed,
            checkpoints_failed: checkpoints.failed,
            last_checkpoint: checkpoints.last_completed,
            last_checkpoint_duration: checkpoints.last_duration,
            recoveries: self.recoveries,
            records_lost: self.records_lost,
            seen: std::time::Instant::now(),
        }
    }

    /// What keeps the whole worker from reading.
    fn blocked(&self) -> Option<WaitReason> {
        if !self.setup.rows.state().is_available() {
            Some(WaitReason::SinkUnavailable)
        } else if !self.setup.rows.has_room() {
            Some(WaitReason::SinkFull)
        } else if !self.outbox.has_room() {
            Some(WaitReason::DeadLetters)
        } else {
            None
        }
    }
}

fn partition_status(pair: &Pair, side: Side, topic: String, blocked: Option<WaitReason>, now: i64) -> PartitionStatus {
    let watermark = pair.task.watermark(side);
    PartitionStatus {
        topic,
        partition: pair.partition,
        position: pair.task.position(side),
        low_offset: pair.committed.map(|committed| committed.partitions[side as usize].low_offset),
        watermark: (watermark != ctr_domain::watermark::Watermark::NONE).then_some(watermark.0),
        at_end: pair.task.is_at_end(side),
        idle: pair.task.is_idle(side, now),
        waits_for: blocked.or_else(|| pair.task.is_ahead(side).then_some(WaitReason::Drift)),
        open_windows: pair.task.open_windows(),
    }
}
