//! Everything that outlives the processes: the tables, the dead letter topic, the group's commits.

use std::collections::{BTreeMap, BTreeSet};

use ctr_domain::checkpoint::PartitionCheckpoint;
use ctr_domain::dead_letter::DeadLetterReason;
use ctr_domain::side::{BySide, Side};

use crate::mutation::Mutation;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Count {
    pub(crate) impressions: u64,
    pub(crate) clicks: u64,
}

impl Count {
    pub(crate) const fn sum(self) -> u64 {
        self.impressions + self.clicks
    }

    pub(crate) const fn is_within(self, bound: Self) -> bool {
        self.impressions <= bound.impressions && self.clicks <= bound.clicks
    }

    pub(crate) fn larger_of_each(self, other: Self) -> Self {
        Self { impressions: self.impressions.max(other.impressions), clicks: self.clicks.max(other.clicks) }
    }

    /// `ReplacingMergeTree(impressions + clicks)`: the larger version; of equal ones the last.
    pub(crate) const fn replaced_by(self, row: Self) -> Self {
        if row.sum() >= self.sum() { row } else { self }
    }
}

/// One result row, by product number and window end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    pub(crate) key: (u8, i64),
    pub(crate) count: Count,
}

/// The two ways in which the schema keeps the largest.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tables {
    /// `ctr_results_raw`.
    pub(crate) raw: BTreeMap<(u8, i64), Count>,
    /// `ctr_ml`.
    pub(crate) ml: BTreeMap<(u8, i64), Count>,
    /// Where a row has replaced one that had more of one count: see the limit at the end of `crash_table.rs`.
    pub(crate) rivals: BTreeSet<(u8, i64)>,
}

impl Tables {
    pub(crate) fn insert(&mut self, row: Row, mutation: Option<Mutation>) {
        let raw = self.raw.entry(row.key).or_default();
        if row.count.sum() >= raw.sum() && !raw.is_within(row.count) {
            self.rivals.insert(row.key);
        }
        *raw = if mutation == Some(Mutation::LastRowWins) { row.count } else { raw.replaced_by(row.count) };
        let ml = self.ml.entry(row.key).or_default();
        *ml = ml.larger_of_each(row.count);
    }

    pub(crate) fn raw(&self, key: (u8, i64)) -> Count {
        self.raw.get(&key).copied().unwrap_or_default()
    }

    pub(crate) fn ml(&self, key: (u8, i64)) -> Count {
        self.ml.get(&key).copied().unwrap_or_default()
    }
}

/// The identity of a dead letter; the number distinguishes a topic from one recreated under its name.
pub(crate) type LetterId = (Side, u32, i64);

#[derive(Debug, Clone)]
pub(crate) struct Letter {
    pub(crate) id: LetterId,
    pub(crate) reason: DeadLetterReason,
}

/// The dead letter topic, by identity.
#[derive(Debug, Default)]
pub(crate) struct DeadLetters(pub(crate) BTreeMap<LetterId, DeadLetterReason>);

impl DeadLetters {
    /// Keeps a dead letter. An existing one must be identical.
    pub(crate) fn send(&mut self, letter: &Letter) -> Result<(), String> {
        match self.0.get(&letter.id) {
            Some(known) if *known != letter.reason => {
                Err(format!("letter {:?} was sent as {known:?}, then as {:?}", letter.id, letter.reason))
            }
            Some(_) => Ok(()),
            None => {
                self.0.insert(letter.id, letter.reason.clone());
                Ok(())
            }
        }
    }
}

/// The commit of one partition, as Kafka keeps it.
pub(crate) type Committed = Option<(i64, String)>;

/// The group's commits, and those in flight.
#[derive(Debug, Default)]
pub(crate) struct Commits {
    pub(crate) current: BySide<Committed>,
    pub(crate) past: Vec<BySide<Committed>>,
    pub(crate) delayed: Vec<BySide<Committed>>,
}

impl Commits {
    pub(crate) fn encode_partitions(partitions: &[PartitionCheckpoint; 2]) -> BySide<Committed> {
        BySide(partitions.map(|partition| Some((partition.low_offset, partition.metadata()))))
    }

    pub(crate) fn apply(&mut self, commit: BySide<Committed>) {
        self.past.push(commit.clone());
        self.current = commit;
    }
}
