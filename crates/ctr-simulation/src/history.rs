//! A history: processes that start, stop and overlap at random, until everything is read and written.

use ctr_domain::shell::{Counter, ShellSettings};
use ctr_domain::side::{BySide, Side};

use crate::check;
use crate::mutation::Mutation;
use crate::process::{Process, Surroundings};
use crate::settings;
use crate::table::{Commits, Committed};
use crate::world::{Checked, Kind, World};

/// After this many steps the history is brought to its end.
pub(crate) const STEPS: usize = 1_500;
const TWO_DAYS: i64 = 2 * 86_400_000;

pub(crate) struct History<C: Counter> {
    pub(crate) world: World,
    /// The first is the rightful owner for Kafka; the others do not know yet that they should be dead.
    pub(crate) owners: Vec<Process<C>>,
    settings: ShellSettings,
    crashes: usize,
    disasters: usize,
}

/// Runs one history to its end, which begins after so many steps at the latest; `Ok` holds the number of records read in it.
pub(crate) fn run<C: Counter<Broken = Option<Mutation>>>(
    seed: u64,
    kind: Kind,
    mutation: Option<Mutation>,
    steps: usize,
) -> Checked<u64> {
    let mut world = World::new(seed, kind, mutation);
    let crashes = if kind == Kind::CalmEarly { 0 } else { world.dice.below(8) };
    let disasters = if kind == Kind::Disaster { 1 + world.dice.below(2) } else { 0 };
    let settings = settings::quick(&mut world.dice);
    let mut history = History::<C> { world, owners: Vec::new(), settings, crashes, disasters };
    history.begin()?;
    for _ in 0..steps {
        history.step()?;
        if history.is_over() {
            break;
        }
    }
    history.finish()?;
    check::at_the_end(&history.world)?;
    Ok(history.world.records_read)
}

impl<C: Counter<Broken = Option<Mutation>>> History<C> {
    /// Another process takes the partitions over: it is the rightful owner from now on.
    pub(crate) fn begin(&mut self) -> Checked<()> {
        let worlds = std::slice::from_mut(&mut self.world);
        self.owners.insert(0, Process::join(worlds, self.settings, Surroundings::CALM)?);
        Ok(())
    }

    fn is_over(&self) -> bool {
        let written = self.world.logs.0.iter().all(|log| log.is_complete());
        let worlds = std::slice::from_ref(&self.world);
        written && self.crashes == 0 && self.disasters == 0 && self.owners[0].has_read_all(worlds)
    }

    fn step(&mut self) -> Checked<()> {
        self.world.tick();
        self.world.grow();
        let index = if self.world.dice.chance(70) { 0 } else { self.world.dice.below(self.owners.len()) };
        self.act(index)?;
        if self.world.kind.is_early() && self.world.dice.chance(25) {
            let worlds = std::slice::from_mut(&mut self.world);
            self.owners[index].answer_end(worlds);
        }
        if self.world.kind == Kind::CalmEarly { Ok(()) } else { self.adversity() }
    }

    /// One process performs one step.
    fn act(&mut self, index: usize) -> Checked<()> {
        let what = self.world.dice.below(100);
        let orderly = self.world.is_sink_orderly();
        let (worlds, owner) = (std::slice::from_mut(&mut self.world), &mut self.owners[index]);
        match what {
            0..40 => return self.read(index),
            40..50 => {
                owner.fire(worlds)?;
            }
            50..60 => owner.write_rows(worlds, 0)?,
            60..67 => owner.acknowledge_rows(worlds, 0),
            67..75 => owner.hand_letters(worlds[0].now),
            75..82 => owner.answer_letter(worlds)?,
            82..87 => owner.on_time(worlds)?,
            87..92 => self.commit(index)?,
            92..96 => owner.answer_end(worlds),
            // For once everything responds immediately.
            _ => {
                while owner.fire(worlds)? {}
                owner.drain(worlds, orderly)?;
                owner.on_time(worlds)?;
                self.commit(index)?;
            }
        }
        Ok(())
    }

    fn read(&mut self, index: usize) -> Checked<()> {
        let side = self.world.dice.pick(&Side::BOTH);
        let records = 1 + self.world.dice.below(8);
        // Waiting for the other side keeps memory small; it must have no other effect.
        if !self.owners[index].may_read(0, side)? && self.world.dice.chance(90) {
            return Ok(());
        }
        self.owners[index].read(std::slice::from_mut(&mut self.world), 0, side, records)
    }

    /// A commit goes to the broker. It may be lost, or arrive when nobody waits for it any more; so may its result.
    fn commit(&mut self, index: usize) -> Checked<()> {
        let (worlds, owner) = (std::slice::from_mut(&mut self.world), &mut self.owners[index]);
        if owner.commits.is_empty() {
            return Ok(());
        }
        let commit = owner.commits.remove(0);
        let (calm, split) = (worlds[0].kind == Kind::CalmEarly, worlds[0].is_mutated(Mutation::SplitCommit));
        let fate = if calm { 100 } else { worlds[0].dice.below(100) };
        match fate {
            0..10 => return Ok(()),
            10..25 => {
                worlds[0].commits.delayed.push(commit.content[0].1.clone());
                return Ok(());
            }
            _ if split => {
                let side = worlds[0].dice.pick(&Side::BOTH);
                let mut half = worlds[0].commits.current.clone();
                half[side].clone_from(&commit.content[0].1[side]);
                worlds[0].commits.apply(half);
            }
            _ => owner.apply(worlds, &commit),
        }
        if calm || worlds[0].dice.chance(80) { owner.answer_commit(worlds, &commit, true) } else { Ok(()) }
    }

    fn adversity(&mut self) -> Checked<()> {
        let dice = &mut self.world.dice;
        if self.crashes > 0 && dice.chance(3) {
            self.crashes -= 1;
            self.owners.remove(0).die(std::slice::from_mut(&mut self.world))?;
            self.begin()?;
        } else if self.owners.len() < 3 && dice.chance(2) {
            self.begin()?;
        } else if self.owners.len() > 1 && dice.chance(3) {
            let last = self.owners.remove(self.owners.len() - 1);
            last.die(std::slice::from_mut(&mut self.world))?;
        } else if dice.chance(2) {
            self.turn_back_commits();
        } else if self.disasters > 0 && dice.chance(2) {
            self.disasters -= 1;
            self.disaster()?;
        }
        Ok(())
    }

    /// A commit in flight arrives, or an older one is the last to be kept.
    fn turn_back_commits(&mut self) {
        let (dice, commits) = (&mut self.world.dice, &mut self.world.commits);
        let from = if dice.chance(50) { &mut commits.delayed } else { &mut commits.past };
        if !from.is_empty() {
            let commit = from.swap_remove(dice.below(from.len()));
            commits.apply(commit);
        }
    }

    /// The last owner reads all records. A side that waits for the other one gets its turn; otherwise the two would
    /// wait forever.
    fn read_all(&mut self) -> Checked<()> {
        let (worlds, owner) = (std::slice::from_mut(&mut self.world), &mut self.owners[0]);
        let mut was_read = false;
        for _ in 0..1_000 {
            for side in Side::BOTH {
                if owner.may_read(0, side)? {
                    owner.read(worlds, 0, side, 40)?;
                }
            }
            // Read to the end twice: the second time the consumer reports the end.
            if was_read && owner.shell.replaying() == 0 {
                return Ok(());
            }
            was_read = owner.has_read_all(worlds);
            owner.drain(worlds, false)?;
        }
        Err("the owner does not get to the end of its logs".to_owned())
    }

    fn only_the_owner_lives(&mut self) -> Checked<()> {
        for zombie in self.owners.split_off(1) {
            zombie.die(std::slice::from_mut(&mut self.world))?;
        }
        Ok(())
    }

    fn finish(&mut self) -> Checked<()> {
        self.only_the_owner_lives()?;
        for log in &mut self.world.logs.0 {
            log.grow(i64::MAX / 2);
        }
        self.finish_owner()?;
        if self.world.kind != Kind::CalmEarly && self.world.dice.chance(30) {
            // Another process reads again, from any earlier commit.
            self.turn_back_commits();
            self.owners.remove(0).die(std::slice::from_mut(&mut self.world))?;
            self.begin()?;
            self.finish_owner()?;
        }
        Ok(())
    }

    fn finish_owner(&mut self) -> Checked<()> {
        self.read_all()?;
        self.world.now += TWO_DAYS;
        let (worlds, owner) = (std::slice::from_mut(&mut self.world), &mut self.owners[0]);
        while owner.fire(worlds)? {}
        owner.drain(worlds, true)?;
        let commit = self.commit_all()?;
        self.owners[0].close_ledger()?;
        self.world.commits.apply(commit);
        Ok(())
    }

    /// Advances time until everything read is committed, and returns the commits.
    fn commit_all(&mut self) -> Checked<BySide<Committed>> {
        let (worlds, owner) = (std::slice::from_mut(&mut self.world), &mut self.owners[0]);
        // Twice: a checkpoint that was due before the last rows were acknowledged goes first.
        for _ in 0..40 {
            worlds[0].now += 400;
            owner.on_time(worlds)?;
            owner.answer_all_commits(worlds)?;
        }
        let pair = &owner.shell.pairs()[0];
        let positions = BySide(Side::BOTH.map(|side| pair.counter().position(side)));
        match pair.committed() {
            Some(checkpoint)
                if Side::BOTH.iter().all(|side| {
                    let committed = checkpoint.partitions[*side as usize].position;
                    // The next offset to read may be below the position of an earlier run: the records in between are
                    // gone.
                    committed >= positions[*side]
                }) =>
            {
                Ok(Commits::encode_partitions(&checkpoint.partitions))
            }
            committed => Err(format!("all is acknowledged and {positions:?} are read, but {committed:?} is committed")),
        }
    }

    /// Reads to a point where everything read is committed, and stops there.
    pub(crate) fn stop_quietly(&mut self) -> Checked<()> {
        self.only_the_owner_lives()?;
        self.read_all()?;
        let rows = self.world.dice.chance(50);
        let (worlds, owner) = (std::slice::from_mut(&mut self.world), &mut self.owners[0]);
        while rows && owner.fire(worlds)? {}
        owner.drain(worlds, rows)?;
        let commit = self.commit_all()?;
        self.owners.remove(0).die(std::slice::from_mut(&mut self.world))?;
        self.world.commits = Commits::default();
        self.world.commits.apply(commit);
        Ok(())
    }
}
