//! The format of a dead letter in its topic: the original's JSON plus the fields needed to find and correct the record.

mod cut;
mod headers;

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::Utc;
use ctr_domain::checkpoint::RecordMark;
use ctr_domain::dead_letter::DeadLetterReason;
use ctr_domain::redriven::{DeadLetterId, HEADER};
use ctr_domain::timestamp::to_rfc3339;
use serde::{Deserialize, Serialize};

pub use cut::cut;
pub use headers::LetterHeader;
use headers::MAX_HEADER_BYTES;

/// Maximum size of a dead letter in bytes, below the default limit of a broker (1 MiB including overhead). [`cut()`] shortens it
/// for a topic with a smaller limit.
pub const MAX_BYTES: usize = 900_000;

/// Maximum bytes kept of a key, in the dead letter and as the key of its Kafka record.
pub(crate) const MAX_KEY_BYTES: usize = 16_384;

/// The record that cannot be counted, and its position in the log.
#[derive(Debug, Clone)]
pub struct RecordOrigin<'a> {
    /// Impressions or clicks, in the original's wording.
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
    /// Its headers in order: name and value.
    pub headers: Vec<(Cow<'a, str>, Option<&'a [u8]>)>,
}

impl RecordOrigin<'_> {
    /// The dead letter that the record claims to be redriven from. Anyone can write such a header: it is reported, and no
    /// decision depends on it.
    fn redriven_from(&self) -> Option<String> {
        let (_, value) = self.headers.iter().rev().find(|(name, _)| name == HEADER)?;
        DeadLetterId::of_origin((*value)?, self.topic, self.partition, self.mark.offset).map(|id| id.to_string())
    }
}

/// The JSON object. The first eight fields are the original's; the others are ours.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LetterRecord<'a> {
    source: Cow<'a, str>,
    raw_topic: Cow<'a, str>,
    error_code: Cow<'a, str>,
    error_message: Cow<'a, str>,
    raw_data: Option<Cow<'a, str>>,
    event_time_millis_utc: Option<i64>,
    stack_trace: Option<()>,
    /// Epoch ms, as in the original.
    created_at_utc: i64,

    /// The same time as text.
    created_at_rfc3339: Cow<'a, str>,
    code: Cow<'a, str>,
    partition: i32,
    offset: i64,
    record_time_millis_utc: Option<i64>,
    key: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key_encoding: Option<Cow<'a, str>>,
    raw_encoding: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    headers: Vec<LetterHeader<'a>>,
    /// The dead letter whose copy the record claims to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    redriven_from: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "is_false")]
    closed_early: bool,
    /// Part of the record was cut off; the fields below give the original lengths.
    #[serde(default, skip_serializing_if = "is_false")]
    truncated: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    raw_length: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key_length: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    headers_dropped: Option<usize>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

/// Encodes a dead letter of at most [`MAX_BYTES`]. Only the beginning of a record that does not fit is kept; the dead letter is
/// then marked `truncated`, with the original `rawLength` or `keyLength`, or the number of `headersDropped`.
#[must_use]
pub fn encode(origin: &RecordOrigin<'_>, reason: &DeadLetterReason) -> Vec<u8> {
    encode_at(origin, reason, Utc::now().timestamp_millis())
}

fn encode_at(origin: &RecordOrigin<'_>, reason: &DeadLetterReason, created_at: i64) -> Vec<u8> {
    let whole = origin.payload.map_or(0, <[u8]>::len);
    let mut keep = whole.min(MAX_BYTES);
    loop {
        let bytes = to_json(&record(origin, reason, created_at, keep));
        if bytes.len() <= MAX_BYTES || keep == 0 {
            return bytes;
        }
        // Escapes and base64 enlarge some records more than others: scale by this record's own factor.
        keep = (keep * (MAX_BYTES / 100) / (bytes.len() / 100)).min(keep - 1) * 99 / 100;
    }
}

fn record<'a>(
    origin: &'a RecordOrigin<'_>,
    reason: &'a DeadLetterReason,
    created_at: i64,
    keep: usize,
) -> LetterRecord<'a> {
    let raw = origin.payload.map(|payload| text(payload, keep));
    let key = origin.key.map(|key| text(key, MAX_KEY_BYTES));
    let (headers, headers_dropped) = headers::bounded(&origin.headers, MAX_HEADER_BYTES);
    let raw_length = origin.payload.map(<[u8]>::len).filter(|length| keep < *length);
    let key_length = origin.key.map(<[u8]>::len).filter(|length| MAX_KEY_BYTES < *length);
    LetterRecord {
        source: origin.source.into(),
        raw_topic: origin.topic.into(),
        error_code: original_code(reason).into(),
        error_message: message(reason),
        raw_encoding: raw.as_ref().map_or("utf8", |raw| raw.1).into(),
        raw_data: raw.map(|raw| raw.0),
        event_time_millis_utc: reason.event_time(),
        stack_trace: None,
        created_at_utc: created_at,
        created_at_rfc3339: to_rfc3339(created_at).into(),
        code: reason.code().into(),
        partition: origin.partition,
        offset: origin.mark.offset,
        record_time_millis_utc: origin.mark.timestamp,
        key_encoding: key.as_ref().map(|key| key.1.into()).filter(|encoding| encoding != "utf8"),
        key: key.map(|key| key.0),
        headers,
        redriven_from: origin.redriven_from().map(Cow::Owned),
        closed_early: matches!(reason, DeadLetterReason::TooLate(late) if late.closed_early),
        truncated: raw_length.is_some() || key_length.is_some() || headers_dropped.is_some(),
        raw_length,
        key_length,
        headers_dropped,
    }
}

fn to_json(record: &LetterRecord<'_>) -> Vec<u8> {
    let mut json = Vec::with_capacity(1_024);
    let written = serde_json::to_writer(&mut json, record);
    debug_assert!(written.is_ok(), "strings and numbers always serialize, and a vector takes all bytes: {written:?}");
    json
}

/// The key of a dead letter's Kafka record: the original key, so that the dead letters of a product share a partition. A key
/// longer than any product id is truncated, equally for equal keys.
#[must_use]
pub(crate) fn letter_key(key: &[u8]) -> &[u8] {
    &key[..key.len().min(MAX_KEY_BYTES)]
}

/// The first `keep` bytes as text, and the encoding: unchanged if they are UTF-8, otherwise base64.
fn text(bytes: &[u8], keep: usize) -> (Cow<'_, str>, &'static str) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (Cow::Borrowed(beginning(text, keep)), "utf8"),
        Err(_) => (Cow::Owned(BASE64.encode(&bytes[..keep.min(bytes.len())])), "base64"),
    }
}

/// The longest prefix of a text that has at most `keep` bytes and ends at a character boundary.
fn beginning(text: &str, keep: usize) -> &str {
    let mut end = keep.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn original_code(reason: &DeadLetterReason) -> &'static str {
    match reason {
        DeadLetterReason::Rejected(rejection) => rejection.code.original_code(),
        // The original had no code for late events, because it dropped them.
        DeadLetterReason::TooLate(_) => "INVALID_EVENT",
    }
}

/// The reason as text.
pub(crate) fn message(reason: &DeadLetterReason) -> Cow<'_, str> {
    let window = |start, end| format!("[{}, {})", to_rfc3339(start), to_rfc3339(end));
    match reason {
        DeadLetterReason::Rejected(rejection) => Cow::Borrowed(&rejection.message),
        DeadLetterReason::TooLate(late) if late.closed_early => Cow::Owned(format!(
            "the window {} was closed before this record arrived",
            window(late.window.start, late.window.end)
        )),
        DeadLetterReason::TooLate(late) => Cow::Owned(format!(
            "the watermark of its partition had passed the window {} and the allowed lateness",
            window(late.window.start, late.window.end)
        )),
    }
}

#[cfg(test)]
mod tests;
