//! Each row of the crash table (docs/delivery.md) as a separate case, small enough to follow by hand.
//!
//! Windows are 10 s, disorder 2 s, lateness 5 s: a partition passes the window that ends at `e` when its maximum
//! reaches `e + 7000`.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod life;

use ctr_domain::recovery::{RecoveryError, RecoveryNotice};
use ctr_domain::rules::Rules;
use ctr_domain::side::Side;
use ctr_domain::task::Outcome;
use ctr_domain::window::WindowSize;

use life::{Cluster, Life};

const T: i64 = 1_700_000_000_000;
const ENOUGH: i64 = 1_000_000;

fn at(times: &[i64]) -> Vec<i64> {
    times.iter().map(|time| T + time).collect()
}

/// Two windows and the beginning of a third on both sides, with a too-late record at impression 5.
fn cluster() -> Cluster {
    let mut cluster = Cluster::default();
    cluster.impressions("a", &at(&[1_000, 4_000, 12_000, 9_000, 18_000, 2_000, 21_000]));
    cluster.clicks("a", &at(&[3_000, 13_000, 17_500, 22_000]));
    cluster
}

fn start(cluster: &Cluster) -> Life {
    Life::start(cluster, Rules::default()).unwrap()
}

fn straight(mut cluster: Cluster) -> Cluster {
    start(&cluster).finish(&mut cluster);
    cluster
}

#[test]
fn the_log_says_this() {
    let cluster = straight(cluster());
    assert_eq!(cluster.row("a", T + 10_000), Some((3, 1)));
    assert_eq!(cluster.row("a", T + 20_000), Some((2, 2)));
    assert_eq!(cluster.row("a", T + 30_000), Some((1, 1)));
    assert_eq!(cluster.letters.into_iter().collect::<Vec<_>>(), [((Side::Impressions, 5, "TOO_LATE"), false)]);
}

#[test]
fn crash_at_any_moment() {
    let expected = straight(cluster());
    let ends = cluster().logs.0.map(|log| log.end);
    for impressions in 0..=ends[0] {
        for clicks in 0..=ends[1] {
            for steps in 0..16 {
                let mut cluster = cluster();
                let mut life = start(&cluster);
                life.read(&cluster, Side::Impressions, impressions / 2);
                life.read(&cluster, Side::Clicks, clicks / 2);
                for read_more in [true, false] {
                    if steps & 1 != 0 {
                        life.show(&mut cluster, if steps & 2 == 0 { 0 } else { ENOUGH });
                    }
                    if steps & 4 != 0 {
                        life.send_letters(&mut cluster);
                    }
                    if steps & 8 != 0 {
                        life.commit(&mut cluster);
                    }
                    if read_more {
                        life.read(&cluster, Side::Impressions, impressions);
                        life.read(&cluster, Side::Clicks, clicks);
                    }
                }
                drop(life);
                start(&cluster).finish(&mut cluster);
                assert_eq!(cluster.table, expected.table, "crash at {impressions}, {clicks} after {steps:04b}");
                assert_eq!(cluster.letters, expected.letters, "crash at {impressions}, {clicks} after {steps:04b}");
            }
        }
    }
}

#[test]
fn the_replay_is_silent() {
    let mut cluster = cluster();
    start(&cluster).finish(&mut cluster);
    let committed = cluster.commits.clone();
    let mut life = start(&cluster);
    assert!(!life.commit(&mut cluster), "no checkpoint while replaying");
    life.read(&cluster, Side::Impressions, 7);
    life.show(&mut cluster, ENOUGH);
    assert_eq!(life.task.fire(ENOUGH, 10, |row| panic!("shown while replaying: {row:?}")), None);
    assert!(life.outcomes.iter().all(|(_, _, outcome)| *outcome == Outcome::Replayed), "{:?}", life.outcomes);
    assert_eq!(cluster.commits, committed);
    life.read_all(&cluster);
    assert!(life.task.is_replayed());
}

#[test]
fn commit_lost_or_overwritten_by_an_older_one() {
    let expected = straight(cluster());
    let mut cluster = cluster();
    let mut life = start(&cluster);
    life.read(&cluster, Side::Impressions, 3);
    life.send_letters(&mut cluster);
    assert!(life.commit(&mut cluster));
    let older = cluster.commits.clone();
    life.finish(&mut cluster);
    for commits in [Cluster::default().commits, older] {
        cluster.commits = commits;
        start(&cluster).finish(&mut cluster);
        assert_eq!((&cluster.table, &cluster.letters), (&expected.table, &expected.letters));
    }
}

#[test]
fn old_owner_still_alive() {
    let expected = straight(cluster());
    let mut cluster = cluster();
    let mut old = start(&cluster);
    old.read(&cluster, Side::Impressions, 4);
    old.send_letters(&mut cluster);
    old.commit(&mut cluster);
    let mut new = start(&cluster);
    new.read_all(&cluster);
    new.show(&mut cluster, ENOUGH);
    old.read(&cluster, Side::Clicks, 3);
    old.read(&cluster, Side::Impressions, 7);
    old.show(&mut cluster, ENOUGH);
    old.send_letters(&mut cluster);
    for (key, row) in &cluster.table {
        let truth = expected.table[key];
        assert!(row.0 <= truth.0 && row.1 <= truth.1, "{key:?}: {row:?} is more than {truth:?}");
    }
    assert!(old.commit(&mut cluster));
    new.finish(&mut cluster);
    assert_eq!((cluster.table, cluster.letters), (expected.table, expected.letters));
}

#[test]
fn log_cut_between_low_offset_and_position() {
    let mut cluster = cluster();
    let mut life = start(&cluster);
    life.read_all(&cluster);
    life.show(&mut cluster, ENOUGH);
    life.send_letters(&mut cluster);
    assert!(life.commit(&mut cluster));
    let table = cluster.table.clone();
    drop(life);
    cluster.logs[Side::Impressions].cut(5);
    // A record of a window that lost some, one of a window after all those, and their clicks.
    cluster.impressions("a", &at(&[23_000, 31_000]));
    cluster.clicks("a", &at(&[24_000, 32_000]));
    let mut life = start(&cluster);
    assert_eq!(life.notices, [RecoveryNotice::LogCutBelowPosition { low_offset: 2, position: 7, log_start: 5 }]);
    life.finish(&mut cluster);
    assert_eq!(cluster.row("a", T + 40_000), Some((1, 1)), "a window that lost nothing is exact");
    for (key, row) in table {
        assert_eq!(cluster.table[&key], row, "the last complete row stays");
    }
    let early: Vec<_> = cluster.letters.iter().filter(|(_, early)| **early).map(|(id, _)| (id.0, id.1)).collect();
    assert_eq!(early, [(Side::Impressions, 7), (Side::Clicks, 4)]);
}

/// A limit of the rules, pinned here so that it changes only on purpose: rows may lag behind commits, and the windows
/// that would restore them are not rebuilt from part of their records.
#[test]
fn log_cut_before_the_rows_of_a_commit_were_written() {
    let mut cluster = cluster();
    let mut life = start(&cluster);
    life.read_all(&cluster);
    life.send_letters(&mut cluster);
    assert!(life.commit(&mut cluster), "rows may lag: their windows are held");
    drop(life);
    cluster.logs[Side::Impressions].cut(5);
    let mut life = start(&cluster);
    life.finish(&mut cluster);
    let notice = RecoveryNotice::LogCutBelowPosition { low_offset: 0, position: 7, log_start: 5 };
    assert_eq!(
        (life.notices.as_slice(), notice.records_lost_at_most()),
        ([notice].as_slice(), 7),
        "the loss is counted"
    );
    assert!(cluster.table.is_empty(), "the clicks alone would be half a window");
}

#[test]
fn log_cut_beyond_the_position() {
    let mut cluster = cluster();
    start(&cluster).finish(&mut cluster);
    cluster.impressions("a", &at(&[31_000, 32_000, 33_000]));
    cluster.logs[Side::Impressions].cut(9);
    let mut life = start(&cluster);
    let notice = RecoveryNotice::LogCutBeyondPosition { low_offset: 2, position: 7, log_start: 9 };
    assert_eq!((life.notices.as_slice(), notice.records_lost_at_most()), ([notice].as_slice(), 7));
    life.finish(&mut cluster);
    assert_eq!(life.outcomes.first(), Some(&(Side::Impressions, 9, Outcome::Counted)), "{:?}", life.outcomes);
    assert_eq!(cluster.row("a", T + 40_000), Some((1, 0)));
    assert_eq!(cluster.row("a", T + 30_000), Some((1, 1)), "the last complete row stays");
}

#[test]
fn topic_made_anew_is_seen_by_the_record_at_the_anchor() {
    let mut cluster = cluster();
    start(&cluster).finish(&mut cluster);
    let old = cluster.table.clone();
    cluster.logs[Side::Impressions] = life::Log::default();
    cluster.logs[Side::Clicks] = life::Log::default();
    cluster.impressions("a", &at(&[100, 200, 300, 400, 500, 600, 700, 50_000]));
    let mut life = start(&cluster);
    assert_eq!(life.notices, [RecoveryNotice::TopicMadeAnew { low_offset: 1, log_end: 0 }], "the clicks end below");
    life.read(&cluster, Side::Impressions, 3);
    let Some((side, _, Outcome::AnotherLog)) = life.outcomes.first() else { panic!("{:?}", life.outcomes) };
    let mut life = life.anew(&cluster, *side, Rules::default());
    assert_eq!(life.notices, [RecoveryNotice::TopicMadeAnew { low_offset: 2, log_end: 8 }]);
    life.finish(&mut cluster);
    assert_eq!(cluster.row("a", T + 10_000), Some((7, 0)), "the larger of the two counts");
    assert_eq!(cluster.row("a", T + 20_000), old.get(&("a".to_owned(), T + 20_000)).copied());
    assert_eq!(cluster.row("a", T + 60_000), Some((1, 0)));
}

#[test]
fn topic_made_anew_is_seen_by_its_end_also_where_that_is_the_low_offset() {
    for records in 0..=2 {
        let mut cluster = cluster();
        start(&cluster).finish(&mut cluster);
        cluster.logs[Side::Impressions] = life::Log::default();
        cluster.impressions("b", &at(&[41_000, 42_000])[..records]);
        let mut life = start(&cluster);
        let log_end = records as i64;
        assert_eq!(life.notices, [RecoveryNotice::TopicMadeAnew { low_offset: 2, log_end }]);
        life.finish(&mut cluster);
        let expected = (records > 0).then_some((records as u64, 0));
        assert_eq!(cluster.row("b", T + 50_000), expected, "nothing of it is taken for read");
    }
}

#[test]
fn metadata_missing_after_offsets_were_set_by_a_tool() {
    let mut cluster = cluster();
    start(&cluster).finish(&mut cluster);
    let by_tool = |offset| Some((offset, String::new()));
    cluster.commits.0 = [by_tool(5), by_tool(4)];
    let before = cluster.table.clone();
    let mut life = start(&cluster);
    let notices = [5, 4].map(|offset| RecoveryNotice::OffsetsSetByTool { offset });
    assert_eq!(life.notices, notices);
    assert_eq!(life.task.watermark(Side::Impressions), ctr_domain::watermark::Watermark::NONE, "no maximum");
    life.finish(&mut cluster);
    let outcomes: Vec<_> = life.outcomes.into_iter().map(|(_, offset, outcome)| (offset, outcome)).collect();
    assert_eq!(outcomes, [(5, Outcome::Counted), (6, Outcome::Counted)], "what the log holds from there");
    assert_eq!(cluster.table, before, "windows counted from half of the log do not replace whole ones");
}

#[test]
fn window_size_changed_is_refused() {
    let mut cluster = cluster();
    start(&cluster).finish(&mut cluster);
    let rules = Rules { window_size: WindowSize::from_ms(60_000).unwrap(), ..Rules::default() };
    let refused = Life::start(&cluster, rules).err();
    assert_eq!(refused, Some(RecoveryError::WindowSizeChanged { committed: 10_000, configured: 60_000 }));
}

#[test]
fn a_replay_never_waits_for_the_record_before_the_position() {
    let mut cluster = cluster();
    // The position is after a transaction marker: record 7 does not exist, and nothing follows it.
    cluster.logs[Side::Impressions].end = 8;
    start(&cluster).finish(&mut cluster);
    let mut life = start(&cluster);
    assert_eq!(life.starts[Side::Impressions].position, 8);
    life.read(&cluster, Side::Clicks, 4);
    life.read(&cluster, Side::Impressions, 7);
    assert!(!life.task.is_replayed(), "the end is not reached yet");
    life.read(&cluster, Side::Impressions, 8);
    assert!(life.task.is_replayed());
    // Or the next record is past the position.
    cluster.impressions("a", &at(&[22_500]));
    let mut life = start(&cluster);
    life.read(&cluster, Side::Clicks, 4);
    life.task.on_arrival(Side::Impressions, 0);
    life.read(&cluster, Side::Impressions, 9);
    assert!(life.task.is_replayed());
    assert_eq!(life.outcomes.last(), Some(&(Side::Impressions, 8, Outcome::Counted)));
}

/// A limit of the rules, pinned here so that it changes only on purpose: `version` is one number, so a row can replace
/// one that has more of one count, if it has at least as much more of the other. The rightful owner always sends the
/// larger of both in the end, unless it has closed the window early because the other partition was silent. `ctr_ml`
/// keeps the larger of each count and is correct even then.
#[test]
fn an_old_owner_can_hide_counts_of_a_window_closed_early() {
    let mut cluster = Cluster::default();
    cluster.impressions("a", &at(&[1_000]));
    let mut old = start(&cluster);
    old.read_all(&cluster);
    cluster.impressions("a", &at(&[2_000]));
    cluster.impressions("b", &at(&[200_000]));
    cluster.clicks("a", &at(&[1_000]));
    let mut new = start(&cluster);
    new.read_all(&cluster);
    let request = new.task.end_offset_request().expect("the clicks are silent, the impressions far ahead");
    new.task.on_end_offset(request, 1);
    new.show(&mut cluster, 0);
    assert_eq!(cluster.row("a", T + 10_000), Some((2, 1)));
    assert!(new.commit(&mut cluster));
    cluster.clicks("a", &at(&[1_500]));
    new.finish(&mut cluster);
    assert_eq!(cluster.letters.get(&(Side::Clicks, 1, "TOO_LATE")), Some(&true), "in the letters, so not in the table");
    // The old owner, which has read one impression, now reads the two clicks.
    old.read(&cluster, Side::Clicks, 2);
    old.show(&mut cluster, ENOUGH);
    assert_eq!(cluster.row("a", T + 10_000), Some((1, 2)), "the limit: (2, 1) had the same sum");
}
