//! Parses one event according to the table of docs/delivery.md: a second implementation, written from the rules and not
//! from the pipeline's code, so that a mistake there is not repeated here.

use std::borrow::Cow;
use std::fmt;

use chrono::DateTime;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::code::Code;

/// The range of event times that any setting can accept, in epoch ms: from 1970-01-01T00:00:10Z up to, but not
/// including, 2200-01-01.
const BELIEVED: std::ops::Range<i64> = 10_000..7_258_118_400_000;

/// The longest product ID and event ID, in bytes.
const LONGEST_ID: usize = 1_024;

/// Maximum nesting depth of objects and arrays.
const MAX_DEPTH: usize = 127;

/// The type of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Impression,
    Click,
}

/// A valid event.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Event<'a> {
    pub(crate) kind: Kind,
    pub(crate) product: Cow<'a, str>,
    /// Epoch ms.
    pub(crate) time: i64,
    /// The producer's ID for it, if it has a non-blank one.
    pub(crate) id: Option<Cow<'a, str>>,
}

/// Parses a record's value, or returns the first rule that it violates.
pub(crate) fn read(value: Option<&[u8]>) -> Result<Event<'_>, Code> {
    let bytes = value.ok_or(Code::Tombstone)?;
    if bytes.trim_ascii().is_empty() {
        return Err(Code::EmptyPayload);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| Code::NotUtf8)?;
    let Fields(values) = object(text)?;
    let [kind, product, time, id, user, session] = values.map(|json| json.filter(|json| *json != "null"));

    let kind = match string(kind.ok_or(Code::MissingEventType)?).as_deref() {
        Some("impression" | "view") => Kind::Impression,
        Some("click") => Kind::Click,
        _ => return Err(Code::InvalidEventType),
    };
    let product = string(product.ok_or(Code::MissingProductId)?);
    let product = product.filter(|text| !is_blank(text) && text.len() <= LONGEST_ID).ok_or(Code::InvalidProductId)?;
    let time = event_time(time.ok_or(Code::MissingTimestamp)?).ok_or(Code::InvalidTimestamp)?;
    let id = id.map(|json| string(json).filter(|text| text.len() <= LONGEST_ID).ok_or(Code::InvalidField));
    let id = id.transpose()?.filter(|text| !is_blank(text));
    // These two are not used, but they must be strings.
    if [user, session].into_iter().flatten().any(|json| !json.starts_with('"')) {
        return Err(Code::InvalidField);
    }
    Ok(Event { kind, product, time, id })
}

/// The relevant fields of a JSON object.
fn object(text: &str) -> Result<Fields<'_>, Code> {
    let is_object = text.trim_ascii_start().starts_with('{');
    if !is_object {
        serde_json::from_str::<IgnoredAny>(text).map_err(|_| Code::InvalidJson)?;
    }
    if is_too_deep(text) {
        return Err(Code::InvalidJson);
    }
    if !is_object {
        return Err(Code::NotAnObject);
    }
    serde_json::from_str(text).map_err(|_| Code::InvalidJson)
}

/// Whether brackets outside of strings are nested deeper than allowed. For text that is not JSON the result does not
/// matter.
fn is_too_deep(text: &str) -> bool {
    if text.bytes().filter(|byte| matches!(byte, b'{' | b'[')).count() <= MAX_DEPTH {
        return false;
    }
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => depth += 1,
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return true;
        }
    }
    false
}

/// A JSON string's text; `None` if it is not a string, or contains half of a surrogate pair.
fn string(json: &str) -> Option<Cow<'_, str>> {
    if !json.starts_with('"') {
        return None;
    }
    if json.contains('\\') {
        return serde_json::from_str(json).ok().map(Cow::Owned);
    }
    Some(Cow::Borrowed(json.trim_matches('"')))
}

fn is_blank(text: &str) -> bool {
    text.chars().all(char::is_whitespace)
}

/// An integer of milliseconds, or a string: digits, `YYYY-MM-DD HH:MM:SS` in UTC, RFC 3339.
fn event_time(json: &str) -> Option<i64> {
    let millis = if json.starts_with('"') { time_in_words(&string(json)?)? } else { json.parse().ok()? };
    BELIEVED.contains(&millis).then_some(millis)
}

fn time_in_words(text: &str) -> Option<i64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok();
    }
    if !text.is_ascii() {
        return None;
    }
    let rfc3339 = match text.split_once(' ') {
        // The plain form is RFC 3339 with a space instead of the T, and without the zone.
        Some((date, time)) if (date.len(), time.len()) == (10, 8) => Cow::Owned(format!("{date}T{time}Z")),
        _ => Cow::Borrowed(text),
    };
    DateTime::parse_from_rfc3339(&rfc3339).ok().map(|time| time.timestamp_millis())
}

/// The JSON text of the values of the six fields, in the order in which they are checked. If a name occurs twice, the
/// last value counts.
#[derive(Default)]
struct Fields<'a>([Option<&'a str>; 6]);

/// `timestamp` precedes the IDs because its rule does.
const NAMES: [&str; 6] = ["event_type", "product_id", "timestamp", "event_id", "user_id", "session_id"];

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EveryField)
    }
}

struct EveryField;

#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Visitor<'de> for EveryField {
    type Value = Fields<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
        let mut fields = Fields::default();
        while let Some((Name(name), value)) = map.next_entry::<Name<'_>, &RawValue>()? {
            if let Some(place) = NAMES.iter().position(|known| *known == name) {
                fields.0[place] = Some(value.get());
            }
        }
        Ok(fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> Option<Code> {
        read(Some(text.as_bytes())).err()
    }

    #[test]
    fn the_usual_event() {
        let event = read(Some(br#"{"event_type":"view","product_id":"p","timestamp":1700000000000,"event_id":"a"}"#));
        let expected =
            Event { kind: Kind::Impression, product: "p".into(), time: 1_700_000_000_000, id: Some("a".into()) };
        assert_eq!(event, Ok(expected));
    }

    #[test]
    fn every_rule_has_its_code() {
        assert_eq!(read(None), Err(Code::Tombstone));
        assert_eq!(read(Some(b" \n")), Err(Code::EmptyPayload));
        assert_eq!(read(Some(b"{\xff}")), Err(Code::NotUtf8));
        for (text, expected) in [
            ("{", Code::InvalidJson),
            ("{}x", Code::InvalidJson),
            ("[1]", Code::NotAnObject),
            ("{}", Code::MissingEventType),
            (r#"{"event_type":null}"#, Code::MissingEventType),
            (r#"{"event_type":"Click"}"#, Code::InvalidEventType),
            (r#"{"event_type":"click"}"#, Code::MissingProductId),
            (r#"{"event_type":"click","product_id":" "}"#, Code::InvalidProductId),
            (r#"{"event_type":"click","product_id":"\ud800"}"#, Code::InvalidProductId),
            (r#"{"event_type":"click","product_id":"p"}"#, Code::MissingTimestamp),
            (r#"{"event_type":"click","product_id":"p","timestamp":1.0}"#, Code::InvalidTimestamp),
            (r#"{"event_type":"click","product_id":"p","timestamp":""}"#, Code::InvalidTimestamp),
            (r#"{"event_type":"click","product_id":"p","timestamp":99999,"session_id":7}"#, Code::InvalidField),
            (r#"{"event_type":"click","product_id":"p","timestamp":99999,"event_id":7}"#, Code::InvalidField),
        ] {
            assert_eq!(code(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn ids_have_at_most_1024_bytes() {
        let event = |product: &str, id: &str| {
            format!(r#"{{"event_type":"click","product_id":"{product}","timestamp":99999,"event_id":"{id}"}}"#)
        };
        let (longest, longer) = ("é".repeat(512), "é".repeat(513));
        assert_eq!(code(&event(&longest, &longest)), None);
        assert_eq!(code(&event(&longer, "a")), Some(Code::InvalidProductId));
        assert_eq!(code(&event("p", &longer)), Some(Code::InvalidField));
        assert_eq!(code(&event("p", &" ".repeat(1_025))), Some(Code::InvalidField), "blank, but too long");
    }

    #[test]
    fn depth_has_a_limit_and_strings_are_no_depth() {
        let event = |value: &str| format!(r#"{{"event_type":"click","product_id":"p","timestamp":99999,"x":{value}}}"#);
        assert_eq!(code(&event(&format!("{}1{}", "[".repeat(126), "]".repeat(126)))), None);
        assert_eq!(code(&event(&format!("{}1{}", "[".repeat(127), "]".repeat(127)))), Some(Code::InvalidJson));
        assert_eq!(code(&event(&format!(r#""\"{}""#, "[".repeat(200)))), None);
    }

    #[test]
    fn times_have_four_forms() {
        for text in ["1700000000000", "\"1700000000000\"", "\"2023-11-14 22:13:20\"", "\"2023-11-15T07:13:20+09:00\""] {
            assert_eq!(event_time(text), Some(1_700_000_000_000), "{text}");
        }
        for text in ["9999", "\"2200-01-01 00:00:00\"", "\"2023-11-14\"", "\"2023-1-14 22:13:200\"", "true"] {
            assert_eq!(event_time(text), None, "{text}");
        }
    }
}
