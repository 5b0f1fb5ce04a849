//! What follows from the log: the rules of docs/delivery.md, counted by brute force, with only the names of the
//! domain's code.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use ctr_domain::event::EventKind;
use ctr_domain::rejection::RejectionCode;
use ctr_domain::side::BySide;

use crate::log::{Content, Log, Record};
use crate::table::Count;

const WINDOW: i64 = 10_000;
const DISORDER: i64 = 2_000;
const LATENESS: i64 = 5_000;
const SKEW: i64 = 300_000;

/// The required outcome of one record, whoever reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Counted,
    Duplicate,
    TooLate,
    /// Its own partition would count it, but its window is closed and must not be rebuilt from part of its records.
    ClosedEarly,
    Rejected(RejectionCode),
}

impl Verdict {
    pub(crate) const fn is_letter(self) -> bool {
        matches!(self, Self::TooLate | Self::ClosedEarly | Self::Rejected(_))
    }
}

/// Which records of a partition count, since the last event outside the protocol affected its log.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reach {
    /// The first record that was ever read.
    pub(crate) first: i64,
    /// Removed by retention before they were read.
    pub(crate) lost: Vec<Range<i64>>,
    /// From here on the closed mark applies.
    pub(crate) position: i64,
}

/// Both partitions' ranges, and the closed mark with which they continue.
#[derive(Debug, Clone, Default)]
pub(crate) struct Era {
    pub(crate) reach: BySide<Reach>,
    pub(crate) mark: Option<i64>,
}

/// The outcome of every record of a pair of logs.
pub(crate) struct Truth {
    pub(crate) verdicts: BySide<BTreeMap<i64, Verdict>>,
    /// Of the windows after the closed mark.
    pub(crate) counts: BTreeMap<(u8, i64), Count>,
}

pub(crate) const fn window_end(at: i64) -> i64 {
    at.div_euclid(WINDOW) * WINDOW + WINDOW
}

impl Truth {
    pub(crate) fn of(logs: &BySide<Log>, era: &Era, deduplicate: bool) -> Self {
        let mut truth = Self { verdicts: BySide::default(), counts: BTreeMap::new() };
        for side in [0, 1] {
            truth.verdicts.0[side] = verdicts(&logs.0[side], &era.reach.0[side], era.mark, deduplicate);
        }
        for side in [0, 1] {
            for (offset, verdict) in &truth.verdicts.0[side] {
                let Some(Record { content: Content::Event { kind, product, at, .. }, .. }) = logs.0[side].get(*offset)
                else {
                    continue;
                };
                if *verdict == Verdict::Counted && Some(window_end(*at)) > era.mark {
                    let count = truth.counts.entry((*product, window_end(*at))).or_default();
                    match kind {
                        EventKind::Impression => count.impressions += 1,
                        EventKind::Click => count.clicks += 1,
                    }
                }
            }
        }
        truth
    }
}

fn verdicts(log: &Log, reach: &Reach, mark: Option<i64>, deduplicate: bool) -> BTreeMap<i64, Verdict> {
    let mut maximum = None;
    let mut ids = BTreeSet::new();
    let mut verdicts = BTreeMap::new();
    let read = log.all().filter(|(offset, _)| *offset >= reach.first);
    for (offset, record) in read.filter(|(offset, _)| !reach.lost.iter().any(|lost| lost.contains(offset))) {
        let (at, id) = match &record.content {
            Content::Bad(code) => {
                verdicts.insert(offset, Verdict::Rejected(*code));
                continue;
            }
            Content::Event { at, id, .. } => (*at, id.as_deref()),
        };
        if record.timestamp.is_some_and(|stamp| at > stamp + SKEW) {
            verdicts.insert(offset, Verdict::Rejected(RejectionCode::FutureTimestamp));
            continue;
        }
        let end = window_end(at);
        let watermark = maximum.map(|maximum| maximum - DISORDER - 1);
        let too_late = watermark.is_some_and(|watermark| end - 1 + LATENESS <= watermark);
        let verdict = if too_late {
            Verdict::TooLate
        } else if offset >= reach.position && Some(end) <= mark {
            Verdict::ClosedEarly
        } else if deduplicate && id.is_some_and(|id| !ids.insert((end, id))) {
            Verdict::Duplicate
        } else {
            Verdict::Counted
        };
        verdicts.insert(offset, verdict);
        maximum = maximum.max(Some(record.timestamp.map_or(at, |stamp| stamp.min(at))));
    }
    verdicts
}

/// The end of the newest window of any valid record before an offset.
pub(crate) fn newest_window(log: &Log, verdicts: &BTreeMap<i64, Verdict>, before: i64) -> Option<i64> {
    let valid = verdicts.range(..before).filter(|(_, verdict)| !matches!(verdict, Verdict::Rejected(_)));
    valid
        .filter_map(|(offset, _)| match &log.get(*offset)?.content {
            Content::Event { at, .. } => Some(window_end(*at)),
            Content::Bad(_) => None,
        })
        .max()
}
