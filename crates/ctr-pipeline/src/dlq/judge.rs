//! What can be done with a letter: what its topic says of it, and the rules for events.

use std::collections::{BTreeMap, HashMap};

use ctr_domain::dead_letter::TOO_LATE;
use ctr_domain::event::Event;
use ctr_domain::redriven::DeadLetterId;
use ctr_domain::rules::Rules;
use ctr_domain::timestamp::to_rfc3339;

use super::letter::Letter;
use super::mend::mend;
use crate::config::Config;
use crate::recount::{Progress, now_ms};
use crate::sink::redrive::Redriven;
use crate::source::log_reader::{LogPart, LogReader};
use crate::source::redriven::origin_of;

/// What is done with a letter. The time is the event's, epoch ms.
#[derive(Debug)]
pub(super) enum Action {
    /// It is put back.
    Send(Redriven, i64),
    /// It was put back before.
    Already(i64),
    /// Its record is valid and lies in its topic: the recount counts it there.
    InTheLog(i64),
    /// It stays where it is.
    Leave(String),
}

/// The topics that records came from.
pub(super) struct Logs {
    reader: LogReader,
    /// The first offset of each partition that letters came from.
    starts: HashMap<(String, i32), i64>,
    /// Event times of the copies that lie in the topics already.
    copies: HashMap<DeadLetterId, i64>,
    counted: [String; 2],
}

impl Logs {
    pub(super) fn new(config: &Config) -> anyhow::Result<Self> {
        let topics = &config.kafka.topics;
        Ok(Self {
            reader: LogReader::new(&config.kafka)?,
            starts: HashMap::new(),
            copies: HashMap::new(),
            counted: [topics.impression.clone(), topics.click.clone()],
        })
    }

    /// Looks for copies behind the oldest record of each partition that is meant.
    pub(super) fn find_copies(&mut self, oldest: &BTreeMap<(String, i32), i64>) -> anyhow::Result<()> {
        let mut parts = Vec::new();
        for ((topic, partition), offset) in oldest {
            if self.counted.contains(topic) {
                let part = self.reader.whole(topic, *partition)?;
                self.starts.insert((topic.clone(), *partition), part.start);
                parts.push(LogPart { start: part.start.max(*offset), ..part });
            }
        }
        let mut progress = Progress::new("looking for what was put back", parts.iter().map(|p| p.end - p.start).sum());
        for part in &parts {
            self.reader.read(part, |record| {
                progress.step();
                if let Some(id) = origin_of(record, &part.topic, part.partition)
                    && let Ok(event) = Event::parse(record.payload)
                {
                    self.copies.entry(id).or_insert(event.timestamp);
                }
                Ok(())
            })?;
        }
        progress.finish();
        Ok(())
    }

    /// Why nothing can be said of a record any more, if so.
    fn loss(&self, letter: &Letter) -> Option<String> {
        let Letter { raw_topic: topic, partition, offset, .. } = letter;
        match self.starts.get(&(topic.clone(), *partition)) {
            None => Some(format!("`{topic}` is none of the topics of this job")),
            Some(start) if offset < start => Some(format!(
                "its record has left {topic}-{partition}, which begins at offset {start}: its window is not in the log, and \
                 whether it was put back before cannot be told"
            )),
            Some(_) => None,
        }
    }

    /// A record as its topic has it: key and value.
    fn fetch(&mut self, letter: &Letter) -> anyhow::Result<Option<KeyAndValue>> {
        let Letter { raw_topic, partition, offset, .. } = letter;
        let part = LogPart { topic: raw_topic.clone(), partition: *partition, start: *offset, end: offset + 1 };
        let mut found = None;
        self.reader.read(&part, |record| {
            found = Some((record.key.map(<[u8]>::to_vec), record.payload.map(<[u8]>::to_vec)));
            Ok(())
        })?;
        Ok(found)
    }
}

type KeyAndValue = (Option<Vec<u8>>, Option<Vec<u8>>);

/// Decides what is done with a letter.
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
    /// Where a topic cannot be read, or the letter is damaged.
    pub(super) fn judge(&mut self, letter: &Letter) -> anyhow::Result<Action> {
        let id = letter.id();
        if let Some(loss) = self.logs.loss(letter) {
            return Ok(Action::Leave(loss));
        }
        if let Some(time) = self.logs.copies.get(&id) {
            return Ok(Action::Already(*time));
        }
        if let (TOO_LATE, Some(time)) = (letter.code.as_str(), letter.event_time_millis_utc) {
            return Ok(Action::InTheLog(time));
        }
        let whole =
            if letter.is_whole()? { Some((letter.key()?, letter.payload()?)) } else { self.logs.fetch(letter)? };
        let Some((key, payload)) = whole else {
            return Ok(Action::Leave("the letter has only a part of it, and its topic no longer has it".to_owned()));
        };
        let payload = payload.unwrap_or_default();
        let mended = self.mend.map_or_else(|| Ok(payload.clone()), |command| mend(command, &id, &payload));
        Ok(match mended {
            Ok(payload) => self.by_the_rules(Redriven { id, key, payload }),
            Err(error) => Action::Leave(error.to_string()),
        })
    }

    /// A record must be an event before it is put back.
    fn by_the_rules(&self, record: Redriven) -> Action {
        let time = Event::parse(Some(&record.payload)).map(|event| event.timestamp);
        let reason = match time {
            Ok(time) if !self.rules.is_future(time, Some(now_ms())) => return Action::Send(record, time),
            Ok(time) => format!("its time, {}, is still too far ahead", to_rfc3339(time)),
            Err(rejection) => rejection.to_string(),
        };
        Action::Leave(format!("it would be rejected again: {reason}"))
    }
}
