//! The count of one of the two topics: its partitions' logs as far as they were read.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::Utc;
use ctr_pipeline::config::KafkaConfig;
use rdkafka::Message as _;

use crate::count::{Known, LogCount, Record, Rules};
use crate::topic_reader::{ReadProgress, TopicReader};

/// The dead letter or the row of a record younger than this may still be in flight.
const UNDER_WAY_MS: i64 = 10_000;

/// A topic's records as counted by the rules.
pub(super) struct TopicCount {
    reader: TopicReader,
    pub(super) logs: Vec<LogCount>,
    /// For each partition its young records.
    young: Vec<Young>,
}

/// The newest records of a partition by age: the first one of every second.
#[derive(Debug, Default)]
struct Young(VecDeque<(i64, i64)>);

impl Young {
    /// A record that was read at `now`, both times in epoch ms. Clocks differ: none is younger than that.
    fn push(&mut self, offset: i64, timestamp: i64, now: i64) {
        let timestamp = timestamp.min(now);
        if timestamp > now - UNDER_WAY_MS && self.0.back().is_none_or(|(_, second)| *second + 1_000 <= timestamp) {
            self.0.push_back((offset, timestamp));
        }
    }

    /// The first offset of a record that is young at `now`.
    fn first(&mut self, now: i64) -> Option<i64> {
        while self.0.front().is_some_and(|(_, second)| *second <= now - UNDER_WAY_MS) {
            self.0.pop_front();
        }
        self.0.front().map(|(offset, _)| *offset)
    }
}

/// The ends of a topic's logs a moment after they were read.
pub(super) struct Ends {
    /// For each partition: whether it has grown since.
    grown: Vec<bool>,
    /// All offsets together: in a stream that goes on it is more than it was a second before.
    pub(super) sum: i64,
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
        Ok(Self { young: reader.partitions.iter().map(|_| Young::default()).collect(), reader, logs })
    }

    /// Counts the new records, up to the current ends.
    pub(super) fn read_on(&mut self, progress: &AtomicU64) -> anyhow::Result<()> {
        let now = Utc::now().timestamp_millis();
        let cut: Vec<_> = self.reader.partitions.iter().map(|partition| partition.is_cut).collect();
        let (logs, young) = (&mut self.logs, &mut self.young);
        self.reader.read_on(|partition, message| {
            let log = &mut logs[partition];
            let timestamp = message.timestamp().to_millis();
            if log.records == 0 && cut[partition] {
                log.is_cut_before(timestamp);
            }
            // Reading may take minutes: of a record that came meanwhile, the time is compared with the clock's again.
            let now = if timestamp > Some(now) { Utc::now().timestamp_millis() } else { now };
            young[partition].push(message.offset(), timestamp.unwrap_or(i64::MIN), now);
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
    pub(super) fn progress(&self, partition: usize) -> Option<&ReadProgress> {
        self.reader.partitions.get(partition)
    }

    /// Whether a product has a count in a window of a partition.
    pub(super) fn knows(&self, partition: usize, window_start: i64, product: &str) -> bool {
        let window = self.logs.get(partition).and_then(|log| log.windows.get(&window_start));
        window.is_some_and(|products| products.contains_key(product))
    }

    /// Requests the current ends.
    pub(super) fn ends(&self) -> anyhow::Result<Ends> {
        let ends = self.reader.ends()?;
        let grown = ends.iter().zip(&self.reader.partitions).map(|(end, partition)| *end > partition.end).collect();
        Ok(Ends { grown, sum: ends.iter().sum() })
    }

    /// From which offset on what becomes of a partition's records may still be in flight; `None` if of all of them it
    /// must be there. In a stream that goes on, that a single log has not grown for a moment says nothing.
    pub(super) fn in_flight(&mut self, ends: &Ends, goes_on: bool) -> Vec<Option<i64>> {
        let now = Utc::now().timestamp_millis();
        let partitions = self.reader.partitions.iter().zip(&mut self.young).zip(&ends.grown);
        partitions
            .map(|((read, young), grown)| {
                let first = young.first(now);
                if *grown { first.or(Some(read.next)) } else { first.filter(|_| goes_on) }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_young_for_ten_seconds_whenever_they_were_read() {
        let mut young = Young::default();
        let now = 1_000_000;
        young.push(1, now - 20_000, now);
        assert_eq!(young.first(now), None);
        young.push(2, now - 9_000, now);
        young.push(3, now - 8_500, now);
        young.push(4, now - 2_000, now);
        // A clock that is ahead.
        young.push(5, now + 60_000, now);
        assert_eq!(young.first(now), Some(2));
        assert_eq!(young.first(now + 1_000), Some(4));
        assert_eq!(young.first(now + 9_000), Some(5));
        assert_eq!(young.first(now + 10_000), None);
    }
}
