//! The work of the workers: checkpoints, dead letters, pauses; and their group.

use std::collections::BTreeMap;

use ctr_domain::dead_letter::TOO_LATE;
use ctr_domain::rejection::RejectionCode;
use serde::Serialize;

use super::age;
use crate::histogram::{Histogram, Quantiles};
use crate::source::cluster::ClusterView;
use crate::status::board::WorkerPlace;
use crate::status::snapshot::{CommitWait, REMEMBERED, RecentLetter, WaitReason, WorkerStatus, WorkerTotals};

/// Commits of all workers.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckpointsReport {
    /// Acknowledged by the broker.
    pub completed: u64,
    /// Failed, or not answered.
    pub failed: u64,
    /// How long ago everything was last committed, in the worker where that is longest; `None` if no worker is running.
    pub age_seconds: Option<f64>,
    /// From taking a checkpoint to the broker's response.
    pub duration: Quantiles,
    /// The last ones, newest first.
    pub recent: Vec<CheckpointReport>,
    /// The durations in full, for the metrics.
    #[serde(skip)]
    pub durations: Histogram,
}

/// A completed checkpoint.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckpointReport {
    /// The worker whose tasks are in it.
    pub worker: usize,
    /// How long ago it ended.
    pub seconds_ago: f64,
    /// Whether the broker accepted it.
    pub completed: bool,
    /// Pairs of partitions in it.
    pub pairs: usize,
    /// From taking it to the broker's response.
    pub duration_seconds: f64,
    /// The part in which it waited for dead letters to be durable.
    pub dead_letters_seconds: f64,
    /// The part in which it waited for the broker's response.
    pub broker_seconds: f64,
}

impl CheckpointsReport {
    pub(super) fn of(places: &[WorkerPlace], totals: &WorkerTotals) -> Self {
        let mut recent = Vec::new();
        for (worker, status) in working(places) {
            recent.extend(status.checkpoints.recent.iter().map(|past| CheckpointReport {
                worker,
                seconds_ago: age(past.ended),
                completed: past.completed,
                pairs: past.pairs,
                duration_seconds: past.duration().as_secs_f64(),
                dead_letters_seconds: past.waited_for_letters.as_secs_f64(),
                broker_seconds: past.waited_for_broker.as_secs_f64(),
            }));
        }
        recent.sort_by(|a, b| a.seconds_ago.total_cmp(&b.seconds_ago));
        recent.truncate(REMEMBERED);
        Self {
            completed: totals.checkpoints_completed,
            failed: totals.checkpoints_failed,
            age_seconds: working(places).map(|(_, status)| age(status.checkpoints.current_at)).reduce(f64::max),
            duration: totals.checkpoint_durations.quantiles(),
            recent,
            durations: totals.checkpoint_durations,
        }
    }
}

/// Records that were not counted.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLettersReport {
    /// All codes with their number of records, including 0.
    pub by_code: BTreeMap<&'static str, u64>,
    /// Acknowledged by the dead letter topic.
    pub written: u64,
    /// Not handed to the producer yet.
    pub waiting: usize,
    /// Whether they currently cannot be written.
    pub failing: bool,
    /// The last ones, newest first.
    pub recent: Vec<RecentLetter>,
}

impl DeadLettersReport {
    pub(super) fn of(places: &[WorkerPlace], totals: &WorkerTotals) -> Self {
        let ledger = totals.ledger();
        let mut by_code: BTreeMap<_, _> =
            RejectionCode::ALL.iter().map(|code| (code.as_str(), ledger.rejected[code.index()])).collect();
        by_code.insert(TOO_LATE, ledger.too_late);
        let letters = || working(places).map(|(_, status)| &status.letters);
        let mut recent: Vec<&RecentLetter> = letters().flat_map(|letters| &letters.recent).collect();
        recent.sort_by_key(|letter| std::cmp::Reverse(letter.read_at));
        Self {
            by_code,
            written: totals.letters_written,
            waiting: letters().map(|letters| letters.waiting).sum(),
            failing: letters().any(|letters| letters.failing),
            recent: recent.into_iter().take(REMEMBERED).cloned().collect(),
        }
    }
}

/// Time in which workers did not read.
#[derive(Debug, Clone, Serialize)]
pub struct PauseReport {
    /// The reason, as a metric's label.
    pub wait: &'static str,
    /// The reason, for people.
    pub text: &'static str,
    /// Total time of all workers.
    pub seconds: f64,
}

impl PauseReport {
    pub(super) fn all(totals: &WorkerTotals) -> Vec<Self> {
        WaitReason::ALL
            .iter()
            .zip(totals.waited)
            .map(|(reason, waited)| Self { wait: reason.label(), text: reason.text(), seconds: waited.as_secs_f64() })
            .collect()
    }
}

/// One worker.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkerReport {
    /// Its number.
    pub worker: usize,
    /// Whether it has an assignment, possibly empty.
    pub joined: bool,
    /// Pairs that have not passed their positions yet.
    pub replaying: usize,
    /// What its next checkpoint is waiting for.
    pub checkpoint_waits_for: Option<&'static str>,
    /// How often it was restarted.
    pub restarts: u64,
    /// Why it last failed.
    pub last_failure: Option<String>,
    /// How long ago.
    pub last_failure_seconds_ago: Option<f64>,
}

impl WorkerReport {
    pub(super) fn all(places: &[WorkerPlace]) -> Vec<Self> {
        let of = |(worker, place): (usize, &WorkerPlace)| {
            let status = place.status.as_ref();
            Self {
                worker,
                joined: status.is_some_and(|status| status.joined),
                replaying: status.map_or(0, |status| status.replaying),
                checkpoint_waits_for: status.and_then(|status| status.checkpoints.waits_for).map(CommitWait::text),
                restarts: place.restarts,
                last_failure: place.last_failure.as_ref().map(|(_, reason)| reason.clone()),
                last_failure_seconds_ago: place.last_failure.as_ref().map(|(at, _)| age(*at)),
            }
        };
        places.iter().enumerate().map(of).collect()
    }
}

/// The consumer group.
#[derive(Debug, Clone, Serialize)]
pub struct GroupReport {
    /// Its name.
    pub name: String,
    /// Its state in Kafka's terms; empty if not known.
    pub state: String,
    /// Its members, including those of other instances.
    pub members: Vec<MemberReport>,
}

/// One member of the group.
#[derive(Debug, Clone, Serialize)]
pub struct MemberReport {
    /// Instance and worker.
    pub member: String,
    /// Its host.
    pub host: String,
    /// The partitions it reads.
    pub assignment: Vec<MemberTopic>,
}

/// The partitions that a member has of one topic.
#[derive(Debug, Clone, Serialize)]
pub struct MemberTopic {
    /// The topic.
    pub topic: String,
    /// Their numbers.
    pub partitions: Vec<i32>,
}

impl GroupReport {
    pub(super) fn of(name: &str, cluster: ClusterView) -> Self {
        let topics = |partitions: Vec<(String, Vec<i32>)>| {
            partitions.into_iter().map(|(topic, partitions)| MemberTopic { topic, partitions }).collect()
        };
        let members = cluster.members.into_iter().map(|member| MemberReport {
            member: member.client_id,
            host: member.host,
            assignment: topics(member.partitions),
        });
        Self { name: name.to_owned(), state: cluster.group_state, members: members.collect() }
    }
}

fn working(places: &[WorkerPlace]) -> impl Iterator<Item = (usize, &WorkerStatus)> {
    places.iter().enumerate().filter_map(|(worker, place)| Some((worker, place.status.as_ref()?)))
}
