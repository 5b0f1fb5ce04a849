//! The responses of the brokers and the group's coordinator in a simulated world.

use ctr_domain::recovery::{FreshStart, LogBounds};
use ctr_domain::shell::{CommittedOffset, PartitionFacts, Presence};
use ctr_domain::side::Side;

use crate::world::World;

/// The group assigns all existing partitions to one process.
pub(crate) fn assignment(worlds: &[World]) -> Vec<(Side, i32)> {
    let mut partitions = Vec::new();
    for (partition, world) in (0i32..).zip(worlds) {
        partitions.extend(Side::BOTH.into_iter().filter(|side| world.present[*side]).map(|side| (side, partition)));
    }
    partitions
}

/// The commits for some partitions of both topics, and the bounds of their logs.
pub(crate) fn facts(worlds: &[World], partitions: &[i32]) -> Vec<PartitionFacts> {
    let mut facts = Vec::new();
    for &partition in partitions {
        for side in Side::BOTH {
            facts.push(PartitionFacts { side, partition, presence: presence(&worlds[partition as usize], side) });
        }
    }
    facts
}

fn presence(world: &World, side: Side) -> Presence {
    if !world.present[side] {
        return Presence::Absent;
    }
    let commit = world.commits.current[side]
        .as_ref()
        .map(|(offset, metadata)| CommittedOffset { offset: *offset, metadata: metadata.clone() });
    let mut log = world.logs[side].bounds();
    if commit.is_none() && world.fresh == FreshStart::Latest {
        log = LogBounds { start: log.end, ..log };
    }
    Presence::There { commit, log }
}
