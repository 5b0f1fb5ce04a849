//! Event times: the formats in which a producer may write one, and the accepted range.
//!
//! Internally, a time is always an `i64` of milliseconds since 1970-01-01T00:00:00Z.

use chrono::{DateTime, NaiveDateTime, SecondsFormat};

/// The first event time that any setting can accept: 1970-01-01T00:00:10Z. The tables order results by window end as an
/// unsigned number: one from 1969 would stay the latest forever. What the job accepts begins later: see [`DEFAULT_MIN_MS`].
pub const MIN_MS: i64 = 10_000;

/// The earliest accepted event time unless `ctr.job.min-event-time` sets another: 2000-01-01T00:00:00Z. Before it are
/// seconds sent as milliseconds, and the times of producers without a clock.
pub const DEFAULT_MIN_MS: i64 = 946_684_800_000;

/// The exclusive upper bound of event times: 2200-01-01T00:00:00Z. Beyond it are microseconds sent as
/// milliseconds, and the tables' `DateTime64(3)` ends at 2299.
pub const END_MS: i64 = 7_258_118_400_000;

/// The shape of a plain date and time; each `0` stands for a digit.
const PLAIN_SHAPE: &[u8] = b"0000-00-00 00:00:00";

/// What is wrong with a time that a producer sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TimestampError {
    /// A JSON number with a fraction or an exponent, even one of zero (`1.0`, `1e3`).
    #[error("is not an integer; send epoch milliseconds without fraction and exponent")]
    NotAnInteger,
    /// A string in none of the accepted formats, or a date or time that does not exist.
    #[error("is not a time; send epoch milliseconds, `YYYY-MM-DD HH:MM:SS` in UTC, or RFC 3339")]
    UnknownForm,
    /// A time (epoch ms) before [`MIN_MS`], or at or after [`END_MS`]; `None` beyond 64 bits.
    #[error("is {}outside 1970-01-01T00:00:10Z to 2200-01-01T00:00:00Z{}", shown(*.0), other_unit(*.0))]
    OutOfRange(Option<i64>),
}

/// Accepts epoch milliseconds from [`MIN_MS`] up to, but not including, [`END_MS`].
///
/// # Errors
///
/// [`TimestampError::OutOfRange`] for all others.
pub fn in_range(millis: i64) -> Result<i64, TimestampError> {
    if (MIN_MS..END_MS).contains(&millis) { Ok(millis) } else { Err(TimestampError::OutOfRange(Some(millis))) }
}

/// Reads a JSON number as epoch milliseconds. `number` is its text and follows JSON's grammar.
///
/// # Errors
/// [`TimestampError::NotAnInteger`] for a number with a fraction or an exponent; [`TimestampError::OutOfRange`].
pub fn parse_number(number: &str) -> Result<i64, TimestampError> {
    match number.parse() {
        Ok(millis) => in_range(millis),
        Err(_) if number.bytes().any(|byte| matches!(byte, b'.' | b'e' | b'E')) => Err(TimestampError::NotAnInteger),
        // An integer beyond 64 bits.
        Err(_) => Err(TimestampError::OutOfRange(None)),
    }
}

/// Parses the text of a JSON string: digits (epoch milliseconds), `YYYY-MM-DD HH:MM:SS` (UTC) or RFC 3339.
///
/// Of RFC 3339's fraction, digits after the milliseconds are truncated. Its leap second (`:60`) is the first moment of
/// the next minute. White space around the time is rejected, as is a sign before digits.
///
/// # Errors
///
/// [`TimestampError::UnknownForm`], [`TimestampError::OutOfRange`].
pub fn parse_text(text: &str) -> Result<i64, TimestampError> {
    let millis = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().map_err(|_| TimestampError::OutOfRange(None))?
    } else if has_plain_shape(text) {
        NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S")
            .map_err(|_| TimestampError::UnknownForm)?
            .and_utc()
            .timestamp_millis()
    } else if !text.is_ascii() {
        // chrono accepts a typographical minus sign (U+2212) before the offset; RFC 3339 does not.
        return Err(TimestampError::UnknownForm);
    } else {
        DateTime::parse_from_rfc3339(text).map_err(|_| TimestampError::UnknownForm)?.timestamp_millis()
    };
    in_range(millis)
}

/// Epoch milliseconds as RFC 3339 in UTC, for people; a number outside the calendar is returned as a number.
#[must_use]
pub fn to_rfc3339(millis: i64) -> String {
    match DateTime::from_timestamp_millis(millis) {
        Some(time) => time.to_rfc3339_opts(SecondsFormat::Millis, true),
        None => format!("{millis} ms"),
    }
}

/// The time that a number outside the range stands for, to precede "outside".
fn shown(millis: Option<i64>) -> String {
    millis.map_or_else(String::new, |millis| format!("{}, ", to_rfc3339(millis)))
}

/// The unit in which an implausible number of milliseconds would be a plausible time, as the end of a message. Empty if
/// none would. The ranges of the units do not overlap, so at most one fits.
pub(crate) fn other_unit(number: Option<i64>) -> String {
    let plausible = |millis: Option<i64>| millis.filter(|millis| (DEFAULT_MIN_MS..END_MS).contains(millis));
    let Some(number) = number else { return String::new() };
    let units = [
        ("seconds", number.checked_mul(1_000)),
        ("microseconds", Some(number / 1_000)),
        ("nanoseconds", Some(number / 1_000_000)),
    ];
    let found = units.into_iter().find_map(|(unit, millis)| Some((unit, plausible(millis)?)));
    found.map_or_else(String::new, |(unit, millis)| format!("; {unit} instead of milliseconds? {}", to_rfc3339(millis)))
}

/// chrono alone would also accept `2023-1-5 1:2:3`, and white space or a sign in some places.
fn has_plain_shape(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == PLAIN_SHAPE.len()
        && bytes.iter().zip(PLAIN_SHAPE).all(
            |(byte, shape)| {
                if *shape == b'0' { byte.is_ascii_digit() } else { byte == shape }
            },
        )
}

#[cfg(test)]
mod tests {
    use super::TimestampError::{NotAnInteger, OutOfRange, UnknownForm};
    use super::*;

    /// 2023-11-14T22:13:20Z.
    const TIME: i64 = 1_700_000_000_000;

    #[test]
    fn the_range_is_ten_seconds_after_the_epoch_to_the_end_of_2199() {
        assert_eq!(to_rfc3339(MIN_MS), "1970-01-01T00:00:10.000Z");
        assert_eq!(to_rfc3339(END_MS), "2200-01-01T00:00:00.000Z");
        for millis in [MIN_MS, MIN_MS + 1, TIME, END_MS - 1] {
            assert_eq!(in_range(millis), Ok(millis));
        }
        for millis in [i64::MIN, -1, 0, MIN_MS - 1, END_MS, i64::MAX] {
            assert_eq!(in_range(millis), Err(OutOfRange(Some(millis))), "{millis}");
        }
    }

    #[test]
    fn numbers_are_integers_of_milliseconds() {
        assert_eq!(parse_number("1700000000000"), Ok(TIME));
        for number in
            ["0", "-0", "-1", "9999", "7258118400000", "9223372036854775808", "123456789012345678901234567890"]
        {
            assert_eq!(parse_number(number), Err(OutOfRange(number.parse().ok())), "{number}");
        }
        for number in ["1700000000000.0", "1.7e12", "1700000000000E0", "-1.5", "1e999"] {
            assert_eq!(parse_number(number), Err(NotAnInteger), "{number}");
        }
    }

    #[test]
    fn text_has_three_forms() {
        for text in [
            "1700000000000",
            "0001700000000000",
            "2023-11-14 22:13:20",
            "2023-11-14T22:13:20Z",
            "2023-11-14t22:13:20z",
            "2023-11-14T22:13:20.000Z",
            "2023-11-14T22:13:20.0009999999999Z",
            "2023-11-15T07:13:20+09:00",
            "2023-11-14T16:43:20-05:30",
        ] {
            assert_eq!(parse_text(text), Ok(TIME), "{text}");
        }
        assert_eq!(parse_text("2023-11-14T22:13:20.987Z"), Ok(TIME + 987));
        assert_eq!(parse_text("2016-12-31T23:59:60Z"), parse_text("2017-01-01T00:00:00Z"));
        assert_eq!(parse_text("2016-12-31 23:59:60"), parse_text("2017-01-01 00:00:00"));
        assert_eq!(parse_text("1970-01-01 00:00:10"), Ok(MIN_MS));
        assert_eq!(parse_text("2199-12-31T23:59:59.999Z"), Ok(END_MS - 1));
        assert_eq!(parse_text("2024-02-29 00:00:00"), Ok(1_709_164_800_000));
    }

    #[test]
    fn other_text_is_refused() {
        for text in [
            "",
            " ",
            "soon",
            "+1700000000000",
            "-1700000000000",
            " 1700000000000",
            "1700000000000 ",
            "1700000000000.0",
            "١٧٠٠٠٠٠٠٠٠٠٠٠",
            "2023-11-14",
            "2023-11-14 22:13",
            "2023-11-14T22:13:20",
            "2023-11-14 22:13:20 ",
            "2023-1-14 22:13:200",
            "+023-11-14 22:13:20",
            "2023-11-14  2:13:20",
            "2023-13-14 22:13:20",
            "2023-02-29 22:13:20",
            "2023-11-14 24:00:00",
            "2023-11-14 22:60:00",
            "2023-11-14T22:13:20+0900",
            "2023-11-14T22:13:20+09",
            "2023-11-14T22:13:20.Z",
            "2023-11-14T22:13:20\u{2212}05:00",
            "Tue, 14 Nov 2023 22:13:20 GMT",
        ] {
            assert_eq!(parse_text(text), Err(UnknownForm), "{text:?}");
        }
        for text in [
            "0",
            "9999",
            "99999999999999999999",
            "0000-01-01 00:00:00",
            "1970-01-01T00:00:09.999Z",
            "2200-01-01T00:00:00Z",
        ] {
            assert!(matches!(parse_text(text), Err(OutOfRange(_))), "{text:?}");
        }
    }

    #[test]
    fn what_is_printed_can_be_read() {
        for millis in [MIN_MS, TIME + 123, END_MS - 1] {
            assert_eq!(parse_text(&to_rfc3339(millis)), Ok(millis));
        }
        assert_eq!(to_rfc3339(i64::MAX), "9223372036854775807 ms");
    }
}
