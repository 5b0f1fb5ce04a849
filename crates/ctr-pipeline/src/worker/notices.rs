//! What the shell wants people to be told.

use ctr_domain::shell::{Notice, PartitionError, Upset};

use super::Worker;
use crate::logging::Repeats;

/// Commits that fail, fail often; brokers that are away, for long.
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
                    tracing::warn!(
                        worker,
                        reason,
                        unsaid,
                        "partitions cannot be taken over yet; the brokers are asked again"
                    );
                }
            }
            Notice::TakenAgain { partition, side, why } => say_taken_again(topics.name(side), partition, why),
            Notice::Stopped { side, partition, position, reason } => tracing::error!(
                topic = topics.name(side),
                partition,
                position,
                reason,
                "this partition is read no further, the others are; docs/operations.md says how to get past it"
            ),
            Notice::CommitFailed { reason } => {
                if let Some(unsaid) = REPEATS.next_of(worker, &reason) {
                    tracing::warn!(worker, error = reason, unsaid, "a commit failed; the next one follows");
                }
            }
            Notice::LettersFail { reason } => tracing::error!(
                topic = self.setup.dead_letters.topic(),
                reason,
                "dead letters cannot be written; nothing is read or committed until they are (does the topic exist? \
                 ./scripts/create-topics.sh)"
            ),
            Notice::LettersWork => {
                tracing::info!(topic = self.setup.dead_letters.topic(), "dead letters are written again");
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
            "the consumer has gone back; restoring from the commits"
        ),
        Upset::AnotherLog => tracing::warn!(topic, partition, "the log is another one; restoring from the commits"),
        Upset::Error(PartitionError::OutOfRange(reason)) => tracing::warn!(
            topic,
            partition,
            reason,
            "the log was cut or has lost its end; going on from the commits with what there is"
        ),
        Upset::Error(error) => tracing::warn!(topic, partition, ?error, "restoring from the commits"),
    }
}
