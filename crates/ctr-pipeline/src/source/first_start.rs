//! The first start of a group: where `offset-strategy: latest` begins is decided once, for all partitions, and committed.
//!
//! It cannot be left to the workers: one that finds no commit for its partition could not tell a group's first start from a
//! partition that was added to a group at work, and the latter must be read from its beginning.

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

/// Commits the end of every partition as the group's start, if the group has no commit at all. True where it did.
///
/// # Errors
/// Where the brokers do not answer, or another process has just started the group: then that one decides.
pub(crate) fn begin_at_latest(
    kafka: &KafkaConfig,
    cluster: &ClusterFacts,
    window_size: WindowSize,
) -> KafkaResult<bool> {
    let mut config = client_config(kafka);
    config.set("group.id", &kafka.group_id).set("enable.auto.commit", "false");
    let consumer = BaseConsumer::from_config(&config)?;
    let mut all = TopicPartitionList::new();
    for topic in
        cluster.topics.iter().filter(|topic| [&kafka.topics.impression, &kafka.topics.click].contains(&&topic.name))
    {
        for partition in (0..).take(topic.partitions) {
            all.add_partition(&topic.name, partition);
        }
    }
    let committed = consumer.committed_offsets(all, TIMEOUT)?;
    if committed.elements().iter().any(|element| matches!(element.offset(), Offset::Offset(_))) {
        return Ok(false);
    }
    let mut starts = TopicPartitionList::new();
    for element in committed.elements() {
        let (_, end) = consumer.fetch_watermarks(element.topic(), element.partition(), TIMEOUT)?;
        let mut start = starts.add_partition(element.topic(), element.partition());
        start.set_offset(Offset::Offset(end))?;
        start.set_metadata(PartitionCheckpoint::begin_at(end, window_size).metadata());
    }
    consumer.commit(&starts, CommitMode::Sync)?;
    Ok(true)
}
