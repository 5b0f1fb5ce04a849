//! Untrusted input: commit metadata, the header of a copy. None of it causes a panic, and whatever is accepted
//! satisfies the guarantees.
//!
//! 5,000 cases per property, or `PROPTEST_CASES`. `fuzz/` has more such input, and its corpus.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use ctr_domain::checkpoint::{PartitionCheckpoint, RecordMark};
use ctr_domain::event::Event;
use ctr_domain::recovery::{Commit, FreshStart, LogBounds, recover};
use ctr_domain::redriven::DeadLetterId;
use ctr_domain::rules::Rules;
use ctr_domain::side::{BySide, Side};
use ctr_domain::task::Task;
use ctr_domain::window::WindowSize;
use proptest::prelude::*;

fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(5_000);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// Numbers that are almost valid, and those at the limits.
fn number() -> impl Strategy<Value = i64> {
    prop_oneof![
        4 => 0..200_i64,
        2 => 1_700_000_000_000..1_700_000_100_000_i64,
        2 => prop_oneof![Just(i64::MIN), Just(i64::MAX), Just(-1_i64), Just(i64::MAX - 1), Just(i64::MIN + 1)],
        1 => any::<i64>(),
    ]
}

/// Metadata as another tool, another version or an attacker may write it.
fn metadata() -> impl Strategy<Value = String> {
    let field = prop_oneof![
        Just("v"),
        Just("pos"),
        Just("size"),
        Just("max"),
        Just("top"),
        Just("closed"),
        Just("newest"),
        Just("x")
    ];
    let value = prop_oneof![
        6 => number().prop_map(|number| number.to_string()),
        1 => Just("null".to_owned()),
        1 => Just("1e400".to_owned()),
        1 => Just("\"1\"".to_owned()),
        1 => (number(), number()).prop_map(|(offset, time)| format!("[{offset},{time}]")),
    ];
    let fields = proptest::collection::vec((field, value), 0..8);
    let size = prop_oneof![4 => Just(10_000_i64), 1 => number()];
    let shaped =
        (number(), size, fields, proptest::option::of((number(), number()))).prop_map(|(pos, size, more, anchor)| {
            let more: String = more
                .iter()
                .map(|(name, value)| format!(",\"{name}{}\":{value}", if *name == "v" { "_" } else { "" }))
                .collect();
            let anchor = anchor.map_or_else(String::new, |(offset, time)| format!(",\"anchor\":[{offset},{time}]"));
            format!("{{\"v\":1,\"pos\":{pos},\"size\":{size}{more}{anchor}}}")
        });
    prop_oneof![6 => shaped, 1 => any::<String>(), 1 => "[{}\\[\\]\":,a-z0-9]{0,60}"]
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn whatever_a_commit_says_a_task_begins_or_it_is_refused(
        offset in number(), metadata in metadata(), start in 0..300_i64, length in 0..300_i64, event_time in number(),
    ) {
        if let Ok(checkpoint) = PartitionCheckpoint::from_commit(offset, &metadata) {
            prop_assert!(checkpoint.low_offset >= 0 && checkpoint.position >= checkpoint.low_offset);
        }
        let (log, rules) = (LogBounds { start, end: start + length }, Rules::default());
        let Ok((begin, _)) = recover(Some(Commit { offset, metadata: &metadata }), log, FreshStart::Earliest, &rules) else {
            return Ok(());
        };
        let mut task = Task::restore(rules, 0, BySide([begin; 2]), 0);
        let json = format!(r#"{{"event_type":"click","product_id":"p","timestamp":{event_time}}}"#);
        for next in 0..3 {
            let mark = RecordMark { offset: begin.offset.saturating_add(next), timestamp: Some(1_700_000_000_000) };
            task.on_event(Side::Clicks, mark, Event::parse(Some(json.as_bytes())));
        }
        task.on_partition_end(Side::Clicks, task.position(Side::Clicks));
        task.on_partition_end(Side::Impressions, task.position(Side::Impressions));
        task.fire(1_000_000, 10, |_| {});
        if let Some(checkpoint) = task.checkpoint() {
            for partition in checkpoint.partitions {
                prop_assert!(partition.metadata().len() < 4_096);
            }
        }
        prop_assert_eq!(task.ledger(Side::Clicks).difference(), 0);
    }

    #[test]
    fn what_is_committed_is_read_back_at_any_numbers(low in 0..i64::MAX, more in 0..1_000_i64, times in any::<[Option<i64>; 5]>()) {
        let [maximum, maximum_at_position, closed, newest, timestamp] = times;
        let checkpoint = PartitionCheckpoint {
            low_offset: low,
            maximum,
            maximum_at_position,
            position: low.saturating_add(more),
            closed,
            newest,
            anchor: Some(RecordMark { offset: low, timestamp }),
            window_size: WindowSize::from_ms(10_000).unwrap(),
        };
        let metadata = checkpoint.metadata();
        prop_assert!(metadata.len() < 4_096);
        prop_assert_eq!(PartitionCheckpoint::from_commit(low, &metadata), Ok(checkpoint));
    }

    #[test]
    fn a_header_names_an_earlier_record_of_the_same_log_or_nothing(
        header in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..60),
            "(clicks|impressions|)/-?[0-9]{0,20}/-?[0-9]{0,20}/(TOO_LATE|INVALID_JSON|x|)".prop_map(String::into_bytes),
        ],
        offset in number(),
    ) {
        if let Some(origin) = DeadLetterId::of_origin(&header, "clicks", 3, offset) {
            prop_assert_eq!((origin.topic.as_str(), origin.partition), ("clicks", 3));
            prop_assert!(origin.offset >= 0 && origin.offset < offset);
        }
    }
}
