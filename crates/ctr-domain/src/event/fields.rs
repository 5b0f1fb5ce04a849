//! The fields of an event as JSON text, and the rules for their values.

use std::borrow::Cow;

use super::{Event, EventKind};
use crate::rejection::{Rejection, RejectionCode, quote};
use crate::timestamp;

/// The longest product ID and event ID, in bytes of UTF-8. Both are stored as long as their window, so this bounds the
/// size of a window, a row and a firing.
pub const MAX_ID_BYTES: usize = 1_024;

/// A known field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    EventType,
    ProductId,
    Timestamp,
    EventId,
    UserId,
    SessionId,
}

impl Field {
    /// The field with this key.
    pub(super) fn named(key: &[u8]) -> Option<Self> {
        match key {
            b"event_type" => Some(Self::EventType),
            b"product_id" => Some(Self::ProductId),
            b"timestamp" => Some(Self::Timestamp),
            b"event_id" => Some(Self::EventId),
            b"user_id" => Some(Self::UserId),
            b"session_id" => Some(Self::SessionId),
            _ => None,
        }
    }

    /// The field whose key and closing quote are at the beginning of the text, and the number of bytes they take. Keys
    /// are compared as constants, without searching for the end of the key first.
    #[inline]
    pub(super) fn at_start_of(text: &[u8]) -> Option<(Self, usize)> {
        let is = |key: &[u8]| text.starts_with(key);
        let (field, key): (_, &[u8]) = if is(b"user_id\"") {
            (Self::UserId, b"user_id\"")
        } else if is(b"product_id\"") {
            (Self::ProductId, b"product_id\"")
        } else if is(b"timestamp\"") {
            (Self::Timestamp, b"timestamp\"")
        } else if is(b"event_type\"") {
            (Self::EventType, b"event_type\"")
        } else if is(b"session_id\"") {
            (Self::SessionId, b"session_id\"")
        } else if is(b"event_id\"") {
            (Self::EventId, b"event_id\"")
        } else {
            return None;
        };
        Some((field, key.len()))
    }
}

/// The known fields of an object, each as the JSON text of its value: a string with its quotes and escapes. If a key
/// occurs twice, the last value counts. The caller guarantees that the text is valid JSON.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Fields<'a> {
    json: [Option<&'a str>; 6],
    /// No string has an escape, so searching for one can be skipped.
    without_escapes: bool,
}

impl<'a> Fields<'a> {
    /// For objects in which no string has an escape.
    #[inline]
    pub(super) fn without_escapes() -> Self {
        Self { without_escapes: true, ..Self::default() }
    }

    /// Stores the value of a field, replacing an earlier one.
    #[inline]
    pub(super) fn set(&mut self, field: Field, json: &'a str) {
        self.json[field as usize] = Some(json);
    }

    /// The value, unless it is absent or `null`.
    #[inline]
    fn get(&self, field: Field) -> Option<&'a str> {
        self.json[field as usize].filter(|json| *json != "null")
    }

    /// Checks the rules in the order documented at [`Event::parse`].
    #[inline]
    pub(super) fn validate(&self) -> Result<Event<'a>, Rejection> {
        // First, because every rejection includes the event time if it can be read.
        let timestamp = self.timestamp();
        let event_time = timestamp.as_ref().ok().copied();
        let kind = self.kind().map_err(|rejection| rejection.at(event_time))?;
        let product_id = self.product_id().map_err(|rejection| rejection.at(event_time))?;
        let timestamp = timestamp?;
        let event_id = self.event_id().map_err(|rejection| rejection.at(event_time))?;
        // These two are not used; they only have to be strings.
        for (name, field) in [("user_id", Field::UserId), ("session_id", Field::SessionId)] {
            if let Some(json) = self.get(field).filter(|json| !json.starts_with('"')) {
                return Err(invalid_field(name, json).at(event_time));
            }
        }
        Ok(Event { kind, product_id, timestamp, event_id })
    }

    fn kind(&self) -> Result<EventKind, Rejection> {
        let Some(json) = self.get(Field::EventType) else {
            return Err(missing(RejectionCode::MissingEventType, "event_type"));
        };
        match self.text(json).as_deref() {
            Some("impression" | "view") => Ok(EventKind::Impression),
            Some("click") => Ok(EventKind::Click),
            _ => {
                let message = format!("event_type: expected impression, view or click, found {}", quote(json));
                Err(Rejection::new(RejectionCode::InvalidEventType, message))
            }
        }
    }

    fn product_id(&self) -> Result<Cow<'a, str>, Rejection> {
        let Some(json) = self.get(Field::ProductId) else {
            return Err(missing(RejectionCode::MissingProductId, "product_id"));
        };
        let invalid = |message| Rejection::new(RejectionCode::InvalidProductId, message);
        match self.text(json) {
            Some(product_id) if product_id.len() > MAX_ID_BYTES => Err(invalid(too_long("product_id", &product_id))),
            Some(product_id) if !is_blank(&product_id) => Ok(product_id),
            _ => Err(invalid(format!("product_id: expected a string that is not blank, found {}", quote(json)))),
        }
    }

    fn timestamp(&self) -> Result<i64, Rejection> {
        let Some(json) = self.get(Field::Timestamp) else {
            return Err(missing(RejectionCode::MissingTimestamp, "timestamp"));
        };
        let invalid = |reason: &dyn std::fmt::Display| {
            Rejection::new(RejectionCode::InvalidTimestamp, format!("timestamp: {} {reason}", quote(json)))
        };
        match json.as_bytes().first() {
            Some(b'-' | b'0'..=b'9') => timestamp::parse_number(json).map_err(|error| invalid(&error)),
            Some(b'"') => timestamp::parse_text(&self.text(json).unwrap_or_default()).map_err(|error| invalid(&error)),
            _ => Err(invalid(&"is neither a number nor a string")),
        }
    }

    fn event_id(&self) -> Result<Option<Cow<'a, str>>, Rejection> {
        let Some(json) = self.get(Field::EventId) else { return Ok(None) };
        match self.text(json) {
            Some(event_id) if event_id.len() > MAX_ID_BYTES => {
                Err(Rejection::new(RejectionCode::InvalidField, too_long("event_id", &event_id)))
            }
            Some(event_id) => Ok(Some(event_id).filter(|event_id| !is_blank(event_id))),
            None => Err(invalid_field("event_id", json)),
        }
    }

    /// The text of a JSON string; `None` for all other types, and for a string that is not valid text because an escape
    /// in it is half of a surrogate pair.
    #[inline]
    fn text(&self, json: &'a str) -> Option<Cow<'a, str>> {
        let inner = json.strip_prefix('"')?.strip_suffix('"')?;
        if self.without_escapes || !inner.as_bytes().contains(&b'\\') {
            return Some(Cow::Borrowed(inner));
        }
        serde_json::from_str(json).ok().map(Cow::Owned)
    }
}

#[inline]
fn is_blank(text: &str) -> bool {
    // A product ID usually begins with a letter or a digit: then nothing else has to be checked.
    !text.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric) && text.trim().is_empty()
}

fn missing(code: RejectionCode, name: &str) -> Rejection {
    Rejection::new(code, format!("{name}: the field is required, and is absent or null"))
}

fn invalid_field(name: &str, json: &str) -> Rejection {
    let message = format!("{name}: expected a string or null, found {}", quote(json));
    Rejection::new(RejectionCode::InvalidField, message)
}

#[cold]
fn too_long(name: &str, id: &str) -> String {
    format!("{name}: {} bytes; at most {MAX_ID_BYTES} are allowed; it begins: {}", id.len(), quote(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_in_text_as_by_name() {
        for key in ["event_type", "product_id", "timestamp", "event_id", "user_id", "session_id"] {
            let field = Field::named(key.as_bytes()).unwrap();
            assert_eq!(Field::at_start_of(format!("{key}\":1").as_bytes()), Some((field, key.len() + 1)));
            for other in [key.to_uppercase(), format!("{key}s"), key[..key.len() - 1].to_owned(), format!(" {key}")] {
                assert_eq!(Field::named(other.as_bytes()), None, "{other}");
                assert_eq!(Field::at_start_of(format!("{other}\":1").as_bytes()), None, "{other}");
            }
            assert_eq!(Field::at_start_of(key.as_bytes()), None, "without its quote");
        }
        assert_eq!(Field::at_start_of(b""), None);
    }
}
