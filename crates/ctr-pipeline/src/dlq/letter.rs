//! A dead letter, read back from its topic.

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ctr_domain::redriven::{DeadLetterId, HEADER};
use ctr_domain::timestamp::to_rfc3339;
use serde::Deserialize;

use crate::sink::dead_letter_record::{LetterHeader, MAX_KEY_BYTES};

/// The fields written by [`crate::sink::dead_letter_record`] that are needed to find and correct the record.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    /// The topic of the record.
    pub(super) raw_topic: String,
    /// Its partition.
    pub(super) partition: i32,
    /// Its offset.
    pub(super) offset: i64,
    /// Why it was not counted.
    pub(super) code: String,
    /// The reason as text.
    pub(super) error_message: String,
    created_at_utc: Moment,
    /// The event time, epoch ms, if it could be read.
    pub(super) event_time_millis_utc: Option<i64>,
    raw_data: Option<String>,
    raw_encoding: String,
    key: Option<String>,
    #[serde(default)]
    key_encoding: Option<String>,
    #[serde(default)]
    truncated: bool,
    #[serde(default)]
    headers: Vec<LetterHeader<'static>>,
    /// The dead letter whose copy the record claims to be.
    #[serde(default)]
    redriven_from: Option<String>,
}

/// A header as the record had it.
pub type RecordHeader = (String, Option<Vec<u8>>);

/// When a dead letter was created: a number as in the original, or text as written by earlier versions.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Moment {
    Millis(i64),
    Text(String),
}

impl DeadLetter {
    /// Reads the value of a record of the dead letter topic; `None` if it is not a dead letter of this pipeline.
    #[must_use]
    pub fn read(value: Option<&[u8]>) -> Option<Self> {
        serde_json::from_slice(value?).ok()
    }

    /// Its identity.
    #[must_use]
    pub fn id(&self) -> DeadLetterId {
        DeadLetterId {
            topic: self.raw_topic.clone(),
            partition: self.partition,
            offset: self.offset,
            code: self.code.clone(),
        }
    }

    /// When it was created, RFC 3339.
    #[must_use]
    pub fn created_at(&self) -> String {
        match &self.created_at_utc {
            Moment::Millis(millis) => to_rfc3339(*millis),
            Moment::Text(text) => text.clone(),
        }
    }

    /// The identity of the dead letter whose copy the record is, if the record's header is plausible.
    #[must_use]
    pub fn origin(&self) -> Option<DeadLetterId> {
        let header = self.redriven_from.as_deref()?.as_bytes();
        DeadLetterId::of_origin(header, &self.raw_topic, self.partition, self.offset)
    }

    /// The record's headers, without the one set by redriving.
    ///
    /// # Errors
    /// If an encoding is unknown or not followed.
    pub fn headers(&self) -> anyhow::Result<Vec<RecordHeader>> {
        let header = |header: &LetterHeader<'_>| {
            let encoding = header.encoding.as_deref().unwrap_or("utf8");
            let value = header.value.as_deref().map(|value| decode(value, encoding)).transpose()?;
            Ok((header.name.clone().into_owned(), value))
        };
        self.headers.iter().filter(|header| header.name != HEADER).map(header).collect()
    }

    /// Whether the dead letter holds the whole record: only the beginning of a very large one is kept.
    ///
    /// # Errors
    /// If an encoding is unknown or not followed.
    pub fn is_whole(&self) -> anyhow::Result<bool> {
        // Earlier versions truncated a key silently, at a character boundary.
        Ok(!self.truncated && self.key()?.is_none_or(|key| key.len() + 4 <= MAX_KEY_BYTES))
    }

    /// The stored part of the record's value; `None` is a tombstone.
    ///
    /// # Errors
    /// If an encoding is unknown or not followed.
    pub fn payload(&self) -> anyhow::Result<Option<Vec<u8>>> {
        self.raw_data.as_deref().map(|text| decode(text, &self.raw_encoding)).transpose()
    }

    /// The stored part of the record's key.
    ///
    /// # Errors
    /// If an encoding is unknown or not followed.
    pub fn key(&self) -> anyhow::Result<Option<Vec<u8>>> {
        let encoding = self.key_encoding.as_deref().unwrap_or("utf8");
        self.key.as_deref().map(|text| decode(text, encoding)).transpose()
    }
}

fn decode(text: &str, encoding: &str) -> anyhow::Result<Vec<u8>> {
    match encoding {
        "utf8" => Ok(text.as_bytes().to_vec()),
        "base64" => BASE64.decode(text).context("the dead letter contains invalid base64"),
        other => anyhow::bail!("the dead letter has the unknown encoding `{other}`"),
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use ctr_domain::checkpoint::RecordMark;
    use ctr_domain::dead_letter::DeadLetterReason;
    use ctr_domain::event::Event;

    use rand::rngs::Xoshiro256PlusPlus;
    use rand::seq::IndexedRandom as _;
    use rand::{RngExt as _, SeedableRng as _};

    use super::*;
    use crate::sink::dead_letter_record::{RecordOrigin, cut, encode};

    fn written(key: Option<&[u8]>, payload: Option<&[u8]>) -> DeadLetter {
        with_headers(key, payload, Vec::new())
    }

    fn with_headers<'a>(
        key: Option<&'a [u8]>,
        payload: Option<&'a [u8]>,
        headers: Vec<(Cow<'a, str>, Option<&'a [u8]>)>,
    ) -> DeadLetter {
        let mark = RecordMark { offset: 17, timestamp: Some(1_700_000_000_500) };
        let origin = RecordOrigin { source: "Click", topic: "clicks", partition: 3, mark, key, payload, headers };
        let reason = DeadLetterReason::Rejected(Event::parse(payload).unwrap_err());
        DeadLetter::read(Some(&encode(&origin, &reason))).unwrap()
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
    fn headers_come_back_but_for_the_one_that_names_an_origin() {
        let headers = || -> Vec<(Cow<'_, str>, Option<&[u8]>)> {
            vec![
                ("traceparent".into(), Some(b"00-1")),
                (HEADER.into(), Some(b"clicks/3/9/INVALID_JSON")),
                ("bytes".into(), Some(b"\xff")),
                ("bytes".into(), None),
            ]
        };
        let letter = with_headers(None, Some(b"{"), headers());
        let kept = [("traceparent", Some(&b"00-1"[..])), ("bytes", Some(b"\xff")), ("bytes", None)];
        let kept = kept.map(|(name, value)| (name.to_owned(), value.map(<[u8]>::to_vec)));
        assert_eq!(letter.headers().unwrap(), kept);
        assert_eq!(letter.origin().unwrap().to_string(), "clicks/3/9/INVALID_JSON");
        assert!(letter.is_whole().unwrap());
        let huge = vec![b'x'; 100_000];
        assert!(!with_headers(None, Some(b"{"), vec![("a".into(), Some(&huge))]).is_whole().unwrap());
    }

    #[test]
    fn letters_of_earlier_versions_are_read() {
        let old = br#"{"rawTopic":"clicks","partition":3,"offset":7,"code":"TOO_LATE","errorMessage":"",
            "createdAtUtc":"2026-01-01T00:00:00.000Z","eventTimeMillisUtc":null,"rawData":null,"rawEncoding":"utf8","key":null}"#;
        assert_eq!(DeadLetter::read(Some(old)).unwrap().created_at(), "2026-01-01T00:00:00.000Z");
        let new = String::from_utf8_lossy(old).replace("\"2026-01-01T00:00:00.000Z\"", "1767225600000");
        assert_eq!(DeadLetter::read(Some(new.as_bytes())).unwrap().created_at(), "2026-01-01T00:00:00.000Z");
    }

    #[test]
    fn what_was_cut_is_known() {
        assert!(!written(None, Some(&[1; 1_000_000])).is_whole().unwrap());
        assert!(!written(Some(&[b'k'; 20_000]), Some(b"{")).is_whole().unwrap());
        assert!(!written(Some(&[0xff; 20_000]), Some(b"{")).is_whole().unwrap());
    }

    #[test]
    fn damaged_letters_are_read_or_refused_and_never_more() {
        let headers = vec![(HEADER.into(), Some(&b"clicks/3/9/INVALID_JSON"[..])), ("b".into(), Some(b"\xff"))];
        let mark = RecordMark { offset: 17, timestamp: None };
        let (key, payload) = (Some(&b"\xff"[..]), Some(&b"\xfe{"[..]));
        let origin = RecordOrigin { source: "Click", topic: "clicks", partition: 3, mark, key, payload, headers };
        let whole = encode(&origin, &DeadLetterReason::Rejected(Event::parse(payload).unwrap_err()));
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        let mut read = 0;
        for _ in 0..20_000 {
            let mut damaged = whole.clone();
            for _ in 0..rng.random_range(1..4) {
                let at = rng.random_range(0..damaged.len());
                match rng.random_range(0..3) {
                    0 => damaged[at] = rng.random(),
                    1 => damaged.truncate(at.max(1)),
                    _ => damaged.insert(at, *b"\"\\{}[],:09-e".choose(&mut rng).unwrap()),
                }
            }
            let smaller = cut(damaged.clone(), 300);
            assert!(smaller.len() <= damaged.len() + 200, "{}", damaged.escape_ascii());
            if let Some(letter) = DeadLetter::read(Some(&damaged)) {
                read += 1;
                drop((
                    letter.is_whole(),
                    letter.payload(),
                    letter.key(),
                    letter.headers(),
                    letter.origin(),
                    letter.created_at(),
                ));
            }
        }
        assert!(read > 1_000, "{read}");
    }

    #[test]
    fn other_records_are_no_letters() {
        for other in [None, Some(&b"text"[..]), Some(b"{}"), Some(b"{\"rawTopic\":\"clicks\"}")] {
            assert!(DeadLetter::read(other).is_none());
        }
    }
}
