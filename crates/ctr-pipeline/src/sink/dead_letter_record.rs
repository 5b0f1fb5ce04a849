//! The dead letter as it lies in the topic: the original's JSON, with what was missing there to find and mend the record.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::{SecondsFormat, Utc};
use ctr_domain::checkpoint::RecordMark;
use ctr_domain::dead_letter::DeadLetterReason;
use serde::Serialize;

/// The largest dead letter, in bytes: below what a broker takes by default (1 MiB with its overhead).
pub const MAX_BYTES: usize = 900_000;

/// The largest part of a key that is kept.
pub(crate) const MAX_KEY_BYTES: usize = 16_384;

/// The record that cannot be counted, and where it was found.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// Whether it lay among the impressions or the clicks: the original's word for it.
    pub source: &'static str,
    /// Its topic.
    pub topic: &'a str,
    /// Its partition.
    pub partition: i32,
    /// Its offset and Kafka timestamp.
    pub mark: RecordMark,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Its value; `None` is a tombstone.
    pub payload: Option<&'a [u8]>,
}

/// The JSON object. The first eight fields are the original's; the others are ours.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    source: &'a str,
    raw_topic: &'a str,
    error_code: &'a str,
    error_message: Cow<'a, str>,
    raw_data: Option<Cow<'a, str>>,
    event_time_millis_utc: Option<i64>,
    stack_trace: Option<()>,
    created_at_utc: String,

    code: &'a str,
    partition: i32,
    offset: i64,
    record_time_millis_utc: Option<i64>,
    key: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_encoding: Option<&'a str>,
    raw_encoding: &'a str,
    #[serde(skip_serializing_if = "is_false")]
    closed_early: bool,
    #[serde(skip_serializing_if = "is_false")]
    truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    raw_length: Option<usize>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

/// Encodes a dead letter, never larger than [`MAX_BYTES`]: of a record that does not fit, the beginning is kept, marked
/// `truncated` with its whole `rawLength`.
#[must_use]
pub fn encode(origin: &Origin<'_>, reason: &DeadLetterReason) -> Vec<u8> {
    let created_at = Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true);
    let whole = origin.payload.map_or(0, <[u8]>::len);
    let mut keep = whole.min(MAX_BYTES);
    loop {
        let bytes = encode_prefix(origin, reason, &created_at, keep);
        if bytes.len() <= MAX_BYTES || keep == 0 {
            return bytes;
        }
        // Escapes and base64 make some records grow more than others: aim for the limit by this record's own factor.
        keep = (keep * (MAX_BYTES / 100) / (bytes.len() / 100)).min(keep - 1) * 99 / 100;
    }
}

fn encode_prefix(origin: &Origin<'_>, reason: &DeadLetterReason, created_at: &str, keep: usize) -> Vec<u8> {
    let raw = origin.payload.map(|payload| text(payload, keep));
    let key = origin.key.map(|key| text(key, MAX_KEY_BYTES));
    let truncated = origin.payload.is_some_and(|payload| keep < payload.len());
    let record = Record {
        source: origin.source,
        raw_topic: origin.topic,
        error_code: original_code(reason),
        error_message: message(reason),
        raw_encoding: raw.as_ref().map_or("utf8", |raw| raw.1),
        raw_data: raw.map(|raw| raw.0),
        event_time_millis_utc: reason.event_time(),
        stack_trace: None,
        created_at_utc: created_at.to_owned(),
        code: reason.code(),
        partition: origin.partition,
        offset: origin.mark.offset,
        record_time_millis_utc: origin.mark.timestamp,
        key_encoding: key.as_ref().map(|key| key.1).filter(|encoding| *encoding != "utf8"),
        key: key.map(|key| key.0),
        closed_early: matches!(reason, DeadLetterReason::TooLate(late) if late.closed_early),
        truncated,
        raw_length: truncated.then(|| origin.payload.map_or(0, <[u8]>::len)),
    };
    // Strings and numbers always serialise.
    serde_json::to_vec(&record).unwrap_or_default()
}

/// The first `keep` bytes as text: as they are if they are UTF-8, otherwise as base64; and which of the two.
fn text(bytes: &[u8], keep: usize) -> (Cow<'_, str>, &'static str) {
    match std::str::from_utf8(bytes) {
        Ok(text) => {
            let mut end = keep.min(text.len());
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            (Cow::Borrowed(&text[..end]), "utf8")
        }
        Err(_) => (Cow::Owned(BASE64.encode(&bytes[..keep.min(bytes.len())])), "base64"),
    }
}

fn original_code(reason: &DeadLetterReason) -> &'static str {
    match reason {
        DeadLetterReason::Rejected(rejection) => rejection.code.original_code(),
        // The original had no word for a late event: it lost them.
        DeadLetterReason::TooLate(_) => "INVALID_EVENT",
    }
}

/// Why, for people.
pub(crate) fn message(reason: &DeadLetterReason) -> Cow<'_, str> {
    match reason {
        DeadLetterReason::Rejected(rejection) => Cow::Borrowed(&rejection.message),
        DeadLetterReason::TooLate(late) if late.closed_early => Cow::Owned(format!(
            "the window [{}, {}) was let go before this record arrived",
            late.window.start, late.window.end
        )),
        DeadLetterReason::TooLate(late) => Cow::Owned(format!(
            "the watermark of its partition had passed the window [{}, {}) and the allowed lateness",
            late.window.start, late.window.end
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ctr_domain::dead_letter::TooLate;
    use ctr_domain::event::Event;
    use ctr_domain::window::Window;
    use serde_json::{Value, json};

    fn origin(payload: Option<&[u8]>) -> Origin<'_> {
        Origin {
            source: "Click",
            topic: "clicks",
            partition: 3,
            mark: RecordMark { offset: 17, timestamp: Some(1_700_000_000_500) },
            key: Some(b"product1"),
            payload,
        }
    }

    fn letter(payload: Option<&[u8]>) -> Value {
        let reason = DeadLetterReason::Rejected(Event::parse(payload).unwrap_err());
        let bytes = encode(&origin(payload), &reason);
        assert!(bytes.len() <= MAX_BYTES, "{}", bytes.len());
        serde_json::from_slice(&bytes).unwrap()
    }

    #[test]
    fn it_is_the_originals_record_with_position_code_and_bytes() {
        let mut value = letter(Some(b"{\"event_type\":\"tap\"}"));
        let created = value.as_object_mut().unwrap().remove("createdAtUtc").unwrap();
        assert!(created.as_str().unwrap().ends_with('Z'), "{created}");
        assert_eq!(value["rawData"], json!("{\"event_type\":\"tap\"}"));
        assert_eq!(value["rawEncoding"], json!("utf8"));
        assert_eq!((&value["source"], &value["rawTopic"]), (&json!("Click"), &json!("clicks")));
        assert_eq!((&value["partition"], &value["offset"], &value["key"]), (&json!(3), &json!(17), &json!("product1")));
        assert_eq!(value["stackTrace"], Value::Null);
        assert!(value.get("truncated").is_none() && value.get("closedEarly").is_none());
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
    fn a_late_event_says_which_window_it_missed() {
        let late = TooLate { event_time: 12_345, window: Window { start: 10_000, end: 20_000 }, closed_early: true };
        let bytes = encode(&origin(Some(b"{}")), &DeadLetterReason::TooLate(late));
        let value: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!((&value["code"], &value["closedEarly"]), (&json!("TOO_LATE"), &json!(true)));
        assert_eq!(value["eventTimeMillisUtc"], json!(12_345));
        assert!(value["errorMessage"].as_str().unwrap().contains("[10000, 20000)"));
    }
}
