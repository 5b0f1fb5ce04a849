//! One task compared with a brute-force count: any logs, read in any interleaving, fired at any moment, give the
//! results that follow from each partition's log alone by the rules of docs/delivery.md. Failures shrink; the histories
//! of `ctr-simulation` add crashes.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use ctr_domain::checkpoint::RecordMark;
use ctr_domain::event::{Event, EventKind};
use ctr_domain::recovery::PartitionStart;
use ctr_domain::rejection::{Rejection, RejectionCode};
use ctr_domain::rules::{Deduplication, Rules};
use ctr_domain::side::{BySide, Side};
use ctr_domain::task::{Outcome, Task};
use proptest::prelude::*;

const T: i64 = 1_700_000_000_000;

/// One record of a log; `None` is one that cannot be parsed.
#[derive(Debug, Clone)]
struct Record {
    stamp: i64,
    event: Option<Happening>,
}

/// Event time, product, kind, event id.
type Happening = (i64, u8, EventKind, Option<u8>);

type Rows = BTreeMap<(String, i64), (u64, u64)>;
type Letters = BTreeSet<(usize, i64, &'static str)>;

fn log() -> impl Strategy<Value = Vec<Record>> {
    let step = prop_oneof![Just(0_i64), Just(500), Just(1_000), Just(5_000), 0..3_000_i64, Just(40_000)];
    let delay = prop_oneof![4 => Just(0_i64), 2 => 0..2_500_i64, 1 => Just(7_000), 1 => 5_000..20_000_i64,
        1 => -300_002..-299_998_i64, 1 => -60_000..0_i64];
    let kind = prop_oneof![2 => Just(EventKind::Impression), 1 => Just(EventKind::Click)];
    let event = (delay, 0..3_u8, kind, proptest::option::of(0..4_u8));
    let record = (step, proptest::option::weighted(0.95, event));
    proptest::collection::vec(record, 0..40).prop_map(|records| {
        let mut clock = T;
        let record = |(step, event): (i64, Option<Happening>)| {
            clock += step;
            Record { stamp: clock, event: event.map(|(delay, product, kind, id)| (clock - delay, product, kind, id)) }
        };
        records.into_iter().map(record).collect()
    })
}

/// The rules, in their simplest form.
fn by_force(logs: &[Vec<Record>; 2], deduplicate: bool) -> (Rows, Letters) {
    let (mut rows, mut letters) = (Rows::new(), Letters::new());
    for (side, log) in logs.iter().enumerate() {
        let (mut maximum, mut ids) = (i64::MIN / 2, BTreeSet::new());
        for (offset, record) in (0..).zip(log) {
            let Some((at, product, kind, id)) = record.event else {
                letters.insert((side, offset, "INVALID_JSON"));
                continue;
            };
            let end = at - at.rem_euclid(10_000) + 10_000;
            if at > record.stamp + 300_000 {
                letters.insert((side, offset, "FUTURE_TIMESTAMP"));
                continue;
            }
            if maximum >= end + 7_000 {
                letters.insert((side, offset, "TOO_LATE"));
            } else if !deduplicate || id.is_none_or(|id| ids.insert((end, id))) {
                let row = rows.entry((format!("p{product}"), end)).or_default();
                match kind {
                    EventKind::Impression => row.0 += 1,
                    EventKind::Click => row.1 += 1,
                }
            }
            maximum = maximum.max(at.min(record.stamp));
        }
    }
    (rows, letters)
}

/// A task reads both logs. Each choice determines which side is next, and what happens then.
fn by_task(logs: &[Vec<Record>; 2], deduplicate: bool, choices: &[u8]) -> Result<(Rows, Letters), TestCaseError> {
    let deduplication = if deduplicate { Deduplication::EventId } else { Deduplication::Off };
    let rules = Rules { deduplication, ..Rules::default() };
    let mut task = Task::restore(rules, 0, BySide([PartitionStart::at(0); 2]), 0);
    let (mut rows, mut letters, mut next) = (Rows::new(), Letters::new(), [0_usize; 2]);
    let mut choices = choices.iter().cycle();
    while next[0] < logs[0].len() || next[1] < logs[1].len() {
        let choice = *choices.next().unwrap();
        let side = usize::from(choice & 1);
        let side = if next[side] < logs[side].len() { side } else { 1 - side };
        let offset = i64::try_from(next[side]).unwrap();
        let record = &logs[side][next[side]];
        next[side] += 1;
        let names = record.event.map(|(_, product, _, id)| (format!("p{product}"), id.map(|id| id.to_string())));
        let event = match (record.event, &names) {
            (Some((timestamp, _, kind, _)), Some((product, id))) => Ok(Event {
                kind,
                timestamp,
                product_id: Cow::Borrowed(product),
                event_id: id.as_deref().map(Cow::Borrowed),
            }),
            _ => Err(Rejection::new(RejectionCode::InvalidJson, String::new())),
        };
        let mark = RecordMark { offset, timestamp: Some(record.stamp) };
        if let Outcome::DeadLetter(reason) = task.on_event(Side::BOTH[side], mark, event) {
            letters.insert((side, offset, reason.code()));
        }
        if choice & 6 == 6 {
            show(&mut task, 0, usize::from(choice >> 3), choice & 128 != 0, &mut rows)?;
        }
    }
    for side in Side::BOTH {
        task.on_partition_end(side, task.position(side));
    }
    while show(&mut task, 1_000_000, 5, true, &mut rows)? {}
    for side in [0, 1] {
        let ledger = task.ledger(Side::BOTH[side]);
        prop_assert_eq!((ledger.difference(), ledger.consumed), (0, logs[side].len() as u64));
    }
    Ok((rows, letters))
}

/// Takes the due rows. Each must have more than was sent before.
fn show(task: &mut Task, now: i64, limit: usize, settle: bool, rows: &mut Rows) -> Result<bool, TestCaseError> {
    let mut wrong = None;
    let batch = task.fire(now, limit, |row| {
        let shown = rows.entry((row.product_id.to_owned(), row.window.end)).or_default();
        let counts = (row.counts.impressions, row.counts.clicks);
        if counts.0 < shown.0 || counts.1 < shown.1 || counts == *shown {
            wrong = Some(format!("{row:?} after {shown:?}"));
        }
        *shown = counts;
    });
    prop_assert_eq!(wrong, None);
    if let Some(batch) = batch.filter(|_| settle) {
        task.on_rows_acknowledged(batch.number);
    }
    let _ = task.checkpoint();
    Ok(batch.is_some())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_interleaving_comes_to_the_count_by_force(
        logs in [log(), log()],
        deduplicate: bool,
        one in proptest::collection::vec(any::<u8>(), 1..60),
        other in proptest::collection::vec(any::<u8>(), 1..60),
    ) {
        let expected = by_force(&logs, deduplicate);
        prop_assert_eq!(by_task(&logs, deduplicate, &one)?, expected.clone());
        prop_assert_eq!(by_task(&logs, deduplicate, &other)?, expected);
    }
}
