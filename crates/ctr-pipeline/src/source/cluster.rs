//! The last known state of the cluster: the bounds of the logs, and the members of the group.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde::Serialize;

/// The offsets that bound the log of a partition; `None` while unknown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct LogBounds {
    /// The offset of the first record.
    pub start: Option<i64>,
    /// The offset of the next record to be written.
    pub end: Option<i64>,
    /// The end of what can be read: before the first record of a transaction that is still open.
    pub stable_end: Option<i64>,
    /// Since when that is before the end, epoch ms.
    pub held_since: Option<i64>,
}

impl LogBounds {
    /// Records that an open transaction holds back.
    #[must_use]
    pub fn held_back(&self) -> Option<i64> {
        // The two ends are not read at the same moment: the stable one is read later and may be larger.
        Some((self.end? - self.stable_end?).max(0))
    }

    /// Both ends are known: notes since when records are held back.
    pub fn note_ends(&mut self, now: i64) {
        self.held_since = if self.held_back() > Some(0) { self.held_since.or(Some(now)) } else { None };
    }
}

/// One topic.
#[derive(Debug, Clone, Serialize)]
pub struct TopicLogs {
    /// Its name.
    pub name: String,
    /// Its partitions, by number.
    pub partitions: Vec<LogBounds>,
}

/// One member of the consumer group, of any instance.
#[derive(Debug, Clone)]
pub struct GroupMember {
    /// Its client id: instance and worker.
    pub client_id: String,
    /// Its host.
    pub host: String,
    /// The topics it reads, with their partitions.
    pub partitions: Vec<(String, Vec<i32>)>,
}

/// The last known state of the cluster.
#[derive(Debug, Clone, Default)]
pub struct ClusterView {
    /// The topics of the job.
    pub topics: Vec<TopicLogs>,
    /// When the end offsets were last received.
    pub topics_at: Option<Instant>,
    /// The group's state as Kafka names it (`Stable`, `PreparingRebalance`, …); empty while not known.
    pub group_state: String,
    /// The members of the group.
    pub members: Vec<GroupMember>,
}

impl ClusterView {
    /// The end offset of a partition, if known.
    #[must_use]
    pub fn end(&self, topic: &str, partition: i32) -> Option<i64> {
        self.bounds(topic, partition)?.end
    }

    /// The bounds of the log of a partition, as far as known.
    #[must_use]
    pub fn bounds(&self, topic: &str, partition: i32) -> Option<&LogBounds> {
        let logs = self.topics.iter().find(|logs| logs.name == topic)?;
        logs.partitions.get(usize::try_from(partition).ok()?)
    }
}

/// Holds the last known state of the cluster.
#[derive(Debug, Default)]
pub struct ClusterBoard(Mutex<ClusterView>);

impl ClusterBoard {
    /// The last known state.
    #[must_use]
    pub fn read(&self) -> ClusterView {
        self.lock().clone()
    }

    /// Publishes the topics.
    pub fn show_topics(&self, topics: Vec<TopicLogs>) {
        let mut view = self.lock();
        view.topics = topics;
        view.topics_at = Some(Instant::now());
    }

    /// Publishes the group.
    pub fn show_group(&self, state: String, members: Vec<GroupMember>) {
        let mut view = self.lock();
        view.group_state = state;
        view.members = members;
    }

    fn lock(&self) -> MutexGuard<'_, ClusterView> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
