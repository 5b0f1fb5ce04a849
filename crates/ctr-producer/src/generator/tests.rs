use std::collections::{BTreeMap, HashSet};

use ctr_domain::event::Event;

use super::*;

const START: i64 = 1_700_000_000_000;

fn settings() -> Settings {
    Settings {
        seed: 42,
        click_share: 0.46 / 1.46,
        products: 5,
        users: 5,
        faults: Faults::default(),
        event_time: EventTime::MadeUp { start: START, step: 0.5 },
        disorder_ms: 0,
        keyed: true,
        event_ids: false,
        rules: Rules::default(),
    }
}

fn everything_wrong() -> Settings {
    let faults = Faults { late: 0.1, too_late: 0.1, duplicates: 0.1, bad: 0.2, future: 0.1 };
    Settings { faults, event_ids: true, disorder_ms: 1_500, ..settings() }
}

/// A stored record.
#[derive(Debug, Clone, PartialEq)]
struct Kept {
    stream: Stream,
    key: Option<String>,
    payload: Option<Vec<u8>>,
    category: Category,
    fact: Fact,
}

fn make(settings: Settings, count: usize, wall_ms: i64) -> Vec<Kept> {
    let mut generator = Generator::new(settings);
    let mut keep = || {
        let Record { stream, key, payload, category, fact } = generator.next(wall_ms);
        Kept { stream, key: key.map(str::to_owned), payload: payload.map(<[u8]>::to_vec), category, fact }
    };
    (0..count).map(|_| keep()).collect()
}

#[test]
fn the_same_seed_makes_the_same_records_at_any_time() {
    let first = make(everything_wrong(), 5_000, START);
    assert_eq!(first, make(everything_wrong(), 5_000, START + DAY_MS));
    assert_ne!(first, make(Settings { seed: 43, ..everything_wrong() }, 5_000, START));
}

#[test]
fn with_the_wall_clock_only_event_times_differ() {
    let settings = Settings { event_time: EventTime::Wall, ..everything_wrong() };
    let (now, later) = (make(settings.clone(), 2_000, START), make(settings, 2_000, START + DAY_MS));
    for (now, later) in now.into_iter().zip(later) {
        assert_eq!((now.stream, now.key, now.category), (later.stream, later.key, later.category));
        match (now.fact, later.fact) {
            (Fact::Event(now), Fact::Event(later)) => {
                assert_eq!(later, EventFact { timestamp: now.timestamp + DAY_MS, ..now });
            }
            (now, later) => assert_eq!(now, later),
        }
    }
}

/// These bytes are guaranteed to everyone who has noted a seed: change them only in a release that announces it.
#[test]
fn events_are_the_originals_and_stay_what_they_are() {
    let records = make(Settings { event_ids: true, ..settings() }, 3, START);
    let texts: Vec<_> =
        records.iter().map(|record| String::from_utf8(record.payload.clone().unwrap()).unwrap()).collect();
    assert_eq!(texts, PROMISED);
    let without_id = make(settings(), 1, START).remove(0);
    assert_eq!(without_id.payload.unwrap(), PROMISED[0].replace(r#","event_id":"000000000000002a-0""#, "").as_bytes());
}

const PROMISED: [&str; 3] = [
    r#"{"user_id":"user2","product_id":"product5","timestamp":1700000000000,"event_type":"impression","session_id":"session_1099","event_id":"000000000000002a-0"}"#,
    r#"{"user_id":"user4","product_id":"product4","timestamp":1700000000000,"event_type":"impression","session_id":"session_1059","event_id":"000000000000002a-1"}"#,
    r#"{"user_id":"user4","product_id":"product1","timestamp":1700000000001,"event_type":"impression","session_id":"session_1021","event_id":"000000000000002a-2"}"#,
];

/// The generator's information about its records matches what the pipeline's own parser finds in them.
#[test]
fn every_record_is_what_its_maker_says() {
    let mut codes = HashSet::new();
    for record in make(everything_wrong(), 20_000, START) {
        let text = || String::from_utf8_lossy(record.payload.as_deref().unwrap_or(b"(none)")).into_owned();
        match (Event::parse(record.payload.as_deref()), record.fact) {
            (Ok(event), Fact::Event(fact)) => {
                assert_eq!((event.kind, event.timestamp), (fact.kind, fact.timestamp), "{}", text());
                assert_eq!(event.product_id, product_name(fact.product));
                assert_eq!(record.key.as_deref(), Some(&*event.product_id));
                assert_eq!(event.event_id.unwrap(), format!("{:016x}-{}", 42, fact.event_id.unwrap()));
            }
            (Err(rejection), Fact::Invalid(code)) => {
                assert_eq!(rejection.code, code, "{}", text());
                codes.insert(code);
            }
            (found, fact) => panic!("{} is {found:?}, not {fact:?}", text()),
        }
    }
    assert_eq!(codes.len(), ctr_domain::rejection::RejectionCode::ALL.len() - 1, "every code but the future's");
}

#[test]
fn every_flaw_comes_with_a_key_and_without() {
    let faults = Faults { bad: 1.0, ..Faults::default() };
    let records = make(Settings { faults, ..settings() }, 2 * FLAWS.len(), START);
    let (first, second) = records.split_at(FLAWS.len());
    for (first, second) in first.iter().zip(second) {
        assert_eq!(first.fact, second.fact);
        assert_ne!(first.key.is_some(), second.key.is_some());
    }
}

#[test]
fn products_users_and_sessions_are_uniform_and_clicks_follow_their_probabilities() {
    let mut shown: BTreeMap<(Stream, u32), f64> = BTreeMap::new();
    for record in make(settings(), 146_000, START) {
        if let Fact::Event(fact) = record.fact {
            *shown.entry((record.stream, fact.product)).or_default() += 1.0;
        }
    }
    for product in 0..5 {
        let impressions = shown[&(Stream::Impressions, product)];
        assert!((impressions / 20_000.0 - 1.0).abs() < 0.05, "{impressions} impressions of product {product}");
        let rate = shown[&(Stream::Clicks, product)] / impressions;
        let expected = CLICK_PROBABILITIES[product as usize];
        assert!((rate - expected).abs() < 0.03, "product {product}: {rate} instead of {expected}");
    }
}

#[test]
fn streams_are_mixed_evenly() {
    let records = make(Settings { click_share: 0.25, ..settings() }, 8, START);
    let streams: Vec<_> = records.iter().map(|record| record.stream.index()).collect();
    assert_eq!(streams, [0, 0, 0, 1, 0, 0, 0, 1]);
    for (share, stream) in [(0.0, Stream::Impressions), (1.0, Stream::Clicks)] {
        let records = make(Settings { click_share: share, ..settings() }, 100, START);
        assert!(records.iter().all(|record| record.stream == stream));
    }
}

#[test]
fn made_up_time_goes_on_evenly_and_disorder_is_bounded() {
    let timestamps = |settings| -> Vec<i64> {
        let event = |record: Kept| match record.fact {
            Fact::Event(fact) => fact.timestamp - START,
            Fact::Invalid(_) => panic!("no bad record was asked for"),
        };
        make(settings, 1_000, 0).into_iter().map(event).collect()
    };
    let ordered = timestamps(settings());
    assert_eq!(ordered[..5], [0, 0, 1, 1, 2]);
    assert_eq!(ordered[999], 499);
    let disordered = timestamps(Settings { disorder_ms: 100, ..settings() });
    assert!(disordered.iter().zip(&ordered).all(|(found, turn)| (turn - 100..=*turn).contains(found)));
    assert!(!disordered.is_sorted());
}

#[test]
fn a_duplicate_is_an_earlier_record_of_its_stream() {
    let faults = Faults { duplicates: 0.3, ..Faults::default() };
    let mut seen = HashSet::new();
    let mut duplicates = 0;
    for record in make(Settings { faults, event_ids: true, ..settings() }, 2_000, START) {
        let again = !seen.insert((record.stream, record.key, record.payload));
        assert_eq!(again, record.category == Category::Duplicate);
        duplicates += u32::from(again);
    }
    assert!((500..700).contains(&duplicates), "{duplicates}");
}

#[test]
fn unkeyed_records_have_no_key() {
    assert!(make(Settings { keyed: false, ..everything_wrong() }, 2_000, START).iter().all(|it| it.key.is_none()));
}
