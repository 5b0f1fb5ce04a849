//! The truth as a file: JSON lines, sorted, so that two files can be compared line by line.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use ctr_domain::counts::Counts;
use ctr_domain::rejection::RejectionCode;
use serde::Serialize;

use super::Truth;
use crate::record::product_name;

/// One line of the file.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Line<'a> {
    /// The expected counts of a product in a window, all partitions together.
    Window { product_id: &'a str, window_start: i64, window_end: i64, impressions: u64, clicks: u64 },
    /// A record that must become a dead letter.
    DeadLetter { topic: &'a str, partition: i32, offset: i64, code: &'static str },
    /// The last line: `sent = counted + duplicates + too_late + all of rejected`, `counted = impressions + clicks`.
    Total {
        sent: u64,
        counted: u64,
        duplicates: u64,
        too_late: u64,
        rejected: BTreeMap<&'static str, u64>,
        impressions: u64,
        clicks: u64,
    },
}

impl Truth {
    /// Writes the whole truth to a file, atomically: under another name in the same folder, then renamed. `topics` are
    /// the names of the topics by [`Stream::index`](crate::record::Stream::index).
    ///
    /// # Errors
    ///
    /// If the folder is not writable, or full.
    pub(crate) fn save(&self, path: &Path, topics: &[String; 2]) -> io::Result<()> {
        let unfinished = unfinished_name(path);
        let written = self.write_file(&unfinished, topics).and_then(|()| fs::rename(&unfinished, path));
        if written.is_err() {
            // Whether or not it can be removed, the error to report is that of writing.
            let _ = fs::remove_file(&unfinished);
        }
        written
    }

    fn write_file(&self, path: &Path, topics: &[String; 2]) -> io::Result<()> {
        let mut out = BufWriter::new(File::create(path)?);
        self.write(&mut out, topics)?;
        out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
    }

    /// Writes windows by product and time, dead letters by topic, partition and offset, and the total.
    pub(crate) fn write(&self, out: &mut impl Write, topics: &[String; 2]) -> io::Result<()> {
        let mut windows: Vec<(String, i64, &Counts)> =
            self.windows.iter().map(|((product, start), counts)| (product_name(*product), *start, counts)).collect();
        windows.sort_unstable_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
        for (product_id, start, counts) in &windows {
            let window = self.rules.window_of(*start);
            let Counts { impressions, clicks } = **counts;
            let (window_start, window_end) = (window.start, window.end);
            write_line(out, &Line::Window { product_id, window_start, window_end, impressions, clicks })?;
        }
        let mut letters: Vec<_> =
            self.dead_letters.iter().map(|it| (&topics[it.stream.index()], it.partition, it.offset, it.code)).collect();
        letters.sort_unstable();
        for (topic, partition, offset, code) in letters {
            write_line(out, &Line::DeadLetter { topic, partition, offset, code })?;
        }
        write_line(out, &self.total())
    }

    fn total(&self) -> Line<'static> {
        let totals = &self.totals;
        let by_code = |code: RejectionCode| (code.as_str(), totals.rejected[code.index()]);
        Line::Total {
            sent: totals.sent,
            counted: totals.counted.impressions + totals.counted.clicks,
            duplicates: totals.duplicates,
            too_late: totals.too_late,
            rejected: RejectionCode::ALL.into_iter().map(by_code).filter(|(_, count)| *count > 0).collect(),
            impressions: totals.counted.impressions,
            clicks: totals.counted.clicks,
        }
    }
}

fn write_line(out: &mut impl Write, line: &Line<'_>) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}

fn unfinished_name(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.unfinished", std::process::id()));
    path.with_file_name(name)
}
