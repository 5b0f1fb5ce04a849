//! The cost of an event in the domain: bytes to event, event to count, window to rows.
//!
//! `cargo bench -p ctr-domain`; with `-- --quick` in seconds. Wall time: on a busy machine compare only benchmarks that
//! ran at the same time.
#![allow(missing_docs, reason = "criterion's macros make public functions")]

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ctr_domain::checkpoint::RecordMark;
use ctr_domain::event::Event;
use ctr_domain::recovery::PartitionStart;
use ctr_domain::rules::Rules;
use ctr_domain::side::{BySide, Side};
use ctr_domain::task::{Outcome, Task};

const USUAL: &[u8] = br#"{"user_id":"user1","product_id":"product1","timestamp":1700000000000,"event_type":"impression","session_id":"session_1001"}"#;
const BEGIN_MS: i64 = 1_700_000_000_000;
const WINDOW_MS: i64 = 10_000;
const EVENTS: i64 = 100_000;

fn parse(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse");
    group.throughput(Throughput::Elements(1));
    group.bench_function("one pass", |bencher| bencher.iter(|| Event::parse(black_box(Some(USUAL)))));
    group.bench_function("serde_json", |bencher| bencher.iter(|| Event::parse_with_serde(black_box(Some(USUAL)))));
    group.finish();
}

/// The values of a log of ten windows.
fn log(products: i64) -> Vec<String> {
    let event = |number: i64| {
        let (product, at) = (number * 7 % products, BEGIN_MS + number * 10 * WINDOW_MS / EVENTS);
        format!(r#"{{"user_id":"user1","product_id":"product{product}","timestamp":{at},"event_type":"view"}}"#)
    };
    (0..EVENTS).map(event).collect()
}

fn read(task: &mut Task, log: &[String]) {
    for (offset, value) in (0..).zip(log) {
        let record = RecordMark { offset, timestamp: None };
        let outcome = task.on_event(Side::Impressions, record, Event::parse(Some(value.as_bytes())));
        assert!(matches!(outcome, Outcome::Counted), "{value}: {outcome:?}");
    }
}

fn fresh_task() -> Task {
    Task::restore(Rules::default(), 0, BySide([PartitionStart::at(0); 2]), 0)
}

fn parse_and_count(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse and count");
    group.throughput(Throughput::Elements(EVENTS.unsigned_abs()));
    for products in [5, 100, 1_000, 100_000] {
        let log = log(products);
        group.bench_function(BenchmarkId::from_parameter(format!("{products} products")), |bencher| {
            bencher.iter_batched(
                fresh_task,
                |mut task| {
                    read(&mut task, &log);
                    task
                },
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

fn fire(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fire");
    for products in [100, 100_000] {
        let log = log(products);
        let rows = usize::try_from(products.min(EVENTS / 10)).unwrap_or_default() * 10;
        group.throughput(Throughput::Elements(rows as u64));
        group.bench_function(BenchmarkId::from_parameter(format!("{rows} rows")), |bencher| {
            let filled = || {
                let mut task = fresh_task();
                read(&mut task, &log);
                for side in Side::BOTH {
                    task.on_partition_end(side, EVENTS);
                }
                task
            };
            bencher.iter_batched(
                filled,
                |mut task| {
                    let mut clicks = 0;
                    let fired = task.fire(i64::MAX, usize::MAX, |row| clicks += row.counts.clicks);
                    (fired, clicks, task)
                },
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

criterion_group! {
    name = hot_path;
    config = Criterion::default().measurement_time(Duration::from_secs(3)).warm_up_time(Duration::from_secs(1)).sample_size(20);
    targets = parse, parse_and_count, fire
}
criterion_main!(hot_path);
