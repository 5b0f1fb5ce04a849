//! Where logs end: asked where only the broker's word lets windows go, one question for a pair at a time.

use super::counter::{Counter, Flaw};
use super::outbox::OutgoingLetter;
use super::{Command, Shell, TaskId};
use crate::task::{EndOffsetRequest, Side};

/// A question to the broker of one log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndOffsetQuestion {
    /// Its number: no other question has it.
    pub id: u64,
    /// The task that asks.
    pub task: TaskId,
    /// The partition of both topics.
    pub partition: i32,
    /// What is asked.
    pub request: EndOffsetRequest,
}

/// An answer; `None` where the broker could not be asked, which proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndOffsetAnswer {
    /// The question.
    pub question: EndOffsetQuestion,
    /// The offset the next record will get: the high watermark, open transactions included.
    pub end_offset: Option<i64>,
}

impl<L: OutgoingLetter, T: Counter> Shell<L, T> {
    /// Asks for proofs. A pair whose question is not answered asks no other, or an outage would gather questions without end.
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

    /// The broker has said where a log ends, or has not. However late: it was true after the question was asked.
    pub fn on_end_offset(&mut self, answer: EndOffsetAnswer) {
        let EndOffsetAnswer { question, end_offset } = answer;
        let Some(pair) = self.pair_of(question.task) else { return };
        pair.question.take_if(|(id, _)| *id == question.id);
        if let Some(end_offset) = end_offset {
            pair.counter.on_end_offset(question.request, end_offset);
        }
    }

    /// A log was seen to end at this offset: its high watermark, what open transactions hold back included. To be told now and
    /// then for every partition that is read.
    pub fn on_log_end(&mut self, partition: i32, side: Side, end_offset: i64) {
        if let Some(pair) = self.pairs.iter_mut().find(|pair| pair.partition == partition) {
            pair.counter.on_log_end(side, end_offset);
        }
    }
}
