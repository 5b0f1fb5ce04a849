//! The outbox of dead letters: in order, never dropped while their task exists, and never blocking without a reason.

use std::collections::{BTreeSet, VecDeque};

use super::counter::{Counter, Flaw};
use super::{Command, Notice, Shell, TaskId};

/// A dead letter, as far as the shell needs to know it.
pub trait OutgoingLetter {
    /// The task that issued it.
    fn task(&self) -> TaskId;
    /// Its number within the task.
    fn number(&self) -> u64;
    /// Its memory usage in bytes.
    fn bytes(&self) -> usize;
}

/// The dead letters of a worker that have not been handed to the producer yet.
#[derive(Debug)]
pub(super) struct Outbox<L> {
    waiting: VecDeque<L>,
    waiting_bytes: usize,
    /// Nothing is sent before this time, because a dead letter has just failed.
    not_before: i64,
    /// Dead letters that were refused and are not durable yet. As long as there is one, dead letters cannot be written.
    refused: BTreeSet<(TaskId, u64)>,
}

impl<L: OutgoingLetter> Outbox<L> {
    pub(super) const fn new() -> Self {
        Self { waiting: VecDeque::new(), waiting_bytes: 0, not_before: i64::MIN, refused: BTreeSet::new() }
    }

    pub(super) fn push(&mut self, letter: L) {
        self.waiting_bytes += letter.bytes();
        self.waiting.push_back(letter);
    }

    fn put_back(&mut self, letter: L) {
        self.waiting_bytes += letter.bytes();
        self.waiting.push_front(letter);
    }

    /// Forgets the dead letters of dropped tasks, and that dead letters could not be written: with nothing to send,
    /// nothing could ever show that they can be written again. Their records were not committed and are read again.
    pub(super) fn forget_all(&mut self) {
        self.waiting.clear();
        self.waiting_bytes = 0;
        self.refused.clear();
        self.not_before = i64::MIN;
    }

    pub(super) fn is_failing(&self) -> bool {
        !self.refused.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }
}

impl<L: OutgoingLetter, T: Counter> Shell<L, T> {
    /// The next dead letter for the producer. Those of a replaying task wait: an owner writes nothing before it has
    /// passed its positions. Those of a dropped task are forgotten.
    pub fn next_letter(&mut self, now: i64) -> Option<L> {
        if now < self.outbox.not_before {
            return None;
        }
        for _ in 0..self.outbox.waiting.len() {
            let letter = self.outbox.waiting.pop_front()?;
            self.outbox.waiting_bytes -= letter.bytes();
            let task = letter.task();
            match self.pair_of(task).map(|pair| pair.counter.is_replayed()) {
                Some(true) => return Some(letter),
                Some(false) => self.outbox.push(letter),
                None => {}
            }
        }
        None
    }

    /// The producer has no room for a dead letter now. It goes first the next time.
    pub fn on_letter_not_taken(&mut self, letter: L) {
        self.outbox.put_back(letter);
    }

    /// A dead letter is durable.
    pub fn on_letter_acknowledged(&mut self, task: TaskId, number: u64) {
        if self.outbox.is_failing() {
            // A success indicates that others will succeed.
            self.outbox.refused.clear();
            self.commands.push(Command::Tell(Notice::LettersWork));
        }
        if let Some(pair) = self.pair_of(task) {
            pair.acknowledge(number);
        }
    }

    /// Takes back a dead letter that its topic refused. It is sent again after a delay; until one is accepted nothing
    /// is read, because nothing could be committed. One of a dropped task does not affect pending ones.
    pub fn on_letter_refused(&mut self, letter: L, reason: &str, now: i64) {
        let is_gone = self.pair_of(letter.task()).is_none();
        if is_gone && !self.breaks(Flaw::RefusedLettersOutliveTheirTask) {
            return;
        }
        self.outbox.not_before = now + self.settings.letter_retry;
        if !self.outbox.is_failing() {
            self.commands.push(Command::Tell(Notice::LettersFail { reason: reason.to_owned() }));
        }
        self.outbox.refused.insert((letter.task(), letter.number()));
        self.outbox.put_back(letter);
    }

    /// Whether dead letters currently cannot be written.
    #[must_use]
    pub fn letters_fail(&self) -> bool {
        self.outbox.is_failing()
    }

    /// Number of waiting dead letters.
    #[must_use]
    pub fn letters_waiting(&self) -> usize {
        self.outbox.len()
    }

    /// Whether a dead letter is waiting that may be sent: those of a replaying task may not, and the next run issues
    /// them again.
    pub(super) fn letters_owed(&self) -> bool {
        let owes =
            |letter: &L| self.pairs.iter().any(|pair| pair.id == letter.task() && !pair.counter.is_any_replaying());
        self.outbox.waiting.iter().any(owes)
    }

    /// Whether more records may be read: unwritten dead letters pause reading before they fill the memory.
    pub(super) fn letters_have_room(&self) -> bool {
        self.outbox.waiting_bytes < self.settings.max_waiting_bytes && !self.outbox.is_failing()
    }
}
