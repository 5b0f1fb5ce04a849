//! The headers of a record as stored in its dead letter.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};

/// Maximum encoded bytes of headers in one dead letter; the first ones are kept.
pub(super) const MAX_HEADER_BYTES: usize = 16_384;

/// Maximum bytes that JSON adds to one header.
const OVERHEAD_BYTES: usize = 64;

/// One header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LetterHeader<'a> {
    /// Its name.
    pub name: Cow<'a, str>,
    /// Its value as text, or in base64 if `encoding` says so; `None` if it has none.
    pub value: Option<Cow<'a, str>>,
    /// `base64`, or absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<Cow<'a, str>>,
}

impl<'a> LetterHeader<'a> {
    fn new(name: &'a str, value: Option<&'a [u8]>) -> Self {
        let (value, encoding) = match value.map(|value| (value, std::str::from_utf8(value))) {
            None => (None, None),
            Some((_, Ok(text))) => (Some(Cow::Borrowed(text)), None),
            Some((bytes, Err(_))) => (Some(Cow::Owned(BASE64.encode(bytes))), Some(Cow::Borrowed("base64"))),
        };
        Self { name: Cow::Borrowed(name), value, encoding }
    }

    /// Maximum bytes that JSON needs for it: any character may be escaped as six.
    fn weight(&self) -> usize {
        let escaped = |text: &str| {
            text.bytes().map(|byte| if byte < b' ' || matches!(byte, b'"' | b'\\') { 6 } else { 1 }).sum::<usize>()
        };
        OVERHEAD_BYTES + escaped(&self.name) + self.value.as_deref().map_or(0, escaped)
    }
}

/// The first headers that together need at most `limit` bytes, and the number of omitted headers, if any.
pub(super) fn bounded<'a>(
    headers: &'a [(Cow<'a, str>, Option<&'a [u8]>)],
    limit: usize,
) -> (Vec<LetterHeader<'a>>, Option<usize>) {
    let (mut kept, mut room) = (Vec::new(), limit);
    for (name, value) in headers {
        // Check before encoding: the value may be a megabyte.
        if name.len() + value.map_or(0, <[u8]>::len) > room {
            break;
        }
        let header = LetterHeader::new(name, *value);
        let Some(rest) = room.checked_sub(header.weight()) else { break };
        room = rest;
        kept.push(header);
    }
    let dropped = headers.len() - kept.len();
    (kept, (dropped > 0).then_some(dropped))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_headers_are_kept_as_far_as_they_fit() {
        let headers: Vec<(Cow<'_, str>, Option<&[u8]>)> = vec![
            ("traceparent".into(), Some(b"00-1-2-01")),
            ("empty".into(), None),
            ("bytes".into(), Some(b"\xff\x00")),
            ("huge".into(), Some(&[b'x'; 100_000])),
            ("after".into(), Some(b"1")),
        ];
        let (kept, dropped) = bounded(&headers, MAX_HEADER_BYTES);
        assert_eq!(dropped, Some(2));
        assert_eq!(
            serde_json::to_string(&kept).unwrap(),
            r#"[{"name":"traceparent","value":"00-1-2-01"},{"name":"empty","value":null},{"name":"bytes","value":"/wA=","encoding":"base64"}]"#
        );
        assert_eq!(bounded(&headers[..3], MAX_HEADER_BYTES).1, None);
    }

    #[test]
    fn what_json_makes_of_hostile_headers_is_within_the_bound() {
        for hostile in ["\u{1}", "\"", "\u{7f}", "\u{fffd}", "x"] {
            let name = hostile.repeat(100);
            let headers: Vec<(Cow<'_, str>, Option<&[u8]>)> =
                (0..10_000).map(|_| (Cow::Borrowed(name.as_str()), Some(name.as_bytes()))).collect();
            let (kept, dropped) = bounded(&headers, MAX_HEADER_BYTES);
            assert!(serde_json::to_vec(&kept).unwrap().len() <= MAX_HEADER_BYTES + 2);
            assert_eq!(dropped, Some(10_000 - kept.len()));
        }
    }
}
