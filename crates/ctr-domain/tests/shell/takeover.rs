//! When the facts of partitions are asked for: at once, after a failure, after a silence, again for what is missing.

use ctr_domain::rules::Rules;
use ctr_domain::shell::{
    Command, FactsId, Notice, PartitionError, PartitionFacts, Presence, ShellSettings, Upset, WaitReason,
};
use ctr_domain::side::Side;

use super::{TestShell, answer_facts, assigned, at_work, facts, impression, read, request_of};

/// The request for facts that it wants now.
fn request_at(shell: &mut TestShell, now: i64) -> Option<(FactsId, Vec<i32>)> {
    shell.on_time(now);
    request_of(shell)
}

/// A shell that was assigned the clicks partitions 0 and 1, whose second pair lacks the impressions.
fn without_twin(now: i64) -> (TestShell, Vec<PartitionFacts>) {
    let mut shell = TestShell::new(ShellSettings::default(), Rules::default(), ());
    shell.on_assigned(&[(Side::Impressions, 0), (Side::Clicks, 0), (Side::Clicks, 1)], now);
    let mut known = facts(&[0, 1]);
    known[2].presence = Presence::Absent;
    (shell, known)
}

#[test]
fn a_request_is_repeated_after_its_timeout_and_sooner_after_a_failure() {
    let mut shell = assigned(100);
    let (first, _) = request_at(&mut shell, 100).unwrap();
    assert_eq!(request_at(&mut shell, 30_099), None);
    let (second, partitions) = request_at(&mut shell, 30_100).unwrap();
    assert!(first != second && partitions == [0]);
    shell.on_facts(first, Ok(facts(&[0])), 30_200);
    assert!(!shell.has_joined(), "the answer to an abandoned request");
    shell.on_facts(first, Err("too late".to_owned()), 30_200);
    assert_eq!(request_at(&mut shell, 31_300), None, "nor does its failure count");
    shell.on_facts(second, Err("no coordinator".to_owned()), 31_500);
    let told = shell.take_commands();
    assert_eq!(told, [Command::Tell(Notice::NoFacts { reason: "no coordinator".to_owned() })]);
    assert_eq!(request_at(&mut shell, 32_499), None);
    let (third, _) = request_at(&mut shell, 32_500).unwrap();
    shell.on_facts(third, Ok(facts(&[0])), 32_600);
    assert!(shell.has_joined() && shell.pairs().len() == 1);
    assert!(shell.take_commands().contains(&Command::Tell(Notice::TakenOver { partitions: vec![0], took_ms: 32_500 })));
}

#[test]
fn what_is_missing_is_looked_for_while_the_rest_is_read() {
    let (mut shell, known) = without_twin(0);
    let told = answer_facts(&mut shell, &known, 1_000);
    assert!(told.contains(&Command::Tell(Notice::WithoutTwin { partitions: vec![1] })));
    assert!(shell.has_joined() && shell.without_twin() == [1]);
    assert_eq!(request_at(&mut shell, 3_999), None);
    let (first, partitions) = request_at(&mut shell, 4_000).unwrap();
    assert_eq!(partitions, [1], "only what is missing");
    assert!(shell.has_joined(), "the others are read meanwhile");
    assert_eq!(request_at(&mut shell, 33_999), None, "an answer may still come");
    let (second, _) = request_at(&mut shell, 34_000).unwrap();
    shell.on_facts(first, Ok(facts(&[1])), 34_100);
    assert_eq!(shell.pairs().len(), 1, "the answer to an abandoned request");
    shell.on_facts(second, Ok(vec![known[2].clone(), known[3].clone()]), 35_000);
    assert_eq!(request_at(&mut shell, 37_999), None);
    let (third, _) = request_at(&mut shell, 38_000).unwrap();
    shell.on_facts(third, Err("no broker".to_owned()), 39_000);
    let (fourth, _) = request_at(&mut shell, 42_000).unwrap();
    shell.on_facts(fourth, Ok(facts(&[1])), 42_100);
    assert_eq!(shell.pairs().len(), 0, "it is there: all are taken over again");
    let told = answer_facts(&mut shell, &known, 42_200);
    let again = told.iter().any(|command| matches!(command, Command::Tell(Notice::WithoutTwin { .. })));
    assert!(!again && shell.without_twin() == [1], "gone again: it was told already");
    let (fifth, _) = request_at(&mut shell, 45_200).unwrap();
    shell.on_facts(fifth, Ok(facts(&[1])), 45_300);
    assert_eq!(request_at(&mut shell, 46_299), None, "the second time within ten seconds");
    let (last, _) = request_at(&mut shell, 46_300).unwrap();
    shell.on_facts(last, Ok(facts(&[0, 1])), 46_400);
    assert!(shell.pairs().len() == 2 && shell.without_twin().is_empty());
    assert_eq!(request_at(&mut shell, 100_000), None, "nothing is missing");
}

#[test]
fn a_second_takeover_within_ten_seconds_waits() {
    let mut shell = at_work(&[0]);
    let upset = |shell: &mut TestShell, now| {
        shell.on_upset(0, Side::Clicks, Upset::Error(PartitionError::OutOfRange("cut".to_owned())), now);
    };
    upset(&mut shell, 100);
    answer_facts(&mut shell, &facts(&[0]), 200);
    upset(&mut shell, 10_099);
    assert_eq!(request_at(&mut shell, 11_098), None);
    assert!(request_at(&mut shell, 11_099).is_some());
    shell.on_time(11_200);

    let mut shell = at_work(&[0]);
    upset(&mut shell, 100);
    answer_facts(&mut shell, &facts(&[0]), 200);
    upset(&mut shell, 10_100);
    assert!(request_at(&mut shell, 10_100).is_some());
}

#[test]
fn an_unreadable_partition_is_tried_again_after_ten_minutes() {
    let mut shell = at_work(&[0, 1]);
    let unreadable = |shell: &mut TestShell, index, now| {
        let reason = "bytes".to_owned();
        shell.on_upset(index, Side::Impressions, Upset::Error(PartitionError::Unreadable(reason)), now);
        shell.take_commands()
    };
    for offset in 0..3 {
        read(&mut shell, 0, offset, &impression(offset));
    }
    let told = Notice::Stopped { side: Side::Impressions, partition: 0, position: 3, reason: "bytes".to_owned() };
    assert_eq!(unreadable(&mut shell, 0, 1_000), [Command::Tell(told)]);
    assert_eq!(unreadable(&mut shell, 0, 2_000), [], "it was told");
    unreadable(&mut shell, 1, 500_000);
    assert_eq!(shell.may_read(0, Side::Impressions), Err(WaitReason::Unreadable));
    assert_eq!(request_at(&mut shell, 600_999), None);
    assert!(shell.has_joined());
    let (id, partitions) = request_at(&mut shell, 601_000).unwrap();
    assert_eq!(partitions, [0, 1], "all together");
    shell.on_facts(id, Ok(facts(&[0, 1])), 601_100);
    assert_eq!(shell.may_read(0, Side::Impressions), Ok(()));
    assert_eq!(request_at(&mut shell, 2_000_000), None, "once");
}

#[test]
fn a_revocation_ends_the_takeover() {
    let mut shell = TestShell::new(ShellSettings::default(), Rules::default(), ());
    assert!(!shell.has_joined(), "nothing was assigned yet");
    shell.on_assigned(&Side::BOTH.map(|side| (side, 0)), 0);
    let (id, _) = request_at(&mut shell, 0).unwrap();
    shell.on_revoked();
    shell.on_facts(id, Ok(facts(&[0])), 10);
    assert!(shell.pairs().is_empty() && !shell.has_joined());
    assert_eq!(request_at(&mut shell, 100_000), None);
    shell.on_assigned(&[], 100_001);
    assert!(shell.has_joined(), "of no partition, all are read");
    shell.on_stop(100_002);
    shell.on_assigned(&Side::BOTH.map(|side| (side, 0)), 100_003);
    assert_eq!(request_at(&mut shell, 200_000), None, "a stop takes nothing over");
    assert!(shell.read(0, Side::Clicks, 0).is_none());
}
