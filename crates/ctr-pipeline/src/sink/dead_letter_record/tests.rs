use super::*;
use ctr_domain::dead_letter::TooLate;
use ctr_domain::event::Event;
use ctr_domain::window::Window;
use serde_json::{Value, json};

fn origin(payload: Option<&[u8]>) -> RecordOrigin<'_> {
    RecordOrigin {
        source: "Click",
        topic: "clicks",
        partition: 3,
        mark: RecordMark { offset: 17, timestamp: Some(1_700_000_000_500) },
        key: Some(b"product1"),
        payload,
        headers: Vec::new(),
    }
}

fn reason(payload: Option<&[u8]>) -> DeadLetterReason {
    DeadLetterReason::Rejected(Event::parse(payload).unwrap_err())
}

fn encoded(origin: &RecordOrigin<'_>) -> Vec<u8> {
    let bytes = encode(origin, &reason(origin.payload));
    assert!(bytes.len() <= MAX_BYTES, "{}", bytes.len());
    bytes
}

fn letter_of(origin: &RecordOrigin<'_>) -> Value {
    serde_json::from_slice(&encoded(origin)).unwrap()
}

fn letter(payload: Option<&[u8]>) -> Value {
    letter_of(&origin(payload))
}

#[test]
fn it_is_the_originals_record_with_position_code_and_bytes() {
    let value = letter(Some(b"{\"event_type\":\"tap\"}"));
    // A number, as in the original, with a readable form in addition.
    let created = value["createdAtUtc"].as_i64().unwrap();
    assert_eq!(value["createdAtRfc3339"], json!(to_rfc3339(created)));
    assert_eq!(value["rawData"], json!("{\"event_type\":\"tap\"}"));
    assert_eq!(value["rawEncoding"], json!("utf8"));
    assert_eq!((&value["source"], &value["rawTopic"]), (&json!("Click"), &json!("clicks")));
    assert_eq!((&value["partition"], &value["offset"], &value["key"]), (&json!(3), &json!(17), &json!("product1")));
    assert_eq!(value["stackTrace"], Value::Null);
    for absent in ["truncated", "closedEarly", "headers", "redrivenFrom", "rawLength", "keyLength"] {
        assert!(value.get(absent).is_none(), "{absent}");
    }
}

#[test]
fn bytes_that_are_no_text_are_kept_as_base64() {
    let value = letter(Some(&[0xff, 0xfe]));
    assert_eq!((&value["rawData"], &value["rawEncoding"]), (&json!("//4="), &json!("base64")));
}

#[test]
fn a_tombstone_has_no_data() {
    assert_eq!(letter(None)["rawData"], Value::Null);
}

#[test]
fn what_does_not_fit_is_cut_and_says_so() {
    let control = vec![1u8; 1_000_000];
    let binary = vec![0xffu8; 1_000_000];
    let wide = "한".repeat(333_333);
    for payload in [&control[..], &binary[..], wide.as_bytes()] {
        let value = letter(Some(payload));
        assert_eq!(value["truncated"], json!(true));
        assert_eq!(value["rawLength"], json!(payload.len()));
        let kept = value["rawData"].as_str().unwrap().len();
        assert!(kept > 100_000, "only {kept} kept");
    }
}

#[test]
fn a_key_of_any_size_is_cut_and_says_so() {
    for key in [vec![b'k'; 990_000], vec![0xff; 990_000], vec![1; 990_000]] {
        let value = letter_of(&RecordOrigin { key: Some(&key), ..origin(Some(b"not json")) });
        assert_eq!((&value["truncated"], &value["keyLength"]), (&json!(true), &json!(990_000)));
        assert_eq!(value["rawData"], json!("not json"));
        assert!(letter_key(&key).len() <= MAX_KEY_BYTES);
    }
    assert_eq!(letter_key(b"product1"), b"product1");
}

#[test]
fn all_of_a_record_at_once_may_be_hostile() {
    let hostile = vec![1u8; 990_000];
    let headers = vec![("\u{1}".repeat(10_000).into(), Some(&hostile[..100])); 50];
    encoded(&RecordOrigin { key: Some(&hostile), headers, ..origin(Some(&hostile)) });
}

#[test]
fn a_letter_can_be_cut_to_what_its_topic_takes() {
    for payload in [vec![b'x'; 300_000], vec![0xff; 300_000], vec![1; 300_000]] {
        let headers = vec![("traceparent".into(), Some(&b"00-1-2-01"[..]))];
        let whole = encoded(&RecordOrigin { key: Some(&[0xff; 20_000]), headers, ..origin(Some(&payload)) });
        for limit in [200_000, 50_000, 5_000, 1_000] {
            let smaller = cut(whole.clone(), limit);
            assert!(smaller.len() <= limit, "{} of {limit}", smaller.len());
            // And once more, as for a topic with an even lower limit.
            let value: Value = serde_json::from_slice(&cut(smaller, limit * 9 / 10)).unwrap();
            assert_eq!((&value["truncated"], &value["rawLength"]), (&json!(true), &json!(300_000)));
            assert_eq!(
                (&value["rawTopic"], &value["partition"], &value["offset"]),
                (&json!("clicks"), &json!(3), &json!(17))
            );
            assert_eq!(value["keyLength"], json!(20_000));
            if value["rawEncoding"] == "base64" {
                assert!(BASE64.decode(value["rawData"].as_str().unwrap()).is_ok());
            }
        }
    }
    let small = encoded(&origin(Some(b"{")));
    assert_eq!(cut(small.clone(), small.len()), small);
    assert_eq!(cut(b"not a letter".to_vec(), 3), b"not a letter");
}

#[test]
fn a_letter_about_a_copy_names_its_origin_and_a_made_up_header_makes_no_copy() {
    let with = |header: &'static [u8]| {
        letter_of(&RecordOrigin { headers: vec![(HEADER.into(), Some(header))], ..origin(Some(b"{")) })
    };
    let copy = with(b"clicks/3/9/INVALID_JSON");
    assert_eq!(copy["redrivenFrom"], json!("clicks/3/9/INVALID_JSON"));
    assert_eq!((&copy["partition"], &copy["offset"]), (&json!(3), &json!(17)), "its own place is its identity");
    assert!(with(b"clicks/3/17/INVALID_JSON").get("redrivenFrom").is_none(), "no record is its own origin");
    assert_eq!(with(b"nonsense")["headers"], json!([{"name": HEADER, "value": "nonsense"}]));
}

#[test]
fn a_late_event_says_which_window_it_missed() {
    let late = TooLate { event_time: 12_345, window: Window { start: 10_000, end: 20_000 }, closed_early: true };
    let bytes = encode(&origin(Some(b"{}")), &DeadLetterReason::TooLate(late));
    let value: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!((&value["code"], &value["closedEarly"]), (&json!("TOO_LATE"), &json!(true)));
    assert_eq!(value["eventTimeMillisUtc"], json!(12_345));
    assert!(value["errorMessage"].as_str().unwrap().contains("[1970-01-01T00:00:10.000Z, 1970-01-01T00:00:20.000Z)"));
}
