//! A dead letter, read back from its topic.

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ctr_domain::redriven::DeadLetterId;
use serde::Deserialize;

use crate::sink::dead_letter_record::MAX_KEY_BYTES;

/// What [`crate::sink::dead_letter_record`] writes, as far as it is needed to find and mend the record.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Letter {
    /// The topic of the record.
    pub(super) raw_topic: String,
    /// Its partition.
    pub(super) partition: i32,
    /// Its offset.
    pub(super) offset: i64,
    /// Why it was not counted.
    pub(super) code: String,
    /// The same for people.
    pub(super) error_message: String,
    /// When the letter was made, RFC 3339.
    pub(super) created_at_utc: String,
    /// The event's time, epoch ms, where it could be read.
    pub(super) event_time_millis_utc: Option<i64>,
    raw_data: Option<String>,
    raw_encoding: String,
    key: Option<String>,
    #[serde(default)]
    key_encoding: Option<String>,
    #[serde(default)]
    truncated: bool,
}

impl Letter {
    /// Reads the value of a record of the dead letter topic; `None` where it is no letter of this pipeline.
    pub(super) fn read(value: Option<&[u8]>) -> Option<Self> {
        serde_json::from_slice(value?).ok()
    }

    /// What identifies it.
    pub(super) fn id(&self) -> DeadLetterId {
        DeadLetterId {
            topic: self.raw_topic.clone(),
            partition: self.partition,
            offset: self.offset,
            code: self.code.clone(),
        }
    }

    /// Whether the letter has all of the record: of a very large one only the beginning is kept.
    pub(super) fn is_whole(&self) -> anyhow::Result<bool> {
        // A key is cut without a word, at a boundary of characters.
        Ok(!self.truncated && self.key()?.is_none_or(|key| key.len() + 4 <= MAX_KEY_BYTES))
    }

    /// The record's value as far as it was kept; `None` is a tombstone.
    pub(super) fn payload(&self) -> anyhow::Result<Option<Vec<u8>>> {
        self.raw_data.as_deref().map(|text| decode(text, &self.raw_encoding)).transpose()
    }

    /// The record's key as far as it was kept.
    pub(super) fn key(&self) -> anyhow::Result<Option<Vec<u8>>> {
        let encoding = self.key_encoding.as_deref().unwrap_or("utf8");
        self.key.as_deref().map(|text| decode(text, encoding)).transpose()
    }
}

fn decode(text: &str, encoding: &str) -> anyhow::Result<Vec<u8>> {
    match encoding {
        "utf8" => Ok(text.as_bytes().to_vec()),
        "base64" => BASE64.decode(text).context("the letter's base64 is damaged"),
        other => anyhow::bail!("the letter's encoding `{other}` is none that this version knows"),
    }
}

#[cfg(test)]
mod tests {
    use ctr_domain::checkpoint::RecordMark;
    use ctr_domain::dead_letter::DeadLetterReason;
    use ctr_domain::event::Event;

    use super::*;
    use crate::sink::dead_letter_record::{Origin, encode};

    fn written(key: Option<&[u8]>, payload: Option<&[u8]>) -> Letter {
        let mark = RecordMark { offset: 17, timestamp: Some(1_700_000_000_500) };
        let origin = Origin { source: "Click", topic: "clicks", partition: 3, mark, key, payload };
        let reason = DeadLetterReason::Rejected(Event::parse(payload).unwrap_err());
        Letter::read(Some(&encode(&origin, &reason))).unwrap()
    }

    #[test]
    fn what_was_written_is_read_back_byte_by_byte() {
        for payload in [&b"{"[..], b"\xff\xfe", b"[\"\\u0000\"]"] {
            for key in [None, Some(&b"product1"[..]), Some(b"\xff")] {
                let letter = written(key, Some(payload));
                assert_eq!(letter.payload().unwrap().as_deref(), Some(payload));
                assert_eq!(letter.key().unwrap().as_deref(), key);
                assert!(letter.is_whole().unwrap());
            }
        }
        assert_eq!(written(None, None).payload().unwrap(), None);
        assert_eq!(written(None, Some(b"{")).id().to_string(), "clicks/3/17/INVALID_JSON");
    }

    #[test]
    fn what_was_cut_is_known() {
        assert!(!written(None, Some(&[1; 1_000_000])).is_whole().unwrap());
        assert!(!written(Some(&[b'k'; 20_000]), Some(b"{")).is_whole().unwrap());
        assert!(!written(Some(&[0xff; 20_000]), Some(b"{")).is_whole().unwrap());
    }

    #[test]
    fn other_records_are_no_letters() {
        for other in [None, Some(&b"text"[..]), Some(b"{}"), Some(b"{\"rawTopic\":\"clicks\"}")] {
            assert!(Letter::read(other).is_none());
        }
    }
}
