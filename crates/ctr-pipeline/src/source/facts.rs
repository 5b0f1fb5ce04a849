//! The facts needed to take partitions over: which exist, the group's commits for them, the bounds of their logs.
//!
//! Requested all at once, on a separate thread for each request, by clients that are not group members: a worker never
//! waits, and a request that hangs keeps no member alive.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Sender;
use ctr_domain::recovery::LogBounds;
use ctr_domain::shell::{CommittedOffset, FactsId, PartitionFacts, Presence};
use ctr_domain::side::{BySide, Side};
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::{Offset, TopicPartitionList};

use super::assignment::Topics;
use super::consumer::client_config;
use super::end_offsets::{QuestionClient, QuietContext};
use crate::config::KafkaConfig;

/// Timeout of one request. A worker requests again.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The result of a request, or why it failed.
#[derive(Debug)]
pub(crate) struct FactsAnswer {
    pub(crate) id: FactsId,
    pub(crate) facts: Result<Vec<PartitionFacts>, String>,
}

/// Requests facts. Clones share their clients.
#[derive(Clone)]
pub(crate) struct FactsSource {
    group: Arc<QuestionClient>,
    logs: Arc<QuestionClient>,
    topics: Topics,
}

impl FactsSource {
    /// A source for the group of the settings. `logs` is the client for the bounds of logs.
    ///
    /// # Errors
    ///
    /// If librdkafka rejects the settings.
    pub(crate) fn new(kafka: &KafkaConfig, topics: Topics, logs: Arc<QuestionClient>) -> KafkaResult<Self> {
        let mut config = client_config(kafka);
        // Without a subscription it is no member.
        config.set("group.id", &kafka.group_id).set("enable.auto.commit", "false");
        let group = Arc::new(BaseConsumer::from_config_and_context(&config, QuietContext)?);
        Ok(Self { group, logs, topics })
    }

    /// Queues a request; the result arrives through `reply`.
    ///
    /// # Errors
    ///
    /// If the thread cannot be started.
    pub(crate) fn ask(&self, id: FactsId, partitions: Vec<i32>, reply: Sender<FactsAnswer>) -> std::io::Result<()> {
        let source = self.clone();
        std::thread::Builder::new().name("facts".to_owned()).spawn(move || {
            let facts = source.look(&partitions).map_err(|error| error.to_string());
            // A worker that has ended needs no result.
            let _ = reply.send(FactsAnswer { id, facts });
        })?;
        Ok(())
    }

    fn look(&self, partitions: &[i32]) -> KafkaResult<Vec<PartitionFacts>> {
        let counts = BySide([self.count(Side::Impressions)?, self.count(Side::Clicks)?]);
        let is_there = |side: Side, partition: i32| partition < counts[side];
        let mut list = TopicPartitionList::new();
        for &partition in partitions {
            for side in Side::BOTH.into_iter().filter(|side| is_there(*side, partition)) {
                list.add_partition(self.topics.name(side), partition);
            }
        }
        let (commits, beginnings, ends) = if list.count() == 0 {
            (list.clone(), list.clone(), list)
        } else {
            let commits = self.group.committed_offsets(list.clone(), TIMEOUT)?;
            (commits, self.bounds(&list, Offset::Beginning)?, self.bounds(&list, Offset::End)?)
        };
        let mut facts = Vec::with_capacity(partitions.len() * 2);
        for &partition in partitions {
            for side in Side::BOTH {
                let presence = if is_there(side, partition) {
                    let topic = self.topics.name(side);
                    let log = LogBounds {
                        start: offset(&beginnings, topic, partition)?,
                        end: offset(&ends, topic, partition)?,
                    };
                    Presence::There { commit: commit(&commits, topic, partition)?, log }
                } else {
                    Presence::Absent
                };
                facts.push(PartitionFacts { side, partition, presence });
            }
        }
        Ok(facts)
    }

    /// The number of partitions of a topic: 0 if it does not exist.
    fn count(&self, side: Side) -> KafkaResult<i32> {
        let metadata = self.logs.fetch_metadata(Some(self.topics.name(side)), TIMEOUT)?;
        let found = metadata.topics().first().map_or(0, |topic| topic.partitions().len());
        Ok(i32::try_from(found).unwrap_or(i32::MAX))
    }

    /// One bound of all logs, with one request per broker, which returns these offsets for special timestamps.
    fn bounds(&self, list: &TopicPartitionList, what: Offset) -> KafkaResult<TopicPartitionList> {
        let mut asked = list.clone();
        asked.set_all_offsets(what)?;
        self.logs.offsets_for_times(asked, TIMEOUT)
    }
}

fn offset(list: &TopicPartitionList, topic: &str, partition: i32) -> KafkaResult<i64> {
    let unanswered = || KafkaError::OffsetFetch(rdkafka::error::RDKafkaErrorCode::UnknownPartition);
    let found = list.find_partition(topic, partition).ok_or_else(unanswered)?;
    found.error()?;
    match found.offset() {
        Offset::Offset(offset) => Ok(offset),
        _ => Err(unanswered()),
    }
}

fn commit(list: &TopicPartitionList, topic: &str, partition: i32) -> KafkaResult<Option<CommittedOffset>> {
    let Some(found) = list.find_partition(topic, partition) else { return Ok(None) };
    found.error()?;
    Ok(match found.offset() {
        Offset::Offset(offset) => Some(CommittedOffset { offset, metadata: found.metadata().to_owned() }),
        _ => None,
    })
}
