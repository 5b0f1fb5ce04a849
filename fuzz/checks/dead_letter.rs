//! A record of the dead letter topic, which anyone may have written. It is read or refused; cutting it changes neither its
//! identity nor the beginning of its value. As the value of a rejected record, the same bytes come back from its dead letter.
//!
//! Corpus: dead letters as they are.

use ctr_domain::checkpoint::RecordMark;
use ctr_domain::dead_letter::{DeadLetterReason, TooLate};
use ctr_domain::event::Event;
use ctr_domain::redriven::DeadLetterId;
use ctr_domain::window::WindowSize;
use ctr_pipeline::fuzzing::DeadLetter;
use ctr_pipeline::sink::dead_letter_record::{MAX_BYTES, RecordOrigin, cut, encode};

/// Values larger than this may be cut.
const SMALL: usize = 8_000;

/// What cutting may add: the fields with the original lengths, and fields that were absent.
const ADDED: usize = 400;

pub(crate) fn check(data: &[u8]) {
    let letter = DeadLetter::read(Some(data));
    if let Some(letter) = &letter {
        used(letter);
    }
    for limit in [300, 1_000] {
        let smaller = cut(data.to_vec(), limit);
        assert!(smaller.len() <= data.len() + ADDED);
        let cut_letter = DeadLetter::read(Some(&smaller));
        assert_eq!(
            cut_letter.as_ref().map(DeadLetter::id),
            letter.as_ref().map(DeadLetter::id),
            "{}",
            smaller.escape_ascii()
        );
        let (Some(cut_letter), Some(letter)) = (&cut_letter, &letter) else { continue };
        if smaller != data {
            assert_eq!(cut_letter.is_whole().ok(), Some(false), "{}", smaller.escape_ascii());
        }
        if let (Ok(Some(part)), Ok(Some(whole))) = (cut_letter.payload(), letter.payload()) {
            assert!(whole.starts_with(&part), "{} of {}", part.escape_ascii(), whole.escape_ascii());
        }
    }
    if data.len() < SMALL {
        kept(data);
    }
}

/// Everything that `dlq` does with a letter.
fn used(letter: &DeadLetter) {
    let id = letter.id();
    if !id.topic.is_empty() && !id.topic.contains('/') && !id.code.is_empty() {
        assert_eq!(id.to_string().parse(), Ok(id.clone()));
    }
    if let Some(origin) = letter.origin() {
        assert_eq!((&origin.topic, origin.partition), (&id.topic, id.partition));
        assert!(0 <= origin.offset && origin.offset < id.offset, "{origin} of {id}");
    }
    drop((letter.created_at(), letter.is_whole(), letter.payload(), letter.key(), letter.headers()));
}

fn kept(value: &[u8]) {
    let (key, _) = value.split_at(value.len() / 3);
    let mark = RecordMark { offset: 17, timestamp: None };
    let origin = RecordOrigin {
        source: "Click",
        topic: "clicks",
        partition: 3,
        mark,
        key: Some(key),
        payload: Some(value),
        headers: Vec::new(),
    };
    let bytes = encode(&origin, &reason(value));
    assert!(bytes.len() <= MAX_BYTES);
    let Some(letter) = DeadLetter::read(Some(&bytes)) else { panic!("not a letter: {}", bytes.escape_ascii()) };
    assert_eq!(letter.is_whole().ok(), Some(true));
    assert_eq!(letter.payload().ok(), Some(Some(value.to_vec())));
    assert_eq!(letter.key().ok(), Some(Some(key.to_vec())));
    let id = letter.id();
    assert_eq!((id.topic.as_str(), id.partition, id.offset), ("clicks", 3, 17));
    assert_eq!(id.to_string().parse::<DeadLetterId>(), Ok(id));
}

fn reason(value: &[u8]) -> DeadLetterReason {
    match (Event::parse(Some(value)), WindowSize::from_ms(10_000)) {
        (Ok(event), Some(size)) => {
            let window = size.window_of(event.timestamp);
            DeadLetterReason::TooLate(TooLate { event_time: event.timestamp, window, closed_early: false })
        }
        (Err(rejection), _) => DeadLetterReason::Rejected(rejection),
        (_, None) => unreachable!("10 s is a valid length"),
    }
}
