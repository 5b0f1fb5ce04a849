//! What people see while it runs: lines on standard error, and on a terminal one line that is rewritten.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// Back to the beginning of the line, and clear it.
const REWRITE: &str = "\r\x1b[K";

/// Standard error. Without a terminal no control character is ever written. Errors of writing are ignored: nobody is
/// left to be told.
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

    /// Whether a person is looking on, on a terminal that can rewrite a line.
    pub(crate) fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Writes a line that stays.
    pub(crate) fn say(&self, line: &str) {
        let clear = if self.status_shown.swap(false, Ordering::Relaxed) { REWRITE } else { "" };
        let _ = writeln!(io::stderr(), "{clear}ctr-producer: {line}");
    }

    /// Shows how things stand: rewrites the line on a terminal, otherwise adds one.
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
