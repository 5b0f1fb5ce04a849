//! Checkpoints of a worker's tasks: asynchronous commits, one at a time.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use ctr_domain::checkpoint::Checkpoint;
use ctr_domain::task::Side;
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::{Offset, TopicPartitionList};

use super::group::Group;
use super::pair::{Pair, pair_of};
use crate::config::JobConfig;
use crate::crash_point::crash_point;
use crate::logging::Repeats;
use crate::sink::TaskId;
use crate::source::assignment::Topics;
use crate::source::commit::commit_async;
use crate::status::histogram::Histogram;
use crate::status::snapshot::{CheckpointStatus, CheckpointWait, PastCheckpoint, REMEMBERED, WorkerTotals};

/// Commits that fail, fail often.
static FAILURES: Repeats = Repeats::new();

/// When checkpoints are made, and what became of them.
#[derive(Debug)]
pub(super) struct Checkpoints {
    interval: Duration,
    timeout: Duration,
    min_pause: Duration,
    next: Instant,
    in_flight: Option<InFlight>,
    past: Past,
}

#[derive(Debug)]
struct InFlight {
    /// When the oldest checkpoint in it was taken.
    taken: Instant,
    begun: Instant,
    pairs: Vec<(TaskId, Checkpoint)>,
}

/// What became of checkpoints so far.
#[derive(Debug)]
struct Past {
    completed: u64,
    failed: u64,
    durations: Histogram,
    recent: VecDeque<PastCheckpoint>,
    /// When all there was to commit was last known to be committed.
    current_at: Instant,
}

impl Checkpoints {
    pub(super) fn new(job: &JobConfig) -> Self {
        Self {
            interval: job.checkpoint_interval,
            timeout: job.checkpoint_timeout,
            min_pause: job.checkpoint_min_pause,
            next: Instant::now(),
            in_flight: None,
            past: Past {
                completed: 0,
                failed: 0,
                durations: Histogram::default(),
                recent: VecDeque::with_capacity(REMEMBERED),
                current_at: Instant::now(),
            },
        }
    }

    /// What the checkpoints show of themselves.
    pub(super) fn status(&self, pairs: &[Pair]) -> CheckpointStatus {
        let waits_for = if self.in_flight.is_some() {
            Some(CheckpointWait::Broker)
        } else {
            pairs.iter().any(|pair| pair.due.is_some()).then_some(CheckpointWait::DeadLetters)
        };
        // One pair that waits makes all of it old, whatever the others have committed meanwhile.
        let oldest_due = pairs.iter().filter_map(|pair| pair.due.map(|(_, taken)| taken)).min();
        let current_at = oldest_due.map_or(self.past.current_at, |due| due.min(self.past.current_at));
        CheckpointStatus { recent: self.past.recent.clone(), current_at, waits_for }
    }

    /// Writes what became of them into `totals`.
    pub(super) fn account(&self, totals: &mut WorkerTotals) {
        totals.checkpoints_completed = self.past.completed;
        totals.checkpoints_failed = self.past.failed;
        totals.checkpoint_durations = self.past.durations;
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
            tracing::warn!(
                duration_seconds = self.timeout.as_secs(),
                "a commit was not answered; the next one follows"
            );
            self.finish(false);
        }
        let is_due = now >= self.next;
        for pair in pairs.iter_mut() {
            if (is_due || pair.is_new) && pair.due.is_none() {
                pair.due = pair.task.checkpoint().map(|checkpoint| (checkpoint, now));
                pair.is_new &= pair.due.is_none();
            }
        }
        if is_due {
            self.next = now + self.interval;
        }
        let all_taken = is_due && pairs.iter_mut().all(|pair| pair.task.is_replayed());
        self.commit(pairs, consumer, topics);
        if all_taken && self.in_flight.is_none() && pairs.iter().all(|pair| pair.due.is_none()) {
            // Nothing has changed since the last commit.
            self.past.current_at = now;
        }
    }

    /// Makes and commits a last checkpoint now, whatever the interval.
    pub(super) fn force(&mut self, pairs: &mut [Pair], consumer: &BaseConsumer<Group>, topics: &Topics) {
        for pair in pairs.iter_mut() {
            pair.due = pair.task.checkpoint().map(|checkpoint| (checkpoint, Instant::now()));
        }
        self.commit(pairs, consumer, topics);
    }

    /// Commits what may be committed and differs from what was.
    fn commit(&mut self, pairs: &mut [Pair], consumer: &BaseConsumer<Group>, topics: &Topics) {
        let mut list = TopicPartitionList::new();
        let (mut committing, now) = (Vec::new(), Instant::now());
        let mut oldest = now;
        for pair in pairs {
            let due = pair.due.filter(|(checkpoint, _)| pair.task.may_commit(checkpoint));
            let Some((checkpoint, taken)) = due else { continue };
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
            oldest = oldest.min(taken);
        }
        if committing.is_empty() {
            return;
        }
        crash_point!("before-commit");
        self.in_flight = Some(InFlight { taken: oldest, begun: now, pairs: committing });
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
                    if let Some(pair) = pair_of(pairs, id) {
                        pair.committed = Some(checkpoint);
                    }
                }
            }
        }
    }

    fn failed(&mut self, error: &KafkaError) {
        // Expected while partitions move; the next one follows, and until then the last one stands.
        if let Some(unsaid) = FAILURES.next(&error.to_string()) {
            tracing::warn!(%error, unsaid, "a commit failed; the next one follows");
        }
        self.finish(false);
    }

    fn finish(&mut self, success: bool) -> Vec<(TaskId, Checkpoint)> {
        let Some(in_flight) = self.in_flight.take() else { return Vec::new() };
        let now = Instant::now();
        self.next = self.next.max(now + self.min_pause);
        let past = PastCheckpoint {
            ended: now,
            completed: success,
            pairs: in_flight.pairs.len(),
            waited_for_letters: in_flight.begun - in_flight.taken,
            waited_for_broker: now - in_flight.begun,
        };
        self.past.note(past);
        in_flight.pairs
    }
}

impl Past {
    fn note(&mut self, checkpoint: PastCheckpoint) {
        if checkpoint.completed {
            self.completed += 1;
            self.current_at = checkpoint.ended;
            self.durations.observe(checkpoint.duration());
        } else {
            self.failed += 1;
        }
        if self.recent.len() == REMEMBERED {
            self.recent.pop_front();
        }
        self.recent.push_back(checkpoint);
    }
}
