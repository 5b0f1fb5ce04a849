//! One life of a pair of partitions: the shell that a pipeline worker is, with a sink that answers late, twice or never.

use std::collections::{HashMap, HashSet};

use ctr_domain::checkpoint::{Checkpoint, RecordMark};
use ctr_domain::dead_letter::DeadLetterReason;
use ctr_domain::recovery::{PartitionStart, made_anew};
use ctr_domain::task::{BySide, EndOffsetRequest, Outcome, Side};

use crate::counter::Counter;
use crate::mutation::Mutation;
use crate::table::{Commits, Committed, Count, Letter, Row};
use crate::truth::Verdict;
use crate::world::{Checked, Proof, World};

struct Batch {
    rows: Vec<Row>,
    written: bool,
}

/// What reading came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Read {
    Done,
    /// The commit speaks of another log: discard this owner, start this side from its beginning.
    AnotherLog(Side),
}

pub(crate) struct Owner<C> {
    pub(crate) counter: C,
    /// What it began with.
    commits: BySide<Committed>,
    anew: BySide<bool>,
    starts: BySide<PartitionStart>,
    next: BySide<i64>,
    delivered: BySide<u64>,
    batches: Vec<Batch>,
    letters: Vec<(Letter, bool)>,
    checkpoint: Option<Checkpoint>,
    question: Option<(EndOffsetRequest, i64)>,
    shown: HashMap<(u8, i64), Count>,
    /// A wrong decision, so far seen by nobody: an owner that finds another log is discarded before it shows anything.
    doubt: Option<String>,
}

impl<C: Counter> Owner<C> {
    /// A new owner, from the commits that are in force.
    pub(crate) fn restore(world: &World) -> Checked<Self> {
        Self::begin(world, world.commits.current.clone(), BySide::default())
    }

    /// What must follow [`Read::AnotherLog`]: the same commits, but this side from the beginning of the log that is there.
    /// Later commits may already be of the new log; to take the other side from one of those would mix two checkpoints.
    pub(crate) fn restart_anew(&self, world: &World, side: Side) -> Checked<Self> {
        let mut anew = self.anew;
        anew[side] = true;
        Self::begin(world, self.commits.clone(), anew)
    }

    fn begin(world: &World, commits: BySide<Committed>, anew: BySide<bool>) -> Checked<Self> {
        let mut starts = BySide([PartitionStart::at(0); 2]);
        for side in Side::BOTH {
            starts[side] = if anew[side] {
                made_anew(0, world.logs[side].bounds()).0
            } else {
                world.start_of(side, &commits[side])?.0
            };
        }
        let mut rules = world.rules;
        if let Some(mutation) = world.mutation {
            mutation.alter_rules(&mut rules);
        }
        Ok(Self {
            commits,
            anew,
            counter: C::restore(rules, starts, world.now, world.mutation),
            starts,
            next: BySide(starts.0.map(|start| start.offset)),
            delivered: BySide::default(),
            batches: Vec::new(),
            letters: Vec::new(),
            checkpoint: None,
            question: None,
            shown: HashMap::new(),
            doubt: None,
        })
    }

    pub(crate) fn has_read_all(&self, world: &World) -> bool {
        Side::BOTH.into_iter().all(|side| self.next[side] >= world.logs[side].bounds().end)
    }

    /// Reads up to `records` records of a side; at the end the consumer says so.
    pub(crate) fn read(&mut self, world: &mut World, side: Side, records: usize) -> Checked<Read> {
        for _ in 0..records {
            let Some((offset, record)) = world.logs[side].read(self.next[side]) else {
                let end = world.logs[side].bounds().end;
                self.next[side] = self.next[side].max(end);
                if !world.is_mutated(Mutation::WaitForPosition) {
                    self.counter.on_partition_end(side, end);
                }
                break;
            };
            let stamp = if world.is_mutated(Mutation::TrustEventTime) { None } else { record.timestamp };
            let mark = RecordMark { offset, timestamp: stamp };
            let outcome = self.counter.on_event(side, mark, record.event());
            if outcome == Outcome::AnotherLog {
                return Ok(Read::AnotherLog(side));
            }
            self.next[side] = offset + 1;
            self.delivered[side] += 1;
            world.records_read += 1;
            self.judge(world, side, offset, outcome);
        }
        self.counter.on_arrival(side, world.now);
        match self.doubt.take_if(|_| self.counter.is_replayed()) {
            Some(defect) => Err(defect),
            None => Ok(Read::Done),
        }
    }

    /// Holds what the counter decided against what the log says.
    fn judge(&mut self, world: &World, side: Side, offset: i64, outcome: Outcome) {
        let silent = offset < self.starts[side].position;
        let expected = world.truth.verdicts[side].get(&offset).copied();
        let is_right = match &outcome {
            Outcome::Replayed => silent,
            _ if silent => false,
            Outcome::Counted => expected == Some(Verdict::Counted),
            Outcome::Duplicate => expected == Some(Verdict::Duplicate),
            Outcome::DeadLetter(DeadLetterReason::Rejected(why)) => expected == Some(Verdict::Rejected(why.code)),
            Outcome::DeadLetter(DeadLetterReason::TooLate(late)) if late.closed_early => {
                let may_close = matches!(expected, Some(Verdict::Counted | Verdict::Duplicate));
                expected == Some(Verdict::ClosedEarly)
                    || (may_close && world.kind.is_early() && is_proved(world, side, offset, late.window.end))
            }
            Outcome::DeadLetter(DeadLetterReason::TooLate(_)) => expected == Some(Verdict::TooLate),
            Outcome::Rewind | Outcome::AnotherLog => false,
        };
        if !is_right {
            let defect = format!("{side:?} {offset}: {outcome:?}, but the log says {expected:?} (silent: {silent})");
            self.doubt.get_or_insert(defect);
        }
        if let Outcome::DeadLetter(reason) = outcome {
            let id = (side, world.logs[side].incarnation, offset);
            self.letters.push((Letter { id, reason }, false));
        }
    }

    /// Asks for the rows that are due.
    pub(crate) fn fire(&mut self, world: &mut World, limit: usize) -> Checked<bool> {
        let mut rows = Vec::new();
        let batch = self.counter.fire(world.now, limit, &mut |result| {
            let product = result.product_id.as_bytes()[1] - b'0';
            let count = Count { impressions: result.counts.impressions, clicks: result.counts.clicks };
            rows.push(Row { key: (product, result.window.end), count });
        });
        let Some(batch) = batch else {
            return if rows.is_empty() { Ok(false) } else { Err("rows without a batch".to_owned()) };
        };
        let keys: HashSet<_> = rows.iter().map(|row| row.key).collect();
        if batch.rows != rows.len() || keys.len() != rows.len() || rows.len() > limit {
            return Err(format!("{batch:?} came with {} rows of {} windows, limit {limit}", rows.len(), keys.len()));
        }
        for row in &rows {
            let before = self.shown.insert(row.key, row.count).unwrap_or_default();
            if !before.is_within(row.count) || before == row.count {
                return Err(format!("{:?} went from {before:?} to {:?}", row.key, row.count));
            }
        }
        self.batches.push(Batch { rows, written: false });
        if batch.number != self.batches.len() as u64 {
            return Err(format!("batch {} is called {}", self.batches.len(), batch.number));
        }
        if world.is_mutated(Mutation::LetGoFirst) {
            self.counter.on_rows_acknowledged(batch.number);
        }
        Ok(true)
    }

    /// Writes the first batch that is not written yet, or any once more.
    pub(crate) fn write_rows(&mut self, world: &mut World) -> Checked<()> {
        let Some(first) = self.batches.iter().position(|batch| !batch.written) else { return Ok(()) };
        let any = world.dice.chance(world.shuffled);
        let index = if any { world.dice.below(self.batches.len()) } else { first };
        self.write_batch(world, index)
    }

    fn write_batch(&mut self, world: &mut World, index: usize) -> Checked<()> {
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

    /// An acknowledgement arrives: of all that is durable, or an old one once more.
    pub(crate) fn acknowledge_rows(&mut self, world: &mut World) {
        let mut durable = self.batches.iter().take_while(|batch| batch.written).count();
        if world.is_mutated(Mutation::AcknowledgeAny) {
            durable = self.batches.iter().rposition(|batch| batch.written).map_or(0, |last| last + 1);
        }
        let upto = if world.dice.chance(25) { world.dice.below(durable + 1) } else { durable };
        self.counter.on_rows_acknowledged(upto as u64);
    }

    /// Sends a letter that waits, or any once more.
    pub(crate) fn send_letters(&mut self, world: &mut World) -> Checked<()> {
        if !self.counter.is_replayed() {
            return Ok(());
        }
        let Some(first) = self.letters.iter().position(|(_, sent)| !sent) else { return Ok(()) };
        let index = if world.dice.chance(20) { world.dice.below(self.letters.len()) } else { first };
        self.send_letter(world, index)
    }

    fn send_letter(&mut self, world: &mut World, index: usize) -> Checked<()> {
        let (letter, sent) = &mut self.letters[index];
        *sent = true;
        let closed_early = matches!(&letter.reason, DeadLetterReason::TooLate(late) if late.closed_early);
        if closed_early && world.is_mutated(Mutation::SilentEarly) {
            return Ok(());
        }
        world.letters.send(letter)
    }

    pub(crate) fn acknowledge_letters(&mut self, world: &mut World) {
        let durable = self.letters.iter().take_while(|(_, sent)| *sent).count();
        let upto = if world.dice.chance(25) { world.dice.below(durable + 1) } else { durable };
        let upto = if world.is_mutated(Mutation::ForgetLetters) { self.letters.len() } else { upto };
        self.counter.on_letters_acknowledged(upto as u64);
    }

    pub(crate) fn take_checkpoint(&mut self) -> Checked<()> {
        if self.counter.letters_issued() != self.letters.len() as u64 {
            return Err(format!("{} letters, but {} issued", self.letters.len(), self.counter.letters_issued()));
        }
        if let Some(checkpoint) = self.counter.checkpoint() {
            self.checkpoint = Some(checkpoint);
        }
        Ok(())
    }

    /// The commit to send, if there is one that may be sent.
    pub(crate) fn commit(&mut self, world: &World) -> Option<BySide<Committed>> {
        let checkpoint = self.checkpoint.take_if(|checkpoint| self.counter.may_commit(checkpoint))?;
        let mut checkpoint = checkpoint;
        if let Some(mutation) = world.mutation {
            mutation.alter_checkpoint(&mut checkpoint);
        }
        Some(Commits::encode(&checkpoint))
    }

    /// Asks the broker where a log ends, or hears the answer to an earlier question.
    pub(crate) fn ask_for_end(&mut self, world: &mut World) {
        let Some((request, end_offset)) = self.question.take() else {
            self.question = self.counter.end_offset_request().map(|request| {
                let end = world.logs[request.side].bounds().end;
                (request, end)
            });
            return;
        };
        if !world.kind.is_early() {
            // There is always one more record: no proof, however often it is asked.
            self.counter.on_end_offset(request, self.next[request.side] + 1);
            return;
        }
        world.proofs.push(Proof { side: request.side, up_to: request.up_to, end_offset });
        let old = world.is_mutated(Mutation::OldProof);
        self.counter.on_end_offset(request, if old { self.next[request.side] } else { end_offset });
    }

    /// All letters that are on their way arrive and are acknowledged; all rows too, if asked for.
    pub(crate) fn drain(&mut self, world: &mut World, rows: bool) -> Checked<()> {
        for index in 0..if rows { self.batches.len() } else { 0 } {
            if !self.batches[index].written {
                self.write_batch(world, index)?;
            }
        }
        if rows {
            self.counter.on_rows_acknowledged(self.batches.len() as u64);
        }
        if self.counter.is_replayed() {
            for index in 0..self.letters.len() {
                if !self.letters[index].1 {
                    self.send_letter(world, index)?;
                }
            }
            self.counter.on_letters_acknowledged(self.letters.len() as u64);
        }
        Ok(())
    }

    /// The end of this life, at any moment: what is on its way may still arrive, in part.
    pub(crate) fn die(mut self, world: &mut World) -> Checked<()> {
        for index in 0..self.batches.len() {
            if !self.batches[index].written && world.dice.chance(world.arriving) {
                self.write_batch(world, index)?;
            }
        }
        if self.counter.is_replayed() {
            for index in 0..self.letters.len() {
                if !self.letters[index].1 && world.dice.chance(world.arriving) {
                    self.send_letter(world, index)?;
                }
            }
        }
        self.close_ledger()
    }

    /// Every record that was handed in is accounted for, once.
    pub(crate) fn close_ledger(&self) -> Checked<()> {
        for side in Side::BOTH {
            let ledger = self.counter.ledger(side);
            if ledger.difference() != 0
                || ledger.consumed != self.delivered[side]
                || ledger.closed_early > ledger.too_late
            {
                return Err(format!("{side:?}: {} delivered, but {ledger:?}", self.delivered[side]));
            }
        }
        Ok(())
    }
}

/// Whether a window may have been let go before this record was written: the proof was asked for before.
fn is_proved(world: &World, side: Side, offset: i64, window_end: i64) -> bool {
    world.proofs.iter().any(|proof| proof.side == side && proof.up_to >= window_end && proof.end_offset <= offset)
}
