//! Why a record is not counted: the codes of dead letters.

/// A dead letter's code. The number is part of the packed identity (see [`crate::letters`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Code {
    Tombstone,
    EmptyPayload,
    NotUtf8,
    InvalidJson,
    NotAnObject,
    MissingEventType,
    InvalidEventType,
    MissingProductId,
    InvalidProductId,
    MissingTimestamp,
    InvalidTimestamp,
    InvalidField,
    FutureTimestamp,
    TooLate,
    /// `TOO_LATE` with `closedEarly`.
    ClosedEarly,
}

/// Each code with its name and meaning.
const CODES: [(Code, &str, &str); 15] = [
    (Code::Tombstone, "TOMBSTONE", "the record has no value"),
    (Code::EmptyPayload, "EMPTY_PAYLOAD", "the value is empty or blank"),
    (Code::NotUtf8, "NOT_UTF8", "the value is not UTF-8"),
    (Code::InvalidJson, "INVALID_JSON", "the value is not JSON"),
    (Code::NotAnObject, "NOT_AN_OBJECT", "the value is JSON, but not an object"),
    (Code::MissingEventType, "MISSING_EVENT_TYPE", "event_type is missing"),
    (Code::InvalidEventType, "INVALID_EVENT_TYPE", "event_type is not impression, view or click"),
    (Code::MissingProductId, "MISSING_PRODUCT_ID", "product_id is missing"),
    (Code::InvalidProductId, "INVALID_PRODUCT_ID", "product_id is not a string, blank, or longer than 1024 bytes"),
    (Code::MissingTimestamp, "MISSING_TIMESTAMP", "timestamp is missing"),
    (
        Code::InvalidTimestamp,
        "INVALID_TIMESTAMP",
        "timestamp has no accepted format, or is before ctr.job.min-event-time or after 2199",
    ),
    (
        Code::InvalidField,
        "INVALID_FIELD",
        "event_id, user_id or session_id is not a string, or event_id is longer than 1024 bytes",
    ),
    (Code::FutureTimestamp, "FUTURE_TIMESTAMP", "the event is too far ahead of its record's Kafka timestamp"),
    (Code::TooLate, "TOO_LATE", "the watermark of its partition had passed the window and the allowed lateness"),
    (
        Code::ClosedEarly,
        "TOO_LATE (closedEarly)",
        "its window had been closed early beside a partition that was at its end",
    ),
];

impl Code {
    /// The name in dead letters and reports.
    pub(crate) fn name(self) -> &'static str {
        CODES[self as usize].1
    }

    /// The broken rule as text.
    pub(crate) fn meaning(self) -> &'static str {
        CODES[self as usize].2
    }

    /// The code of a dead letter by its name there.
    pub(crate) fn of_letter(name: &str, closed_early: bool) -> Option<Self> {
        match (CODES.iter().find(|(_, known, _)| *known == name)?.0, closed_early) {
            (Self::TooLate, true) => Some(Self::ClosedEarly),
            (code, _) => Some(code),
        }
    }

    /// The code with this number.
    pub(crate) fn of_number(number: u8) -> Option<Self> {
        CODES.get(usize::from(number)).map(|(code, _, _)| *code)
    }

    /// Whether the log alone does not determine it.
    pub(crate) fn is_closed_early(self) -> bool {
        self == Self::ClosedEarly
    }

    /// Whether the record is nevertheless a valid event, whose window was closed.
    pub(crate) fn is_late(self) -> bool {
        matches!(self, Self::TooLate | Self::ClosedEarly)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_stand_at_their_numbers() {
        for (number, (code, name, _)) in (0..).zip(CODES) {
            assert_eq!(Code::of_number(number), Some(code));
            assert_eq!(code.name(), name);
        }
    }
}
