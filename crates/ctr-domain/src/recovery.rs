//! Recovery: determines from a commit and the bounds of the log where a partition starts. Every row of the crash table
//! is a case here.

use crate::checkpoint::{MetadataError, PartitionCheckpoint, RecordMark};
use crate::rules::Rules;

/// The offset a group has committed for a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Commit<'a> {
    /// The committed offset.
    pub offset: i64,
    /// Its metadata; empty if it has none.
    pub metadata: &'a str,
}

/// The log of a partition on the broker: `[start, end)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogBounds {
    /// The first available offset.
    pub start: i64,
    /// The offset of the next record.
    pub end: i64,
}

/// Where a partition starts for which the group has no commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FreshStart {
    /// At the first record.
    Earliest,
    /// After the last record.
    Latest,
}

/// A notice about a start that operators must see. It does not prevent the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecoveryNotice {
    /// The commit has no metadata of ours: counting begins at its offset, with the records from there on.
    OffsetsSetByTool {
        /// The committed offset.
        offset: i64,
    },
    /// Retention has removed records of windows that were held. Those windows are not rebuilt; the last complete rows
    /// are kept.
    LogCutBelowPosition {
        /// The committed low offset.
        low_offset: i64,
        /// The next offset that would have been read.
        position: i64,
        /// The first available offset.
        log_start: i64,
    },
    /// Retention has removed records that were never read. They are missing from the counts.
    LogCutBeyondPosition {
        /// The committed low offset.
        low_offset: i64,
        /// The next offset that would have been read.
        position: i64,
        /// The first available offset.
        log_start: i64,
    },
    /// The topic was recreated: it is read from its beginning, like a new one. A window keeps the larger count.
    TopicMadeAnew {
        /// The committed low offset.
        low_offset: i64,
        /// The current end of the log.
        log_end: i64,
    },
    /// The log ends before the position: the cluster has lost records that had been counted.
    LogEndsBelowPosition {
        /// The next offset that would have been read.
        position: i64,
        /// The current end of the log.
        log_end: i64,
    },
}

impl RecoveryNotice {
    /// Upper bound of the records that may be missing from the tables permanently: those that were never read, and
    /// those of windows that are not rebuilt, whose rows may or may not have been written before.
    #[must_use]
    pub fn records_lost_at_most(&self) -> u64 {
        let lost = match self {
            Self::LogCutBelowPosition { low_offset, position, .. } => position.saturating_sub(*low_offset),
            Self::LogCutBeyondPosition { low_offset, log_start, .. } => log_start.saturating_sub(*low_offset),
            _ => 0,
        };
        u64::try_from(lost).unwrap_or(0)
    }
}

/// Why a partition cannot be started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecoveryError {
    /// Its windows were counted with a different length.
    #[error(
        "the group's commits were made with windows of {committed} ms, but `ctr.job.window-size-ms` is {configured}: \
         set it back, or use another `kafka.group-id` and other tables"
    )]
    WindowSizeChanged {
        /// The window length of the commits, in ms.
        committed: i64,
        /// The configured window length, in ms.
        configured: i64,
    },
    /// A newer version of the pipeline wrote the commit.
    #[error("{0}: start that version, or use another `kafka.group-id` and other tables")]
    NewerVersion(MetadataError),
}

/// How a partition starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionStart {
    /// The first offset to read.
    pub offset: i64,
    /// The first record that may be part of a window held. Records before it only confirm that the log is the same.
    pub low_offset: i64,
    /// Records before this offset were accounted for by an earlier run: they rebuild windows silently.
    pub position: i64,
    /// The largest event time before the low offset.
    pub maximum: Option<i64>,
    /// The closed mark: windows that end here or before are not rebuilt.
    pub closed: Option<i64>,
    /// The end of the newest window of any record before the position.
    pub newest: Option<i64>,
    /// The record that must be present if the log is the same.
    pub anchor: Option<RecordMark>,
}

impl PartitionStart {
    /// A start at `offset` without any history.
    #[must_use]
    pub const fn at(offset: i64) -> Self {
        Self { offset, low_offset: offset, position: offset, maximum: None, closed: None, newest: None, anchor: None }
    }
}

/// Determines how a partition starts.
///
/// # Errors
///
/// [`RecoveryError`] if starting would mix counts that do not belong together.
pub fn recover(
    commit: Option<Commit<'_>>,
    log: LogBounds,
    fresh: FreshStart,
    rules: &Rules,
) -> Result<(PartitionStart, Option<RecoveryNotice>), RecoveryError> {
    let Some(commit) = commit else {
        let offset = match fresh {
            FreshStart::Earliest => log.start,
            FreshStart::Latest => log.end,
        };
        return Ok((PartitionStart::at(offset), None));
    };
    let checkpoint = match PartitionCheckpoint::from_commit(commit.offset, commit.metadata) {
        Ok(checkpoint) => checkpoint,
        Err(MetadataError::Foreign) => return Ok(set_by_tool(commit.offset, log)),
        Err(newer @ MetadataError::Newer(_)) => return Err(RecoveryError::NewerVersion(newer)),
    };
    if checkpoint.window_size != rules.window_size {
        return Err(RecoveryError::WindowSizeChanged {
            committed: checkpoint.window_size.ms(),
            configured: rules.window_size.ms(),
        });
    }
    Ok(continue_from(&checkpoint, log))
}

/// Handles a topic that turned out, while reading, to be a different one than the commit refers to.
#[must_use]
pub fn made_anew(low_offset: i64, log: LogBounds) -> (PartitionStart, RecoveryNotice) {
    (PartitionStart::at(log.start), RecoveryNotice::TopicMadeAnew { low_offset, log_end: log.end })
}

fn set_by_tool(offset: i64, log: LogBounds) -> (PartitionStart, Option<RecoveryNotice>) {
    if offset > log.end {
        let (start, notice) = made_anew(offset, log);
        return (start, Some(notice));
    }
    if offset < log.start {
        let notice =
            RecoveryNotice::LogCutBeyondPosition { low_offset: offset, position: offset, log_start: log.start };
        return (PartitionStart::at(log.start), Some(notice));
    }
    (PartitionStart::at(offset), Some(RecoveryNotice::OffsetsSetByTool { offset }))
}

fn continue_from(checkpoint: &PartitionCheckpoint, log: LogBounds) -> (PartitionStart, Option<RecoveryNotice>) {
    let (low_offset, position) = (checkpoint.low_offset, checkpoint.position);
    if log.end < low_offset || checkpoint.anchor.is_some_and(|anchor| anchor.offset >= log.end) {
        let (start, notice) = made_anew(low_offset, log);
        return (start, Some(notice));
    }
    if log.start > low_offset {
        // Records of held windows are gone. All of them precede the position, so no window after `newest` lost any.
        let start = PartitionStart {
            offset: log.start,
            low_offset: log.start,
            position: position.min(log.end).max(log.start),
            maximum: checkpoint.maximum_at_position,
            closed: checkpoint.closed.max(checkpoint.newest),
            newest: checkpoint.newest,
            anchor: None,
        };
        let notice = if log.start > position {
            RecoveryNotice::LogCutBeyondPosition { low_offset, position, log_start: log.start }
        } else if log.end < position {
            RecoveryNotice::LogEndsBelowPosition { position, log_end: log.end }
        } else {
            RecoveryNotice::LogCutBelowPosition { low_offset, position, log_start: log.start }
        };
        return (start, Some(notice));
    }
    let anchor = checkpoint.anchor.filter(|anchor| anchor.offset >= log.start);
    let start = PartitionStart {
        offset: anchor.map_or(low_offset, |anchor| anchor.offset.min(low_offset)),
        low_offset,
        position: position.min(log.end),
        maximum: checkpoint.maximum,
        closed: checkpoint.closed,
        newest: checkpoint.newest,
        anchor,
    };
    let notice = (log.end < position).then_some(RecoveryNotice::LogEndsBelowPosition { position, log_end: log.end });
    (start, notice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::window::WindowSize;

    const LOG: LogBounds = LogBounds { start: 10, end: 200 };

    fn checkpoint() -> PartitionCheckpoint {
        PartitionCheckpoint {
            low_offset: 50,
            maximum: Some(5_000),
            maximum_at_position: Some(19_000),
            position: 90,
            closed: Some(10_000),
            newest: Some(20_000),
            anchor: Some(RecordMark { offset: 50, timestamp: Some(7) }),
            window_size: WindowSize::from_ms(10_000).unwrap(),
        }
    }

    fn start(checkpoint: &PartitionCheckpoint, log: LogBounds) -> (PartitionStart, Option<RecoveryNotice>) {
        let metadata = checkpoint.metadata();
        let commit = Commit { offset: checkpoint.low_offset, metadata: &metadata };
        recover(Some(commit), log, FreshStart::Earliest, &Rules::default()).unwrap()
    }

    #[test]
    fn a_partition_never_seen_starts_where_the_strategy_says() {
        let at = |fresh| recover(None, LOG, fresh, &Rules::default()).unwrap();
        assert_eq!(at(FreshStart::Earliest), (PartitionStart::at(10), None));
        assert_eq!(at(FreshStart::Latest), (PartitionStart::at(200), None));
    }

    #[test]
    fn a_commit_of_ours_is_replayed_silently_from_the_low_offset() {
        let expected = PartitionStart {
            offset: 50,
            low_offset: 50,
            position: 90,
            maximum: Some(5_000),
            closed: Some(10_000),
            newest: Some(20_000),
            anchor: Some(RecordMark { offset: 50, timestamp: Some(7) }),
        };
        assert_eq!(start(&checkpoint(), LOG), (expected, None));
    }

    #[test]
    fn where_no_window_is_held_the_last_record_shows_that_the_log_is_the_same() {
        let anchor = Some(RecordMark { offset: 89, timestamp: Some(7) });
        let (start, notice) = start(&PartitionCheckpoint { low_offset: 90, anchor, ..checkpoint() }, LOG);
        assert_eq!((start.offset, start.low_offset, notice), (89, 90, None));
    }

    #[test]
    fn an_anchor_that_retention_removed_is_not_asked_for() {
        let anchor = Some(RecordMark { offset: 89, timestamp: Some(7) });
        let log = LogBounds { start: 90, end: 90 };
        let (start, notice) = start(&PartitionCheckpoint { low_offset: 90, anchor, ..checkpoint() }, log);
        assert_eq!((start.offset, start.anchor, notice), (90, None, None));
    }

    #[test]
    fn a_log_cut_below_the_position_closes_every_window_that_may_have_lost_records() {
        let (start, notice) = start(&checkpoint(), LogBounds { start: 60, end: 200 });
        assert_eq!((start.offset, start.position, start.closed), (60, 90, Some(20_000)));
        assert_eq!(start.maximum, Some(19_000), "decisions after the position are those of an uncut log");
        assert_eq!(notice, Some(RecoveryNotice::LogCutBelowPosition { low_offset: 50, position: 90, log_start: 60 }));
    }

    #[test]
    fn a_log_cut_at_the_position_lost_nothing_that_was_not_read() {
        let (_, notice) = start(&checkpoint(), LogBounds { start: 90, end: 200 });
        assert_eq!(notice, Some(RecoveryNotice::LogCutBelowPosition { low_offset: 50, position: 90, log_start: 90 }));
    }

    #[test]
    fn a_log_cut_beyond_the_position_says_how_much_is_lost() {
        let (start, notice) = start(&checkpoint(), LogBounds { start: 120, end: 200 });
        assert_eq!((start.offset, start.position), (120, 120));
        assert_eq!(notice.unwrap().records_lost_at_most(), 70, "30 never read, 40 of windows that are not built again");
    }

    #[test]
    fn a_log_that_ends_below_the_low_offset_is_another_log() {
        let (start, notice) = start(&checkpoint(), LogBounds { start: 0, end: 49 });
        assert_eq!(start, PartitionStart::at(0));
        assert_eq!(notice, Some(RecoveryNotice::TopicMadeAnew { low_offset: 50, log_end: 49 }));
    }

    #[test]
    fn a_log_that_lost_its_tail_is_not_waited_for() {
        let (start, notice) = start(&checkpoint(), LogBounds { start: 0, end: 70 });
        assert_eq!((start.offset, start.position), (50, 70));
        assert_eq!(notice, Some(RecoveryNotice::LogEndsBelowPosition { position: 90, log_end: 70 }));
    }

    #[test]
    fn a_log_that_ends_at_its_anchor_is_another_log() {
        // The first record of the held windows is missing: the existing records must not be treated as already read.
        let (start, notice) = start(&checkpoint(), LogBounds { start: 0, end: 50 });
        assert_eq!(start, PartitionStart::at(0));
        assert_eq!(notice, Some(RecoveryNotice::TopicMadeAnew { low_offset: 50, log_end: 50 }));
    }

    #[test]
    fn a_log_that_lost_both_ends_is_silent_only_about_what_is_there() {
        let (start, notice) = start(&checkpoint(), LogBounds { start: 60, end: 70 });
        assert_eq!((start.offset, start.position), (60, 70), "records 70 to 89 will be new ones");
        assert_eq!(notice, Some(RecoveryNotice::LogEndsBelowPosition { position: 90, log_end: 70 }));
    }

    #[test]
    fn offsets_set_by_a_tool_count_what_the_log_holds_from_there() {
        let reset = |offset| {
            recover(Some(Commit { offset, metadata: "" }), LOG, FreshStart::Latest, &Rules::default()).unwrap()
        };
        assert_eq!(reset(77), (PartitionStart::at(77), Some(RecoveryNotice::OffsetsSetByTool { offset: 77 })));
        assert_eq!(reset(10), (PartitionStart::at(10), Some(RecoveryNotice::OffsetsSetByTool { offset: 10 })));
        assert_eq!(reset(3).0, PartitionStart::at(10));
        assert_eq!(reset(300).0, PartitionStart::at(10));
    }

    #[test]
    fn another_window_size_is_refused_by_name() {
        let metadata = checkpoint().metadata();
        let rules = Rules { window_size: WindowSize::from_ms(5_000).unwrap(), ..Rules::default() };
        let commit = Commit { offset: 50, metadata: &metadata };
        let error = recover(Some(commit), LOG, FreshStart::Earliest, &rules).unwrap_err();
        assert_eq!(error, RecoveryError::WindowSizeChanged { committed: 10_000, configured: 5_000 });
        assert!(error.to_string().contains("ctr.job.window-size-ms"));
    }

    #[test]
    fn the_commit_of_a_newer_version_is_refused() {
        let metadata = checkpoint().metadata().replace("\"v\":1", "\"v\":9");
        let commit = Commit { offset: 50, metadata: &metadata };
        assert!(matches!(
            recover(Some(commit), LOG, FreshStart::Earliest, &Rules::default()),
            Err(RecoveryError::NewerVersion(MetadataError::Newer(9)))
        ));
    }
}
