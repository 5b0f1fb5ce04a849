//! `dlq redrive`: which letters can be put back, putting them back once, and counting their windows again.
//!
//! ```text
//! letters that are meant ─> end an earlier run's transactions ─> what do the topics have of them already?
//!     ─> per letter: mend, judge ─> batches of copies ─> recount of the windows
//! ```
//!
//! The copies in the topics are the memory of what was put back (`docs/adr/0011`). So a letter can be put back for as long as
//! its record is still in its topic: then every copy, which lies behind it, is there too.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{self, Write as _};

use anyhow::Context as _;
use ctr_domain::dead_letter::TOO_LATE;
use ctr_domain::event::Event;
use ctr_domain::recount::WindowRange;
use ctr_domain::redriven::DeadLetterId;
use ctr_domain::rules::Rules;
use ctr_domain::timestamp::to_rfc3339;
use ctr_domain::window::WindowSize;
use tokio::runtime::Runtime;

use super::RedriveOptions;
use super::letter::Letter;
use super::mend::mend;
use super::scan::{each_letter, parts};
use super::show::say_others;
use crate::config::Config;
use crate::job;
use crate::recount::{self, Progress, now_ms};
use crate::sink::redrive::{Redriven, Redriver};
use crate::source::log_reader::{LogPart, LogReader};
use crate::source::redriven::origin_of;
use crate::source::topics::ClusterFacts;

/// Records put back at once, at most, and their bytes.
const BATCH: (usize, usize) = (500, 4 << 20);

/// What is done with a letter. The time is the event's, epoch ms.
#[derive(Debug)]
enum Action {
    /// It is put back.
    Send(Redriven, i64),
    /// It was put back before.
    Already(i64),
    /// Its record is valid and lies in its topic: the recount counts it there.
    InTheLog(i64),
    /// It stays where it is.
    Leave(String),
}

/// Runs the command: false where letters or windows had to be left.
pub(super) fn run(config: &Config, options: &RedriveOptions) -> anyhow::Result<bool> {
    let runtime = Runtime::new().context("threads")?;
    let cluster = recount::usable_cluster(config, &runtime)?;
    let rules = job::rules(&config.job)?;
    let redriver = options.execute.then(|| Redriver::begin(&config.kafka)).transpose()?;

    let mut letters = LogReader::new(&config.kafka)?;
    let parts = parts(&letters, &config.kafka.dlq_topic)?;
    let mut logs = Logs::new(config)?;
    let mut oldest = BTreeMap::new();
    each_letter(&mut letters, &parts, &options.filter, |letter, _| {
        let lowest = oldest.entry((letter.raw_topic, letter.partition)).or_insert(letter.offset);
        *lowest = letter.offset.min(*lowest);
        Ok(())
    })?;
    logs.find_copies(&oldest)?;

    let mut judge = Judge { logs, rules, mend: options.mend.as_deref() };
    let window_size = rules.window_size;
    let mut run = Run { redriver, window_size, batch: Vec::new(), bytes: 0, tally: Tally::default() };
    let others = each_letter(&mut letters, &parts, &options.filter, |letter, _| {
        let action = judge.judge(&letter)?;
        run.act(&letter.id(), action)
    })?;
    run.flush()?;
    say_others(others);
    let _ = write!(io::stdout(), "{}", run.tally.summary(options.execute));
    let whole = run.tally.left == 0;
    if !options.execute || options.no_recount {
        return Ok(whole);
    }
    Ok(count_again(config, &runtime, &cluster, run.tally.windows)? && whole)
}

/// Counts the windows of what was put back again.
fn count_again(
    config: &Config,
    runtime: &Runtime,
    cluster: &ClusterFacts,
    windows: BTreeSet<i64>,
) -> anyhow::Result<bool> {
    let (Some(first), Some(last)) = (windows.first(), windows.last()) else { return Ok(true) };
    let window_size = job::rules(&config.job)?.window_size;
    let Some(range) = WindowRange::covering(*first, last + 1, window_size) else { return Ok(true) };
    let request = recount::Request { range, only: Some(windows), dry_run: false };
    let report = recount::execute(config, runtime, cluster, &request)?;
    let _ = write!(io::stdout(), "{report}");
    Ok(!report.has_refused())
}

/// The topics that records came from.
struct Logs {
    reader: LogReader,
    /// The first offset of each partition that letters came from.
    starts: HashMap<(String, i32), i64>,
    /// Event times of the copies that lie in the topics already.
    copies: HashMap<DeadLetterId, i64>,
    counted: [String; 2],
}

impl Logs {
    fn new(config: &Config) -> anyhow::Result<Self> {
        let topics = &config.kafka.topics;
        Ok(Self {
            reader: LogReader::new(&config.kafka)?,
            starts: HashMap::new(),
            copies: HashMap::new(),
            counted: [topics.impression.clone(), topics.click.clone()],
        })
    }

    /// Looks for copies behind the oldest record of each partition that is meant.
    fn find_copies(&mut self, oldest: &BTreeMap<(String, i32), i64>) -> anyhow::Result<()> {
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
struct Judge<'a> {
    logs: Logs,
    rules: Rules,
    mend: Option<&'a str>,
}

impl Judge<'_> {
    fn judge(&mut self, letter: &Letter) -> anyhow::Result<Action> {
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
        let payload = match self.mend {
            None => payload.unwrap_or_default(),
            Some(command) => match mend(command, &id, &payload.unwrap_or_default()) {
                Ok(mended) => mended,
                Err(error) => return Ok(Action::Leave(error.to_string())),
            },
        };
        let now = now_ms();
        match Event::parse(Some(&payload)) {
            Err(rejection) => Ok(Action::Leave(format!("it would be rejected again: {rejection}"))),
            Ok(event) if self.rules.is_future(event.timestamp, Some(now)) => Ok(Action::Leave(format!(
                "it would be rejected again: its time, {}, is still too far ahead",
                to_rfc3339(event.timestamp)
            ))),
            Ok(event) => {
                let time = event.timestamp;
                Ok(Action::Send(Redriven { id, key, payload }, time))
            }
        }
    }
}

/// What was done.
#[derive(Debug, Default)]
struct Tally {
    sent: u64,
    already: u64,
    in_the_log: u64,
    left: u64,
    /// The starts of the windows of all that is in the topics now.
    windows: BTreeSet<i64>,
}

impl Tally {
    fn summary(&self, executed: bool) -> String {
        let verb = if executed { "put back" } else { "would be put back (--execute does it)" };
        format!(
            "letters   {} {verb}, {} were before, {} lie in the log and need no copy, {} left\n",
            self.sent, self.already, self.in_the_log, self.left
        )
    }
}

/// Does what was decided.
struct Run {
    /// `None` in a dry run.
    redriver: Option<Redriver>,
    window_size: WindowSize,
    batch: Vec<Redriven>,
    bytes: usize,
    tally: Tally,
}

impl Run {
    fn act(&mut self, id: &DeadLetterId, action: Action) -> anyhow::Result<()> {
        let (word, detail, time) = match action {
            Action::Send(copy, time) => {
                self.bytes += copy.payload.len();
                self.batch.push(copy);
                self.tally.sent += 1;
                ("send", String::new(), Some(time))
            }
            Action::Already(time) => {
                self.tally.already += 1;
                ("already", String::new(), Some(time))
            }
            Action::InTheLog(time) => {
                self.tally.in_the_log += 1;
                ("recount", String::new(), Some(time))
            }
            Action::Leave(reason) => {
                self.tally.left += 1;
                ("leave", reason, None)
            }
        };
        let detail = time.map_or(detail, to_rfc3339);
        let _ = writeln!(io::stdout(), "{word:8}  {id}  {detail}");
        self.tally.windows.extend(time.map(|time| self.window_size.window_of(time).start));
        if self.batch.len() >= BATCH.0 || self.bytes >= BATCH.1 {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        let batch = std::mem::take(&mut self.batch);
        self.bytes = 0;
        match &self.redriver {
            Some(redriver) if !batch.is_empty() => Ok(redriver.write(&batch)?),
            _ => Ok(()),
        }
    }
}
