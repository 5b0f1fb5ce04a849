//! The report: a table, or JSON.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::time::Duration;

use serde::Serialize;

use super::compare::{Comparison, Logs};
use super::difference::Difference;
use super::letter_topic::LetterTopic;
use crate::progress::rate;
use crate::time;

/// The result of the comparison. Counts cover the whole range; `differences` holds the first ones.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    equal: bool,
    difference_count: u64,
    differences: Vec<Difference>,
    /// Differences in windows that later records could still change.
    in_open_windows: u64,
    records: u64,
    windows: usize,
    rows: u64,
    recounted_rows: u64,
    rows_not_wholly_in_log: u64,
    rows_moving: u64,
    letters: u64,
    letters_closed_early: u64,
    letters_repeated: usize,
    letters_not_compared: u64,
    letters_under_way: u64,
    letters_of_others: u64,
    /// Expected rows that the table may have dropped because they are older than its TTL.
    beyond_retention: u64,
    not_wholly_in_log: Vec<CutLog>,
    seconds: f64,
}

/// A log whose beginning was removed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CutLog {
    topic: String,
    partition: usize,
    first_offset: i64,
    /// Windows from here on are compared; `None` if there are none.
    compared_from: Option<String>,
}

impl Report {
    pub(super) fn of(comparison: Comparison, logs: &Logs<'_>, letters: &LetterTopic, took: Duration) -> Self {
        let counts = || logs.topics.iter().flat_map(|topic| &topic.logs);
        let windows: std::collections::BTreeSet<_> = counts().flat_map(|log| log.windows.keys()).collect();
        Self {
            equal: comparison.differences.count == 0,
            difference_count: comparison.differences.count,
            differences: comparison.differences.first,
            in_open_windows: comparison.differences.in_open_windows,
            records: counts().map(|log| log.records).sum(),
            windows: windows.len(),
            rows: comparison.rows,
            recounted_rows: comparison.recounted,
            rows_not_wholly_in_log: comparison.rows_apart,
            rows_moving: comparison.rows_moving,
            letters: comparison.letters,
            letters_closed_early: comparison.closed_early,
            letters_repeated: letters.repeated,
            letters_not_compared: comparison.letters_apart,
            letters_under_way: comparison.letters_under_way,
            letters_of_others: letters.foreign,
            beyond_retention: comparison.beyond_retention,
            not_wholly_in_log: cut_logs(logs),
            seconds: took.as_secs_f64(),
        }
    }

    /// Whether table and dead letters match the log.
    pub(super) fn is_equal(&self) -> bool {
        self.equal
    }

    /// Prints it to standard output.
    pub(super) fn print(&self, json: bool) -> anyhow::Result<()> {
        let text = if json { serde_json::to_string_pretty(self)? } else { self.text() };
        Ok(writeln!(io::stdout(), "{}", text.trim_end())?)
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for (name, value, unit) in self.lines() {
            // Writing to memory does not fail.
            let _ = writeln!(text, "{name:<14}{value:>14}  {unit}");
        }
        for cut in &self.not_wholly_in_log {
            let from = cut.compared_from.as_ref().map_or("nothing is compared".to_owned(), |from| {
                format!("windows before {from} are not wholly in the log and not compared")
            });
            let _ = writeln!(
                text,
                "{} partition {} begins at offset {}: {from}",
                cut.topic, cut.partition, cut.first_offset
            );
        }
        self.differences_text(&mut text);
        text
    }

    fn lines(&self) -> Vec<(&'static str, u64, String)> {
        let mut lines = vec![
            (
                "records",
                self.records,
                format!("{:.1} s, {:.0}/s", self.seconds, rate(self.records, Duration::from_secs_f64(self.seconds))),
            ),
            ("windows", self.windows as u64, String::new()),
            ("rows", self.rows, "by product, window and source partition".to_owned()),
            ("dead letters", self.letters, format!("{} of them closed early", self.letters_closed_early)),
        ];
        let optional = [
            ("", self.recounted_rows, "rows of recounted windows"),
            ("", self.rows_not_wholly_in_log, "rows of windows that are not wholly in the log: not compared"),
            ("", self.rows_moving, "rows of windows that the job is still counting: not compared"),
            ("", self.letters_repeated as u64, "repeated dead letters, as after a replay"),
            ("", self.letters_not_compared, "dead letters whose record, window or topic is gone: not compared"),
            ("", self.letters_under_way, "missing dead letters of records that are only seconds old"),
            ("", self.letters_of_others, "records in the dead letter topic that are not dead letters of this job"),
            ("", self.beyond_retention, "rows beyond retention (the TTL of ctr_results_raw): not compared"),
        ];
        lines.extend(
            optional.into_iter().filter(|(_, count, _)| *count > 0).map(|(a, b, unit)| (a, b, unit.to_owned())),
        );
        lines
    }

    fn differences_text(&self, text: &mut String) {
        if self.equal {
            let _ = writeln!(text, "equal: every row and every dead letter is what the log says");
            return;
        }
        let _ = writeln!(text, "\n{} differences", self.difference_count);
        for difference in &self.differences {
            let note = difference.note.map_or_else(String::new, |note| format!("  ({note})"));
            let _ = writeln!(text, "{:<12}{}{note}", difference.kind.name(), difference.place);
            let _ = writeln!(
                text,
                "{:<12}  expected  {}\n{:<12}  found     {}",
                "", difference.expected, "", difference.found
            );
        }
        let shown = self.differences.len() as u64;
        if shown < self.difference_count {
            let _ = writeln!(text, "… and {} more: --show {}", self.difference_count - shown, self.difference_count);
        }
        if self.in_open_windows > 0 {
            let hint = "in windows that were still open at the end of the log: --wait 60 allows the job a minute to write them";
            let _ = writeln!(text, "{} of them {hint}", self.in_open_windows);
        }
    }
}

fn cut_logs(logs: &Logs<'_>) -> Vec<CutLog> {
    let mut cut = Vec::new();
    for (side, topic) in logs.topics.iter().enumerate() {
        for (partition, log) in topic.logs.iter().enumerate() {
            let Some(progress) = topic.progress(partition).filter(|progress| progress.is_cut) else { continue };
            let from = log.compared().start;
            cut.push(CutLog {
                topic: logs.names[side].to_owned(),
                partition,
                first_offset: progress.begin,
                compared_from: (from < i64::MAX).then(|| time(from)),
            });
        }
    }
    cut
}
