//! A history: owners that come, go and overlap, at the mercy of the dice, until all is read and shown.

use ctr_domain::task::Side;

use crate::check;
use crate::counter::Counter;
use crate::mutation::Mutation;
use crate::owner::{Owner, Read};
use crate::table::Commits;
use crate::world::{Checked, Kind, World};

/// More steps than this and the history is brought to its end.
const STEPS: usize = 1_500;
const TWO_DAYS: i64 = 2 * 86_400_000;

pub(crate) struct History<C> {
    pub(crate) world: World,
    /// The first is the one that Kafka means; the others do not know yet that they should be dead.
    pub(crate) owners: Vec<Owner<C>>,
    crashes: usize,
    disasters: usize,
}

/// Runs one history to its end; `Ok` says how many records were read in it.
pub(crate) fn run<C: Counter>(seed: u64, kind: Kind, mutation: Option<Mutation>) -> Checked<u64> {
    let mut world = World::new(seed, kind, mutation);
    let crashes = if kind == Kind::CalmEarly { 0 } else { world.dice.below(8) };
    let disasters = if kind == Kind::Disaster { 1 + world.dice.below(2) } else { 0 };
    let first = Owner::restore(&world)?;
    let mut history = History::<C> { world, owners: vec![first], crashes, disasters };
    for _ in 0..STEPS {
        history.step()?;
        if history.is_over() {
            break;
        }
    }
    history.finish()?;
    check::at_the_end(&history.world)?;
    Ok(history.world.records_read)
}

impl<C: Counter> History<C> {
    fn is_over(&self) -> bool {
        let written = self.world.logs.0.iter().all(|log| log.is_complete());
        written && self.crashes == 0 && self.disasters == 0 && self.owners[0].has_read_all(&self.world)
    }

    fn step(&mut self) -> Checked<()> {
        self.world.tick();
        self.world.grow();
        let index = if self.world.dice.chance(70) { 0 } else { self.world.dice.below(self.owners.len()) };
        self.act(index)?;
        if self.world.kind.is_early() && self.world.dice.chance(25) {
            self.owners[index].ask_for_end(&mut self.world);
        }
        if self.world.kind == Kind::CalmEarly { Ok(()) } else { self.adversity() }
    }

    /// One owner does one thing.
    fn act(&mut self, index: usize) -> Checked<()> {
        let (world, owner) = (&mut self.world, &mut self.owners[index]);
        match world.dice.below(100) {
            0..40 => return self.read(index),
            40..50 => {
                let limit = world.dice.pick(&[1, 2, 1_000]);
                owner.fire(world, limit)?;
            }
            50..60 => owner.write_rows(world)?,
            60..67 => owner.acknowledge_rows(world),
            67..75 => owner.send_letters(world)?,
            75..82 => owner.acknowledge_letters(world),
            82..87 => owner.take_checkpoint()?,
            87..92 => self.commit(index),
            92..96 => owner.ask_for_end(world),
            // For once everything answers at once.
            _ => {
                while owner.fire(world, 5)? {}
                owner.drain(world, world.is_sink_orderly())?;
                owner.take_checkpoint()?;
                self.commit(index);
            }
        }
        Ok(())
    }

    fn read(&mut self, index: usize) -> Checked<()> {
        let side = self.world.dice.pick(&Side::BOTH);
        let records = 1 + self.world.dice.below(8);
        // To wait for the other side keeps memory small; that is all it may matter.
        if self.owners[index].counter.is_ahead(side) && self.world.dice.chance(90) {
            return Ok(());
        }
        match self.owners[index].read(&mut self.world, side, records)? {
            Read::Done => Ok(()),
            Read::AnotherLog(side) => self.begin_anew(index, side),
        }
    }

    fn begin_anew(&mut self, index: usize, side: Side) -> Checked<()> {
        if self.world.kind != Kind::Disaster {
            return Err(format!("{side:?} was taken for another log"));
        }
        self.owners[index] = self.owners[index].restart_anew(&self.world, side)?;
        Ok(())
    }

    /// A commit goes to the broker. It may be lost, or arrive when nobody waits for it any more.
    fn commit(&mut self, index: usize) {
        let world = &mut self.world;
        let Some(commit) = self.owners[index].commit(world) else { return };
        let fate = if world.kind == Kind::CalmEarly { 100 } else { world.dice.below(100) };
        match fate {
            0..10 => {}
            10..25 => world.commits.delayed.push(commit),
            _ if world.is_mutated(Mutation::SplitCommit) => {
                let side = world.dice.pick(&Side::BOTH);
                let mut half = world.commits.current.clone();
                half[side].clone_from(&commit[side]);
                world.commits.apply(half);
            }
            _ => world.commits.apply(commit),
        }
    }

    fn adversity(&mut self) -> Checked<()> {
        let dice = &mut self.world.dice;
        if self.crashes > 0 && dice.chance(3) {
            self.crashes -= 1;
            self.owners.remove(0).die(&mut self.world)?;
            self.owners.insert(0, Owner::restore(&self.world)?);
        } else if self.owners.len() < 3 && dice.chance(2) {
            self.owners.insert(0, Owner::restore(&self.world)?);
        } else if self.owners.len() > 1 && dice.chance(3) {
            let last = self.owners.remove(self.owners.len() - 1);
            last.die(&mut self.world)?;
        } else if dice.chance(2) {
            self.turn_back_commits();
        } else if self.disasters > 0 && dice.chance(2) {
            self.disasters -= 1;
            self.disaster()?;
        }
        Ok(())
    }

    /// A commit that was on its way arrives, or an older one is the last to be kept.
    fn turn_back_commits(&mut self) {
        let (dice, commits) = (&mut self.world.dice, &mut self.world.commits);
        let from = if dice.chance(50) { &mut commits.delayed } else { &mut commits.past };
        if !from.is_empty() {
            let commit = from.swap_remove(dice.below(from.len()));
            commits.apply(commit);
        }
    }

    /// The last owner reads what there is. Whoever waits for the other side gets its turn, or the two wait for ever.
    pub(crate) fn read_all(&mut self) -> Checked<()> {
        let mut was_read = false;
        for _ in 0..1_000 {
            for side in Side::BOTH {
                if self.owners[0].counter.is_ahead(side) {
                    continue;
                }
                if let Read::AnotherLog(side) = self.owners[0].read(&mut self.world, side, 40)? {
                    self.begin_anew(0, side)?;
                }
            }
            // Read to the end twice: the second time the consumer says that it is the end.
            if was_read && self.owners[0].counter.is_replayed() {
                return Ok(());
            }
            was_read = self.owners[0].has_read_all(&self.world);
        }
        Err("the owner does not get to the end of its logs".to_owned())
    }

    pub(crate) fn only_the_owner_lives(&mut self) -> Checked<()> {
        for zombie in self.owners.split_off(1) {
            zombie.die(&mut self.world)?;
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
            // Another comes and reads again, from any commit there ever was.
            self.turn_back_commits();
            let next = Owner::restore(&self.world)?;
            std::mem::replace(&mut self.owners[0], next).die(&mut self.world)?;
            self.finish_owner()?;
        }
        Ok(())
    }

    fn finish_owner(&mut self) -> Checked<()> {
        self.read_all()?;
        self.world.now += TWO_DAYS;
        let (world, owner) = (&mut self.world, &mut self.owners[0]);
        while owner.fire(world, 7)? {}
        owner.drain(world, true)?;
        owner.take_checkpoint()?;
        let commit = owner.commit(world).ok_or("nothing may be committed although all is acknowledged")?;
        owner.close_ledger()?;
        world.commits.apply(commit);
        Ok(())
    }

    /// Reads to a point where everything read is committed, and stops there.
    pub(crate) fn stop_quietly(&mut self) -> Checked<()> {
        self.only_the_owner_lives()?;
        self.read_all()?;
        let (world, owner) = (&mut self.world, &mut self.owners[0]);
        let rows = world.dice.chance(50);
        while rows && owner.fire(world, 5)? {}
        owner.drain(world, rows)?;
        owner.take_checkpoint()?;
        let commit = owner.commit(world).ok_or("nothing may be committed although all is acknowledged")?;
        self.owners.remove(0).die(world)?;
        world.commits = Commits::default();
        world.commits.apply(commit);
        Ok(())
    }
}
