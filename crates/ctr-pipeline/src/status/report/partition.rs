//! Partitions, and their lag.

use std::collections::BTreeMap;
use std::time::Instant;

use serde::Serialize;

use super::age;
use crate::source::cluster::{ClusterView, LogBounds};
use crate::status::board::WorkerPlace;
use crate::status::snapshot::{PartitionStatus, WaitReason};

/// One partition of one topic.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PartitionReport {
    /// The topic.
    pub topic: String,
    /// Its number.
    pub partition: i32,
    /// The worker that reads it.
    pub worker: usize,
    /// The next offset to read.
    pub position: i64,
    /// The committed offset of this lifetime: the first record of any window held. Kafka's tools measure lag from here.
    pub low_offset: Option<i64>,
    /// The offset of the next record in the log, as last reported by the broker.
    pub end_offset: Option<i64>,
    /// Unread records: end − position.
    pub lag_records: Option<i64>,
    /// The part of them that cannot be read yet, because a transaction is open.
    pub held_back_records: Option<i64>,
    /// Since when, epoch ms.
    pub held_back_since: Option<i64>,
    /// Age of the newest event time read, while there are unread records; 0 otherwise.
    pub lag_seconds: Option<f64>,
    /// Event time below which nothing more is expected, epoch ms.
    pub watermark: Option<i64>,
    /// Whether it no longer holds back the watermark of its pair.
    pub idle: bool,
    /// Why it is not read, as a metric's label.
    pub wait: Option<&'static str>,
    /// The same for people.
    pub waits_for: Option<&'static str>,
    /// Windows that its pair holds.
    pub open_windows: usize,
}

impl PartitionReport {
    fn of(worker: usize, status: &PartitionStatus, cluster: &ClusterView, at: i64) -> Self {
        // Records read since the request prove that the log ends later.
        let end_offset = cluster.end(&status.topic, status.partition).map(|end| end.max(status.position));
        let lag_records = end_offset.map(|end| end - status.position);
        let bounds = cluster.bounds(&status.topic, status.partition);
        Self {
            topic: status.topic.clone(),
            partition: status.partition,
            worker,
            position: status.position,
            low_offset: status.low_offset,
            end_offset,
            lag_records,
            held_back_records: bounds.and_then(LogBounds::held_back),
            held_back_since: bounds.and_then(|bounds| bounds.held_since),
            lag_seconds: lag_seconds(lag_records, status.maximum, at),
            watermark: status.watermark,
            idle: status.idle,
            wait: status.waits_for.map(WaitReason::label),
            waits_for: status.waits_for.map(WaitReason::text),
            open_windows: status.open_windows,
        }
    }
}

/// A partition without unread records has no lag, however old its last one. Before the first record there is no event
/// time to measure from.
#[allow(clippy::cast_precision_loss, reason = "milliseconds of event time are far below 2^53")]
fn lag_seconds(lag_records: Option<i64>, maximum: Option<i64>, at: i64) -> Option<f64> {
    match lag_records? {
        0 => Some(0.0),
        _ => maximum.map(|maximum| (at - maximum).max(0) as f64 / 1_000.0),
    }
}

/// The lag of all partitions of this process together.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LagReport {
    /// Unread records of the partitions whose end is known.
    pub records: i64,
    /// In event time: the partition with the largest lag.
    pub seconds: f64,
    /// How long ago the brokers last returned end offsets; `None` before they did.
    pub ends_age_seconds: Option<f64>,
}

impl LagReport {
    pub(super) fn of(partitions: &[PartitionReport], ends_at: Option<Instant>) -> Self {
        Self {
            records: partitions.iter().filter_map(|partition| partition.lag_records).sum(),
            seconds: partitions.iter().filter_map(|partition| partition.lag_seconds).fold(0.0, f64::max),
            ends_age_seconds: ends_at.map(age),
        }
    }
}

/// All partitions, by number and then by topic, so that those of a pair are adjacent.
pub(super) fn reports(places: &[WorkerPlace], cluster: &ClusterView, at: i64) -> Vec<PartitionReport> {
    let mut reports = Vec::new();
    for (worker, place) in places.iter().enumerate() {
        for status in place.status.iter().flat_map(|status| &status.partitions) {
            reports.push(PartitionReport::of(worker, status, cluster, at));
        }
    }
    reports.sort_by_key(|report| report.partition);
    reports
}

/// Windows held by all pairs: both partitions of a pair report the same ones.
pub(super) fn open_windows(partitions: &[PartitionReport]) -> usize {
    let by_pair: BTreeMap<i32, usize> =
        partitions.iter().map(|report| (report.partition, report.open_windows)).collect();
    by_pair.values().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lag_is_measured_by_the_end_that_the_broker_last_said() {
        assert_eq!(lag_seconds(None, Some(1_000), 5_000), None, "nobody has said where the log ends");
        assert_eq!(lag_seconds(Some(0), Some(1_000), 5_000), Some(0.0), "all of it is read");
        assert_eq!(lag_seconds(Some(3), Some(1_000), 5_000), Some(4.0));
        assert_eq!(lag_seconds(Some(3), Some(9_000), 5_000), Some(0.0), "event time is ahead of this clock");
        assert_eq!(lag_seconds(Some(3), None, 5_000), None);
    }
}
