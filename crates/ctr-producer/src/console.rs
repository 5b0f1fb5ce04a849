//! Console output: lines on standard error, and on a terminal one status line that is rewritten.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// Returns to the beginning of the line and clears it.
const REWRITE: &str = "\r\x1b[K";

/// Standard error. Control characters are written only to a terminal. Write errors are ignored: there is no other output.
#[derive(Debug)]
pub(crate) struct Console {
    terminal: bool,
    status_shown: AtomicBool,
}

impl Console {
    /// The console of this process.
    pub(crate) fn new() -> Self {
        Self { terminal: io::stderr().is_terminal(), status_shown: AtomicBool::new(false) }
    }

    /// Whether standard error is a terminal, which can rewrite a line.
    pub(crate) fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Writes a permanent line.
    pub(crate) fn say(&self, line: &str) {
        let clear = if self.status_shown.swap(false, Ordering::Relaxed) { REWRITE } else { "" };
        let _ = writeln!(io::stderr(), "{clear}ctr-producer: {line}");
    }

    /// Shows the status: rewrites the status line on a terminal, otherwise adds a line.
    pub(crate) fn status(&self, line: &str) {
        if self.terminal {
            self.status_shown.store(true, Ordering::Relaxed);
            let mut stderr = io::stderr();
            let _ = write!(stderr, "{REWRITE}{line}").and_then(|()| stderr.flush());
        } else {
            self.say(line);
        }
    }
}
