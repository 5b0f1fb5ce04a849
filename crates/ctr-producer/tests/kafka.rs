//! The producer as a process, against librdkafka's mock brokers.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests, and their harness")]

mod harness;

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use ctr_domain::event::{Event, EventKind};
use harness::{Brokers, Producer, Read};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use serde_json::{Value, json};

/// Everything that can go wrong, in made-up time. The mock brokers acknowledge every record with the Kafka timestamp
/// [`ACKNOWLEDGED_AT`], in 1970, so the future begins 31 years after it, later than event times do. (What is too late cannot be seen
/// here, as the watermark does not pass the brokers' clock: the unit tests of the truth do that, and the tests with
/// real brokers.)
const EVERYTHING: &str = "both --rate 0 --seed 7 --start-time 2000-01-02T00:00:00Z --span 5m --disorder 1500ms \
     --max-future-skew-ms 978307200000 --late 5% --too-late 2% --duplicates 3% --bad 4% --future 1%";
const ACKNOWLEDGED_AT: i64 = 1_234;
const SKEW: i64 = 978_307_200_000;

/// The rules again, in their simplest form: the results of the log that was read.
fn truth_of(log: &[Read], deduplicate: bool) -> Vec<Value> {
    let mut windows: BTreeMap<(String, i64), (u64, u64)> = BTreeMap::new();
    let mut letters = BTreeMap::new();
    let mut rejected: BTreeMap<&str, u64> = BTreeMap::new();
    let mut ids = HashSet::new();
    let mut duplicates = 0;
    for record in log {
        let code = match Event::parse(record.payload.as_deref()) {
            Err(rejection) => rejection.code.as_str(),
            Ok(event) if event.timestamp > ACKNOWLEDGED_AT + SKEW => "FUTURE_TIMESTAMP",
            Ok(event) => {
                let start = event.timestamp / 10_000 * 10_000;
                let id = event.event_id.map(|id| (&record.topic, record.partition, start, id.into_owned()));
                if deduplicate && id.is_some_and(|id| !ids.insert(id)) {
                    duplicates += 1;
                } else {
                    let counts = windows.entry((event.product_id.into_owned(), start)).or_default();
                    *if event.kind == EventKind::Impression { &mut counts.0 } else { &mut counts.1 } += 1;
                }
                continue;
            }
        };
        *rejected.entry(code).or_default() += 1;
        letters.insert((&record.topic, record.partition, record.offset), code);
    }
    let (impressions, clicks) = windows.values().fold((0, 0), |sum, counts| (sum.0 + counts.0, sum.1 + counts.1));
    let total = json!({"type": "total", "sent": log.len(), "counted": impressions + clicks, "duplicates": duplicates,
                       "too_late": 0, "rejected": rejected, "impressions": impressions, "clicks": clicks});
    let windows = windows.into_iter().map(|((product, start), (impressions, clicks))| {
        json!({"type": "window", "product_id": product, "window_start": start, "window_end": start + 10_000,
               "impressions": impressions, "clicks": clicks})
    });
    let letters = letters.into_iter().map(|((topic, partition, offset), code)| {
        json!({"type": "dead_letter", "topic": topic, "partition": partition, "offset": offset, "code": code})
    });
    windows.chain(letters).chain([total]).collect()
}

fn assert_same(found: &[Value], expected: &[Value]) {
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found, expected);
    }
    assert_eq!(found.len(), expected.len());
}

#[test]
fn the_truth_is_what_the_log_says() {
    let brokers = Brokers::start();
    let run = Producer::start(&brokers, &format!("{EVERYTHING} --event-ids --count 20000 --truth TRUTH")).wait();
    run.assert_code(0);
    let log = brokers.read_all();
    assert_eq!(log.len(), 20_000);
    let truth = run.truth();
    assert_same(&truth, &truth_of(&log, false));
    let total = truth.last().unwrap();
    assert_eq!(total["rejected"].as_object().unwrap().len(), 13, "every code: {total}");
    assert_eq!(total["duplicates"], 0, "without deduplication a repeated event counts again");
}

#[test]
fn the_truth_knows_repeated_event_ids_also_without_keys() {
    let brokers = Brokers::start();
    let options = "--count 5000 --unkeyed --event-ids --deduplication event-id --truth TRUTH";
    let run = Producer::start(&brokers, &format!("{EVERYTHING} {options}")).wait();
    run.assert_code(0);
    let log = brokers.read_all();
    assert_same(&run.truth(), &truth_of(&log, true));
    assert!(run.truth().last().unwrap()["duplicates"].as_u64() > Some(10));
    for topic in ["impressions", "clicks"] {
        for partition in 0..Brokers::PARTITIONS {
            let there = log.iter().filter(|it| it.topic == topic && it.partition == partition).count();
            assert!(there > 200, "{topic} {partition}: {there} records");
        }
    }
    assert!(log.iter().all(|record| record.key.is_none()));
}

#[test]
fn the_same_seed_fills_the_topics_with_the_same_records() {
    // Records without a key go anywhere: of the invalid ones every other.
    let keyed_only = format!("{} --count 20000", EVERYTHING.replace("--bad 4%", ""));
    let fill = || {
        let brokers = Brokers::start();
        Producer::start(&brokers, &keyed_only).wait().assert_code(0);
        brokers.read_all()
    };
    let first = fill();
    assert_eq!(first.len(), 20_000);
    assert!(first == fill(), "two runs differ");
}

/// The partition of a key is the one that Java's clients choose: murmur2 of the key without its sign, modulo
/// partitions.
#[test]
fn keys_go_where_javas_clients_put_them() {
    let brokers = Brokers::start();
    Producer::start(&brokers, "impressions --rate 0 --count 2000 --products 20").wait().assert_code(0);
    for record in brokers.read_all() {
        let key = record.key.unwrap();
        let expected = (murmur2(&key) & 0x7FFF_FFFF) % u32::try_from(Brokers::PARTITIONS).unwrap();
        assert_eq!(record.partition, i32::try_from(expected).unwrap(), "{}", String::from_utf8_lossy(&key));
    }
}

/// Like `org.apache.kafka.common.utils.Utils.murmur2`.
fn murmur2(data: &[u8]) -> u32 {
    const M: u32 = 0x5BD1_E995;
    let mix = |word: u32| {
        let word = word.wrapping_mul(M);
        (word ^ (word >> 24)).wrapping_mul(M)
    };
    let mut hash = 0x9747_B28C ^ u32::try_from(data.len()).unwrap();
    let (words, rest) = data.as_chunks::<4>();
    for word in words {
        hash = hash.wrapping_mul(M) ^ mix(u32::from_le_bytes(*word));
    }
    if !rest.is_empty() {
        let tail = rest.iter().rev().fold(0_u32, |tail, byte| (tail << 8) | u32::from(*byte));
        hash = (hash ^ tail).wrapping_mul(M);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[test]
fn a_rate_is_kept_and_output_without_a_terminal_is_plain() {
    let brokers = Brokers::start();
    let run = Producer::start(&brokers, "both --rate 2000 --click-rate 500 --duration 3s").wait();
    run.assert_code(0);
    assert_eq!(run.statistic("sent"), 7_500);
    assert_eq!(run.statistic("acknowledged"), 7_500);
    assert_eq!((run.statistic("impressions"), run.statistic("clicks")), (6_000, 1_500));
    assert!(run.stderr.contains("--seed "), "{}", run.stderr);
    let control = |text: &str| text.chars().any(|char| char.is_control() && char != '\n');
    assert!(!control(&run.stderr) && !control(&run.stdout), "{:?} {:?}", run.stderr, run.stdout);
}

#[test]
fn a_signal_ends_it_with_everything_accounted_for() {
    for signal in ["INT", "TERM"] {
        let brokers = Brokers::start();
        let mut producer = Producer::start(&brokers, "both --rate 500 --truth TRUTH");
        brokers.wait_for_records(100);
        producer.signal(signal);
        let run = producer.wait_at_most(Duration::from_secs(20));
        run.assert_code(0);
        let total = run.truth().pop().unwrap();
        assert_eq!(total["sent"], brokers.read_all().len());
        assert_eq!(total["sent"], run.statistic("acknowledged"));
    }
}

#[test]
fn unreachable_brokers_are_named_at_once_and_a_signal_still_ends_it() {
    let port = harness::unused_port();
    let mut producer = Producer::with_servers(&format!("127.0.0.1:{port}"), "both --truth TRUTH");
    let line = producer.wait_for_error(Duration::from_secs(10));
    assert!(line.contains(&format!("127.0.0.1:{port}")), "{line}");
    producer.signal("INT");
    let run = producer.wait_at_most(Duration::from_secs(10));
    run.assert_code(0);
    assert_eq!(run.truth().last().unwrap()["sent"], 0);
}

#[test]
fn a_missing_topic_is_named_with_the_way_out() {
    let brokers = Brokers::start();
    brokers.cluster.topic_error("clicks", RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART).unwrap();
    let run = Producer::start(&brokers, "both").wait();
    run.assert_code(1);
    assert!(run.stderr.contains("`clicks`") && run.stderr.contains("./scripts/create-topics.sh"), "{}", run.stderr);
}

#[test]
fn a_failed_delivery_is_said_counted_and_leaves_no_truth() {
    let brokers = Brokers::start();
    let refusal = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE];
    brokers.cluster.request_errors(RDKafkaApiKey::Produce, &refusal);
    let run = Producer::start(&brokers, "impressions --rate 0 --count 100 --products 1 --truth TRUTH").wait();
    run.assert_code(1);
    assert_eq!(run.statistic("failed") + run.statistic("acknowledged"), 100);
    assert!(run.statistic("failed") > 0);
    assert!(run.stderr.contains("was not delivered"), "{}", run.stderr);
    assert!(!run.truth_path().exists());
}

#[test]
fn wrong_usage_is_exit_code_2() {
    let nowhere = format!("127.0.0.1:{}", harness::unused_port());
    for (arguments, named) in [
        ("both --property no.such.setting=1", "no.such.setting"),
        ("both --late 50% --bad 60%", "--late"),
        ("both --rate fast", "--rate"),
    ] {
        let run = Producer::with_servers(&nowhere, arguments).wait();
        run.assert_code(2);
        assert!(run.stderr.contains(named), "{}", run.stderr);
    }
    let run = Producer::with_servers(&nowhere, "impressions --count 1 --truth /no/such/folder/truth.jsonl").wait();
    run.assert_code(1);
    assert!(run.stderr.contains("/no/such/folder"), "{}", run.stderr);
}
