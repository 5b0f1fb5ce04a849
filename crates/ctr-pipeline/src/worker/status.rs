//! What a worker shows of itself.

use std::time::{Duration, Instant};

use ctr_domain::task::Side;

use super::Worker;
use super::pair::Pair;
use crate::logging::Repeats;
use crate::status::snapshot::{PartitionStatus, WaitReason, WorkerStatus};

/// Workers that wait look several times a second whether they still do.
static PAUSES: Repeats = Repeats::new();

impl Worker {
    /// A snapshot of the worker: everything a page, a metric or a test asks.
    pub(super) fn status(&mut self) -> WorkerStatus {
        let now = self.now();
        let blocked = self.blocked();
        let mut totals = self.totals.clone();
        self.checkpoints.account(&mut totals);
        let (mut partitions, mut replaying) = (Vec::new(), 0);
        for pair in &mut self.pairs {
            replaying += usize::from(!pair.task.is_replayed());
            pair.account(&mut totals);
            for side in Side::BOTH {
                let topic = self.setup.topics.name(side).to_owned();
                partitions.push(partition_status(pair, side, topic, blocked, now));
            }
        }
        WorkerStatus {
            joined: self.joined,
            replaying,
            partitions,
            totals,
            letters: self.outbox.status(),
            checkpoints: self.checkpoints.status(&self.pairs),
            seen: Instant::now(),
        }
    }

    /// Says once when the worker has counted its first record: the end of its start. What is shown of it now and then tells
    /// that too late to measure a start by.
    pub(super) fn tell_first_count(&mut self) {
        let counts = |pair: &Pair| Side::BOTH.into_iter().any(|side| pair.task.ledger(side).counted > 0);
        if self.has_counted || !self.pairs.iter().any(counts) {
            return;
        }
        self.has_counted = true;
        let duration_seconds = self.epoch.elapsed().as_secs_f32();
        tracing::info!(worker = self.setup.number, duration_seconds, "first record counted");
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

    /// Counts `elapsed` as waiting if the worker, or a partition of it, waits at this moment.
    pub(super) fn note_waiting(&mut self, elapsed: Duration) {
        let is_ahead = |pair: &Pair| Side::BOTH.into_iter().any(|side| pair.task.is_ahead(side));
        let reason = self.blocked().or_else(|| self.pairs.iter().any(is_ahead).then_some(WaitReason::Drift));
        if let Some(reason) = reason {
            self.totals.waited[reason as usize] += elapsed;
            if let Some(unsaid) = PAUSES.next(reason.label()) {
                tracing::info!(
                    worker = self.setup.number,
                    reason = reason.label(),
                    unsaid,
                    "reading pauses: {}",
                    reason.text()
                );
            }
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
        maximum: pair.task.maximum(side),
        at_end: pair.task.is_at_end(side),
        idle: pair.task.is_idle(side, now),
        waits_for: blocked.or_else(|| pair.task.is_ahead(side).then_some(WaitReason::Drift)),
        open_windows: pair.task.open_windows(),
    }
}
