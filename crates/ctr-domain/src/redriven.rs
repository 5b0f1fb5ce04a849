//! Records that were redriven from dead letters into their topic, and how they are recognized.
//!
//! A redriven record is in the topic and partition of the record that became the dead letter, its *origin*, which a header
//! names. No decision depends on the header; the record is counted or becomes a dead letter like any other, because anyone
//! can write such a header (`docs/adr/0015`). A dead letter about a copy names the origin, so that tools show it once.

use std::fmt;
use std::str::FromStr;

use crate::dead_letter::TOO_LATE;
use crate::rejection::RejectionCode;

/// The header of a redriven record. Its value is the [`DeadLetterId`] of the origin.
pub const HEADER: &str = "ctr-redriven";

/// Identity of a dead letter: the position of its record, and why it was not counted. Written as
/// `topic/partition/offset/code`; topic names contain no slash.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeadLetterId {
    /// The topic of the record.
    pub topic: String,
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// The stable code: a [`RejectionCode`]'s, or [`TOO_LATE`].
    pub code: String,
}

/// A text that is not of the form `topic/partition/offset/code`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a dead letter ID: expected topic/partition/offset/code, for instance clicks/3/1042/TOO_LATE")]
pub struct DeadLetterIdError(String);

impl DeadLetterId {
    /// Reads the header of the record at `offset` of a partition: `None` if the value does not identify a dead letter
    /// of an earlier record in it.
    #[must_use]
    pub fn of_origin(header: &[u8], topic: &str, partition: i32, offset: i64) -> Option<Self> {
        let id: Self = std::str::from_utf8(header).ok()?.parse().ok()?;
        let is_here = id.topic == topic && id.partition == partition && (0..offset).contains(&id.offset);
        (is_here && is_code(&id.code)).then_some(id)
    }
}

/// Whether a text is a code that this version produces.
fn is_code(code: &str) -> bool {
    code == TOO_LATE || RejectionCode::ALL.iter().any(|known| known.as_str() == code)
}

impl fmt::Display for DeadLetterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}/{}", self.topic, self.partition, self.offset, self.code)
    }
}

impl FromStr for DeadLetterId {
    type Err = DeadLetterIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let mut parts = text.splitn(4, '/');
            let topic = parts.next().filter(|topic| !topic.is_empty())?.to_owned();
            let partition = parts.next()?.parse().ok()?;
            let offset = parts.next()?.parse().ok()?;
            let code = parts.next().filter(|code| !code.is_empty())?.to_owned();
            Some(Self { topic, partition, offset, code })
        };
        parse().ok_or_else(|| DeadLetterIdError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_it_is_written() {
        let id: DeadLetterId = "ads.clicks/3/1042/INVALID_JSON".parse().unwrap();
        assert_eq!((id.topic.as_str(), id.partition, id.offset), ("ads.clicks", 3, 1042));
        assert_eq!(id.to_string(), "ads.clicks/3/1042/INVALID_JSON");
        for wrong in ["", "clicks", "clicks/3/1042", "clicks/3/1042/", "/3/1042/TOO_LATE", "clicks/x/1/TOO_LATE"] {
            assert!(wrong.parse::<DeadLetterId>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_an_earlier_record_of_the_same_partition_is_an_origin() {
        let origin = |header: &str| DeadLetterId::of_origin(header.as_bytes(), "clicks", 3, 100);
        assert_eq!(origin("clicks/3/99/TOO_LATE").map(|id| id.offset), Some(99));
        for made_up in [
            "clicks/3/100/TOO_LATE",
            "clicks/3/-1/TOO_LATE",
            "clicks/2/99/TOO_LATE",
            "impressions/3/99/TOO_LATE",
            "clicks/3/99/BECAUSE",
            "yes",
        ] {
            assert_eq!(origin(made_up), None, "{made_up}");
        }
        assert_eq!(DeadLetterId::of_origin(&[0xff], "clicks", 3, 100), None);
    }
}
