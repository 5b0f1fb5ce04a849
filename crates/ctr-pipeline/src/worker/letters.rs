//! Dead letters on their way out: in order, never dropped, and never a reason to wait.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Sender;

use crate::sink::dead_letter::{DeadLetterSink, Letter, Refused};
use crate::sink::{Receipt, TaskId};
use crate::status::snapshot::{LetterStatus, REMEMBERED, RecentLetter};

/// Bytes of letters that wait here at most before partitions are read no further.
const MAX_WAITING_BYTES: usize = 16 << 20;

/// How long to wait before a letter that could not be written is sent again.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// The letters of a worker that are not handed to the producer yet.
pub(super) struct LetterOutbox {
    sink: Arc<DeadLetterSink>,
    waiting: VecDeque<Box<Letter>>,
    waiting_bytes: usize,
    /// Time, since the worker began, before which nothing is sent: a letter has just failed.
    not_before: Duration,
    failing: bool,
    recent: VecDeque<RecentLetter>,
}

impl LetterOutbox {
    pub(super) fn new(sink: Arc<DeadLetterSink>) -> Self {
        Self {
            sink,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            not_before: Duration::ZERO,
            failing: false,
            recent: VecDeque::with_capacity(REMEMBERED),
        }
    }

    /// Takes a letter. It goes out with the next [`LetterOutbox::send`].
    pub(super) fn push(&mut self, letter: Letter) {
        self.waiting_bytes += size(&letter);
        self.waiting.push_back(Box::new(letter));
    }

    /// Whether more records may be read: letters that are not written hold up reading before they fill the memory.
    pub(super) fn has_room(&self) -> bool {
        self.waiting_bytes < MAX_WAITING_BYTES && !self.failing
    }

    /// Remembers a letter for those who look.
    pub(super) fn remember(&mut self, letter: RecentLetter) {
        if self.recent.len() == REMEMBERED {
            self.recent.pop_front();
        }
        self.recent.push_back(letter);
    }

    /// What the outbox shows of itself.
    pub(super) fn status(&self) -> LetterStatus {
        LetterStatus { waiting: self.waiting.len(), failing: self.failing, recent: self.recent.clone() }
    }

    /// Letters that wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Hands letters to the producer, as many as it takes. `is_replayed` says of a task whether it has passed its positions;
    /// letters of one that has not wait, because an owner shows nothing before. Of a task that is gone it says `None`: its
    /// letters are forgotten, for their records were not committed and are read again.
    pub(super) fn send(
        &mut self,
        reply: &Sender<Receipt>,
        now: Duration,
        mut is_replayed: impl FnMut(TaskId) -> Option<bool>,
    ) {
        if self.waiting.is_empty() || now < self.not_before {
            return;
        }
        for _ in 0..self.waiting.len() {
            let Some(letter) = self.waiting.pop_front() else { return };
            match is_replayed(letter.task) {
                Some(true) => {}
                Some(false) => {
                    self.waiting.push_back(letter);
                    continue;
                }
                None => {
                    self.waiting_bytes -= size(&letter);
                    continue;
                }
            }
            let bytes = size(&letter);
            match self.sink.send(letter, reply) {
                Ok(()) => self.waiting_bytes -= bytes,
                Err(Refused::Full(letter)) => {
                    self.waiting.push_front(letter);
                    return;
                }
                Err(Refused::Failed(letter, reason)) => {
                    self.waiting.push_front(letter);
                    self.on_failure(&reason, now);
                    return;
                }
            }
        }
    }

    /// Lets answers to letters become receipts.
    pub(super) fn serve(&self) {
        self.sink.serve();
    }

    /// Takes a letter back that the broker did not take.
    pub(super) fn take_back(&mut self, letter: Box<Letter>, reason: &str, now: Duration) {
        self.waiting_bytes += size(&letter);
        self.waiting.push_front(letter);
        self.on_failure(reason, now);
    }

    /// A letter is durable.
    pub(super) fn on_success(&mut self) {
        if std::mem::take(&mut self.failing) {
            tracing::info!(topic = self.sink.topic(), "dead letters are written again");
        }
    }

    fn on_failure(&mut self, reason: &str, now: Duration) {
        self.not_before = now + RETRY_DELAY;
        if !std::mem::replace(&mut self.failing, true) {
            tracing::error!(
                topic = self.sink.topic(),
                reason,
                "dead letters cannot be written; nothing is read or committed until they are (does the topic exist? \
                 ./scripts/create-topics.sh)"
            );
        }
    }
}

fn size(letter: &Letter) -> usize {
    letter.payload.len() + letter.key.as_ref().map_or(0, Vec::len) + size_of::<Letter>()
}
