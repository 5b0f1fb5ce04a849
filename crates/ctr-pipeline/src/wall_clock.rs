//! The wall clock. It is for timestamps that people read; no decision about a record depends on it.

use std::time::SystemTime;

/// Now, in milliseconds since the epoch; 0 on a machine whose clock is before it.
pub(crate) fn now_ms() -> i64 {
    let elapsed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX)
}
