//! Progress of a long operation, on standard error: on a terminal one line that is rewritten, otherwise a line now and
//! then.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// The progress line of one operation.
pub(crate) struct Progress {
    what: &'static str,
    is_terminal: bool,
    started: Instant,
    shown: Option<Instant>,
}

impl Progress {
    /// Starts; `what` is the unit.
    pub(crate) fn begin(what: &'static str) -> Self {
        Self { what, is_terminal: io::stderr().is_terminal(), started: Instant::now(), shown: None }
    }

    /// Shows the progress, if it is due.
    pub(crate) fn show(&mut self, done: u64) {
        let every = Duration::from_secs(if self.is_terminal { 1 } else { 5 });
        if self.shown.unwrap_or(self.started).elapsed() < every {
            return;
        }
        self.shown = Some(Instant::now());
        let line = format!(
            "{done} {}, {:.0}/s, {} s",
            self.what,
            rate(done, self.started.elapsed()),
            self.started.elapsed().as_secs()
        );
        // A closed pipe is not a reason to fail.
        let _ =
            if self.is_terminal { write!(io::stderr(), "\r\x1b[K{line}") } else { writeln!(io::stderr(), "{line}") };
    }

    /// Clears the line.
    pub(crate) fn end(&self) {
        if self.is_terminal && self.shown.is_some() {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

/// The rate per second.
#[allow(clippy::cast_precision_loss, reason = "for people")]
pub(crate) fn rate(count: u64, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64().max(1e-9)
}
