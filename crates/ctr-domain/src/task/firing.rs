//! Firing: when rows become visible.

use super::open_window::FiringRoom;
use super::{Partition, Task};
use crate::counts::CtrResult;
use crate::side::Side;
use crate::watermark::{Input, Watermark, firing_watermark};

/// Bytes of product ids that one firing hands out at most, and the rest of the last one: with [`MAX_ID_BYTES`] what bounds
/// the memory of a batch of rows whatever producers send.
///
/// [`MAX_ID_BYTES`]: crate::event::MAX_ID_BYTES
pub const MAX_FIRING_ID_BYTES: usize = 4 << 20;

/// The result of one call of [`Task::fire`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowBatch {
    /// The number to acknowledge with [`Task::on_rows_acknowledged`].
    pub number: u64,
    /// The number of rows.
    pub rows: usize,
}

/// How many times windows were sent completely, by reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Firings {
    /// For the first time in this run of the task: the watermark had reached them.
    pub on_time: u64,
    /// Again, because they had changed since.
    pub late: u64,
}

impl Firings {
    /// Adds other counts to these.
    pub fn add(&mut self, other: Self) {
        self.on_time += other.on_time;
        self.late += other.late;
    }

    fn note(&mut self, is_first: bool) {
        *(if is_first { &mut self.on_time } else { &mut self.late }) += 1;
    }
}

impl Task {
    /// Hands out the rows that are due: of windows that the watermark has reached, and of windows that have changed
    /// since they were last sent, each once however many events changed it. At most `limit` rows and
    /// [`MAX_FIRING_ID_BYTES`]; the rest comes with the next call. `None` if nothing is due, or while the task is
    /// replaying.
    pub fn fire(&mut self, now: i64, limit: usize, mut row: impl FnMut(CtrResult<'_>)) -> Option<RowBatch> {
        if !self.is_replayed() {
            return None;
        }
        self.fired = self.fired.max(self.firing_watermark(now));
        let number = self.rows.issued + 1;
        let mut room = FiringRoom::new(limit, MAX_FIRING_ID_BYTES);
        let mut rows = 0;
        let to_let_go = self.newest_to_let_go();
        for open in self.windows.iter_mut() {
            let due = Watermark(open.window.last_timestamp()) <= self.fired || Some(open.window.end) <= to_let_go;
            if !due || open.is_shown() {
                continue;
            }
            let (window, source_partition) = (open.window, self.source_partition);
            rows += open.show(&mut room, |product_id, counts| {
                row(CtrResult { product_id, window, source_partition, counts });
            });
            open.last_batch = number;
            if open.is_shown() {
                self.firings.note(!std::mem::replace(&mut open.fired, true));
            }
            if !room.is_left() {
                break;
            }
        }
        (rows > 0).then(|| RowBatch { number: self.rows.issue(), rows })
    }

    /// How many windows this run has sent.
    #[must_use]
    pub const fn firings(&self) -> Firings {
        self.firings
    }

    /// The watermark that determines which windows fire at `now`.
    fn firing_watermark(&self, now: i64) -> Watermark {
        firing_watermark(self.partitions.0.each_ref().map(|partition| self.input(partition, now)), now)
    }

    fn input(&self, partition: &Partition, now: i64) -> Input {
        let silent_for = now.saturating_sub(partition.last_arrival);
        Input {
            watermark: self.rules.watermark(partition.maximum),
            last_arrival: partition.last_arrival,
            idle: partition.is_at_end() && silent_for >= self.rules.idle_timeout_ms,
        }
    }

    /// Whether a side counts as idle at `now`: silent for the idle timeout, and at its end.
    #[must_use]
    pub fn is_idle(&self, side: Side, now: i64) -> bool {
        self.input(&self.partitions[side], now).idle
    }
}
