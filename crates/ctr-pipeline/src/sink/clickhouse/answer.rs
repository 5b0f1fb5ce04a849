//! The contents of responses, without a connection: lines and rows of a result, exceptions, the number of rows written.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::error::{Asker, ClickHouseError, code_of, shortened};

/// Maximum length of a result line: a product id and a few numbers.
const MAX_LINE_BYTES: usize = 1 << 20;

/// The lines of a body that arrives in pieces.
#[derive(Debug, Default)]
pub struct Lines {
    rest: Vec<u8>,
}

impl Lines {
    /// Calls `each` for every line that ends in this piece.
    ///
    /// # Errors
    /// The first error of `each`; a line that is too long for a result.
    pub fn push(
        &mut self,
        data: &[u8],
        each: &mut impl FnMut(&[u8]) -> Result<(), ClickHouseError>,
    ) -> Result<(), ClickHouseError> {
        let mut lines = data.split(|byte| *byte == b'\n');
        let last = lines.next_back().unwrap_or_default();
        for line in lines {
            self.rest.extend_from_slice(line);
            each(&self.rest)?;
            self.rest.clear();
        }
        self.rest.extend_from_slice(last);
        if self.rest.len() > MAX_LINE_BYTES {
            return Err(ClickHouseError::NotClickHouse(format!("a line of more than {MAX_LINE_BYTES} bytes")));
        }
        Ok(())
    }

    /// Calls `each` for the last line, if it has no line feed.
    ///
    /// # Errors
    /// The error of `each`.
    pub fn end(self, each: &mut impl FnMut(&[u8]) -> Result<(), ClickHouseError>) -> Result<(), ClickHouseError> {
        if self.rest.is_empty() { Ok(()) } else { each(&self.rest) }
    }
}

/// The row in a line of the format `JSONCompactEachRow`.
///
/// # Errors
/// For a line that is not a row: usually an exception in the middle of a result.
pub fn row<R: DeserializeOwned>(line: &[u8]) -> Result<R, ClickHouseError> {
    serde_json::from_slice(line).map_err(|_| {
        ClickHouseError::Refused(format!(
            "in the middle of the response: {}",
            shortened(&String::from_utf8_lossy(line))
        ))
    })
}

/// The field of `X-ClickHouse-Summary` that is used; its value is a string.
#[derive(Debug, Deserialize)]
struct Summary {
    written_rows: String,
}

/// Rows written to the table and to everything fed from it, in the header `X-ClickHouse-Summary`.
#[must_use]
pub fn written_rows(summary: &str) -> Option<u64> {
    serde_json::from_str::<Summary>(summary).ok()?.written_rows.parse().ok()
}

/// The exception in a failed response, from the code in its header and the text of its body; `None` if it contains none.
#[must_use]
pub(crate) fn exception(code: Option<&str>, body: &[u8], asker: &Asker) -> Option<ClickHouseError> {
    let text = String::from_utf8_lossy(body);
    let code = code.and_then(|code| code.parse().ok()).or_else(|| code_of(&text))?;
    if text.trim().is_empty() {
        return Some(ClickHouseError::of_exception(Some(code), &format!("Code: {code}"), asker));
    }
    Some(ClickHouseError::of_exception(Some(code), &text, asker))
}
