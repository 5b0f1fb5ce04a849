//! The complete parser of events: `serde_json`, which handles escapes, nesting and every kind of error.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::beginning;
use super::fields::{Field, Fields};
use crate::rejection::{Rejection, RejectionCode, quote};

/// Maximum nesting depth of objects and arrays, including the event itself: `serde_json`'s own limit. It skips ignored
/// values without a limit, so the limit is enforced here for all values.
pub const MAX_NESTING: usize = 127;

/// Reads the known fields of a JSON object.
pub(super) fn read(text: &str) -> Result<Fields<'_>, Rejection> {
    let invalid = |reason: &dyn fmt::Display| {
        let hint = beginning::hint(text.as_bytes());
        let message = format!("{hint}the value is not JSON: {reason}; it begins: {}", quote(text));
        Rejection::new(RejectionCode::InvalidJson, message)
    };
    let is_object = text.trim_ascii_start().starts_with('{');
    let parsed = if is_object {
        serde_json::from_str(text)
    } else {
        serde_json::from_str(text).map(|IgnoredAny| Fields::default())
    };
    let fields = parsed.map_err(|error| invalid(&error))?;
    if nesting(text) > MAX_NESTING {
        return Err(invalid(&format_args!("objects and arrays are nested more than {MAX_NESTING} deep")));
    }
    if !is_object {
        let message = format!("the value is JSON, but not an object: {}", quote(text));
        return Err(Rejection::new(RejectionCode::NotAnObject, message));
    }
    Ok(fields)
}

/// The nesting depth of objects and arrays in a valid JSON text.
fn nesting(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' => skip_string(&mut bytes),
            _ => {}
        }
    }
    deepest
}

/// Advances past the closing quote of the string.
fn skip_string(bytes: &mut std::str::Bytes<'_>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return,
            // An escaped character does not end the string.
            b'\\' => drop(bytes.next()),
            _ => {}
        }
    }
}

/// A key, copied only if it contains escapes.
#[derive(serde::Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an event object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Fields::default();
        while let Some(Key(key)) = map.next_key()? {
            match Field::named(key.as_bytes()) {
                // Values are kept as raw text: a number too large for 64 bits is still JSON.
                Some(field) => fields.set(field, map.next_value::<&RawValue>()?.get()),
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nesting_counts_brackets_outside_of_strings() {
        assert_eq!(nesting("1"), 0);
        assert_eq!(nesting(r#"{"a":[{"b":[]}],"c":{}}"#), 4);
        assert_eq!(nesting(r#"["[[[","\"[[[","\\",[]]"#), 2);
    }
}
