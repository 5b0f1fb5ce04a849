//! Scenarios: for each of some dozens of pairs of partitions a log, together a few faults, and all that must follow.
//!
//! [`record`] plays them in the simulated world and writes down, step by step, what is written and what changes: rows,
//! dead letters, commits, reasons for waiting. `tests/pipeline/test_scenarios.py` plays the same steps with real brokers
//! and the real engine, and must come to the same. So a broker that is simulated wrongly is noticed.
//!
//! After every step the world stands still, so the outcome depends on the logs alone, not on who was faster: except for a
//! pair of which one partition waits for the other, because how far its last batch reached is a matter of chance. Partitions
//! are never idle here: idleness is a matter of time, and time differs between the two worlds.

use std::collections::BTreeMap;

use ctr_domain::event::EventKind;
use ctr_domain::rejection::RejectionCode;
use ctr_domain::rules::{Deduplication, Rules};
use ctr_domain::shell::ShellSettings;
use ctr_domain::side::{BySide, Side};
use serde_json::{Value, json};

use crate::dice::Dice;
use crate::disaster::{committed, cut_to};
use crate::log::{Content, Log, PRODUCTS, Record, Traffic, record as any_record};
use crate::process::{Process, Surroundings};
use crate::subject::Mutable;
use crate::world::{Checked, Kind, World};

/// 2026-01-01T00:00:00Z, the beginning of a window.
const EPOCH: i64 = 1_767_225_600_000;

/// Longer than any run: no partition becomes idle.
const NEVER: i64 = 3_600_000;

/// The steps, in order.
const STEPS: [(&str, &[Act]); 14] = [
    ("the first records", &[Act::Write]),
    ("ClickHouse is away", &[Act::ClickHouseAway, Act::Write]),
    ("ClickHouse is back", &[Act::ClickHouseBack]),
    ("transactions are open", &[Act::OpenTransactions, Act::Write]),
    ("killed and started", &[Act::Kill]),
    ("rebalanced", &[Act::Rebalance]),
    ("the transactions are aborted", &[Act::AbortTransactions]),
    ("more records", &[Act::Write]),
    ("killed while ClickHouse is away", &[Act::ClickHouseAway, Act::Kill, Act::ClickHouseBack]),
    ("the last records", &[Act::Write]),
    ("stopped", &[Act::Stop]),
    ("started after retention", &[Act::Cut, Act::Start]),
    ("records after the lost ones", &[Act::Write]),
    ("stopped again", &[Act::Stop]),
];

/// What happens in a step.
#[derive(Debug, Clone, Copy)]
enum Act {
    /// Producers write to every partition.
    Write,
    /// ClickHouse does not respond any more.
    ClickHouseAway,
    /// It responds again.
    ClickHouseBack,
    /// A record is written to every partition of the impressions in a transaction that stays open.
    OpenTransactions,
    /// These transactions are aborted.
    AbortTransactions,
    /// The process is killed, and started again.
    Kill,
    /// The group revokes all partitions and assigns them again.
    Rebalance,
    /// The process is asked to stop, and does.
    Stop,
    /// Nobody reads, and retention removes the beginning of some logs: also what was not read.
    Cut,
    /// A process starts.
    Start,
}

impl Act {
    const fn name(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::ClickHouseAway => "clickhouse away",
            Self::ClickHouseBack => "clickhouse back",
            Self::OpenTransactions => "open transactions",
            Self::AbortTransactions => "abort transactions",
            Self::Kill => "kill",
            Self::Rebalance => "rebalance",
            Self::Stop => "stop",
            Self::Cut => "cut",
            Self::Start => "start",
        }
    }
}

/// The producers of one partition of one topic.
struct Producer {
    traffic: Traffic,
    clock: i64,
    written: i64,
}

struct Scenarios {
    worlds: Vec<World>,
    producers: Vec<BySide<Producer>>,
    process: Process<Mutable>,
    dice: Dice,
    known: BTreeMap<String, Value>,
}

/// Plays all steps with that many pairs of partitions: a line of JSON for each step.
///
/// # Errors
///
/// What the simulated world noticed, as in a history.
pub fn record(seed: u64, partitions: u32) -> Result<String, String> {
    let mut dice = Dice::new(seed);
    let mut worlds: Vec<World> = (0..u64::from(partitions)).map(|number| empty_world(seed + number)).collect();
    let producers = worlds.iter().map(|_| BySide([producer(&mut dice), producer(&mut dice)])).collect();
    let process = Process::join(&mut worlds, settings(), Surroundings::CALM)?;
    let mut scenarios = Scenarios { worlds, producers, process, dice, known: BTreeMap::new() };
    let mut lines = String::new();
    for (name, acts) in STEPS {
        let mut done = Vec::new();
        for act in acts {
            done.push(scenarios.act(*act)?);
            scenarios.settle()?;
        }
        let line = json!({ "step": name, "acts": done, "changes": scenarios.changes(), "waits": scenarios.waits() });
        lines += &line.to_string();
        lines.push('\n');
    }
    Ok(lines)
}

fn settings() -> ShellSettings {
    ShellSettings { checkpoint_interval: 1_000, ..ShellSettings::default() }
}

/// Nothing is written, and nothing happens by itself.
fn empty_world(seed: u64) -> World {
    let mut world = World::new(seed, Kind::Shell, None);
    world.logs = BySide([Log::empty(), Log::empty()]);
    world.rules = Rules {
        idle_timeout_ms: NEVER,
        idle_hold_ms: NEVER,
        deduplication: Deduplication::EventId,
        ..Rules::default()
    };
    (world.now, world.arriving, world.shuffled) = (EPOCH, 0, 0);
    world.learn_truth();
    world
}

fn producer(dice: &mut Dice) -> Producer {
    Producer { traffic: Traffic::with_timestamps(dice), clock: EPOCH + dice.between(60, 100) * 1_000, written: 0 }
}

impl Scenarios {
    fn act(&mut self, act: Act) -> Checked<Value> {
        let mut written = Vec::new();
        match act {
            Act::Write => written = self.write(),
            Act::ClickHouseAway => self.process.around.sink_available = false,
            Act::ClickHouseBack => self.process.around.sink_available = true,
            Act::OpenTransactions => {
                for world in &mut self.worlds {
                    world.logs[Side::Impressions].hold();
                    world.logs[Side::Impressions].append(None);
                }
            }
            Act::AbortTransactions => {
                for world in &mut self.worlds {
                    world.logs[Side::Impressions].append(None);
                    world.logs[Side::Impressions].release();
                }
            }
            Act::Cut => written = self.cut()?,
            Act::Kill | Act::Start => {
                let next = Process::join(&mut self.worlds, settings(), self.process.around)?;
                std::mem::replace(&mut self.process, next).die(&mut self.worlds)?;
            }
            Act::Rebalance => self.process.rebalance(&mut self.worlds)?,
            Act::Stop => self.process.stop(self.worlds[0].now),
        }
        Ok(if written.is_empty() {
            json!({ "act": act.name() })
        } else {
            json!({ "act": act.name(), "written": written })
        })
    }

    /// Some records for every partition, one after another, a few of them in transactions that are committed or aborted.
    fn write(&mut self) -> Vec<Value> {
        let mut written = Vec::new();
        for (partition, (world, producers)) in self.worlds.iter_mut().zip(&mut self.producers).enumerate() {
            for side in Side::BOTH {
                let producer = &mut producers[side];
                for _ in 0..self.dice.below(9) {
                    producer.clock += producer.traffic.pause(&mut self.dice);
                    producer.written += 1;
                    let record = any_record(&mut self.dice, &producer.traffic, producer.clock, producer.written);
                    let transaction = self.dice.pick(&["none", "none", "none", "none", "committed", "aborted"]);
                    written.push(json!([topic(side), partition, record.timestamp, value(&record), transaction]));
                    let log = &mut world.logs[side];
                    log.append((transaction != "aborted").then_some(record));
                    if transaction != "none" {
                        // The broker's own entry: the end of the transaction.
                        log.append(None);
                    }
                }
            }
            world.learn_truth();
        }
        written
    }

    /// Retention removes the beginning of one log of two thirds of the pairs.
    fn cut(&mut self) -> Checked<Vec<Value>> {
        let mut cuts = Vec::new();
        for (partition, world) in self.worlds.iter_mut().enumerate() {
            let mut mark = None;
            for side in Side::BOTH {
                let commit = committed(world, side)?;
                world.era.reach[side].position = commit.position;
                let closed = if partition % 3 == side as usize {
                    let bounds = world.logs[side].bounds();
                    let start = self.dice.between(bounds.start, bounds.end);
                    cuts.push(json!([topic(side), partition, start]));
                    cut_to(world, side, &commit, start)
                } else {
                    commit.closed
                };
                mark = mark.max(closed);
            }
            world.era.mark = mark;
            world.learn_truth();
        }
        Ok(cuts)
    }

    /// Everybody does what is required, for ten seconds: after that nothing moves.
    fn settle(&mut self) -> Checked<()> {
        for _ in 0..200 {
            let now = self.worlds[0].now + 50;
            self.worlds.iter_mut().for_each(|world| world.now = now);
            self.process.answer_everything(&mut self.worlds)?;
            self.process.read_everywhere(&mut self.worlds, 40)?;
            while self.process.fire(&mut self.worlds)? {}
            self.process.drain(&mut self.worlds, self.process.around.sink_available)?;
            self.process.on_time(&mut self.worlds)?;
        }
        Ok(())
    }

    /// Rows, dead letters and commits that are new or different since the last time.
    fn changes(&mut self) -> Value {
        let mut now = BTreeMap::new();
        for (partition, world) in self.worlds.iter().enumerate() {
            for ((product, end), count) in &world.tables.raw {
                let key = format!("row {partition} {} {end}", PRODUCTS[usize::from(*product)]);
                now.insert(key, json!([count.impressions, count.clicks]));
            }
            for ((side, _, offset), reason) in &world.letters.0 {
                now.insert(format!("letter {} {partition} {offset}", topic(*side)), json!(reason.code()));
            }
            for side in Side::BOTH {
                if let Some((offset, metadata)) = &world.commits.current[side] {
                    now.insert(format!("commit {} {partition}", topic(side)), json!([offset, metadata]));
                }
            }
        }
        let changed: BTreeMap<_, _> = now
            .iter()
            .filter(|(key, value)| self.known.get(*key) != Some(value))
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect();
        self.known = now;
        json!(changed)
    }

    /// Why partitions are not read.
    fn waits(&self) -> Value {
        let mut waits = BTreeMap::new();
        for (index, pair) in self.process.shell.pairs().iter().enumerate() {
            for side in Side::BOTH {
                if let Err(reason) = self.process.shell.may_read(index, side) {
                    waits.insert(format!("{} {}", topic(side), pair.partition()), reason.label());
                }
            }
        }
        json!(waits)
    }
}

const fn topic(side: Side) -> &'static str {
    match side {
        Side::Impressions => "impressions",
        Side::Clicks => "clicks",
    }
}

/// What a producer sends; no value at all for a tombstone.
fn value(record: &Record) -> Option<String> {
    match &record.content {
        Content::Bad(RejectionCode::Tombstone) => None,
        Content::Bad(RejectionCode::MissingTimestamp) => {
            Some(json!({ "event_type": "click", "product_id": PRODUCTS[0] }).to_string())
        }
        Content::Bad(_) => Some("{".to_owned()),
        Content::Event { kind, product, at, id } => {
            let kind = match kind {
                EventKind::Impression => "impression",
                EventKind::Click => "click",
            };
            let product = PRODUCTS[usize::from(*product)];
            let mut event = json!({ "event_type": kind, "product_id": product, "timestamp": at });
            if let Some(id) = id {
                event["event_id"] = json!(id);
            }
            Some(event.to_string())
        }
    }
}
