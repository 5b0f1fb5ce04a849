//! Places where a test ends the process as a power cut would: with `abort`, nothing flushed, nobody told.
//!
//! Only in builds with the feature `crash-points`; in all others they are nothing. The environment variable `FAILPOINTS` arms
//! them: `before-commit=return` ends the process at the first commit, `before-commit=4*off->return` at the fifth.
//!
//! | place | what has happened, and what has not |
//! |---|---|
//! | `after-read` | a batch of records is in its task; no row, letter or commit of it |
//! | `before-row-send` | rows have fired; ClickHouse has not seen them |
//! | `before-row-acknowledgement` | ClickHouse has the rows; the task does not know |
//! | `before-letter-acknowledgement` | a dead letter is in its topic; the task does not know |
//! | `before-commit` | a checkpoint may be committed; it is not |
//! | `after-commit` | the group has the checkpoint; the task does not know |
//! | `in-replay` | a record between the low offset and the position has been read again |
//! | `in-rebalance` | the group has called back; nothing has been taken over or given up |
//! | `in-shutdown` | asked to stop; the last rows and the last commit are still owed |

/// Arms the crash points that `FAILPOINTS` names, for the life of the process.
#[cfg(feature = "crash-points")]
pub fn arm() {
    // Dropping the scenario would disarm them.
    std::mem::forget(fail::FailScenario::setup());
}

/// Ends the process here, where a test has armed the place.
#[cfg(feature = "crash-points")]
macro_rules! crash_point {
    ($place:literal) => {
        // The closure runs only for an armed place.
        (|| fail::fail_point!($place, |_| std::process::abort()))()
    };
}

/// Nothing, in a build without crash points.
#[cfg(not(feature = "crash-points"))]
macro_rules! crash_point {
    ($place:literal) => {};
}

pub(crate) use crash_point;
