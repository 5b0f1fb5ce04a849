//! Decides what to do with a dead letter, from the contents of its record's topic and the rules for events.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use ctr_domain::dead_letter::TOO_LATE;
use ctr_domain::event::Event;
use ctr_domain::redriven::{DeadLetterId, HEADER};
use ctr_domain::rules::Rules;

use super::letter::{DeadLetter, RecordHeader};
use super::mend::mend;
use crate::config::Config;
use crate::recount::Progress;
use crate::sink::redrive::Redriven;
use crate::source::log_reader::{LogPart, LogReader};
use crate::source::redriven::origin_of;
use crate::wall_clock::now_ms;

/// What to do with a dead letter. Times are event times in epoch ms.
#[derive(Debug)]
pub(super) enum RedriveAction {
    /// Redrive it.
    Send(Redriven, i64),
    /// It was redriven before: the event time, and the offset of the copy.
    Already(i64, i64),
    /// Its record is valid and still in its topic, where the recount finds it.
    InTheLog(i64),
    /// Skip it, for this reason.
    Leave(String),
}

/// A copy found in its topic.
#[derive(Debug, Clone, Copy)]
struct FoundCopy {
    /// Epoch ms.
    event_time: i64,
    offset: i64,
}

/// The topics of the original records.
pub(super) struct Logs {
    reader: LogReader,
    /// The range of offsets in each partition.
    bounds: HashMap<(String, i32), Range<i64>>,
    /// The copies that are already in the topics.
    copies: HashMap<DeadLetterId, FoundCopy>,
    counted: [String; 2],
}

impl Logs {
    pub(super) fn new(config: &Config) -> anyhow::Result<Self> {
        let topics = &config.kafka.topics;
        Ok(Self {
            reader: LogReader::new(&config.kafka)?,
            bounds: HashMap::new(),
            copies: HashMap::new(),
            counted: [topics.impression.clone(), topics.click.clone()],
        })
    }

    /// Finds existing copies: reads each partition from the oldest offset that a selected dead letter names.
    pub(super) fn find_copies(&mut self, oldest: &BTreeMap<(String, i32), i64>) -> anyhow::Result<()> {
        let mut parts = Vec::new();
        let mut partitions = HashMap::new();
        for topic in &self.counted {
            partitions.insert(topic, self.reader.partitions(topic)?);
        }
        for ((topic, partition), offset) in oldest {
            // Anyone may have written the dead letter: the partition that it names may not exist.
            if partitions.get(topic).is_some_and(|partitions| (0..*partitions).contains(partition)) {
                let part = self.reader.whole(topic, *partition)?;
                self.bounds.insert((topic.clone(), *partition), part.start..part.end);
                parts.push(LogPart { start: part.start.max(*offset), ..part });
            }
        }
        let mut progress =
            Progress::new("searching for earlier copies", parts.iter().map(|p| (p.end - p.start).max(0)).sum());
        for part in &parts {
            self.reader.read(part, |record| {
                progress.step();
                if let Some(id) = origin_of(record, &part.topic, part.partition)
                    && let Ok(event) = Event::parse(record.payload)
                {
                    let copy = FoundCopy { event_time: event.timestamp, offset: record.mark.offset };
                    self.copies.entry(id).or_insert(copy);
                }
                Ok(())
            })?;
        }
        progress.finish();
        Ok(())
    }

    /// Why the fate of a record can no longer be determined, if so.
    fn loss(&self, letter: &DeadLetter) -> Option<String> {
        let DeadLetter { raw_topic: topic, partition, offset, .. } = letter;
        match self.bounds.get(&(topic.clone(), *partition)) {
            None if self.counted.contains(topic) => Some(format!("{topic} has no partition {partition}")),
            None => Some(format!("`{topic}` is not one of this job's topics")),
            Some(bounds) if *offset < bounds.start => Some(format!(
                "its record is no longer in {topic}-{partition}, which begins at offset {}: its window cannot be recounted, \
                 and it is unknown whether the record was redriven before",
                bounds.start
            )),
            Some(bounds) if *offset >= bounds.end => {
                Some(format!("{topic}-{partition} has no record at this offset; it ends at offset {}", bounds.end))
            }
            Some(_) => None,
        }
    }

    /// Reads a record from its topic.
    fn fetch(&mut self, letter: &DeadLetter) -> anyhow::Result<Option<WholeRecord>> {
        let DeadLetter { raw_topic, partition, offset, .. } = letter;
        let part =
            LogPart { topic: raw_topic.clone(), partition: *partition, start: *offset, end: offset.saturating_add(1) };
        let mut found = None;
        self.reader.read(&part, |record| {
            found = Some(WholeRecord {
                key: record.key.map(<[u8]>::to_vec),
                payload: record.payload.map(<[u8]>::to_vec),
                headers: record.headers().into_iter().filter(|(name, _)| name != HEADER).map(owned).collect(),
            });
            Ok(())
        })?;
        Ok(found)
    }
}

/// The parts of a record that go into its copy.
#[derive(Debug)]
struct WholeRecord {
    key: Option<Vec<u8>>,
    payload: Option<Vec<u8>>,
    /// Without the one that redriving sets.
    headers: Vec<RecordHeader>,
}

impl WholeRecord {
    /// The record as stored in its dead letter.
    fn of(letter: &DeadLetter) -> anyhow::Result<Self> {
        Ok(Self { key: letter.key()?, payload: letter.payload()?, headers: letter.headers()? })
    }
}

fn owned((name, value): (Cow<'_, str>, Option<&[u8]>)) -> RecordHeader {
    (name.into_owned(), value.map(<[u8]>::to_vec))
}

/// Decides what to do with each dead letter.
pub(super) struct Judge<'a> {
    logs: Logs,
    rules: Rules,
    mend: Option<&'a str>,
}

impl<'a> Judge<'a> {
    /// `mend`: the command, if there is one.
    pub(super) const fn new(logs: Logs, rules: Rules, mend: Option<&'a str>) -> Self {
        Self { logs, rules, mend }
    }

    /// Decides.
    ///
    /// # Errors
    /// If a topic cannot be read.
    pub(super) fn judge(&mut self, letter: &DeadLetter) -> anyhow::Result<RedriveAction> {
        let id = letter.id();
        if let Some(loss) = self.logs.loss(letter) {
            return Ok(RedriveAction::Leave(loss));
        }
        if let Some(copy) = self.logs.copies.get(&id) {
            return Ok(RedriveAction::Already(copy.event_time, copy.offset));
        }
        if let (TOO_LATE, Some(time)) = (letter.code.as_str(), letter.event_time_millis_utc) {
            return Ok(RedriveAction::InTheLog(time));
        }
        let read = letter.is_whole().and_then(|is_whole| is_whole.then(|| WholeRecord::of(letter)).transpose());
        let whole = match read {
            Ok(Some(whole)) => Some(whole),
            Ok(None) => self.logs.fetch(letter)?,
            // Skip a damaged dead letter; the others are unaffected.
            Err(error) => return Ok(RedriveAction::Leave(error.to_string())),
        };
        let Some(WholeRecord { key, payload, headers }) = whole else {
            return Ok(RedriveAction::Leave(
                "the dead letter holds only part of the record, and the record is no longer in its topic".to_owned(),
            ));
        };
        let payload = payload.unwrap_or_default();
        let mended = self.mend.map_or_else(|| Ok(payload.clone()), |command| mend(command, &id, &payload));
        Ok(match mended {
            Ok(payload) => self.by_the_rules(Redriven { id, key, payload, headers }),
            Err(error) => RedriveAction::Leave(error.to_string()),
        })
    }

    /// Only a valid event may be redriven.
    fn by_the_rules(&self, record: Redriven) -> RedriveAction {
        let time = Event::parse(Some(&record.payload)).map(|event| event.timestamp);
        let accepted = time.and_then(|time| self.rules.accept_time(time, Some(now_ms())).map(|()| time));
        match accepted {
            Ok(time) => RedriveAction::Send(record, time),
            Err(rejection) => RedriveAction::Leave(format!("it would be rejected again: {rejection}")),
        }
    }
}
