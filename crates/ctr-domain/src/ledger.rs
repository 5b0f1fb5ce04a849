//! The ledger: accounts for every record read.

use crate::rejection::RejectionCode;

/// The outcomes of the records of one partition since it was assigned. They always add up: see [`Ledger::difference`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ledger {
    /// Records read.
    pub consumed: u64,
    /// Records that made a count grow.
    pub counted: u64,
    /// Records whose event ID had already been counted in their window.
    pub duplicates: u64,
    /// Valid records whose window was closed: dead letters.
    pub too_late: u64,
    /// The part of `too_late` that the partition itself would still have counted.
    pub closed_early: u64,
    /// Records that violate a rule, by [`RejectionCode::index`]: dead letters.
    pub rejected: [u64; RejectionCode::ALL.len()],
    /// Records read again to rebuild windows after a start: an earlier run accounted for them.
    pub replayed: u64,
}

impl Ledger {
    /// All rejected records, whatever the code.
    #[must_use]
    pub fn rejected_total(&self) -> u64 {
        self.rejected.iter().sum()
    }

    /// Records consumed that no entry accounts for. Anything but 0 is a defect.
    #[must_use]
    pub fn difference(&self) -> i128 {
        let accounted = u128::from(self.counted)
            + u128::from(self.duplicates)
            + u128::from(self.too_late)
            + u128::from(self.rejected_total())
            + u128::from(self.replayed);
        i128::from(self.consumed) - i128::try_from(accounted).unwrap_or(i128::MAX)
    }

    /// Adds another ledger to this one.
    pub fn add(&mut self, other: &Self) {
        self.consumed += other.consumed;
        self.counted += other.counted;
        self.duplicates += other.duplicates;
        self.too_late += other.too_late;
        self.closed_early += other.closed_early;
        self.replayed += other.replayed;
        for (mine, theirs) in self.rejected.iter_mut().zip(other.rejected) {
            *mine += theirs;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_accounts_for_what_was_consumed() {
        let mut ledger = Ledger {
            consumed: 15,
            counted: 1,
            duplicates: 2,
            too_late: 3,
            closed_early: 1,
            replayed: 4,
            ..Ledger::default()
        };
        ledger.rejected[0] = 2;
        ledger.rejected[1] = 3;
        assert_eq!(ledger.difference(), 0);
        ledger.consumed += 1;
        assert_eq!(ledger.difference(), 1);
        let mut sum = ledger.clone();
        sum.add(&ledger);
        assert_eq!((sum.consumed, sum.rejected_total(), sum.closed_early, sum.difference()), (32, 10, 2, 2));
    }
}
