//! The settings as the program uses them. Times that are compared with event times are `i64` milliseconds, all others are
//! `Duration`.
//!
//! Ranges, defaults and effects stand in the table ([`SETTINGS`](super::SETTINGS)); a value that is here is within its range.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use ctr_domain::timestamp;
use serde::{Deserialize, Deserializer};

use super::properties::Properties;

/// The file's shape.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sections {
    pub(super) kafka: KafkaConfig,
    pub(super) clickhouse: ClickHouseConfig,
    pub(super) ctr: CtrSection,
    pub(super) status: StatusConfig,
    pub(super) logging: LoggingConfig,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CtrSection {
    pub(super) job: JobConfig,
}

/// `kafka`: where records come from, and where dead letters go.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct KafkaConfig {
    /// `host:port` pairs with commas between them, as librdkafka takes them.
    pub bootstrap_servers: String,
    /// The topics that are counted.
    pub topics: TopicsConfig,
    /// The topic of dead letters.
    pub dlq_topic: String,
    /// The consumer group.
    pub group_id: String,
    /// Where a partition without a commit of this group begins.
    pub offset_strategy: OffsetStrategy,
    /// How long a member may be silent.
    #[serde(rename = "session-timeout-ms", deserialize_with = "milliseconds")]
    pub session_timeout: Duration,
    /// Whether topics with `message.timestamp.type=CreateTime` are accepted.
    pub trust_producer_timestamps: bool,
    /// Passed to librdkafka.
    pub properties: Properties,
}

/// `kafka.topics`: the two topics, always different ones.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TopicsConfig {
    /// The topic of impressions.
    pub impression: String,
    /// The topic of clicks.
    pub click: String,
}

/// `kafka.offset-strategy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OffsetStrategy {
    /// At the commit; without one at the earliest record.
    Committed,
    /// Without a commit at the earliest record.
    Earliest,
    /// Without a commit behind the latest record.
    Latest,
}

/// `clickhouse`: where rows go.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ClickHouseConfig {
    /// `http://`, without user, password, parameters and final slash.
    pub url: String,
    /// The database of the tables: a plain identifier.
    pub database: String,
    /// The user that inserts.
    pub user: String,
    /// Its password.
    pub password: Secret,
    /// Rows in one insert at most.
    pub batch_size: usize,
    /// Time between two inserts, on average.
    #[serde(rename = "batch-interval-ms", deserialize_with = "milliseconds")]
    pub batch_interval: Duration,
    /// Bytes in one insert at most, encoded.
    pub max_batch_bytes: usize,
    /// Bytes that wait at most; never less than `max_batch_bytes`.
    pub max_buffered_bytes: usize,
    /// First wait after a failure.
    #[serde(rename = "backoff-min-ms", deserialize_with = "milliseconds")]
    pub backoff_min: Duration,
    /// Longest wait after a failure; never less than `backoff_min`.
    #[serde(rename = "backoff-max-ms", deserialize_with = "milliseconds")]
    pub backoff_max: Duration,
    /// How long an answer may take.
    #[serde(rename = "request-timeout-ms", deserialize_with = "milliseconds")]
    pub request_timeout: Duration,
}

/// `ctr.job`: what is counted, and how the work is kept safe.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct JobConfig {
    /// Workers of this process.
    pub parallelism: usize,
    /// Length of a window, event time.
    pub window_size_ms: i64,
    /// How far the watermark stays behind, event time.
    pub max_out_of_orderness_ms: i64,
    /// How long a window takes events after the watermark has passed its end, event time.
    pub allowed_lateness_ms: i64,
    /// After how long without records a partition is idle, wall time.
    pub idle_timeout_ms: i64,
    /// How far one partition must have passed a window that the other holds, event time.
    pub idle_hold_ms: i64,
    /// How far one partition is read ahead of the other, event time.
    pub max_drift_ms: i64,
    /// The first event time that is accepted, epoch ms.
    #[serde(deserialize_with = "event_time")]
    pub min_event_time: i64,
    /// How far an event may be ahead of its record's Kafka timestamp.
    pub max_future_skew_ms: i64,
    /// Whether a repeated `event_id` counts again.
    pub deduplication: Deduplication,
    /// Name of this process in the consumer group.
    pub instance_id: String,
    /// Time between two commits.
    #[serde(rename = "checkpoint-interval", deserialize_with = "milliseconds")]
    pub checkpoint_interval: Duration,
    /// After how long a commit has failed.
    #[serde(rename = "checkpoint-timeout", deserialize_with = "milliseconds")]
    pub checkpoint_timeout: Duration,
    /// Time between the end of a commit and the next at least.
    #[serde(rename = "checkpoint-min-pause", deserialize_with = "milliseconds")]
    pub checkpoint_min_pause: Duration,
    /// Only for a line at start: both mean the same.
    pub checkpointing_mode: CheckpointingMode,
    /// What a clean stop does with the commits.
    #[serde(rename = "externalized-checkpoint-cleanup")]
    pub checkpoint_cleanup: CheckpointCleanup,
    /// How often a failed worker is started again.
    pub restart_attempts: u32,
    /// Wait before such a restart.
    #[serde(rename = "restart-delay-ms", deserialize_with = "milliseconds")]
    pub restart_delay: Duration,
    /// How long a stop may take.
    #[serde(rename = "shutdown-timeout-ms", deserialize_with = "milliseconds")]
    pub shutdown_timeout: Duration,
}

/// `ctr.job.deduplication`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Deduplication {
    /// Every event counts.
    Off,
    /// An `event_id` counts once per window and partition.
    EventId,
}

/// `ctr.job.checkpointing-mode`, a setting of the original.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CheckpointingMode {
    /// The tables are exact.
    ExactlyOnce,
    /// The same here: the tables are exact.
    AtLeastOnce,
}

/// `ctr.job.externalized-checkpoint-cleanup`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum CheckpointCleanup {
    /// The commits stay.
    #[serde(rename = "RETAIN_ON_CANCELLATION")]
    Retain,
    /// A clean stop removes the commits and leaves the group.
    #[serde(rename = "DELETE_ON_CANCELLATION")]
    Delete,
}

/// `status`: where the process answers.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusConfig {
    /// An IP address (IPv6 with or without brackets) or a host name.
    pub host: String,
    /// The port, never 0.
    pub port: u16,
}

impl StatusConfig {
    /// `host:port`, to listen on or to ask.
    #[must_use]
    pub fn address(&self) -> String {
        if self.host.contains(':') && !self.host.starts_with('[') {
            return format!("[{}]:{}", self.host, self.port);
        }
        format!("{}:{}", self.host, self.port)
    }
}

/// `logging`: what is logged, and where.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LoggingConfig {
    /// A filter that `tracing_subscriber::EnvFilter` takes.
    pub level: String,
    /// Form of the lines on the console.
    pub format: LogFormat,
    /// Folder of the log files; `None`: no files.
    #[serde(deserialize_with = "folder")]
    pub directory: Option<PathBuf>,
    /// Bytes at which a file is rotated.
    #[serde(rename = "max-file-size-mb", deserialize_with = "mebibytes")]
    pub max_file_bytes: u64,
    /// Files that are kept.
    pub max_files: usize,
}

/// `logging.format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Text that is never shown: `Debug` masks it.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The text itself, for the one call that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "(none)" } else { "***" })
    }
}

fn milliseconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    u64::deserialize(deserializer).map(Duration::from_millis)
}

fn event_time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    timestamp::parse_text(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}

fn mebibytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    u64::deserialize(deserializer).map(|size| size << 20)
}

fn folder<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PathBuf>, D::Error> {
    let folder = String::deserialize(deserializer)?;
    Ok((!folder.is_empty()).then(|| PathBuf::from(folder)))
}
