//! Faults: their origin, and what they stop.
//!
//! | origin | example | consequence |
//! |---|---|---|
//! | the record's | it is not an event | a dead letter; reading continues with the next one |
//! | the log's | truncated, recreated, or the consumer moved back | all partitions are taken over again; not a failure |
//! | the partition's | a batch that cannot be decompressed | reading of it stops; the others continue |
//! | the environment's | brokers, ClickHouse or a topic is unavailable | waiting, with the reason |
//! | the worker's | an unexpected error | the worker is restarted, a few times |
//! | the settings' | another window size | the process exits |

use super::counter::Counter;
use super::outbox::OutgoingLetter;
use super::{Command, Notice, Shell};
use crate::recovery::RecoveryError;
use crate::side::Side;

/// A condition in a partition's queue after which its task cannot continue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Upset {
    /// The consumer position moved back.
    Rewind {
        /// The new position.
        offset: i64,
        /// The expected offset.
        expected: i64,
    },
    /// The log is not the one that the commit refers to.
    AnotherLog,
    /// The partition cannot be read.
    Error(PartitionError),
}

/// The meaning of an error in a partition's queue, with its message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartitionError {
    /// The next offset is outside the log: retention has removed it, or a leader has lost the end of its log.
    OutOfRange(String),
    /// The topic, or this partition, does not exist.
    Gone(String),
    /// A batch cannot be decompressed, or is damaged.
    Unreadable(String),
    /// None of these.
    Other(String),
}

/// An error that stops a worker.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A commit that must not be continued: the process exits, because a restart would fail in the same way.
    #[error("{source}")]
    Recovery {
        /// Its topic.
        side: Side,
        /// The partition.
        partition: i32,
        /// The reason.
        source: RecoveryError,
    },
    /// A partition has an unexpected error: restarting the worker may help.
    #[error("{reason}")]
    Partition {
        /// Its topic.
        side: Side,
        /// The partition.
        partition: i32,
        /// The client's message.
        reason: String,
    },
}

impl<L: OutgoingLetter, T: Counter> Shell<L, T> {
    /// Handles a condition after which a partition's task cannot continue.
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
