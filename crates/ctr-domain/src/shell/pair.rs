//! A pair of partitions at work: its counter, and what it waits for.

use std::collections::BTreeSet;

use super::TaskId;
use super::counter::Counter;
use crate::checkpoint::Checkpoint;
use crate::task::BySide;

/// One pair of partitions, read by one worker.
#[derive(Debug)]
pub struct Pair<T> {
    pub(super) id: TaskId,
    pub(super) partition: i32,
    pub(super) counter: T,
    pub(super) letters: LetterReceipts,
    /// A checkpoint that waits for dead letters, or for its turn.
    pub(super) due: Option<Due>,
    /// What the group has of this life.
    pub(super) committed: Option<Checkpoint>,
    /// Whether the first commit is still owed: it pins the start of partitions that had none.
    pub(super) is_new: bool,
    /// The number of the one question about a log's end that is not answered, and when it was asked.
    pub(super) question: Option<(u64, i64)>,
    /// Why a side is read no further.
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

    /// This life of the pair.
    #[must_use]
    pub const fn id(&self) -> TaskId {
        self.id
    }

    /// The number of both partitions.
    #[must_use]
    pub const fn partition(&self) -> i32 {
        self.partition
    }

    /// What counts its records.
    #[must_use]
    pub const fn counter(&self) -> &T {
        &self.counter
    }

    /// What the group has of this life; `None` before the first commit.
    #[must_use]
    pub const fn committed(&self) -> Option<&Checkpoint> {
        self.committed.as_ref()
    }

    /// Why a side is read no further, although it is ours; `None` where it is.
    #[must_use]
    pub const fn stopped(&self) -> &BySide<Option<String>> {
        &self.stopped
    }

    /// A letter is durable.
    pub(super) fn acknowledge(&mut self, number: u64) {
        let letters = self.letters.note(number);
        self.counter.on_letters_acknowledged(letters);
    }
}

/// The dead letters of one task that are acknowledged: in which order they come is the broker's business.
#[derive(Debug, Default)]
pub(super) struct LetterReceipts {
    contiguous: u64,
    beyond: BTreeSet<u64>,
}

impl LetterReceipts {
    /// Notes one; returns how many, counted from the first without a gap, are acknowledged now.
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
