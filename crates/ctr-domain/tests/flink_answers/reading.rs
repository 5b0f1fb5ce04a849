//! A task reads a recording, and its rows and drops are recorded in the format of Flink's answers.

use std::borrow::Cow;

use ctr_domain::checkpoint::RecordMark;
use ctr_domain::dead_letter::DeadLetterReason;
use ctr_domain::event::Event;
use ctr_domain::recovery::PartitionStart;
use ctr_domain::rejection::RejectionCode;
use ctr_domain::rules::Rules;
use ctr_domain::side::{BySide, Side};
use ctr_domain::task::{Outcome, Task};
use ctr_domain::window::Window;

use crate::recording::{Answers, Line, Recorded, Recording, Shown, Step};

/// Longer than any recording, in milliseconds of the clock that advances when all are silent.
const LONG: i64 = 1_000_000_000_000;

/// How a recording is read.
#[derive(Clone, Copy)]
pub(crate) struct Manner {
    pub(crate) rules: Rules,
    /// Number of steps between two requests for rows.
    pub(crate) flush_every: usize,
    /// Rows are acknowledged, ends of logs proved, and windows let go, after every step.
    pub(crate) lets_go: bool,
}

impl Default for Manner {
    /// Like Flink: everything due is emitted after every record.
    fn default() -> Self {
        Self { rules: Rules::default(), flush_every: 1, lets_go: false }
    }
}

/// The results.
#[derive(Default)]
pub(crate) struct Read {
    pub(crate) answers: Answers,
    /// Of those dropped, the lines of records that arrived only after their window was let go.
    pub(crate) closed_early: Vec<Line>,
    /// Records that violated a rule: Flink has no such rules.
    pub(crate) rejected: Vec<(Line, RejectionCode)>,
    /// Maximum number of windows held at once, after a step.
    pub(crate) most_held: usize,
}

/// Reads a recording to its end.
pub(crate) fn read(recording: &Recording, manner: Manner) -> Read {
    let mut reader = Reader::new(recording, manner);
    for (index, (line, step)) in recording.steps.iter().enumerate() {
        reader.step(*line, step);
        if (index + 1) % manner.flush_every == 0 {
            reader.flush(Some(*line));
        }
    }
    // Flink's end of the input; ours is that nothing arrives any more.
    reader.end(&recording.sides);
    reader.now += LONG;
    reader.touched = None;
    reader.flush(None);
    reader.read.answers.sort_products();
    reader.read
}

/// A task, and its answers so far.
pub(crate) struct Reader {
    pub(crate) task: Task,
    /// Milliseconds of the clock: it advances only for idle timeouts.
    pub(crate) now: i64,
    pub(crate) read: Read,
    manner: Manner,
    /// The brokers' clock: it is never behind an event, unless the recording says so.
    clock: i64,
    /// The window of the last event read.
    touched: Option<Window>,
}

impl Reader {
    pub(crate) fn new(recording: &Recording, manner: Manner) -> Self {
        let starts = BySide([PartitionStart::at(0); 2]);
        let mut task = Task::restore(manner.rules, 0, starts, 0);
        // Flink's operator has only one input: so our other partition is empty, and known to be idle.
        for side in Side::BOTH.into_iter().filter(|side| !recording.sides.contains(side)) {
            task.on_partition_end(side, 0);
        }
        let now = manner.rules.idle_timeout_ms;
        Self { task, now, read: Read::default(), manner, clock: 0, touched: None }
    }

    pub(crate) fn step(&mut self, line: Line, step: &Step) {
        self.touched = None;
        match step {
            Step::Event(event) => self.event(line, event),
            Step::Idle(side) => self.end(&[*side]),
        }
    }

    /// These sides are read to their ends, and then the idle timeout passes.
    pub(crate) fn end(&mut self, sides: &[Side]) {
        for side in sides {
            self.task.on_partition_end(*side, self.task.position(*side));
        }
        self.now += self.manner.rules.idle_timeout_ms;
    }

    fn event(&mut self, line: Line, recorded: &Recorded) {
        self.clock = recorded.kafka_timestamp.unwrap_or(self.clock.max(recorded.timestamp));
        let mark = RecordMark { offset: recorded.offset, timestamp: Some(self.clock) };
        let event = Event {
            kind: recorded.kind,
            product_id: Cow::Borrowed(&recorded.product),
            timestamp: recorded.timestamp,
            event_id: None,
        };
        self.touched = Some(self.manner.rules.window_of(recorded.timestamp));
        self.task.on_arrival(recorded.side, self.now);
        match self.task.on_event(recorded.side, mark, Ok(event)) {
            Outcome::Counted => {}
            Outcome::DeadLetter(DeadLetterReason::TooLate(late)) => {
                self.read.answers.dropped.insert(line, (recorded.side, recorded.offset));
                if late.closed_early {
                    self.read.closed_early.push(line);
                }
            }
            Outcome::DeadLetter(DeadLetterReason::Rejected(why)) => self.read.rejected.push((line, why.code)),
            other => panic!("line {line}: {other:?}"),
        }
    }

    /// Records what is due.
    pub(crate) fn flush(&mut self, line: Option<Line>) {
        let answers = &mut self.read.answers;
        let batch = self.task.fire(self.now, usize::MAX, |row| {
            let late = self.touched == Some(row.window);
            let (window, product) = (row.window.start, row.product_id.to_owned());
            let counts = (row.counts.impressions, row.counts.clicks);
            answers.finals.insert((window, product.clone()), counts);
            answers.shown.push(Shown { line, late, window, product, counts });
        });
        if self.manner.lets_go {
            self.task.on_rows_acknowledged(batch.map_or(0, |batch| batch.number));
            while let Some(request) = self.task.end_offset_request() {
                self.task.on_end_offset(request, self.task.position(request.side));
            }
            self.task.checkpoint().unwrap();
        }
        self.read.most_held = self.read.most_held.max(self.task.open_windows());
    }
}
