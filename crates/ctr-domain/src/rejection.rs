//! Why a record is not counted: stable codes for machines, a message for people.

use std::fmt;

use crate::timestamp;

/// Maximum number of payload characters repeated in a message.
const QUOTED_CHARS: usize = 120;

/// The rule that a record violates. Names and order are stable: dead letters, metrics and truth files contain them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RejectionCode {
    /// The record has no value (a Kafka tombstone).
    Tombstone,
    /// The value is empty or only white space.
    EmptyPayload,
    /// The value is not UTF-8.
    NotUtf8,
    /// The value is not one JSON text, or is nested deeper than
    /// [`MAX_NESTING`](crate::event::MAX_NESTING).
    InvalidJson,
    /// The value is JSON, but not an object.
    NotAnObject,
    /// `event_type` is absent or `null`.
    MissingEventType,
    /// `event_type` is none of `impression`, `view`, `click`.
    InvalidEventType,
    /// `product_id` is absent or `null`.
    MissingProductId,
    /// `product_id` is not a string, is blank, or is longer than [`MAX_ID_BYTES`](crate::event::MAX_ID_BYTES).
    InvalidProductId,
    /// `timestamp` is absent or `null`.
    MissingTimestamp,
    /// `timestamp` has none of the accepted forms, or lies outside the accepted range (see [`timestamp`] and
    /// [`Rules::min_event_time`](crate::rules::Rules::min_event_time)).
    InvalidTimestamp,
    /// An optional field (`event_id`, `user_id`, `session_id`) is neither a string nor `null`, or an `event_id` is longer
    /// than [`MAX_ID_BYTES`](crate::event::MAX_ID_BYTES).
    InvalidField,
    /// The event is further ahead of its record's Kafka timestamp than the future guard allows.
    FutureTimestamp,
}

impl RejectionCode {
    /// Every code, in the order of [`RejectionCode::index`].
    pub const ALL: [RejectionCode; 13] = [
        RejectionCode::Tombstone,
        RejectionCode::EmptyPayload,
        RejectionCode::NotUtf8,
        RejectionCode::InvalidJson,
        RejectionCode::NotAnObject,
        RejectionCode::MissingEventType,
        RejectionCode::InvalidEventType,
        RejectionCode::MissingProductId,
        RejectionCode::InvalidProductId,
        RejectionCode::MissingTimestamp,
        RejectionCode::InvalidTimestamp,
        RejectionCode::InvalidField,
        RejectionCode::FutureTimestamp,
    ];

    /// The stable name, as dead letters and metrics show it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            RejectionCode::Tombstone => "TOMBSTONE",
            RejectionCode::EmptyPayload => "EMPTY_PAYLOAD",
            RejectionCode::NotUtf8 => "NOT_UTF8",
            RejectionCode::InvalidJson => "INVALID_JSON",
            RejectionCode::NotAnObject => "NOT_AN_OBJECT",
            RejectionCode::MissingEventType => "MISSING_EVENT_TYPE",
            RejectionCode::InvalidEventType => "INVALID_EVENT_TYPE",
            RejectionCode::MissingProductId => "MISSING_PRODUCT_ID",
            RejectionCode::InvalidProductId => "INVALID_PRODUCT_ID",
            RejectionCode::MissingTimestamp => "MISSING_TIMESTAMP",
            RejectionCode::InvalidTimestamp => "INVALID_TIMESTAMP",
            RejectionCode::InvalidField => "INVALID_FIELD",
            RejectionCode::FutureTimestamp => "FUTURE_TIMESTAMP",
        }
    }

    /// The index of this code in [`RejectionCode::ALL`], for counters kept in an array.
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }

    /// The corresponding one of the original's four codes, for readers that know only those.
    ///
    /// `INVALID_EVENT`: there is nothing to read. `DESERIALIZATION_ERROR`: the value is not a JSON object.
    /// `VALIDATION_ERROR`: the object violates a rule. `UNKNOWN_ERROR` is never used: each cause here has a name.
    #[must_use]
    pub fn original_code(self) -> &'static str {
        match self {
            RejectionCode::Tombstone | RejectionCode::EmptyPayload => "INVALID_EVENT",
            RejectionCode::NotUtf8 | RejectionCode::InvalidJson | RejectionCode::NotAnObject => "DESERIALIZATION_ERROR",
            RejectionCode::MissingEventType
            | RejectionCode::InvalidEventType
            | RejectionCode::MissingProductId
            | RejectionCode::InvalidProductId
            | RejectionCode::MissingTimestamp
            | RejectionCode::InvalidTimestamp
            | RejectionCode::InvalidField
            | RejectionCode::FutureTimestamp => "VALIDATION_ERROR",
        }
    }
}

impl fmt::Display for RejectionCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A record that is not counted, with the reason. Its producer is at fault; the record goes to the dead-letter topic.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Rejection {
    /// The violated rule: the first one in the order of [`Event::parse`](crate::event::Event::parse).
    pub code: RejectionCode,
    /// For people: the field and its value, with at most one line of the payload.
    pub message: String,
    /// Event time in epoch milliseconds, if its `timestamp` is valid although something else is not.
    pub event_time: Option<i64>,
}

impl Rejection {
    /// A rejection of a record whose event time is unknown.
    #[must_use]
    pub fn new(code: RejectionCode, message: String) -> Self {
        Rejection { code, message, event_time: None }
    }

    /// The rejection of an event whose time (epoch ms) is before the earliest accepted one.
    #[must_use]
    pub fn before_all(event_time: i64, min_event_time: i64) -> Self {
        let message = format!(
            "timestamp: {event_time} ms is {}, before {} (ctr.job.min-event-time){}",
            timestamp::to_rfc3339(event_time),
            timestamp::to_rfc3339(min_event_time),
            timestamp::other_unit(Some(event_time)),
        );
        Rejection::new(RejectionCode::InvalidTimestamp, message)
    }

    /// The rejection of the future guard: the event is more than `max_skew_ms` ahead of its record's Kafka timestamp.
    ///
    /// All three are milliseconds; the two times count from the epoch. The caller compares; this only creates the
    /// message.
    #[must_use]
    pub fn future(event_time: i64, record_time: i64, max_skew_ms: i64) -> Self {
        let ahead_ms = event_time.saturating_sub(record_time);
        let message = format!(
            "timestamp: {} is {ahead_ms} ms ahead of the record's Kafka timestamp {}; at most {max_skew_ms} ms are \
             allowed (is the producer's clock right?)",
            timestamp::to_rfc3339(event_time),
            timestamp::to_rfc3339(record_time),
        );
        Rejection { code: RejectionCode::FutureTimestamp, message, event_time: Some(event_time) }
    }

    /// The same rejection, with the event time if it is known.
    #[must_use]
    pub(crate) fn at(self, event_time: Option<i64>) -> Self {
        Rejection { event_time, ..self }
    }
}

/// The beginning of a payload, suitable for one line of a message: short, and without control characters.
pub(crate) fn quote(text: &str) -> String {
    let mut chars = text.chars();
    let mut quoted: String =
        chars.by_ref().take(QUOTED_CHARS).map(|char| if char.is_control() { ' ' } else { char }).collect();
    if chars.next().is_some() {
        quoted.push('…');
    }
    quoted
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn codes_are_indexed_in_the_order_of_all_and_named_apart() {
        let names: HashSet<_> = RejectionCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(names.len(), RejectionCode::ALL.len());
        for (index, code) in RejectionCode::ALL.into_iter().enumerate() {
            assert_eq!(code.index(), index, "{code}");
            assert!(code.as_str().bytes().all(|byte| byte.is_ascii_uppercase() || b"_8".contains(&byte)), "{code}");
        }
    }

    #[test]
    fn original_codes_are_the_originals() {
        let of = |code: RejectionCode| code.original_code();
        assert_eq!(of(RejectionCode::Tombstone), "INVALID_EVENT");
        assert_eq!(of(RejectionCode::EmptyPayload), "INVALID_EVENT");
        for code in [RejectionCode::NotUtf8, RejectionCode::InvalidJson, RejectionCode::NotAnObject] {
            assert_eq!(of(code), "DESERIALIZATION_ERROR", "{code}");
        }
        for code in &RejectionCode::ALL[RejectionCode::MissingEventType.index()..] {
            assert_eq!(code.original_code(), "VALIDATION_ERROR", "{code}");
        }
    }

    #[test]
    fn the_future_guard_says_both_times_and_the_bound() {
        let rejection = Rejection::future(1_700_000_400_000, 1_700_000_000_000, 300_000);
        assert_eq!(rejection.code, RejectionCode::FutureTimestamp);
        assert_eq!(rejection.event_time, Some(1_700_000_400_000));
        for part in ["2023-11-14T22:20:00.000Z", "2023-11-14T22:13:20.000Z", "400000 ms", "300000 ms"] {
            assert!(rejection.message.contains(part), "{part} in {}", rejection.message);
        }
        assert!(rejection.to_string().starts_with("FUTURE_TIMESTAMP: timestamp"));
    }

    #[test]
    fn a_time_before_all_is_told_as_a_time_and_in_the_unit_it_was_meant_in() {
        let rejection = Rejection::before_all(1_764_230_000, timestamp::DEFAULT_MIN_MS);
        assert_eq!(
            rejection.to_string(),
            "INVALID_TIMESTAMP: timestamp: 1764230000 ms is 1970-01-21T10:03:50.000Z, before 2000-01-01T00:00:00.000Z \
             (ctr.job.min-event-time); seconds instead of milliseconds? 2025-11-27T07:53:20.000Z"
        );
        let old = Rejection::before_all(915_148_800_000, timestamp::DEFAULT_MIN_MS).message;
        assert!(old.contains("1999-01-01T00:00:00.000Z") && !old.contains("instead"), "{old}");
        assert!(Rejection::before_all(i64::MIN, i64::MIN).message.contains("ms"));
    }

    #[test]
    fn the_future_guard_takes_any_times() {
        let rejection = Rejection::future(i64::MAX, i64::MIN, i64::MAX);
        assert_eq!(rejection.event_time, Some(i64::MAX));
    }

    #[test]
    fn quotes_are_short_and_without_control_characters() {
        assert_eq!(quote("a\nb\u{7f}c"), "a b c");
        assert_eq!(quote(&"é".repeat(QUOTED_CHARS)), "é".repeat(QUOTED_CHARS));
        assert_eq!(quote(&"é".repeat(QUOTED_CHARS + 1)), "é".repeat(QUOTED_CHARS) + "…");
    }
}
