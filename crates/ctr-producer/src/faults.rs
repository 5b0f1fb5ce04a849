//! Injected faults: how often, and of which kinds.

use ctr_domain::rejection::RejectionCode;
use ctr_domain::rules::Rules;
use rand::{Rng, RngExt};

use crate::record::Category;

/// The faulty shares of the traffic (0 to 1 each, at most 1 together).
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Faults {
    /// Behind the watermark; most are still counted.
    pub(crate) late: f64,
    /// Behind the allowed lateness.
    pub(crate) too_late: f64,
    /// Repetitions of earlier events.
    pub(crate) duplicates: f64,
    /// Records that violate a rule.
    pub(crate) bad: f64,
    /// Days ahead.
    pub(crate) future: f64,
}

impl Faults {
    fn shares(&self) -> [(f64, Category); 5] {
        [
            (self.late, Category::Late),
            (self.too_late, Category::TooLate),
            (self.duplicates, Category::Duplicate),
            (self.bad, Category::Bad),
            (self.future, Category::Future),
        ]
    }

    /// All shares together.
    pub(crate) fn total(&self) -> f64 {
        self.shares().iter().map(|(share, _)| share).sum()
    }

    /// Draws the category of the next record. Without faults it draws nothing, at no cost.
    pub(crate) fn draw(&self, rng: &mut impl Rng) -> Category {
        if self.total() <= 0.0 {
            return Category::OnTime;
        }
        let mut rest: f64 = rng.random();
        for (share, category) in self.shares() {
            if rest < share {
                return category;
            }
            rest -= share;
        }
        Category::OnTime
    }
}

/// How far behind late events are, in milliseconds. Both ranges follow from the rules of the windows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Delays {
    late: (i64, i64),
    too_late: (i64, i64),
}

impl Delays {
    /// By the rules: late ranges from just behind the watermark to half a window past the allowed lateness, where some of
    /// the events are already too late; too late begins where no window accepts the event, plus 13 s for a partition that
    /// is slightly behind the newest event, and spans 90 s (with the defaults: 30 s to 120 s).
    pub(crate) fn new(rules: &Rules) -> Self {
        let bound = rules.max_out_of_orderness_ms;
        let lateness = bound + rules.allowed_lateness_ms;
        let gone = lateness + rules.window_size.ms() + 13_000;
        Self { late: (bound + 1, lateness + rules.window_size.ms() / 2), too_late: (gone, gone + 90_000) }
    }

    /// The maximum delay of any event.
    pub(crate) fn longest(&self) -> i64 {
        self.too_late.1
    }

    /// Draws the delay of a record of this category.
    pub(crate) fn draw(&self, category: Category, rng: &mut impl Rng) -> i64 {
        match category {
            Category::Late => rng.random_range(self.late.0..=self.late.1),
            Category::TooLate => rng.random_range(self.too_late.0..=self.too_late.1),
            _ => 0,
        }
    }
}

/// One way to break a record.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Flaw {
    /// This value instead of an event; `None` is a tombstone.
    Value(Option<&'static [u8]>),
    /// The event, truncated in the middle.
    CutOff,
    /// The event with a byte that is invalid in UTF-8.
    NotUtf8,
    /// The event without this field, or with this JSON as its value.
    Field(&'static str, Option<&'static str>),
}

/// Every validation rule that the bytes of a record can break, most in several ways, with the expected code. (The future
/// guard needs no invalid record: see [`Faults::future`].)
pub(crate) const FLAWS: [(RejectionCode, Flaw); 26] = [
    (RejectionCode::Tombstone, Flaw::Value(None)),
    (RejectionCode::EmptyPayload, Flaw::Value(Some(b""))),
    (RejectionCode::EmptyPayload, Flaw::Value(Some(b" \n"))),
    (RejectionCode::NotUtf8, Flaw::NotUtf8),
    (RejectionCode::InvalidJson, Flaw::CutOff),
    (RejectionCode::InvalidJson, Flaw::Value(Some(b"user1;product1;click"))),
    (RejectionCode::NotAnObject, Flaw::Value(Some(b"[\"product1\",\"click\"]"))),
    (RejectionCode::NotAnObject, Flaw::Value(Some(b"42"))),
    (RejectionCode::NotAnObject, Flaw::Value(Some(b"null"))),
    (RejectionCode::MissingEventType, Flaw::Field("event_type", None)),
    (RejectionCode::MissingEventType, Flaw::Field("event_type", Some("null"))),
    (RejectionCode::InvalidEventType, Flaw::Field("event_type", Some("\"purchase\""))),
    (RejectionCode::InvalidEventType, Flaw::Field("event_type", Some("1"))),
    (RejectionCode::MissingProductId, Flaw::Field("product_id", None)),
    (RejectionCode::InvalidProductId, Flaw::Field("product_id", Some("\"  \""))),
    (RejectionCode::InvalidProductId, Flaw::Field("product_id", Some("17"))),
    (RejectionCode::MissingTimestamp, Flaw::Field("timestamp", None)),
    (RejectionCode::InvalidTimestamp, Flaw::Field("timestamp", Some("\"yesterday\""))),
    (RejectionCode::InvalidTimestamp, Flaw::Field("timestamp", Some("0"))),
    (RejectionCode::InvalidTimestamp, Flaw::Field("timestamp", Some("1700000000000.5"))),
    // Microseconds.
    (RejectionCode::InvalidTimestamp, Flaw::Field("timestamp", Some("1700000000000000"))),
    (RejectionCode::InvalidTimestamp, Flaw::Field("timestamp", Some("\"2023-02-29 10:00:00\""))),
    (RejectionCode::InvalidTimestamp, Flaw::Field("timestamp", Some("true"))),
    (RejectionCode::InvalidField, Flaw::Field("event_id", Some("17"))),
    (RejectionCode::InvalidField, Flaw::Field("user_id", Some("{\"id\":1}"))),
    (RejectionCode::InvalidField, Flaw::Field("session_id", Some("[1001]"))),
];

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::Xoshiro256PlusPlus;

    use super::*;

    #[test]
    fn shares_are_kept() {
        let faults = Faults { late: 0.05, too_late: 0.01, duplicates: 0.02, bad: 0.10, future: 0.0 };
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        let mut drawn = [0_u32; Category::ALL.len()];
        for _ in 0..100_000 {
            drawn[faults.draw(&mut rng).index()] += 1;
        }
        for (category, expected) in Category::ALL.into_iter().zip([82_000_u32, 5_000, 1_000, 2_000, 10_000, 0]) {
            let found = drawn[category.index()];
            assert!(found.abs_diff(expected) <= expected / 10, "{category:?}: {found} instead of {expected}");
        }
    }

    #[test]
    fn delays_follow_the_rules() {
        let rules = Rules::default();
        let delays = Delays::new(&rules);
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        let newest = 1_700_000_000_000;
        let watermark = rules.watermark(Some(newest));
        for _ in 0..1_000 {
            let late = newest - delays.draw(Category::Late, &mut rng);
            assert!(late <= watermark.0, "behind the watermark");
            let too_late = newest - delays.draw(Category::TooLate, &mut rng);
            assert!(rules.has_passed(rules.window_of(too_late).end, watermark), "for sure");
            assert!(newest - too_late <= delays.longest());
        }
        assert_eq!(delays.draw(Category::OnTime, &mut rng), 0);
    }

    #[test]
    fn every_code_of_the_bytes_is_there() {
        for code in RejectionCode::ALL.into_iter().filter(|code| *code != RejectionCode::FutureTimestamp) {
            assert!(FLAWS.iter().any(|(flaw, _)| *flaw == code), "{code}");
        }
    }
}
