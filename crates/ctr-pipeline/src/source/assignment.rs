//! From assigned partitions to tasks: pair the topics, read the commits, look at the logs, decide where each starts.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use ctr_domain::recovery::{
    Commit, FreshStart, LogBounds, PartitionStart, RecoveryError, RecoveryNotice, made_anew, recover,
};
use ctr_domain::rules::Rules;
use ctr_domain::task::{BySide, Side};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};

use super::batch::PartitionQueue;
/// How long the brokers may take to answer one question about commits or bounds.
const TIMEOUT: Duration = Duration::from_secs(30);

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
}

/// Why partitions could not be taken over.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AssignmentError {
    /// The two topics do not have the same partitions here.
    #[error(
        "partitions {unpaired:?} were assigned of one topic only: `{impressions}` and `{clicks}` must have the same number of \
         partitions, and all members of the group must read both"
    )]
    Unpaired { unpaired: Vec<i32>, impressions: String, clicks: String },
    /// A commit must not be continued.
    #[error("{topic}-{partition}: {source}")]
    Recovery { topic: String, partition: i32, source: RecoveryError },
    /// The commits could not be read. Nothing is read without them.
    #[error("the group's commits could not be read: {0}")]
    Commits(KafkaError),
    /// The bounds of a log could not be read.
    #[error("{topic}-{partition}: the bounds of its log could not be read: {source}")]
    Bounds { topic: String, partition: i32, source: KafkaError },
    /// librdkafka did not take the assignment.
    #[error("partitions could not be assigned: {0}")]
    Assign(KafkaError),
}

impl AssignmentError {
    /// Whether trying again cannot help.
    pub(crate) fn is_fatal(&self) -> bool {
        matches!(self, Self::Unpaired { .. } | Self::Recovery { .. })
    }
}

/// A pair of partitions, ready to be read.
pub(crate) struct AssignedPair {
    pub(crate) partition: i32,
    pub(crate) starts: BySide<PartitionStart>,
    pub(crate) queues: BySide<PartitionQueue>,
    pub(crate) notices: Vec<(Side, RecoveryNotice)>,
    /// Whether a side has no commit yet: its start must be committed at once.
    pub(crate) is_new: bool,
}

/// What is needed to decide starts.
pub(crate) struct Assigner<'a, C: ConsumerContext> {
    pub(crate) consumer: &'a Arc<BaseConsumer<C>>,
    pub(crate) topics: &'a Topics,
    pub(crate) rules: &'a Rules,
    /// Partitions whose log was found to be another one than their commit speaks of.
    pub(crate) anew: &'a BTreeSet<(Side, i32)>,
}

/// The partitions of an assignment, if every one has its twin.
pub(crate) fn pairs(assigned: &TopicPartitionList, topics: &Topics) -> Result<Vec<i32>, AssignmentError> {
    let mut sides = BySide([BTreeSet::new(), BTreeSet::new()]);
    for element in assigned.elements() {
        if let Some(side) = topics.side(element.topic()) {
            sides[side].insert(element.partition());
        }
    }
    let unpaired: Vec<i32> = sides.0[0].symmetric_difference(&sides.0[1]).copied().collect();
    if unpaired.is_empty() {
        return Ok(sides.0[0].iter().copied().collect());
    }
    Err(AssignmentError::Unpaired {
        unpaired,
        impressions: topics.name(Side::Impressions).to_owned(),
        clicks: topics.name(Side::Clicks).to_owned(),
    })
}

type Commits = HashMap<(Side, i32), (i64, String)>;

impl<C: ConsumerContext + 'static> Assigner<'_, C> {
    /// Takes over partitions: queues are split first, then starts are decided, then everything is assigned at once.
    pub(crate) fn assign(&self, partitions: &[i32]) -> Result<Vec<AssignedPair>, AssignmentError> {
        let commits = self.commits(partitions)?;
        let mut pairs = Vec::with_capacity(partitions.len());
        let mut list = TopicPartitionList::with_capacity(partitions.len() * 2);
        for &partition in partitions {
            let pair = self.pair(partition, &commits)?;
            for side in Side::BOTH {
                list.add_partition_offset(self.topics.name(side), partition, Offset::Offset(pair.starts[side].offset))
                    .map_err(AssignmentError::Assign)?;
            }
            pairs.push(pair);
        }
        self.consumer.assign(&list).map_err(AssignmentError::Assign)?;
        Ok(pairs)
    }

    fn pair(&self, partition: i32, commits: &Commits) -> Result<AssignedPair, AssignmentError> {
        let (impressions, first) = self.start(Side::Impressions, partition, commits)?;
        let (clicks, second) = self.start(Side::Clicks, partition, commits)?;
        let notices = [(Side::Impressions, first), (Side::Clicks, second)]
            .into_iter()
            .filter_map(|(side, notice)| notice.map(|notice| (side, notice)))
            .collect();
        Ok(AssignedPair {
            partition,
            starts: BySide([impressions, clicks]),
            queues: BySide([self.queue(Side::Impressions, partition)?, self.queue(Side::Clicks, partition)?]),
            notices,
            is_new: Side::BOTH.iter().any(|side| !commits.contains_key(&(*side, partition))),
        })
    }

    fn queue(&self, side: Side, partition: i32) -> Result<PartitionQueue, AssignmentError> {
        PartitionQueue::split(self.consumer, self.topics.name(side), partition)
            .ok_or_else(|| AssignmentError::Assign(KafkaError::Subscription("unknown partition".to_owned())))
    }

    fn start(
        &self,
        side: Side,
        partition: i32,
        commits: &Commits,
    ) -> Result<(PartitionStart, Option<RecoveryNotice>), AssignmentError> {
        let topic = self.topics.name(side);
        let (start, end) = self
            .consumer
            .fetch_watermarks(topic, partition, TIMEOUT)
            .map_err(|source| AssignmentError::Bounds { topic: topic.to_owned(), partition, source })?;
        let log = LogBounds { start, end };
        let commit = commits.get(&(side, partition));
        if let Some((offset, _)) = commit
            && self.anew.contains(&(side, partition))
        {
            let (start, notice) = made_anew(*offset, log);
            return Ok((start, Some(notice)));
        }
        // A group's first start has committed a start for every partition there was (see `group_commits`), so a partition
        // without a commit was added since: it is read from its beginning, whatever the strategy.
        let commit = commit.map(|(offset, metadata)| Commit { offset: *offset, metadata });
        recover(commit, log, FreshStart::Earliest, self.rules).map_err(|source| AssignmentError::Recovery {
            topic: topic.to_owned(),
            partition,
            source,
        })
    }

    /// What the group has committed for these partitions.
    fn commits(&self, partitions: &[i32]) -> Result<Commits, AssignmentError> {
        let mut asked = TopicPartitionList::new();
        for side in Side::BOTH {
            for partition in partitions {
                asked.add_partition(self.topics.name(side), *partition);
            }
        }
        if asked.count() == 0 {
            return Ok(Commits::new());
        }
        let answer = self.consumer.committed_offsets(asked, TIMEOUT).map_err(AssignmentError::Commits)?;
        let mut commits = Commits::new();
        for element in answer.elements() {
            element.error().map_err(AssignmentError::Commits)?;
            if let (Some(side), Offset::Offset(offset)) = (self.topics.side(element.topic()), element.offset()) {
                commits.insert((side, element.partition()), (offset, element.metadata().to_owned()));
            }
        }
        Ok(commits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topics() -> Topics {
        Topics(BySide(["impressions".to_owned(), "clicks".to_owned()]))
    }

    fn assigned(partitions: &[(&str, i32)]) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for (topic, partition) in partitions {
            list.add_partition(topic, *partition);
        }
        list
    }

    #[test]
    fn twins_are_paired() {
        let list = assigned(&[("impressions", 1), ("clicks", 1), ("clicks", 0), ("impressions", 0)]);
        assert_eq!(pairs(&list, &topics()).unwrap(), [0, 1]);
        assert!(pairs(&assigned(&[]), &topics()).unwrap().is_empty());
    }

    #[test]
    fn a_partition_without_its_twin_is_fatal_and_named() {
        let list = assigned(&[("impressions", 1), ("clicks", 1), ("clicks", 2)]);
        let error = pairs(&list, &topics()).unwrap_err();
        assert!(error.is_fatal());
        assert!(error.to_string().contains("[2]"), "{error}");
    }
}
