//! The dead letter topic, as far as it was read, by partition of the two topics.

use std::collections::HashSet;

use anyhow::Context as _;
use ctr_pipeline::config::KafkaConfig;
use foldhash::fast::RandomState;
use rdkafka::Message as _;
use serde::Deserialize;

use crate::count::Code;
use crate::letters::{Letter, PartitionLetters};
use crate::topic_reader::TopicReader;

/// The relevant fields of a dead letter's JSON.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LetterRecord {
    raw_topic: String,
    partition: u32,
    offset: i64,
    code: String,
    #[serde(default)]
    closed_early: bool,
}

/// The dead letters of one partition.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) letters: PartitionLetters,
    /// The offsets of dead letters `closedEarly`.
    pub(super) closed_early: HashSet<i64, RandomState>,
}

/// All dead letters found.
pub(super) struct LetterTopic {
    reader: TopicReader,
    topics: [String; 2],
    found: [Vec<Found>; 2],
    kept_since: Option<i64>,
    /// Records that are not dead letters of these topics.
    pub(super) foreign: u64,
    /// Dead letters that were repeated.
    pub(super) repeated: usize,
}

impl LetterTopic {
    pub(super) fn open(kafka: &KafkaConfig) -> anyhow::Result<Self> {
        Ok(Self {
            reader: TopicReader::open(kafka, &kafka.dlq_topic, None)?,
            topics: [kafka.topics.impression.clone(), kafka.topics.click.clone()],
            found: [Vec::new(), Vec::new()],
            kept_since: None,
            foreign: 0,
            repeated: 0,
        })
    }

    /// Reads the new records. True if dead letters `closedEarly` were among them: they change what has to be counted.
    pub(super) fn read_on(&mut self) -> anyhow::Result<bool> {
        let (topics, found, foreign, kept_since) =
            (&self.topics, &mut self.found, &mut self.foreign, &mut self.kept_since);
        let firsts: Vec<_> = self.reader.partitions.iter().map(|p| p.is_cut.then_some(p.begin)).collect();
        let mut closed_early = false;
        self.reader
            .read_on(|partition, message| {
                if firsts[partition] >= Some(message.offset()) {
                    *kept_since = (*kept_since).max(message.timestamp().to_millis());
                }
                match message.payload().and_then(|value| place(topics, value)) {
                    Some((side, partition, letter)) => {
                        closed_early |= take(&mut found[side], partition, letter);
                    }
                    None => *foreign += 1,
                }
                Ok(())
            })
            .context("dead letters")?;
        for partition in self.found.iter_mut().flatten() {
            self.repeated += partition.letters.sort();
        }
        Ok(closed_early)
    }

    /// The findings for a partition of the impressions (0) or the clicks (1).
    pub(super) fn of(&self, side: usize, partition: usize) -> Option<&Found> {
        self.found[side].get(partition)
    }

    /// Dead letters of records older than this may be gone: the topic was cut. `None`: it never was.
    pub(super) fn kept_since(&self) -> Option<i64> {
        let is_all_gone =
            self.reader.partitions.iter().any(|partition| partition.is_cut && partition.next == partition.begin);
        if is_all_gone { Some(i64::MAX) } else { self.kept_since }
    }
}

fn place(topics: &[String; 2], value: &[u8]) -> Option<(usize, usize, Letter)> {
    let record: LetterRecord = serde_json::from_slice(value).ok()?;
    let side = topics.iter().position(|topic| *topic == record.raw_topic)?;
    let code = Code::of_letter(&record.code, record.closed_early)?;
    let letter = Letter { offset: record.offset, code, may_be_gone: false };
    Some((side, usize::try_from(record.partition).ok()?, letter))
}

/// Whether it is a new dead letter `closedEarly`.
fn take(found: &mut Vec<Found>, partition: usize, letter: Letter) -> bool {
    if found.len() <= partition {
        found.resize_with(partition + 1, Found::default);
    }
    found[partition].letters.push(letter);
    letter.code == Code::ClosedEarly && found[partition].closed_early.insert(letter.offset)
}
