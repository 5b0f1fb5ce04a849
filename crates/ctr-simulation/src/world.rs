//! Everything around the owners of a pair of partitions: logs, clock, tables, commits, and the expected results.

use std::collections::BTreeSet;
use std::fmt;

use ctr_domain::checkpoint::PartitionCheckpoint;
use ctr_domain::recovery::FreshStart;
use ctr_domain::rules::{Deduplication, Rules};
use ctr_domain::side::{BySide, Side};

use crate::dice::Dice;
use crate::log::{Log, Traffic};
use crate::mutation::Mutation;
use crate::table::{Commits, DeadLetters, LetterId, Tables};
use crate::truth::{Era, Reach, Truth};
use crate::{history, shell_history};

/// The result, or the defect that a history has found, as text.
pub(crate) type Checked<T> = Result<T, String>;

/// The kind of a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Windows are let go only when both partitions have passed them: everything must be exact.
    Exact,
    /// End offsets are proved, so windows are closed early beside a silent partition.
    Early,
    /// Early, with one owner that never dies: what is missing in the table is in the dead letters, record by record.
    CalmEarly,
    /// Events outside the protocol: logs cut by retention, recreated topics, offsets set by a tool.
    Disaster,
    /// A group that starts at the end of its topics, and partitions that it encounters for the first time: at its first
    /// start, or because they were added while it was running or stopped.
    Added,
    /// One process with several pairs, whose brokers, sinks, coordinator and clock misbehave like real ones; then they
    /// stop misbehaving, and everything must complete.
    Shell,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Exact, Self::Early, Self::CalmEarly, Self::Disaster, Self::Added, Self::Shell];

    /// Steps in which things go wrong, at most.
    #[must_use]
    pub const fn steps(self) -> usize {
        match self {
            Self::Shell => shell_history::STEPS,
            _ => history::STEPS,
        }
    }

    pub(crate) const fn is_early(self) -> bool {
        matches!(self, Self::Early | Self::CalmEarly | Self::Shell)
    }

    pub(crate) const fn has_disasters(self) -> bool {
        matches!(self, Self::Disaster)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Exact => "exact",
            Self::Early => "early",
            Self::CalmEarly => "calm-early",
            Self::Disaster => "disaster",
            Self::Added => "added",
            Self::Shell => "shell",
        })
    }
}

/// An end offset that the broker returned as proof: for a side, for windows up to an end, requested when the log ended
/// there.
pub(crate) struct Proof {
    pub(crate) side: Side,
    pub(crate) up_to: i64,
    pub(crate) end_offset: i64,
}

pub(crate) struct World {
    pub(crate) kind: Kind,
    pub(crate) mutation: Option<Mutation>,
    pub(crate) rules: Rules,
    pub(crate) dice: Dice,
    pub(crate) traffic: Traffic,
    pub(crate) logs: BySide<Log>,
    pub(crate) now: i64,
    pub(crate) tables: Tables,
    pub(crate) letters: DeadLetters,
    pub(crate) commits: Commits,
    pub(crate) proofs: Vec<Proof>,
    pub(crate) era: Era,
    pub(crate) truth: Truth,
    /// The tables and the dead letters at the beginning of this era.
    pub(crate) tables_before: Tables,
    pub(crate) letters_before: BTreeSet<LetterId>,
    /// Where a partition without a commit starts.
    pub(crate) fresh: FreshStart,
    /// Whether the partition of each topic exists.
    pub(crate) present: BySide<bool>,
    /// Whether the next batch of each cannot be decompressed.
    pub(crate) unreadable: BySide<bool>,
    pub(crate) records_read: u64,
    /// How many of a hundred rows and dead letters in flight still arrive when their sender dies.
    pub(crate) arriving: usize,
    /// How many of a hundred row batches are written out of order, or again.
    pub(crate) shuffled: usize,
    /// In how many steps of a hundred producers write.
    pace: usize,
    busy: Side,
}

impl World {
    pub(crate) fn new(seed: u64, kind: Kind, mutation: Option<Mutation>) -> Self {
        let mut dice = Dice::new(seed);
        let traffic = Traffic::random(&mut dice);
        let mut logs = BySide([Log::random(&mut dice, &traffic, 0), Log::random(&mut dice, &traffic, 0)]);
        for log in &mut logs.0 {
            log.grow(dice.between(0, 60));
        }
        let deduplication = dice.pick(&[Deduplication::Off, Deduplication::EventId]);
        let rules = Rules { idle_hold_ms: 20_000, deduplication, ..Rules::default() };
        let era = Era::default();
        let truth = Truth::of(&logs, &era, deduplication == Deduplication::EventId);
        let now = dice.between(0, 1_000_000);
        let (arriving, shuffled) = (dice.pick(&[0, 40]), if kind.is_early() { 10 } else { dice.pick(&[10, 80]) });
        let (pace, busy) = (dice.pick(&[5, 15, 30]), dice.pick(&Side::BOTH));
        let mut world = Self {
            kind,
            mutation,
            rules,
            dice,
            traffic,
            logs,
            now,
            tables: Tables::default(),
            letters: DeadLetters::default(),
            commits: Commits::default(),
            proofs: Vec::new(),
            era,
            truth,
            tables_before: Tables::default(),
            letters_before: BTreeSet::new(),
            fresh: FreshStart::Earliest,
            present: BySide([true; 2]),
            unreadable: BySide([false; 2]),
            records_read: 0,
            arriving,
            shuffled,
            pace,
            busy,
        };
        if kind == Kind::Added {
            world.meet_partitions();
        }
        world
    }

    /// For a group that starts at the end: the first start pins every existing partition before it reads anything. One
    /// without a commit was added since, and is read from its beginning.
    fn meet_partitions(&mut self) {
        let is_first_start = self.dice.chance(50);
        if !is_first_start {
            self.fresh = if self.is_mutated(Mutation::AddedAtEnd) { FreshStart::Latest } else { FreshStart::Earliest };
            return;
        }
        let ends = Side::BOTH.map(|side| self.logs[side].bounds().end);
        for (side, end) in Side::BOTH.into_iter().zip(ends) {
            self.era.reach[side] = Reach { first: end, position: end, lost: Vec::new() };
        }
        self.learn_truth();
        if self.is_mutated(Mutation::NotPinned) {
            self.fresh = FreshStart::Latest;
            return;
        }
        let partitions = ends.map(|end| PartitionCheckpoint::begin_at(end, self.rules.window_size));
        self.commits.apply(Commits::encode_partitions(&partitions));
    }

    pub(crate) fn is_mutated(&self, mutation: Mutation) -> bool {
        self.mutation == Some(mutation)
    }

    pub(crate) fn learn_truth(&mut self) {
        self.truth = Truth::of(&self.logs, &self.era, self.rules.deduplication == Deduplication::EventId);
    }

    /// Advances time, occasionally by a lot: a suspended process, a clock that was set.
    pub(crate) fn tick(&mut self) {
        self.now += match self.dice.below(100) {
            0 => self.dice.between(60_000, 600_000),
            1..=5 => self.dice.between(1_000, 10_000),
            _ => self.dice.between(0, 50),
        };
    }

    /// Whether the sink mostly writes batches in order.
    pub(crate) const fn is_sink_orderly(&self) -> bool {
        self.shuffled < 50
    }

    /// Producers write occasionally; for long periods mostly those of one side.
    pub(crate) fn grow(&mut self) {
        if !self.dice.chance(self.pace) {
            return;
        }
        if self.dice.chance(15) {
            self.busy = self.busy.twin();
        }
        let side = if self.dice.chance(80) { self.busy } else { self.busy.twin() };
        let entries = self.dice.between(1, 20);
        self.logs[side].grow(entries);
    }
}
