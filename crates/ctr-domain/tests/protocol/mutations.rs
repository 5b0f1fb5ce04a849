//! Each broken rule is caught.

use ctr_domain::task::Task;

use crate::model::Model;
use crate::mutation::Mutation;
use crate::runs::caught_after;

/// A rule that takes more histories than this to be missed is not tested by the ordinary ten thousand.
const LIMIT: u64 = 3_000;

macro_rules! caught {
    ($($name:ident: $counter:ty, $mutation:ident;)+) => {$(
        #[test]
        fn $name() {
            let caught = caught_after::<$counter>(Mutation::$mutation, LIMIT);
            let (histories, defect) = caught.expect("no history catches this broken rule");
            println!("caught in history {histories}: {defect}");
        }
    )+};
}

caught! {
    rows_count_as_acknowledged_when_handed_out: Task, LetGoFirst;
    the_position_is_committed_instead_of_the_low_offset: Task, HighOffset;
    the_maximum_is_that_of_the_position: Task, LateMaximum;
    the_table_keeps_the_last_row: Task, LastRowWins;
    closed_windows_are_built_again: Task, RebuildClosed;
    the_closed_mark_is_what_both_have_passed: Task, MarkByWatermark;
    closed_early_is_dropped_in_silence: Task, SilentEarly;
    commits_do_not_wait_for_letters: Task, ForgetLetters;
    another_log_is_taken_for_the_old_one: Task, NoAnchor;
    the_newest_window_is_forgotten: Task, NoNewest;
    a_cut_log_goes_on_with_the_old_maximum: Task, OldMaximumAfterCut;
    old_knowledge_proves_the_end: Task, OldProof;
    a_replay_takes_everything_for_new: Task, NoPosition;
    a_batch_is_durable_because_a_later_one_is: Task, AcknowledgeAny;
    partitions_are_committed_one_by_one: Task, SplitCommit;
    a_replay_waits_for_the_record_before_the_position: Task, WaitForPosition;
    lateness_is_a_millisecond_longer: Task, LongerLateness;
    the_future_begins_a_millisecond_later: Task, LaterFuture;
    event_time_outruns_the_broker: Task, TrustEventTime;

    low_offset_of_own_windows_only: Model, OwnWindows;
    too_late_by_the_watermark_of_the_task: Model, TaskWatermark;
    one_partition_lets_a_window_go: Model, LetGoByOne;
    held_windows_are_not_sent_again: Model, NotResent;
    replayed_event_ids_are_forgotten: Model, ForgetIds;
    checkpoints_while_replaying: Model, CommitWhileReplaying;
}
