//! Firing: which pair hands out its rows next.

use super::counter::Counter;
use super::outbox::OutgoingLetter;
use super::{Shell, TaskId};
use crate::counts::CtrResult;

/// Rows of one pair that were handed out together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fired {
    /// The task that fired.
    pub task: TaskId,
    /// The number to acknowledge with [`Shell::on_rows_acknowledged`].
    pub batch: u64,
    /// The number of rows.
    pub rows: usize,
    /// The end of the newest window in it, epoch ms, if it shows a window completely for the first time.
    pub shown_first: Option<i64>,
}

/// Which pairs have had their turn. A round ends when all have.
#[derive(Debug, Default)]
pub(super) struct FiringRound {
    /// When the next round begins.
    next: i64,
    /// Number of pairs left in this one.
    left: usize,
    /// Whose turn it is: the pair after the one served last, even if the sink had no room for all.
    turn: usize,
}

impl<L: OutgoingLetter, T: Counter> Shell<L, T> {
    /// Hands out the rows of the next pair that has any, while the sink has room. `None` if nothing is due any more:
    /// the next round begins after the fire interval. Call it until then, and call [`Shell::on_sink`] in between.
    pub fn fire(&mut self, now: i64, mut row: impl FnMut(CtrResult<'_>)) -> Option<Fired> {
        if self.firing.left == 0 {
            if now < self.firing.next {
                return None;
            }
            self.firing.next = now + self.settings.fire_interval;
            self.firing.left = self.pairs.len();
        }
        while self.firing.left > 0 {
            if !self.sink.has_room {
                // The pairs that are left come first in the next round.
                self.firing.left = 0;
                return None;
            }
            self.firing.left -= 1;
            // Pairs may have been dropped since the last round.
            let index = self.firing.turn % self.pairs.len().max(1);
            self.firing.turn = index + 1;
            let limit = self.settings.rows_per_firing;
            let Some(pair) = self.pairs.get_mut(index) else { break };
            let (on_time, mut newest_end) = (pair.counter.firings().on_time, i64::MIN);
            let fired = pair.counter.fire(now, limit, |result| {
                newest_end = newest_end.max(result.window.end);
                row(result);
            });
            let Some(batch) = fired else { continue };
            if batch.rows == limit {
                // There is more: continue in the next round, after reading.
                self.firing.next = now;
            }
            let shown_first = (pair.counter.firings().on_time > on_time).then_some(newest_end);
            return Some(Fired { task: pair.id, batch: batch.number, rows: batch.rows, shown_first });
        }
        self.firing.left = 0;
        None
    }
}
