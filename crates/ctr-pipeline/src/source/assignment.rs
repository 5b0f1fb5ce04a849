//! Assignments: converts between librdkafka's lists of partitions and the shell's.

use std::sync::Arc;

use ctr_domain::shell::PairStart;
use ctr_domain::side::{BySide, Side};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::{Offset, TopicPartitionList};

use super::batch::PartitionQueue;

/// The two topics of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Topics(pub(crate) BySide<String>);

impl Topics {
    pub(crate) fn name(&self, side: Side) -> &str {
        &self.0[side]
    }

    pub(crate) fn names(&self) -> [&str; 2] {
        self.0.0.each_ref().map(String::as_str)
    }

    pub(crate) fn side(&self, topic: &str) -> Option<Side> {
        Side::BOTH.into_iter().find(|side| self.0[*side] == topic)
    }

    /// The partitions of a list that belong to the job's topics.
    pub(crate) fn partitions(&self, list: &TopicPartitionList) -> Vec<(Side, i32)> {
        let of = |topic: &str, partition| Some((self.side(topic)?, partition));
        list.elements().iter().filter_map(|element| of(element.topic(), element.partition())).collect()
    }
}

/// Makes the consumer read exactly these pairs. Queues are split before the assignment is made: after it, records or
/// the one end-of-partition event could already be in the consumer's own queue. One pair of queues for each start, in
/// order.
///
/// # Errors
///
/// If librdkafka rejects the assignment.
pub(crate) fn assign<C: ConsumerContext + 'static>(
    consumer: &Arc<BaseConsumer<C>>,
    topics: &Topics,
    starts: &[PairStart],
) -> KafkaResult<Vec<BySide<PartitionQueue>>> {
    let mut list = TopicPartitionList::with_capacity(starts.len() * 2);
    let mut queues = Vec::with_capacity(starts.len());
    for start in starts {
        let split = |side| {
            PartitionQueue::split(consumer, topics.name(side), start.partition)
                .ok_or_else(|| KafkaError::Subscription("unknown partition".to_owned()))
        };
        queues.push(BySide([split(Side::Impressions)?, split(Side::Clicks)?]));
        for side in Side::BOTH {
            let offset = Offset::Offset(start.starts[side].offset);
            list.add_partition_offset(topics.name(side), start.partition, offset)?;
        }
    }
    consumer.assign(&list)?;
    Ok(queues)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_known_by_their_topics_side() {
        let topics = Topics(BySide(["impressions".to_owned(), "clicks".to_owned()]));
        let mut list = TopicPartitionList::new();
        for (topic, partition) in [("impressions", 1), ("clicks", 1), ("others", 0)] {
            list.add_partition(topic, partition);
        }
        assert_eq!(topics.partitions(&list), [(Side::Impressions, 1), (Side::Clicks, 1)]);
    }
}
