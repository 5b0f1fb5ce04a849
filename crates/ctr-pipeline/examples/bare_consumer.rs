//! Reads both topics to their ends like the pipeline, and discards the records: the upper limit for the pipeline.
//!
//! ```text
//! cargo run --release -p ctr-pipeline --example bare_consumer -- --config config/application.yml
//! ```
//!
//! It uses the pipeline's own settings, file and environment: the same librdkafka properties, the same batches from the same
//! partition queues, one consumer for each of `ctr.job.parallelism` threads, partitions distributed as the group would. But
//! they are assigned manually, from the first record on: it does not join a group, parse or commit. It ends when
//! every partition was read to its end, and prints one line of JSON.

#![allow(clippy::print_stdout, reason = "its result")]

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail, ensure};
use clap::Parser;
use ctr_pipeline::config::{self, Config};
use ctr_pipeline::source::batch::{BatchBuffer, Entry, PartitionQueue};
use ctr_pipeline::source::consumer::{BATCH_RECORDS, consumer_config};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Offset, TopicPartitionList};
use serde_json::json;

/// How long an idle thread waits, like a worker.
const IDLE_WAIT: Duration = Duration::from_millis(5);

/// Timeout for the description of a topic.
const METADATA_TIMEOUT: Duration = Duration::from_secs(10);

/// Reads both topics like the pipeline, and discards the records.
#[derive(Debug, Parser)]
struct Options {
    /// The pipeline's settings; environment variables override them
    #[arg(long)]
    config: Option<PathBuf>,
}

/// The result of the reading.
#[derive(Debug, Default)]
struct Reading {
    records: u64,
    bytes: u64,
}

fn main() -> anyhow::Result<()> {
    let begun = Instant::now();
    let config = Config::load(Options::parse().config.as_deref(), &config::environment())?;
    let config = &config;
    let total = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..config.job.parallelism).map(|number| scope.spawn(move || read_share(config, number))).collect();
        threads.into_iter().try_fold(Reading::default(), |sum, thread| {
            let share = thread.join().map_err(|_| anyhow!("a thread panicked"))??;
            anyhow::Ok(Reading { records: sum.records + share.records, bytes: sum.bytes + share.bytes })
        })
    })?;
    let seconds = begun.elapsed().as_secs_f64();
    println!("{}", json!({ "records": total.records, "bytes": total.bytes, "seconds": seconds }));
    Ok(())
}

/// Reads one thread's share of the partitions to their ends.
fn read_share(config: &Config, number: usize) -> anyhow::Result<Reading> {
    // The settings include a member ID, which has no effect without a subscription.
    let consumer: BaseConsumer = consumer_config(&config.kafka, &format!("bare-consumer-{number}")).create()?;
    let consumer = Arc::new(consumer);
    let mut open = assign_share(config, &consumer, number)?;
    let mut buffer = BatchBuffer::with_capacity(BATCH_RECORDS);
    let mut reading = Reading::default();
    let mut busy = true;
    while !open.is_empty() {
        if let Some(Err(error)) = consumer.poll(if busy { Duration::ZERO } else { IDLE_WAIT }) {
            return Err(error).context("what follows would not be the speed of a healthy cluster");
        }
        busy = false;
        for index in (0..open.len()).rev() {
            match read_batch(&open[index], &mut buffer, &mut reading)? {
                Progress::Nothing => {}
                Progress::Records => busy = true,
                Progress::AtEnd => drop(open.swap_remove(index)),
            }
        }
    }
    Ok(reading)
}

/// The result of one read of a queue.
enum Progress {
    Nothing,
    Records,
    AtEnd,
}

fn read_batch(queue: &PartitionQueue, buffer: &mut BatchBuffer, reading: &mut Reading) -> anyhow::Result<Progress> {
    let batch = queue.read(buffer);
    let mut progress = if batch.is_empty() { Progress::Nothing } else { Progress::Records };
    for entry in batch.entries() {
        match entry {
            Entry::Record(record) => {
                reading.records += 1;
                reading.bytes += record.payload.map_or(0, <[u8]>::len) as u64;
            }
            Entry::PartitionEnd(_) => progress = Progress::AtEnd,
            Entry::Error { message, .. } => bail!("a partition cannot be read: {message}"),
        }
    }
    Ok(progress)
}

/// Assigns what the range assignor would assign to this thread, from the first record on, each partition with its own
/// queue.
fn assign_share(config: &Config, consumer: &Arc<BaseConsumer>, number: usize) -> anyhow::Result<Vec<PartitionQueue>> {
    let topics = [config.kafka.topics.impression.as_str(), config.kafka.topics.click.as_str()];
    let mut list = TopicPartitionList::new();
    let mut queues = Vec::new();
    for topic in topics {
        let metadata = consumer.fetch_metadata(Some(topic), METADATA_TIMEOUT)?;
        let partitions = metadata.topics().first().map_or(0, |topic| topic.partitions().len());
        ensure!(partitions > 0, "there is no topic `{topic}`: create and fill it first");
        for partition in range_share(partitions, config.job.parallelism, number) {
            let partition = i32::try_from(partition)?;
            queues.push(PartitionQueue::split(consumer, topic, partition).context("a partition without a queue")?);
            list.add_partition_offset(topic, partition, Offset::Beginning)?;
        }
    }
    consumer.assign(&list)?;
    Ok(queues)
}

/// The partitions of one of `members`: consecutive ones; the first members have one more if they do not divide evenly.
fn range_share(partitions: usize, members: usize, number: usize) -> Range<usize> {
    let (each, more) = (partitions / members, partitions % members);
    let begin = number * each + number.min(more);
    begin..begin + each + usize::from(number < more)
}
