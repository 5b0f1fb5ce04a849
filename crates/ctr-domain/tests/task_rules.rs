//! The rules of a task, one by one: when rows are sent, what is held, what is late, what may be committed.
//!
//! Windows are 10 s, disorder 2 s, lateness 5 s, idle timeout 5 s, idle hold and drift 60 s.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::borrow::Cow;

use ctr_domain::checkpoint::RecordMark;
use ctr_domain::dead_letter::DeadLetterReason;
use ctr_domain::event::{Event, EventKind, MAX_ID_BYTES};
use ctr_domain::recovery::PartitionStart;
use ctr_domain::rejection::{Rejection, RejectionCode};
use ctr_domain::rules::{Deduplication, Rules};
use ctr_domain::side::{BySide, Side};
use ctr_domain::task::{Firings, MAX_FIRING_ID_BYTES, Outcome, RowBatch, Task};

const T: i64 = 1_700_000_000_000;
const IMPRESSIONS: Side = Side::Impressions;
const CLICKS: Side = Side::Clicks;

/// A task that has read nothing, and its input.
struct Stage {
    task: Task,
    next: BySide<i64>,
}

fn stage(rules: Rules) -> Stage {
    let starts = BySide([PartitionStart::at(0); 2]);
    Stage { task: Task::restore(rules, 7, starts, 0), next: BySide([0; 2]) }
}

fn event(product: &str, at: i64) -> Event<'_> {
    Event { kind: EventKind::Impression, product_id: Cow::Borrowed(product), timestamp: T + at, event_id: None }
}

impl Stage {
    /// The next record of a side, with the broker's timestamp `stamp`.
    fn stamped(&mut self, side: Side, stamp: i64, event: Result<Event<'_>, Rejection>) -> Outcome {
        let mark = RecordMark { offset: self.next[side], timestamp: Some(T + stamp) };
        self.next[side] += 1;
        self.task.on_event(side, mark, event)
    }

    /// Events of one product, each with its own time as timestamp.
    fn feed(&mut self, side: Side, product: &str, times: &[i64]) -> Vec<Outcome> {
        times.iter().map(|at| self.stamped(side, *at, Ok(event(product, *at)))).collect()
    }

    fn end(&mut self, side: Side) {
        self.task.on_partition_end(side, self.next[side]);
    }

    /// The rows that are due, as product, window start (s after T) and impressions.
    fn fire(&mut self, now: i64, limit: usize) -> (Option<RowBatch>, Vec<(String, i64, u64)>) {
        let mut rows = Vec::new();
        let batch = self.task.fire(now, limit, |row| {
            assert_eq!(row.source_partition, 7);
            rows.push((row.product_id.to_owned(), (row.window.start - T) / 1_000, row.counts.impressions));
        });
        (batch, rows)
    }

    fn rows(&mut self, now: i64) -> Vec<(String, i64, u64)> {
        self.fire(now, 100).1
    }

    /// Everything due is sent and acknowledged; returns how many windows are still held after a checkpoint.
    fn held(&mut self, now: i64) -> usize {
        if let Some(batch) = self.fire(now, 100).0 {
            self.task.on_rows_acknowledged(batch.number);
        }
        self.task.checkpoint().unwrap();
        self.task.open_windows()
    }
}

fn row(product: &str, start: i64, impressions: u64) -> (String, i64, u64) {
    (product.to_owned(), start, impressions)
}

fn closed_early(outcome: &Outcome) -> Option<bool> {
    match outcome {
        Outcome::DeadLetter(DeadLetterReason::TooLate(late)) => Some(late.closed_early),
        _ => None,
    }
}

#[test]
fn a_window_fires_when_the_slower_watermark_reaches_its_last_millisecond() {
    let mut stage = stage(Rules::default());
    stage.feed(IMPRESSIONS, "a", &[1_000, 12_000]);
    stage.feed(CLICKS, "a", &[11_999]);
    assert_eq!(stage.rows(0), []);
    stage.feed(CLICKS, "a", &[12_000]);
    assert_eq!(stage.rows(0), [row("a", 0, 1)]);
}

#[test]
fn a_changed_product_shows_once_a_flush_however_many_events_changed_it() {
    let mut stage = stage(Rules::default());
    stage.feed(IMPRESSIONS, "a", &[1_000, 2_000]);
    stage.feed(IMPRESSIONS, "b", &[3_000, 12_000]);
    stage.feed(CLICKS, "c", &[12_000]);
    assert_eq!(stage.rows(0), [row("a", 0, 2), row("b", 0, 1)]);
    assert_eq!(stage.fire(0, 100), (None, vec![]), "nothing has changed");
    stage.feed(IMPRESSIONS, "b", &[4_000, 5_000, 6_000]);
    assert_eq!(stage.rows(0), [row("b", 0, 4)]);
}

#[test]
fn a_limit_delays_rows_but_loses_none() {
    for limit in 1..=7 {
        let mut stage = stage(Rules::default());
        for product in ["a", "b", "c"] {
            stage.feed(IMPRESSIONS, product, &[1_000, 11_000]);
        }
        stage.feed(IMPRESSIONS, "z", &[25_000]);
        stage.feed(CLICKS, "z", &[25_000]);
        let mut shown = Vec::new();
        loop {
            let (batch, rows) = stage.fire(0, limit);
            let Some(batch) = batch else { break };
            assert!(rows.len() <= limit && batch.rows == rows.len() && batch.number > 0);
            shown.extend(rows);
            if shown.len() == limit.min(6) {
                // One that was sent changes while others still wait.
                stage.feed(IMPRESSIONS, "a", &[18_000]);
            }
        }
        for expected in [row("b", 0, 1), row("c", 0, 1), row("a", 10, 2), row("b", 10, 1), row("c", 10, 1)] {
            assert!(shown.contains(&expected), "limit {limit}: {expected:?} is not in {shown:?}");
        }
    }
}

#[test]
fn an_idle_partition_does_not_hold_back_rows_once_it_is_at_its_end() {
    let mut stage = stage(Rules::default());
    stage.feed(IMPRESSIONS, "a", &[1_000, 12_000]);
    stage.task.on_arrival(IMPRESSIONS, 5_000);
    assert_eq!(stage.rows(5_000), [], "silent, but perhaps only slow");
    stage.end(CLICKS);
    assert!(!stage.task.is_idle(CLICKS, 4_999));
    assert_eq!(stage.rows(4_999), []);
    assert!(stage.task.is_idle(CLICKS, 5_000));
    assert_eq!(stage.rows(5_000), [row("a", 0, 1)]);
}

#[test]
fn when_all_are_idle_event_time_goes_on_with_the_clock() {
    let mut stage = stage(Rules::default());
    stage.feed(IMPRESSIONS, "a", &[1_000]);
    stage.task.on_arrival(IMPRESSIONS, 10_000);
    stage.end(IMPRESSIONS);
    stage.end(CLICKS);
    // The watermark is 1000 - 2001; the window's last millisecond is 9999: 11000 ms after the last arrival.
    assert_eq!(stage.rows(20_999), []);
    assert_eq!(stage.rows(21_000), [row("a", 0, 1)]);
    assert_eq!(stage.held(30_000), 1, "the clock shows rows, but lets nothing go");
}

#[test]
fn what_changes_after_a_window_fired_by_the_clock_still_counts() {
    let mut stage = stage(Rules::default());
    stage.feed(IMPRESSIONS, "a", &[1_000]);
    stage.end(IMPRESSIONS);
    stage.end(CLICKS);
    assert_eq!(stage.rows(1_000_000), [row("a", 0, 1)]);
    assert_eq!(stage.feed(IMPRESSIONS, "a", &[2_000]), [Outcome::Counted]);
    assert_eq!(stage.rows(1_000_000), [row("a", 0, 2)], "what fired once stays due");
}

#[test]
fn a_side_far_ahead_waits_only_while_the_other_has_records_to_read() {
    let mut stage = stage(Rules::default());
    assert!(!stage.task.is_ahead(IMPRESSIONS) && !stage.task.is_ahead(CLICKS));
    stage.feed(IMPRESSIONS, "a", &[1_000]);
    assert!(stage.task.is_ahead(IMPRESSIONS), "nothing is known of the other");
    stage.feed(CLICKS, "a", &[1_000]);
    stage.feed(IMPRESSIONS, "a", &[61_000]);
    assert!(!stage.task.is_ahead(IMPRESSIONS));
    stage.feed(IMPRESSIONS, "a", &[61_001]);
    assert!(stage.task.is_ahead(IMPRESSIONS) && !stage.task.is_ahead(CLICKS));
    let maxima = [IMPRESSIONS, CLICKS].map(|side| stage.task.maximum(side));
    assert_eq!(maxima[0].unwrap() - maxima[1].unwrap(), 60_001);
    stage.end(CLICKS);
    assert!(!stage.task.is_ahead(IMPRESSIONS));
    stage.feed(CLICKS, "a", &[1_000]);
    assert!(stage.task.is_ahead(IMPRESSIONS), "there is more to read again");
}

#[test]
fn windows_are_held_until_both_have_passed_and_their_rows_are_acknowledged() {
    let mut stage = stage(Rules::default());
    stage.feed(IMPRESSIONS, "a", &[1_000, 17_000]);
    stage.feed(CLICKS, "a", &[16_999]);
    assert_eq!(stage.held(0), 2, "the clicks have not passed it");
    stage.feed(CLICKS, "a", &[17_000]);
    assert_eq!(stage.held(0), 1);
    assert_eq!(stage.task.closed(), Some(T + 10_000));

    stage.feed(IMPRESSIONS, "b", &[18_000, 27_000]);
    stage.feed(CLICKS, "a", &[27_000]);
    stage.feed(IMPRESSIONS, "b", &[37_000]);
    let (batch, _) = stage.fire(0, 100);
    let commit = |stage: &mut Stage| stage.task.checkpoint().unwrap().partitions[0];
    assert_eq!((commit(&mut stage).low_offset, commit(&mut stage).position), (1, 5), "rows lag: their window is held");
    stage.task.on_rows_acknowledged(batch.unwrap().number);
    assert_eq!(commit(&mut stage).low_offset, 3);
    assert_eq!(stage.task.closed(), Some(T + 20_000));
}

#[test]
fn firings_are_counted_by_window_the_first_on_time_the_others_late() {
    let mut stage = stage(Rules::default());
    stage.feed(IMPRESSIONS, "a", &[1_000]);
    stage.feed(IMPRESSIONS, "b", &[1_000, 13_000]);
    stage.feed(CLICKS, "a", &[13_000]);
    stage.fire(0, 1);
    assert_eq!(stage.task.firings(), Firings { on_time: 0, late: 0 }, "a part of it is not all of it");
    stage.fire(0, 100);
    assert_eq!(stage.task.firings(), Firings { on_time: 1, late: 0 });
    stage.feed(IMPRESSIONS, "a", &[2_000, 3_000]);
    stage.fire(0, 100);
    stage.fire(0, 100);
    assert_eq!(stage.task.firings(), Firings { on_time: 1, late: 1 });
}

#[test]
fn a_row_that_waits_for_a_limit_keeps_its_window() {
    let mut stage = stage(Rules::default());
    stage.feed(IMPRESSIONS, "a", &[1_000]);
    stage.feed(IMPRESSIONS, "b", &[1_000, 30_000]);
    stage.feed(CLICKS, "a", &[30_000]);
    let (batch, rows) = stage.fire(0, 1);
    assert_eq!(rows.len(), 1);
    stage.task.on_rows_acknowledged(batch.unwrap().number);
    assert_eq!(stage.task.checkpoint().unwrap().partitions[0].low_offset, 0);
    assert_eq!(stage.held(0), 1);
}

#[test]
fn row_acknowledgements_may_come_late_twice_and_out_of_order() {
    let mut stage = stage(Rules::default());
    stage.feed(IMPRESSIONS, "a", &[1_000, 11_000, 30_000]);
    stage.feed(CLICKS, "a", &[30_000]);
    let first = stage.fire(0, 1).0.unwrap().number;
    let second = stage.fire(0, 1).0.unwrap().number;
    let low = |stage: &mut Stage| stage.task.checkpoint().unwrap().partitions[0].low_offset;
    stage.task.on_rows_acknowledged(0);
    assert_eq!(low(&mut stage), 0);
    stage.task.on_rows_acknowledged(second);
    stage.task.on_rows_acknowledged(first);
    assert_eq!(low(&mut stage), 2, "an old acknowledgement takes nothing back");
    stage.feed(IMPRESSIONS, "a", &[50_000]);
    stage.feed(CLICKS, "a", &[50_000]);
    stage.task.on_rows_acknowledged(second + 100);
    assert_eq!(stage.fire(0, 100).0.unwrap().number, second + 1);
    assert_eq!(low(&mut stage), 2, "what was not handed out yet cannot be acknowledged");
}

#[test]
fn a_checkpoint_waits_for_the_letters_before_its_positions() {
    let mut stage = stage(Rules::default());
    let bad = || Err(Rejection::new(RejectionCode::InvalidJson, String::new()));
    let before = stage.task.checkpoint().unwrap();
    assert!(matches!(stage.stamped(IMPRESSIONS, 0, bad()), Outcome::DeadLetter(_)));
    assert!(matches!(stage.stamped(CLICKS, 0, bad()), Outcome::DeadLetter(_)));
    assert_eq!(stage.task.letters_issued(), 2);
    let after = stage.task.checkpoint().unwrap();
    assert!(stage.task.may_commit(&before) && !stage.task.may_commit(&after));
    stage.task.on_letters_acknowledged(1);
    assert!(!stage.task.may_commit(&after));
    stage.task.on_letters_acknowledged(2);
    stage.task.on_letters_acknowledged(1);
    assert!(stage.task.may_commit(&after));
    stage.stamped(CLICKS, 0, bad());
    stage.task.on_letters_acknowledged(9);
    stage.stamped(CLICKS, 0, bad());
    let newest = stage.task.checkpoint().unwrap();
    assert!(!stage.task.may_commit(&newest), "a letter not issued yet cannot be acknowledged");
}

#[test]
fn without_proof_a_silent_partition_keeps_its_windows() {
    let mut stage = stage(Rules::default());
    stage.feed(IMPRESSIONS, "a", &[1_000, 76_999]);
    stage.end(CLICKS);
    assert_eq!(stage.task.end_offset_request(), None, "passed, but not yet by the idle hold");
    stage.feed(IMPRESSIONS, "a", &[77_000]);
    let request = stage.task.end_offset_request().unwrap();
    assert_eq!((request.side, request.up_to), (CLICKS, T + 10_000));
    assert_eq!(stage.held(100_000), 2, "unanswered");
    stage.task.on_end_offset(request, 1);
    assert_eq!(stage.held(100_000), 2, "there was a record to read");
    assert_eq!(stage.task.end_offset_request(), Some(request), "it is asked again");
    let [counted, ..] = &stage.feed(CLICKS, "a", &[1_500])[..] else { panic!("nothing was fed") };
    assert_eq!(*counted, Outcome::Counted, "nobody knows better: it counts");
    assert_eq!(stage.task.end_offset_request(), None, "not at its end any more, as far as we know");
}

#[test]
fn a_proved_end_lets_windows_go_and_what_comes_then_is_closed_early() {
    let mut stage = stage(Rules::default());
    stage.feed(IMPRESSIONS, "a", &[1_000, 77_000]);
    stage.end(CLICKS);
    let request = stage.task.end_offset_request().unwrap();
    stage.task.on_end_offset(request, 0);
    assert_eq!(stage.task.end_offset_request(), None);
    assert_eq!(stage.rows(0), [row("a", 0, 1)], "what may go is due, whatever the watermark says");
    stage.task.checkpoint().unwrap();
    assert_eq!(stage.task.open_windows(), 2, "its row is not acknowledged");
    assert_eq!(stage.feed(CLICKS, "a", &[1_500]), [Outcome::Counted], "as long as it is held it counts");
    assert_eq!(stage.held(0), 1);
    let outcomes = stage.feed(CLICKS, "a", &[2_500, 12_500]);
    assert_eq!(closed_early(&outcomes[0]), Some(true));
    assert_eq!(outcomes[1], Outcome::Counted, "the next window is nobody's loss");
    let ledger = stage.task.ledger(CLICKS);
    assert_eq!((ledger.too_late, ledger.closed_early, ledger.difference()), (1, 1, 0));
    assert_eq!(
        closed_early(&stage.feed(IMPRESSIONS, "a", &[3_000])[0]),
        Some(false),
        "its own partition has passed it"
    );
}

#[test]
fn a_repeated_event_id_counts_once_in_a_window_and_partition() {
    let rules = Rules { deduplication: Deduplication::EventId, ..Rules::default() };
    let named = |at| Event { event_id: Some(Cow::Borrowed("e")), ..event("a", at) };
    for (rules, second) in [(rules, Outcome::Duplicate), (Rules::default(), Outcome::Counted)] {
        let mut stage = stage(rules);
        assert_eq!(stage.stamped(IMPRESSIONS, 0, Ok(named(0))), Outcome::Counted);
        assert_eq!(stage.stamped(IMPRESSIONS, 0, Ok(named(1))), second);
        assert_eq!(stage.stamped(CLICKS, 0, Ok(named(2))), Outcome::Counted, "another partition");
        assert_eq!(stage.stamped(IMPRESSIONS, 10_000, Ok(named(10_000))), Outcome::Counted, "another window");
        assert_eq!(stage.task.ledger(IMPRESSIONS).difference(), 0);
    }
}

#[test]
fn an_event_from_the_future_moves_nothing() {
    let mut stage = stage(Rules::default());
    let Outcome::DeadLetter(DeadLetterReason::Rejected(why)) = stage.stamped(IMPRESSIONS, 0, Ok(event("a", 300_001)))
    else {
        panic!("it counted");
    };
    assert_eq!((why.code, why.event_time), (RejectionCode::FutureTimestamp, Some(T + 300_001)));
    assert_eq!(stage.task.open_windows(), 0);
    assert_eq!(stage.stamped(IMPRESSIONS, 0, Ok(event("a", 300_000))), Outcome::Counted);
    assert_eq!(stage.task.watermark(IMPRESSIONS), T - 2_001, "the maximum moves to the broker's time only");
    assert_eq!(stage.feed(IMPRESSIONS, "a", &[1_000]), [Outcome::Counted], "and nobody else is late");
}

#[test]
fn a_record_below_the_next_offset_is_a_rewind_and_not_looked_at() {
    let mut stage = stage(Rules::default());
    stage.feed(IMPRESSIONS, "a", &[1_000, 2_000]);
    stage.next[IMPRESSIONS] = 1;
    assert_eq!(stage.feed(IMPRESSIONS, "a", &[2_000]), [Outcome::Rewind]);
    assert_eq!((stage.task.position(IMPRESSIONS), stage.task.ledger(IMPRESSIONS).consumed), (2, 2));
    stage.task.on_partition_end(IMPRESSIONS, 9);
    stage.next[IMPRESSIONS] = 8;
    assert_eq!(stage.feed(IMPRESSIONS, "a", &[2_000]), [Outcome::Rewind], "the end is behind us");
}

#[test]
fn another_record_at_the_anchor_is_another_log_and_not_looked_at() {
    let anchor = RecordMark { offset: 4, timestamp: Some(T) };
    let start = PartitionStart { low_offset: 5, position: 5, anchor: Some(anchor), ..PartitionStart::at(4) };
    for (stamp, expected) in [(T, Outcome::Replayed), (T + 1, Outcome::AnotherLog)] {
        let mut task = Task::restore(Rules::default(), 0, BySide([start, PartitionStart::at(0)]), 0);
        assert!(!task.is_replayed(), "the anchor must be seen first");
        let record = RecordMark { offset: 4, timestamp: Some(stamp) };
        assert_eq!(task.on_event(IMPRESSIONS, record, Ok(event("a", 0))), expected);
        assert_eq!(task.open_windows(), 0);
        assert_eq!(task.is_replayed(), expected == Outcome::Replayed);
    }
}

#[test]
fn letters_past_the_own_position_are_issued_while_the_other_side_replays() {
    let behind = PartitionStart { position: 3, ..PartitionStart::at(0) };
    let starts = BySide([PartitionStart::at(0), behind]);
    let mut task = Task::restore(Rules::default(), 0, starts, 0);
    let bad = || Err(Rejection::new(RejectionCode::InvalidJson, String::new()));
    let at = |offset| RecordMark { offset, timestamp: Some(T) };
    assert!(matches!(task.on_event(IMPRESSIONS, at(0), bad()), Outcome::DeadLetter(_)));
    assert_eq!(task.on_event(CLICKS, at(0), bad()), Outcome::Replayed);
    assert_eq!(task.letters_issued(), 1, "what was accounted for is not sent again");
    assert!(!task.is_replayed() && task.checkpoint().is_none());
    assert!(matches!(task.on_event(CLICKS, at(3), bad()), Outcome::DeadLetter(_)));
    assert!(task.is_replayed(), "past the position, over a hole");
    assert_eq!(task.checkpoint().unwrap().after_letters, 2);
}

#[test]
fn a_replayed_task_shows_the_windows_it_holds_once_more() {
    let mut first = stage(Rules::default());
    first.feed(IMPRESSIONS, "a", &[1_000, 12_000]);
    first.feed(CLICKS, "b", &[12_000]);
    assert_eq!(first.rows(0), [row("a", 0, 1)]);
    let checkpoint = first.task.checkpoint().unwrap();
    let starts = checkpoint.partitions.map(|commit| PartitionStart {
        offset: commit.low_offset,
        low_offset: commit.low_offset,
        position: commit.position,
        maximum: commit.maximum,
        closed: commit.closed,
        newest: commit.newest,
        anchor: commit.anchor,
    });
    let mut second = Stage { task: Task::restore(Rules::default(), 7, BySide(starts), 0), next: BySide([0; 2]) };
    second.feed(IMPRESSIONS, "a", &[1_000, 12_000]);
    assert_eq!(second.fire(0, 100), (None, vec![]), "the clicks are still to be replayed");
    second.feed(CLICKS, "b", &[12_000]);
    assert_eq!(second.rows(0), [row("a", 0, 1)]);
}

#[test]
fn a_time_before_the_first_that_is_accepted_moves_nothing_and_counts_nowhere() {
    let mut stage = stage(Rules { min_event_time: T, ..Rules::default() });
    stage.feed(IMPRESSIONS, "a", &[1_000]);
    let before = stage.task.maximum(IMPRESSIONS);
    let outcome = stage.stamped(IMPRESSIONS, 2_000, Ok(event("a", -1)));
    let Outcome::DeadLetter(DeadLetterReason::Rejected(rejection)) = outcome else { panic!("{outcome:?}") };
    assert_eq!(rejection.code, RejectionCode::InvalidTimestamp);
    assert!(rejection.message.contains("ctr.job.min-event-time"), "{rejection}");
    assert_eq!(stage.task.maximum(IMPRESSIONS), before);
    assert_eq!(stage.feed(IMPRESSIONS, "a", &[0]), [Outcome::Counted]);
    assert_eq!(stage.task.ledger(IMPRESSIONS).difference(), 0);
}

#[test]
fn one_firing_hands_out_a_bounded_number_of_bytes() {
    let mut stage = stage(Rules::default());
    let longest: Vec<String> = (0..10_000).map(|number| format!("{number:0MAX_ID_BYTES$}")).collect();
    for product in &longest {
        stage.feed(IMPRESSIONS, product, &[1_000]);
    }
    stage.feed(IMPRESSIONS, "a", &[12_000]);
    stage.feed(CLICKS, "a", &[12_000]);
    let mut shown = 0;
    while let (Some(_), rows) = stage.fire(0, usize::MAX) {
        let bytes: usize = rows.iter().map(|(product, ..)| product.len()).sum();
        assert!(bytes <= MAX_FIRING_ID_BYTES + MAX_ID_BYTES, "{bytes}");
        shown += rows.len();
    }
    assert_eq!(shown, longest.len());
}
