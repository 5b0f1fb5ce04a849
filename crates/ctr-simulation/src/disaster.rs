//! Events that can affect a log outside the protocol while nobody reads it: each case of the crash table in
//! docs/delivery.md.

use ctr_domain::checkpoint::PartitionCheckpoint;
use ctr_domain::shell::Counter;
use ctr_domain::side::Side;

use crate::check;
use crate::history::History;
use crate::log::Log;
use crate::mutation::Mutation;
use crate::truth::{Reach, newest_window};
use crate::world::{Checked, World};

impl<C: Counter<Broken = Option<Mutation>>> History<C> {
    /// Stops the owner, changes one side or both, and starts the next owner.
    pub(crate) fn disaster(&mut self) -> Checked<()> {
        self.stop_quietly()?;
        let world = &mut self.world;
        let mut commits = Vec::new();
        for side in Side::BOTH {
            let commit = committed(world, side)?;
            check::letters_before(world, side, commit.position)?;
            commits.push(commit);
        }
        world.tables_before = world.tables.clone();
        world.letters_before = world.letters.0.keys().copied().collect();
        let mut mark = None;
        for (side, commit) in Side::BOTH.into_iter().zip(commits) {
            world.era.reach[side].position = commit.position;
            let entries = world.dice.between(0, 30);
            world.logs[side].grow(entries);
            mark = mark.max(match world.dice.below(4) {
                0 => cut(world, side, &commit),
                1 => make_anew(world, side, &commit),
                2 => reset(world, side),
                _ => commit.closed,
            });
        }
        world.era.mark = mark;
        world.learn_truth();
        world.commits.past = vec![world.commits.current.clone()];
        self.begin()
    }
}

/// The commit of a side with which the next owner begins.
pub(crate) fn committed(world: &World, side: Side) -> Checked<PartitionCheckpoint> {
    let (offset, metadata) = world.commits.current[side].as_ref().ok_or("no commit")?;
    PartitionCheckpoint::from_commit(*offset, metadata).map_err(|error| error.to_string())
}

/// Retention removes the beginning. Returns the closed mark with which this side continues.
fn cut(world: &mut World, side: Side, commit: &PartitionCheckpoint) -> Option<i64> {
    let bounds = world.logs[side].bounds();
    let start = world.dice.between(bounds.start, bounds.end);
    cut_to(world, side, commit, start)
}

/// Retention removes what is before `start`. Returns the closed mark with which this side continues.
pub(crate) fn cut_to(world: &mut World, side: Side, commit: &PartitionCheckpoint, start: i64) -> Option<i64> {
    world.logs[side].cut(start);
    if start > commit.position {
        world.era.reach[side].lost.push(commit.position..start);
        // Decisions of zombies about records after the gap were based on other knowledge.
        world.logs[side].incarnation += 1;
    }
    if start <= commit.low_offset {
        return commit.closed;
    }
    commit.closed.max(newest_window(&world.logs[side], &world.truth.verdicts[side], commit.position))
}

/// The topic is deleted and recreated with other records, of the same days or later ones.
fn make_anew(world: &mut World, side: Side, commit: &PartitionCheckpoint) -> Option<i64> {
    let Some(anchor) = commit.anchor else { return commit.closed };
    for _ in 0..4 {
        let incarnation = world.logs[side].incarnation + 1;
        let mut log = Log::random(&mut world.dice, &world.traffic, incarnation);
        // A log with the very same record mark, or a gap there, cannot be distinguished from the old one.
        let is_told = match log.get(anchor.offset) {
            Some(record) => record.timestamp != anchor.timestamp,
            None => log.full_end() <= anchor.offset,
        };
        if is_told {
            log.grow(world.dice.between(0, 120));
            world.logs[side] = log;
            world.era.reach[side] = Reach::default();
            return None;
        }
    }
    commit.closed
}

/// An operator sets the group's offset with Kafka's own tool.
fn reset(world: &mut World, side: Side) -> Option<i64> {
    let log = &mut world.logs[side];
    let bounds = log.bounds();
    let past_everything = log.full_end() + 1;
    let mut offset = world.dice.between((bounds.start - 5).max(0), bounds.end);
    if world.dice.chance(10) {
        offset = past_everything;
    }
    let first = if offset == past_everything { bounds.start } else { offset.max(bounds.start) };
    log.incarnation += 1;
    world.era.reach[side] = Reach { first, position: first, lost: Vec::new() };
    world.commits.current[side] = Some((offset, String::new()));
    None
}
