//! Snapshots: the status of a worker, published a few times a second.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use ctr_domain::ledger::Ledger;
pub use ctr_domain::shell::{CommitWait, WaitReason};
use ctr_domain::side::BySide;
use ctr_domain::task::Firings;
use serde::Serialize;

use crate::histogram::Histogram;

/// How many recent checkpoints and dead letters are kept.
pub const REMEMBERED: usize = 10;

/// Adds the newest item; the oldest is dropped if there are [`REMEMBERED`] already.
pub(crate) fn remember<T>(recent: &mut VecDeque<T>, newest: T) {
    if recent.len() == REMEMBERED {
        recent.pop_front();
    }
    recent.push_back(newest);
}

/// One partition of one topic.
#[derive(Debug, Clone)]
pub struct PartitionStatus {
    /// The topic.
    pub topic: String,
    /// Its number.
    pub partition: i32,
    /// The next offset to read.
    pub position: i64,
    /// The committed offset of this lifetime.
    pub low_offset: Option<i64>,
    /// Its watermark, epoch ms.
    pub watermark: Option<i64>,
    /// The largest event time so far, epoch ms.
    pub maximum: Option<i64>,
    /// Whether all existing records have been read.
    pub at_end: bool,
    /// Whether it no longer holds back the watermark of its pair.
    pub idle: bool,
    /// Why it is not read.
    pub waits_for: Option<WaitReason>,
    /// Windows its pair holds.
    pub open_windows: usize,
}

/// A record that became a dead letter. Of its payload only the part quoted in the message.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RecentLetter {
    /// When it was read, epoch ms.
    pub read_at: i64,
    /// Its topic.
    pub topic: String,
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// The reason, as in the dead letter.
    pub code: &'static str,
    /// The reason, for people.
    pub message: String,
}

/// The dead letters of a worker.
#[derive(Debug, Clone, Default)]
pub struct LetterStatus {
    /// Not handed to the producer yet.
    pub waiting: usize,
    /// Whether they cannot be written.
    pub failing: bool,
    /// The last ones, oldest first.
    pub recent: VecDeque<RecentLetter>,
}

/// A completed checkpoint.
#[derive(Debug, Clone, Copy)]
pub struct PastCheckpoint {
    /// When the broker's response arrived, or the commit was abandoned.
    pub ended: Instant,
    /// Whether the broker accepted it.
    pub completed: bool,
    /// Pairs of partitions in it.
    pub pairs: usize,
    /// How long it waited for dead letters to be durable.
    pub waited_for_letters: Duration,
    /// How long the broker took to respond.
    pub waited_for_broker: Duration,
}

impl PastCheckpoint {
    /// From taking it to the broker's response.
    #[must_use]
    pub fn duration(&self) -> Duration {
        self.waited_for_letters + self.waited_for_broker
    }
}

/// The checkpoints of a worker.
#[derive(Debug, Clone)]
pub struct CheckpointStatus {
    /// The last ones, oldest first.
    pub recent: VecDeque<PastCheckpoint>,
    /// When everything was last known to be committed.
    pub current_at: Instant,
    /// What the next one is waiting for.
    pub waits_for: Option<CommitWait>,
}

/// Totals of a worker since it started: counters that only grow.
#[derive(Debug, Clone, Default)]
pub struct WorkerTotals {
    /// Outcomes of all records it has read, by topic, including partitions it no longer has.
    pub ledgers: BySide<Ledger>,
    /// Windows sent.
    pub firings: Firings,
    /// Duration of handing rows to the sink, of its rounds with due rows.
    pub firing_durations: Histogram,
    /// Dead letters acknowledged.
    pub letters_written: u64,
    /// Commits acknowledged.
    pub checkpoints_completed: u64,
    /// Commits that failed or were not answered.
    pub checkpoints_failed: u64,
    /// How long the acknowledged ones took.
    pub checkpoint_durations: Histogram,
    /// Time in which it did not read, by [`WaitReason::ALL`].
    pub waited: [Duration; WaitReason::ALL.len()],
    /// Starts that were not plain continuations.
    pub recoveries: u64,
    /// Records that retention removed before their counts were known to be in the tables: an upper bound of those
    /// missing there.
    pub records_lost: u64,
}

impl WorkerTotals {
    /// Adds other totals to these.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.ledgers.0.iter_mut().zip(&other.ledgers.0) {
            mine.add(theirs);
        }
        for (mine, theirs) in self.waited.iter_mut().zip(other.waited) {
            *mine += theirs;
        }
        self.firings.add(other.firings);
        self.firing_durations.add(&other.firing_durations);
        self.letters_written += other.letters_written;
        self.checkpoints_completed += other.checkpoints_completed;
        self.checkpoints_failed += other.checkpoints_failed;
        self.checkpoint_durations.add(&other.checkpoint_durations);
        self.recoveries += other.recoveries;
        self.records_lost += other.records_lost;
    }

    /// The ledger of all records of both topics.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        let mut sum = Ledger::default();
        self.ledgers.0.iter().for_each(|ledger| sum.add(ledger));
        sum
    }
}

/// One worker.
#[derive(Debug, Clone)]
pub struct WorkerStatus {
    /// Whether the group has given it an assignment, possibly empty.
    pub joined: bool,
    /// Pairs that have not passed their positions yet.
    pub replaying: usize,
    /// Its partitions.
    pub partitions: Vec<PartitionStatus>,
    /// Its totals.
    pub totals: WorkerTotals,
    /// Its dead letters.
    pub letters: LetterStatus,
    /// Its checkpoints.
    pub checkpoints: CheckpointStatus,
    /// When this was published.
    pub seen: Instant,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_ten_are_remembered() {
        let mut recent = VecDeque::new();
        (0..1_000).for_each(|number| remember(&mut recent, number));
        assert_eq!(recent, (990..1_000).collect::<Vec<_>>());
    }
}
