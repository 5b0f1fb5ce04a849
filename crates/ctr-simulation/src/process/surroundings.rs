//! How well what is around a process works at the moment.

use crate::table::Letter;

/// The current state of the process's environment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Surroundings {
    pub(crate) sink_available: bool,
    /// Row batches that the sink accepts before one is written.
    pub(crate) sink_room: usize,
    pub(crate) letters_taken: bool,
    /// The partition whose batches ClickHouse refuses, however often they are sent.
    pub(crate) refused_rows: Option<i32>,
    /// The dead letter topic refuses those of records whose offset has this remainder, as it refuses too large ones.
    pub(crate) refused_letters: Option<i64>,
    /// Whether requests for facts are answered immediately.
    pub(crate) prompt: bool,
}

impl Surroundings {
    pub(crate) const CALM: Self = Self {
        sink_available: true,
        sink_room: usize::MAX,
        letters_taken: true,
        refused_rows: None,
        refused_letters: None,
        prompt: true,
    };

    /// Remainders of [`Surroundings::refused_letters`].
    pub(crate) const REMAINDERS: i64 = 5;

    pub(super) const fn takes(&self, letter: &Letter) -> bool {
        let is_refused = match self.refused_letters {
            Some(remainder) => letter.id.2 % Self::REMAINDERS == remainder,
            None => false,
        };
        self.letters_taken && !is_refused
    }
}
