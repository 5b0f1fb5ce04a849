//! The printed report of a recount.

use std::collections::HashSet;
use std::fmt;

use ctr_domain::timestamp::to_rfc3339;

use super::plan::RefusedWindows;

/// The result of a recount.
#[derive(Debug, Default)]
pub struct RecountReport {
    dry_run: bool,
    refused: Vec<RefusedWindows>,
    windows: usize,
    products: HashSet<Box<str>>,
    rows: usize,
    missing: usize,
    grown: usize,
    larger: usize,
    unknown: usize,
    unsettled: usize,
    beyond_retention: usize,
}

/// How a row of the table compares with the recount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RowFinding {
    /// The table did not have it.
    Missing,
    /// Both counts are equal.
    Same,
    /// The recount is larger.
    Grown,
    /// The table has more impressions or more clicks.
    Larger,
}

impl RecountReport {
    pub(super) fn new(dry_run: bool, refused: Vec<RefusedWindows>) -> Self {
        Self { dry_run, refused, ..Self::default() }
    }

    /// Whether windows were refused.
    #[must_use]
    pub fn has_refused(&self) -> bool {
        !self.refused.is_empty()
    }

    pub(super) fn note_windows(&mut self, windows: usize) {
        self.windows += windows;
    }

    /// Records a row. `settled`: both logs have passed its window, so the job will not update it again.
    pub(super) fn note(&mut self, product_id: &str, finding: RowFinding, settled: bool) {
        self.rows += 1;
        if !self.products.contains(product_id) {
            self.products.insert(product_id.into());
        }
        match finding {
            RowFinding::Missing => self.missing += 1,
            RowFinding::Grown => self.grown += 1,
            // While the job still updates the window, the table may include records after the end offsets of the recount.
            RowFinding::Larger => self.larger += usize::from(settled),
            RowFinding::Same => {}
        }
        self.unsettled += usize::from(!settled && matches!(finding, RowFinding::Missing | RowFinding::Grown));
    }

    /// Records a row that the table would drop, because its window is older than the table's TTL.
    pub(super) fn note_beyond_retention(&mut self) {
        self.beyond_retention += 1;
    }

    /// Records rows of the table for which the logs have no event, although both logs have passed their windows.
    pub(super) fn note_unknown(&mut self, rows: usize) {
        self.unknown += rows;
    }
}

impl fmt::Display for RecountReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for RefusedWindows { range, reason } in &self.refused {
            let (start, end) = (to_rfc3339(range.start()), to_rfc3339(range.end()));
            writeln!(f, "refused   {start} to {end} ({} windows): {reason}", range.windows().count())?;
        }
        writeln!(f, "windows   {}", self.windows)?;
        writeln!(f, "products  {}", self.products.len())?;
        let verb = if self.dry_run { "would be written" } else { "written" };
        writeln!(f, "rows      {} {verb}: {} were missing, {} grew", self.rows, self.missing, self.grown)?;
        if self.larger + self.unknown > 0 {
            writeln!(
                f,
                "note      {} rows of the table are larger than the recount, and {} have no event in the log: they are kept. \
                 Were the topics recreated, or rows inserted manually?",
                self.larger, self.unknown
            )?;
        }
        if self.beyond_retention > 0 {
            writeln!(
                f,
                "note      {} rows are beyond retention and omitted: their windows are older than the table's TTL (RAW_TTL_DAYS)",
                self.beyond_retention
            )?;
        }
        if self.unsettled > 0 {
            writeln!(
                f,
                "note      {} of the changed rows have a topic without records since their window: the job would still count an \
                 event that arrives there. Recount them if one does",
                self.unsettled
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_counts_what_changed() {
        let mut report = RecountReport::new(true, Vec::new());
        report.note_windows(2);
        report.note("a", RowFinding::Missing, true);
        report.note("a", RowFinding::Grown, false);
        report.note("b", RowFinding::Same, false);
        report.note_beyond_retention();
        let text = report.to_string();
        assert!(text.contains("rows      3 would be written: 1 were missing, 1 grew"), "{text}");
        assert!(
            text.contains("windows   2\nproducts  2\n") && text.contains("note      1 of the changed rows"),
            "{text}"
        );
        assert!(text.contains("note      1 rows are beyond retention"), "{text}");
        assert!(!text.contains("larger") && !report.has_refused());
    }
}
