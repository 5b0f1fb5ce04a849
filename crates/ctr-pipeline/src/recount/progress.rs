//! The progress line of a command, on standard error.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// Update interval of the line on a terminal, and elsewhere.
const INTERVALS: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(10)];

/// Records between two readings of the clock.
const STRIDE: u64 = 1_024;

/// The progress of reading records.
pub(crate) struct Progress {
    what: &'static str,
    total: i64,
    done: u64,
    next: Instant,
    terminal: bool,
    shown: bool,
}

impl Progress {
    /// Starts at zero of about `total` records.
    pub(crate) fn new(what: &'static str, total: i64) -> Self {
        let terminal = io::stderr().is_terminal();
        Self { what, total, done: 0, next: Instant::now() + INTERVALS[usize::from(!terminal)], terminal, shown: false }
    }

    /// Counts one record.
    pub(crate) fn step(&mut self) {
        self.done += 1;
        if self.done.is_multiple_of(STRIDE) && Instant::now() >= self.next {
            self.next = Instant::now() + INTERVALS[usize::from(!self.terminal)];
            self.show();
        }
    }

    /// Clears the line.
    pub(crate) fn finish(&self) {
        if self.shown && self.terminal {
            let _ = write!(io::stderr(), "\r\u{1b}[K");
        }
    }

    fn show(&mut self) {
        self.shown = true;
        let (begin, end) = if self.terminal { ("\r\u{1b}[K", "") } else { ("", "\n") };
        let _ = write!(io::stderr(), "{begin}{}: {} of {} records{end}", self.what, self.done, self.total);
        let _ = io::stderr().flush();
    }
}
