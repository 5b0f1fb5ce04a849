//! Watches the cluster: where the logs end, and which member of the group has which partitions.
//!
//! Lag must be correct for a partition that is not being read, and a consumer's knowledge from its last fetch is not:
//! so the end offsets are requested twice a second, with one request per broker for all partitions together.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaResult;
use rdkafka::{Offset, TopicPartitionList};

use super::end_offsets::{Ends, QuestionClient};
use crate::config::KafkaConfig;
use crate::shutdown::Shutdown;
use crate::source::cluster::{ClusterBoard, GroupMember, LogBounds, TopicLogs};
use crate::wall_clock::now_ms;

/// How often the end offsets are requested.
const ENDS_INTERVAL: Duration = Duration::from_millis(500);

/// How often everything else is requested: the start offsets, added partitions, the members of the group.
const MEMBERS_INTERVAL: Duration = Duration::from_secs(5);

/// Timeout of one request. Earlier results remain valid, and their age is shown.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How often a waiting thread checks whether it should stop.
const STOP_POLL: Duration = Duration::from_millis(100);

/// Sends the requests, and publishes the results.
pub(crate) struct ClusterWatch {
    client: Arc<QuestionClient>,
    /// A client that is told where the readable part ends.
    stable: Arc<QuestionClient>,
    board: Arc<ClusterBoard>,
    group: String,
    topics: Vec<TopicLogs>,
}

impl ClusterWatch {
    /// A watch over the topics of the settings.
    pub(crate) fn new(
        client: Arc<QuestionClient>,
        stable: Arc<QuestionClient>,
        kafka: &KafkaConfig,
        board: Arc<ClusterBoard>,
    ) -> Self {
        let names = [&kafka.topics.impression, &kafka.topics.click, &kafka.dlq_topic];
        let topics = names.map(|name| TopicLogs { name: name.clone(), partitions: Vec::new() }).into();
        Self { client, stable, board, group: kafka.group_id.clone(), topics }
    }

    /// Watches on a separate thread until the process stops.
    ///
    /// # Errors
    ///
    /// If the thread cannot be started.
    pub(crate) fn start(mut self, shutdown: Shutdown) -> std::io::Result<()> {
        let watch = move || {
            let mut next_members = Instant::now();
            while !shutdown.is_requested() {
                let begun = Instant::now();
                if begun >= next_members {
                    next_members = begun + MEMBERS_INTERVAL;
                    self.note(Self::look_around);
                }
                self.note(Self::look_at_ends);
                while begun.elapsed() < ENDS_INTERVAL && !shutdown.is_requested() {
                    std::thread::sleep(STOP_POLL);
                }
            }
        };
        std::thread::Builder::new().name("cluster-watch".to_owned()).spawn(watch)?;
        Ok(())
    }

    fn note(&mut self, look: fn(&mut Self) -> KafkaResult<()>) {
        if let Err(error) = look(self) {
            tracing::debug!(%error, "the cluster did not answer");
        }
    }

    /// Information that rarely changes.
    fn look_around(&mut self) -> KafkaResult<()> {
        for topic in &mut self.topics {
            let metadata = self.client.fetch_metadata(Some(&topic.name), TIMEOUT)?;
            let count = metadata.topics().first().map_or(0, |found| found.partitions().len());
            topic.partitions.resize(count, LogBounds::default());
        }
        self.ask(Ends::Log, Offset::Beginning, |bounds, start| bounds.start = start)?;
        let list = self.client.fetch_group_list(Some(&self.group), TIMEOUT)?;
        if let Some(group) = list.groups().first() {
            let mut members: Vec<GroupMember> = group
                .members()
                .iter()
                .map(|member| GroupMember {
                    client_id: member.client_id().to_owned(),
                    host: member.client_host().trim_start_matches('/').to_owned(),
                    partitions: assigned_partitions(member.assignment().unwrap_or_default()).unwrap_or_default(),
                })
                .collect();
            members.sort_by(|a, b| a.client_id.cmp(&b.client_id));
            self.board.show_group(group.state().to_owned(), members);
        }
        Ok(())
    }

    fn look_at_ends(&mut self) -> KafkaResult<()> {
        self.ask(Ends::Log, Offset::End, |bounds, end| bounds.end = end)?;
        self.ask(Ends::Stable, Offset::End, |bounds, end| bounds.stable_end = end)?;
        let now = now_ms();
        self.topics.iter_mut().flat_map(|topic| &mut topic.partitions).for_each(|bounds| bounds.note_ends(now));
        self.board.show_topics(self.topics.clone());
        Ok(())
    }

    /// Requests one offset of all partitions at once. A broker returns `End` and `Beginning` for these special
    /// timestamps.
    fn ask(&mut self, ends: Ends, what: Offset, set: fn(&mut LogBounds, Option<i64>)) -> KafkaResult<()> {
        let mut list = TopicPartitionList::new();
        for topic in &self.topics {
            for partition in (0i32..).take(topic.partitions.len()) {
                list.add_partition_offset(&topic.name, partition, what)?;
            }
        }
        if list.count() == 0 {
            return Ok(());
        }
        let client = if ends == Ends::Log { &self.client } else { &self.stable };
        let answer = client.offsets_for_times(list, TIMEOUT)?;
        for topic in &mut self.topics {
            for (number, bounds) in (0i32..).zip(&mut topic.partitions) {
                let found = answer.find_partition(&topic.name, number);
                if let Some(Offset::Offset(offset)) =
                    found.filter(|found| found.error().is_ok()).map(|found| found.offset())
                {
                    set(bounds, Some(offset));
                }
            }
        }
        Ok(())
    }
}

/// The partitions in a member's assignment as encoded by the consumer protocol: version, then for each topic its name
/// and its partitions, all lengths and numbers big-endian. `None` if it is truncated.
fn assigned_partitions(assignment: &[u8]) -> Option<Vec<(String, Vec<i32>)>> {
    let (_version, mut rest) = assignment.split_first_chunk::<2>()?;
    let topics = take_i32(&mut rest)?;
    let mut found = Vec::new();
    for _ in 0..topics {
        let (length, after) = rest.split_first_chunk::<2>()?;
        let length = usize::from(u16::from_be_bytes(*length));
        let name = String::from_utf8_lossy(after.get(..length)?).into_owned();
        rest = after.get(length..)?;
        let count = take_i32(&mut rest)?;
        let mut partitions = (0..count).map(|_| take_i32(&mut rest)).collect::<Option<Vec<i32>>>()?;
        partitions.sort_unstable();
        found.push((name, partitions));
    }
    found.sort();
    Some(found)
}

fn take_i32(bytes: &mut &[u8]) -> Option<i32> {
    let (number, rest) = bytes.split_first_chunk::<4>()?;
    *bytes = rest;
    Some(i32::from_be_bytes(*number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assignment_is_read_as_the_protocol_writes_it() {
        let mut bytes = vec![0, 1, 0, 0, 0, 2];
        for (name, partitions) in [("clicks", [3i32, 1]), ("ads", [0, 7])] {
            bytes.extend([0, u8::try_from(name.len()).unwrap()]);
            bytes.extend(name.as_bytes());
            bytes.extend(2i32.to_be_bytes());
            partitions.iter().for_each(|partition| bytes.extend(partition.to_be_bytes()));
        }
        bytes.extend((-1i32).to_be_bytes());
        let expected = vec![("ads".to_owned(), vec![0, 7]), ("clicks".to_owned(), vec![1, 3])];
        assert_eq!(assigned_partitions(&bytes), Some(expected));
    }

    #[test]
    fn an_assignment_that_ends_too_early_is_none() {
        for bytes in [&[][..], &[0, 1], &[0, 1, 0, 0, 0, 1, 0, 9, b'x'], &[0, 1, 0, 0, 0, 1, 0, 1, b'x', 0, 0, 0, 2, 0]]
        {
            assert_eq!(assigned_partitions(bytes), None, "{bytes:?}");
        }
        assert_eq!(assigned_partitions(&[0, 0, 0, 0, 0, 0]), Some(vec![]));
    }
}
