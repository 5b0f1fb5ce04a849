//! The log of one partition: generated once, revealed to the readers step by step.

use std::borrow::Cow;

use ctr_domain::event::{Event, EventKind};
use ctr_domain::recovery::LogBounds;
use ctr_domain::rejection::{Rejection, RejectionCode};

use crate::dice::Dice;

pub(crate) const PRODUCTS: [&str; 3] = ["p0", "p1", "p2"];

/// The start time of the logs.
const EPOCH: i64 = 1_700_000_000_000;

/// Steps and delays that hit the ends of windows, and the ends of their lateness, to the millisecond.
const ON_TIME: &[i64] = &[0, 0, 500, 1_000, 7_000, 8_500];

const BAD: [RejectionCode; 3] = [RejectionCode::Tombstone, RejectionCode::InvalidJson, RejectionCode::MissingTimestamp];

/// One record as intended by its producer.
#[derive(Debug)]
pub(crate) enum Content {
    Bad(RejectionCode),
    Event { kind: EventKind, product: u8, at: i64, id: Option<Box<str>> },
}

#[derive(Debug)]
pub(crate) struct Record {
    /// The Kafka timestamp.
    pub(crate) timestamp: Option<i64>,
    pub(crate) content: Content,
}

impl Record {
    /// The result of parsing.
    pub(crate) fn event(&self) -> Result<Event<'_>, Rejection> {
        match &self.content {
            Content::Bad(code) => Err(Rejection::new(*code, String::new())),
            Content::Event { kind, product, at, id } => Ok(Event {
                kind: *kind,
                product_id: Cow::Borrowed(PRODUCTS[usize::from(*product)]),
                timestamp: *at,
                event_id: id.as_deref().map(Cow::Borrowed),
            }),
        }
    }
}

/// Who sets the records' timestamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stamps {
    /// The broker, as it appends (`LogAppendTime`).
    Append,
    /// The producer, with the event's own time.
    Create,
    /// Nobody: records of an old format.
    Absent,
}

/// The behavior of the producers of one history.
pub(crate) struct Traffic {
    stamps: Stamps,
    steps: &'static [i64],
    delays: &'static [i64],
    bad: usize,
    ahead: usize,
    future: usize,
    named: usize,
    holes: usize,
    drift: i64,
}

impl Traffic {
    pub(crate) fn random(dice: &mut Dice) -> Self {
        let stamps = dice.pick(&[Stamps::Append, Stamps::Append, Stamps::Append, Stamps::Create, Stamps::Absent]);
        let append = stamps == Stamps::Append;
        Self {
            stamps,
            steps: dice.pick(&[
                &[0, 0, 5, 50, 300, 1_500, 1_500, 9_000],
                &[0, 20, 100, 700],
                &[0, 900, 4_000, 25_000],
                ON_TIME,
                ON_TIME,
            ]),
            delays: dice.pick(&[
                &[0, 0, 0, 100, 1_900, 4_000, 6_900, 12_000, 30_000],
                &[0, 0, 500, 1_999, 2_000],
                ON_TIME,
                &[0, 2_001, 6_999, 7_000, 7_001, 17_000],
            ]),
            bad: dice.pick(&[0, 5]),
            ahead: if append { dice.pick(&[0, 0, 5]) } else { 0 },
            future: if append { dice.pick(&[0, 5]) } else { 0 },
            named: dice.pick(&[0, 60, 100]),
            holes: dice.pick(&[0, 0, 15]),
            drift: dice.pick(&[0, 0, 5_000, 70_000]),
        }
    }
}

impl Traffic {
    /// Like [`Traffic::random`], of records that all have a timestamp.
    pub(crate) fn with_timestamps(dice: &mut Dice) -> Self {
        loop {
            let traffic = Self::random(dice);
            if traffic.stamps != Stamps::Absent {
                return traffic;
            }
        }
    }

    /// How much later the next record is written, ms.
    pub(crate) fn pause(&self, dice: &mut Dice) -> i64 {
        dice.pick(self.steps)
    }
}

/// The records of one partition by offset; `None` is a gap (a transaction marker, a record removed by compaction).
pub(crate) struct Log {
    /// Distinguishes a topic from one recreated under its name.
    pub(crate) incarnation: u32,
    entries: Vec<Option<Record>>,
    start: i64,
    end: i64,
    /// The end of the readable part, while a transaction is open.
    held_at: Option<i64>,
}

impl Log {
    /// A log without records, for [`Log::append`].
    pub(crate) const fn empty() -> Self {
        Self { incarnation: 0, entries: Vec::new(), start: 0, end: 0, held_at: None }
    }

    /// A producer writes a record, or a broker something that is none.
    pub(crate) fn append(&mut self, entry: Option<Record>) {
        self.entries.push(entry);
        self.end = self.full_end();
    }

    pub(crate) fn random(dice: &mut Dice, traffic: &Traffic, incarnation: u32) -> Self {
        let mut clock = EPOCH + dice.between(0, 40) * 500 + if dice.chance(50) { traffic.drift } else { 0 };
        clock += i64::from(incarnation) * dice.pick(&[0, 7, 40_000]);
        let records = if dice.chance(10) { dice.between(0, 8) } else { dice.between(5, 110) };
        let silence = dice.chance(20).then(|| dice.between(0, records));
        let set_back = dice.chance(10).then(|| dice.between(0, records));
        let mut entries = Vec::new();
        for number in 0..records {
            clock += dice.pick(traffic.steps);
            if silence == Some(number) {
                clock += 90_000;
            }
            if set_back == Some(number) {
                // The broker's clock was set, or another broker with another clock is now the leader.
                clock -= dice.pick(&[500, 9_000, 60_000]);
            }
            while dice.chance(traffic.holes) {
                entries.push(None);
            }
            entries.push(Some(record(dice, traffic, clock, number)));
        }
        while dice.chance(traffic.holes) {
            entries.push(None);
        }
        Self { incarnation, entries, start: 0, end: 0, held_at: None }
    }

    /// The bounds currently reported by a broker.
    pub(crate) const fn bounds(&self) -> LogBounds {
        LogBounds { start: self.start, end: self.end }
    }

    pub(crate) const fn is_complete(&self) -> bool {
        self.end == self.full_end()
    }

    /// The end of the log when everything is written.
    pub(crate) const fn full_end(&self) -> i64 {
        self.entries.len() as i64
    }

    /// Producers write up to `entries` more.
    pub(crate) fn grow(&mut self, entries: i64) {
        self.end = (self.end + entries).min(self.full_end());
    }

    /// A producer opens a transaction: records written from now on cannot be read.
    pub(crate) const fn hold(&mut self) {
        if self.held_at.is_none() {
            self.held_at = Some(self.end);
        }
    }

    /// The transaction ends.
    pub(crate) const fn release(&mut self) {
        self.held_at = None;
    }

    /// The end of the readable part: the stable end.
    pub(crate) fn readable_end(&self) -> i64 {
        self.held_at.unwrap_or(self.end)
    }

    /// Retention removes everything below `start`.
    pub(crate) fn cut(&mut self, start: i64) {
        self.start = start.clamp(self.start, self.end);
    }

    /// The first record at or after an offset that a consumer can read now.
    pub(crate) fn read(&self, from: i64) -> Option<(i64, &Record)> {
        (from.max(self.start)..self.readable_end()).find_map(|offset| Some((offset, self.get(offset)?)))
    }

    /// The record at an offset, even if it has not been written yet or has been removed.
    pub(crate) fn get(&self, offset: i64) -> Option<&Record> {
        self.entries.get(offset as usize)?.as_ref()
    }

    /// Every past, present and future record.
    pub(crate) fn all(&self) -> impl Iterator<Item = (i64, &Record)> {
        self.entries.iter().enumerate().filter_map(|(offset, entry)| Some((offset as i64, entry.as_ref()?)))
    }
}

pub(crate) fn record(dice: &mut Dice, traffic: &Traffic, clock: i64, number: i64) -> Record {
    let mut at = clock - dice.pick(traffic.delays);
    if dice.chance(traffic.ahead) {
        at = clock + dice.pick(&[1, 1_000, 60_000, 299_999, 300_000]);
    } else if dice.chance(traffic.future) {
        at = clock + dice.pick(&[300_001, 86_400_000]);
    }
    let content = if dice.chance(traffic.bad) {
        Content::Bad(dice.pick(&BAD))
    } else {
        let kind = if dice.chance(30) { EventKind::Click } else { EventKind::Impression };
        // Some repeat a recent one.
        let id = dice.chance(traffic.named).then(|| dice.between((number - 5).max(0), number).to_string().into());
        Content::Event { kind, product: dice.below(PRODUCTS.len()) as u8, at, id }
    };
    let timestamp = match traffic.stamps {
        Stamps::Append => Some(clock),
        Stamps::Create => Some(at),
        Stamps::Absent => None,
    };
    Record { timestamp, content }
}
