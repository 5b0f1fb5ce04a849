//! A part of a log, read from its beginning to its end, outside of any group: for commands that look back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ctr_domain::recovery::LogBounds;
use rdkafka::config::FromClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};

use super::batch::{BatchBuffer, Entry, PartitionQueue, Record};
use super::consumer::{BATCH_RECORDS, consumer_config};
use crate::config::KafkaConfig;

/// How long the brokers may take to answer one question.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How long a log may give nothing before reading it has failed. Longer than a transaction that nobody ends lasts here.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long to wait where nothing lies in the queue.
const IDLE_WAIT: Duration = Duration::from_millis(2);

/// Why a log could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogError {
    /// A question about a partition was not answered.
    #[error("{topic}-{partition}: the brokers did not answer: {source}")]
    Unanswered { topic: String, partition: i32, source: KafkaError },
    /// The partition cannot be read.
    #[error("{topic}-{partition} cannot be read: {message} ({code:?})")]
    Broken { topic: String, partition: i32, code: RDKafkaErrorCode, message: String },
    /// Nothing came.
    #[error(
        "{topic}-{partition}: nothing came for {} s at offset {offset}, although its end is {end}; are all brokers up?",
        PATIENCE.as_secs()
    )]
    Silent { topic: String, partition: i32, offset: i64, end: i64 },
}

/// A part of a partition's log: the records at offsets of `start..end`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogPart {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) start: i64,
    pub(crate) end: i64,
}

impl LogPart {
    fn unanswered(&self, source: KafkaError) -> LogError {
        LogError::Unanswered { topic: self.topic.clone(), partition: self.partition, source }
    }

    fn assignment(&self) -> Result<TopicPartitionList, KafkaError> {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.topic, self.partition, Offset::Offset(self.start))?;
        Ok(list)
    }
}

/// Reads logs as the pipeline does: what a producer has taken back is not seen.
pub(crate) struct LogReader {
    consumer: Arc<BaseConsumer>,
    buffer: BatchBuffer,
}

impl LogReader {
    /// A reader. Nothing is connected yet.
    ///
    /// # Errors
    /// Where librdkafka refuses the settings.
    pub(crate) fn new(kafka: &KafkaConfig) -> Result<Self, KafkaError> {
        // The settings name a member. Nobody hears of it: without a subscription there is no member.
        let config = consumer_config(kafka, concat!(env!("CARGO_PKG_NAME"), "-log-reader"));
        let consumer = Arc::new(BaseConsumer::from_config(&config)?);
        Ok(Self { consumer, buffer: BatchBuffer::with_capacity(BATCH_RECORDS) })
    }

    /// How many partitions a topic has: 0 where there is no such topic.
    ///
    /// # Errors
    /// Where no broker answers.
    pub(crate) fn partitions(&self, topic: &str) -> Result<i32, LogError> {
        let unanswered = |source| LogError::Unanswered { topic: topic.to_owned(), partition: -1, source };
        let metadata = self.consumer.fetch_metadata(Some(topic), TIMEOUT).map_err(unanswered)?;
        let partitions = metadata.topics().first().map_or(0, |topic| topic.partitions().len());
        Ok(i32::try_from(partitions).unwrap_or(i32::MAX))
    }

    /// The first offset of a log and the one that its next record gets.
    ///
    /// # Errors
    /// Where the brokers do not answer.
    pub(crate) fn bounds(&self, topic: &str, partition: i32) -> Result<LogBounds, LogError> {
        let unanswered = |source| LogError::Unanswered { topic: topic.to_owned(), partition, source };
        let (start, end) = self.consumer.fetch_watermarks(topic, partition, TIMEOUT).map_err(unanswered)?;
        Ok(LogBounds { start, end })
    }

    /// Everything that a log has now.
    ///
    /// # Errors
    /// Where the brokers do not answer.
    pub(crate) fn whole(&self, topic: &str, partition: i32) -> Result<LogPart, LogError> {
        let LogBounds { start, end } = self.bounds(topic, partition)?;
        Ok(LogPart { topic: topic.to_owned(), partition, start, end })
    }

    /// The same part without what lies before the first record whose Kafka timestamp (epoch ms) is `from` or later.
    ///
    /// # Errors
    /// Where the brokers do not answer.
    pub(crate) fn since(&self, part: LogPart, from: i64) -> Result<LogPart, LogError> {
        let mut asked = TopicPartitionList::new();
        let answered = asked
            .add_partition_offset(&part.topic, part.partition, Offset::Offset(from.max(0)))
            .and_then(|()| self.consumer.offsets_for_times(asked, TIMEOUT))
            .map_err(|source| part.unanswered(source))?;
        let found = answered.elements().first().map_or(Offset::End, |element| element.offset());
        let start = match found {
            Offset::Offset(offset) => offset.clamp(part.start, part.end),
            // No record is that young.
            _ => part.end,
        };
        Ok(LogPart { start, ..part })
    }

    /// Shows every record of a part, in the order of the log.
    ///
    /// # Errors
    /// [`LogError`] where the part cannot be read to its end; whatever `visit` fails with, which ends the reading.
    pub(crate) fn read(
        &mut self,
        part: &LogPart,
        mut visit: impl FnMut(&Record<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        if part.start >= part.end {
            return Ok(());
        }
        let broken =
            |code, message| LogError::Broken { topic: part.topic.clone(), partition: part.partition, code, message };
        let queue = PartitionQueue::split(&self.consumer, &part.topic, part.partition)
            .ok_or_else(|| broken(RDKafkaErrorCode::UnknownPartition, "no such partition".to_owned()))?;
        part.assignment().and_then(|list| self.consumer.assign(&list)).map_err(|source| part.unanswered(source))?;
        let (mut next, mut heard) = (part.start, Instant::now());
        while next < part.end {
            // The client's own events: connections lost and found again are its business, and silence is noticed below.
            let _ = self.consumer.poll(Duration::ZERO);
            let batch = queue.read(&mut self.buffer);
            if batch.is_empty() {
                if heard.elapsed() > PATIENCE {
                    let LogPart { topic, partition, end, .. } = part.clone();
                    return Err(LogError::Silent { topic, partition, offset: next, end }.into());
                }
                std::thread::sleep(IDLE_WAIT);
                continue;
            }
            for entry in batch.entries() {
                match entry {
                    Entry::Record(record) => {
                        next = record.mark.offset + 1;
                        if record.mark.offset < part.end {
                            visit(&record)?;
                        }
                    }
                    Entry::PartitionEnd(offset) => next = offset.max(next),
                    Entry::Error { code, message } => return Err(broken(code, message).into()),
                }
            }
            heard = Instant::now();
        }
        self.consumer.unassign().map_err(|source| part.unanswered(source))?;
        Ok(())
    }
}
