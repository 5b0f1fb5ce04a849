//! Files of events: the contents of two partitions, for `ctr-verify windows` and for tests.
//!
//! One JSON object per line, in the order of reading. A line `{"record": {...}}` is a record: `side` (`impressions` or
//! `clicks`), `offset`, `timestamp` (its Kafka timestamp, epoch ms, or null) and `value` (the event's text, or null).
//! `"deduplication": "event-id"` on any line makes an event id count once. Other lines are ignored.

use std::path::Path;

use anyhow::Context as _;
use serde::Deserialize;

/// The topics' names in files, by index.
pub(crate) const SIDES: [&str; 2] = ["impressions", "clicks"];

/// A record of a file.
#[derive(Debug)]
pub(crate) struct FileRecord {
    /// The topic, as an index of [`SIDES`].
    pub(crate) side: usize,
    pub(crate) offset: i64,
    /// Its Kafka timestamp, epoch ms.
    pub(crate) timestamp: Option<i64>,
    pub(crate) value: Option<String>,
}

/// A parsed file.
#[derive(Debug, Default)]
pub(crate) struct EventFile {
    pub(crate) records: Vec<FileRecord>,
    pub(crate) ids_count_once: bool,
}

#[derive(Deserialize)]
struct Line {
    record: Option<RecordLine>,
    deduplication: Option<String>,
}

#[derive(Deserialize)]
struct RecordLine {
    side: String,
    offset: i64,
    timestamp: Option<i64>,
    value: Option<String>,
}

impl EventFile {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// With the number of the invalid line.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let mut file = Self::default();
        for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
            file.line(line).with_context(|| format!("{}, line {number}", path.display()))?;
        }
        Ok(file)
    }

    fn line(&mut self, line: &str) -> anyhow::Result<()> {
        let line: Line = serde_json::from_str(line)?;
        self.ids_count_once |= line.deduplication.as_deref() == Some("event-id");
        if let Some(record) = line.record {
            let side = SIDES.iter().position(|name| *name == record.side);
            let side = side.with_context(|| format!("side: expected {}, found {}", SIDES.join(" or "), record.side))?;
            let RecordLine { offset, timestamp, value, .. } = record;
            self.records.push(FileRecord { side, offset, timestamp, value });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use serde_json::Value;

    use super::*;
    use crate::count::{Counts, Known, LogCount, Record, Rules};

    /// Counts a golden file and compares it with the rows and dead letters in it.
    fn check(path: &Path) {
        let file = EventFile::read(path).unwrap();
        let rules = Rules { ids_count_once: file.ids_count_once, ..Rules::default() };
        let mut logs = [(); 2].map(|()| LogCount::begin(rules, i64::MIN..i64::MAX, Known::default()));
        for FileRecord { side, offset, timestamp, value } in &file.records {
            let value = value.as_ref().map(|value| value.as_bytes());
            logs[*side].take(&Record { offset: *offset, timestamp: *timestamp, value });
        }

        let (mut rows, mut letters) = (BTreeMap::new(), BTreeSet::new());
        for (side, log) in SIDES.iter().zip(&logs) {
            for (start, products) in &log.windows {
                for (product, found) in products {
                    let row: &mut Counts = rows.entry((product.to_string(), start + rules.window)).or_default();
                    *row = *row + found.counts;
                }
            }
            letters.extend(
                log.letters.iter().map(|letter| (side.to_string(), letter.offset, letter.code.name().to_owned())),
            );
        }
        let lines: Vec<Value> =
            std::fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(rows, lines.iter().filter_map(|line| row(line.get("row")?)).collect(), "rows of {}", path.display());
        assert_eq!(
            letters,
            lines.iter().filter_map(|line| letter(line.get("letter")?)).collect(),
            "{}",
            path.display()
        );
    }

    fn row(row: &Value) -> Option<((String, i64), Counts)> {
        let counts = Counts { impressions: row["impressions"].as_u64()?, clicks: row["clicks"].as_u64()? };
        Some(((row["product_id"].as_str()?.to_owned(), row["window_end"].as_i64()?), counts))
    }

    fn letter(letter: &Value) -> Option<(String, i64, String)> {
        Some((letter["side"].as_str()?.to_owned(), letter["offset"].as_i64()?, letter["code"].as_str()?.to_owned()))
    }

    #[test]
    fn golden_files_come_to_what_stands_in_them() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ctr-domain/tests/golden");
        let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(files.len() >= 4, "{files:?}");
        files.iter().for_each(|file| check(file));
    }

    #[test]
    fn a_wrong_line_is_named() {
        let mut file = EventFile::default();
        let error = file.line(r#"{"record":{"side":"views","offset":0}}"#).unwrap_err();
        assert!(error.to_string().contains("impressions or clicks, found views"), "{error}");
    }
}
