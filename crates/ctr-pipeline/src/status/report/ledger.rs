//! The ledger of every record read.

use std::collections::BTreeMap;

use ctr_domain::ledger::Ledger;
use ctr_domain::rejection::RejectionCode;
use ctr_domain::side::BySide;
use serde::Serialize;

/// The outcomes of records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LedgerReport {
    /// Records read.
    pub consumed: u64,
    /// Records that made a count grow.
    pub counted: u64,
    /// Records whose event ID had already been counted.
    pub duplicates: u64,
    /// Valid records whose window was closed.
    pub too_late: u64,
    /// The part of them that their own partition would still have counted.
    pub closed_early: u64,
    /// Records that violate a rule, by code; codes without records are omitted.
    pub rejected: BTreeMap<&'static str, u64>,
    /// Records read again to rebuild windows after a start.
    pub replayed: u64,
    /// Records that no entry accounts for. Anything but 0 is a defect of the pipeline.
    pub difference: i64,
}

impl LedgerReport {
    pub(super) fn of(ledger: &Ledger) -> Self {
        Self {
            consumed: ledger.consumed,
            counted: ledger.counted,
            duplicates: ledger.duplicates,
            too_late: ledger.too_late,
            closed_early: ledger.closed_early,
            rejected: RejectionCode::ALL
                .iter()
                .map(|code| (code.as_str(), ledger.rejected[code.index()]))
                .filter(|(_, count)| *count != 0)
                .collect(),
            replayed: ledger.replayed,
            difference: i64::try_from(ledger.difference()).unwrap_or(i64::MAX),
        }
    }

    /// All rejected records.
    #[must_use]
    pub fn rejected_total(&self) -> u64 {
        self.rejected.values().sum()
    }
}

/// The outcomes of the records of one topic.
#[derive(Debug, Clone, Serialize)]
pub struct TopicLedger {
    /// The topic.
    pub topic: String,
    /// Its ledger.
    pub ledger: LedgerReport,
}

impl TopicLedger {
    pub(super) fn both(topics: &[String; 2], ledgers: &BySide<Ledger>) -> Vec<Self> {
        let of = |(topic, ledger): (&String, &Ledger)| Self { topic: topic.clone(), ledger: LedgerReport::of(ledger) };
        topics.iter().zip(&ledgers.0).map(of).collect()
    }
}
