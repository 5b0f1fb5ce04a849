//! Reads part of a log from start to end, outside of any group: for commands that look back.

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

/// Timeout of one request.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How long a log may return nothing before reading fails. Longer than an abandoned transaction can last here.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long to wait if the queue is empty.
const IDLE_WAIT: Duration = Duration::from_millis(2);

/// Why a log could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogError {
    /// A request about a partition was not answered.
    #[error("{topic}-{partition}: the brokers did not answer: {source}")]
    Unanswered { topic: String, partition: i32, source: KafkaError },
    /// The partition cannot be read.
    #[error("{topic}-{partition} cannot be read: {message} ({code:?})")]
    Broken { topic: String, partition: i32, code: RDKafkaErrorCode, message: String },
    /// No records arrived.
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

/// Reads logs like the pipeline: records of aborted transactions are not visible.
pub(crate) struct LogReader {
    consumer: Arc<BaseConsumer>,
    buffer: BatchBuffer,
}

impl LogReader {
    /// A reader. It does not connect yet.
    ///
    /// # Errors
    ///
    /// If librdkafka rejects the settings.
    pub(crate) fn new(kafka: &KafkaConfig) -> Result<Self, KafkaError> {
        // The settings include a member ID, which has no effect without a subscription.
        let config = consumer_config(kafka, concat!(env!("CARGO_PKG_NAME"), "-log-reader"));
        let consumer = Arc::new(BaseConsumer::from_config(&config)?);
        Ok(Self { consumer, buffer: BatchBuffer::with_capacity(BATCH_RECORDS) })
    }

    /// The number of partitions of a topic: 0 if it does not exist.
    ///
    /// # Errors
    ///
    /// If no broker responds.
    pub(crate) fn partitions(&self, topic: &str) -> Result<i32, LogError> {
        let unanswered = |source| LogError::Unanswered { topic: topic.to_owned(), partition: -1, source };
        let metadata = self.consumer.fetch_metadata(Some(topic), TIMEOUT).map_err(unanswered)?;
        let partitions = metadata.topics().first().map_or(0, |topic| topic.partitions().len());
        Ok(i32::try_from(partitions).unwrap_or(i32::MAX))
    }

    /// The first offset of a log and that of its next record.
    ///
    /// # Errors
    ///
    /// If the brokers do not respond.
    pub(crate) fn bounds(&self, topic: &str, partition: i32) -> Result<LogBounds, LogError> {
        let unanswered = |source| LogError::Unanswered { topic: topic.to_owned(), partition, source };
        let (start, end) = self.consumer.fetch_watermarks(topic, partition, TIMEOUT).map_err(unanswered)?;
        Ok(LogBounds { start, end })
    }

    /// The whole current log.
    ///
    /// # Errors
    ///
    /// If the brokers do not respond.
    pub(crate) fn whole(&self, topic: &str, partition: i32) -> Result<LogPart, LogError> {
        let LogBounds { start, end } = self.bounds(topic, partition)?;
        Ok(LogPart { topic: topic.to_owned(), partition, start, end })
    }

    /// The same part without the records before the first one whose Kafka timestamp (epoch ms) is `from` or later.
    ///
    /// # Errors
    ///
    /// If the brokers do not respond.
    pub(crate) fn since(&self, part: LogPart, from: i64) -> Result<LogPart, LogError> {
        let mut asked = TopicPartitionList::new();
        let answered = asked
            .add_partition_offset(&part.topic, part.partition, Offset::Offset(from.max(0)))
            .and_then(|()| self.consumer.offsets_for_times(asked, TIMEOUT))
            .map_err(|source| part.unanswered(source))?;
        let found = answered.elements().first().map_or(Offset::End, |element| element.offset());
        let start = match found {
            Offset::Offset(offset) => offset.clamp(part.start, part.end),
            // No record is that recent.
            _ => part.end,
        };
        Ok(LogPart { start, ..part })
    }

    /// Passes every record of a part to `visit`, in log order.
    ///
    /// # Errors
    ///
    /// [`LogError`] if the part cannot be read completely; any error of `visit`, which stops the reading.
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
            // The client's own events: it handles lost connections itself, and missing records are detected below.
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
