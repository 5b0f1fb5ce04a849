//! All settings. To add one, add a line here and run `UPDATE_REFERENCE=1 cargo test -p ctr-pipeline --test config_reference`.
//!
//! A line names the field, its type, the kind of setting, its key, its range and its default; the comment above it is its help.
//! Times that are compared with event times are `i64` milliseconds, all others are `Duration`.

use std::path::PathBuf;
use std::time::Duration;

use super::declaration::{
    Declared, choice, count, event_ms, event_time, flag, folder, instance_id, mebibytes, ms, only, properties, secret,
    settings, text, words,
};
use super::layers::Layers;
use super::properties::Properties;
use super::text::{BROKERS, HOST, HTTP_URLS, IDENTIFIER, LOG_FILTER, NAME, TOPIC};
use super::value::{Fixed, Secret, Setting, Word};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const MIB: i64 = 1 << 20;

/// The sections of the file, in its order: prefix of the keys and introduction.
pub const SECTIONS: &[(&str, &str)] = &[
    ("kafka", KafkaConfig::ABOUT),
    ("clickhouse", ClickHouseConfig::ABOUT),
    ("ctr.job", JobConfig::ABOUT),
    ("status", StatusConfig::ABOUT),
    ("logging", LoggingConfig::ABOUT),
];

settings! {
    /// Where records come from, and where dead letters go: the records that cannot be counted.
    KafkaConfig with topics: TopicsConfig {
        /// Brokers to contact first; the others are discovered from them.
        bootstrap_servers: String = text(
            "kafka.bootstrap-servers", BROKERS,
            "127.0.0.1:19092,127.0.0.1:19093,127.0.0.1:19094",
        );
        /// Topic of dead letters: records that are malformed, too late, or too far in the future.
        dlq_topic: String = text("kafka.dlq-topic", TOPIC, "dlq-events");
        /// Consumer group that holds the checkpoints. A different group counts everything again from the start.
        group_id: String = text("kafka.group-id", NAME, "ctr-calculator-group");
        /// Where a partition without a commit of this group starts: committed and earliest mean the earliest record, latest means
        /// the end of the partition. A partition with a commit always continues from it.
        offset_strategy: OffsetStrategy = choice("kafka.offset-strategy");
        /// How long a process may be silent before its partitions are reassigned. A restart within this time moves nothing. Brokers
        /// refuse a value outside their group.min.session.timeout.ms and group.max.session.timeout.ms.
        session_timeout: Duration = ms("kafka.session-timeout-ms", (6_000, 30 * MINUTE), "15000");
        /// Whether to accept topics whose records carry the producers' clocks (message.timestamp.type=CreateTime). With them, a
        /// producer with a wrong clock can make the records of others too late.
        trust_producer_timestamps: bool = flag("kafka.trust-producer-timestamps", "false");
        /// Passed to librdkafka unchanged: TLS, SASL, tuning. Properties that exact counts depend on are refused. In the
        /// environment: name=value,name=value, with a comma inside a value written as \, - each property overrides the file's.
        properties: Properties = properties("kafka.properties");
    }

    /// The two topics that are counted.
    TopicsConfig {
        /// Topic of impressions. Both topics should have the same number of partitions; a partition that only one of them has waits.
        impression: String = text("kafka.topics.impression", TOPIC, "impressions");
        /// Topic of clicks.
        click: String = text("kafka.topics.click", TOPIC, "clicks");
    }

    /// Where rows go. An insert is retried until ClickHouse acknowledges it, however long that takes.
    ClickHouseConfig {
        /// HTTP interface of ClickHouse. With several, the next one is used when one fails.
        url: String = text("clickhouse.url", HTTP_URLS, "http://127.0.0.1:8123");
        /// Database of the tables.
        database: String = text("clickhouse.database", IDENTIFIER, "default");
        /// User that inserts.
        user: String = text("clickhouse.user", NAME, "default");
        /// Password of the user. Better set in the environment than in a file.
        password: Secret = secret("clickhouse.password");
        /// Maximum number of rows in one insert.
        batch_size: usize = count("clickhouse.batch-size", (1, 1_000_000), "rows", "50000");
        /// Average time between two inserts; after a pause, up to three follow each other immediately.
        batch_interval: Duration = ms("clickhouse.batch-interval-ms", (1, MINUTE), "200");
        /// Maximum size of one insert, encoded and before compression.
        max_batch_bytes: usize = count("clickhouse.max-batch-bytes", (64 << 10, 1 << 30), "bytes", "8388608");
        /// Maximum size of the rows waiting for ClickHouse; when it is reached, reading pauses until ClickHouse answers again.
        max_buffered_bytes: usize = count("clickhouse.max-buffered-bytes", (MIB, 16 << 30), "bytes", "67108864");
        /// Delay before a failed insert is retried; it doubles with each failure, with jitter.
        backoff_min: Duration = ms("clickhouse.backoff-min-ms", (1, MINUTE), "100");
        /// Longest delay between two attempts.
        backoff_max: Duration = ms("clickhouse.backoff-max-ms", (1, HOUR), "10000");
        /// How long to wait for a response before the attempt counts as failed.
        request_timeout: Duration = ms("clickhouse.request-timeout-ms", (1_000, HOUR), "30000");
    }

    /// What is counted, and how the work is checkpointed and restarted.
    JobConfig {
        /// Workers of this process; each is a member of the consumer group. Workers beyond the number of partitions are idle.
        parallelism: usize = count("ctr.job.parallelism", (1, 64), "threads", "2");
        /// Length of a window in event time. A different length needs a different kafka.group-id and different tables.
        window_size_ms: i64 = event_ms("ctr.job.window-size-ms", (1_000, DAY), "10000");
        /// How far the watermark stays behind the newest event of a partition, to allow for events out of order.
        max_out_of_orderness_ms: i64 = event_ms("ctr.job.max-out-of-orderness-ms", (0, DAY), "2000");
        /// How long a window still accepts events after the watermark has passed its end. Later events are dead letters.
        allowed_lateness_ms: i64 = event_ms("ctr.job.allowed-lateness-ms", (0, DAY), "5000");
        /// How long a partition at its end may be without records before it stops holding the others back.
        idle_timeout_ms: i64 = event_ms("ctr.job.idle-timeout-ms", (100, HOUR), "5000");
        /// How far, in event time, one partition of a pair must have passed a window before the window closes although the other
        /// partition, known to be at its end, has not passed it.
        idle_hold_ms: i64 = event_ms("ctr.job.idle-hold-ms", (1_000, DAY), "60000");
        /// How far, in event time, one partition of a pair is read ahead of the other while the other has records.
        max_drift_ms: i64 = event_ms("ctr.job.max-drift-ms", (1_000, DAY), "60000");
        /// Earliest event time that is accepted. An earlier event, for instance of a producer that sends seconds, is a dead letter.
        min_event_time: i64 = event_time("ctr.job.min-event-time", "2000-01-01T00:00:00Z");
        /// How far an event may be ahead of its record's Kafka timestamp; beyond that, it is a dead letter.
        max_future_skew_ms: i64 = event_ms("ctr.job.max-future-skew-ms", (0, 365 * DAY), "300000");
        /// event-id: an event_id counts once per window and partition, at the cost of keeping the ids of open windows.
        deduplication: Deduplication = choice("ctr.job.deduplication");
        /// Name of this process in the consumer group; the host name by default. Two processes must not share it: the older one is
        /// stopped. A name that survives restarts gets its partitions back immediately.
        instance_id: String = instance_id("ctr.job.instance-id");
        /// Whether offsets are committed.
        checkpoint_enabled: Fixed = only(
            "ctr.job.checkpoint-enabled", "true",
            "the log is the state, and a restart continues from its offsets",
        );
        /// Time between two commits: the most that a restart reads again, besides the open windows.
        checkpoint_interval: Duration = ms("ctr.job.checkpoint-interval", (100, HOUR), "5000");
        /// How long to wait for the response to a commit before it counts as failed and the next one is made.
        checkpoint_timeout: Duration = ms("ctr.job.checkpoint-timeout", (1_000, HOUR), "600000");
        /// Minimum time between the end of one commit and the next.
        checkpoint_min_pause: Duration = ms("ctr.job.checkpoint-min-pause", (0, HOUR), "500");
        /// Maximum number of commits in flight.
        checkpoint_max_concurrent: Fixed = only(
            "ctr.job.checkpoint-max-concurrent", "1",
            "a later commit replaces an earlier one, so two at a time gain nothing",
        );
        /// Where checkpoints are kept.
        checkpoint_storage: Fixed = only(
            "ctr.job.checkpoint-storage", "kafka",
            "a checkpoint is the committed offset of each partition with a few bytes of metadata, there is no folder to keep",
        );
        /// Both mean the same here: the tables are exact.
        checkpointing_mode: CheckpointingMode = choice("ctr.job.checkpointing-mode");
        /// What a clean stop does with the commits: keep them, or delete them, so that the next start counts from the beginning.
        checkpoint_cleanup: CheckpointCleanup = choice("ctr.job.externalized-checkpoint-cleanup");
        /// How often a failed worker is restarted from its last commit before the process gives up.
        restart_attempts: u32 = count("ctr.job.restart-attempts", (0, i32::MAX as i64), "restarts", "3");
        /// Delay before such a restart.
        restart_delay: Duration = ms("ctr.job.restart-delay-ms", (0, HOUR), "10000");
        /// How long a stop may take to send the last rows and commit. Keep it below the time after which the process is killed.
        shutdown_timeout: Duration = ms("ctr.job.shutdown-timeout-ms", (1_000, HOUR), "20000");
    }

    /// Where the process serves its status, metrics, /healthz and /readyz.
    StatusConfig {
        /// Address to listen on; 0.0.0.0 for all, as in a container.
        host: String = text("status.host", HOST, "127.0.0.1");
        /// Port to listen on.
        port: u16 = count("status.port", (1, 65_535), "", "8081");
    }

    /// What is logged: to the console, and to files that are rotated.
    LoggingConfig {
        /// What is logged.
        level: String = text("logging.level", LOG_FILTER, "info");
        /// Format of the lines on the console.
        format: LogFormat = choice("logging.format");
        /// Directory of the log files; none (or empty): no files.
        directory: Option<PathBuf> = folder("logging.directory", "logs");
        /// Size at which a file is rotated.
        max_file_bytes: u64 = mebibytes("logging.max-file-size-mb", (1, 10_240), "100");
        /// Number of files that are kept, including the one being written.
        max_files: usize = count("logging.max-files", (1, 1_000), "files", "7");
    }
}

words! {
    /// `kafka.offset-strategy`.
    OffsetStrategy {
        /// At the commit; without one at the earliest record.
        Committed = "committed",
        /// Without a commit at the earliest record.
        Earliest = "earliest",
        /// Without a commit behind the latest record.
        Latest = "latest",
    }

    /// `ctr.job.deduplication`.
    Deduplication {
        /// Every event counts.
        Off = "off",
        /// An `event_id` counts once per window and partition.
        EventId = "event-id",
    }

    /// `ctr.job.checkpointing-mode`, a setting of the original.
    CheckpointingMode {
        /// The tables are exact.
        ExactlyOnce = "EXACTLY_ONCE",
        /// The same here: the tables are exact.
        AtLeastOnce = "AT_LEAST_ONCE",
    }

    /// `ctr.job.externalized-checkpoint-cleanup`.
    CheckpointCleanup {
        /// The commits stay.
        Retain = "RETAIN_ON_CANCELLATION",
        /// A clean stop deletes the commits and leaves the group.
        Delete = "DELETE_ON_CANCELLATION",
    }

    /// `logging.format`.
    LogFormat {
        /// For people.
        Text = "text",
        /// One JSON object a line.
        Json = "json",
    }
}

impl StatusConfig {
    /// `host:port`, to listen on or to connect to.
    #[must_use]
    pub fn address(&self) -> String {
        if self.host.contains(':') && !self.host.starts_with('[') {
            return format!("[{}]:{}", self.host, self.port);
        }
        format!("{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::value::variable;
    use super::*;

    #[test]
    fn keys_and_variables_are_unique() {
        let keys: BTreeSet<_> = SETTINGS.iter().map(|setting| setting.key).collect();
        let variables: BTreeSet<_> = SETTINGS.iter().map(Setting::variable).collect();
        assert_eq!((keys.len(), variables.len()), (SETTINGS.len(), SETTINGS.len()));
    }

    #[test]
    fn every_setting_is_in_a_section_and_says_what_it_does() {
        for setting in SETTINGS {
            assert!(
                SECTIONS.iter().any(|(section, _)| setting.key.starts_with(&format!("{section}."))),
                "{}",
                setting.key
            );
            assert!(setting.doc.ends_with('.'), "{}", setting.key);
        }
    }

    #[test]
    fn a_variable_is_the_key_in_upper_case() {
        assert_eq!(variable("ctr.job.checkpoint-interval"), "CTR_JOB_CHECKPOINT_INTERVAL");
    }
}
