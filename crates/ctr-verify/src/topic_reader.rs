//! Reads a topic to its end offsets, and further when it has grown. It joins no group and commits nothing.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use ctr_pipeline::config::KafkaConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use rdkafka::{Message as _, Offset, TopicPartitionList};

/// Timeout of a request to the brokers: long enough for three that have just started on a busy machine.
const ANSWER: Duration = Duration::from_secs(30);

/// Reading fails if nothing arrives for this long.
const STALLED: Duration = Duration::from_secs(30);

/// Discards librdkafka's log: errors are returned by calls, and its lines would break the progress line.
struct Quiet;

impl ClientContext for Quiet {
    fn log(&self, _level: RDKafkaLogLevel, _facility: &str, _message: &str) {}
    fn error(&self, _error: KafkaError, _reason: &str) {}
}

impl ConsumerContext for Quiet {}

/// How far one partition was read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReadProgress {
    /// The first offset that is read.
    pub(crate) begin: i64,
    /// Whether earlier records are gone, or were not read.
    pub(crate) is_cut: bool,
    /// The next offset to read.
    pub(crate) next: i64,
    /// The offset to read to, exclusive.
    pub(crate) end: i64,
    /// The broker has nothing more below `end`: transaction markers and compaction leave gaps before it.
    is_drained: bool,
    /// Since `end` was requested, the log was read from `next` on.
    is_looked_at_anew: bool,
}

impl ReadProgress {
    /// Nothing has been read yet of a log that begins there.
    fn at(low: i64) -> Self {
        Self { begin: low, is_cut: low > 0, next: low, end: low, is_drained: false, is_looked_at_anew: false }
    }

    fn is_done(&self) -> bool {
        self.next >= self.end || self.is_drained
    }
}

/// All partitions of a topic.
pub(crate) struct TopicReader {
    consumer: BaseConsumer<Quiet>,
    topic: String,
    count: i32,
    pub(crate) partitions: Vec<ReadProgress>,
}

impl TopicReader {
    /// Determines where the partitions start: at the first record, or at the first one with `from` as its Kafka time.
    pub(crate) fn open(kafka: &KafkaConfig, topic: &str, from: Option<i64>) -> anyhow::Result<Self> {
        let consumer: BaseConsumer<Quiet> = consumer_config(kafka)
            .create_with_context(Quiet)
            .context("librdkafka rejected the settings in section kafka")?;
        let count = partition_count(&consumer, kafka, topic)?;
        let mut reader = Self { consumer, topic: topic.to_owned(), count, partitions: Vec::new() };
        let lows = reader.offsets(Offset::Beginning)?;
        reader.partitions = lows.into_iter().map(ReadProgress::at).collect();
        if let Some(from) = from {
            reader.begin_at(from)?;
        }
        reader.assign()?;
        Ok(reader)
    }

    /// Reads every partition to its current end.
    pub(crate) fn read_on(
        &mut self,
        mut take: impl FnMut(usize, &BorrowedMessage<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        for (end, progress) in self.ends()?.into_iter().zip(&mut self.partitions) {
            progress.is_drained = progress.is_drained && progress.end == end;
            progress.end = end;
            progress.is_looked_at_anew = false;
        }
        // Set while no records arrive; the clock is not read for every record.
        let mut silent_since = None;
        while !self.partitions.iter().all(ReadProgress::is_done) {
            match self.consumer.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => {
                    let partition = usize::try_from(message.partition())?;
                    take(partition, &message)?;
                    self.partitions[partition].next = message.offset() + 1;
                    silent_since = None;
                    continue;
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => self.come_to_end(partition)?,
                Some(Err(error)) if is_passing(&error) => {}
                Some(Err(error)) => return Err(error).with_context(|| self.trouble()),
                None => {}
            }
            if silent_since.get_or_insert_with(Instant::now).elapsed() > STALLED {
                bail!("{}: nothing arrived for {} s; are the brokers up?", self.topic, STALLED.as_secs());
            }
        }
        Ok(())
    }

    /// The client reached the end of a partition: perhaps before `end` was requested, and at records that it had
    /// fetched by then. Only reading from here on and reaching the end again proves that all records were seen.
    fn come_to_end(&mut self, partition: i32) -> anyhow::Result<()> {
        let progress = &mut self.partitions[usize::try_from(partition)?];
        if progress.is_done() {
            return Ok(());
        }
        if progress.is_looked_at_anew {
            progress.is_drained = true;
            return Ok(());
        }
        progress.is_looked_at_anew = true;
        let next = Offset::Offset(progress.next);
        self.consumer.seek(&self.topic, partition, next, ANSWER).with_context(|| self.trouble())
    }

    /// The partitions' current ends.
    pub(crate) fn ends(&self) -> anyhow::Result<Vec<i64>> {
        self.offsets(Offset::End)
    }

    /// One offset of each partition: of the beginning, of the end, or of the first record at or after a Kafka time; of
    /// the end if there is none. One request for all of them: a broker answers it only when the previous fetch is
    /// complete.
    fn offsets(&self, at: Offset) -> anyhow::Result<Vec<i64>> {
        let place = || format!("{}: reading the offsets of its partitions", self.topic);
        let mut asked = TopicPartitionList::new();
        for partition in 0..self.count {
            asked.add_partition_offset(&self.topic, partition, at)?;
        }
        let answer = self.consumer.offsets_for_times(asked, ANSWER).with_context(place)?;
        let mut ends = None;
        let offset = |partition: i32| {
            let found = answer.find_partition(&self.topic, partition).with_context(place)?;
            found.error().with_context(place)?;
            match found.offset() {
                Offset::Offset(offset) => Ok(offset),
                // No record is that recent.
                Offset::End if at != Offset::End => {
                    if ends.is_none() {
                        ends = Some(self.offsets(Offset::End)?);
                    }
                    Ok(ends.iter().flatten().nth(usize::try_from(partition)?).copied().unwrap_or_default())
                }
                other => bail!("{}: partition {partition}: the broker returned {other:?}", place()),
            }
        };
        (0..self.count).map(offset).collect()
    }

    fn begin_at(&mut self, kafka_time: i64) -> anyhow::Result<()> {
        let found = self.offsets(Offset::Offset(kafka_time.max(0)))?;
        for (begin, progress) in found.into_iter().zip(&mut self.partitions) {
            if begin > progress.begin {
                *progress = ReadProgress { begin, next: begin, is_cut: false, ..*progress };
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
        format!("cannot read {} (if its log was truncated meanwhile, run the command again)", self.topic)
    }
}

/// Whether librdkafka keeps retrying by itself.
fn is_passing(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{AllBrokersDown, BrokerTransportFailure, OperationTimedOut};
    matches!(error.rdkafka_error_code(), Some(AllBrokersDown | BrokerTransportFailure | OperationTimedOut))
}

fn consumer_config(kafka: &KafkaConfig) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("fetch.queue.backoff.ms", "2")
        // Requests are queued behind a fetch that waits for records.
        .set("fetch.wait.max.ms", "20")
        .set("queued.min.messages", "20000")
        .set("queued.max.messages.kbytes", "8192")
        // A batch of 1 MB may decompress to 100 MB, and librdkafka decompresses at most this many bytes.
        .set("receive.message.max.bytes", "1000000000");
    for (name, value) in kafka.properties.iter() {
        config.set(name, value);
    }
    config
        .set("bootstrap.servers", &kafka.bootstrap_servers)
        .set("client.id", env!("CARGO_PKG_NAME"))
        // librdkafka requires a group id, which is unused because no group is joined.
        .set("group.id", env!("CARGO_PKG_NAME"))
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "error")
        .set("enable.partition.eof", "true");
    config
}

fn partition_count(consumer: &BaseConsumer<Quiet>, kafka: &KafkaConfig, topic: &str) -> anyhow::Result<i32> {
    // All topics, because requesting one by name may create it.
    let metadata = consumer
        .fetch_metadata(None, ANSWER)
        .with_context(|| format!("no broker of kafka.bootstrap-servers ({}) responds", kafka.bootstrap_servers))?;
    let found =
        metadata.topics().iter().find(|found| found.name() == topic).map_or(0, |found| found.partitions().len());
    if found == 0 {
        bail!("topic {topic} does not exist; check kafka.topics and kafka.dlq-topic");
    }
    Ok(i32::try_from(found)?)
}
