//! The group's commits when a process starts, before its workers join.
//!
//! Two things cannot be left to the workers, which see only their own partitions:
//!
//! - The group's **first start** with `offset-strategy: latest` is decided once, for all partitions, and committed. A worker that
//!   finds no commit could not distinguish it from a partition added to a running group, which is read from its beginning.
//! - **Partitions added** while the job was stopped. A returning static member gets its old assignment back without a
//!   rebalance, so nobody would read them. They are recognized by their missing commit, and make the group reassign.

use std::time::Duration;

use ctr_domain::checkpoint::PartitionCheckpoint;
use ctr_domain::window::WindowSize;
use rdkafka::config::FromClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::KafkaResult;
use rdkafka::{Offset, TopicPartitionList};

use super::consumer::client_config;
use super::topics::ClusterFacts;
use crate::config::KafkaConfig;

/// Timeout of one request.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The commits of a group that is about to be joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GroupState {
    /// None: this is its first start.
    New,
    /// One for every partition.
    Complete,
    /// Some, but not for this many partitions.
    PartitionsAdded(usize),
}

/// The state of the group before this process joins it.
pub(crate) struct GroupCommits {
    consumer: BaseConsumer,
    committed: TopicPartitionList,
}

impl GroupCommits {
    /// Reads the group's commits for all partitions of both topics.
    ///
    /// # Errors
    ///
    /// If the brokers do not respond.
    pub(crate) fn read(kafka: &KafkaConfig, cluster: &ClusterFacts) -> KafkaResult<Self> {
        let mut config = client_config(kafka);
        config.set("group.id", &kafka.group_id).set("enable.auto.commit", "false");
        let consumer: BaseConsumer = BaseConsumer::from_config(&config)?;
        let counted = [&kafka.topics.impression, &kafka.topics.click];
        let mut all = TopicPartitionList::new();
        for topic in cluster.topics.iter().filter(|topic| counted.contains(&&topic.name)) {
            for partition in (0..).take(topic.partitions) {
                all.add_partition(&topic.name, partition);
            }
        }
        let committed = consumer.committed_offsets(all, TIMEOUT)?;
        Ok(Self { consumer, committed })
    }

    pub(crate) fn state(&self) -> GroupState {
        let elements = self.committed.elements();
        let missing = elements.iter().filter(|element| !matches!(element.offset(), Offset::Offset(_))).count();
        match missing {
            0 => GroupState::Complete,
            missing if missing == elements.len() => GroupState::New,
            missing => GroupState::PartitionsAdded(missing),
        }
    }

    /// Commits the end of every partition as the group's start.
    ///
    /// # Errors
    ///
    /// If the brokers do not respond, or another process has just started the group: then that one's commits apply.
    pub(crate) fn begin_at_latest(&self, window_size: WindowSize) -> KafkaResult<()> {
        let mut starts = TopicPartitionList::new();
        for element in self.committed.elements() {
            let (_, end) = self.consumer.fetch_watermarks(element.topic(), element.partition(), TIMEOUT)?;
            let mut start = starts.add_partition(element.topic(), element.partition());
            start.set_offset(Offset::Offset(end))?;
            start.set_metadata(PartitionCheckpoint::begin_at(end, window_size).metadata());
        }
        self.consumer.commit(&starts, CommitMode::Sync)
    }
}
