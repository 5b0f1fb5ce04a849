//! Checkpoints of a worker's tasks: asynchronous commits, one at a time.

use std::time::{Duration, Instant};

use ctr_domain::checkpoint::Checkpoint;
use ctr_domain::task::Side;
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::{Offset, TopicPartitionList};

use super::group::Group;
use super::pair::Pair;
use crate::config::JobConfig;
use crate::crash_point::crash_point;
use crate::sink::TaskId;
use crate::source::assignment::Topics;
use crate::source::commit::commit_async;

/// When checkpoints are made, and what became of them.
#[derive(Debug)]
pub(super) struct Checkpoints {
    interval: Duration,
    timeout: Duration,
    min_pause: Duration,
    next: Instant,
    in_flight: Option<InFlight>,
    stats: CheckpointStats,
}

#[derive(Debug)]
struct InFlight {
    begun: Instant,
    pairs: Vec<(TaskId, Checkpoint)>,
}

/// What became of checkpoints so far.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct CheckpointStats {
    pub(super) completed: u64,
    pub(super) failed: u64,
    pub(super) last_completed: Option<Instant>,
    pub(super) last_duration: Option<Duration>,
}

impl Checkpoints {
    pub(super) fn new(job: &JobConfig) -> Self {
        Self {
            interval: job.checkpoint_interval,
            timeout: job.checkpoint_timeout,
            min_pause: job.checkpoint_min_pause,
            next: Instant::now(),
            in_flight: None,
            stats: CheckpointStats::default(),
        }
    }

    pub(super) const fn stats(&self) -> CheckpointStats {
        self.stats
    }

    /// Whether a commit is not answered yet.
    pub(super) const fn is_in_flight(&self) -> bool {
        self.in_flight.is_some()
    }

    /// Makes a checkpoint of every task when it is time, and commits those whose dead letters are durable.
    pub(super) fn advance(&mut self, pairs: &mut [Pair], consumer: &BaseConsumer<Group>, topics: &Topics) {
        let now = Instant::now();
        if let Some(in_flight) = &self.in_flight {
            if now - in_flight.begun < self.timeout {
                return;
            }
            tracing::warn!(seconds = self.timeout.as_secs(), "a commit was not answered; the next one follows");
            self.finish(false);
        }
        let is_due = now >= self.next;
        for pair in pairs.iter_mut() {
            if (is_due || pair.is_new) && pair.due.is_none() {
                pair.due = pair.task.checkpoint();
                pair.is_new &= pair.due.is_none();
            }
        }
        if is_due {
            self.next = now + self.interval;
        }
        self.commit(pairs, consumer, topics);
    }

    /// Makes and commits a last checkpoint now, whatever the interval.
    pub(super) fn force(&mut self, pairs: &mut [Pair], consumer: &BaseConsumer<Group>, topics: &Topics) {
        for pair in pairs.iter_mut() {
            pair.due = pair.task.checkpoint();
        }
        self.commit(pairs, consumer, topics);
    }

    /// Commits what may be committed and differs from what was.
    fn commit(&mut self, pairs: &mut [Pair], consumer: &BaseConsumer<Group>, topics: &Topics) {
        let mut list = TopicPartitionList::new();
        let mut committing = Vec::new();
        for pair in pairs {
            let Some(checkpoint) = pair.due.filter(|checkpoint| pair.task.may_commit(checkpoint)) else { continue };
            pair.due = None;
            if pair.committed.is_some_and(|committed| committed.partitions == checkpoint.partitions) {
                continue;
            }
            for side in Side::BOTH {
                let partition = &checkpoint.partitions[side as usize];
                let mut element = list.add_partition(topics.name(side), pair.partition);
                element.set_metadata(partition.metadata());
                // An offset is never one of the special negative numbers.
                let _ = element.set_offset(Offset::Offset(partition.low_offset));
            }
            committing.push((pair.id, checkpoint));
        }
        if committing.is_empty() {
            return;
        }
        crash_point!("before-commit");
        self.in_flight = Some(InFlight { begun: Instant::now(), pairs: committing });
        if let Err(error) = commit_async(consumer, &list) {
            self.failed(&error);
        }
    }

    /// The answer to the commit in flight.
    pub(super) fn on_result(&mut self, result: KafkaResult<()>, pairs: &mut [Pair]) {
        match result {
            Err(error) => self.failed(&error),
            Ok(()) => {
                crash_point!("after-commit");
                let committed = self.finish(true);
                for (id, checkpoint) in committed {
                    if let Some(pair) = pairs.iter_mut().find(|pair| pair.id == id) {
                        pair.committed = Some(checkpoint);
                    }
                }
            }
        }
    }

    fn failed(&mut self, error: &KafkaError) {
        // Expected while partitions move; the next one follows, and until then the last one stands.
        tracing::warn!(%error, "a commit failed; the next one follows");
        self.finish(false);
    }

    fn finish(&mut self, success: bool) -> Vec<(TaskId, Checkpoint)> {
        let Some(in_flight) = self.in_flight.take() else { return Vec::new() };
        let now = Instant::now();
        self.next = self.next.max(now + self.min_pause);
        if success {
            self.stats.completed += 1;
            self.stats.last_completed = Some(now);
            self.stats.last_duration = Some(now - in_flight.begun);
        } else {
            self.stats.failed += 1;
        }
        in_flight.pairs
    }
}
