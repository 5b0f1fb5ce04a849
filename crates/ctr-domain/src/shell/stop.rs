//! Stopping: the work that is still pending.

use std::fmt;

use super::Shell;
use super::counter::Counter;
use super::outbox::OutgoingLetter;

/// The pending work of a stopping worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Owed {
    /// Dead letters that are not durable.
    pub letters: bool,
    /// Rows that were handed out and are not durable.
    pub rows_or_letters_unacknowledged: bool,
    /// The last commit, or its result.
    pub commit: bool,
}

impl fmt::Display for Owed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = [
            (self.letters, "dead letters"),
            (self.rows_or_letters_unacknowledged, "answers to rows or letters"),
            (self.commit, "the last commit"),
        ];
        let owed: Vec<&str> = all.into_iter().filter_map(|(is_owed, what)| is_owed.then_some(what)).collect();
        formatter.write_str(if owed.is_empty() { "nothing" } else { "still to come: " })?;
        formatter.write_str(&owed.join(", "))
    }
}

impl Owed {
    /// Whether nothing is pending, so the worker may exit.
    #[must_use]
    pub const fn is_nothing(self) -> bool {
        !self.letters && !self.rows_or_letters_unacknowledged && !self.commit
    }

    /// Whether everything but the last commit is durable: so little is left that it is worth waiting a little longer.
    #[must_use]
    pub const fn is_only_the_commit(self) -> bool {
        self.commit && !self.letters && !self.rows_or_letters_unacknowledged
    }
}

impl<L: OutgoingLetter, T: Counter> Shell<L, T> {
    /// From now on nothing is read and nothing is taken over. Everything read is written, and committed at the end.
    pub fn on_stop(&mut self, now: i64) {
        if !self.is_stopping {
            self.is_stopping = true;
            self.takeover.revoke();
            self.checkpoints.is_final = false;
            self.checkpoints.make_due(now);
        }
    }

    /// The work that is still pending before the worker may exit.
    #[must_use]
    pub fn owed(&self) -> Owed {
        Owed {
            letters: self.letters_owed(),
            rows_or_letters_unacknowledged: self.pairs.iter().any(|pair| !pair.counter.is_acknowledged()),
            commit: !self.checkpoints.is_final,
        }
    }

    /// Whether everything that was handed out is durable. A replaying pair has nothing pending: it has not written
    /// anything.
    pub(super) fn is_settled(&self) -> bool {
        let Owed { letters, rows_or_letters_unacknowledged, .. } = self.owed();
        !letters && !rows_or_letters_unacknowledged
    }
}
