//! The responses of sinks and brokers to rows, dead letters, requests and commits: correct or not, now or late.

use ctr_domain::dead_letter::DeadLetterReason;
use ctr_domain::shell::{CommitId, Counter, EndOffsetAnswer};
use ctr_domain::side::{BySide, Side};

use super::Process;
use crate::mutation::Mutation;
use crate::table::{Commits, Committed, Letter};
use crate::world::{Checked, Proof, World};

/// A commit that the broker has not answered.
#[derive(Debug, Clone)]
pub(crate) struct PendingCommit {
    pub(crate) id: CommitId,
    pub(crate) content: Vec<(i32, BySide<Committed>)>,
}

impl<C: Counter<Broken = Option<Mutation>>> Process<C> {
    /// Writes the first unwritten batch of a pair, or repeats any batch.
    pub(crate) fn write_rows(&mut self, worlds: &mut [World], index: usize) -> Checked<()> {
        let Some(place) = self.places.get_mut(index) else { return Ok(()) };
        if self.around.refused_rows == Some(place.partition) {
            return Ok(());
        }
        let world = &mut worlds[place.partition as usize];
        let Some(first) = place.batches.iter().position(|batch| !batch.written) else { return Ok(()) };
        let any = world.dice.chance(world.shuffled);
        let batch = if any { world.dice.below(place.batches.len()) } else { first };
        place.write_batch(world, batch)
    }

    /// An acknowledgement arrives: of everything that is durable, or a repeated old one.
    pub(crate) fn acknowledge_rows(&mut self, worlds: &mut [World], index: usize) {
        let Some(place) = self.places.get(index) else { return };
        let world = &mut worlds[place.partition as usize];
        let mut durable = place.batches.iter().take_while(|batch| batch.written).count();
        if world.is_mutated(Mutation::AcknowledgeAny) {
            durable = place.batches.iter().rposition(|batch| batch.written).map_or(0, |last| last + 1);
        }
        let upto = if world.dice.chance(25) { world.dice.below(durable + 1) } else { durable };
        self.shell.on_rows_acknowledged(place.task, upto as u64);
    }

    /// Hands dead letters to the producer.
    pub(crate) fn hand_letters(&mut self, now: i64) {
        while let Some(letter) = self.shell.next_letter(now) {
            if self.producer.len() >= 8 {
                self.shell.on_letter_not_taken(letter);
                return;
            }
            self.producer.push(letter);
        }
    }

    /// The dead letter topic responds for one dead letter: written, perhaps twice, or refused, perhaps although it was
    /// written.
    pub(crate) fn answer_letter(&mut self, worlds: &mut [World]) -> Checked<()> {
        if self.producer.is_empty() {
            return Ok(());
        }
        let dice = &mut worlds[0].dice;
        let letter = self.producer.swap_remove(dice.below(self.producer.len()));
        let (taken, again) = (self.around.takes(&letter.letter), dice.chance(20));
        let world = &mut worlds[letter.partition as usize];
        if taken || again {
            write_letter(world, &letter.letter)?;
        }
        let now = world.now;
        if !taken {
            self.refused |= self.places.iter().any(|place| place.task == letter.task);
            self.shell.on_letter_refused(letter, "no broker takes it", now);
        } else {
            self.refused = false;
            self.shell.on_letter_acknowledged(letter.task, letter.number);
        }
        self.pump(worlds)
    }

    /// The broker returns an end offset.
    pub(crate) fn answer_end(&mut self, worlds: &mut [World]) {
        if self.ends.is_empty() {
            return;
        }
        let (question, _, end_offset) = self.ends.remove(0);
        let side = question.request.side;
        let world = &mut worlds[question.partition as usize];
        let Some(place) = self.places.iter().find(|place| place.task == question.task) else { return };
        let mut said = end_offset;
        if !world.kind.is_early() {
            // There is always one more record: never a proof, however often it is requested.
            said = place.next[side] + 1;
        } else {
            world.proofs.push(Proof { side, up_to: question.request.up_to, end_offset });
            if world.is_mutated(Mutation::OldProof) {
                said = place.next[side];
            } else if world.is_mutated(Mutation::TrustStableEnd) {
                said = world.logs[side].readable_end();
            }
        }
        self.shell.on_end_offset(EndOffsetAnswer { question, end_offset: Some(said) });
    }

    /// The broker keeps a commit.
    pub(crate) fn apply(&mut self, worlds: &mut [World], commit: &PendingCommit) {
        for (partition, content) in &commit.content {
            worlds[*partition as usize].commits.apply(content.clone());
        }
    }

    /// The broker's response to a commit reaches the process.
    pub(crate) fn answer_commit(&mut self, worlds: &mut [World], commit: &PendingCommit, kept: bool) -> Checked<()> {
        if kept {
            for (partition, content) in &commit.content {
                self.acknowledged.entry(*partition).or_default().push(content.clone());
            }
        }
        let answer = if kept { Ok(()) } else { Err("illegal generation".to_owned()) };
        self.shell.on_commit_answer(commit.id, answer, worlds[0].now);
        if worlds[0].mutation != Some(Mutation::SplitCommit) {
            (0..self.shell.pairs().len()).try_for_each(|index| self.believed(index))?;
        }
        self.pump(worlds)
    }

    /// Everything in flight arrives and is acknowledged: rows only if requested.
    pub(crate) fn drain(&mut self, worlds: &mut [World], rows: bool) -> Checked<()> {
        for place in self.places.iter_mut().filter(|_| rows) {
            let world = &mut worlds[place.partition as usize];
            for index in 0..place.batches.len() {
                if !place.batches[index].written {
                    place.write_batch(world, index)?;
                }
            }
            self.shell.on_rows_acknowledged(place.task, place.batches.len() as u64);
        }
        self.hand_letters(worlds[0].now);
        while !self.producer.is_empty() {
            self.answer_letter(worlds)?;
            self.hand_letters(worlds[0].now);
        }
        Ok(())
    }

    /// Up to `records` records of every partition that may be read.
    pub(crate) fn read_everywhere(&mut self, worlds: &mut [World], records: usize) -> Checked<()> {
        for index in 0..self.pairs() {
            for side in Side::BOTH {
                if self.may_read(index, side)? {
                    self.read(worlds, index, side, records)?;
                }
            }
        }
        Ok(())
    }

    /// Every request and every commit is answered correctly, including late ones.
    pub(crate) fn answer_everything(&mut self, worlds: &mut [World]) -> Checked<()> {
        while !self.facts.is_empty() {
            self.answer_facts(worlds, true)?;
        }
        while !self.ends.is_empty() {
            self.answer_end(worlds);
        }
        for late in std::mem::take(&mut self.unanswered) {
            self.answer_commit(worlds, &late, true)?;
        }
        self.answer_all_commits(worlds)
    }

    /// All commits are kept, and their results arrive.
    pub(crate) fn answer_all_commits(&mut self, worlds: &mut [World]) -> Checked<()> {
        for commit in std::mem::take(&mut self.commits) {
            self.apply(worlds, &commit);
            self.answer_commit(worlds, &commit, true)?;
        }
        Ok(())
    }

    /// The group's commits of a pair, as the shell believes: the broker must have reported them.
    fn believed(&self, index: usize) -> Checked<()> {
        let pair = &self.shell.pairs()[index];
        let Some(checkpoint) = pair.committed() else { return Ok(()) };
        let believed = Commits::encode_partitions(&checkpoint.partitions);
        match self.acknowledged.get(&pair.partition()) {
            Some(said) if said.contains(&believed) => Ok(()),
            said => Err(format!("{believed:?} is taken for committed, but the broker has said {said:?}")),
        }
    }
}

pub(super) fn write_letter(world: &mut World, letter: &Letter) -> Checked<()> {
    let closed_early = matches!(&letter.reason, DeadLetterReason::TooLate(late) if late.closed_early);
    if closed_early && world.is_mutated(Mutation::SilentEarly) {
        return Ok(());
    }
    world.letters.send(letter)
}
