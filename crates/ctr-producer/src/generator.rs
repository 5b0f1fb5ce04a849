//! Generates the events: from a seed and the time to the bytes of each record, without Kafka and without a clock.
//!
//! The same settings and seed produce the same records in the same order on any machine and in any later version: the
//! random numbers come from a generator with a fixed definition (xoshiro256++), not from the standard one.

use std::io::Write;

use ctr_domain::rules::Rules;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

use crate::faults::{Delays, FLAWS, Faults, Flaw};
use crate::record::{Category, EventFact, Fact, Record, Stream, product_name};

/// The original's probabilities that a product is clicked when shown: product1, product2, ..., then from the first
/// again.
pub(crate) const CLICK_PROBABILITIES: [f64; 5] = [0.8, 0.6, 0.4, 0.3, 0.2];

/// The original's sessions: session_1001 to session_1100.
const SESSIONS: std::ops::RangeInclusive<u32> = 1_001..=1_100;

/// How many of the latest events of a stream may be sent a second time.
const REMEMBERED: usize = 16;

const DAY_MS: i64 = 86_400_000;

/// 2150-01-01T00:00:00Z. With simulated event times the broker's clock, which determines what is in the future, is unknown,
/// and the records must not depend on it: such events come from the decade that begins here.
const FAR_FUTURE_MS: i64 = 5_680_281_600_000;

/// Where event times come from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum EventTime {
    /// The wall clock.
    Wall,
    /// Simulated: record `n` of the run has the event time `start + n * step`.
    MadeUp {
        /// Of the first record, epoch ms.
        start: i64,
        /// Between two records, in milliseconds and parts of them.
        step: f64,
    },
}

/// The settings of the generator.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// The seed of the random numbers.
    pub(crate) seed: u64,
    /// The part of the records that goes to the clicks, 0 to 1.
    pub(crate) click_share: f64,
    /// Number of products, at least 1.
    pub(crate) products: u32,
    /// Number of users, at least 1.
    pub(crate) users: u32,
    /// Injected faults.
    pub(crate) faults: Faults,
    /// Where event times come from.
    pub(crate) event_time: EventTime,
    /// Maximum disorder in ms: each event time is moved back by 0 to this.
    pub(crate) disorder_ms: i64,
    /// Whether records have their product as key.
    pub(crate) keyed: bool,
    /// Whether events have an `event_id`.
    pub(crate) event_ids: bool,
    /// The rules that determine what is late.
    pub(crate) rules: Rules,
}

/// An event that may be sent a second time.
#[derive(Debug, Clone)]
struct Remembered {
    payload: Vec<u8>,
    fact: EventFact,
}

/// Generates records one after the other.
#[derive(Debug)]
pub(crate) struct Generator {
    settings: Settings,
    delays: Delays,
    rng: Xoshiro256PlusPlus,
    product_names: Vec<String>,
    /// Records generated.
    made: u64,
    /// Invalid records generated, which cycle through [`FLAWS`].
    bad_made: usize,
    payload: Vec<u8>,
    /// By [`Stream::index`]: the latest events, in a ring. Empty without duplicates.
    remembered: [Vec<Remembered>; 2],
    remember_next: [usize; 2],
}

impl Generator {
    /// A generator at its first record.
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            delays: Delays::new(&settings.rules),
            rng: Xoshiro256PlusPlus::seed_from_u64(settings.seed),
            product_names: (0..settings.products).map(product_name).collect(),
            made: 0,
            bad_made: 0,
            payload: Vec::with_capacity(256),
            remembered: [Vec::new(), Vec::new()],
            remember_next: [0, 0],
            settings,
        }
    }

    /// The next record. `wall_ms` is the wall clock (epoch ms); simulated event times do not depend on it.
    pub(crate) fn next(&mut self, wall_ms: i64) -> Record<'_> {
        let index = self.made;
        self.made += 1;
        let stream = self.stream_of(index);
        let turn = self.turn_of(index, wall_ms);
        match self.settings.faults.draw(&mut self.rng) {
            Category::Bad => self.bad(stream, turn),
            Category::Duplicate if !self.remembered[stream.index()].is_empty() => self.duplicate(stream),
            // There is nothing to repeat yet: the first event of a stream is on time.
            Category::Duplicate => self.event(Category::OnTime, stream, index, turn),
            category => self.event(category, stream, index, turn),
        }
    }

    /// Spreads the clicks evenly among the impressions.
    #[allow(clippy::cast_precision_loss, reason = "2^53 records are out of reach")]
    fn stream_of(&self, index: u64) -> Stream {
        let clicks_before = |index: u64| (index as f64 * self.settings.click_share).floor();
        if clicks_before(index + 1) > clicks_before(index) { Stream::Clicks } else { Stream::Impressions }
    }

    /// The event time of a record that is neither late nor early.
    #[allow(clippy::cast_precision_loss, reason = "2^53 records are out of reach")]
    #[allow(clippy::cast_possible_truncation, reason = "milliseconds within the accepted range of event times")]
    fn turn_of(&self, index: u64, wall_ms: i64) -> i64 {
        match self.settings.event_time {
            EventTime::Wall => wall_ms,
            EventTime::MadeUp { start, step } => start + (index as f64 * step) as i64,
        }
    }

    fn event(&mut self, category: Category, stream: Stream, index: u64, turn: i64) -> Record<'_> {
        let disorder = match self.settings.disorder_ms {
            0 => 0,
            most => self.rng.random_range(0..=most),
        };
        let timestamp = match category {
            Category::Future => self.future(turn),
            category => turn - disorder - self.delays.draw(category, &mut self.rng),
        };
        let event_id = self.settings.event_ids.then_some(index);
        let fact = EventFact { kind: stream.kind(), product: self.draw_product(stream), timestamp, event_id };
        self.write_event(stream, &fact, None);
        if self.settings.faults.duplicates > 0.0 && category == Category::OnTime {
            self.remember(stream, fact);
        }
        Record {
            stream,
            key: self.settings.keyed.then(|| self.name_of(fact.product)),
            payload: Some(&self.payload),
            category,
            fact: Fact::Event(fact),
        }
    }

    fn future(&mut self, turn: i64) -> i64 {
        match self.settings.event_time {
            EventTime::Wall => turn + self.rng.random_range(DAY_MS..=10 * DAY_MS),
            EventTime::MadeUp { .. } => FAR_FUTURE_MS + self.rng.random_range(0..3_650 * DAY_MS),
        }
    }

    /// Like the original: any product, and for a click with the product's click probability.
    fn draw_product(&mut self, stream: Stream) -> u32 {
        loop {
            let product = self.rng.random_range(0..self.settings.products);
            let probability = CLICK_PROBABILITIES[product as usize % CLICK_PROBABILITIES.len()];
            if stream == Stream::Impressions || self.rng.random_bool(probability) {
                return product;
            }
        }
    }

    fn duplicate(&mut self, stream: Stream) -> Record<'_> {
        let remembered = &self.remembered[stream.index()];
        let again = &remembered[self.rng.random_range(0..remembered.len())];
        Record {
            stream,
            key: self.settings.keyed.then(|| self.name_of(again.fact.product)),
            payload: Some(&again.payload),
            category: Category::Duplicate,
            fact: Fact::Event(again.fact),
        }
    }

    fn remember(&mut self, stream: Stream, fact: EventFact) {
        let ring = &mut self.remembered[stream.index()];
        let next = &mut self.remember_next[stream.index()];
        match ring.get_mut(*next) {
            Some(oldest) => {
                oldest.fact = fact;
                oldest.payload.clone_from(&self.payload);
            }
            None => ring.push(Remembered { payload: self.payload.clone(), fact }),
        }
        *next = (*next + 1) % REMEMBERED;
    }

    /// The next kind of invalid record, alternately with the product as key and without a key. Each kind gets both, because
    /// the number of kinds is even and the alternation shifts with each round.
    fn bad(&mut self, stream: Stream, turn: i64) -> Record<'_> {
        let round = self.bad_made / FLAWS.len();
        let (code, flaw) = FLAWS[self.bad_made % FLAWS.len()];
        let keyed = self.settings.keyed && (self.bad_made + round).is_multiple_of(2);
        self.bad_made += 1;
        let product = self.draw_product(stream);
        let fact = EventFact { kind: stream.kind(), product, timestamp: turn, event_id: None };
        let mut tombstone = false;
        match flaw {
            Flaw::Value(value) => {
                tombstone = value.is_none();
                self.payload.clear();
                self.payload.extend_from_slice(value.unwrap_or_default());
            }
            Flaw::CutOff => {
                self.write_event(stream, &fact, None);
                self.payload.truncate(self.payload.len() / 2);
            }
            Flaw::NotUtf8 => {
                self.write_event(stream, &fact, None);
                let middle = self.payload.len() / 2;
                self.payload[middle] = 0xFF;
            }
            Flaw::Field(name, json) => self.write_event(stream, &fact, Some((name, json))),
        }
        Record {
            stream,
            key: keyed.then(|| self.name_of(product)),
            payload: (!tombstone).then_some(&self.payload),
            category: Category::Bad,
            fact: Fact::Invalid(code),
        }
    }

    fn name_of(&self, product: u32) -> &str {
        &self.product_names[product as usize]
    }

    /// Writes the original's fields in the original's order, and an `event_id` if wanted. One field may be flawed:
    /// omitted, or with another value (JSON).
    fn write_event(&mut self, stream: Stream, fact: &EventFact, flaw: Option<(&str, Option<&str>)>) {
        let user = self.rng.random_range(1..=self.settings.users);
        let session = self.rng.random_range(SESSIONS);
        let product = &self.product_names[fact.product as usize];
        let event_type = match stream {
            Stream::Impressions => "impression",
            Stream::Clicks => "click",
        };
        let seed = self.settings.seed;
        let mut object = Object::begin(&mut self.payload, flaw);
        object.field("user_id", format_args!("\"user{user}\""));
        object.field("product_id", format_args!("\"{product}\""));
        object.field("timestamp", format_args!("{}", fact.timestamp));
        object.field("event_type", format_args!("\"{event_type}\""));
        object.field("session_id", format_args!("\"session_{session}\""));
        match fact.event_id {
            Some(id) => object.field("event_id", format_args!("\"{seed:016x}-{id}\"")),
            None => object.flawed_field("event_id"),
        }
        object.end();
    }
}

/// Writes a flat JSON object with at most one flawed field.
struct Object<'a> {
    json: &'a mut Vec<u8>,
    flaw: Option<(&'a str, Option<&'a str>)>,
}

impl<'a> Object<'a> {
    fn begin(json: &'a mut Vec<u8>, flaw: Option<(&'a str, Option<&'a str>)>) -> Self {
        json.clear();
        json.push(b'{');
        Self { json, flaw }
    }

    fn field(&mut self, name: &str, value: std::fmt::Arguments<'_>) {
        match self.flaw {
            Some((flawed, _)) if flawed == name => self.flawed_field(name),
            _ => self.write(name, value),
        }
    }

    /// Writes the field only if it is the flawed one and has a value.
    fn flawed_field(&mut self, name: &str) {
        if let Some((flawed, Some(json))) = self.flaw
            && flawed == name
        {
            self.write(name, format_args!("{json}"));
        }
    }

    fn write(&mut self, name: &str, value: std::fmt::Arguments<'_>) {
        if self.json.len() > 1 {
            self.json.push(b',');
        }
        // Writing to memory does not fail.
        let _ = write!(self.json, "\"{name}\":{value}");
    }

    fn end(self) {
        self.json.push(b'}');
    }
}

#[cfg(test)]
mod tests;
