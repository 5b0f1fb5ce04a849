//! Recognizes common wrong formats by the first bytes of a value, to explain why it is not an event.

/// A hint for the beginning of a message; empty if the first bytes match no known format.
pub(super) fn hint(bytes: &[u8]) -> &'static str {
    match bytes {
        [0xef, 0xbb, 0xbf, ..] => "it begins with a byte order mark (EF BB BF): ",
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "it begins with the byte order mark of UTF-16 (UTF-16?): ",
        [0, second, 0, _, ..] | [second, 0, _, 0, ..] if *second != 0 => "every other byte is 0 (UTF-16?): ",
        [0, ..] => "it begins with byte 0: schema registry framing? ",
        [0x1f, 0x8b, ..] => "it begins as gzip does (compressed by hand?): ",
        _ => "",
    }
}
