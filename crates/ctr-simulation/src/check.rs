//! What must be true at the end of a history.

use std::collections::{BTreeMap, BTreeSet};

use ctr_domain::dead_letter::DeadLetterReason;
use ctr_domain::event::EventKind;
use ctr_domain::side::Side;

use crate::log::Content;
use crate::table::{Count, LetterId};
use crate::truth::{Verdict, window_end};
use crate::world::{Checked, Kind, World};

pub(crate) fn at_the_end(world: &World) -> Checked<()> {
    // Without a proof no window may have been closed early.
    if world.kind.is_early() && !world.proofs.is_empty() { early(world) } else { exact(world) }
}

/// Every dead letter of the records before a position was sent.
pub(crate) fn letters_before(world: &World, side: Side, position: i64) -> Checked<()> {
    let new = letters_of(world, side).into_iter().filter(|(_, _, offset)| *offset < position);
    match new.into_iter().find(|id| !world.letters.0.contains_key(id)) {
        Some(id) => Err(format!("letter {id:?} was never sent, but {position} is committed")),
        None => Ok(()),
    }
}

/// The expected dead letters of a side's records in this era.
fn letters_of(world: &World, side: Side) -> Vec<LetterId> {
    let new = world.truth.verdicts[side].range(world.era.reach[side].position..);
    let letters = new.filter(|(_, verdict)| verdict.is_letter());
    letters.map(|(offset, _)| (side, world.logs[side].incarnation, *offset)).collect()
}

/// Table and dead letters match the log, to the last record. For windows that an earlier era has written, the larger
/// count is kept.
fn exact(world: &World) -> Checked<()> {
    let before = &world.tables_before;
    let keys: BTreeSet<_> = world.tables.raw.keys().chain(world.truth.counts.keys()).chain(before.raw.keys()).collect();
    for key in keys {
        let raw = match world.truth.counts.get(key) {
            Some(new) => before.raw(*key).replaced_by(*new),
            None => before.raw(*key),
        };
        let ml = before.ml(*key).larger_of_each(world.truth.counts.get(key).copied().unwrap_or_default());
        if (world.tables.raw(*key), world.tables.ml(*key)) != (raw, ml) {
            return Err(format!(
                "product and window {key:?}: raw {:?} and ml {:?}, must be {raw:?} and {ml:?}",
                world.tables.raw(*key),
                world.tables.ml(*key)
            ));
        }
    }
    let mut expected: BTreeSet<LetterId> = world.letters_before.clone();
    expected.extend(Side::BOTH.into_iter().flat_map(|side| letters_of(world, side)));
    let sent: BTreeSet<LetterId> = world.letters.0.keys().copied().collect();
    match expected.symmetric_difference(&sent).next() {
        Some(id) => Err(format!("letter {id:?}: must be sent: {}, was: {}", expected.contains(id), sent.contains(id))),
        None => Ok(()),
    }
}

/// The tables contain nothing that is not in the log; what they lack is in the dead letters of windows closed early.
/// Only an old owner that has read less of one log and more of the other can hide more, and only in `ctr_results_raw`.
fn early(world: &World) -> Checked<()> {
    let mut in_letters: BTreeMap<(u8, i64), Count> = BTreeMap::new();
    for ((side, _, offset), reason) in &world.letters.0 {
        let verdict = world.truth.verdicts[*side].get(offset).copied();
        if !matches!(reason, DeadLetterReason::TooLate(late) if late.closed_early) || verdict != Some(Verdict::Counted)
        {
            continue;
        }
        if let Some(Content::Event { kind, product, at, .. }) = world.logs[*side].get(*offset).map(|r| &r.content) {
            let count = in_letters.entry((*product, window_end(*at))).or_default();
            match kind {
                EventKind::Impression => count.impressions += 1,
                EventKind::Click => count.clicks += 1,
            }
        }
    }
    for (key, want) in &world.truth.counts {
        let letters = in_letters.get(key).copied().unwrap_or_default();
        for (table, have) in [("raw", world.tables.raw(*key)), ("ml", world.tables.ml(*key))] {
            let with_letters =
                Count { impressions: have.impressions + letters.impressions, clicks: have.clicks + letters.clicks };
            let is_covered = want.is_within(with_letters);
            let is_exact = world.kind != Kind::CalmEarly || *want == with_letters;
            let is_replaced = table == "raw" && world.tables.rivals.contains(key);
            if !have.is_within(*want) || !(is_covered || is_replaced) || !is_exact {
                return Err(format!("{table} {key:?}: {have:?} and {letters:?} in letters, must be {want:?}"));
            }
        }
    }
    for side in Side::BOTH {
        letters_before(world, side, i64::MAX)?;
    }
    match world.letters.0.keys().find(|(side, _, offset)| !world.truth.verdicts[*side].contains_key(offset)) {
        Some(id) => Err(format!("letter {id:?} of no record")),
        None => Ok(()),
    }
}
