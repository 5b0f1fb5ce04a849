//! The windows a task holds, and their counts.

use std::collections::HashSet;

use foldhash::fast::RandomState;
use indexmap::IndexMap;

use crate::checkpoint::RecordMark;
use crate::counts::Counts;
use crate::event::Event;
use crate::rules::Deduplication;
use crate::side::{BySide, Side};
use crate::window::Window;

/// The first record of a window in one partition: where a replay must begin, and with which maximum.
#[derive(Debug, Clone, Copy)]
pub(super) struct FirstRecord {
    pub(super) record: RecordMark,
    pub(super) maximum_before: Option<i64>,
}

/// One window: the counts of its products, and which of them have not been sent in their current state.
///
/// Products keep the order of their first event. Those before `shown` have been sent at least once; of these, the ones
/// that have changed since are in `changed`. So a window fires in one pass, and a late event sends one row.
#[derive(Debug)]
pub(crate) struct OpenWindow {
    pub(crate) window: Window,
    products: IndexMap<Box<str>, Product, RandomState>,
    seen: BySide<HashSet<Box<str>, RandomState>>,
    first: BySide<Option<FirstRecord>>,
    shown: usize,
    changed: Vec<usize>,
    /// The number of the newest row batch that contains rows of this window.
    pub(super) last_batch: u64,
    /// Whether all of it has been sent at some time.
    pub(super) fired: bool,
}

/// How much one firing may still hand out: rows, and bytes of their product IDs. (The rest of a row has a fixed size.)
#[derive(Debug, Clone, Copy)]
pub(crate) struct FiringRoom {
    rows: usize,
    id_bytes: usize,
}

impl FiringRoom {
    /// Unlimited room.
    pub(crate) const UNBOUNDED: Self = Self { rows: usize::MAX, id_bytes: usize::MAX };

    pub(crate) const fn new(rows: usize, id_bytes: usize) -> Self {
        Self { rows, id_bytes }
    }

    pub(crate) const fn is_left(self) -> bool {
        self.rows > 0 && self.id_bytes > 0
    }

    const fn take(&mut self, product_id: &str) {
        self.rows -= 1;
        self.id_bytes = self.id_bytes.saturating_sub(product_id.len());
    }
}

#[derive(Debug, Default)]
struct Product {
    counts: Counts,
    changed: bool,
}

impl OpenWindow {
    pub(crate) fn new(window: Window) -> Self {
        Self {
            window,
            products: IndexMap::default(),
            seen: BySide::default(),
            first: BySide::default(),
            shown: 0,
            changed: Vec::new(),
            last_batch: 0,
            fired: false,
        }
    }

    /// Records a record of this window; the first one of each side is where a replay must begin.
    pub(super) fn hold(&mut self, side: Side, record: RecordMark, maximum_before: Option<i64>) {
        if self.first[side].is_none() {
            self.first[side] = Some(FirstRecord { record, maximum_before });
        }
    }

    /// Counts an event; false if its ID was counted before.
    pub(crate) fn count(&mut self, side: Side, event: &Event<'_>, deduplication: Deduplication) -> bool {
        if deduplication == Deduplication::EventId && !self.is_new(side, event) {
            return false;
        }
        let product_id: &str = &event.product_id;
        if let Some((index, _, product)) = self.products.get_full_mut(product_id) {
            product.counts.add(event.kind);
            if index < self.shown && !product.changed {
                product.changed = true;
                self.changed.push(index);
            }
        } else {
            let mut product = Product::default();
            product.counts.add(event.kind);
            self.products.insert(product_id.into(), product);
        }
        true
    }

    fn is_new(&mut self, side: Side, event: &Event<'_>) -> bool {
        let Some(event_id) = event.event_id.as_deref() else { return true };
        !self.seen[side].contains(event_id) && self.seen[side].insert(event_id.into())
    }

    /// Whether every product was sent in its current state.
    pub(super) fn is_shown(&self) -> bool {
        self.shown == self.products.len() && self.changed.is_empty()
    }

    /// Hands out the rows that were not sent in their current state, as many as `room` allows; returns their number.
    pub(crate) fn show(&mut self, room: &mut FiringRoom, mut row: impl FnMut(&str, Counts)) -> usize {
        let mut sent = 0;
        while room.is_left()
            && let Some(index) = self.changed.pop()
        {
            if let Some((product_id, product)) = self.products.get_index_mut(index) {
                product.changed = false;
                row(product_id, product.counts);
                room.take(product_id);
                sent += 1;
            }
        }
        while room.is_left()
            && let Some((product_id, product)) = self.products.get_index(self.shown)
        {
            row(product_id, product.counts);
            room.take(product_id);
            self.shown += 1;
            sent += 1;
        }
        sent
    }
}

/// The windows held, oldest first. There are few: disorder, lateness and drift are bounded.
#[derive(Debug, Default)]
pub(super) struct OpenWindows(Vec<OpenWindow>);

impl OpenWindows {
    /// The window's counts, created if missing. Most events are for the newest window, so the search starts there.
    pub(super) fn open(&mut self, window: Window) -> &mut OpenWindow {
        let after = self.0.iter().rposition(|open| open.window.end <= window.end);
        let index = match after {
            Some(index) if self.0[index].window == window => index,
            after => {
                let index = after.map_or(0, |index| index + 1);
                self.0.insert(index, OpenWindow::new(window));
                index
            }
        };
        &mut self.0[index]
    }

    /// The first record, in one partition, of any window held.
    pub(super) fn low(&self, side: Side) -> Option<FirstRecord> {
        self.0.iter().filter_map(|open| open.first[side]).min_by_key(|first| first.record.offset)
    }

    pub(super) fn oldest(&self) -> Option<&OpenWindow> {
        self.0.first()
    }

    pub(super) fn remove_oldest(&mut self) {
        self.0.remove(0);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &OpenWindow> {
        self.0.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut OpenWindow> {
        self.0.iter_mut()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
