//! Flink's own answers: the results of Flink 1.18.1's window operator for recorded logs, compared with ours.
//!
//! `tests/flink` has the recordings, the answers and the program that generated them; this test needs neither Java nor
//! Flink. On one partition the two agree in every row, every moment and every dropped record. Where they differ, they
//! do so by design, and `differences.rs` specifies it exactly.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod differences;
mod reading;
mod recording;

use std::collections::BTreeMap;

use ctr_domain::rules::Rules;
use ctr_domain::window::WindowSize;

use reading::{Manner, read};
use recording::{Answers, Line, Recording, Shown, recordings};

fn assert_agrees(recording: &Recording, ours: &Answers, how: &str) {
    let (name, flink) = (&recording.name, &recording.flink);
    assert_eq!(ours.dropped, flink.dropped, "{name}, {how}: dropped as too late; ours, Flink's");
    let differs = ours.shown.iter().zip(&flink.shown).find(|(ours, flink)| ours != flink);
    assert_eq!(differs, None, "{name}, {how}: the first row that is not shown alike; ours, Flink's");
    assert_eq!(ours.shown.len(), flink.shown.len(), "{name}, {how}: rows shown");
    assert_eq!(ours.finals, flink.finals, "{name}, {how}: final counts; ours, Flink's");
}

#[test]
fn the_recordings_cover_what_they_are_for() {
    let all = recordings("agree");
    let count = |of: fn(&Recording) -> usize| all.iter().map(of).sum::<usize>();
    assert!(all.len() >= 20, "recordings are missing: {}", all.len());
    assert!(count(|recording| recording.steps.len()) > 1_500);
    assert!(count(|recording| recording.flink.dropped.len()) > 150);
    assert!(count(|recording| recording.flink.shown.iter().filter(|shown| shown.late).count()) > 100);
    assert!(count(|recording| recording.flink.shown.iter().filter(|shown| !shown.late).count()) > 150);
}

#[test]
fn on_one_partition_every_row_every_moment_and_every_drop_is_flinks() {
    for recording in recordings("agree") {
        assert_eq!(recording.sides.len(), 1, "{}", recording.name);
        let ours = read(&recording, Manner::default());
        assert_agrees(&recording, &ours.answers, "read through");
        assert_eq!((ours.closed_early, ours.rejected), (vec![], vec![]), "{}", recording.name);
    }
}

/// Flink drops a window's state when the watermark passes its end and the lateness; so may we, without any effect.
#[test]
fn letting_go_as_early_as_flink_does_changes_nothing() {
    let rules = Rules { idle_hold_ms: 0, ..Rules::default() };
    for recording in recordings("agree") {
        let ours = read(&recording, Manner { rules, lets_go: true, ..Manner::default() });
        assert_agrees(&recording, &ours.answers, "letting go");
        assert_eq!(ours.closed_early, Vec::<Line>::new(), "{}", recording.name);
        assert!(ours.most_held <= 2, "{} held {} windows", recording.name, ours.most_held);
    }
}

/// Flink emits a late update for each event, we emit one per flush: the newest of those that Flink emits in between.
#[test]
fn fewer_flushes_show_the_newest_of_flinks_rows_and_come_to_the_same() {
    for recording in recordings("agree") {
        for flush_every in [2, 3, 7, 50, 1_000] {
            let ours = read(&recording, Manner { flush_every, ..Manner::default() }).answers;
            let (name, flink) = (&recording.name, &recording.flink);
            assert_eq!(ours.dropped, flink.dropped, "{name}, flushed after every {flush_every}");
            assert_eq!(ours.finals, flink.finals, "{name}, flushed after every {flush_every}");
            let expected = newest_at_flushes(&flink.shown, recording.steps.len(), flush_every);
            assert_eq!(by_flush(&ours.shown), expected, "{name}, flushed after every {flush_every}");
        }
    }
}

/// The rows of each flush; `None` is the end of the input.
type ByFlush = BTreeMap<(Option<Line>, i64, String), (u64, u64)>;

fn by_flush(shown: &[Shown]) -> ByFlush {
    let rows = shown.iter().map(|shown| ((shown.line, shown.window, shown.product.clone()), shown.counts));
    let by_flush: ByFlush = rows.collect();
    assert_eq!(by_flush.len(), shown.len(), "a product shows once a flush");
    by_flush
}

fn newest_at_flushes(shown: &[Shown], steps: usize, flush_every: usize) -> ByFlush {
    let mut newest = ByFlush::new();
    for row in shown {
        // Line 2 is the first step. Rows that the last flush does not see wait for the end.
        let flush = row.line.map(|line| (line - 1).next_multiple_of(flush_every)).filter(|step| *step <= steps);
        newest.insert((flush.map(|step| step + 1), row.window, row.product.clone()), row.counts);
    }
    newest
}

/// The recordings hit the boundaries: a rule that is off by a millisecond gives a different answer somewhere.
#[test]
fn a_rule_off_by_one_millisecond_is_seen() {
    let right = Rules::default();
    let agrees = |rules: Rules| {
        recordings("agree").iter().all(|recording| {
            let ours = read(recording, Manner { rules, ..Manner::default() });
            ours.answers == recording.flink
        })
    };
    assert!(agrees(right));
    for off in [-1, 1] {
        let window_size = WindowSize::from_ms(right.window_size.ms() + off).unwrap();
        assert!(!agrees(Rules { window_size, ..right }), "window size {off:+} ms");
        let max_out_of_orderness_ms = right.max_out_of_orderness_ms + off;
        assert!(!agrees(Rules { max_out_of_orderness_ms, ..right }), "disorder {off:+} ms");
        let allowed_lateness_ms = right.allowed_lateness_ms + off;
        assert!(!agrees(Rules { allowed_lateness_ms, ..right }), "lateness {off:+} ms");
        // Together, the two leave the moment of dropping unchanged: only moments of firing reveal it.
        let together = Rules { max_out_of_orderness_ms, allowed_lateness_ms: right.allowed_lateness_ms - off, ..right };
        assert!(!agrees(together), "disorder {off:+} ms, lateness the other way");
    }
}
