//! Why a record is kept in the dead letter topic instead of being counted.

use crate::rejection::Rejection;
use crate::window::Window;

/// The stable code of a record that is too late, in addition to the codes of [`crate::rejection::RejectionCode`].
pub const TOO_LATE: &str = "TOO_LATE";

/// Why a record was not counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeadLetterReason {
    /// It violates a rule for events.
    Rejected(Rejection),
    /// It is valid, but its window is closed.
    TooLate(TooLate),
}

/// A valid event whose window is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLate {
    /// The event's own time, epoch ms.
    pub event_time: i64,
    /// The window it belongs to.
    pub window: Window,
    /// Whether its own partition would still have counted it: the window was closed early because the other partition
    /// was proved to be at its end, or could not be rebuilt because the log had lost part of it.
    pub closed_early: bool,
}

impl DeadLetterReason {
    /// The stable code, part of a dead letter's identity (topic, partition, offset, code).
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Rejected(rejection) => rejection.code.as_str(),
            Self::TooLate(_) => TOO_LATE,
        }
    }

    /// The event time (epoch ms), if it could be read.
    #[must_use]
    pub fn event_time(&self) -> Option<i64> {
        match self {
            Self::Rejected(rejection) => rejection.event_time,
            Self::TooLate(late) => Some(late.event_time),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rejection::RejectionCode;

    #[test]
    fn the_event_time_is_that_of_the_event_if_it_could_be_read() {
        let late = TooLate { event_time: 7, window: Window { start: 0, end: 10 }, closed_early: false };
        assert_eq!(DeadLetterReason::TooLate(late).event_time(), Some(7));
        let rejected = Rejection::new(RejectionCode::InvalidField, String::new());
        assert_eq!(DeadLetterReason::Rejected(rejected.clone()).event_time(), None);
        assert_eq!(DeadLetterReason::Rejected(rejected.at(Some(8))).event_time(), Some(8));
    }
}
