//! A history of one worker with several pairs: everything around it misbehaves for a while, then nothing does.
//!
//! Every history checks safety: tables, dead letters and ledgers. This kind also checks liveness: once the faults are
//! over, within a bounded time of the world's clock everything is read, written, acknowledged and committed, without a
//! restart of the process.

use ctr_domain::shell::{Counter, PartitionError, Upset};
use ctr_domain::side::Side;

use crate::check;
use crate::dice::Dice;
use crate::mutation::Mutation;
use crate::process::{Process, Surroundings};
use crate::settings;
use crate::world::{Checked, Kind, World};

/// Steps with faults.
pub(crate) const STEPS: usize = 400;

/// How long everything may take after the faults, ms of the world's clock: retries, timeouts, and the delay after which
/// an unreadable partition is retried.
const PATIENCE: i64 = 20 * 60_000;

/// How long nothing must have been sent: longer than the idle timeout needs to send the last windows.
const QUIET: i64 = 5 * 60_000;

const TWO_DAYS: i64 = 2 * 86_400_000;

struct ShellHistory<C: Counter> {
    worlds: Vec<World>,
    process: Process<C>,
    /// An older process with the same name, which does not know yet that the coordinator has fenced it: no commit of it
    /// is kept any more, but its rows and dead letters arrive.
    namesake: Option<Process<C>>,
    dice: Dice,
    /// How many processes may still be killed.
    kills: usize,
    /// Since when nothing was sent.
    quiet_since: i64,
}

/// Runs one history to its end, after so many steps with faults; `Ok` holds the number of records read in it.
pub(crate) fn run<C: Counter<Broken = Option<Mutation>>>(
    seed: u64,
    mutation: Option<Mutation>,
    steps: usize,
) -> Checked<u64> {
    let mut dice = Dice::new(seed);
    let pairs = 1 + dice.below(3) as u64;
    let mut worlds: Vec<World> =
        (0..pairs).map(|pair| World::new(seed.wrapping_mul(31).wrapping_add(pair), Kind::Shell, mutation)).collect();
    let (now, rules) = (worlds[0].now, worlds[0].rules);
    for world in &mut worlds {
        (world.now, world.rules) = (now, rules);
        world.learn_truth();
        world.present[Side::Impressions] = dice.chance(95);
        world.present[Side::Clicks] = dice.chance(95);
    }
    let around =
        Surroundings { sink_room: dice.pick(&[1, 2, usize::MAX]), prompt: dice.chance(50), ..Surroundings::CALM };
    let process = Process::join(&mut worlds, settings::quick(&mut dice), around)?;
    let kills = dice.below(4);
    let mut history = ShellHistory::<C> { worlds, process, namesake: None, dice, kills, quiet_since: now };
    for _ in 0..steps {
        history.step()?;
    }
    history.recover()?;
    for world in &history.worlds {
        check::at_the_end(world)?;
    }
    Ok(history.worlds.iter().map(|world| world.records_read).sum())
}

impl<C: Counter<Broken = Option<Mutation>>> ShellHistory<C> {
    fn step(&mut self) -> Checked<()> {
        self.pass_time();
        match self.namesake.take() {
            Some(namesake) if self.dice.chance(30) => self.let_namesake_act(namesake),
            namesake => {
                self.namesake = namesake;
                self.act()
            }
        }
    }

    /// The namesake acts as if it were the owner, until it hears that it is not.
    fn let_namesake_act(&mut self, namesake: Process<C>) -> Checked<()> {
        let owner = std::mem::replace(&mut self.process, namesake);
        if self.dice.chance(5) {
            return std::mem::replace(&mut self.process, owner).die(&mut self.worlds);
        }
        for fenced in std::mem::take(&mut self.process.commits) {
            self.process.answer_commit(&mut self.worlds, &fenced, false)?;
        }
        match self.dice.below(100) {
            0..40 => self.read(8)?,
            40..60 => self.process.fire(&mut self.worlds).map(drop)?,
            60..75 => self.write_one()?,
            75..85 => self.process.hand_letters(self.worlds[0].now),
            85..95 => self.process.answer_letter(&mut self.worlds)?,
            _ => self.process.on_time(&mut self.worlds)?,
        }
        self.namesake = Some(std::mem::replace(&mut self.process, owner));
        Ok(())
    }

    fn act(&mut self) -> Checked<()> {
        match self.dice.below(100) {
            0..40 => self.read(8)?,
            40..52 => self.process.fire(&mut self.worlds).map(drop)?,
            52..60 => self.write_one()?,
            60..66 => self.process.hand_letters(self.worlds[0].now),
            66..74 => self.process.answer_letter(&mut self.worlds)?,
            74..82 => self.process.on_time(&mut self.worlds)?,
            82..88 => self.commit()?,
            88..91 => self.process.answer_end(&mut self.worlds),
            91..94 => {
                let well = self.dice.chance(60);
                self.process.answer_facts(&mut self.worlds, well)?;
            }
            _ => self.misfortune()?,
        }
        Ok(())
    }

    /// Advances the common clock; producers write.
    fn pass_time(&mut self) {
        self.worlds[0].tick();
        let now = self.worlds[0].now;
        for world in &mut self.worlds {
            world.now = now;
            world.grow();
        }
    }

    fn read(&mut self, most: usize) -> Checked<()> {
        let (index, side) = (self.dice.below(self.process.pairs()), self.dice.pick(&Side::BOTH));
        if index < self.process.pairs() && self.process.may_read(index, side)? {
            let records = 1 + self.dice.below(most);
            self.process.read(&mut self.worlds, index, side, records)?;
        }
        Ok(())
    }

    /// The sink writes the rows of one pair, and reports it.
    fn write_one(&mut self) -> Checked<()> {
        if self.process.around.sink_available && self.process.pairs() > 0 {
            let index = self.dice.below(self.process.pairs());
            self.process.write_rows(&mut self.worlds, index)?;
            if self.dice.chance(80) {
                self.process.acknowledge_rows(&mut self.worlds, index);
            }
        }
        Ok(())
    }

    /// A commit is kept or lost, and answered now, later, wrongly or never.
    fn commit(&mut self) -> Checked<()> {
        if !self.process.unanswered.is_empty() && self.dice.chance(30) {
            let late = self.process.unanswered.remove(0);
            return self.process.answer_commit(&mut self.worlds, &late, true);
        }
        if self.process.commits.is_empty() {
            return Ok(());
        }
        let commit = self.process.commits.remove(0);
        match self.dice.below(100) {
            // Lost on the way, or refused.
            0..15 => Ok(()),
            15..25 => self.process.answer_commit(&mut self.worlds, &commit, false),
            // Kept, but its result arrives late.
            25..50 => {
                self.process.apply(&mut self.worlds, &commit);
                self.process.unanswered.push(commit);
                Ok(())
            }
            _ => {
                self.process.apply(&mut self.worlds, &commit);
                self.process.answer_commit(&mut self.worlds, &commit, true)
            }
        }
    }

    fn misfortune(&mut self) -> Checked<()> {
        let (pair, side) = (self.dice.below(self.worlds.len()), self.dice.pick(&Side::BOTH));
        match self.dice.below(14) {
            0 => self.process.around.sink_available = self.dice.chance(50),
            1 | 2 => self.process.around.letters_taken = self.dice.chance(50),
            3 => self.process.rebalance(&mut self.worlds)?,
            4 if self.kills > 0 => {
                self.kills -= 1;
                self.begin_anew()?;
            }
            5 => self.worlds[pair].logs[side].hold(),
            6 => self.worlds[pair].logs[side].release(),
            7 => self.process.lose_questions(),
            8 => self.worlds[pair].unreadable[side] = self.dice.chance(30),
            9 if !self.worlds[pair].present[side] => {
                self.worlds[pair].present[side] = true;
                if self.dice.chance(50) {
                    self.process.rebalance(&mut self.worlds)?;
                }
            }
            10 if self.process.pairs() > 0 => {
                let index = self.dice.below(self.process.pairs());
                let error = self.dice.chance(50);
                let words = "fetch position out of range".to_owned();
                let error = if error { PartitionError::OutOfRange(words) } else { PartitionError::Gone(words) };
                self.process.upset(&mut self.worlds, index, side, Upset::Error(error))?;
            }
            12 => self.process.around.refused_rows = self.dice.chance(60).then_some(pair as i32),
            13 => {
                let remainder = self.dice.between(0, Surroundings::REMAINDERS - 1);
                self.process.around.refused_letters = self.dice.chance(60).then_some(remainder);
            }
            // The process is suspended for minutes, and all its information becomes old.
            11 => self.worlds[0].now += self.dice.between(30_000, 300_000),
            _ => {}
        }
        Ok(())
    }

    /// Another process starts from the commits: the old one was killed, or is only believed to be dead.
    fn begin_anew(&mut self) -> Checked<()> {
        self.process.let_commits_arrive(&mut self.worlds);
        let around = Surroundings { sink_available: true, ..self.process.around };
        let next = Process::join(&mut self.worlds, settings::quick(&mut self.dice), around)?;
        let old = std::mem::replace(&mut self.process, next);
        if self.namesake.is_none() && self.dice.chance(50) {
            self.namesake = Some(old);
            return Ok(());
        }
        old.die(&mut self.worlds)
    }

    /// The faults are over. Everyone does only what is required; the process must reach the end by itself.
    fn recover(&mut self) -> Checked<()> {
        if let Some(namesake) = self.namesake.take() {
            namesake.die(&mut self.worlds)?;
        }
        self.process.around = Surroundings { sink_room: self.process.around.sink_room, ..Surroundings::CALM };
        // A partition that the group has never assigned arrives with a rebalance, as in a group whose topics grow.
        let known = self.process.shell.pairs().len() + self.process.shell.without_twin().len();
        for world in &mut self.worlds {
            world.present.0 = [true; 2];
            world.unreadable.0 = [false; 2];
            for log in &mut world.logs.0 {
                log.release();
                log.grow(i64::MAX / 2);
            }
        }
        if known < self.worlds.len() {
            self.process.rebalance(&mut self.worlds)?;
        }
        self.live(PATIENCE, Self::has_read_all)?;
        // Silence: event time advances with the clock, so the last windows are sent.
        self.worlds[0].now += TWO_DAYS;
        self.quiet_since = self.worlds[0].now;
        self.live(PATIENCE, Self::is_settled)?;
        self.process.stop(self.worlds[0].now);
        self.live(PATIENCE, |history| Ok(history.process.shell.owed().is_nothing()))?;
        self.process.close_ledger()
    }

    /// Everyone does what is required until a condition is met, or the time is over.
    fn live(&mut self, patience: i64, is_reached: impl Fn(&mut Self) -> Checked<bool>) -> Checked<()> {
        let deadline = self.worlds[0].now + patience;
        let mut step = 50;
        while self.worlds[0].now < deadline {
            self.worlds[0].now += step;
            step = (step + step / 20).min(5_000);
            let now = self.worlds[0].now;
            self.worlds.iter_mut().for_each(|world| world.now = now);
            self.process.answer_everything(&mut self.worlds)?;
            self.process.read_everywhere(&mut self.worlds, 40)?;
            let mut firings = 0;
            while firings < 200 && self.process.fire(&mut self.worlds)? {
                firings += 1;
                // A sink with little room writes one batch after another.
                if self.process.around.sink_room != usize::MAX {
                    self.process.drain(&mut self.worlds, true)?;
                }
            }
            if firings > 0 {
                self.quiet_since = now;
            }
            self.process.drain(&mut self.worlds, true)?;
            self.process.on_time(&mut self.worlds)?;
            if is_reached(self)? {
                return Ok(());
            }
        }
        Err(format!("{patience} ms after the faults it still waits: {}", self.process.describe(&self.worlds)))
    }

    fn has_read_all(&mut self) -> Checked<bool> {
        let is_whole = self.process.pairs() == self.worlds.len();
        Ok(is_whole && self.process.has_read_all(&self.worlds) && self.process.shell.replaying() == 0)
    }

    fn is_settled(&mut self) -> Checked<bool> {
        let owed = self.process.shell.owed();
        if !self.has_read_all()? {
            // Taken over again meanwhile: everything is sent again, and the silence starts over.
            self.quiet_since = self.worlds[0].now;
        }
        Ok(!owed.letters && !owed.rows_or_letters_unacknowledged && self.worlds[0].now - self.quiet_since > QUIET)
    }
}
