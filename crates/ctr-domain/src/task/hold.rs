//! Holding: which windows must be kept, and when they may be let go.

use super::Task;
use crate::side::Side;

/// A request to the broker for the current end of this side's log. See [`Task::end_offset_request`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndOffsetRequest {
    /// The side in question.
    pub side: Side,
    /// The twin had passed the windows up to this end, by `idle-hold`, before the request was sent.
    pub up_to: i64,
}

impl Task {
    /// The end of the newest window for which nothing more can arrive according to the rules: both partitions have
    /// passed it, or one has passed it by `idle-hold` and the other is proved to have been at its end after that.
    pub(super) fn newest_to_let_go(&self) -> Option<i64> {
        self.windows.iter().map(|open| open.window.end).take_while(|end| self.may_let_go(*end)).last()
    }

    fn may_let_go(&self, window_end: i64) -> bool {
        Side::BOTH.into_iter().all(|side| {
            self.rules.has_passed(window_end, self.watermark(side))
                || (self.is_passed_by_idle_hold(side.twin(), window_end)
                    && self.partitions[side].proved_end >= Some(window_end))
        })
    }

    fn is_passed_by_idle_hold(&self, side: Side, window_end: i64) -> bool {
        self.rules.has_passed(window_end.saturating_add(self.rules.idle_hold_ms), self.watermark(side))
    }

    /// Lets go of the windows that cannot change and whose last rows are acknowledged, oldest first, and moves the closed
    /// mark. A window held back keeps all newer ones: the mark means that everything up to it is complete.
    pub(super) fn let_go(&mut self) {
        while let Some(oldest) = self.windows.oldest() {
            let end = oldest.window.end;
            if !oldest.is_settled(self.rows) || !self.may_let_go(end) {
                break;
            }
            self.windows.remove_oldest();
            self.closed = self.closed.max(Some(end));
        }
    }

    /// The request, if there is one, whose result would allow letting windows go: one side has passed them by
    /// `idle-hold`, and the other has been read to its end as far as we know. Old information proves nothing (this
    /// process may have been suspended for minutes), so the broker must be queried now; the result goes to
    /// [`Task::on_end_offset`].
    #[must_use]
    pub fn end_offset_request(&self) -> Option<EndOffsetRequest> {
        Side::BOTH.into_iter().find_map(|side| {
            let partition = &self.partitions[side];
            if !partition.is_at_end() {
                return None;
            }
            let wanted = self.windows.iter().map(|open| open.window.end).filter(|end| {
                !self.rules.has_passed(*end, self.watermark(side)) && self.is_passed_by_idle_hold(side.twin(), *end)
            });
            let up_to = wanted.max()?;
            (Some(up_to) > partition.proved_end).then_some(EndOffsetRequest { side, up_to })
        })
    }

    /// Handles the broker's response: the log of that side ends at `end_offset`. It is a proof only if everything
    /// before that has been read.
    pub fn on_end_offset(&mut self, request: EndOffsetRequest, end_offset: i64) {
        let partition = &mut self.partitions[request.side];
        if partition.next >= end_offset {
            partition.proved_end = partition.proved_end.max(Some(request.up_to));
        }
    }
}
