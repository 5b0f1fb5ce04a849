//! Every rule of an event and every code, by example. Each row is parsed in both ways.

#![allow(clippy::expect_used)] // Clippy treats functions that tests call as non-test code.

use std::collections::HashSet;

use ctr_domain::event::{Event, EventKind, MAX_NESTING};
use ctr_domain::rejection::{Rejection, RejectionCode};

/// 2023-11-14T22:13:20Z.
const TIME: i64 = 1_700_000_000_000;

fn parse(payload: Option<&[u8]>) -> Result<Event<'_>, Rejection> {
    let result = Event::parse(payload);
    assert_eq!(
        result,
        Event::parse_with_serde(payload),
        "the two ways differ: {:?}",
        payload.map(<[u8]>::escape_ascii)
    );
    result
}

fn accepted(json: &str) -> Event<'_> {
    parse(Some(json.as_bytes())).unwrap_or_else(|rejection| panic!("{json}: {rejection}"))
}

fn rejected(payload: &[u8]) -> Rejection {
    parse(Some(payload)).expect_err(&payload.escape_ascii().to_string())
}

/// A valid event except for one field, whose value is given as JSON.
fn event_with(field: &str, value: &str) -> String {
    let good = [("event_type", r#""click""#), ("product_id", r#""product1""#), ("timestamp", "1700000000000")];
    let mut members: Vec<_> = good.into_iter().filter(|(name, _)| *name != field).collect();
    members.push((field, value));
    let members: Vec<_> = members.into_iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", members.join(","))
}

fn event_without(field: &str) -> String {
    event_with(field, "0").replace(&format!(",\"{field}\":0"), "")
}

fn nested(levels: usize) -> String {
    format!("{}{}", "[".repeat(levels), "]".repeat(levels))
}

#[test]
fn events_of_the_original_are_accepted() {
    let impression = accepted(
        r#"{"user_id":"user1","product_id":"product1","timestamp":1700000000000,"event_type":"impression","session_id":"session_1001"}"#,
    );
    assert_eq!(impression.kind, EventKind::Impression);
    assert_eq!(impression.product_id, "product1");
    assert_eq!(impression.timestamp, TIME);
    assert_eq!(impression.event_id, None);
    assert_eq!(accepted(&event_with("event_type", r#""view""#)).kind, EventKind::Impression);
    assert_eq!(accepted(&event_with("event_type", r#""click""#)).kind, EventKind::Click);
}

#[test]
fn layout_order_and_escapes_make_no_difference() {
    let plain = r#"{"event_type":"click","product_id":"a","timestamp":1700000000000,"event_id":"e1"}"#;
    let same = [
        r#"{"event_id":"e1","timestamp":1700000000000,"product_id":"a","event_type":"click"}"#,
        "\t\r\n {\n \"event_type\" : \"click\" ,\"product_id\":\t\"a\",\"timestamp\":1700000000000,\"event_id\":\"e1\"}\n",
        r#" {"event_type":"click","product_id":"a","timestamp":1700000000000,"event_id":"e1"} "#,
        r#"{"event\u005ftype":"cl\u0069ck","product_id":"\u0061","timestamp":"\u0031700000000000","event_id":"\u00651"}"#,
        r#"{"event_type":"click","product_id":"a","timestamp":1700000000000,"event_id":"e1","user_id":null,"session_id":null}"#,
        r#"{"event_type":"click","product_id":"a","timestamp":1700000000000,"event_id":"e1","user_id":"","session_id":"\ud800"}"#,
    ];
    for json in same {
        assert_eq!(accepted(json), accepted(plain), "{json}");
    }
}

#[test]
fn unknown_fields_hold_what_they_like() {
    for value in
        ["null", "true", "0", "-0", "1.5", "1e999", r#""\ud800""#, r#"{"timestamp":[{"event_type":null}]}"#, "[]"]
    {
        assert_eq!(accepted(&event_with("price", value)).product_id, "product1", "{value}");
    }
    assert_eq!(accepted(&event_with("", "1")).timestamp, TIME);
    assert_eq!(accepted(&event_with("Event_Type", "1")).kind, EventKind::Click);
}

#[test]
fn the_last_of_two_values_counts() {
    let json = event_with("timestamp", r#"{},"event_type":"view","timestamp":"1700000000001""#);
    let event = accepted(&json);
    assert_eq!((event.kind, event.timestamp), (EventKind::Impression, TIME + 1));
    let rejection = rejected(event_with("timestamp", r#"1700000000000,"timestamp":null"#).as_bytes());
    assert_eq!(rejection.code, RejectionCode::MissingTimestamp);
    let rejection = rejected(br#"{"event_type":"click","event\u005ftype":"tap"}"#);
    assert_eq!(rejection.code, RejectionCode::InvalidEventType);
}

#[test]
fn product_ids_are_kept_as_they_are() {
    for (value, expected) in [
        (r#""0""#, "0"),
        (r#"" a ""#, " a "),
        (r#""日本 é""#, "日本 é"),
        (r#""a\"b\\c\n""#, "a\"b\\c\n"),
        (r#""\ud83d\ude00""#, "😀"),
        (r#""null""#, "null"),
    ] {
        assert_eq!(accepted(&event_with("product_id", value)).product_id, expected);
    }
}

#[test]
fn a_blank_event_id_is_none() {
    for (value, expected) in
        [(r#""e1""#, Some("e1")), (r#"" e""#, Some(" e")), (r#""""#, None), (r#"" \u3000""#, None), ("null", None)]
    {
        assert_eq!(accepted(&event_with("event_id", value)).event_id.as_deref(), expected, "{value}");
    }
}

#[test]
fn timestamps_have_four_forms() {
    for value in [
        "1700000000000",
        r#""1700000000000""#,
        r#""2023-11-14 22:13:20""#,
        r#""2023-11-14T22:13:20Z""#,
        r#""2023-11-15T07:13:20.000+09:00""#,
    ] {
        assert_eq!(accepted(&event_with("timestamp", value)).timestamp, TIME, "{value}");
    }
    assert_eq!(accepted(&event_with("timestamp", "10000")).timestamp, 10_000);
    assert_eq!(accepted(&event_with("timestamp", "7258118399999")).timestamp, 7_258_118_399_999);
}

#[test]
fn timestamps_of_other_forms_are_refused() {
    for value in [
        "0",
        "-1",
        "9999",
        "7258118400000",
        "1700000000000.0",
        "1.7e12",
        "1e999",
        "99999999999999999999",
        "-0",
        "true",
        "[]",
        "{}",
        r#""""#,
        r#"" ""#,
        r#""+1700000000000""#,
        r#"" 1700000000000""#,
        r#""soon""#,
        r#""2023-11-14""#,
        r#""2023-11-14T22:13:20""#,
        r#""1969-12-31T23:59:59Z""#,
        r#""2200-01-01 00:00:00""#,
        r#""\ud800""#,
    ] {
        let rejection = rejected(event_with("timestamp", value).as_bytes());
        assert_eq!(rejection.code, RejectionCode::InvalidTimestamp, "{value}");
        assert_eq!(rejection.event_time, None, "{value}");
        assert!(rejection.message.starts_with(&format!("timestamp: {value} ")), "{}", rejection.message);
    }
}

#[test]
fn every_code_of_parsing_is_reached() {
    use RejectionCode::*;
    let nothing = parse(None).expect_err("a tombstone");
    let mut reached = HashSet::from([nothing.code]);
    assert_eq!(nothing.code, Tombstone);
    for (code, payload) in examples() {
        let rejection = rejected(&payload);
        assert_eq!(rejection.code, code, "{}: {rejection}", payload.escape_ascii());
        reached.insert(code);
    }
    let parsing: HashSet<_> = RejectionCode::ALL.into_iter().filter(|code| *code != FutureTimestamp).collect();
    assert_eq!(reached, parsing);
}

fn examples() -> Vec<(RejectionCode, Vec<u8>)> {
    use RejectionCode::*;
    let mut examples = Vec::new();
    let mut add = |code, payloads: &[&[u8]]| examples.extend(payloads.iter().map(|payload| (code, payload.to_vec())));
    add(EmptyPayload, &[b"", b" ", b" \t\r\n"]);
    add(NotUtf8, &[b"\xff", b"{\"product_id\":\"\xc3\x28\"}", b"{\"a\":\"\xed\xa0\x80\"}", b"\xfe\xff\x00{\x00}"]);
    add(
        InvalidJson,
        &[
            b"{",
            b"hello",
            b"{\"a\":}",
            b"{\"a\":1,}",
            b"{\"a\":1} x",
            b"{}{}",
            b"[1",
            b"1 2",
            b"{'a':1}",
            b"{a:1}",
            b"NaN",
            b"{\"a\":01}",
            b"{\"a\":\"\n\"}",
            b"{\"a\":\"\\x\"}",
            b"{\"\\ud800\":1}",
            b"\x00",
            b"\xef\xbb\xbf{}",
            b"{\"a\":tru}",
        ],
    );
    add(NotAnObject, &[b"[]", b"null", b"1", b" -1.5 ", b"\"{}\"", b"true", b"[{}]"]);
    let mut add = |code, json: String| examples.push((code, json.into_bytes()));
    add(MissingEventType, "{}".to_owned());
    for (missing, invalid, field) in [
        (MissingEventType, InvalidEventType, "event_type"),
        (MissingProductId, InvalidProductId, "product_id"),
        (MissingTimestamp, InvalidTimestamp, "timestamp"),
    ] {
        add(missing, event_without(field));
        add(missing, event_with(field, "null"));
        for value in ["true", "[]", "{}", r#""""#, r#"" ""#, r#""\t\u00a0""#, r#""\udc00""#, "1.5"] {
            add(invalid, event_with(field, value));
        }
    }
    add(InvalidProductId, event_with("product_id", "17"));
    for value in ["Click", "VIEW", " click", "impressions", "tap"] {
        add(InvalidEventType, event_with("event_type", &format!("\"{value}\"")));
    }
    for field in ["event_id", "user_id", "session_id"] {
        for value in ["0", "-1.5", "false", "[]", r#"{"a":"b"}"#] {
            add(InvalidField, event_with(field, value));
        }
    }
    add(InvalidField, event_with("event_id", r#""\ud800""#));
    examples
}

#[test]
fn of_several_faults_the_first_is_named() {
    use RejectionCode::*;
    for (code, json) in [
        (InvalidJson, r#"{"event_type":1,"product_id":1"#),
        (MissingEventType, r#"{"product_id":1,"timestamp":"x","event_id":1}"#),
        (InvalidEventType, r#"{"event_id":1,"timestamp":"x","product_id":1,"event_type":1}"#),
        (MissingProductId, r#"{"event_type":"click","timestamp":"x","event_id":1}"#),
        (InvalidProductId, r#"{"event_type":"click","product_id":"","event_id":1}"#),
        (MissingTimestamp, r#"{"event_type":"click","product_id":"a","event_id":1}"#),
        (InvalidTimestamp, r#"{"event_type":"click","product_id":"a","timestamp":1,"event_id":1}"#),
    ] {
        assert_eq!(rejected(json.as_bytes()).code, code, "{json}");
    }
    let json = event_with("event_id", r#"1,"user_id":2,"session_id":3"#);
    assert!(rejected(json.as_bytes()).message.starts_with("event_id: "));
    let json = event_with("session_id", r#"3,"user_id":2"#);
    assert!(rejected(json.as_bytes()).message.starts_with("user_id: "));
}

#[test]
fn a_good_timestamp_is_told_whatever_else_is_wrong() {
    for (field, value) in [("event_type", "1"), ("product_id", "null"), ("event_id", "1"), ("session_id", "[]")] {
        assert_eq!(rejected(event_with(field, value).as_bytes()).event_time, Some(TIME), "{field}");
    }
    assert_eq!(rejected(br#"{"timestamp":1}"#).event_time, None);
    assert_eq!(rejected(br#"{"timestamp":1700000000000"#).event_time, None);
}

#[test]
fn nesting_ends_at_the_same_depth_everywhere() {
    let within = nested(MAX_NESTING - 1);
    let beyond = nested(MAX_NESTING);
    assert_eq!(accepted(&event_with("price", &within)).timestamp, TIME);
    assert_eq!(rejected(event_with("user_id", &within).as_bytes()).code, RejectionCode::InvalidField);
    assert_eq!(rejected(beyond.as_bytes()).code, RejectionCode::NotAnObject);
    for json in [event_with("price", &beyond), event_with("user_id", &beyond), nested(MAX_NESTING + 1), nested(500_000)]
    {
        let rejection = rejected(json.as_bytes());
        assert_eq!(rejection.code, RejectionCode::InvalidJson);
        assert!(rejection.message.contains("nested"), "{}", rejection.message);
    }
    // Brackets in a string do not nest.
    accepted(&event_with("price", &format!(r#""\"{}""#, "[".repeat(MAX_NESTING))));
    assert_eq!(rejected("[".repeat(500_000).as_bytes()).code, RejectionCode::InvalidJson);
}

#[test]
fn messages_name_the_field_and_what_was_found_in_one_short_line() {
    let long = "x".repeat(1_000_000);
    for (payload, part) in [
        (event_with("event_type", r#""tap""#), r#"event_type: expected impression, view or click, found "tap""#),
        (event_without("product_id"), "product_id: the field is required"),
        (event_with("user_id", "17"), "user_id: expected a string or null, found 17"),
        (event_with("event_type", &format!("\"{long}\"")), "event_type: "),
        (event_with("timestamp", &format!("\"{long}\"")), "timestamp: "),
        (event_with("user_id", &format!("[\n\"{long}\"\n]")), "user_id: "),
        (format!("[\"{long}\"]"), "not an object"),
        (long.clone(), "not JSON"),
        (format!("{{\"{long}\":"), "line 1 column 100000"),
    ] {
        let message = rejected(payload.as_bytes()).message;
        assert!(message.contains(part), "{part} in {message}");
        assert!(message.chars().count() <= 300 && !message.contains(char::is_control), "{message}");
    }
    let message = rejected(&[b"x".repeat(1_000_000).as_slice(), b"\xff"].concat()).message;
    assert!(message.contains("byte 1000000 (0xFF)") && message.len() <= 300, "{message}");
}

#[test]
fn an_id_has_at_most_1024_bytes_however_it_is_written() {
    for (field, code) in [("product_id", RejectionCode::InvalidProductId), ("event_id", RejectionCode::InvalidField)] {
        // Bytes of UTF-8 count, not characters and not escapes.
        for longest in ["x".repeat(1_024), "\u{e9}".repeat(512), "\\u00e9".repeat(512), "\\\\".repeat(1_024)] {
            accepted(&event_with(field, &format!("\"{longest}\"")));
        }
        for longer in ["x".repeat(1_025), "\u{e9}".repeat(513), "\\u00e9".repeat(513), " ".repeat(1_025)] {
            let rejection = rejected(event_with(field, &format!("\"{longer}\"")).as_bytes());
            assert_eq!(rejection.code, code, "{}", rejection.message);
            assert_eq!(rejection.event_time, Some(TIME));
        }
        let message = rejected(event_with(field, &format!("\"{}\"", "x".repeat(900_000))).as_bytes()).message;
        let part = format!("{field}: 900000 bytes; at most 1024 are allowed");
        assert!(message.starts_with(&part) && message.chars().count() <= 300, "{message}");
    }
    // Fields that are not stored may have any length.
    accepted(&event_with("user_id", &format!("\"{}\"", "x".repeat(100_000))));
}

#[test]
fn a_time_in_another_unit_is_told_in_that_unit() {
    for (value, parts) in [
        ("1764", ["1970-01-01T00:00:01.764Z", ""]),
        ("1764230000000000", ["+57876", "microseconds instead of milliseconds? 2025-11-27T07:53:20.000Z"]),
        ("\"1764230000000000\"", ["+57876", "microseconds instead of milliseconds? 2025-11-27T07:53:20.000Z"]),
        (
            "1764230000000000123",
            ["1764230000000000123 ms", "nanoseconds instead of milliseconds? 2025-11-27T07:53:20.000Z"],
        ),
        ("\"1969-12-31T23:59:59Z\"", ["1969-12-31T23:59:59.000Z", ""]),
        ("7258118400000", ["2200-01-01T00:00:00.000Z", ""]),
    ] {
        let rejection = rejected(event_with("timestamp", value).as_bytes());
        assert_eq!(rejection.code, RejectionCode::InvalidTimestamp);
        for part in parts {
            assert!(rejection.message.contains(part), "{part} in {}", rejection.message);
        }
        assert_eq!(rejection.message.contains("instead"), !parts[1].is_empty(), "{}", rejection.message);
    }
}

#[test]
fn what_a_value_begins_with_is_said_where_it_tells_the_cause() {
    let utf16 = |text: &str, order: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(order).collect::<Vec<u8>>();
    let event = event_with("timestamp", "1700000000000");
    let little = utf16(&event, u16::to_le_bytes);
    let big = utf16(&event, u16::to_be_bytes);
    for (payload, code, part) in [
        ([b"\xef\xbb\xbf", event.as_bytes()].concat(), RejectionCode::InvalidJson, "begins with a byte order mark"),
        ([b"\xff\xfe", &little[..]].concat(), RejectionCode::NotUtf8, "UTF-16?"),
        ([b"\xfe\xff", &big[..]].concat(), RejectionCode::NotUtf8, "UTF-16?"),
        (little, RejectionCode::InvalidJson, "UTF-16?"),
        (big, RejectionCode::InvalidJson, "UTF-16?"),
        (
            [b"\x00\x00\x00\x00\x07", event.as_bytes()].concat(),
            RejectionCode::InvalidJson,
            "begins with byte 0: schema registry framing?",
        ),
        (
            [b"\x00\x00\x01\x86\xa0", event.as_bytes()].concat(),
            RejectionCode::NotUtf8,
            "begins with byte 0: schema registry framing?",
        ),
        (b"\x1f\x8b\x08\x00".to_vec(), RejectionCode::NotUtf8, "begins as gzip does"),
        ([event.as_bytes(), b" and more"].concat(), RejectionCode::InvalidJson, "trailing characters"),
    ] {
        let rejection = rejected(&payload);
        assert_eq!(rejection.code, code, "{}", payload.escape_ascii());
        assert!(rejection.message.contains(part), "{part} in {}", rejection.message);
    }
}
