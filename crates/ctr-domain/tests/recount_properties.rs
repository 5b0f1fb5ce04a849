//! A recount compared with a brute-force count, and with the task, whose rows it must be able to replace.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use ctr_domain::checkpoint::RecordMark;
use ctr_domain::event::{Event, EventKind};
use ctr_domain::recount::{Recount, WindowRange};
use ctr_domain::recovery::PartitionStart;
use ctr_domain::rejection::{Rejection, RejectionCode};
use ctr_domain::rules::{Deduplication, Rules};
use ctr_domain::side::{BySide, Side};
use ctr_domain::task::Task;
use proptest::prelude::*;

/// The start of the second of the three recounted windows.
const T: i64 = 1_700_000_000_000;

/// A record of a log; `None` as its event violates a rule.
#[derive(Debug, Clone)]
struct Record {
    stamp: i64,
    happening: Option<(i64, u8, EventKind, Option<u8>)>,
}

type Rows = BTreeMap<(String, i64), (u64, u64)>;

fn log() -> impl Strategy<Value = Vec<Record>> {
    let step = prop_oneof![Just(0_i64), 0..3_000_i64, Just(20_000)];
    let delay = prop_oneof![3 => 0..3_000_i64, 2 => 0..60_000_i64, 1 => -300_002..-299_998_i64];
    let kind = prop_oneof![2 => Just(EventKind::Impression), 1 => Just(EventKind::Click)];
    let happening = (delay, 0..2_u8, kind, proptest::option::of(0..4_u8));
    let record = (step, proptest::option::weighted(0.8, happening));
    proptest::collection::vec(record, 0..40).prop_map(|records| {
        let mut stamp = T - 20_000;
        let record = |(step, happening): (i64, Option<_>)| {
            stamp += step;
            let happening = happening.map(|(delay, product, kind, id)| (stamp - delay, product, kind, id));
            Record { stamp, happening }
        };
        records.into_iter().map(record).collect()
    })
}

fn is_valid(record: &Record) -> bool {
    record.happening.is_some_and(|(at, ..)| at <= record.stamp + 300_000)
}

/// The rule in its simplest form.
fn by_force(logs: &[Vec<Record>; 2], deduplicate: bool) -> Rows {
    let mut rows = Rows::new();
    for log in logs {
        let mut ids = BTreeSet::new();
        for record in log.iter().filter(|record| is_valid(record)) {
            let (at, product, kind, id) = record.happening.unwrap();
            let start = at - at.rem_euclid(10_000);
            let wanted = (T - 10_000..T + 20_000).contains(&at);
            if wanted && (!deduplicate || id.is_none_or(|id| ids.insert((start, id)))) {
                let row = rows.entry((format!("p{product}"), start)).or_default();
                match kind {
                    EventKind::Impression => row.0 += 1,
                    EventKind::Click => row.1 += 1,
                }
            }
        }
    }
    rows
}

fn rules(deduplicate: bool) -> Rules {
    let deduplication = if deduplicate { Deduplication::EventId } else { Deduplication::Off };
    Rules { deduplication, ..Rules::default() }
}

/// Parses a record like the pipeline, without the text.
fn each(log: &[Record], mut take: impl FnMut(RecordMark, Result<Event<'_>, Rejection>)) {
    for (offset, record) in log.iter().enumerate() {
        let mark = RecordMark { offset: i64::try_from(offset).unwrap(), timestamp: Some(record.stamp) };
        let event = record.happening.map(|(timestamp, product, kind, id)| Event {
            kind,
            timestamp,
            product_id: format!("p{product}").into(),
            event_id: id.map(|id| id.to_string().into()),
        });
        take(mark, event.ok_or_else(|| Rejection::new(RejectionCode::InvalidJson, String::new())));
    }
}

fn by_recount(logs: &[Vec<Record>; 2], deduplicate: bool) -> Rows {
    let rules = rules(deduplicate);
    let range = WindowRange::covering(T - 10_000, T + 20_000, rules.window_size).unwrap();
    let mut recount = Recount::new(rules, range, 0);
    for (side, log) in Side::BOTH.into_iter().zip(logs) {
        each(log, |mark, event| recount.on_record(side, mark, event));
    }
    let mut rows = Rows::new();
    recount.rows(
        |_| true,
        |row| {
            let counts = (row.counts.impressions, row.counts.clicks);
            assert_eq!(rows.insert((row.product_id.to_owned(), row.window.start), counts), None);
        },
    );
    rows
}

/// The final rows of a task that reads one log after the other.
fn by_task(logs: &[Vec<Record>; 2], deduplicate: bool) -> Rows {
    let mut task = Task::restore(rules(deduplicate), 0, BySide([PartitionStart::at(0); 2]), 0);
    for (side, log) in Side::BOTH.into_iter().zip(logs) {
        each(log, |mark, event| drop(task.on_event(side, mark, event)));
        task.on_partition_end(side, task.position(side));
    }
    let mut rows = Rows::new();
    while let Some(batch) = task.fire(i64::MAX / 2, usize::MAX, |row| {
        rows.insert((row.product_id.to_owned(), row.window.start), (row.counts.impressions, row.counts.clicks));
    }) {
        task.on_rows_acknowledged(batch.number);
    }
    rows
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_recount_is_the_count_by_force(logs in [log(), log()], deduplicate: bool) {
        prop_assert_eq!(by_recount(&logs, deduplicate), by_force(&logs, deduplicate));
    }

    /// Neither count of a recount is smaller than the task's, so its row has the larger version or is the same row.
    #[test]
    fn no_count_of_a_recount_is_smaller_than_the_tasks(logs in [log(), log()], deduplicate: bool) {
        let recounted = by_recount(&logs, deduplicate);
        for ((product, start), counts) in by_task(&logs, deduplicate) {
            if (T - 10_000..T + 20_000).contains(&start) {
                let more = recounted.get(&(product, start)).copied().unwrap_or_default();
                prop_assert!(more.0 >= counts.0 && more.1 >= counts.1, "{:?} after {:?}", more, counts);
            }
        }
    }
}
