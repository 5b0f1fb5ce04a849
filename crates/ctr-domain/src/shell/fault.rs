//! Faults: whose they are, and what they end.
//!
//! | whose | example | what follows |
//! |---|---|---|
//! | the record's | it is not an event | a dead letter; reading continues with the next one |
//! | the log's | truncated, recreated, or the consumer moved back | all partitions are taken over again; not a failure |
//! | the partition's | a batch that cannot be decompressed | reading of it stops; the others continue |
//! | the world's | brokers, ClickHouse or a topic is unavailable | waiting, with the reason |
//! | the worker's | an unexpected error | the worker is restarted, a few times |
//! | the settings' | another window size | the process ends |

use super::counter::Counter;
use super::outbox::OutgoingLetter;
use super::{Command, Notice, Shell};
use crate::recovery::RecoveryError;
use crate::task::Side;

/// Something in a partition's queue that its task cannot go on after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Upset {
    /// The consumer position moved back.
    Rewind {
        /// To this offset.
        offset: i64,
        /// The next offset that was to be read.
        expected: i64,
    },
    /// The log is not the one that the commit refers to.
    AnotherLog,
    /// The partition cannot be read.
    Error(PartitionError),
}

/// What an error in a partition's queue means, with its words for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartitionError {
    /// The next offset is outside of the log: retention has cut it, or a leader has lost its end.
    OutOfRange(String),
    /// The topic, or this partition of it, does not exist.
    Gone(String),
    /// A batch cannot be decompressed, or is damaged.
    Unreadable(String),
    /// None of these.
    Other(String),
}

/// What ends a worker.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A commit must not be continued: the process ends, because a restart would fail in the same way.
    #[error("{source}")]
    Recovery {
        /// Of which topic.
        side: Side,
        /// The partition.
        partition: i32,
        /// Why not.
        source: RecoveryError,
    },
    /// A partition has an unexpected error: restarting the worker may help.
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
