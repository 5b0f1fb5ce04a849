//! One process: the shipped shell, with a driver whose brokers and sinks respond late, twice, wrongly or never.

mod answers;
mod place;
mod surroundings;

use std::collections::{BTreeMap, HashSet};

use ctr_domain::checkpoint::RecordMark;
use ctr_domain::shell::{
    Command, Counter, EndOffsetQuestion, FactsId, OutgoingLetter, PartitionError, PartitionFacts, Shell, ShellSettings,
    SinkView, Step, TaskId, Upset, WaitReason,
};
use ctr_domain::side::{BySide, Side};

use crate::broker;
use crate::mutation::Mutation;
use crate::table::{Commits, Committed, Count, Letter, Row};
use crate::world::{Checked, World};
use answers::{PendingCommit, write_letter};
use place::{Batch, Place};

pub(crate) use surroundings::Surroundings;

/// A dead letter on its way.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    task: TaskId,
    number: u64,
    partition: i32,
    letter: Letter,
}

impl OutgoingLetter for Outgoing {
    fn task(&self) -> TaskId {
        self.task
    }
    fn number(&self) -> u64 {
        self.number
    }
    /// Small and large ones; some are larger than all that may wait, and must be sent all the same.
    fn bytes(&self) -> usize {
        if self.letter.id.2 % 11 == 0 { 2_000 } else { 100 }
    }
}

pub(crate) struct Process<C: Counter> {
    pub(crate) shell: Shell<Outgoing, C>,
    pub(crate) around: Surroundings,
    places: Vec<Place>,
    delivered: BySide<u64>,
    /// Dead letters that the producer has accepted but not acknowledged.
    producer: Vec<Outgoing>,
    /// Whether a dead letter was refused, and none was accepted since.
    refused: bool,
    is_stopping: bool,
    facts: Vec<FactsId>,
    asked_for: BTreeMap<FactsId, Vec<i32>>,
    ends: Vec<(EndOffsetQuestion, i64, i64)>,
    pub(crate) commits: Vec<PendingCommit>,
    /// Those that the broker keeps, and whose result is in flight.
    pub(crate) unanswered: Vec<PendingCommit>,
    /// What the broker has reported as kept, or kept for a while.
    acknowledged: BTreeMap<i32, Vec<BySide<Committed>>>,
    settings: ShellSettings,
}

impl<C: Counter<Broken = Option<Mutation>>> Process<C> {
    /// A process to which the group has assigned all partitions.
    pub(crate) fn join(worlds: &mut [World], settings: ShellSettings, around: Surroundings) -> Checked<Self> {
        let (rules, mutation, now) = (worlds[0].rules, worlds[0].mutation, worlds[0].now);
        let mut process = Self {
            shell: Shell::new(settings, rules, mutation),
            around,
            places: Vec::new(),
            delivered: BySide::default(),
            producer: Vec::new(),
            refused: false,
            is_stopping: false,
            facts: Vec::new(),
            asked_for: BTreeMap::new(),
            ends: Vec::new(),
            commits: Vec::new(),
            unanswered: Vec::new(),
            acknowledged: BTreeMap::new(),
            settings,
        };
        process.shell.on_assigned(&broker::assignment(worlds), now);
        process.pump(worlds)?;
        Ok(process)
    }

    /// Executes the shell's commands.
    pub(crate) fn pump(&mut self, worlds: &mut [World]) -> Checked<()> {
        loop {
            let commands = self.shell.take_commands();
            if commands.is_empty() {
                return Ok(());
            }
            for command in commands {
                self.obey(command, worlds)?;
            }
        }
    }

    fn obey(&mut self, command: Command, worlds: &mut [World]) -> Checked<()> {
        let now = worlds[0].now;
        match command {
            Command::Unassign => self.drop_places(worlds),
            Command::AskFacts { id, partitions } => {
                self.asked_for.insert(id, partitions);
                self.facts.push(id);
                if self.around.prompt { self.answer_facts(worlds, true) } else { Ok(()) }
            }
            Command::Assign(starts) => {
                self.places = starts.iter().map(Place::begin).collect();
                Ok(())
            }
            Command::Commit { id, partitions } => {
                let content = partitions
                    .iter()
                    .map(|(partition, checkpoints)| (*partition, Commits::encode_partitions(checkpoints)))
                    .collect();
                self.commits.push(PendingCommit { id, content });
                Ok(())
            }
            Command::AskEndOffset(question) => {
                let open = self
                    .ends
                    .iter()
                    .filter(|(asked, at, _)| asked.task == question.task && now - at < self.settings.ask_timeout);
                if open.count() > 0 {
                    return Err(format!("{question:?} was asked although another is not answered"));
                }
                let end = worlds[question.partition as usize].logs[question.request.side].bounds().end;
                self.ends.push((question, now, end));
                Ok(())
            }
            Command::Tell(_) => Ok(()),
            Command::GiveUp(fault) => Err(format!("gave up: {fault}")),
        }
    }

    /// The oldest request for facts is answered, or fails.
    pub(crate) fn answer_facts(&mut self, worlds: &mut [World], well: bool) -> Checked<()> {
        let Some(id) = (!self.facts.is_empty()).then(|| self.facts.remove(0)) else { return Ok(()) };
        let answer: Result<Vec<PartitionFacts>, String> = match self.asked_for.remove(&id) {
            Some(partitions) if well => Ok(broker::facts(worlds, &partitions)),
            _ => Err("no broker answers".to_owned()),
        };
        self.shell.on_facts(id, answer, worlds[0].now);
        self.pump(worlds)
    }

    /// The request is lost, and is never answered.
    pub(crate) fn lose_questions(&mut self) {
        self.facts.clear();
        self.ends.clear();
    }

    /// The group revokes everything, and assigns it again.
    pub(crate) fn rebalance(&mut self, worlds: &mut [World]) -> Checked<()> {
        self.shell.on_revoked();
        self.pump(worlds)?;
        let (assignment, now) = (broker::assignment(worlds), worlds[0].now);
        self.shell.on_assigned(&assignment, now);
        self.pump(worlds)
    }

    /// It is asked to stop.
    pub(crate) fn stop(&mut self, now: i64) {
        self.is_stopping = true;
        self.shell.on_stop(now);
    }

    fn drop_places(&mut self, worlds: &mut [World]) -> Checked<()> {
        self.refused = false;
        for place in std::mem::take(&mut self.places) {
            let partition = place.partition as usize;
            place.leave(&mut worlds[partition])?;
        }
        Ok(())
    }

    pub(crate) fn has_read_all(&self, worlds: &[World]) -> bool {
        self.shell.has_joined()
            && self.places.iter().all(|place| {
                let logs = &worlds[place.partition as usize].logs;
                // Up to the last record, and the end was reported.
                Side::BOTH.into_iter().all(|side| {
                    let end = logs[side].bounds().end;
                    place.next[side] >= end && place.said_end[side] == Some(end)
                })
            })
    }

    pub(crate) fn pairs(&self) -> usize {
        self.places.len()
    }

    fn sink(&self) -> SinkView {
        let waiting = self.places.iter().flat_map(|place| &place.batches).filter(|batch| !batch.written).count();
        SinkView { is_available: self.around.sink_available, has_room: waiting < self.around.sink_room }
    }

    /// Whether a side may be read.
    ///
    /// # Errors
    ///
    /// If the reason why not is not true.
    pub(crate) fn may_read(&mut self, index: usize, side: Side) -> Checked<bool> {
        let sink = self.sink();
        self.shell.on_sink(sink);
        let Err(reason) = self.shell.may_read(index, side) else { return Ok(true) };
        let is_true = match reason {
            WaitReason::SinkUnavailable => !sink.is_available,
            WaitReason::SinkFull => !sink.has_room,
            WaitReason::DeadLetters => self.refused,
            WaitReason::DeadLettersFull => self.shell.letters_waiting() > 0,
            // At most one of the two is ahead of the other.
            WaitReason::Drift => self.shell.may_read(index, side.twin()) != Err(WaitReason::Drift),
            WaitReason::Unreadable => self.places.get(index).is_some_and(|place| place.unreadable[side]),
            WaitReason::Stopping => self.is_stopping || self.places.len() <= index,
        };
        if is_true { Ok(false) } else { Err(format!("pair {index} {side:?} is said to wait for {reason:?}")) }
    }

    /// Reads up to `records` records of a side; at the end the consumer reports it.
    pub(crate) fn read(&mut self, worlds: &mut [World], index: usize, side: Side, records: usize) -> Checked<()> {
        let Some(place) = self.places.get_mut(index) else { return Ok(()) };
        let world = &mut worlds[place.partition as usize];
        let now = world.now;
        let (mut upset, mut said) = (None, Vec::new());
        if world.unreadable[side] {
            upset = Some(Upset::Error(PartitionError::Unreadable("bad compression".to_owned())));
        }
        let is_silent = upset.is_none()
            && world.logs[side].read(place.next[side]).is_none()
            && place.said_end[side] == Some(world.logs[side].readable_end());
        if is_silent {
            // The queue is empty: the end is reported once.
            let end = world.logs[side].bounds().end;
            if !world.is_mutated(Mutation::TrustStableEnd) {
                self.shell.on_log_end(place.partition, side, end);
            }
            return Ok(());
        }
        let Some(mut reading) = self.shell.read(index, side, now) else { return Ok(()) };
        for _ in 0..if upset.is_some() { 0 } else { records } {
            let Some((offset, record)) = world.logs[side].read(place.next[side]) else {
                let end = world.logs[side].readable_end();
                place.next[side] = place.next[side].max(end);
                place.said_end[side] = Some(end);
                if !world.is_mutated(Mutation::WaitForPosition) {
                    reading.end(end);
                }
                break;
            };
            let stamp = if world.is_mutated(Mutation::TrustEventTime) { None } else { record.timestamp };
            let mark = RecordMark { offset, timestamp: stamp };
            let step = reading.record(mark, record.event());
            if let Step::Upset(why) = step {
                upset = Some(why);
                break;
            }
            place.next[side] = offset + 1;
            self.delivered[side] += 1;
            world.records_read += 1;
            if let Step::Keep { task, number, reason } = &step {
                let id = (side, world.logs[side].incarnation, offset);
                let letter = Letter { id, reason: reason.clone() };
                reading.keep(Outgoing { task: *task, number: *number, partition: place.partition, letter });
            }
            said.push((offset, step));
        }
        if !world.is_mutated(Mutation::TrustStableEnd) {
            let end = world.logs[side].bounds().end;
            self.shell.on_log_end(place.partition, side, end);
        }
        for (offset, step) in said {
            place.judge(world, side, offset, &step);
        }
        if let Some(upset) = upset {
            return self.upset(worlds, index, side, upset);
        }
        let counter = self.shell.pairs()[index].counter();
        place.doubt.take_if(|_| !counter.is_any_replaying()).map_or(Ok(()), Err)
    }

    /// The queue of a partition contains a condition after which its task cannot continue.
    pub(crate) fn upset(&mut self, worlds: &mut [World], index: usize, side: Side, upset: Upset) -> Checked<()> {
        if upset == Upset::AnotherLog && !worlds[0].kind.has_disasters() {
            return Err(format!("{side:?} was taken for another log"));
        }
        if let (Upset::Error(PartitionError::Unreadable(_)), Some(place)) = (&upset, self.places.get_mut(index)) {
            place.unreadable[side] = true;
        }
        self.shell.on_upset(index, side, upset, worlds[0].now);
        self.pump(worlds)
    }

    /// Requests the rows that are due.
    pub(crate) fn fire(&mut self, worlds: &mut [World]) -> Checked<bool> {
        self.shell.on_sink(self.sink());
        let mut rows = Vec::new();
        let fired = self.shell.fire(worlds[0].now, |result| {
            let product = result.product_id.as_bytes()[1] - b'0';
            let count = Count { impressions: result.counts.impressions, clicks: result.counts.clicks };
            rows.push(Row { key: (product, result.window.end), count });
        });
        let Some(fired) = fired else {
            return if rows.is_empty() { Ok(false) } else { Err("rows without a batch".to_owned()) };
        };
        let keys: HashSet<_> = rows.iter().map(|row| row.key).collect();
        if fired.rows != rows.len() || keys.len() != rows.len() || rows.len() > self.settings.rows_per_firing {
            return Err(format!("{fired:?} came with {} rows of {} windows", rows.len(), keys.len()));
        }
        let Some(place) = self.places.iter_mut().find(|place| place.task == fired.task) else {
            return Err(format!("{fired:?} of a task that is gone"));
        };
        for row in &rows {
            let before = place.shown.insert(row.key, row.count).unwrap_or_default();
            if !before.is_within(row.count) || before == row.count {
                return Err(format!("{:?} went from {before:?} to {:?}", row.key, row.count));
            }
        }
        place.batches.push(Batch { rows, written: false });
        if fired.batch != place.batches.len() as u64 {
            return Err(format!("batch {} is called {}", place.batches.len(), fired.batch));
        }
        Ok(true)
    }

    /// Advances the shell's time.
    pub(crate) fn on_time(&mut self, worlds: &mut [World]) -> Checked<()> {
        self.shell.on_time(worlds[0].now);
        self.pump(worlds)
    }

    /// What it waits for, for people.
    pub(crate) fn describe(&self, worlds: &[World]) -> String {
        let mut words = format!(
            "{} of {} pairs, {} replay, letters waiting {} failing {}, owed {:?}, waits for {:?}",
            self.places.len(),
            worlds.len(),
            self.shell.replaying(),
            self.shell.letters_waiting(),
            self.shell.letters_fail(),
            self.shell.owed(),
            self.shell.waits_for()
        );
        for (index, place) in self.places.iter().enumerate() {
            let logs = &worlds[place.partition as usize].logs;
            let of = |side: Side| (place.next[side], logs[side].bounds().end, self.shell.may_read(index, side).err());
            words += &format!("; pair {} {:?}", place.partition, Side::BOTH.map(of));
        }
        words
    }

    /// Of the commits on their way, the broker keeps some before it hears of another process.
    pub(crate) fn let_commits_arrive(&mut self, worlds: &mut [World]) {
        for commit in std::mem::take(&mut self.commits) {
            if worlds[0].dice.chance(30) {
                self.apply(worlds, &commit);
            }
        }
    }

    /// Ends this run, at any moment: what is in flight may still arrive, in part.
    pub(crate) fn die(mut self, worlds: &mut [World]) -> Checked<()> {
        self.drop_places(worlds)?;
        for letter in std::mem::take(&mut self.producer) {
            let world = &mut worlds[letter.partition as usize];
            if world.dice.chance(world.arriving) {
                write_letter(world, &letter.letter)?;
            }
        }
        self.close_ledger()
    }

    /// Every record that was handed in is accounted for, exactly once.
    pub(crate) fn close_ledger(&self) -> Checked<()> {
        let account = self.shell.account();
        for side in Side::BOTH {
            let ledger = &account.ledgers[side];
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
