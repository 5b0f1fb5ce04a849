//! A record to send, and what the generator knows about it.

use ctr_domain::event::EventKind;
use ctr_domain::rejection::RejectionCode;

/// One of the two streams of events, each with its own topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Stream {
    /// Products shown.
    Impressions,
    /// Products clicked.
    Clicks,
}

impl Stream {
    /// Both, in the order of [`Stream::index`].
    pub(crate) const ALL: [Self; 2] = [Self::Impressions, Self::Clicks];

    /// The index in [`Stream::ALL`].
    pub(crate) fn index(self) -> usize {
        self as usize
    }

    /// The kind of the valid events of this stream.
    pub(crate) fn kind(self) -> EventKind {
        match self {
            Self::Impressions => EventKind::Impression,
            Self::Clicks => EventKind::Click,
        }
    }
}

/// The intended category of a record. Whether a late event is still counted depends on the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Category {
    /// A valid event, on time.
    OnTime,
    /// Behind the watermark, but its window may still accept it.
    Late,
    /// Behind its window's allowed lateness.
    TooLate,
    /// The bytes of an earlier event, repeated.
    Duplicate,
    /// Violates a validation rule.
    Bad,
    /// A valid event with a time far in the future.
    Future,
}

impl Category {
    /// All, in the order of [`Category::index`].
    pub(crate) const ALL: [Self; 6] =
        [Self::OnTime, Self::Late, Self::TooLate, Self::Duplicate, Self::Bad, Self::Future];

    /// The index in [`Category::ALL`].
    pub(crate) fn index(self) -> usize {
        self as usize
    }

    /// The name in progress and statistics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::OnTime => "on time",
            Self::Late => "late",
            Self::TooLate => "too late",
            Self::Duplicate => "duplicates",
            Self::Bad => "bad",
            Self::Future => "future",
        }
    }
}

/// What the generator knows about a record, so that the truth needs no parsing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fact {
    /// A valid event.
    Event(EventFact),
    /// A record that violates a rule.
    Invalid(RejectionCode),
}

/// A valid event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EventFact {
    /// Impression or click.
    pub(crate) kind: EventKind,
    /// The number of its product, from 0: see [`product_name`].
    pub(crate) product: u32,
    /// Event time, epoch ms.
    pub(crate) timestamp: i64,
    /// Represents its `event_id`, if it has one: equal numbers mean equal ids.
    pub(crate) event_id: Option<u64>,
}

/// A record to send. It borrows from the generator, which reuses the memory for the next record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record<'a> {
    /// Determines the topic.
    pub(crate) stream: Stream,
    /// The Kafka key: the product, or none.
    pub(crate) key: Option<&'a str>,
    /// The Kafka value; `None` is a tombstone.
    pub(crate) payload: Option<&'a [u8]>,
    /// Its intended category.
    pub(crate) category: Category,
    /// Its contents.
    pub(crate) fact: Fact,
}

/// The name of a product: `product1` for number 0, as in the original.
pub(crate) fn product_name(product: u32) -> String {
    format!("product{}", u64::from(product) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexes_follow_the_lists() {
        assert!(Stream::ALL.iter().enumerate().all(|(index, stream)| stream.index() == index));
        assert!(Category::ALL.iter().enumerate().all(|(index, category)| category.index() == index));
    }
}
