//! Dead letters by identity, eight bytes each: the offset and the code of a record in one partition.

use crate::count::Code;

/// The identity of a dead letter within its partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Letter {
    pub(crate) offset: i64,
    pub(crate) code: Code,
    /// Its topic keeps dead letters for a limited time, and this one may be older.
    pub(crate) may_be_gone: bool,
}

const CODE_BITS: u32 = 7;
const CODE_MASK: u64 = (1 << CODE_BITS) - 1;
const GONE: u64 = 1 << CODE_BITS;

impl Letter {
    /// Offset, a bit, code: so the numbers sort by offset. Kafka's offsets are never negative.
    fn pack(self) -> u64 {
        let gone = if self.may_be_gone { GONE } else { 0 };
        (self.offset.unsigned_abs() << (CODE_BITS + 1)) | gone | self.code as u64
    }

    #[allow(clippy::cast_possible_truncation, reason = "seven bits fit into eight")]
    fn unpack(packed: u64) -> Option<Self> {
        let code = Code::of_number((packed & CODE_MASK) as u8)?;
        let offset = (packed >> (CODE_BITS + 1)).cast_signed();
        Some(Self { offset, code, may_be_gone: packed & GONE != 0 })
    }
}

/// The dead letters of one partition.
#[derive(Debug, Default)]
pub(crate) struct PartitionLetters(Vec<u64>);

impl PartitionLetters {
    pub(crate) fn push(&mut self, letter: Letter) {
        self.0.push(letter.pack());
    }

    /// Sorts dead letters by offset and removes repetitions; returns how many were repeated.
    pub(crate) fn sort(&mut self) -> usize {
        let before = self.0.len();
        self.0.sort_unstable();
        self.0.dedup();
        before - self.0.len()
    }

    /// In the order in which they are stored.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Letter> {
        self.0.iter().filter_map(|packed| Letter::unpack(*packed))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The elements of only one of two sorted lists: `self` is the expected one.
    pub(crate) fn mismatches(&self, found: &Self) -> Vec<Mismatch> {
        let mut mismatches = Vec::new();
        let mut found = found.iter().peekable();
        for letter in self.iter() {
            while let Some(other) = found.next_if(|other| other.offset < letter.offset) {
                mismatches.push(Mismatch::Unexpected(other));
            }
            let mut is_there = false;
            while let Some(other) = found.next_if(|other| other.offset == letter.offset) {
                if other.code == letter.code {
                    is_there = true;
                } else {
                    mismatches.push(Mismatch::Unexpected(other));
                }
            }
            if !is_there {
                mismatches.push(Mismatch::Missing(letter));
            }
        }
        mismatches.extend(found.map(Mismatch::Unexpected));
        mismatches
    }
}

/// A dead letter that only one of the two sides has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mismatch {
    /// It is expected, but missing.
    Missing(Letter),
    /// It exists, but is not expected.
    Unexpected(Letter),
}

/// Ascending offsets, stored as runs of consecutive ones.
#[derive(Debug, Default)]
pub(crate) struct OffsetRuns(Vec<(i64, i64)>);

impl OffsetRuns {
    /// Adds an offset above all others.
    pub(crate) fn push(&mut self, offset: i64) {
        match self.0.last_mut() {
            Some((_, end)) if *end == offset => *end += 1,
            _ => self.0.push((offset, offset + 1)),
        }
    }

    pub(crate) fn contains(&self, offset: i64) -> bool {
        let after = self.0.partition_point(|(start, _)| *start <= offset);
        after.checked_sub(1).and_then(|run| self.0.get(run)).is_some_and(|(_, end)| offset < *end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letters(of: &[(i64, Code)]) -> PartitionLetters {
        let mut letters = PartitionLetters::default();
        for (offset, code) in of {
            letters.push(Letter { offset: *offset, code: *code, may_be_gone: false });
        }
        letters
    }

    #[test]
    fn what_stands_in_one_list_only_is_told() {
        let expected = letters(&[(1, Code::TooLate), (3, Code::Tombstone), (1 << 50, Code::TooLate)]);
        let mut found = letters(&[(9, Code::NotUtf8), (3, Code::InvalidJson), (1, Code::TooLate), (1, Code::TooLate)]);
        assert_eq!(found.sort(), 1);
        let mismatches = expected.mismatches(&found).into_iter().map(|mismatch| match mismatch {
            Mismatch::Missing(letter) => (true, letter.offset),
            Mismatch::Unexpected(letter) => (false, letter.offset),
        });
        assert_eq!(mismatches.collect::<Vec<_>>(), [(false, 3), (true, 3), (false, 9), (true, 1 << 50)]);
    }

    #[test]
    fn runs_hold_what_was_put_in() {
        let mut runs = OffsetRuns::default();
        [2, 3, 4, 9].into_iter().for_each(|offset| runs.push(offset));
        let held: Vec<_> = (0..12).filter(|offset| runs.contains(*offset)).collect();
        assert_eq!(held, [2, 3, 4, 9]);
        assert_eq!(runs.0.len(), 2);
    }
}
