//! Parsers of untrusted input that are otherwise private, for the fuzz targets (`fuzz/`) and the test of their corpus.
//!
//! Not an interface: fuzz targets are programs of their own and can only call what is public. Nothing else may use it.

pub use crate::dlq::letter::{DeadLetter, RecordHeader};
pub use crate::sink::clickhouse::answer::{Lines, row, written_rows};
use crate::sink::clickhouse::{Asker, ClickHouseError, answer};
use crate::sink::retention;

/// The exception in a failed response: the code in its header, the text of its body, and the user and database of the client.
#[must_use]
pub fn exception(code: Option<&str>, body: &[u8], user: &str, database: &str) -> Option<ClickHouseError> {
    answer::exception(code, body, &Asker { user: user.to_owned(), database: database.to_owned() })
}

/// The interval of a table's TTL, as it is put into a query.
#[must_use]
pub fn interval_of(engine: &str) -> Option<String> {
    retention::interval_of(engine)
}
