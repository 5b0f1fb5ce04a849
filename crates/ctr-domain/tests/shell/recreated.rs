//! A topic that was recreated while it was read: which commits its pair continues with.

use ctr_domain::shell::{Command, PartitionError, PartitionFacts, Upset};
use ctr_domain::side::Side;

use super::{TestShell, answer_facts, assigned, begun, commit_of, impression, read, there};

/// The facts of pair 0: the group's commits for impressions and clicks, in logs of a hundred records.
fn committed(offsets: [i64; 2]) -> Vec<PartitionFacts> {
    Side::BOTH.into_iter().zip(offsets).map(|(side, offset)| there(side, 0, Some(begun(offset)), 100)).collect()
}

/// Where the pair is read from, impressions and clicks, after these facts.
fn starts(shell: &mut TestShell, offsets: [i64; 2], now: i64) -> [i64; 2] {
    let list = answer_facts(shell, &committed(offsets), now).into_iter().find_map(|command| match command {
        Command::Assign(list) => Some(list),
        _ => None,
    });
    list.unwrap()[0].starts.0.map(|start| start.offset)
}

/// Reads a record of the impressions and commits.
fn commit(shell: &mut TestShell, offset: i64, now: i64) {
    read(shell, 0, offset, &impression(0));
    shell.on_time(now);
    let id = commit_of(shell).unwrap();
    shell.on_commit_answer(id, Ok(()), now);
    shell.take_commands();
}

#[test]
fn the_other_side_continues_with_the_commit_it_started_with() {
    let mut shell = assigned(0);
    assert_eq!(starts(&mut shell, [50, 30], 0), [50, 30]);
    shell.on_upset(0, Side::Impressions, Upset::AnotherLog, 1_000);
    // Another member has committed meanwhile, of the new log.
    assert_eq!(starts(&mut shell, [7, 8], 1_100), [0, 30], "not each side from another checkpoint");
}

#[test]
fn after_a_commit_of_its_own_it_continues_with_that() {
    let mut shell = assigned(0);
    starts(&mut shell, [50, 30], 0);
    commit(&mut shell, 50, 10_000);
    shell.on_upset(0, Side::Impressions, Upset::AnotherLog, 11_000);
    assert_eq!(starts(&mut shell, [51, 31], 11_100), [0, 31]);
}

#[test]
fn a_finding_holds_until_the_pair_has_committed() {
    let cut = || Upset::Error(PartitionError::OutOfRange("cut".to_owned()));
    let mut shell = assigned(0);
    starts(&mut shell, [50, 30], 0);
    shell.on_upset(0, Side::Impressions, Upset::AnotherLog, 1_000);
    starts(&mut shell, [50, 30], 1_100);
    shell.on_upset(0, Side::Clicks, cut(), 20_000);
    assert_eq!(starts(&mut shell, [50, 30], 20_100), [0, 30], "the commit is still that of the other log");
    commit(&mut shell, 0, 30_000);
    shell.on_upset(0, Side::Clicks, cut(), 40_000);
    assert_eq!(starts(&mut shell, [5, 30], 40_100), [5, 30]);
}
