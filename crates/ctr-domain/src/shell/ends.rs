//! End offsets of logs: requested when only the broker's response allows closing windows, one request per pair at a
//! time.

use super::counter::{Counter, Flaw};
use super::outbox::OutgoingLetter;
use super::{Command, Shell, TaskId};
use crate::side::Side;
use crate::task::EndOffsetRequest;

/// A request for the end offset of one log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndOffsetQuestion {
    /// Its number, which is unique.
    pub id: u64,
    /// The requesting task.
    pub task: TaskId,
    /// The partition of both topics.
    pub partition: i32,
    /// The request of the task.
    pub request: EndOffsetRequest,
}

/// A result; `None` if the broker could not be queried, which proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndOffsetAnswer {
    /// The request.
    pub question: EndOffsetQuestion,
    /// The offset of the next record: the high watermark, including open transactions.
    pub end_offset: Option<i64>,
}

impl<L: OutgoingLetter, T: Counter> Shell<L, T> {
    /// Requests proofs. A pair with a pending request sends no other; otherwise requests would pile up in an outage.
    pub(super) fn ask_for_ends(&mut self, now: i64) {
        if now < self.next_ask || self.is_stopping {
            return;
        }
        self.next_ask = now + self.settings.ask_interval;
        let (timeout, without_end) = (self.settings.ask_timeout, self.breaks(Flaw::AsksWithoutEnd));
        for pair in &mut self.pairs {
            if pair.question.is_some_and(|(_, asked)| now - asked < timeout) && !without_end {
                continue;
            }
            if let Some(request) = pair.counter.end_offset_request() {
                self.newest_id += 1;
                let id = self.newest_id;
                pair.question = Some((id, now));
                let question = EndOffsetQuestion { id, task: pair.id, partition: pair.partition, request };
                self.commands.push(Command::AskEndOffset(question));
            }
        }
    }

    /// Handles the broker's response, or its failure. However late, it was true after the request was sent.
    pub fn on_end_offset(&mut self, answer: EndOffsetAnswer) {
        let EndOffsetAnswer { question, end_offset } = answer;
        let Some(pair) = self.pair_of(question.task) else { return };
        pair.question.take_if(|(id, _)| *id == question.id);
        if let Some(end_offset) = end_offset {
            pair.counter.on_end_offset(question.request, end_offset);
        }
    }

    /// A log was seen to end at this offset: its high watermark, including records held back by open transactions. To
    /// be called regularly for every partition being read.
    pub fn on_log_end(&mut self, partition: i32, side: Side, end_offset: i64) {
        if let Some(pair) = self.pairs.iter_mut().find(|pair| pair.partition == partition) {
            pair.counter.on_log_end(side, end_offset);
        }
    }
}
