//! The fast parser of events: one pass over a flat JSON object, without allocation.
//!
//! It never guesses. An object that it accepts is valid JSON, and its fields are those that `serde_json` would find; for
//! anything else (escapes, nesting, fractions, line breaks, any error) it returns `None` and leaves parsing and error
//! messages to the complete parser.

use std::ops::Range;

use super::fields::{Field, Fields};

/// Reads the known fields of a flat object; `None` if the text is anything unusual.
#[inline]
pub(super) fn scan<'a>(text: &'a str, fields: &mut Fields<'a>) -> Option<()> {
    let mut cursor = Cursor { bytes: text.as_bytes(), position: 0 };
    cursor.take(b'{')?;
    loop {
        cursor.take(b'"')?;
        let field = cursor.key()?;
        cursor.take(b':')?;
        let value = cursor.value()?;
        if let Some(field) = field {
            fields.set(field, text.get(value)?);
        }
        match cursor.next()? {
            b',' => {}
            b'}' => break,
            _ => return None,
        }
    }
    cursor.next().is_none().then_some(())
}

/// The text and the position up to which it has been parsed.
struct Cursor<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl Cursor<'_> {
    /// The next byte that is not a space. A line break or a tab is unusual and makes the fast parser give up.
    #[inline]
    fn next(&mut self) -> Option<u8> {
        loop {
            let byte = *self.bytes.get(self.position)?;
            self.position += 1;
            if byte != b' ' {
                return Some(byte);
            }
        }
    }

    #[inline]
    fn take(&mut self, expected: u8) -> Option<()> {
        (self.next()? == expected).then_some(())
    }

    /// Advances past the closing quote of a key, and returns its field if it is a known one.
    #[inline]
    fn key(&mut self) -> Option<Option<Field>> {
        if let Some((field, length)) = Field::at_start_of(self.bytes.get(self.position..)?) {
            self.position += length;
            return Some(Some(field));
        }
        self.rest_of_string()?;
        Some(None)
    }

    /// The range of a string, a non-negative integer, or a JSON literal.
    #[inline]
    fn value(&mut self) -> Option<Range<usize>> {
        let first = self.next()?;
        let start = self.position - 1;
        let end = if first == b'"' {
            self.rest_of_string()
        } else if first.is_ascii_digit() {
            self.rest_of_integer(first)
        } else {
            self.rest_of_word(first)
        }?;
        Some(start..end)
    }

    /// Advances past the closing quote of the string, and returns its position. Eight bytes at a time: the strings are
    /// so short that calling a search function costs more than searching. An unusual byte after the quote only sends
    /// the text to the complete parser.
    #[inline]
    fn rest_of_string(&mut self) -> Option<usize> {
        while let Some(block) = self.bytes.get(self.position..)?.first_chunk() {
            let block = Block(u64::from_le_bytes(*block));
            if block.has_unusual_byte() {
                return None;
            }
            if let Some(quote) = block.first_quote() {
                self.position += quote + 1;
                return Some(self.position);
            }
            self.position += size_of::<Block>();
        }
        self.rest_of_last_string()
    }

    /// The same within the last seven bytes.
    fn rest_of_last_string(&mut self) -> Option<usize> {
        let rest = self.bytes.get(self.position..)?;
        let quote = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..b' '))?;
        self.position += quote + 1;
        (rest.get(quote) == Some(&b'"')).then_some(self.position)
    }

    fn rest_of_integer(&mut self, first: u8) -> Option<usize> {
        let more = self.bytes.get(self.position..)?.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.position += more;
        // JSON has no leading zeros.
        (first != b'0' || more == 0).then_some(self.position)
    }

    fn rest_of_word(&mut self, first: u8) -> Option<usize> {
        let rest: &[u8] = match first {
            b'n' => b"ull",
            b't' => b"rue",
            b'f' => b"alse",
            _ => return None,
        };
        self.position += rest.len();
        self.bytes.get(..self.position)?.ends_with(rest).then_some(self.position)
    }
}

/// Eight bytes of text, the first in the lowest place, tested all at once with the arithmetic of "Bit Twiddling Hacks"
/// (Anderson): a subtraction borrows from the highest bit of exactly the bytes that were too small, the lowest of them
/// first.
struct Block(u64);

impl Block {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHEST_BITS: u64 = Self::ONES << 7;

    /// A bit for the lowest byte that is less than `limit` (at most 128), or no bit if there is none. Higher bits may
    /// be set too.
    #[inline]
    const fn below(bytes: u64, limit: u8) -> u64 {
        bytes.wrapping_sub(Self::ONES * limit as u64) & !bytes & Self::HIGHEST_BITS
    }

    /// Whether there is a backslash or a control character. Without backslashes a string ends at the next quote; without
    /// control characters it is valid.
    #[inline]
    const fn has_unusual_byte(&self) -> bool {
        let backslashes_are_zero = self.0 ^ (Self::ONES * b'\\' as u64);
        Self::below(self.0, b' ') | Self::below(backslashes_are_zero, 1) != 0
    }

    /// The position of the first quote.
    #[inline]
    const fn first_quote(&self) -> Option<usize> {
        let quotes_are_zero = self.0 ^ (Self::ONES * b'"' as u64);
        match Self::below(quotes_are_zero, 1) {
            0 => None,
            bits => Some(bits.trailing_zeros() as usize / 8),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scanned(text: &str) -> Option<Fields<'_>> {
        let mut fields = Fields::default();
        scan(text, &mut fields).map(|()| fields)
    }

    #[test]
    fn flat_objects_are_taken() {
        for text in [
            r#"{"a":1}"#,
            r#" { "a" : "b" , "c" : null , "d" : true , "e" : false , "f" : 0 } "#,
            r#"{"":"","é":"日本","timestamp":99999999999999999999,"a":1,"a":2}"#,
        ] {
            assert!(scanned(text).is_some(), "{text}");
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
            assert!(scanned(text).is_none(), "{text}");
        }
    }

    #[test]
    fn an_unusual_byte_is_found_wherever_it_is_in_a_string() {
        for length in 0..30 {
            let usual = "~".repeat(length);
            assert!(scanned(&format!(r#"{{"product_id":"{usual}"}}"#)).is_some(), "{length}");
            for at in 0..length {
                for unusual in ["\\", "\n", "\0", "\u{1f}"] {
                    let mut text = usual.clone();
                    text.replace_range(at..=at, unusual);
                    for end in ["\"}", "\"            }"] {
                        assert!(scanned(&format!(r#"{{"product_id":"{text}{end}"#)).is_none(), "{text:?}");
                        assert!(scanned(&format!(r#"{{"{text}":"{end}"#)).is_none(), "{text:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn every_pair_of_bytes_in_a_block_is_judged_as_each_alone() {
        let is_unusual = |byte: u8| byte < b' ' || byte == b'\\';
        for first in 0..=u8::MAX {
            for second in 0..=u8::MAX {
                let block = Block(u64::from_le_bytes([b'x', first, second, b'x', b'x', second, first, 0xff]));
                assert_eq!(block.has_unusual_byte(), is_unusual(first) || is_unusual(second), "{first} {second}");
                let quote = [first, second].iter().position(|byte| *byte == b'"').map(|at| at + 1);
                assert_eq!(block.first_quote(), quote, "{first} {second}");
            }
        }
    }

    #[test]
    fn the_last_of_two_values_stays() {
        let mut once = Fields::default();
        once.set(Field::Timestamp, "\"2\"");
        assert_eq!(scanned(r#"{"timestamp":1,"timestamp":"2","timestamps":3,"Timestamp":4}"#), Some(once));
    }
}
