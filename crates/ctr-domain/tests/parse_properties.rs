//! The fast and the complete parser of events give the same result for any bytes, and never panic.
//!
//! 20,000 cases per property, or `PROPTEST_CASES`.

#![allow(clippy::expect_used)] // Clippy treats functions that tests call as non-test code.

use std::env;

use ctr_domain::event::{Event, EventKind, MAX_ID_BYTES};
use ctr_domain::rejection::RejectionCode;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::FileFailurePersistence;
use serde_json::Value;

const CASES: u32 = 20_000;
const KEYS: [&str; 6] = ["event_type", "product_id", "timestamp", "event_id", "user_id", "session_id"];

fn config() -> ProptestConfig {
    let cases = env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(CASES);
    let failure_persistence = Some(Box::new(FileFailurePersistence::WithSource("regressions")) as Box<_>);
    ProptestConfig { cases, failure_persistence, ..ProptestConfig::default() }
}

fn both_ways_agree(payload: &[u8]) -> Result<(), TestCaseError> {
    let quick = Event::parse(Some(payload));
    let complete = Event::parse_with_serde(Some(payload));
    prop_assert_eq!(quick, complete, "{}", payload.escape_ascii());
    Ok(())
}

/// The same rules again, on a `serde_json` tree; for JSON that such a tree can represent.
fn expected_code(json: &Value) -> Option<RejectionCode> {
    let Some(object) = json.as_object() else { return Some(RejectionCode::NotAnObject) };
    let field = |name: &str| object.get(name).filter(|value| !value.is_null());
    match field("event_type") {
        None => return Some(RejectionCode::MissingEventType),
        Some(Value::String(kind)) if ["impression", "view", "click"].contains(&kind.as_str()) => {}
        Some(_) => return Some(RejectionCode::InvalidEventType),
    }
    match field("product_id") {
        None => return Some(RejectionCode::MissingProductId),
        Some(Value::String(product_id)) if product_id.len() > MAX_ID_BYTES => {
            return Some(RejectionCode::InvalidProductId);
        }
        Some(Value::String(product_id)) if product_id.chars().any(|char| !char.is_whitespace()) => {}
        Some(_) => return Some(RejectionCode::InvalidProductId),
    }
    let millis = match field("timestamp") {
        None => return Some(RejectionCode::MissingTimestamp),
        Some(Value::Number(number)) => number.as_i64(),
        // The time formats are tested where they are parsed; this draws from a few.
        Some(Value::String(text)) if text == "2023-11-14 22:13:20" || text == "2023-11-14T22:13:20Z" => {
            Some(1_700_000_000_000)
        }
        Some(Value::String(text)) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
        Some(_) => None,
    };
    if !millis.is_some_and(|millis| (10_000..7_258_118_400_000).contains(&millis)) {
        return Some(RejectionCode::InvalidTimestamp);
    }
    let optional = ["event_id", "user_id", "session_id"];
    let all_text = optional.into_iter().filter_map(field).all(Value::is_string)
        && field("event_id").and_then(Value::as_str).is_none_or(|event_id| event_id.len() <= MAX_ID_BYTES);
    (!all_text).then_some(RejectionCode::InvalidField)
}

/// A JSON string with some of its characters escaped, as producers of all kinds write them.
fn json_string(text: &str, escaped: bool) -> String {
    if !escaped {
        return serde_json::to_string(text).expect("any text is a JSON string");
    }
    let mut units = [0; 2];
    let escape =
        |char: char| char.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")).collect::<String>();
    format!("\"{}\"", text.chars().map(escape).collect::<String>())
}

fn string() -> impl Strategy<Value = String> {
    let text = prop_oneof![
        4 => select(&["impression", "view", "click"][..]).prop_map(str::to_owned),
        2 => "[a-z0-9_]{1,12}",
        1 => "[ \u{a0}\t\u{3000}]{0,3}",
        2 => "\\PC{0,10}",
        1 => any::<String>(),
        1 => (select(&["x", "é", "\u{1f4a9}", " "][..]), 250..1_030_usize).prop_map(|(text, times)| text.repeat(times)),
        1 => select(&["2023-11-14 22:13:20", "2023-11-14T22:13:20Z", "1700000000000", "007", "10000", "9999"][..])
            .prop_map(str::to_owned),
    ];
    (text, prop::bool::weighted(0.1)).prop_map(|(text, escaped)| json_string(&text, escaped))
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => (10_000..7_258_118_400_000_i64).prop_map(|millis| millis.to_string()),
        1 => any::<i64>().prop_map(|number| number.to_string()),
        1 => any::<u64>().prop_map(|number| number.to_string()),
        1 => any::<i32>().prop_map(|number| format!("{number}.0")),
        1 => select(&["0", "-0", "1e3", "1E-3", "1.5", "9999", "10000", "7258118399999", "7258118400000", "1700000000000.0"][..])
            .prop_map(str::to_owned),
    ]
}

fn any_value() -> impl Strategy<Value = String> {
    let flat =
        prop_oneof![4 => string(), 4 => number(), 1 => select(&["null", "true", "false"][..]).prop_map(str::to_owned)];
    flat.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(|values| format!("[{}]", values.join(", "))),
            vec((string(), inner), 0..3).prop_map(|members| object(&members, "")),
        ]
    })
}

/// A member that mostly looks like one of an event.
fn member() -> impl Strategy<Value = (String, String)> {
    let likely = prop_oneof![
        (Just("event_type"), select(&[r#""impression""#, r#""view""#, r#""click""#][..]).prop_map(str::to_owned)),
        (Just("product_id"), string()),
        (Just("timestamp"), number()),
        (select(&KEYS[3..]), string()),
    ];
    let key = prop_oneof![4 => select(&KEYS[..]).prop_map(str::to_owned), 1 => any::<String>()];
    prop_oneof![
        12 => (likely, prop::bool::weighted(0.05)).prop_map(|((key, value), escaped)| (json_string(key, escaped), value)),
        1 => (key, prop::bool::weighted(0.1), any_value()).prop_map(|(key, escaped, value)| (json_string(&key, escaped), value)),
    ]
}

fn object(members: &[(String, String)], space: &str) -> String {
    let members: Vec<_> =
        members.iter().map(|(key, value)| format!("{space}{key}{space}:{space}{value}{space}")).collect();
    format!("{space}{{{}}}{space}", members.join(","))
}

/// A complete event, in any order, with some of its members repeated, replaced or added.
fn event() -> impl Strategy<Value = String> {
    let required = (
        select(&[r#""impression""#, r#""view""#, r#""click""#][..]).prop_map(str::to_owned),
        "\"[a-zé]{1,8}\"",
        number(),
    )
        .prop_map(|(kind, product_id, timestamp)| {
            let quoted = |key: &str| format!("\"{key}\"");
            vec![(quoted("event_type"), kind), (quoted("product_id"), product_id), (quoted("timestamp"), timestamp)]
        });
    let members = (required, vec(member(), 0..4)).prop_map(|(required, more)| [required, more].concat()).prop_shuffle();
    let space = prop_oneof![6 => Just(""), 1 => Just(" "), 1 => Just("\n\t")];
    (members, space).prop_map(|(members, space)| object(&members, space))
}

/// One corruption of the bytes.
#[derive(Debug, Clone)]
enum Mutation {
    Flip(Index, u8),
    Cut(Index, Index),
    Insert(Index, Vec<u8>),
    /// A piece of another event replaces the rest.
    Splice(Index, Index),
    Repeat(Index, Index),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let piece = prop_oneof![
        select(
            &[
                "\"", "\\", "{", "}", "[", "]", ",", ":", " ", "\n", "0", "-", ".", "e", "null", "\\u00", "\\ud800",
                "é", "\u{0}"
            ][..]
        )
        .prop_map(|text| text.as_bytes().to_vec()),
        vec(any::<u8>(), 1..4),
    ];
    prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, bits)| Mutation::Flip(at, bits)),
        any::<(Index, Index)>().prop_map(|(from, to)| Mutation::Cut(from, to)),
        (any::<Index>(), piece).prop_map(|(at, piece)| Mutation::Insert(at, piece)),
        any::<(Index, Index)>().prop_map(|(at, from)| Mutation::Splice(at, from)),
        any::<(Index, Index)>().prop_map(|(from, to)| Mutation::Repeat(from, to)),
    ]
}

fn mutate(bytes: &mut Vec<u8>, other: &[u8], mutation: &Mutation) {
    // Every position in the bytes, and the one after them.
    let place = |bytes: &[u8], at: &Index| at.index(bytes.len() + 1);
    let range = |bytes: &[u8], from: &Index, to: &Index| {
        let (from, to) = (place(bytes, from), place(bytes, to));
        from.min(to)..from.max(to)
    };
    match mutation {
        Mutation::Flip(at, bits) if !bytes.is_empty() => {
            let at = at.index(bytes.len());
            bytes[at] ^= bits;
        }
        Mutation::Flip(..) => {}
        Mutation::Cut(from, to) => drop(bytes.drain(range(bytes, from, to))),
        Mutation::Insert(at, piece) => {
            let at = place(bytes, at);
            bytes.splice(at..at, piece.iter().copied());
        }
        Mutation::Splice(at, from) => {
            bytes.truncate(place(bytes, at));
            bytes.extend_from_slice(&other[place(other, from)..]);
        }
        Mutation::Repeat(from, to) => {
            let range = range(bytes, from, to);
            let (end, piece) = (range.end, bytes[range].to_vec());
            bytes.splice(end..end, piece);
        }
    }
}

/// Every event that differs from the usual one in one byte.
#[test]
fn one_wrong_byte_is_read_alike() {
    let usual = br#"{"product_id":"p1", "timestamp":1700000000000,"user_id":null,"event_type":"click","new":false}"#;
    assert!(Event::parse(Some(usual)).is_ok());
    for at in 0..=usual.len() {
        let (before, after) = usual.split_at(at);
        for byte in 0..=u8::MAX {
            let inserted = [before, &[byte], after].concat();
            let replaced = [before, &[byte], after.get(1..).unwrap_or_default()].concat();
            for bytes in [inserted, replaced] {
                both_ways_agree(&bytes).unwrap_or_else(|difference| panic!("{difference}"));
            }
        }
        let left_out = [before, after.get(1..).unwrap_or_default()].concat();
        both_ways_agree(&left_out).unwrap_or_else(|difference| panic!("{difference}"));
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn events_are_read_alike_and_by_the_rules(json in event()) {
        both_ways_agree(json.as_bytes())?;
        let tree: Value = serde_json::from_str(&json).expect("generated JSON is valid");
        match Event::parse(Some(json.as_bytes())) {
            Err(rejection) => prop_assert_eq!(Some(rejection.code), expected_code(&tree), "{}", json),
            Ok(event) => {
                prop_assert_eq!(expected_code(&tree), None, "{}", json);
                prop_assert_eq!(tree["product_id"].as_str(), Some(&*event.product_id));
                prop_assert_eq!(tree["event_type"] == "click", event.kind == EventKind::Click);
                let event_id = tree["event_id"].as_str().filter(|event_id| !event_id.trim().is_empty());
                prop_assert_eq!(event_id, event.event_id.as_deref());
                if let Some(millis) = tree["timestamp"].as_i64() {
                    prop_assert_eq!(event.timestamp, millis);
                }
            }
        }
    }

    #[test]
    fn damaged_events_are_read_alike(json in event(), other in event(), mutations in vec(mutation(), 1..4)) {
        let mut bytes = json.into_bytes();
        for mutation in &mutations {
            mutate(&mut bytes, other.as_bytes(), mutation);
        }
        both_ways_agree(&bytes)?;
    }

    #[test]
    fn any_bytes_are_read_alike(bytes in vec(any::<u8>(), 0..200)) {
        both_ways_agree(&bytes)?;
    }

    #[test]
    fn any_pieces_of_json_are_read_alike(
        pieces in vec(prop_oneof![
            select(&["{", "}", "[", "]", ",", ":", "\"", "\\", " ", "\n", "null", "true", "0", "1700000000000", "-", ".", "e9"][..])
                .prop_map(str::to_owned),
            select(&KEYS[..]).prop_map(|key| format!("\"{key}\":")),
            string(),
            number(),
        ], 0..20)
    ) {
        both_ways_agree(pieces.concat().as_bytes())?;
        both_ways_agree(format!("{{{}}}", pieces.concat()).as_bytes())?;
    }
}
