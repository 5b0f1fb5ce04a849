//! The driver's view of one pair: how far it has read, its rows in flight, and whether the decisions were correct.

use std::collections::HashMap;

use ctr_domain::dead_letter::DeadLetterReason;
use ctr_domain::shell::{PairStart, Step, TaskId};
use ctr_domain::side::{BySide, Side};

use crate::table::{Count, Row};
use crate::truth::Verdict;
use crate::world::{Checked, World};

pub(super) struct Batch {
    pub(super) rows: Vec<Row>,
    pub(super) written: bool,
}

/// The driver's view of one pair.
pub(super) struct Place {
    pub(super) task: TaskId,
    pub(super) partition: i32,
    positions: BySide<i64>,
    pub(super) next: BySide<i64>,
    /// The end of the partition last reported by the consumer.
    pub(super) said_end: BySide<Option<i64>>,
    /// Whether a batch of a side could not be read.
    pub(super) unreadable: BySide<bool>,
    pub(super) batches: Vec<Batch>,
    pub(super) shown: HashMap<(u8, i64), Count>,
    /// A wrong decision that nobody has seen so far: a task that finds another log is discarded before it sends
    /// anything.
    pub(super) doubt: Option<String>,
}

impl Place {
    pub(super) fn begin(start: &PairStart) -> Self {
        Self {
            task: start.task,
            partition: start.partition,
            positions: BySide(start.starts.0.map(|start| start.position)),
            next: BySide(start.starts.0.map(|start| start.offset)),
            said_end: BySide::default(),
            unreadable: BySide::default(),
            batches: Vec::new(),
            shown: HashMap::new(),
            doubt: None,
        }
    }

    /// Compares the counter's decision with the log.
    pub(super) fn judge(&mut self, world: &World, side: Side, offset: i64, step: &Step) {
        let silent = offset < self.positions[side];
        let expected = world.truth.verdicts[side].get(&offset).copied();
        let is_right = match step {
            Step::Replayed => silent,
            _ if silent => false,
            Step::Counted => expected == Some(Verdict::Counted),
            Step::Duplicate => expected == Some(Verdict::Duplicate),
            Step::Keep { reason: DeadLetterReason::Rejected(why), .. } => expected == Some(Verdict::Rejected(why.code)),
            Step::Keep { reason: DeadLetterReason::TooLate(late), .. } if late.closed_early => {
                let may_close = matches!(expected, Some(Verdict::Counted | Verdict::Duplicate));
                expected == Some(Verdict::ClosedEarly)
                    || (may_close && world.kind.is_early() && is_proved(world, side, offset, late.window.end))
            }
            Step::Keep { .. } => expected == Some(Verdict::TooLate),
            Step::Upset(_) => false,
        };
        if !is_right {
            let defect = format!("{side:?} {offset}: {step:?}, but the log says {expected:?} (silent: {silent})");
            self.doubt.get_or_insert(defect);
        }
    }

    pub(super) fn write_batch(&mut self, world: &mut World, index: usize) -> Checked<()> {
        let batch = &mut self.batches[index];
        batch.written = true;
        for row in &batch.rows {
            if let Some(bound) = world.truth.counts.get(&row.key)
                && row.count.is_within(*bound)
            {
                world.tables.insert(*row, world.mutation);
            } else {
                return Err(format!("{row:?}, but the log says {:?}", world.truth.counts.get(&row.key)));
            }
        }
        Ok(())
    }

    /// The task is dropped; rows in flight may still arrive.
    pub(super) fn leave(mut self, world: &mut World) -> Checked<()> {
        for index in 0..self.batches.len() {
            if !self.batches[index].written && world.dice.chance(world.arriving) {
                self.write_batch(world, index)?;
            }
        }
        Ok(())
    }
}

/// Whether a window may have been let go before this record was written: the proof was requested before.
fn is_proved(world: &World, side: Side, offset: i64, window_end: i64) -> bool {
    world.proofs.iter().any(|proof| proof.side == side && proof.up_to >= window_end && proof.end_offset <= offset)
}
