//! Each broken rule is caught by the histories of its kind.
#![allow(clippy::expect_used, clippy::print_stdout, reason = "a test fails by panicking, and tells what it caught")]

use ctr_simulation::{Campaign, Mutation, Tally};

/// A rule that needs more histories than this to be caught is not tested by the default run.
const LIMIT: u64 = 3_000;

fn is_caught(mutation: Mutation) {
    let (subject, kind) = (mutation.subject(), mutation.caught_by());
    let campaign = Campaign { subject, kind, seeds: 0..LIMIT, threads: 1, mutation: Some(mutation), steps: None };
    let failure = campaign.run(&Tally::default()).expect("no history catches this broken rule");
    println!("caught in history {}, {} steps: {}", failure.seed, failure.steps, failure.defect);
    // It can be repeated by what it says.
    let alone = Campaign { seeds: failure.seed..failure.seed + 1, steps: Some(failure.steps), ..campaign };
    assert_eq!(alone.run(&Tally::default()), Some(failure));
}

macro_rules! caught {
    ($($name:ident: $mutation:ident;)+) => {
        $(
            #[test]
            fn $name() {
                is_caught(Mutation::$mutation);
            }
        )+

        #[test]
        fn every_mutation_has_its_test() {
            assert_eq!(Mutation::ALL, [$(Mutation::$mutation),+]);
        }
    };
}

caught! {
    rows_count_as_acknowledged_when_handed_out: LetGoFirst;
    the_position_is_committed_instead_of_the_low_offset: HighOffset;
    the_maximum_is_that_of_the_position: LateMaximum;
    the_table_keeps_the_last_row: LastRowWins;
    closed_windows_are_built_again: RebuildClosed;
    the_closed_mark_is_what_both_have_passed: MarkByWatermark;
    closed_early_is_dropped_in_silence: SilentEarly;
    commits_do_not_wait_for_letters: ForgetLetters;
    another_log_is_taken_for_the_old_one: NoAnchor;
    the_newest_window_is_forgotten: NoNewest;
    a_cut_log_goes_on_with_the_old_maximum: OldMaximumAfterCut;
    old_knowledge_proves_the_end: OldProof;
    a_replay_takes_everything_for_new: NoPosition;
    a_batch_is_durable_because_a_later_one_is: AcknowledgeAny;
    partitions_are_committed_one_by_one: SplitCommit;
    a_replay_waits_for_the_record_before_the_position: WaitForPosition;
    lateness_is_a_millisecond_longer: LongerLateness;
    the_future_begins_a_millisecond_later: LaterFuture;
    event_time_outruns_the_broker: TrustEventTime;

    low_offset_of_own_windows_only: OwnWindows;
    too_late_by_the_watermark_of_the_task: TaskWatermark;
    one_partition_lets_a_window_go: LetGoByOne;
    held_windows_are_not_sent_again: NotResent;
    replayed_event_ids_are_forgotten: ForgetIds;
    checkpoints_while_replaying: CommitWhileReplaying;
    added_partitions_begin_at_their_end: AddedAtEnd;
    a_first_start_at_the_end_is_not_committed_at_once: NotPinned;

    that_letters_fail_outlives_the_letters: FailingOutlivesItsLetters;
    letters_of_a_task_that_is_gone_hold_up_the_others: RefusedLettersOutliveTheirTask;
    a_late_answer_is_credited_to_the_next_commit: AnyAnswerIsTheLast;
    questions_for_end_offsets_queue_up: AsksWithoutEnd;
    an_open_transaction_is_taken_for_the_end_of_the_log: TrustStableEnd;
}
