//! Broken rules. Each must be caught, or the histories prove nothing about the rule.

use std::fmt;

use ctr_domain::checkpoint::Checkpoint;
use ctr_domain::recovery::PartitionStart;
use ctr_domain::rules::Rules;
use ctr_domain::shell::Flaw;

use crate::Subject;
use crate::world::Kind;

/// One broken rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutation {
    // Broken around the task: commits, acknowledgements, tables, inputs.
    /// Rows count as acknowledged when they are handed out.
    LetGoFirst,
    /// The position is committed instead of the low offset.
    HighOffset,
    /// The maximum at the position is committed as that before the low offset.
    LateMaximum,
    /// The table keeps the last row instead of the largest.
    LastRowWins,
    /// A replay rebuilds closed windows from the records it happens to read.
    RebuildClosed,
    /// The closed mark is what both watermarks have passed, which a silent partition holds back.
    MarkByWatermark,
    /// Records for windows closed early because of a silent partition are dropped without a dead letter.
    SilentEarly,
    /// A commit does not wait for the dead letters.
    ForgetLetters,
    /// The anchor is not checked, so another log is taken for the old one.
    NoAnchor,
    /// The newest window is forgotten, so a cut log's windows are built from the remaining records.
    NoNewest,
    /// After a cut the replay continues with the maximum before the low offset.
    OldMaximumAfterCut,
    /// What was known about a log's end before the request counts as its result.
    OldProof,
    /// The position is not committed: a replay treats all records as new.
    NoPosition,
    /// A batch counts as durable because a later one is.
    AcknowledgeAny,
    /// The two partitions are committed one by one.
    SplitCommit,
    /// A replay waits for the record before the position, which may be a gap.
    WaitForPosition,
    /// A window accepts events for a millisecond longer.
    LongerLateness,
    /// The future begins a millisecond later.
    LaterFuture,
    /// Event time advances the maximum beyond the broker's clock, and nothing is ever in the future.
    TrustEventTime,

    // Broken inside: in the model.
    /// The low offset covers only the windows that this partition has not passed.
    OwnWindows,
    /// Lateness is judged by the minimum over the task's partitions, so by which one was read first.
    TaskWatermark,
    /// A window is let go when one partition has passed it.
    LetGoByOne,
    /// After a replay the windows that were already due count as sent.
    NotResent,
    /// Event IDs of replayed records are not remembered.
    ForgetIds,
    /// A replaying task returns checkpoints, at the offset it has reached.
    CommitWhileReplaying,

    // Broken when a group first encounters a partition.
    /// Added partitions start at their end, as the strategy requires for a first start.
    AddedAtEnd,
    /// A group's first start at the end is not committed before anything is read.
    NotPinned,

    // Broken in the shell: bugs of earlier versions.
    /// [`Flaw::FailingOutlivesItsLetters`].
    FailingOutlivesItsLetters,
    /// [`Flaw::RefusedLettersOutliveTheirTask`].
    RefusedLettersOutliveTheirTask,
    /// [`Flaw::AnyAnswerIsTheLast`].
    AnyAnswerIsTheLast,
    /// [`Flaw::AsksWithoutEnd`].
    AsksWithoutEnd,
    /// The readable end counts as the end of a log, even if an open transaction holds records back.
    TrustStableEnd,
}

impl Mutation {
    /// All of them.
    pub const ALL: [Self; 32] = [
        Self::LetGoFirst,
        Self::HighOffset,
        Self::LateMaximum,
        Self::LastRowWins,
        Self::RebuildClosed,
        Self::MarkByWatermark,
        Self::SilentEarly,
        Self::ForgetLetters,
        Self::NoAnchor,
        Self::NoNewest,
        Self::OldMaximumAfterCut,
        Self::OldProof,
        Self::NoPosition,
        Self::AcknowledgeAny,
        Self::SplitCommit,
        Self::WaitForPosition,
        Self::LongerLateness,
        Self::LaterFuture,
        Self::TrustEventTime,
        Self::OwnWindows,
        Self::TaskWatermark,
        Self::LetGoByOne,
        Self::NotResent,
        Self::ForgetIds,
        Self::CommitWhileReplaying,
        Self::AddedAtEnd,
        Self::NotPinned,
        Self::FailingOutlivesItsLetters,
        Self::RefusedLettersOutliveTheirTask,
        Self::AnyAnswerIsTheLast,
        Self::AsksWithoutEnd,
        Self::TrustStableEnd,
    ];

    /// The rule of the shell that it breaks.
    pub(crate) const fn flaw(self) -> Option<Flaw> {
        match self {
            Self::FailingOutlivesItsLetters => Some(Flaw::FailingOutlivesItsLetters),
            Self::RefusedLettersOutliveTheirTask => Some(Flaw::RefusedLettersOutliveTheirTask),
            Self::AnyAnswerIsTheLast => Some(Flaw::AnyAnswerIsTheLast),
            Self::AsksWithoutEnd => Some(Flaw::AsksWithoutEnd),
            _ => None,
        }
    }

    /// The implementation in which it is broken.
    #[must_use]
    pub const fn subject(self) -> Subject {
        match self {
            Self::OwnWindows
            | Self::TaskWatermark
            | Self::LetGoByOne
            | Self::NotResent
            | Self::ForgetIds
            | Self::CommitWhileReplaying => Subject::Model,
            _ => Subject::Task,
        }
    }

    /// The histories that must catch it.
    #[must_use]
    pub const fn caught_by(self) -> Kind {
        match self {
            Self::MarkByWatermark | Self::SilentEarly | Self::OldProof => Kind::Early,
            Self::NoAnchor | Self::NoNewest | Self::OldMaximumAfterCut => Kind::Disaster,
            Self::AddedAtEnd | Self::NotPinned => Kind::Added,
            Self::TrustStableEnd => Kind::Shell,
            mutation if mutation.flaw().is_some() => Kind::Shell,
            _ => Kind::Exact,
        }
    }

    /// Changes what is committed.
    pub(crate) fn alter_checkpoint(self, checkpoint: &mut Checkpoint) {
        let rules = Rules::default();
        let watermarks = checkpoint.partitions.map(|partition| rules.watermark(partition.maximum_at_position));
        let least = watermarks[0].min(watermarks[1]);
        for partition in &mut checkpoint.partitions {
            match self {
                Self::HighOffset => {
                    partition.low_offset = partition.position;
                    partition.maximum = partition.maximum_at_position;
                    partition.anchor = None;
                }
                Self::LateMaximum => partition.maximum = partition.maximum_at_position,
                Self::MarkByWatermark => {
                    partition.closed =
                        partition.maximum_at_position.and(least.0.checked_sub(rules.allowed_lateness_ms));
                }
                Self::NoNewest => partition.newest = None,
                Self::OldMaximumAfterCut => partition.maximum_at_position = partition.maximum,
                Self::NoPosition => partition.position = partition.low_offset,
                _ => {}
            }
        }
    }

    /// Changes the numbers on which the counter bases its decisions.
    pub(crate) const fn alter_rules(self, rules: &mut Rules) {
        match self {
            Self::LongerLateness => rules.allowed_lateness_ms += 1,
            Self::LaterFuture => rules.max_future_skew_ms += 1,
            _ => {}
        }
    }

    /// Changes the interpretation of a commit.
    pub(crate) fn alter_start(self, start: &mut PartitionStart) {
        match self {
            Self::RebuildClosed => start.closed = None,
            Self::NoAnchor => start.anchor = None,
            _ => {}
        }
    }
}

/// The name as words with hyphens.
impl fmt::Display for Mutation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, letter) in format!("{self:?}").char_indices() {
            let hyphen = if index > 0 && letter.is_ascii_uppercase() { "-" } else { "" };
            write!(formatter, "{hyphen}{}", letter.to_ascii_lowercase())?;
        }
        Ok(())
    }
}
