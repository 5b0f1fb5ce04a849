use ctr_domain::event::EventKind;
use serde_json::{Value, json};

use super::*;

/// A window starts here.
const W0: i64 = 1_700_000_000_000;
const BROKER: Option<i64> = Some(W0 + 3_600_000);

struct Log {
    truth: Truth,
    next: HashMap<(Stream, i32), i64>,
}

impl Log {
    fn new(rules: Rules) -> Self {
        Self { truth: Truth::new(rules), next: HashMap::new() }
    }

    fn add_at(&mut self, stream: Stream, partition: i32, timestamp: Option<i64>, fact: Fact) {
        let next = self.next.entry((stream, partition)).or_default();
        self.truth.record(Position { stream, partition, offset: *next, timestamp }, fact).unwrap();
        *next += 1;
    }

    fn add(&mut self, fact: Fact) {
        self.add_at(Stream::Impressions, 0, BROKER, fact);
    }

    fn lines(&self) -> Vec<Value> {
        let mut out = Vec::new();
        self.truth.write(&mut out, &["impressions".to_owned(), "clicks".to_owned()]).unwrap();
        String::from_utf8(out).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn total(&self) -> Value {
        self.lines().pop().unwrap()
    }
}

fn impression(product: u32, after: i64) -> Fact {
    Fact::Event(EventFact { kind: EventKind::Impression, product, timestamp: W0 + after, event_id: None })
}

fn click(product: u32, after: i64) -> Fact {
    Fact::Event(EventFact { kind: EventKind::Click, product, timestamp: W0 + after, event_id: None })
}

fn with_id(id: u64, after: i64) -> Fact {
    Fact::Event(EventFact { kind: EventKind::Impression, product: 0, timestamp: W0 + after, event_id: Some(id) })
}

fn deduplicating() -> Rules {
    Rules { deduplication: Deduplication::EventId, ..Rules::default() }
}

#[test]
fn counts_are_by_product_and_window_over_both_topics_and_all_partitions() {
    let mut log = Log::new(Rules::default());
    log.add(impression(0, 0));
    log.add_at(Stream::Impressions, 1, BROKER, impression(0, 9_999));
    log.add_at(Stream::Clicks, 0, BROKER, click(0, 5_000));
    log.add(impression(1, 10_000));
    let window = |product: &str, start: i64, impressions: u64, clicks: u64| {
        json!({"type": "window", "product_id": product, "window_start": start, "window_end": start + 10_000,
               "impressions": impressions, "clicks": clicks})
    };
    assert_eq!(
        log.lines(),
        [
            window("product1", W0, 2, 1),
            window("product2", W0 + 10_000, 1, 0),
            json!({"type": "total", "sent": 4, "counted": 4, "duplicates": 0, "too_late": 0, "rejected": {},
                   "impressions": 3, "clicks": 1}),
        ]
    );
}

#[test]
fn lines_have_the_order_of_the_text_for_products_and_of_the_log_for_dead_letters() {
    let mut log = Log::new(Rules::default());
    for product in [9, 1] {
        log.add(impression(product, 10_000));
        log.add(impression(product, 0));
    }
    for stream in Stream::ALL {
        for partition in [10, 2] {
            log.add_at(stream, partition, BROKER, Fact::Invalid(RejectionCode::Tombstone));
            log.add_at(stream, partition, BROKER, Fact::Invalid(RejectionCode::NotUtf8));
        }
    }
    let keys: Vec<String> = log
        .lines()
        .iter()
        .map(|line| {
            let part = |key: &str| line[key].to_string().replace('"', "");
            if line["type"] == "window" {
                format!("{} {}", part("product_id"), line["window_start"].as_i64().unwrap() - W0)
            } else {
                format!("{} {} {} {}", part("topic"), part("partition"), part("offset"), part("code"))
            }
        })
        .collect();
    assert_eq!(
        keys[..keys.len() - 1],
        [
            "product10 0",
            "product10 10000",
            "product2 0",
            "product2 10000",
            "clicks 2 0 TOMBSTONE",
            "clicks 2 1 NOT_UTF8",
            "clicks 10 0 TOMBSTONE",
            "clicks 10 1 NOT_UTF8",
            "impressions 2 0 TOMBSTONE",
            "impressions 2 1 NOT_UTF8",
            "impressions 10 0 TOMBSTONE",
            "impressions 10 1 NOT_UTF8",
        ]
    );
}

/// The window [0, 10 s) accepts events until the maximum is 10 s + 5 s + 2 s.
#[test]
fn too_late_begins_exactly_at_window_end_and_lateness_and_bound() {
    let mut log = Log::new(Rules::default());
    log.add(impression(0, 16_999));
    log.add(impression(0, 0));
    log.add(impression(0, 17_000));
    log.add(impression(0, 9_999));
    log.add(impression(0, 10_000));
    let lines = log.lines();
    assert_eq!(lines[0]["impressions"], 1, "the one before");
    assert_eq!(
        lines[2],
        json!({"type": "dead_letter", "topic": "impressions", "partition": 0, "offset": 3, "code": "TOO_LATE"})
    );
    assert_eq!((&log.total()["too_late"], &log.total()["counted"]), (&json!(1), &json!(4)));
}

#[test]
fn only_the_own_partition_decides() {
    let mut log = Log::new(Rules::default());
    log.add(impression(0, 60_000));
    log.add_at(Stream::Impressions, 1, BROKER, impression(0, 0));
    log.add_at(Stream::Clicks, 0, BROKER, click(0, 0));
    assert_eq!(log.total()["counted"], 3);
    log.add(impression(0, 0));
    assert_eq!(log.total()["too_late"], 1);
}

#[test]
fn a_record_is_judged_by_those_before_it_and_the_watermark_never_goes_back() {
    let mut log = Log::new(Rules::default());
    for after in [60_000, 0, 20_000, 0] {
        log.add(impression(0, after));
    }
    assert_eq!((&log.total()["counted"], &log.total()["too_late"]), (&json!(1), &json!(3)));
}

#[test]
fn bad_records_move_nothing() {
    let mut log = Log::new(Rules::default());
    log.add(impression(0, 0));
    log.add(Fact::Invalid(RejectionCode::InvalidJson));
    log.add_at(Stream::Impressions, 0, Some(W0), impression(0, 300_001));
    log.add(impression(0, 0));
    let total = log.total();
    assert_eq!(total["rejected"], json!({"INVALID_JSON": 1, "FUTURE_TIMESTAMP": 1}));
    assert_eq!((&total["counted"], &total["sent"]), (&json!(2), &json!(4)));
}

#[test]
fn a_clock_ahead_makes_nobody_late() {
    let mut log = Log::new(Rules::default());
    log.add_at(Stream::Impressions, 0, Some(W0), impression(0, 300_000));
    log.add_at(Stream::Impressions, 0, Some(W0), impression(0, 0));
    assert_eq!(log.total()["counted"], 2);
    log.add_at(Stream::Impressions, 0, None, impression(0, 300_000));
    log.add_at(Stream::Impressions, 0, Some(W0), impression(0, 0));
    assert_eq!(log.total()["too_late"], 1, "without a Kafka timestamp the event time alone counts");
}

#[test]
fn without_deduplication_a_repeated_record_counts_twice() {
    let mut log = Log::new(Rules::default());
    log.add(with_id(7, 0));
    log.add(with_id(7, 0));
    assert_eq!((&log.total()["counted"], &log.total()["duplicates"]), (&json!(2), &json!(0)));
}

#[test]
fn an_id_counts_once_per_window_and_partition() {
    let mut log = Log::new(deduplicating());
    log.add(with_id(7, 0));
    log.add(with_id(7, 9_999));
    assert_eq!(log.total()["duplicates"], 1);
    log.add(with_id(7, 10_000));
    log.add_at(Stream::Impressions, 1, BROKER, with_id(7, 0));
    log.add_at(Stream::Clicks, 0, BROKER, with_id(7, 0));
    log.add(impression(0, 0));
    log.add(impression(0, 0));
    let total = log.total();
    assert_eq!((&total["counted"], &total["duplicates"]), (&json!(6), &json!(1)));
}

#[test]
fn a_repeated_id_that_is_too_late_is_too_late_and_old_ids_are_forgotten() {
    let mut log = Log::new(deduplicating());
    log.add(with_id(7, 0));
    log.add(with_id(8, 16_999));
    assert_eq!(log.truth.partitions[&(Stream::Impressions, 0)].counted_ids.len(), 2);
    log.add(with_id(9, 17_000));
    assert_eq!(log.truth.partitions[&(Stream::Impressions, 0)].counted_ids.len(), 1);
    log.add(with_id(7, 0));
    assert_eq!((&log.total()["too_late"], &log.total()["duplicates"]), (&json!(1), &json!(0)));
}

#[test]
fn an_offset_that_goes_back_or_is_unknown_is_an_error() {
    let mut truth = Truth::new(Rules::default());
    let at = |offset| Position { stream: Stream::Clicks, partition: 3, offset, timestamp: BROKER };
    truth.record(at(5), click(0, 0)).unwrap();
    assert_eq!(truth.foreign(), 5);
    let back = TruthError::OffsetWentBack { stream: Stream::Clicks, partition: 3, offset: 5, last: 5 };
    assert_eq!(truth.record(at(5), click(0, 0)), Err(back));
    truth.record(at(6), click(0, 0)).unwrap();
    truth.record(at(8), click(0, 0)).unwrap();
    assert_eq!(truth.foreign(), 6);
    let unknown = TruthError::UnknownOffset { stream: Stream::Clicks, partition: 3 };
    assert_eq!(truth.record(at(-1001), click(0, 0)), Err(unknown));
}

#[test]
fn a_file_is_whole_or_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let topics = ["i".to_owned(), "c".to_owned()];
    let path = folder.path().join("truth.jsonl");
    let mut log = Log::new(Rules::default());
    log.add(impression(0, 0));
    log.truth.save(&path, &topics).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 2);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing unfinished is left");
    assert!(log.truth.save(&folder.path().join("missing").join("truth.jsonl"), &topics).is_err());
    assert!(log.truth.save(folder.path(), &topics).is_err(), "a folder is not replaced");
}
