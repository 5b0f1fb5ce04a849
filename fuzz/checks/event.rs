//! The value of a record. Both parsers give the same event or the same rejection; what they accept is within the bounds, and is
//! read back from any other JSON of it.
//!
//! Corpus: values as they are.

use ctr_domain::event::{Event, EventKind, MAX_ID_BYTES};
use ctr_domain::timestamp::in_range;
use serde_json::json;

/// Characters of a rejection: it quotes only the beginning of a value.
const MAX_MESSAGE: usize = 400;

pub(crate) fn check(value: &[u8]) {
    let event = Event::parse(Some(value));
    assert_eq!(event, Event::parse_with_serde(Some(value)), "the two parsers disagree");
    match event {
        Ok(event) => accepted(&event),
        Err(rejection) => {
            let message = &rejection.message;
            assert!(message.chars().count() <= MAX_MESSAGE, "a message of {} bytes: {message}", message.len());
            assert!(!message.chars().any(char::is_control), "control characters in a message: {message:?}");
            assert_eq!(rejection.event_time.map(in_range).transpose(), Ok(rejection.event_time));
        }
    }
}

fn accepted(event: &Event<'_>) {
    assert!(event.product_id.len() <= MAX_ID_BYTES && !event.product_id.trim().is_empty(), "{event:?}");
    assert!(event.event_id.as_ref().is_none_or(|id| id.len() <= MAX_ID_BYTES && !id.trim().is_empty()), "{event:?}");
    assert_eq!(in_range(event.timestamp), Ok(event.timestamp));
    let kind = if event.kind == EventKind::Click { "click" } else { "impression" };
    let again = json!({
        "event_type": kind,
        "product_id": event.product_id,
        "timestamp": event.timestamp,
        "event_id": event.event_id,
    });
    assert_eq!(Event::parse(Some(again.to_string().as_bytes())).as_ref(), Ok(event));
}
