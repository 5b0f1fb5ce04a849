//! A second, minimal implementation of the protocol, so that rules inside it can be broken without changing the
//! product.
//!
//! It fires everything that has changed on each call, never closes windows early, and uses no clock: none of that may
//! affect the result.

use std::collections::{BTreeMap, BTreeSet};

use ctr_domain::checkpoint::{Checkpoint, PartitionCheckpoint, RecordMark};
use ctr_domain::counts::{Counts, CtrResult};
use ctr_domain::dead_letter::{DeadLetterReason, TooLate};
use ctr_domain::event::Event;
use ctr_domain::ledger::Ledger;
use ctr_domain::recovery::PartitionStart;
use ctr_domain::rejection::Rejection;
use ctr_domain::rules::{Deduplication, Rules};
use ctr_domain::shell::{Counter, Flaw};
use ctr_domain::side::{BySide, Side};
use ctr_domain::task::{EndOffsetRequest, Firings, Outcome, RowBatch};
use ctr_domain::watermark::Watermark;

use crate::mutation::Mutation;

type First = (RecordMark, Option<i64>);

#[derive(Debug, Default)]
struct Held {
    counts: BTreeMap<String, Counts>,
    changed: BTreeSet<String>,
    ids: BTreeSet<(Side, String)>,
    first: BySide<Option<First>>,
    batch: u64,
}

#[derive(Debug)]
struct Half {
    start: PartitionStart,
    next: i64,
    maximum: Option<i64>,
    newest: Option<i64>,
    last: Option<RecordMark>,
    at_end: bool,
    ledger: Ledger,
}

#[derive(Debug)]
pub(crate) struct Model {
    rules: Rules,
    mutation: Option<Mutation>,
    halves: BySide<Half>,
    /// By the window's end.
    windows: BTreeMap<i64, Held>,
    closed: Option<i64>,
    replayed: bool,
    rows: (u64, u64),
    letters: (u64, u64),
}

impl Model {
    fn is(&self, mutation: Mutation) -> bool {
        self.mutation == Some(mutation)
    }

    fn watermark(&self, side: Side) -> Watermark {
        self.rules.watermark(self.halves[side].maximum)
    }

    fn has_passed(&self, side: Side, end: i64) -> bool {
        let mark = if self.is(Mutation::TaskWatermark) {
            self.watermark(side).min(self.watermark(side.twin()))
        } else {
            self.watermark(side)
        };
        self.rules.has_passed(end, mark)
    }

    fn decide(&mut self, side: Side, record: RecordMark, event: Result<Event<'_>, Rejection>, silent: bool) -> Outcome {
        let event = match event {
            Ok(event) if !self.rules.is_future(event.timestamp, record.timestamp) => event,
            Ok(event) => {
                let (at, stamp) = (event.timestamp, record.timestamp.unwrap_or_default());
                let ahead = Rejection::future(at, stamp, self.rules.max_future_skew_ms);
                return Outcome::DeadLetter(DeadLetterReason::Rejected(ahead));
            }
            Err(rejection) => return Outcome::DeadLetter(DeadLetterReason::Rejected(rejection)),
        };
        let window = self.rules.window_of(event.timestamp);
        let passed = self.has_passed(side, window.end);
        let half = &mut self.halves[side];
        let before = half.maximum;
        half.maximum = before.max(Some(Rules::progress(event.timestamp, record.timestamp)));
        half.newest = half.newest.max(Some(window.end));
        if passed || Some(window.end) <= self.closed {
            let late = TooLate { event_time: event.timestamp, window, closed_early: !passed };
            return Outcome::DeadLetter(DeadLetterReason::TooLate(late));
        }
        let forget = silent && self.is(Mutation::ForgetIds);
        let held = self.windows.entry(window.end).or_default();
        held.first[side].get_or_insert((record, before));
        if let Some(id) = event.event_id.filter(|_| self.rules.deduplication == Deduplication::EventId && !forget)
            && !held.ids.insert((side, id.into_owned()))
        {
            return Outcome::Duplicate;
        }
        held.counts.entry(event.product_id.to_string()).or_default().add(event.kind);
        held.changed.insert(event.product_id.into_owned());
        Outcome::Counted
    }

    fn let_go(&mut self) {
        let by_one = self.is(Mutation::LetGoByOne);
        while let Some((&end, held)) = self.windows.first_key_value() {
            let passed = Side::BOTH.map(|side| self.has_passed(side, end));
            let is_over = if by_one { passed[0] || passed[1] } else { passed[0] && passed[1] };
            if !is_over || !held.changed.is_empty() || held.batch > self.rows.1 {
                break;
            }
            self.windows.remove(&end);
            self.closed = self.closed.max(Some(end));
        }
    }

    fn low(&self, side: Side) -> Option<First> {
        let own = self.is(Mutation::OwnWindows);
        let held = self.windows.iter().filter(|(end, _)| !(own && self.has_passed(side, **end)));
        held.filter_map(|(_, held)| held.first[side]).min_by_key(|(record, _)| record.offset)
    }
}

impl Counter for Model {
    type Broken = Option<Mutation>;

    fn breaks(broken: Self::Broken, flaw: Flaw) -> bool {
        broken.and_then(Mutation::flaw) == Some(flaw)
    }

    fn restore(mutation: Self::Broken, rules: Rules, _: u32, starts: BySide<PartitionStart>, _: i64) -> Self {
        let half = |start: PartitionStart| Half {
            start,
            next: start.offset,
            maximum: start.maximum,
            newest: start.newest,
            last: start.anchor,
            at_end: false,
            ledger: Ledger::default(),
        };
        Self {
            rules,
            mutation,
            closed: starts.0[0].closed.max(starts.0[1].closed),
            halves: BySide(starts.0.map(half)),
            windows: BTreeMap::new(),
            replayed: false,
            rows: (0, 0),
            letters: (0, 0),
        }
    }

    fn on_event(&mut self, side: Side, record: RecordMark, event: Result<Event<'_>, Rejection>) -> Outcome {
        let half = &mut self.halves[side];
        if half.start.anchor.is_some_and(|anchor| anchor.offset == record.offset && anchor != record) {
            return Outcome::AnotherLog;
        }
        (half.next, half.last, half.at_end) = (record.offset + 1, Some(record), false);
        half.ledger.consumed += 1;
        if record.offset < half.start.low_offset {
            half.ledger.replayed += 1;
            return Outcome::Replayed;
        }
        let silent = record.offset < half.start.position;
        let outcome = self.decide(side, record, event, silent);
        let ledger = &mut self.halves[side].ledger;
        if silent {
            ledger.replayed += 1;
            return Outcome::Replayed;
        }
        match &outcome {
            Outcome::Duplicate => ledger.duplicates += 1,
            Outcome::DeadLetter(DeadLetterReason::Rejected(why)) => ledger.rejected[why.code.index()] += 1,
            Outcome::DeadLetter(DeadLetterReason::TooLate(_)) => ledger.too_late += 1,
            _ => ledger.counted += 1,
        }
        self.letters.0 += u64::from(matches!(outcome, Outcome::DeadLetter(_)));
        outcome
    }

    fn on_arrival(&mut self, _: Side, _: i64) {}

    fn on_partition_end(&mut self, side: Side, end_offset: i64) {
        let half = &mut self.halves[side];
        (half.next, half.at_end) = (half.next.max(end_offset), true);
    }

    fn is_replayed(&mut self) -> bool {
        if !self.replayed && self.halves.0.iter().all(|half| half.next >= half.start.position || half.at_end) {
            self.replayed = true;
            if self.is(Mutation::NotResent) {
                self.windows.values_mut().for_each(|held| held.changed.clear());
            }
        }
        self.replayed
    }

    fn is_replaying(&self, side: Side) -> bool {
        let half = &self.halves[side];
        !self.replayed && half.next < half.start.position && !half.at_end
    }

    fn is_ahead(&self, _: Side) -> bool {
        false
    }

    fn position(&self, side: Side) -> i64 {
        self.halves[side].next
    }

    fn on_log_end(&mut self, _: Side, _: i64) {}

    fn firings(&self) -> Firings {
        Firings::default()
    }

    fn is_acknowledged(&self) -> bool {
        self.rows.0 == self.rows.1 && self.letters.0 == self.letters.1
    }

    fn fire(&mut self, _: i64, limit: usize, mut row: impl FnMut(CtrResult<'_>)) -> Option<RowBatch> {
        if !self.is_replayed() {
            return None;
        }
        let mut rows = 0;
        for (end, held) in &mut self.windows {
            let window = self.rules.window_of(*end - 1);
            while rows < limit
                && let Some(product_id) = held.changed.pop_first()
            {
                row(CtrResult {
                    product_id: &product_id,
                    window,
                    source_partition: 0,
                    counts: held.counts[&product_id],
                });
                held.batch = self.rows.0 + 1;
                rows += 1;
            }
        }
        (rows > 0).then(|| {
            self.rows.0 += 1;
            RowBatch { number: self.rows.0, rows }
        })
    }

    fn on_rows_acknowledged(&mut self, batch: u64) {
        self.rows.1 = self.rows.1.max(batch);
    }

    fn on_letters_acknowledged(&mut self, letters: u64) {
        self.letters.1 = self.letters.1.max(letters);
    }

    fn letters_issued(&self) -> u64 {
        self.letters.0
    }

    fn checkpoint(&mut self) -> Option<Checkpoint> {
        let early = self.is(Mutation::CommitWhileReplaying);
        if !self.is_replayed() && !early {
            return None;
        }
        self.let_go();
        let partitions = Side::BOTH.map(|side| {
            let half = &self.halves[side];
            let nothing_held = (RecordMark { offset: half.next, timestamp: None }, half.maximum);
            let (low, anchor) = match self.low(side) {
                Some(first) => (first, Some(first.0)),
                None => (nothing_held, half.last),
            };
            PartitionCheckpoint {
                low_offset: low.0.offset,
                maximum: low.1,
                maximum_at_position: half.maximum,
                position: if early { half.next } else { half.next.max(half.start.position) },
                closed: self.closed,
                newest: half.newest,
                anchor,
                window_size: self.rules.window_size,
            }
        });
        Some(Checkpoint { partitions, after_letters: self.letters.0 })
    }

    fn may_commit(&self, checkpoint: &Checkpoint) -> bool {
        checkpoint.after_letters <= self.letters.1
    }

    fn ledger(&self, side: Side) -> &Ledger {
        &self.halves[side].ledger
    }

    fn end_offset_request(&self) -> Option<EndOffsetRequest> {
        None
    }

    fn on_end_offset(&mut self, _: EndOffsetRequest, _: i64) {}
}
