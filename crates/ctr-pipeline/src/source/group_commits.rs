//! What the group has committed when a process starts, before its workers join.
//!
//! Two things cannot be left to the workers, who see only their own partitions:
//!
//! - The group's **first start** with `offset-strategy: latest` is decided once, for all partitions, and committed. A worker that
//!   finds no commit could not tell it from a partition that was added to a group at work, which is read from its beginning.
//! - **Partitions added** while the job was stopped. A static member that returns has its old assignment back without a
//!   rebalance, so nobody would read them. They are recognised by having no commit, and make the group assign anew.

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

/// How long the brokers may take to answer one question.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What a group that is about to be joined has committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GroupState {
    /// Nothing: this is its first start.
    New,
    /// Something for every partition.
    Complete,
    /// Something, but not for these many partitions.
    PartitionsAdded(usize),
}

/// The group as it is before this process joins it.
pub(crate) struct GroupCommits {
    consumer: BaseConsumer,
    committed: TopicPartitionList,
}

impl GroupCommits {
    /// Reads what the group has committed for all partitions of both topics.
    ///
    /// # Errors
    /// Where the brokers do not answer.
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
    /// Where the brokers do not answer, or another process has just started the group: then that one decides.
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
