//! What a recount did, for people.

use std::collections::HashSet;
use std::fmt;

use ctr_domain::timestamp::to_rfc3339;

use super::plan::Refused;

/// What became of the windows that were asked for.
#[derive(Debug, Default)]
pub struct Report {
    dry_run: bool,
    refused: Vec<Refused>,
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

/// A row of the table beside what the log says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finding {
    /// The table did not have it.
    Missing,
    /// Both say the same.
    Same,
    /// The log says more.
    Grown,
    /// The table says more in one count at least.
    Larger,
}

impl Report {
    pub(super) fn new(dry_run: bool, refused: Vec<Refused>) -> Self {
        Self { dry_run, refused, ..Self::default() }
    }

    /// Whether windows were not counted.
    #[must_use]
    pub fn has_refused(&self) -> bool {
        !self.refused.is_empty()
    }

    pub(super) fn note_windows(&mut self, windows: usize) {
        self.windows += windows;
    }

    /// Notes a row. `settled`: both logs have passed its window, so that the job counts nothing more there.
    pub(super) fn note(&mut self, product_id: &str, finding: Finding, settled: bool) {
        self.rows += 1;
        if !self.products.contains(product_id) {
            self.products.insert(product_id.into());
        }
        match finding {
            Finding::Missing => self.missing += 1,
            Finding::Grown => self.grown += 1,
            // Where the job still counts, the table may be ahead of the ends that were read.
            Finding::Larger => self.larger += usize::from(settled),
            Finding::Same => {}
        }
        self.unsettled += usize::from(!settled && matches!(finding, Finding::Missing | Finding::Grown));
    }

    /// Notes a row that the table does not keep, because its window is older than its TTL.
    pub(super) fn note_beyond_retention(&mut self) {
        self.beyond_retention += 1;
    }

    /// Notes rows of the table, of windows that both logs have passed, of which they have no event.
    pub(super) fn note_unknown(&mut self, rows: usize) {
        self.unknown += rows;
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Refused { range, reason } in &self.refused {
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
                "note      {} rows of the table are larger than the log says, and of {} it has no event: they stay. Were the \
                 topics made anew, or rows put in by hand?",
                self.larger, self.unknown
            )?;
        }
        if self.beyond_retention > 0 {
            writeln!(
                f,
                "note      {} rows are beyond retention: their windows are older than the table keeps them (RAW_TTL_DAYS); left out",
                self.beyond_retention
            )?;
        }
        if self.unsettled > 0 {
            writeln!(
                f,
                "note      {} of the rows that changed have a topic that was silent since: the job would still count an event \
                 that comes there. Count them again if one does",
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
        let mut report = Report::new(true, Vec::new());
        report.note_windows(2);
        report.note("a", Finding::Missing, true);
        report.note("a", Finding::Grown, false);
        report.note("b", Finding::Same, false);
        report.note_beyond_retention();
        let text = report.to_string();
        assert!(text.contains("rows      3 would be written: 1 were missing, 1 grew"), "{text}");
        assert!(text.contains("windows   2\nproducts  2\n") && text.contains("note      1 of the rows"), "{text}");
        assert!(text.contains("note      1 rows are beyond retention"), "{text}");
        assert!(!text.contains("larger") && !report.has_refused());
    }
}
