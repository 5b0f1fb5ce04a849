//! The shell, decision by decision: each decision that the histories of `ctr-simulation` exercise at random, tested
//! separately.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod firing;
mod recreated;
mod takeover;

use ctr_domain::checkpoint::{PartitionCheckpoint, RecordMark};
use ctr_domain::event::Event;
use ctr_domain::recovery::LogBounds;
use ctr_domain::rules::Rules;
use ctr_domain::shell::{
    Command, CommitId, CommitWait, CommittedOffset, EndOffsetAnswer, EndOffsetQuestion, FactsId, Notice,
    OutgoingLetter, PartitionError, PartitionFacts, Presence, Shell, ShellSettings, SinkView, Step, TaskId, Upset,
    WaitReason,
};
use ctr_domain::side::Side;

struct Letter(TaskId, u64);

impl OutgoingLetter for Letter {
    fn task(&self) -> TaskId {
        self.0
    }
    fn number(&self) -> u64 {
        self.1
    }
    fn bytes(&self) -> usize {
        1
    }
}

type TestShell = Shell<Letter>;

/// A partition that exists, with the group's commit for it.
fn there(side: Side, partition: i32, commit: Option<PartitionCheckpoint>, end: i64) -> PartitionFacts {
    let commit = commit.map(|commit| CommittedOffset { offset: commit.low_offset, metadata: commit.metadata() });
    PartitionFacts { side, partition, presence: Presence::There { commit, log: LogBounds { start: 0, end } } }
}

/// The checkpoint of a partition that is to be read from this offset on.
fn begun(offset: i64) -> PartitionCheckpoint {
    PartitionCheckpoint::begin_at(offset, Rules::default().window_size)
}

fn facts(partitions: &[i32]) -> Vec<PartitionFacts> {
    partitions.iter().flat_map(|partition| Side::BOTH.map(|side| there(side, *partition, None, 0))).collect()
}

/// A shell that was assigned both sides of one pair, and knows nothing of it yet.
fn assigned(now: i64) -> TestShell {
    let mut shell = TestShell::new(ShellSettings::default(), Rules::default(), ());
    shell.on_assigned(&Side::BOTH.map(|side| (side, 0)), now);
    shell
}

/// A shell that reads these pairs from their beginning.
fn at_work(partitions: &[i32]) -> TestShell {
    at_work_with(partitions, ShellSettings { fire_interval: 0, ..ShellSettings::default() })
}

fn at_work_with(partitions: &[i32], settings: ShellSettings) -> TestShell {
    let mut shell = TestShell::new(settings, Rules::default(), ());
    let assigned: Vec<(Side, i32)> =
        partitions.iter().flat_map(|partition| Side::BOTH.map(|side| (side, *partition))).collect();
    shell.on_assigned(&assigned, 0);
    answer_facts(&mut shell, &facts(partitions), 0);
    shell
}

/// The request for facts that it wants.
fn request_of(shell: &mut TestShell) -> Option<(FactsId, Vec<i32>)> {
    shell.take_commands().into_iter().find_map(|command| match command {
        Command::AskFacts { id, partitions } => Some((id, partitions)),
        _ => None,
    })
}

fn answer_facts(shell: &mut TestShell, facts: &[PartitionFacts], now: i64) -> Vec<Command> {
    let (id, _) = request_of(shell).unwrap();
    shell.on_facts(id, Ok(facts.to_vec()), now);
    shell.take_commands()
}

/// The commit that it wants.
fn commit_of(shell: &mut TestShell) -> Option<CommitId> {
    shell.take_commands().into_iter().find_map(|command| match command {
        Command::Commit { id, .. } => Some(id),
        _ => None,
    })
}

fn read(shell: &mut TestShell, index: usize, offset: i64, payload: &str) -> Step {
    let mut reading = shell.read(index, Side::Impressions, 0).unwrap();
    let mark = RecordMark { offset, timestamp: None };
    reading.record(mark, Event::parse(Some(payload.as_bytes())))
}

/// A record of the first pair that becomes a dead letter.
fn read_bad(shell: &mut TestShell, side: Side, offset: i64) -> (TaskId, u64) {
    let mut reading = shell.read(0, side, 0).unwrap();
    let mark = RecordMark { offset, timestamp: None };
    let Step::Keep { task, number, .. } = reading.record(mark, Event::parse(Some(b"not json"))) else {
        panic!("must be a letter")
    };
    reading.keep(Letter(task, number));
    (task, number)
}

/// Both sides of a pair were read to their ends: so many impressions, and no click.
fn end(shell: &mut TestShell, index: usize, impressions: i64) {
    for (side, end) in Side::BOTH.into_iter().zip([impressions, 0]) {
        shell.read(index, side, 0).unwrap().end(end);
    }
}

fn impression(seconds: i64) -> String {
    impression_of("p", seconds)
}

fn impression_of(product: &str, seconds: i64) -> String {
    let at = 1_700_000_000_000 + seconds * 1_000;
    format!(r#"{{"event_type":"impression","product_id":"{product}","timestamp":{at}}}"#)
}

#[test]
fn a_sink_with_room_for_one_serves_every_pair_in_turn() {
    let mut shell = at_work(&[0, 1, 2]);
    for index in 0..3 {
        for (offset, seconds) in [(0, 0), (1, 15), (2, 30), (3, 45)] {
            assert_eq!(read(&mut shell, index, offset, &impression(seconds)), Step::Counted);
        }
        end(&mut shell, index, 4);
    }
    let ids: Vec<TaskId> = shell.pairs().iter().map(ctr_domain::shell::Pair::id).collect();
    let mut served = Vec::new();
    for round in 0..3 {
        shell.on_sink(SinkView { is_available: true, has_room: true });
        served.push(shell.fire(100_000_000 + round, |_| {}).unwrap().task);
        shell.on_sink(SinkView { is_available: true, has_room: false });
        assert_eq!(shell.fire(100_000_000 + round, |_| {}), None);
    }
    assert_eq!(served, ids, "nobody is served twice before all have been");
}

#[test]
fn a_firing_hands_out_no_more_rows_than_its_bound_and_the_rest_follows() {
    let mut shell =
        at_work_with(&[0], ShellSettings { fire_interval: 0, rows_per_firing: 4, ..ShellSettings::default() });
    let in_the_window = (0..10).map(|product| impression_of(&format!("p{product}"), 0));
    for (offset, payload) in in_the_window.chain([impression(60)]).enumerate() {
        assert_eq!(read(&mut shell, 0, i64::try_from(offset).unwrap(), &payload), Step::Counted);
    }
    end(&mut shell, 0, 11);
    let mut rows = Vec::new();
    while let Some(fired) = shell.fire(100_000_000, |_| {}) {
        rows.push(fired.rows);
    }
    assert_eq!(rows, [4, 4, 3], "ten products of one window, and the one of the last");
}

#[test]
fn letters_that_reach_their_bound_hold_up_reading_until_one_is_taken() {
    let mut shell = at_work_with(&[0], ShellSettings { max_waiting_bytes: 3, ..ShellSettings::default() });
    for offset in 0..3 {
        assert_eq!(shell.may_read(0, Side::Impressions), Ok(()), "{offset} letters wait");
        read_bad(&mut shell, Side::Impressions, offset);
    }
    for side in Side::BOTH {
        assert_eq!(shell.may_read(0, side), Err(WaitReason::DeadLettersFull));
    }
    let taken = shell.next_letter(0).unwrap();
    assert_eq!(shell.may_read(0, Side::Impressions), Ok(()));
    shell.on_letter_not_taken(taken);
    assert_eq!(shell.may_read(0, Side::Impressions), Err(WaitReason::DeadLettersFull), "the producer is full too");
    assert_eq!(shell.letters_waiting(), 3, "none is lost");
}

#[test]
fn a_letter_that_was_refused_is_sent_again_after_a_delay() {
    let mut shell = at_work_with(&[0], ShellSettings { letter_retry: 1_000, ..ShellSettings::default() });
    read_bad(&mut shell, Side::Impressions, 0);
    shell.take_commands();
    let letter = shell.next_letter(500).unwrap();
    shell.on_letter_refused(letter, "away", 500);
    assert_eq!(shell.take_commands(), [Command::Tell(Notice::LettersFail { reason: "away".to_owned() })]);
    assert!(shell.next_letter(1_499).is_none());
    let letter = shell.next_letter(1_500).unwrap();
    shell.on_letter_refused(letter, "still away", 1_500);
    assert_eq!(shell.take_commands(), [], "it was told");
    let Letter(task, number) = shell.next_letter(2_500).unwrap();
    shell.on_letter_acknowledged(task, number);
    assert_eq!(shell.take_commands(), [Command::Tell(Notice::LettersWork)]);
}

#[test]
fn what_a_revocation_forgets_is_also_that_letters_failed() {
    let mut shell = at_work(&[0]);
    let Step::Keep { task, number, .. } = read(&mut shell, 0, 0, "not json") else { panic!("must be a letter") };
    shell.on_letter_refused(Letter(task, number), "away", 0);
    assert_eq!(shell.may_read(0, Side::Clicks), Err(WaitReason::DeadLetters));
    shell.on_revoked();
    shell.on_assigned(&Side::BOTH.map(|side| (side, 0)), 1);
    answer_facts(&mut shell, &facts(&[0]), 1);
    assert_eq!(shell.may_read(0, Side::Clicks), Ok(()));
    // Refused after its task was dropped: it says nothing about pending dead letters.
    shell.on_letter_refused(Letter(task, number), "away", 2);
    assert_eq!(shell.may_read(0, Side::Clicks), Ok(()));
}

/// A shell that reads the impressions of one pair again up to this position; both logs end at `end`.
fn replaying(position: i64, end: i64) -> TestShell {
    let mut shell = assigned(0);
    let commits = [PartitionCheckpoint { position, ..begun(0) }, begun(0)];
    let facts: Vec<_> =
        Side::BOTH.into_iter().zip(commits).map(|(side, commit)| there(side, 0, Some(commit), end)).collect();
    answer_facts(&mut shell, &facts, 0);
    shell
}

#[test]
fn letters_of_a_replaying_pair_wait_and_are_not_owed() {
    let mut shell = replaying(1, 1);
    read_bad(&mut shell, Side::Clicks, 0);
    assert!(shell.next_letter(0).is_none() && shell.letters_waiting() == 1, "an earlier run may have written it");
    assert!(!shell.owed().letters, "the next run issues it again");
    assert_eq!(read(&mut shell, 0, 0, &impression(0)), Step::Replayed);
    assert!(shell.owed().letters);
    assert!(shell.next_letter(0).is_some());
}

#[test]
fn a_pair_replays_until_it_has_reached_its_positions() {
    let mut shell = replaying(2, 2);
    for (offset, seconds) in [(0, 0), (1, 1)] {
        assert_eq!(shell.replaying(), 1, "{offset} records of two are read");
        assert_eq!(read(&mut shell, 0, offset, &impression(seconds)), Step::Replayed);
    }
    assert_eq!(shell.replaying(), 0);
    assert_eq!(read(&mut shell, 0, 2, &impression(2)), Step::Counted);
}

#[test]
fn a_replay_does_not_wait_for_the_twin() {
    // The clicks are there and cannot be read: somebody's transaction is open.
    let mut shell = replaying(3, 5);
    for (offset, minutes) in [(0, 0), (1, 2), (2, 4)] {
        assert_eq!(shell.may_read(0, Side::Impressions), Ok(()), "{offset} records of three are read again");
        assert_eq!(read(&mut shell, 0, offset, &impression(minutes * 60)), Step::Replayed);
    }
    assert_eq!(shell.replaying(), 0);
    assert_eq!(shell.may_read(0, Side::Impressions), Err(WaitReason::Drift), "what is new waits for the clicks");
}

#[test]
fn a_late_answer_is_not_credited_to_the_next_commit() {
    let mut shell = at_work(&[0]);
    let commit = |shell: &mut TestShell, now| {
        shell.on_time(now);
        commit_of(shell)
    };
    let first = commit(&mut shell, 0).unwrap();
    assert_eq!(read(&mut shell, 0, 0, &impression(0)), Step::Counted);
    let second = commit(&mut shell, 60_000).unwrap();
    shell.on_commit_answer(first, Ok(()), 70_001);
    assert!(shell.pairs()[0].committed().is_none(), "nobody has said anything about the second");
    shell.on_commit_answer(second, Ok(()), 70_002);
    assert!(shell.pairs()[0].committed().is_some());
}

#[test]
fn a_commit_is_waited_for_until_its_timeout() {
    let mut shell = at_work(&[0]);
    shell.on_time(1_000);
    let commit = commit_of(&mut shell).unwrap();
    assert_eq!(read(&mut shell, 0, 0, &impression(0)), Step::Counted);
    shell.on_time(60_999);
    assert_eq!(commit_of(&mut shell), None, "one at a time");
    shell.on_commit_answer(commit, Ok(()), 60_999);
    assert!(shell.pairs()[0].committed().is_some(), "its answer came in time");
    shell.on_time(62_000);
    assert!(commit_of(&mut shell).is_some());
    shell.on_time(122_000);
    let reason = "no answer within 60 s".to_owned();
    assert_eq!(shell.take_commands()[0], Command::Tell(Notice::CommitFailed { reason }));
}

#[test]
fn what_a_commit_waited_for_is_told() {
    let settings = ShellSettings { checkpoint_interval: 100, checkpoint_min_pause: 500, ..ShellSettings::default() };
    let mut shell = at_work_with(&[0], settings);
    shell.on_time(1_000);
    let commit = commit_of(&mut shell).unwrap();
    assert_eq!(shell.commit_waits_for(), Some(CommitWait::Broker));
    assert_eq!(shell.low_offset(0, Side::Impressions), None);
    shell.on_commit_answer(commit, Ok(()), 1_300);
    let past = shell.next_past_commit().unwrap();
    assert_eq!((past.ended, past.completed, past.pairs), (1_300, true, 1));
    assert_eq!((past.waited_for_letters, past.waited_for_broker), (0, 300));
    assert!(shell.next_past_commit().is_none());
    assert_eq!((shell.commit_waits_for(), shell.committed_at()), (None, 1_300));
    assert_eq!(shell.low_offset(0, Side::Impressions), Some(0));

    shell.on_time(1_799);
    assert_eq!(shell.committed_at(), 1_300, "the next one is half a second after the last one at the earliest");
    shell.on_time(1_800);
    assert_eq!(
        (commit_of(&mut shell), shell.committed_at()),
        (None, 1_800),
        "nothing has changed: everything is committed"
    );
    let (task, number) = read_bad(&mut shell, Side::Impressions, 0);
    shell.on_time(1_899);
    assert_eq!((shell.commit_waits_for(), shell.committed_at()), (None, 1_800));
    shell.on_time(1_900);
    assert_eq!((shell.commit_waits_for(), shell.committed_at()), (Some(CommitWait::DeadLetters), 1_800));
    assert!(shell.next_letter(1_900).is_some());
    shell.on_letter_acknowledged(task, number);
    shell.on_time(2_500);
    let commit = commit_of(&mut shell).unwrap();
    shell.on_commit_answer(commit, Err("coordinator moved".to_owned()), 2_600);
    let past = shell.next_past_commit().unwrap();
    assert_eq!((past.completed, past.waited_for_letters, past.waited_for_broker), (false, 600, 100));
    assert_eq!(shell.committed_at(), 1_800, "nothing new is committed");
}

/// The request for the end of a log that it wants now.
fn question_of(shell: &mut TestShell, now: i64) -> Option<EndOffsetQuestion> {
    shell.on_time(now);
    shell.take_commands().into_iter().find_map(|command| match command {
        Command::AskEndOffset(question) => Some(question),
        _ => None,
    })
}

#[test]
fn the_end_of_a_log_is_asked_for_once_in_an_interval_and_again_after_the_timeout() {
    let settings = ShellSettings { ask_interval: 1_000, ask_timeout: 30_000, ..ShellSettings::default() };
    let mut shell = at_work_with(&[0], settings);
    for (offset, seconds) in [(0, 0), (1, 100)] {
        read(&mut shell, 0, offset, &impression(seconds));
    }
    end(&mut shell, 0, 2);
    let first = question_of(&mut shell, 2_000).unwrap();
    assert_eq!((first.partition, first.request.side), (0, Side::Clicks), "nothing is known of the silent side");
    shell.on_end_offset(EndOffsetAnswer { question: first, end_offset: None });
    assert_eq!(question_of(&mut shell, 2_999), None, "the interval");
    let second = question_of(&mut shell, 3_000).unwrap();
    assert_ne!(first.id, second.id);
    assert_eq!(question_of(&mut shell, 32_000), None, "an answer may still come");
    let third = question_of(&mut shell, 33_000).unwrap();
    shell.on_end_offset(EndOffsetAnswer { question: second, end_offset: None });
    assert_eq!(question_of(&mut shell, 34_000), None, "a late failure is not that of the pending one");
    shell.on_end_offset(EndOffsetAnswer { question: third, end_offset: None });
    shell.on_stop(34_500);
    assert_eq!(question_of(&mut shell, 40_000), None, "a stop reads nothing more");
}

#[test]
fn whose_fault_an_error_is_decides_what_it_ends() {
    let error = |error: fn(String) -> PartitionError| Upset::Error(error("words".to_owned()));
    let gives_up =
        |shell: &mut TestShell| shell.take_commands().iter().any(|command| matches!(command, Command::GiveUp(_)));
    let mut shell = at_work(&[0, 1]);
    shell.on_upset(0, Side::Clicks, error(PartitionError::Unreadable), 5);
    assert!(!gives_up(&mut shell));
    assert_eq!(shell.may_read(0, Side::Clicks), Err(WaitReason::Unreadable));
    assert_eq!(shell.may_read(1, Side::Clicks), Ok(()), "the others are read");
    shell.on_upset(0, Side::Clicks, error(PartitionError::OutOfRange), 6);
    assert!(!gives_up(&mut shell) && !shell.has_joined(), "taken over again, and no failure");
    let mut shell = at_work(&[0]);
    shell.on_upset(0, Side::Clicks, error(PartitionError::Other), 5);
    assert!(gives_up(&mut shell));
}

#[test]
fn rows_that_are_durable_just_in_time_leave_only_the_commit_to_a_stop() {
    let mut shell = at_work(&[0]);
    for (offset, seconds) in [(0, 0), (1, 15), (2, 30)] {
        assert_eq!(read(&mut shell, 0, offset, &impression(seconds)), Step::Counted);
    }
    end(&mut shell, 0, 3);
    shell.on_stop(100_000);
    let mut fired = Vec::new();
    while let Some(rows) = shell.fire(100_000, |_| {}) {
        fired.push(rows);
        if fired.len() > 10 {
            break;
        }
    }
    assert_eq!(fired.len(), 1, "what is due goes out, once");
    shell.on_time(100_000);
    assert_eq!(commit_of(&mut shell), None, "the last commit waits for the rows");
    assert!(!shell.owed().is_nothing() && !shell.owed().is_only_the_commit());
    shell.on_rows_acknowledged(fired[0].task, fired[0].batch);
    assert!(shell.owed().is_only_the_commit());
    shell.on_time(100_001);
    let id = commit_of(&mut shell);
    assert!(shell.owed().is_only_the_commit(), "until it is answered");
    assert_eq!(shell.owed().to_string(), "still to come: the last commit");
    shell.on_commit_answer(id.unwrap(), Ok(()), 100_002);
    shell.on_time(100_002);
    assert!(shell.owed().is_nothing() && !shell.owed().is_only_the_commit());
}

#[test]
fn a_stop_does_not_wait_until_the_next_checkpoint_is_due() {
    let mut shell = at_work(&[0]);
    read(&mut shell, 0, 0, &impression(0));
    shell.on_time(10);
    let first = commit_of(&mut shell);
    shell.on_commit_answer(first.unwrap(), Ok(()), 11);
    read(&mut shell, 0, 1, &impression(1));
    shell.on_time(12);
    assert_eq!(commit_of(&mut shell), None, "the next one is due in five seconds");
    shell.on_stop(13);
    shell.on_time(13);
    assert!(commit_of(&mut shell).is_some());
}

#[test]
fn the_last_commit_of_a_stop_waits_for_its_dead_letters() {
    let mut shell = at_work(&[0]);
    let (task, number) = read_bad(&mut shell, Side::Impressions, 0);
    shell.on_stop(10);
    shell.on_time(10);
    assert_eq!(commit_of(&mut shell), None);
    assert!(shell.owed().letters);
    assert!(shell.next_letter(11).is_some());
    assert!(!shell.owed().letters, "it is the producer's now");
    shell.on_letter_acknowledged(task, number);
    assert!(shell.owed().is_only_the_commit());
    shell.on_time(12);
    assert!(commit_of(&mut shell).is_some());
}

#[test]
fn a_stop_owes_the_last_commit_and_nothing_to_a_takeover() {
    let mut shell = at_work(&[0]);
    read(&mut shell, 0, 0, &impression(0));
    shell.on_stop(10);
    assert!(!shell.owed().is_nothing());
    assert_eq!(shell.may_read(0, Side::Clicks), Err(WaitReason::Stopping));
    shell.on_time(10);
    let id = commit_of(&mut shell);
    shell.on_commit_answer(id.unwrap(), Err("coordinator moved".to_owned()), 11);
    shell.on_time(110);
    assert_eq!(commit_of(&mut shell), None, "not at once");
    shell.on_time(111);
    let again = commit_of(&mut shell);
    shell.on_commit_answer(again.unwrap(), Ok(()), 112);
    shell.on_time(112);
    assert!(shell.owed().is_nothing());

    let mut shell = assigned(0);
    shell.on_stop(1);
    shell.on_time(1);
    assert!(shell.owed().is_nothing(), "the brokers need not answer first");
}
