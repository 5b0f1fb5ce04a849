//! The quick way to read an event: one pass over a flat JSON object, without allocation.
//!
//! It is sure or silent. An object that it takes is valid JSON, and its fields are those that `serde_json` would find;
//! for anything else (escapes, nesting, fractions, line breaks, an error of any kind) it returns `None` and leaves both
//! the reading and the blame to the complete way.

use memchr::memchr;

use super::fields::Fields;

/// Reads the known fields of a flat object; `None` if the text is anything unusual.
pub(super) fn scan(text: &str) -> Option<Fields<'_>> {
    // Without backslashes a string ends at the next quote; without control characters all strings are valid, and the
    // only white space is the space.
    if text.bytes().fold(false, |unusual, byte| unusual | (byte < b' ') | (byte == b'\\')) {
        return None;
    }
    let mut cursor = Cursor { text, position: 0 };
    let mut fields = Fields::default();
    cursor.take(b'{')?;
    loop {
        let key = cursor.string()?;
        cursor.take(b':')?;
        let value = cursor.value()?;
        if let Some(slot) = fields.slot(unquoted(key)) {
            *slot = Some(value);
        }
        match cursor.next()? {
            b',' => {}
            b'}' => break,
            _ => return None,
        }
    }
    cursor.skip_spaces();
    (cursor.position == text.len()).then_some(fields)
}

/// The place in the text up to which it is understood.
struct Cursor<'a> {
    text: &'a str,
    position: usize,
}

impl<'a> Cursor<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.position).copied()
    }

    fn skip_spaces(&mut self) {
        while self.peek() == Some(b' ') {
            self.position += 1;
        }
    }

    /// The next byte that is not a space.
    fn next(&mut self) -> Option<u8> {
        self.skip_spaces();
        let byte = self.peek()?;
        self.position += 1;
        Some(byte)
    }

    fn take(&mut self, expected: u8) -> Option<()> {
        (self.next()? == expected).then_some(())
    }

    /// A string, with its quotes.
    fn string(&mut self) -> Option<&'a str> {
        self.take(b'"')?;
        let start = self.position - 1;
        let rest = self.text.as_bytes().get(self.position..)?;
        self.position += memchr(b'"', rest)? + 1;
        self.text.get(start..self.position)
    }

    /// A string, an integer that is not negative, or a word of JSON.
    fn value(&mut self) -> Option<&'a str> {
        self.skip_spaces();
        match self.peek()? {
            b'"' => self.string(),
            b'0'..=b'9' => self.integer(),
            b'n' => self.word("null"),
            b't' => self.word("true"),
            b'f' => self.word("false"),
            _ => None,
        }
    }

    fn integer(&mut self) -> Option<&'a str> {
        let start = self.position;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.position += 1;
        }
        let digits = self.text.get(start..self.position)?;
        // JSON has no leading zeros.
        (digits.len() == 1 || !digits.starts_with('0')).then_some(digits)
    }

    fn word(&mut self, word: &str) -> Option<&'a str> {
        let start = self.position;
        self.position += word.len();
        self.text.get(start..self.position).filter(|found| *found == word)
    }
}

fn unquoted(string: &str) -> &str {
    string.get(1..string.len() - 1).unwrap_or_default()
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
    fn the_last_of_two_values_stays() {
        let (mut twice, mut once) = (scan(r#"{"timestamp":1,"timestamp":"2"}"#).unwrap(), Fields::default());
        *once.slot("timestamp").unwrap() = Some("\"2\"");
        assert_eq!(twice, once);
        assert_eq!(twice.slot("time stamp"), None);
    }
}
