//! Shortens an encoded dead letter for a topic with a smaller size limit.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::{LetterRecord, beginning, to_json};

/// Cuts an encoded dead letter to at most `limit` bytes if possible: first the record's value, then its headers, its key, and
/// the record's quotation in the message. Topic, partition, offset, code and lengths are always kept, so a dead letter is never
/// smaller than about 800 bytes. A dead letter that is small enough, or anything else, is returned unchanged.
#[must_use]
pub fn cut(letter: Vec<u8>, limit: usize) -> Vec<u8> {
    if letter.len() <= limit {
        return letter;
    }
    let Ok(mut record) = serde_json::from_slice::<LetterRecord<'_>>(&letter) else { return letter };
    record.truncated = true;
    let mut encoded = shorten_value(&mut record, limit);
    if encoded.len() > limit && !record.headers.is_empty() {
        record.headers_dropped = Some(record.headers.len() + record.headers_dropped.unwrap_or_default());
        record.headers.clear();
        encoded = to_json(&record);
    }
    if encoded.len() > limit {
        let is_base64 = record.key_encoding.as_deref() == Some("base64");
        record.key_length = record.key_length.or(record.key.as_deref().map(|key| length(key, is_base64)));
        record.key = None;
        record.key_encoding = None;
        encoded = to_json(&record);
    }
    if encoded.len() > limit {
        record.error_message = Cow::Owned(beginning(&record.error_message, 60).to_owned());
        encoded = to_json(&record);
    }
    encoded
}

/// Cuts the value until the dead letter fits or the value is empty.
fn shorten_value(record: &mut LetterRecord<'_>, limit: usize) -> Vec<u8> {
    let is_base64 = record.raw_encoding == "base64";
    if let Some(data) = &record.raw_data {
        record.raw_length = record.raw_length.or(Some(length(data, is_base64)));
    }
    loop {
        let encoded = to_json(record);
        let Some(data) = record.raw_data.as_deref().filter(|data| encoded.len() > limit && !data.is_empty()) else {
            return encoded;
        };
        // Scale as if the whole dead letter were the value; this may take a few iterations, and it always terminates.
        let keep = (data.len() * limit / encoded.len()).min(data.len() - 1);
        // Cut base64 between groups of four characters, which encode three bytes.
        let keep = if is_base64 { keep / 4 * 4 } else { keep };
        record.raw_data = Some(Cow::Owned(beginning(data, keep).to_owned()));
    }
}

/// The number of bytes that an encoded text represents.
fn length(text: &str, is_base64: bool) -> usize {
    if is_base64 { BASE64.decode(text).map_or(0, |bytes| bytes.len()) } else { text.len() }
}
