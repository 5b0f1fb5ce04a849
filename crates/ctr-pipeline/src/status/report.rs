//! The report: the state of the process at one moment. REST responses, metrics and the page are all derived from it, so
//! they agree.

mod ledger;
mod partition;
mod sink;
mod work;

use std::sync::Arc;
use std::time::{Duration, Instant};

use ctr_domain::timestamp::to_rfc3339;
use serde::Serialize;

use super::board::{self, WorkerBoard, WorkerPlace};
use super::snapshot::WorkerTotals;
use crate::config::{Config, SettingRow};
use crate::histogram::{Histogram, Quantiles};
use crate::logging::{self, LostLines};
use crate::sink::state::SinkState;
use crate::source::cluster::{ClusterBoard, ClusterView, TopicLogs};
use crate::status::visitors;
use crate::stopped;
use crate::wall_clock::now_ms;

pub use ledger::{LedgerReport, TopicLedger};
pub use partition::{LagReport, PartitionReport};
pub use sink::SinkReport;
pub use work::{CheckpointsReport, DeadLettersReport, GroupReport, PauseReport, WorkerReport};

/// A request to ClickHouse that takes longer than this is reported.
const SLOW_ANSWER: Duration = Duration::from_secs(1);

/// The process and the sources of its report.
#[derive(Debug, Clone)]
pub struct StatusSources {
    /// The workers.
    pub board: Arc<WorkerBoard>,
    /// The row sink.
    pub sink: Arc<SinkState>,
    /// The cluster.
    pub cluster: Arc<ClusterBoard>,
    /// The topics of impressions and of clicks.
    pub topics: [String; 2],
    /// The consumer group.
    pub group: String,
    /// The name of this process in it.
    pub instance: String,
    /// All effective settings, secrets masked.
    pub settings: Arc<[SettingRow]>,
    /// When the process started.
    pub started: Instant,
}

impl StatusSources {
    /// The sources of a process that starts now.
    #[must_use]
    pub fn new(config: &Config, board: Arc<WorkerBoard>, sink: Arc<SinkState>, cluster: Arc<ClusterBoard>) -> Self {
        Self {
            board,
            sink,
            cluster,
            topics: [config.kafka.topics.impression.clone(), config.kafka.topics.click.clone()],
            group: config.kafka.group_id.clone(),
            instance: config.job.instance_id.clone(),
            settings: config.describe().into(),
            started: Instant::now(),
        }
    }
}

/// The state of the process, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It reads, counts and writes.
    Running,
    /// It waits for its partitions, or replays.
    Starting,
    /// A service it needs does not respond. It resumes by itself.
    Waiting,
    /// A worker has no heartbeat: restarting the process would help.
    Stuck,
    /// The ledger does not add up: a defect of the pipeline.
    Defect,
}

/// The state of the process at one moment.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusReport {
    /// The time, epoch ms.
    pub at: i64,
    /// The version of the binary.
    pub version: &'static str,
    /// The name of this process in the group.
    pub instance: String,
    /// Its state.
    pub state: State,
    /// Why it is not `running`, and other notable conditions.
    pub reasons: Vec<String>,
    /// Whether it has its partitions, the replay is finished, and ClickHouse acknowledges rows.
    pub ready: bool,
    /// How long the process has been running.
    pub uptime_seconds: f64,
    /// The ledger of every record read by this process.
    pub ledger: LedgerReport,
    /// The same by topic.
    pub ledger_by_topic: Vec<TopicLedger>,
    /// The lag of all partitions together.
    pub lag: LagReport,
    /// The partitions that this process reads.
    pub partitions: Vec<PartitionReport>,
    /// Windows held by the tasks of this process.
    pub open_windows: usize,
    /// Windows sent for the first time.
    pub windows_on_time: u64,
    /// Windows sent again because they had changed.
    pub windows_late: u64,
    /// How long reading paused in each round to hand rows to the sink.
    pub firing: Quantiles,
    /// The durations in full, for the metrics.
    #[serde(skip)]
    pub firing_durations: Histogram,
    /// The row sink.
    pub sink: SinkReport,
    /// Commits.
    pub checkpoints: CheckpointsReport,
    /// Records that were not counted.
    pub dead_letters: DeadLettersReport,
    /// Time in which workers did not read, by reason.
    pub pauses: Vec<PauseReport>,
    /// The threads that read.
    pub workers: Vec<WorkerReport>,
    /// Starts of partitions that were not plain continuations.
    pub recoveries: u64,
    /// Records that retention removed before their counts were known to be in the tables: an upper bound of those
    /// missing there.
    pub records_lost_at_most: u64,
    /// The topics with the bounds of their logs.
    pub topics: Vec<TopicLogs>,
    /// The consumer group with all its members.
    pub group: GroupReport,
    /// Lost log lines.
    pub log_lines_lost: LostLines,
    /// Time in which the process itself was suspended.
    pub stopped_seconds: f64,
    /// Connections that the status server closed.
    pub visitors_turned_away: u64,
}

impl StatusReport {
    /// The current report.
    #[must_use]
    pub fn take(sources: &StatusSources) -> Self {
        let at = now_ms();
        let places = sources.board.read();
        let cluster = sources.cluster.read();
        let mut totals = WorkerTotals::default();
        places.iter().for_each(|place| totals.add(&place.totals()));
        let sink = SinkReport::of(&sources.sink);
        let partitions = partition::reports(&places, &cluster, at);
        let ledger = LedgerReport::of(&totals.ledger());
        let obstacles = obstacles(&places, &sink);
        let ready = obstacles.is_empty();
        let (state, mut reasons) = judge(&places, obstacles, &sink, &ledger, &partitions);
        reasons.extend(unequal_topics(&sources.topics, &cluster));
        Self {
            at,
            version: env!("CARGO_PKG_VERSION"),
            instance: sources.instance.clone(),
            state,
            reasons,
            ready,
            uptime_seconds: sources.started.elapsed().as_secs_f64(),
            ledger,
            ledger_by_topic: TopicLedger::both(&sources.topics, &totals.ledgers),
            lag: LagReport::of(&partitions, cluster.topics_at),
            open_windows: partition::open_windows(&partitions),
            partitions,
            windows_on_time: totals.firings.on_time,
            windows_late: totals.firings.late,
            firing: totals.firing_durations.quantiles(),
            firing_durations: totals.firing_durations,
            sink,
            checkpoints: CheckpointsReport::of(&places, &totals),
            dead_letters: DeadLettersReport::of(&places, &totals),
            pauses: PauseReport::all(&totals),
            workers: WorkerReport::all(&places),
            recoveries: totals.recoveries,
            records_lost_at_most: totals.records_lost,
            topics: cluster.topics.clone(),
            group: GroupReport::of(&sources.group, cluster),
            log_lines_lost: logging::lost_lines(),
            stopped_seconds: stopped::total().as_secs_f64(),
            visitors_turned_away: visitors::turned_away(),
        }
    }
}

/// Everything that prevents the process from being ready.
fn obstacles(places: &[WorkerPlace], sink: &SinkReport) -> Vec<String> {
    let mut obstacles = board::obstacles(places);
    if !sink.available {
        let why = sink.last_error.as_ref().map_or("not asked yet", |error| error.error.as_str());
        obstacles.push(format!("ClickHouse does not acknowledge: {why}"));
    }
    obstacles
}

/// The state and the sentences that explain it. The worst condition determines the state.
fn judge(
    places: &[WorkerPlace],
    obstacles: Vec<String>,
    sink: &SinkReport,
    ledger: &LedgerReport,
    partitions: &[PartitionReport],
) -> (State, Vec<String>) {
    let mut state = State::Running;
    let mut reasons = obstacles;
    if !reasons.is_empty() {
        let letters_fail =
            places.iter().any(|place| place.status.as_ref().is_some_and(|status| status.letters.failing));
        state = if sink.available && !letters_fail { State::Starting } else { State::Waiting };
    }
    if let Some(seconds) = sink.unanswered_seconds.filter(|seconds| *seconds > SLOW_ANSWER.as_secs_f64()) {
        reasons.push(format!("ClickHouse has not answered for {seconds:.0} s"));
        state = State::Waiting;
    }
    for partition in partitions.iter().filter(|partition| partition.wait == Some("drift")) {
        reasons.push(format!("{}-{} waits: it is far ahead of the other topic", partition.topic, partition.partition));
    }
    for partition in partitions {
        let (topic, number) = (&partition.topic, partition.partition);
        if let (Some(records), Some(since)) = (partition.held_back_records, partition.held_back_since) {
            let since = to_rfc3339(since);
            reasons.push(format!("{topic}-{number}: an open transaction holds back {records} records since {since}"));
        }
        if let (Some("unreadable"), Some(text)) = (partition.wait, partition.waits_for) {
            reasons.push(format!("{topic}-{number} is read no further: {text}"));
        }
    }
    let stuck = board::stuck(places);
    if !stuck.is_empty() {
        reasons.push(format!("no sign of life from workers {stuck:?} for a minute"));
        state = State::Stuck;
    }
    if ledger.difference != 0 {
        reasons.push(format!("the ledger does not add up: {} records are unaccounted for", ledger.difference));
        state = State::Defect;
    }
    (state, reasons)
}

/// Why partitions of the topics are not read, once the cluster has been queried.
fn unequal_topics([impressions, clicks]: &[String; 2], cluster: &ClusterView) -> Option<String> {
    cluster.topics_at?;
    let count =
        |name: &str| cluster.topics.iter().find(|logs| logs.name == name).map_or(0, |logs| logs.partitions.len());
    let (a, b) = (count(impressions), count(clicks));
    match (a, b) {
        (0, _) => Some(format!("topic {impressions} is away")),
        (_, 0) => Some(format!("topic {clicks} is away")),
        _ if a != b => Some(format!(
            "{impressions} has {a} partitions, {clicks} {b}: {} to {} wait until both have them",
            a.min(b),
            a.max(b) - 1
        )),
        _ => None,
    }
}

/// Seconds since `at`.
fn age(at: Instant) -> f64 {
    at.elapsed().as_secs_f64()
}
