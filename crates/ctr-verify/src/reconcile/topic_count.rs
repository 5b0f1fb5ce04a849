//! The count of one of the two topics: its partitions' logs as far as they were read.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::Utc;
use ctr_pipeline::config::KafkaConfig;
use rdkafka::Message as _;

use crate::count::{Known, LogCount, Record, Rules};
use crate::topic_reader::{Progress, TopicReader};

/// The dead letter of a record younger than this may still be in flight.
const UNDER_WAY_MS: i64 = 10_000;

/// A topic's records as counted by the rules.
pub(super) struct TopicCount {
    reader: TopicReader,
    pub(super) logs: Vec<LogCount>,
    /// For each partition the first offset whose dead letter may be in flight.
    under_way: Vec<i64>,
}

impl TopicCount {
    /// Starts at the first record that may belong to a compared window.
    pub(super) fn begin(
        kafka: &KafkaConfig,
        topic: &str,
        rules: Rules,
        compared: &Range<i64>,
        mut known: impl FnMut(usize) -> Known,
    ) -> anyhow::Result<Self> {
        // An event is at most this far ahead of its record; and no earlier maximum affects a window that begins later.
        let from = (compared.start > i64::MIN).then(|| compared.start - rules.future_skew);
        let reader = TopicReader::open(kafka, topic, from)?;
        let partitions = 0..reader.partitions.len();
        let logs = partitions.map(|partition| LogCount::begin(rules, compared.clone(), known(partition))).collect();
        Ok(Self { under_way: vec![0; reader.partitions.len()], reader, logs })
    }

    /// Counts the new records, up to the current ends.
    pub(super) fn read_on(&mut self, progress: &AtomicU64) -> anyhow::Result<()> {
        let young = Utc::now().timestamp_millis() - UNDER_WAY_MS;
        for (under_way, partition) in self.under_way.iter_mut().zip(&self.reader.partitions) {
            *under_way = partition.next;
        }
        let cut: Vec<_> = self.reader.partitions.iter().map(|partition| partition.is_cut).collect();
        let (logs, under_way) = (&mut self.logs, &mut self.under_way);
        self.reader.read_on(|partition, message| {
            let log = &mut logs[partition];
            let timestamp = message.timestamp().to_millis();
            if log.records == 0 && cut[partition] {
                log.is_cut_before(timestamp);
            }
            if timestamp < Some(young) {
                under_way[partition] = message.offset() + 1;
            }
            log.take(&Record { offset: message.offset(), timestamp, value: message.payload() });
            progress.fetch_add(1, Ordering::Relaxed);
            Ok(())
        })?;
        for (log, cut) in self.logs.iter_mut().zip(cut) {
            if cut && log.records == 0 {
                // All records are gone: nothing is known about any window.
                log.is_cut_before(None);
            }
        }
        Ok(())
    }

    /// How far a partition was read; `None` if the topic does not have it.
    pub(super) fn progress(&self, partition: usize) -> Option<&Progress> {
        self.reader.partitions.get(partition)
    }

    /// Whether a product has a count in a window of a partition.
    pub(super) fn knows(&self, partition: usize, window_start: i64, product: &str) -> bool {
        let window = self.logs.get(partition).and_then(|log| log.windows.get(&window_start));
        window.is_some_and(|products| products.contains_key(product))
    }

    /// Whether partitions have new records since they were read.
    pub(super) fn grown(&self) -> anyhow::Result<Vec<bool>> {
        self.reader.grown()
    }

    /// The first offset of a partition whose dead letter may be in flight.
    pub(super) fn under_way(&self, partition: usize) -> i64 {
        self.under_way[partition]
    }
}
