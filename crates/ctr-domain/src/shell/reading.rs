//! Reading: whether a partition may be read now, and how its records are handled.

use super::counter::Counter;
use super::fault::Upset;
use super::outbox::{Outbox, OutgoingLetter};
use super::pair::Pair;
use super::{Shell, TaskId};
use crate::checkpoint::RecordMark;
use crate::dead_letter::DeadLetterReason;
use crate::event::Event;
use crate::rejection::Rejection;
use crate::side::Side;
use crate::task::Outcome;

/// Why an assigned partition is not read. Waiting means not draining its queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitReason {
    /// ClickHouse does not respond.
    SinkUnavailable,
    /// Too many rows wait for ClickHouse.
    SinkFull,
    /// A dead letter was refused, and none has been accepted since.
    DeadLetters,
    /// Too many dead letters wait for Kafka.
    DeadLettersFull,
    /// It is more than `max-drift` ahead of its twin.
    Drift,
    /// A record in it cannot be read; the other partitions continue.
    Unreadable,
    /// The worker is stopping.
    Stopping,
}

impl WaitReason {
    /// All of them, in the order of all arrays by reason.
    pub const ALL: [Self; 7] = [
        Self::SinkUnavailable,
        Self::SinkFull,
        Self::DeadLetters,
        Self::DeadLettersFull,
        Self::Drift,
        Self::Unreadable,
        Self::Stopping,
    ];

    /// For people.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::SinkUnavailable => "ClickHouse does not answer",
            Self::SinkFull => "rows wait for ClickHouse",
            Self::DeadLetters => "dead letters cannot be written",
            Self::DeadLettersFull => "dead letters wait for Kafka",
            Self::Drift => "far ahead of the other topic",
            Self::Unreadable => "a batch of it cannot be read",
            Self::Stopping => "the worker stops",
        }
    }

    /// For machines: the label value.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::SinkUnavailable => "sink_unavailable",
            Self::SinkFull => "sink_full",
            Self::DeadLetters => "dead_letters",
            Self::DeadLettersFull => "dead_letters_full",
            Self::Drift => "drift",
            Self::Unreadable => "unreadable",
            Self::Stopping => "stopping",
        }
    }
}

/// The outcome of a record, for the driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// It made a count grow.
    Counted,
    /// Its event ID had already been counted.
    Duplicate,
    /// An earlier run accounted for it.
    Replayed,
    /// It must be kept as a dead letter: create one for this task with this number, and pass it to [`Reading::keep`].
    Keep {
        /// The task that issues it.
        task: TaskId,
        /// Its number within the task.
        number: u64,
        /// Why it is not counted.
        reason: DeadLetterReason,
    },
    /// Nothing more can be read here: call [`Shell::on_upset`].
    Upset(Upset),
}

/// A partition whose batch is being read.
#[derive(Debug)]
pub struct Reading<'a, L, T> {
    pair: &'a mut Pair<T>,
    outbox: &'a mut Outbox<L>,
    side: Side,
}

impl<L: OutgoingLetter, T: Counter> Shell<L, T> {
    /// Whether a side of a pair may be read now.
    ///
    /// # Errors
    ///
    /// The reason why not.
    pub fn may_read(&self, index: usize, side: Side) -> Result<(), WaitReason> {
        let Some(pair) = self.pairs.get(index) else { return Err(WaitReason::Stopping) };
        if let Some(reason) = self.waits_for() {
            // A replay issues no dead letters, and it must progress before dead letters can be sent at all.
            let is_of_letters = matches!(reason, WaitReason::DeadLetters | WaitReason::DeadLettersFull);
            if !is_of_letters || !pair.counter.is_replaying(side) {
                return Err(reason);
            }
        }
        if pair.stopped[side].is_some() {
            return Err(WaitReason::Unreadable);
        }
        // A replay does not wait for the twin: it reads again what an earlier run had read and held, and what holds back
        // the twin (dead letters, a transaction that stays open) may last.
        if pair.counter.is_ahead(side) && !pair.counter.is_replaying(side) {
            return Err(WaitReason::Drift);
        }
        Ok(())
    }

    /// What prevents the whole worker from reading.
    #[must_use]
    pub fn waits_for(&self) -> Option<WaitReason> {
        if self.is_stopping {
            Some(WaitReason::Stopping)
        } else if !self.sink.is_available {
            Some(WaitReason::SinkUnavailable)
        } else if !self.sink.has_room {
            Some(WaitReason::SinkFull)
        } else if self.letters_fail() {
            Some(WaitReason::DeadLetters)
        } else if !self.letters_have_room() {
            Some(WaitReason::DeadLettersFull)
        } else {
            None
        }
    }

    /// Takes a batch of one side that arrived at `now`. `None` if the pair was dropped.
    pub fn read(&mut self, index: usize, side: Side, now: i64) -> Option<Reading<'_, L, T>> {
        let pair = self.pairs.get_mut(index)?;
        pair.counter.on_arrival(side, now);
        Some(Reading { pair, outbox: &mut self.outbox, side })
    }
}

impl<L: OutgoingLetter, T: Counter> Reading<'_, L, T> {
    /// Takes the next record.
    #[inline]
    pub fn record(&mut self, record: RecordMark, event: Result<Event<'_>, Rejection>) -> Step {
        let expected = self.pair.counter.position(self.side);
        match self.pair.counter.on_event(self.side, record, event) {
            Outcome::Counted => Step::Counted,
            Outcome::Duplicate => Step::Duplicate,
            Outcome::Replayed => Step::Replayed,
            Outcome::DeadLetter(reason) => {
                Step::Keep { task: self.pair.id, number: self.pair.counter.letters_issued(), reason }
            }
            Outcome::Rewind => Step::Upset(Upset::Rewind { offset: record.offset, expected }),
            Outcome::AnotherLog => Step::Upset(Upset::AnotherLog),
        }
    }

    /// Everything before this offset has been read, and nothing more is visible yet.
    pub fn end(&mut self, offset: i64) {
        self.pair.counter.on_partition_end(self.side, offset);
    }

    /// Takes a dead letter that was requested.
    pub fn keep(&mut self, letter: L) {
        self.outbox.push(letter);
    }
}
