//! Takeover: from the group's assignment to pairs being read.
//!
//! The group assigns the partitions; the brokers return their commits and log bounds. Both are requested without
//! waiting, so a worker still polls, responds and stops during a takeover.

use std::collections::{BTreeMap, BTreeSet};

use super::counter::Counter;
use super::fault::Fault;
use super::outbox::OutgoingLetter;
use super::pair::Pair;
use super::{Command, Notice, Shell, TaskId};
use crate::recovery::{Commit, FreshStart, LogBounds, PartitionStart, RecoveryNotice, made_anew, recover};
use crate::side::{BySide, Side};

/// The topic whose partitions decide which pairs are ours. While both topics have the same partitions it makes no
/// difference; while one has more, the group may assign the partitions of a pair to two members, and exactly one of
/// them must read both.
const DECIDING: Side = Side::Clicks;

/// If all partitions are taken over twice within this time, the second takeover waits for the retry delay.
const SOON: i64 = 10_000;

/// Time after which an unreadable partition is retried, together with all others: they replay, so not often. The cause
/// may be gone by then: retention has removed the batch, or an operator has set the group's offset past it.
const TRY_AGAIN: i64 = 10 * 60_000;

/// How often, in retry delays, missing partitions are checked again.
const PATIENCE: i64 = 3;

/// One request for facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FactsId(
    /// The number.
    pub u64,
);

/// The group's commit for a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommittedOffset {
    /// The committed offset.
    pub offset: i64,
    /// Its metadata; empty if it has none.
    pub metadata: String,
}

/// The brokers' facts about a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionFacts {
    /// Its topic.
    pub side: Side,
    /// Its number.
    pub partition: i32,
    /// Whether it exists.
    pub presence: Presence,
}

/// Whether a partition exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presence {
    /// It exists.
    There {
        /// The group's commit for it.
        commit: Option<CommittedOffset>,
        /// The bounds of its log, including open transactions.
        log: LogBounds,
    },
    /// The topic, or this partition, does not exist.
    Absent,
}

/// A pair to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairStart {
    /// Its lifetime.
    pub task: TaskId,
    /// The partition of both topics.
    pub partition: i32,
    /// Where each side starts.
    pub starts: BySide<PartitionStart>,
}

/// Progress of the takeover.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Stage {
    /// The group has not assigned anything.
    #[default]
    None,
    /// Facts have to be requested.
    Due { at: i64 },
    /// Facts have been requested.
    Asked { id: FactsId, at: i64 },
    /// The existing pairs are being read.
    Done,
    /// They are being read, and the missing ones have been requested again.
    Looking { id: FactsId, at: i64 },
}

/// The assigned partitions, and the known facts about them.
#[derive(Debug, Default)]
pub(super) struct Takeover {
    stage: Stage,
    began: i64,
    assigned: Vec<i32>,
    /// Pairs with one missing partition.
    without_twin: Vec<i32>,
    look_again: i64,
    taken_again: Option<i64>,
    /// When unreadable partitions are retried.
    try_again: Option<i64>,
    /// The commits with which the pairs started.
    begun_with: BTreeMap<i32, BySide<Option<CommittedOffset>>>,
    /// Pairs that continue with the commits they started with: later ones may already refer to the new log, and taking
    /// each side from a different commit would mix two checkpoints.
    kept: BTreeMap<i32, BySide<Option<CommittedOffset>>>,
    /// Partitions whose log turned out to be a different one than their commit refers to.
    recreated: BTreeSet<(Side, i32)>,
}

impl Takeover {
    /// Nothing is assigned any more.
    pub(super) fn revoke(&mut self) {
        *self = Self::default();
    }

    /// A partition cannot be read.
    pub(super) fn note_stopped(&mut self, now: i64) {
        self.try_again.get_or_insert(now + TRY_AGAIN);
    }

    fn start(
        &self,
        facts: &BySide<(Option<CommittedOffset>, LogBounds)>,
        side: Side,
        partition: i32,
        rules: &crate::rules::Rules,
    ) -> Result<(PartitionStart, Option<RecoveryNotice>), Fault> {
        let (commit, log) = &facts[side];
        if let Some(commit) = commit
            && self.recreated.contains(&(side, partition))
        {
            let (start, notice) = made_anew(commit.offset, *log);
            return Ok((start, Some(notice)));
        }
        // A group's first start has committed a start for every partition that existed, so a partition without a commit
        // was added since: it is read from its beginning, whatever the strategy.
        let commit = commit.as_ref().map(|commit| Commit { offset: commit.offset, metadata: &commit.metadata });
        recover(commit, *log, FreshStart::Earliest, rules).map_err(|source| Fault::Recovery { side, partition, source })
    }
}

impl<L: OutgoingLetter, T: Counter> Shell<L, T> {
    /// The group has assigned these partitions, and no others.
    pub fn on_assigned(&mut self, partitions: &[(Side, i32)], now: i64) {
        self.on_revoked();
        if self.is_stopping {
            return;
        }
        let mut assigned: Vec<i32> =
            partitions.iter().filter(|(side, _)| *side == DECIDING).map(|(_, partition)| *partition).collect();
        assigned.sort_unstable();
        let stage = if assigned.is_empty() { Stage::Done } else { Stage::Due { at: now } };
        self.takeover = Takeover { stage, began: now, assigned, ..Takeover::default() };
        self.advance_takeover(now);
    }

    /// Takes all partitions over again from the last commits.
    pub(super) fn take_again(&mut self, recreated: Option<(Side, i32)>, now: i64) {
        // A finding about a log remains valid until a commit of this lifetime replaces the one that referred to another
        // log.
        for pair in self.pairs.iter().filter(|pair| pair.committed.is_some()) {
            self.takeover.kept.remove(&pair.partition);
            self.takeover.recreated.retain(|(_, partition)| *partition != pair.partition);
        }
        let takeover = &mut self.takeover;
        if let Some((side, partition)) = recreated {
            takeover.recreated.insert((side, partition));
            let is_first_life = !self.pairs.iter().any(|pair| pair.partition == partition && pair.committed.is_some());
            if let Some(commits) = takeover.begun_with.get(&partition).filter(|_| is_first_life) {
                takeover.kept.insert(partition, commits.clone());
            }
        }
        let soon = takeover.taken_again.is_some_and(|last| now - last < SOON) && recreated.is_none();
        takeover.taken_again = Some(now);
        takeover.try_again = None;
        takeover.stage = Stage::Due { at: if soon { now + self.settings.retry_delay } else { now } };
        takeover.began = now;
        self.drop_tasks();
        self.advance_takeover(now);
    }

    pub(super) fn advance_takeover(&mut self, now: i64) {
        if self.takeover.try_again.is_some_and(|at| now >= at) && self.has_joined() {
            return self.take_again(None, now);
        }
        let timeout = self.settings.ask_timeout;
        let partitions = match self.takeover.stage {
            Stage::Due { at } if now >= at => self.takeover.assigned.clone(),
            Stage::Asked { at, .. } if now - at >= timeout => self.takeover.assigned.clone(),
            Stage::Looking { at, .. } if now - at < timeout => return,
            Stage::Done | Stage::Looking { .. }
                if !self.takeover.without_twin.is_empty() && now >= self.takeover.look_again =>
            {
                let id = self.ask_facts(self.takeover.without_twin.clone());
                self.takeover.stage = Stage::Looking { id, at: now };
                return;
            }
            _ => return,
        };
        let id = self.ask_facts(partitions);
        self.takeover.stage = Stage::Asked { id, at: now };
    }

    fn ask_facts(&mut self, partitions: Vec<i32>) -> FactsId {
        let id = FactsId(self.next_id());
        self.commands.push(Command::AskFacts { id, partitions });
        id
    }

    /// Handles the brokers' response, or its failure. The response to an older request is ignored.
    pub fn on_facts(&mut self, id: FactsId, answer: Result<Vec<PartitionFacts>, String>, now: i64) {
        match (self.takeover.stage, answer) {
            (Stage::Asked { id: asked, .. }, Ok(facts)) if asked == id => self.take_over(&facts, now),
            (Stage::Asked { id: asked, .. }, Err(reason)) if asked == id => {
                self.takeover.stage = Stage::Due { at: now + self.settings.retry_delay };
                self.commands.push(Command::Tell(Notice::NoFacts { reason }));
            }
            (Stage::Looking { id: asked, .. }, answer) if asked == id => {
                self.takeover.stage = Stage::Done;
                self.takeover.look_again = now + PATIENCE * self.settings.retry_delay;
                let facts = answer.unwrap_or_default();
                if self.takeover.without_twin.iter().any(|partition| both(&facts, *partition).is_some()) {
                    self.take_again(None, now);
                }
            }
            _ => {}
        }
    }

    fn take_over(&mut self, facts: &[PartitionFacts], now: i64) {
        let assigned = self.takeover.assigned.clone();
        let (mut list, mut without_twin) = (Vec::new(), Vec::new());
        for partition in assigned {
            let Some(mut facts) = both(facts, partition) else {
                without_twin.push(partition);
                continue;
            };
            if let Some(kept) = self.takeover.kept.get(&partition) {
                for side in Side::BOTH {
                    facts[side].0.clone_from(&kept[side]);
                }
            }
            match self.take_pair(partition, &facts, now) {
                Ok(start) => list.push(start),
                Err(fault) => return self.commands.push(Command::GiveUp(fault)),
            }
        }
        let partitions = list.iter().map(|start| start.partition).collect();
        self.commands.push(Command::Assign(list));
        let took_ms = now - self.takeover.began;
        self.commands.push(Command::Tell(Notice::TakenOver { partitions, took_ms }));
        if !without_twin.is_empty() && self.takeover.without_twin != without_twin {
            self.commands.push(Command::Tell(Notice::WithoutTwin { partitions: without_twin.clone() }));
        }
        self.takeover.stage = Stage::Done;
        self.takeover.without_twin = without_twin;
        self.takeover.look_again = now + PATIENCE * self.settings.retry_delay;
    }

    fn take_pair(
        &mut self,
        partition: i32,
        facts: &BySide<(Option<CommittedOffset>, LogBounds)>,
        now: i64,
    ) -> Result<PairStart, Fault> {
        let mut starts = BySide([PartitionStart::at(0); 2]);
        for side in Side::BOTH {
            let (start, notice) = self.takeover.start(facts, side, partition, &self.rules)?;
            starts[side] = start;
            if let Some(notice) = notice {
                self.commands.push(Command::Tell(Notice::Recovery { side, partition, notice }));
            }
        }
        let commits = BySide(facts.0.each_ref().map(|(commit, _)| commit.clone()));
        let is_new = commits.0.iter().any(Option::is_none);
        self.takeover.begun_with.insert(partition, commits);
        let task = TaskId(self.next_id());
        let source_partition = u32::try_from(partition).unwrap_or_default();
        let counter = T::restore(self.broken, self.rules, source_partition, starts, now);
        self.pairs.push(Pair::new(task, partition, counter, is_new));
        Ok(PairStart { task, partition, starts })
    }

    /// Whether the group has assigned our partitions, possibly none, and the existing ones are being read.
    #[must_use]
    pub const fn has_joined(&self) -> bool {
        matches!(self.takeover.stage, Stage::Done | Stage::Looking { .. })
    }

    /// The assigned pairs that wait because one of their partitions does not exist.
    #[must_use]
    pub fn without_twin(&self) -> &[i32] {
        &self.takeover.without_twin
    }
}

/// The facts of a pair, if both of its partitions exist.
fn both(facts: &[PartitionFacts], partition: i32) -> Option<BySide<(Option<CommittedOffset>, LogBounds)>> {
    let of = |side: Side| {
        let found = facts.iter().find(|facts| facts.side == side && facts.partition == partition)?;
        match &found.presence {
            Presence::There { commit, log } => Some((commit.clone(), *log)),
            Presence::Absent => None,
        }
    };
    Some(BySide([of(Side::Impressions)?, of(Side::Clicks)?]))
}
