//! A pair of partitions being read: its counter, and what it waits for.

use std::collections::BTreeSet;

use super::TaskId;
use super::counter::Counter;
use crate::checkpoint::Checkpoint;
use crate::side::BySide;

/// One pair of partitions, read by one worker.
#[derive(Debug)]
pub struct Pair<T> {
    pub(super) id: TaskId,
    pub(super) partition: i32,
    pub(super) counter: T,
    pub(super) letters: LetterReceipts,
    /// A checkpoint that waits for dead letters, or for the previous commit.
    pub(super) due: Option<Due>,
    /// The group's commits of this lifetime.
    pub(super) committed: Option<Checkpoint>,
    /// Whether the first commit is still pending: it pins the start of partitions that had none.
    pub(super) is_new: bool,
    /// The number of the pending request for a log's end, and when it was sent.
    pub(super) question: Option<(u64, i64)>,
    /// Why reading of a side has stopped.
    pub(super) stopped: BySide<Option<String>>,
}

/// A checkpoint that was taken and not committed yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Due {
    pub(super) checkpoint: Checkpoint,
    pub(super) taken: i64,
}

impl<T: Counter> Pair<T> {
    pub(super) fn new(id: TaskId, partition: i32, counter: T, is_new: bool) -> Self {
        Self {
            id,
            partition,
            counter,
            letters: LetterReceipts::default(),
            due: None,
            committed: None,
            is_new,
            question: None,
            stopped: BySide::default(),
        }
    }

    /// This lifetime of the pair.
    #[must_use]
    pub const fn id(&self) -> TaskId {
        self.id
    }

    /// The number of both partitions.
    #[must_use]
    pub const fn partition(&self) -> i32 {
        self.partition
    }

    /// The counter of its records.
    #[must_use]
    pub const fn counter(&self) -> &T {
        &self.counter
    }

    /// The group's commits of this lifetime; `None` before the first one.
    #[must_use]
    pub const fn committed(&self) -> Option<&Checkpoint> {
        self.committed.as_ref()
    }

    /// Why reading of an assigned side has stopped; `None` if it has not.
    #[must_use]
    pub const fn stopped(&self) -> &BySide<Option<String>> {
        &self.stopped
    }

    /// A dead letter is durable.
    pub(super) fn acknowledge(&mut self, number: u64) {
        let letters = self.letters.note(number);
        self.counter.on_letters_acknowledged(letters);
    }
}

/// The acknowledged dead letters of one task: they may arrive in any order.
#[derive(Debug, Default)]
pub(super) struct LetterReceipts {
    contiguous: u64,
    beyond: BTreeSet<u64>,
}

impl LetterReceipts {
    /// Records one; returns how many, counted from the first without a gap, are now acknowledged.
    fn note(&mut self, number: u64) -> u64 {
        if number > self.contiguous {
            self.beyond.insert(number);
        }
        while self.beyond.remove(&(self.contiguous + 1)) {
            self.contiguous += 1;
        }
        self.contiguous
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_holds_back_what_was_acknowledged_beyond_it() {
        let mut receipts = LetterReceipts::default();
        assert_eq!(receipts.note(2), 0);
        assert_eq!(receipts.note(3), 0);
        assert_eq!(receipts.note(1), 3);
        assert_eq!(receipts.note(1), 3, "a second receipt changes nothing");
        assert_eq!(receipts.note(5), 3);
        assert_eq!(receipts.note(4), 5);
    }
}
