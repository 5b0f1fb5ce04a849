//! The differences found by a comparison.

use serde::Serialize;

use crate::count::Counts;
use crate::time;

/// One difference between the log and the stored results.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Difference {
    /// The kind of the difference.
    pub(super) kind: DifferenceKind,
    /// The location: product, window and partition; or topic, partition and offset.
    pub(super) place: String,
    /// The value according to the log.
    pub(super) expected: String,
    /// The stored value.
    pub(super) found: String,
    /// A hint for the reader.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) note: Option<&'static str>,
}

/// The kind of a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum DifferenceKind {
    /// A row of `ctr_results_raw`.
    Row,
    /// A window of `ctr_windows`.
    Window,
    /// A dead letter.
    Letter,
}

impl DifferenceKind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Row => "row",
            Self::Window => "window",
            Self::Letter => "dead letter",
        }
    }
}

/// The first differences, and their total number.
#[derive(Debug, Default)]
pub(super) struct Differences {
    pub(super) first: Vec<Difference>,
    pub(super) count: u64,
    /// Those of windows that may still change if their log grows.
    pub(super) in_open_windows: u64,
    keep: usize,
}

impl Differences {
    /// Keeps the first `keep` in full.
    pub(super) fn keeping(keep: usize) -> Self {
        Self { keep, ..Self::default() }
    }

    pub(super) fn push(&mut self, difference: impl FnOnce() -> Difference) {
        self.count += 1;
        if self.first.len() < self.keep {
            self.first.push(difference());
        }
    }
}

/// Counts as shown in the report.
pub(super) fn counts(counts: Counts) -> String {
    format!("{} impressions, {} clicks", counts.impressions, counts.clicks)
}

/// The location of a row.
pub(super) fn row_place(product: &str, window_start: i64, partition: usize) -> String {
    format!("{product}  {}  partition {partition}", time(window_start))
}
