//! One ad event, read from the bytes of a Kafka record.
//!
//! There are two JSON parsers. `scan` handles the flat objects that producers usually send, in one pass and without
//! allocation; everything else goes to `json`, which uses `serde_json`. Both produce the same `Fields`, where the rules
//! are checked once, so the two cannot disagree about a rule.

mod beginning;
mod fields;
mod json;
mod scan;

use std::borrow::Cow;

use fields::Fields;
pub use fields::MAX_ID_BYTES;
pub use json::MAX_NESTING;

use crate::rejection::{Rejection, RejectionCode, quote};

/// The type of an event. The field `event_type` determines it, not the topic of the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventKind {
    /// An impression: `impression`, or `view`.
    Impression,
    /// A click: `click`.
    Click,
}

/// A valid event. Text is borrowed from the record unless the producer wrote it with escapes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event<'a> {
    /// Impression or click.
    pub kind: EventKind,
    /// The product: not blank, at most [`MAX_ID_BYTES`], otherwise unchanged (including spaces and case).
    pub product_id: Cow<'a, str>,
    /// The event time: epoch milliseconds within the range of [`timestamp`](crate::timestamp).
    pub timestamp: i64,
    /// The producer's ID of this event, at most [`MAX_ID_BYTES`]. A blank one is treated as absent.
    pub event_id: Option<Cow<'a, str>>,
}

impl<'a> Event<'a> {
    /// Parses the value of a Kafka record; `None` is a tombstone.
    ///
    /// If a key occurs twice, the last value counts. `null` is the same as absent. Unknown fields are ignored, whatever
    /// they contain. White space is allowed around and within the object.
    ///
    /// # Errors
    /// If a record violates several rules, the first in this order is reported:
    /// 1. the value: `TOMBSTONE`, `EMPTY_PAYLOAD`, `NOT_UTF8`;
    /// 2. its JSON: `INVALID_JSON`, `NOT_AN_OBJECT`;
    /// 3. `event_type`: `MISSING_EVENT_TYPE`, `INVALID_EVENT_TYPE`;
    /// 4. `product_id`: `MISSING_PRODUCT_ID`, `INVALID_PRODUCT_ID`;
    /// 5. `timestamp`: `MISSING_TIMESTAMP`, `INVALID_TIMESTAMP`;
    /// 6. `event_id`, `user_id`, `session_id`: `INVALID_FIELD`.
    ///
    /// `INVALID_TIMESTAMP` for a time before `ctr.job.min-event-time` depends on the settings, `FUTURE_TIMESTAMP` on the record's
    /// Kafka timestamp: [`Rules::accept_time`](crate::rules::Rules::accept_time) checks both afterwards.
    pub fn parse(payload: Option<&'a [u8]>) -> Result<Event<'a>, Rejection> {
        let mut fields = Fields::without_escapes();
        let text = payload.and_then(|bytes| std::str::from_utf8(bytes).ok());
        match text.and_then(|text| scan::scan(text, &mut fields)) {
            Some(()) => fields.validate(),
            None => json::read(text_of(payload)?)?.validate(),
        }
    }

    /// [`Event::parse`] without the fast path, for the tests that compare the two.
    ///
    /// # Errors
    ///
    /// Those of [`Event::parse`].
    #[doc(hidden)]
    pub fn parse_with_serde(payload: Option<&'a [u8]>) -> Result<Event<'a>, Rejection> {
        json::read(text_of(payload)?)?.validate()
    }
}

fn text_of(payload: Option<&[u8]>) -> Result<&str, Rejection> {
    let Some(bytes) = payload else {
        let message = "the record has no value (a tombstone); events need one".to_owned();
        return Err(Rejection::new(RejectionCode::Tombstone, message));
    };
    if bytes.trim_ascii().is_empty() {
        let message = format!("the record's value is empty ({} bytes, none but white space)", bytes.len());
        return Err(Rejection::new(RejectionCode::EmptyPayload, message));
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let (before, rest) = bytes.split_at(error.valid_up_to());
        let found = rest.first().copied().unwrap_or_default();
        let before = String::from_utf8_lossy(before);
        let hint = beginning::hint(bytes);
        let message =
            format!("{hint}byte {} (0x{found:02X}) is not UTF-8; it follows: {}", error.valid_up_to(), quote(&before));
        Rejection::new(RejectionCode::NotUtf8, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: &str = r#"{"user_id":"user1","product_id":"product1","timestamp":1700000000000,"event_type":"impression","session_id":"session_1001"}"#;

    #[test]
    fn the_usual_event_takes_the_quick_way_and_borrows() {
        assert!(scan::scan(USUAL, &mut Fields::default()).is_some());
        let event = Event::parse(Some(USUAL.as_bytes())).unwrap();
        assert_eq!(event.kind, EventKind::Impression);
        assert!(matches!(event.product_id, Cow::Borrowed("product1")));
        assert_eq!(event.timestamp, 1_700_000_000_000);
        assert_eq!(event.event_id, None);
    }
}
