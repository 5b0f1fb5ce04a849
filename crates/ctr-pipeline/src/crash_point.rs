//! Points where a test ends the process as a power cut would: with `abort`, without flushing or notifying anyone.
//!
//! They exist only in builds with the feature `crash-points`; otherwise they expand to nothing. The environment variable
//! `FAILPOINTS` arms them: `before-commit=return` ends the process at the first commit, `before-commit=4*off->return` at the fifth.
//!
//! | point | state at this point |
//! |---|---|
//! | `after-read` | a batch of records is in its task; none of its rows, dead letters or commits exist |
//! | `before-row-send` | rows have fired; ClickHouse has not received them |
//! | `before-row-acknowledgement` | ClickHouse has the rows; the task does not know |
//! | `before-letter-acknowledgement` | a dead letter is in its topic; the task does not know |
//! | `before-commit` | a checkpoint may be committed; it is not |
//! | `after-commit` | the group has the checkpoint; the task does not know |
//! | `in-replay` | a record between the low offset and the position has been read again |
//! | `in-rebalance` | the rebalance callback has run; no partition has been taken over or given up |
//! | `in-shutdown` | a stop was requested; the last rows and the last commit are still pending |

/// Arms the crash points that `FAILPOINTS` names, for the life of the process.
#[cfg(feature = "crash-points")]
pub fn arm() {
    // Dropping the scenario would disarm them.
    std::mem::forget(fail::FailScenario::setup());
}

/// Ends the process here if a test has armed the point.
#[cfg(feature = "crash-points")]
macro_rules! crash_point {
    ($place:literal) => {
        // The closure runs only for an armed point.
        (|| fail::fail_point!($place, |_| std::process::abort()))()
    };
}

/// Expands to nothing in a build without crash points.
#[cfg(not(feature = "crash-points"))]
macro_rules! crash_point {
    ($place:literal) => {};
}

pub(crate) use crash_point;
