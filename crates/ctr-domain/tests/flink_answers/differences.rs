//! The differences from Flink by design: each difference of `tests/flink/README.md` as a test that specifies it
//! exactly.
//!
//! Lines are those of the recording's file, in `tests/flink/differ`.

use ctr_domain::rejection::RejectionCode;
use ctr_domain::rules::Rules;
use ctr_domain::side::Side;

use crate::reading::{Manner, Reader, read};
use crate::recording::{Answers, Recording, Step, recording, recordings};

/// The start of the first window of every recording.
const START: i64 = 1_700_000_000_000;
const SECOND_WINDOW: i64 = START + 10_000;

fn differ(name: &str) -> (Recording, Answers) {
    let recording = recording("differ", name);
    let ours = read(&recording, Manner::default()).answers;
    (recording, ours)
}

#[test]
fn every_recording_of_a_difference_has_its_test() {
    let names: Vec<_> = recordings("differ").into_iter().map(|recording| recording.name).collect();
    let tested = [
        "clock_ahead",
        "far_future",
        "idle_and_back",
        "own_watermark",
        "periodic_watermarks",
        "same_logs_in_turns",
        "same_logs_one_after_the_other",
        "silence",
    ];
    assert_eq!(names, tested);
}

/// Flink drops what the operator's watermark, the minimum of all inputs, has passed. We drop what the record's own
/// partition has passed, however far behind the other one is.
#[test]
fn late_is_decided_by_the_records_own_partition() {
    let (Recording { flink, .. }, ours) = differ("own_watermark");
    assert_eq!(flink.dropped_lines(), [11, 12], "both partitions have passed the window");
    assert_eq!(ours.dropped_lines(), [7, 11, 12], "at line 7 only that record's own partition has");

    assert_eq!((flink.counts(START, "hat"), ours.counts(START, "hat")), (Some((1, 1)), Some((0, 1))));
    let mut rest = flink.finals;
    rest.insert((START, "hat".to_owned()), (0, 1));
    assert_eq!(ours.finals, rest, "nothing else differs");
    assert_eq!(
        ours.lines_shown(),
        differ("own_watermark").0.flink.lines_shown(),
        "we fire when Flink does: by the minimum"
    );
}

/// So two runs of Flink over the same logs may differ, and two of ours cannot.
#[test]
fn the_order_in_which_two_logs_are_read_decides_nothing() {
    let (turns, ours_in_turns) = differ("same_logs_in_turns");
    let (after, ours_after) = differ("same_logs_one_after_the_other");
    assert_ne!(turns.flink.finals, after.flink.finals);
    assert!(turns.flink.dropped.values().any(|(side, _)| *side == Side::Impressions));
    assert!(
        after.flink.dropped.values().all(|(side, _)| *side == Side::Clicks),
        "nothing was late while clicks were unread"
    );

    assert_eq!(ours_in_turns.finals, ours_after.finals);
    let records = |answers: &Answers| {
        let mut records: Vec<_> = answers.dropped.values().copied().collect();
        records.sort();
        records
    };
    assert_eq!(records(&ours_in_turns), records(&ours_after));
    assert!(records(&ours_after).len() > 5, "{:?}", records(&ours_after));
}

/// In both, an idle partition holds nothing back. When it resumes, Flink drops what the others have passed; we count
/// it, and its window fires again.
#[test]
fn an_idle_partition_that_comes_back_loses_nothing_that_it_had_not_passed_itself() {
    let (Recording { flink, .. }, ours) = differ("idle_and_back");
    let moments = |answers: &Answers| -> Vec<_> {
        answers.shown.iter().filter(|shown| !shown.late).map(|shown| (shown.line, shown.window)).collect()
    };
    assert_eq!(moments(&ours), moments(&flink), "on time, at the same records");
    assert_eq!(moments(&ours)[0], (Some(6), START), "with the clicks idle");

    assert_eq!(flink.dropped_lines(), [9, 10, 12]);
    assert_eq!(ours.dropped_lines(), [12], "here the clicks themselves had passed it");
    let updates: Vec<_> =
        ours.shown.iter().filter(|shown| shown.late).map(|shown| (shown.line, shown.counts)).collect();
    assert_eq!(updates, [(Some(9), (2, 2)), (Some(10), (2, 3))]);
    assert_eq!((flink.counts(START, "shoe"), ours.counts(START, "shoe")), (Some((2, 1)), Some((2, 3))));
}

/// Only after `idle-hold` (none, here) and the broker's proof that the partition is at its end do we drop them too, and
/// report it.
#[test]
fn after_the_idle_hold_the_same_records_are_closed_early() {
    let recording = recording("differ", "idle_and_back");
    let rules = Rules { idle_hold_ms: 0, ..Rules::default() };
    let ours = read(&recording, Manner { rules, lets_go: true, ..Manner::default() });
    assert_eq!(ours.answers.dropped, recording.flink.dropped);
    assert_eq!(ours.closed_early, [9, 10]);
}

/// Flink emits the last windows of a silent stream when another record arrives, or never. Our clock advances.
#[test]
fn the_last_windows_of_a_silent_stream_show() {
    let (recording, ours) = differ("silence");
    let [flink] = &recording.flink.shown[..] else { panic!("{:?}", recording.flink.shown) };
    assert_eq!(flink.line, None, "not before the end of the input");
    assert_eq!(ours.shown.len(), 1);
    assert_eq!(ours.shown[0].line, Some(5), "when both have been idle for long enough");
    assert_eq!((ours.finals, ours.dropped), (recording.flink.finals, recording.flink.dropped));
}

/// The watermark of the last events, 4000 - 2001 ms, reaches 9999 ms 8000 ms after the last of them arrived.
#[test]
fn silence_counts_from_the_last_arrival_to_the_millisecond() {
    let recording = recording("differ", "silence");
    let mut reader = Reader::new(&recording, Manner::default());
    for (line, step) in recording.steps.iter().filter(|(_, step)| matches!(step, Step::Event(_))) {
        reader.step(*line, step);
    }
    let last_arrival = reader.now;
    reader.end(&Side::BOTH);
    for (silent_for, rows) in [(7_999, 0), (8_000, 1)] {
        reader.now = last_arrival + silent_for;
        reader.flush(None);
        assert_eq!(reader.read.answers.shown.len(), rows, "after {silent_for} ms");
    }
}

/// One event ten days ahead makes Flink drop all correct ones for ten days. For us it is a dead letter, with no other
/// effect.
#[test]
fn an_event_from_the_far_future_is_refused() {
    let (Recording { flink, .. }, ours) = differ("far_future");
    assert_eq!(flink.dropped_lines(), [4, 5]);
    assert_eq!(flink.finals.len(), 2);
    assert_eq!(ours.dropped_lines(), [] as [usize; 0]);
    let rejected = read(&recording("differ", "far_future"), Manner::default()).rejected;
    assert_eq!(rejected, [(3, RejectionCode::FutureTimestamp)]);
    assert_eq!((ours.counts(START, "shoe"), ours.counts(SECOND_WINDOW, "shoe")), (Some((2, 0)), Some((1, 0))));
    assert_eq!(ours.finals.len(), 2, "the event from the future counts nowhere");
}

/// A clock a minute ahead is within the accepted range: its events count, but they advance the maximum only to the
/// broker's time.
#[test]
fn a_clock_ahead_makes_nobody_else_late() {
    let (Recording { flink, .. }, ours) = differ("clock_ahead");
    let honest: Vec<_> = (4..=16).step_by(2).collect();
    assert_eq!(flink.dropped_lines(), honest, "all but the one before the first event ahead");
    assert_eq!(ours.dropped_lines(), [] as [usize; 0]);
    assert_eq!(ours.finals.values().map(|(impressions, _)| impressions).sum::<u64>(), 16);
    for ((window, product), counts) in flink.finals.iter().filter(|((_, product), _)| product == "ahead") {
        assert_eq!(ours.counts(*window, product), Some(*counts), "the events ahead count alike");
    }
}

/// A running job emits watermarks every 200 ms: events between two of them are not late yet. Our watermark follows
/// every record, because the reading speed must not affect what counts.
#[test]
fn the_watermark_follows_every_record() {
    let (Recording { flink, .. }, ours) = differ("periodic_watermarks");
    assert_eq!(flink.dropped_lines(), [10, 11]);
    assert_eq!(ours.dropped_lines(), [7, 9, 10, 11], "the window was passed at line 6; Flink notices after line 9");
    assert_eq!(flink.lines_shown()[0], (Some(5), START, "shoe"));
    assert_eq!(ours.lines_shown()[0], (Some(3), START, "shoe"), "the record that reaches the end fires it");
    assert_eq!((flink.counts(START, "shoe"), ours.counts(START, "shoe")), (Some((4, 0)), Some((2, 0))));
}
