//! The quick way to read an event: one pass over a flat JSON object, without allocation.
//!
//! It is sure or silent. An object that it takes is valid JSON, and its fields are those that `serde_json` would find;
//! for anything else (escapes, nesting, fractions, line breaks, an error of any kind) it returns `None` and leaves both
//! the reading and the blame to the complete way.

use std::ops::Range;

use memchr::memchr;

use super::fields::Fields;

/// Reads the known fields of a flat object; `None` if the text is anything unusual.
pub(super) fn scan(text: &str) -> Option<Fields<'_>> {
    // Without backslashes a string ends at the next quote; without control characters all strings are valid, and the
    // only white space is the space.
    if has_unusual_byte(text.as_bytes()) {
        return None;
    }
    let mut cursor = Cursor { bytes: text.as_bytes(), position: 0 };
    let mut fields = Fields::default();
    cursor.take(b'{')?;
    loop {
        cursor.take(b'"')?;
        let key = cursor.position..cursor.rest_of_string()? - 1;
        cursor.take(b':')?;
        let value = cursor.value()?;
        if let Some(slot) = fields.slot(text.as_bytes().get(key)?) {
            *slot = Some(text.get(value)?);
        }
        match cursor.next()? {
            b',' => {}
            b'}' => break,
            _ => return None,
        }
    }
    cursor.next().is_none().then_some(fields)
}

/// The place in the text up to which it is understood.
struct Cursor<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl Cursor<'_> {
    /// The next byte that is not a space.
    fn next(&mut self) -> Option<u8> {
        loop {
            let byte = *self.bytes.get(self.position)?;
            self.position += 1;
            if byte != b' ' {
                return Some(byte);
            }
        }
    }

    fn take(&mut self, expected: u8) -> Option<()> {
        (self.next()? == expected).then_some(())
    }

    /// Goes on behind the quote that ends the string, and says where that is.
    fn rest_of_string(&mut self) -> Option<usize> {
        self.position += memchr(b'"', self.bytes.get(self.position..)?)? + 1;
        Some(self.position)
    }

    /// A string, an integer that is not negative, or a word of JSON: where it stands.
    fn value(&mut self) -> Option<Range<usize>> {
        let first = self.next()?;
        let start = self.position - 1;
        let end = match first {
            b'"' => self.rest_of_string(),
            b'0'..=b'9' => self.rest_of_integer(first),
            b'n' => self.rest_of_word(b"ull"),
            b't' => self.rest_of_word(b"rue"),
            b'f' => self.rest_of_word(b"alse"),
            _ => None,
        }?;
        Some(start..end)
    }

    fn rest_of_integer(&mut self, first: u8) -> Option<usize> {
        let more = self.bytes.get(self.position..)?.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.position += more;
        // JSON has no leading zeros.
        (first != b'0' || more == 0).then_some(self.position)
    }

    fn rest_of_word(&mut self, rest: &[u8]) -> Option<usize> {
        self.position += rest.len();
        self.bytes.get(..self.position)?.ends_with(rest).then_some(self.position)
    }
}

/// Whether there is a backslash or a control character. Asked of whole blocks, the last of which may overlap the one
/// before it: a few vector instructions each, where single bytes at the end would cost more than all the others.
fn has_unusual_byte(bytes: &[u8]) -> bool {
    const BLOCK: usize = 16;
    fn within(block: &[u8]) -> bool {
        block.iter().fold(false, |found, byte| found | (*byte < b' ') | (*byte == b'\\'))
    }
    match bytes.last_chunk::<BLOCK>() {
        Some(last) => bytes.as_chunks::<BLOCK>().0.iter().fold(within(last), |found, block| found | within(block)),
        None => within(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flat_objects_are_taken() {
        for text in [
            r#"{"a":1}"#,
            r#" { "a" : "b" , "c" : null , "d" : true , "e" : false , "f" : 0 } "#,
            r#"{"":"","é":"日本","timestamp":99999999999999999999,"a":1,"a":2}"#,
        ] {
            assert!(scan(text).is_some(), "{text}");
        }
    }

    #[test]
    fn what_is_unusual_or_wrong_is_left() {
        for text in [
            "",
            " ",
            "{",
            "{}",
            "{,}",
            "[]",
            "1",
            "null",
            r#"{"a"}"#,
            r#"{"a":}"#,
            r#"{"a":1"#,
            r#"{"a":1,}"#,
            r#"{"a":1}}"#,
            r#"{"a":1}x"#,
            r#"{"a" 1}"#,
            r#"{"a":01}"#,
            r#"{"a":00}"#,
            r#"{"a":-1}"#,
            r#"{"a":1.0}"#,
            r#"{"a":1e3}"#,
            r#"{"a":+1}"#,
            r#"{"a":nul}"#,
            r#"{"a":nulll}"#,
            r#"{"a":True}"#,
            r#"{"a":1 2}"#,
            r#"{"a":"b}"#,
            r#"{"a":"b""c":1}"#,
            r#"{a:1}"#,
            r#"{'a':1}"#,
            r#"{"a":[]}"#,
            r#"{"a":{}}"#,
            r#"{"a":"\n"}"#,
            "{\"a\":\n1}",
            "{\"a\":\"\t\"}",
            "\u{feff}{\"a\":1}",
            r#"{"a":n"#,
            r#"{"a":1,"b":日}"#,
        ] {
            assert!(scan(text).is_none(), "{text}");
        }
    }

    #[test]
    fn an_unusual_byte_is_found_wherever_it_is() {
        for length in 0..70 {
            let usual = vec![b' '; length];
            assert!(!has_unusual_byte(&usual), "{length}");
            for at in 0..length {
                for unusual in [b'\\', b'\n', 0, 0x1f] {
                    let mut bytes = usual.clone();
                    bytes[at] = unusual;
                    assert!(has_unusual_byte(&bytes), "{unusual:#x} at {at} of {length}");
                }
            }
        }
        assert!(!has_unusual_byte(b"\x20\x5b\x5d\x7f\x80\xff"));
    }

    #[test]
    fn the_last_of_two_values_stays() {
        let (mut twice, mut once) = (scan(r#"{"timestamp":1,"timestamp":"2"}"#).unwrap(), Fields::default());
        *once.slot(b"timestamp").unwrap() = Some("\"2\"");
        assert_eq!(twice, once);
        assert_eq!(twice.slot(b"time stamp"), None);
    }
}
