//! Faults: whose they are, and what they end.
//!
//! | whose | example | what follows |
//! |---|---|---|
//! | the record's | it is no event | a dead letter; the next one is read |
//! | the log's | cut, made anew, the consumer went back | all partitions are taken over again; no failure |
//! | the partition's | a batch that cannot be unpacked | it is read no further; the others are |
//! | the world's | brokers, ClickHouse, a topic that is away | waiting, with the reason |
//! | the worker's | an error nobody knows | the worker is restarted, a few times |
//! | the settings' | another window size | the process ends |

use super::counter::Counter;
use super::outbox::OutgoingLetter;
use super::{Command, Notice, Shell};
use crate::recovery::RecoveryError;
use crate::task::Side;

/// Something in a partition's queue that its task cannot go on after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Upset {
    /// The consumer has gone back.
    Rewind {
        /// To this offset.
        offset: i64,
        /// The next offset that was to be read.
        expected: i64,
    },
    /// The log is another one than the commit speaks of.
    AnotherLog,
    /// The partition cannot be read.
    Error(PartitionError),
}

/// What an error in a partition's queue means, with its words for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartitionError {
    /// The next offset is outside of the log: retention has cut it, or a leader has lost its end.
    OutOfRange(String),
    /// There is no such topic, or it has no such partition.
    Gone(String),
    /// A batch cannot be unpacked, or is damaged.
    Unreadable(String),
    /// None of these.
    Other(String),
}

/// What ends a worker.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A commit must not be continued: the process ends, because no other start would go better.
    #[error("{source}")]
    Recovery {
        /// Of which topic.
        side: Side,
        /// The partition.
        partition: i32,
        /// Why not.
        source: RecoveryError,
    },
    /// A partition has an error that nobody knows: starting the worker again may help.
    #[error("{reason}")]
    Partition {
        /// Of which topic.
        side: Side,
        /// The partition.
        partition: i32,
        /// In the client's words.
        reason: String,
    },
}

impl<L: OutgoingLetter, T: Counter> Shell<L, T> {
    /// A partition's queue holds something that its task cannot go on after.
    pub fn on_upset(&mut self, index: usize, side: Side, upset: Upset, now: i64) {
        let Some(pair) = self.pairs.get_mut(index) else { return };
        let partition = pair.partition;
        match upset {
            Upset::Error(PartitionError::Unreadable(reason)) => {
                if pair.stopped[side].is_none() {
                    let position = pair.counter.position(side);
                    pair.stopped[side] = Some(reason.clone());
                    self.takeover.note_stopped(now);
                    self.commands.push(Command::Tell(Notice::Stopped { side, partition, position, reason }));
                }
            }
            Upset::Error(PartitionError::Other(reason)) => {
                self.commands.push(Command::GiveUp(Fault::Partition { side, partition, reason }));
            }
            why => {
                let is_another_log = why == Upset::AnotherLog;
                self.commands.push(Command::Tell(Notice::TakenAgain { partition, side, why }));
                self.take_again(is_another_log.then_some((side, partition)), now);
            }
        }
    }
}
