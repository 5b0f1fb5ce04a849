//! Reading a topic to its ends, and further when it has grown. Reads alone: no group is joined, nothing is committed.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use ctr_pipeline::config::KafkaConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use rdkafka::{Message as _, Offset, TopicPartitionList};

/// How long a question to the brokers may take.
const ANSWER: Duration = Duration::from_secs(15);

/// How long nothing may arrive before reading has failed.
const STALLED: Duration = Duration::from_secs(30);

/// Errors come back from calls; librdkafka's own lines about connections would only tear the progress line.
struct Quiet;

impl ClientContext for Quiet {
    fn log(&self, _level: RDKafkaLogLevel, _facility: &str, _message: &str) {}
    fn error(&self, _error: KafkaError, _reason: &str) {}
}

impl ConsumerContext for Quiet {}

/// How far one partition was read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Progress {
    /// The first offset that is read.
    pub(crate) begin: i64,
    /// Whether records were before it that are gone, or that nobody has looked at.
    pub(crate) is_cut: bool,
    /// The next offset to read.
    pub(crate) next: i64,
    /// The offset to read to, exclusive.
    pub(crate) end: i64,
    is_drained: bool,
}

impl Progress {
    fn is_done(&self) -> bool {
        self.next >= self.end || self.is_drained
    }
}

/// All partitions of a topic.
pub(crate) struct TopicReader {
    consumer: BaseConsumer<Quiet>,
    topic: String,
    pub(crate) partitions: Vec<Progress>,
}

impl TopicReader {
    /// Looks where the partitions begin: at the first record there is, or at the first with `from` as its Kafka time.
    pub(crate) fn open(kafka: &KafkaConfig, topic: &str, from: Option<i64>) -> anyhow::Result<Self> {
        let consumer: BaseConsumer<Quiet> =
            consumer_config(kafka).create_with_context(Quiet).context("librdkafka refuses the settings in kafka")?;
        let count = partition_count(&consumer, kafka, topic)?;
        let mut reader = Self { consumer, topic: topic.to_owned(), partitions: Vec::new() };
        for partition in 0..count {
            let low = reader.bounds(partition)?.0;
            reader.partitions.push(Progress { begin: low, is_cut: low > 0, next: low, end: low, is_drained: false });
        }
        if let Some(from) = from {
            reader.begin_at(from)?;
        }
        reader.assign()?;
        Ok(reader)
    }

    /// Reads every partition to the end that it has now.
    pub(crate) fn read_on(
        &mut self,
        mut take: impl FnMut(usize, &BorrowedMessage<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        for partition in 0..self.partitions.len() {
            let (_, end) = self.bounds(i32::try_from(partition)?)?;
            let progress = &mut self.partitions[partition];
            progress.is_drained = progress.is_drained && progress.end == end;
            progress.end = end;
        }
        let mut last = Instant::now();
        while !self.partitions.iter().all(Progress::is_done) {
            match self.consumer.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => {
                    let partition = usize::try_from(message.partition())?;
                    take(partition, &message)?;
                    self.partitions[partition].next = message.offset() + 1;
                    last = Instant::now();
                }
                // Markers of transactions and compaction leave holes: the end is where the broker says so.
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    self.partitions[usize::try_from(partition)?].is_drained = true;
                }
                Some(Err(error)) if is_passing(&error) => {}
                Some(Err(error)) => return Err(error).with_context(|| self.trouble()),
                None => {}
            }
            if last.elapsed() > STALLED {
                bail!("{}: nothing arrived for {} s; are the brokers up?", self.topic, STALLED.as_secs());
            }
        }
        Ok(())
    }

    /// Whether a partition has got records since it was read.
    pub(crate) fn has_grown(&self, partition: usize) -> anyhow::Result<bool> {
        Ok(self.bounds(i32::try_from(partition)?)?.1 > self.partitions[partition].end)
    }

    fn bounds(&self, partition: i32) -> anyhow::Result<(i64, i64)> {
        let bounds = self.consumer.fetch_watermarks(&self.topic, partition, ANSWER);
        bounds.with_context(|| format!("{}: where partition {partition} begins and ends", self.topic))
    }

    fn begin_at(&mut self, kafka_time: i64) -> anyhow::Result<()> {
        let mut times = TopicPartitionList::new();
        for partition in 0..self.partitions.len() {
            let partition = i32::try_from(partition)?;
            times.add_partition_offset(&self.topic, partition, Offset::Offset(kafka_time.max(0)))?;
        }
        let found = self.consumer.offsets_for_times(times, ANSWER).context("offsets by time")?;
        for (element, progress) in found.elements().iter().zip(&mut self.partitions) {
            let begin = match element.offset() {
                Offset::Offset(offset) => offset,
                // No record is as young as that.
                _ => self.consumer.fetch_watermarks(&self.topic, element.partition(), ANSWER)?.1,
            };
            if begin > progress.begin {
                *progress = Progress { begin, next: begin, is_cut: false, ..*progress };
            }
        }
        Ok(())
    }

    fn assign(&self) -> anyhow::Result<()> {
        let mut assignment = TopicPartitionList::new();
        for (partition, progress) in self.partitions.iter().enumerate() {
            assignment.add_partition_offset(&self.topic, i32::try_from(partition)?, Offset::Offset(progress.begin))?;
        }
        self.consumer.assign(&assignment).with_context(|| format!("{}: assignment", self.topic))
    }

    fn trouble(&self) -> String {
        format!("{} cannot be read (if its log was cut meanwhile, run it again)", self.topic)
    }
}

/// Whether librdkafka goes on trying by itself.
fn is_passing(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{AllBrokersDown, BrokerTransportFailure, OperationTimedOut};
    matches!(error.rdkafka_error_code(), Some(AllBrokersDown | BrokerTransportFailure | OperationTimedOut))
}

fn consumer_config(kafka: &KafkaConfig) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("fetch.queue.backoff.ms", "2")
        .set("queued.min.messages", "20000")
        .set("queued.max.messages.kbytes", "8192");
    for (name, value) in kafka.properties.iter() {
        config.set(name, value);
    }
    config
        .set("bootstrap.servers", &kafka.bootstrap_servers)
        .set("client.id", env!("CARGO_PKG_NAME"))
        // librdkafka wants a name, and uses it for nothing: no group is joined.
        .set("group.id", env!("CARGO_PKG_NAME"))
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "error")
        .set("enable.partition.eof", "true");
    config
}

fn partition_count(consumer: &BaseConsumer<Quiet>, kafka: &KafkaConfig, topic: &str) -> anyhow::Result<i32> {
    // All topics, because asking for one by name may create it.
    let metadata = consumer
        .fetch_metadata(None, ANSWER)
        .with_context(|| format!("no broker of kafka.bootstrap-servers ({}) answers", kafka.bootstrap_servers))?;
    let found =
        metadata.topics().iter().find(|found| found.name() == topic).map_or(0, |found| found.partitions().len());
    if found == 0 {
        bail!("there is no topic {topic}; name the topics in kafka.topics and kafka.dlq-topic");
    }
    Ok(i32::try_from(found)?)
}
