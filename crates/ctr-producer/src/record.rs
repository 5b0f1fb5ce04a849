//! What is sent: one record, and what its maker knows about it.

use ctr_domain::event::EventKind;
use ctr_domain::rejection::RejectionCode;

/// One of the two streams of events, each a topic of its own.
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

    /// The place in [`Stream::ALL`].
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

/// Why a record is the way it is. A wish only: whether a late event still counts is for the log to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Category {
    /// A good event in time.
    OnTime,
    /// Behind the watermark, but its window may still take it.
    Late,
    /// Behind its window's allowed lateness.
    TooLate,
    /// The bytes of an earlier event once more.
    Duplicate,
    /// Breaks a rule for events.
    Bad,
    /// A good event whose clock is far ahead.
    Future,
}

impl Category {
    /// All, in the order of [`Category::index`].
    pub(crate) const ALL: [Self; 6] =
        [Self::OnTime, Self::Late, Self::TooLate, Self::Duplicate, Self::Bad, Self::Future];

    /// The place in [`Category::ALL`].
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

/// What a record says, as its maker knows it: the truth is told without reading the bytes again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fact {
    /// A valid event.
    Event(EventFact),
    /// A record that breaks a rule.
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
    /// Stands for its `event_id`, where it has one: the same number, the same id.
    pub(crate) event_id: Option<u64>,
}

/// A record to send. It borrows from its maker, who uses the same memory for the next one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record<'a> {
    /// Decides the topic.
    pub(crate) stream: Stream,
    /// The Kafka key: the product, or none.
    pub(crate) key: Option<&'a str>,
    /// The Kafka value; none is a tombstone.
    pub(crate) payload: Option<&'a [u8]>,
    /// Why it is the way it is.
    pub(crate) category: Category,
    /// What it says.
    pub(crate) fact: Fact,
}

/// The name of a product: `product1` for number 0, as the original's.
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
