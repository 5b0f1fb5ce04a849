//! A response on ClickHouse's port, by ClickHouse or by anyone else. How a body is divided into frames makes no difference; errors
//! are short and of a known kind; text from a table's engine becomes SQL only as a plain interval.
//!
//! Corpus: header lines, an empty line, the body.

use ctr_pipeline::fuzzing::{Lines, exception, interval_of, row, written_rows};
use ctr_pipeline::sink::clickhouse::{ClickHouseError, Column};
use ctr_pipeline::sink::results_table::mismatch;

/// Characters of an error: 600 of the response, and the error's own words.
const MAX_MESSAGE: usize = 900;

pub(crate) fn check(data: &[u8]) {
    let end = data.windows(2).position(|two| two == b"\n\n");
    let (head, body) = end.map_or((&[][..], data), |at| (&data[..at], &data[at + 2..]));
    let head = String::from_utf8_lossy(head);
    let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));

    let _: Option<u64> = header("X-ClickHouse-Summary").and_then(written_rows);
    if let Some(error) = exception(header("X-ClickHouse-Exception-Code"), body, "ctr_writer", "default") {
        is_short(&error);
        assert!(ClickHouseError::KINDS.contains(&error.kind()), "{error}");
    }
    if let Some(interval) = interval_of(&String::from_utf8_lossy(body)) {
        is_plain(&interval);
    }
    let whole = lines(body, body.len().max(1));
    for frame in [1, 3, 7] {
        assert_eq!(lines(body, frame), whole, "frames of {frame} bytes");
    }
    assert_eq!(whole.join(&b'\n'), body.strip_suffix(b"\n").unwrap_or(body));
    rows(&whole);
}

/// The lines of a body that arrives in frames of that many bytes.
fn lines(body: &[u8], frame: usize) -> Vec<Vec<u8>> {
    let (mut lines, mut found) = (Lines::default(), Vec::new());
    let mut each = |line: &[u8]| {
        found.push(line.to_vec());
        Ok(())
    };
    for data in body.chunks(frame) {
        assert_eq!(lines.push(data, &mut each), Ok(()));
    }
    assert_eq!(lines.end(&mut each), Ok(()));
    found
}

/// Every query's rows, which are rows or a short error.
fn rows(lines: &[Vec<u8>]) {
    let mut columns = Vec::new();
    for line in lines {
        if let Err(error) = row::<(String, i64, u64, u64)>(line) {
            is_short(&error);
        }
        if let Err(error) = row::<(i64,)>(line) {
            is_short(&error);
        }
        if let Ok((name, column_type)) = row(line) {
            columns.push(Column { name, column_type });
        }
    }
    drop(mismatch(&columns));
}

fn is_short(error: &ClickHouseError) {
    let message = error.to_string();
    assert!(message.chars().count() <= MAX_MESSAGE, "{message}");
}

fn is_plain(interval: &str) {
    let inner = interval.strip_prefix("toInterval").and_then(|rest| rest.strip_suffix(')'));
    let (unit, number) = inner.and_then(|inner| inner.split_once('(')).unwrap_or_default();
    assert!(!unit.is_empty() && unit.bytes().all(|byte| byte.is_ascii_alphabetic()), "{interval}");
    assert!(!number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()), "{interval}");
}
