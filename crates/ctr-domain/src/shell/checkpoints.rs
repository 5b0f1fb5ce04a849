//! Checkpoints: asynchronous commits, one at a time, each with its own number.

use std::collections::VecDeque;

use super::counter::{Counter, Flaw};
use super::outbox::OutgoingLetter;
use super::pair::{Due, Pair};
use super::{Command, Notice, Shell, TaskId};
use crate::checkpoint::Checkpoint;
use crate::side::Side;

/// One commit. Numbers are never reused, so a late result is never attributed to a later commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CommitId(
    /// The number.
    pub u64,
);

/// What a checkpoint waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitWait {
    /// Dead letters that are not durable yet.
    DeadLetters,
    /// The broker's response.
    Broker,
}

impl CommitWait {
    /// For people.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::DeadLetters => "dead letters",
            Self::Broker => "the broker's answer",
        }
    }
}

/// A completed commit. Times are those of the shell's clock, ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PastCommit {
    /// When the result arrived, or the commit was abandoned.
    pub ended: i64,
    /// Whether the broker accepted it.
    pub completed: bool,
    /// Number of pairs of partitions in it.
    pub pairs: usize,
    /// How long it waited for dead letters to be durable.
    pub waited_for_letters: i64,
    /// How long the broker took to respond.
    pub waited_for_broker: i64,
}

/// When checkpoints are taken, and their outcomes.
#[derive(Debug, Default)]
pub(super) struct Checkpoints {
    /// No checkpoint is taken before this time.
    next: i64,
    in_flight: Option<InFlight>,
    /// Completed commits that have not been retrieved yet.
    past: VecDeque<PastCommit>,
    /// When everything was last known to be committed.
    current_at: i64,
    /// Whether nothing is left to commit after a stop, and no commit is in flight.
    pub(super) is_final: bool,
}

#[derive(Debug)]
struct InFlight {
    id: CommitId,
    /// When the oldest checkpoint in it was taken.
    taken: i64,
    begun: i64,
    pairs: Vec<(TaskId, Checkpoint)>,
}

impl Checkpoints {
    /// Allows the next checkpoint immediately.
    pub(super) fn make_due(&mut self, now: i64) {
        self.next = self.next.min(now);
    }
}

impl<L: OutgoingLetter, T: Counter> Shell<L, T> {
    /// Takes a checkpoint of every task when it is due, and commits those whose dead letters are durable.
    pub(super) fn advance_checkpoints(&mut self, now: i64) {
        if let Some(in_flight) = &self.checkpoints.in_flight {
            if now - in_flight.begun < self.settings.checkpoint_timeout {
                return;
            }
            let seconds = self.settings.checkpoint_timeout / 1_000;
            self.end_commit(false, now, Some(format!("no answer within {seconds} s")));
        }
        let is_due = now >= self.checkpoints.next;
        if self.is_stopping {
            if is_due && self.is_settled() && !self.checkpoints.is_final {
                self.take_checkpoints(now, true);
                self.checkpoints.is_final = !self.commit(now);
            }
            return;
        }
        self.take_checkpoints(now, is_due);
        if is_due {
            self.checkpoints.next = now + self.settings.checkpoint_interval;
        }
        let all_taken = is_due && self.pairs.iter_mut().all(|pair| pair.counter.is_replayed());
        if !self.commit(now) && all_taken && self.pairs.iter().all(|pair| pair.due.is_none()) {
            // Nothing has changed since the last commit.
            self.checkpoints.current_at = now;
        }
    }

    fn take_checkpoints(&mut self, now: i64, is_due: bool) {
        let renews = self.is_stopping;
        for pair in &mut self.pairs {
            if (is_due || pair.is_new) && (pair.due.is_none() || renews) {
                pair.due = pair.counter.checkpoint().map(|checkpoint| Due { checkpoint, taken: now });
                pair.is_new &= pair.due.is_none();
            }
        }
    }

    /// Commits the checkpoints that may be committed and have changed; false if there are none.
    fn commit(&mut self, now: i64) -> bool {
        let (mut partitions, mut pairs, mut taken) = (Vec::new(), Vec::new(), now);
        for pair in &mut self.pairs {
            let Pair { due, counter, .. } = pair;
            let Some(Due { checkpoint, taken: since }) = due.take_if(|due| counter.may_commit(&due.checkpoint)) else {
                continue;
            };
            if pair.committed.is_some_and(|committed| committed.partitions == checkpoint.partitions) {
                continue;
            }
            partitions.push((pair.partition, checkpoint.partitions));
            pairs.push((pair.id, checkpoint));
            taken = taken.min(since);
        }
        if pairs.is_empty() {
            return false;
        }
        let id = CommitId(self.next_id());
        self.checkpoints.in_flight = Some(InFlight { id, taken, begun: now, pairs });
        self.commands.push(Command::Commit { id, partitions });
        true
    }

    /// Handles the result of a commit. The result of an abandoned commit says nothing about the one in flight.
    pub fn on_commit_answer(&mut self, id: CommitId, answer: Result<(), String>, now: i64) {
        let is_its_own = self.checkpoints.in_flight.as_ref().is_some_and(|in_flight| in_flight.id == id);
        if is_its_own || self.breaks(Flaw::AnyAnswerIsTheLast) {
            self.end_commit(answer.is_ok(), now, answer.err());
        }
    }

    fn end_commit(&mut self, completed: bool, now: i64, failure: Option<String>) {
        let Some(in_flight) = self.checkpoints.in_flight.take() else { return };
        if let Some(reason) = failure {
            // Expected while partitions move; the next commit follows, and until then the previous one remains valid.
            self.commands.push(Command::Tell(Notice::CommitFailed { reason }));
        }
        let pause = if self.is_stopping && !completed { self.settings.retry_delay / 10 } else { 0 };
        let checkpoints = &mut self.checkpoints;
        checkpoints.next = checkpoints.next.max(now + self.settings.checkpoint_min_pause).max(now + pause);
        if self.is_stopping && completed {
            checkpoints.next = now;
        }
        if completed {
            checkpoints.current_at = now;
        }
        checkpoints.past.push_back(PastCommit {
            ended: now,
            completed,
            pairs: in_flight.pairs.len(),
            waited_for_letters: in_flight.begun - in_flight.taken,
            waited_for_broker: now - in_flight.begun,
        });
        for (task, checkpoint) in in_flight.pairs.into_iter().filter(|_| completed) {
            if let Some(pair) = self.pair_of(task) {
                pair.committed = Some(checkpoint);
            }
        }
    }

    /// The next completed commit that has not been retrieved yet.
    pub fn next_past_commit(&mut self) -> Option<PastCommit> {
        self.checkpoints.past.pop_front()
    }

    /// What the next commit waits for.
    #[must_use]
    pub fn commit_waits_for(&self) -> Option<CommitWait> {
        if self.checkpoints.in_flight.is_some() {
            return Some(CommitWait::Broker);
        }
        self.pairs.iter().any(|pair| pair.due.is_some()).then_some(CommitWait::DeadLetters)
    }

    /// When everything was last committed: one waiting pair makes the whole age.
    #[must_use]
    pub fn committed_at(&self) -> i64 {
        let oldest_due = self.pairs.iter().filter_map(|pair| pair.due.map(|due| due.taken)).min();
        oldest_due.unwrap_or(i64::MAX).min(self.checkpoints.current_at)
    }

    /// The committed offset of a side of a pair in this lifetime.
    #[must_use]
    pub fn low_offset(&self, index: usize, side: Side) -> Option<i64> {
        let committed = self.pairs.get(index)?.committed?;
        Some(committed.partitions[side as usize].low_offset)
    }
}
