//! The guarantees, each checked with many histories. `CTR_HISTORIES=1000000 cargo test --release -p ctr-simulation`
//! runs more of them; `ctr-verify simulate` does too, with a progress line, and can repeat a single one.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking, and tells its rate")]

use std::time::Instant;

use ctr_simulation::{Campaign, Kind, Subject, Tally};

/// Of each kind.
const HISTORIES: u64 = 20_000;

fn all_hold(subject: Subject, kind: Kind) {
    let histories = std::env::var("CTR_HISTORIES").map_or(HISTORIES, |number| number.replace('_', "").parse().unwrap());
    let (tally, begun) = (Tally::default(), Instant::now());
    let failure = Campaign { subject, kind, seeds: 0..histories, threads: 2, mutation: None, steps: None }.run(&tally);
    println!("{} histories, {} records, {:?}", tally.histories(), tally.records(), begun.elapsed());
    if let Some(failure) = failure {
        let again = format!(
            "ctr-verify simulate --kind {kind} --seed {} --steps {} --histories 1",
            failure.seed, failure.steps
        );
        panic!("seed {}: {}\n  run it alone: {again}", failure.seed, failure.defect);
    }
}

#[test]
fn every_table_and_every_letter_is_what_the_log_says() {
    all_hold(Subject::Task, Kind::Exact);
}

#[test]
fn what_is_closed_early_is_in_the_table_or_in_the_letters() {
    all_hold(Subject::Task, Kind::Early);
}

#[test]
fn with_one_owner_table_and_closed_early_letters_add_up() {
    all_hold(Subject::Task, Kind::CalmEarly);
}

#[test]
fn cut_logs_new_topics_and_reset_offsets_come_to_what_the_crash_table_says() {
    all_hold(Subject::Task, Kind::Disaster);
}

#[test]
fn partitions_that_a_group_meets_for_the_first_time_are_counted_from_where_they_must() {
    all_hold(Subject::Task, Kind::Added);
}

#[test]
fn the_model_holds_too_so_its_mutations_mean_something() {
    all_hold(Subject::Model, Kind::Exact);
}

#[test]
fn whatever_misbehaves_around_a_worker_it_comes_to_the_end_of_everything_by_itself() {
    all_hold(Subject::Task, Kind::Shell);
}
