//! The shell's notices to operators.

use ctr_domain::shell::{Notice, PartitionError, Upset};

use super::Worker;
use crate::logging::Repeats;

/// Failed commits come in bursts, and outages last long, so these warnings are rate-limited.
static REPEATS: Repeats = Repeats::new();

impl Worker {
    pub(super) fn tell(&mut self, notice: Notice) {
        let worker = self.setup.number;
        let topics = &self.setup.topics;
        match notice {
            Notice::Recovery { side, partition, notice } => {
                let (topic, records_lost) = (topics.name(side), notice.records_lost_at_most());
                tracing::warn!(topic, partition, records_lost, ?notice, "recovery");
                self.record.recoveries += 1;
                self.record.records_lost += records_lost;
            }
            Notice::TakenOver { partitions, took_ms } => {
                #[allow(clippy::cast_precision_loss, reason = "some seconds")]
                let duration_seconds = took_ms as f64 / 1_000.0;
                tracing::info!(worker, ?partitions, duration_seconds, "partitions taken over");
            }
            Notice::WithoutTwin { partitions } => tracing::warn!(
                worker,
                ?partitions,
                "partitions wait: `{}` and `{}` do not both have them; they are read from their beginning when both do",
                topics.names()[0],
                topics.names()[1]
            ),
            Notice::NoFacts { reason } => {
                if let Some(unsaid) = REPEATS.next_of(worker, "facts") {
                    tracing::warn!(worker, reason, unsaid, "cannot take over partitions yet; retrying");
                }
            }
            Notice::TakenAgain { partition, side, why } => say_taken_again(topics.name(side), partition, why),
            Notice::Stopped { side, partition, position, reason } => tracing::error!(
                topic = topics.name(side),
                partition,
                position,
                reason,
                "reading of this partition has stopped, the others continue; docs/operations.md describes how to skip the batch"
            ),
            Notice::CommitFailed { reason } => {
                if let Some(unsaid) = REPEATS.next_of(worker, &reason) {
                    tracing::warn!(
                        worker,
                        error = reason,
                        unsaid,
                        "offset commit failed; retrying at the next checkpoint"
                    );
                }
            }
            Notice::LettersFail { reason } => tracing::error!(
                topic = self.setup.dead_letters.topic(),
                reason,
                "cannot write dead letters; reading and commits are paused (does the topic exist? \
                 ./scripts/create-topics.sh)"
            ),
            Notice::LettersWork => {
                tracing::info!(topic = self.setup.dead_letters.topic(), "writing dead letters again");
            }
        }
    }
}

fn say_taken_again(topic: &str, partition: i32, why: Upset) {
    match why {
        Upset::Rewind { offset, expected } => tracing::warn!(
            topic,
            partition,
            offset,
            position = expected,
            "the consumer position moved back; restoring from the commits"
        ),
        Upset::AnotherLog => tracing::warn!(topic, partition, "the topic was recreated; restoring from the commits"),
        Upset::Error(PartitionError::OutOfRange(reason)) => tracing::warn!(
            topic,
            partition,
            reason,
            "the log was truncated; continuing from the commits with the remaining records"
        ),
        Upset::Error(error) => tracing::warn!(topic, partition, ?error, "restoring from the commits"),
    }
}
