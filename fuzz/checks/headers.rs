//! The headers of a record that becomes a dead letter. They come back, in order, as far as they fit; the header of a copy names an
//! earlier record of the same partition or nothing.
//!
//! Corpus: a header per line, `name: value`; without a colon it has no value. The record is clicks/3/100.

use std::borrow::Cow;

use ctr_domain::checkpoint::RecordMark;
use ctr_domain::dead_letter::DeadLetterReason;
use ctr_domain::event::Event;
use ctr_domain::redriven::{DeadLetterId, HEADER};
use ctr_pipeline::fuzzing::DeadLetter;
use ctr_pipeline::sink::dead_letter_record::{MAX_BYTES, RecordOrigin, encode};
use serde_json::Value;

/// The bound on the JSON of all headers, with its brackets.
const MAX_JSON: usize = 16_384 + 2;

type Header<'a> = (Cow<'a, str>, Option<&'a [u8]>);

pub(crate) fn check(data: &[u8]) {
    let headers: Vec<Header<'_>> = data.split(|byte| *byte == b'\n').map(header).collect();
    let Err(rejection) = Event::parse(Some(b"{")) else { unreachable!("not JSON") };
    let origin = RecordOrigin {
        source: "Click",
        topic: "clicks",
        partition: 3,
        mark: RecordMark { offset: 100, timestamp: Some(1_700_000_000_000) },
        key: None,
        payload: Some(b"{"),
        headers: headers.clone(),
    };
    let bytes = encode(&origin, &DeadLetterReason::Rejected(rejection));
    assert!(bytes.len() <= MAX_BYTES);
    let json: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    assert!(json["headers"].to_string().len() <= MAX_JSON);
    let Some(letter) = DeadLetter::read(Some(&bytes)) else { panic!("not a letter: {}", bytes.escape_ascii()) };

    let given = headers.iter().filter(|(name, _)| name != HEADER);
    let given: Vec<_> = given.map(|(name, value)| (name.clone().into_owned(), value.map(<[u8]>::to_vec))).collect();
    let Ok(kept) = letter.headers() else { panic!("unreadable headers: {}", bytes.escape_ascii()) };
    assert!(given.starts_with(&kept), "{kept:?} of {given:?}");
    match letter.is_whole() {
        Ok(true) => assert_eq!(kept, given),
        Ok(false) => assert!(data.len() * 6 + headers.len() * 64 > MAX_JSON, "cut although it fits"),
        Err(error) => panic!("{error}"),
    }
    assert_eq!(letter.origin(), claimed(&headers));
}

fn header(line: &[u8]) -> Header<'_> {
    let colon = line.windows(2).position(|two| two == b": ");
    let (name, value) = colon.map_or((line, None), |at| (&line[..at], Some(&line[at + 2..])));
    (String::from_utf8_lossy(name), value)
}

/// The dead letter that the last header of that name identifies.
fn claimed(headers: &[Header<'_>]) -> Option<DeadLetterId> {
    let (_, value) = headers.iter().rev().find(|(name, _)| name == HEADER)?;
    let id = DeadLetterId::of_origin((*value)?, "clicks", 3, 100)?;
    assert!(id.topic == "clicks" && id.partition == 3 && (0..100).contains(&id.offset), "{id}");
    assert_eq!(id.to_string().parse(), Ok(id.clone()));
    Some(id)
}
