//! The table of all settings. To add one: a line here, a field in `sections`, and `UPDATE_REFERENCE=1 cargo test -p
//! ctr-pipeline --test config_reference`.

use super::text::TextRule;
use super::value::Kind;

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// The dotted key.
    pub key: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// The value where neither file nor environment give one, as it would be written.
    pub default: &'static str,
    /// What it does: one or two sentences.
    pub doc: &'static str,
    /// Whether the value is never shown.
    pub secret: bool,
}

impl Setting {
    /// The environment variable that overrides the setting.
    #[must_use]
    pub fn variable(&self) -> String {
        variable(self.key)
    }

    const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }
}

/// The environment variable of a key: upper case, dots and dashes as underscores.
pub(super) fn variable(key: &str) -> String {
    key.replace(['.', '-'], "_").to_ascii_uppercase()
}

const fn setting(key: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Setting {
    Setting { key, kind, default, doc, secret: false }
}

const fn text(key: &'static str, rule: TextRule, default: &'static str, doc: &'static str) -> Setting {
    setting(key, Kind::Text(rule), default, doc)
}

const fn ms(key: &'static str, (min, max): (i64, i64), default: &'static str, doc: &'static str) -> Setting {
    setting(key, Kind::Integer { min, max, unit: "ms" }, default, doc)
}

const fn choice(
    key: &'static str,
    words: &'static [&'static str],
    default: &'static str,
    doc: &'static str,
) -> Setting {
    setting(key, Kind::Choice(words), default, doc)
}

/// A setting of the original with the one value that is possible here.
const fn only(key: &'static str, value: &'static str, because: &'static str, doc: &'static str) -> Setting {
    setting(key, Kind::Only { value, because }, value, doc)
}

/// A whole number from `min` to `max` of `unit`.
const fn count(min: i64, max: i64, unit: &'static str) -> Kind {
    Kind::Integer { min, max, unit }
}

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const MIB: i64 = 1 << 20;

/// The sections of the file, in its order: prefix and what its settings are about.
pub const SECTIONS: &[(&str, &str)] = &[
    ("kafka", "Where records come from, and where those go that cannot be counted (dead letters)."),
    ("clickhouse", "Where rows go. They are sent again until ClickHouse acknowledges them, for as long as that takes."),
    ("ctr.job", "What is counted, and how the work is kept safe and restarted."),
    ("status", "Where the process answers /healthz and /readyz."),
    ("logging", "What is logged: to the console, and to files that are rotated."),
];

/// All settings, in the order of the file.
pub const SETTINGS: &[Setting] = &[
    text(
        "kafka.bootstrap-servers",
        TextRule::Brokers,
        "127.0.0.1:19092,127.0.0.1:19093,127.0.0.1:19094",
        "Brokers to begin with; the others are learnt from them.",
    ),
    text(
        "kafka.topics.impression",
        TextRule::Topic,
        "impressions",
        "Topic of impressions. Both topics should have the same number of partitions: those that only one has wait.",
    ),
    text("kafka.topics.click", TextRule::Topic, "clicks", "Topic of clicks."),
    text(
        "kafka.dlq-topic",
        TextRule::Topic,
        "dlq-events",
        "Topic of dead letters: records that are malformed, too late, or too far in the future.",
    ),
    text(
        "kafka.group-id",
        TextRule::Name,
        "ctr-calculator-group",
        "Consumer group that holds the checkpoints. Another group counts everything anew.",
    ),
    choice(
        "kafka.offset-strategy",
        &["committed", "earliest", "latest"],
        "committed",
        "Where a partition without a commit of this group begins: committed means the earliest record there is. \
         A partition with a commit always goes on there.",
    ),
    ms(
        "kafka.session-timeout-ms",
        (6_000, 30 * MINUTE),
        "15000",
        "How long a process may be silent before its partitions go to others. Within it, a restart moves nothing. \
         Brokers refuse what is outside their group.min.session.timeout.ms and group.max.session.timeout.ms.",
    ),
    setting(
        "kafka.trust-producer-timestamps",
        Kind::Boolean,
        "false",
        "Whether topics are accepted whose records carry the producers' clocks (message.timestamp.type=CreateTime). With them \
         a producer whose clock is wrong can make the records of others too late.",
    ),
    setting(
        "kafka.properties",
        Kind::Properties,
        "",
        "Passed to librdkafka as they are: TLS, SASL, tuning. What the exactness of the counts rests on is refused. In the \
         environment: name=value,name=value, a comma within a value as \\, - property by property over those of the file.",
    ),
    text("clickhouse.url", TextRule::HttpUrl, "http://127.0.0.1:8123", "The HTTP interface of ClickHouse."),
    text("clickhouse.database", TextRule::Identifier, "default", "Database of the tables."),
    text("clickhouse.user", TextRule::Name, "default", "User that inserts."),
    text(
        "clickhouse.password",
        TextRule::Password,
        "",
        "Its password. Better given by the environment than in a file.",
    )
    .secret(),
    setting("clickhouse.batch-size", count(1, 1_000_000, "rows"), "50000", "Rows in one insert at most."),
    ms(
        "clickhouse.batch-interval-ms",
        (1, MINUTE),
        "200",
        "Time between two inserts, on average; after a pause up to three follow each other at once.",
    ),
    setting(
        "clickhouse.max-batch-bytes",
        count(64 << 10, 1 << 30, "bytes"),
        "8388608",
        "Size of one insert at most, encoded and before compression.",
    ),
    setting(
        "clickhouse.max-buffered-bytes",
        count(MIB, 16 << 30, "bytes"),
        "67108864",
        "Rows that wait for ClickHouse at most; beyond it the topics are read no further until it answers again.",
    ),
    ms(
        "clickhouse.backoff-min-ms",
        (1, MINUTE),
        "100",
        "Wait before an insert that failed is sent again; it doubles with each failure, with jitter.",
    ),
    ms("clickhouse.backoff-max-ms", (1, HOUR), "10000", "Longest wait between two attempts."),
    ms(
        "clickhouse.request-timeout-ms",
        (1_000, HOUR),
        "30000",
        "How long an answer may take before the attempt has failed.",
    ),
    setting(
        "ctr.job.parallelism",
        count(1, 64, "threads"),
        "2",
        "Workers of this process; each is a member of the consumer group. More of them than partitions are idle.",
    ),
    ms(
        "ctr.job.window-size-ms",
        (1_000, DAY),
        "10000",
        "Length of a window in event time. Another length needs another kafka.group-id and other tables.",
    ),
    ms(
        "ctr.job.max-out-of-orderness-ms",
        (0, DAY),
        "2000",
        "How far the watermark stays behind the newest event of a partition, for events out of order.",
    ),
    ms(
        "ctr.job.allowed-lateness-ms",
        (0, DAY),
        "5000",
        "How long after the watermark has passed a window's end the window still takes events. Later ones are dead letters.",
    ),
    ms(
        "ctr.job.idle-timeout-ms",
        (100, HOUR),
        "5000",
        "After how long without records a partition at its end no longer holds the others back.",
    ),
    ms(
        "ctr.job.idle-hold-ms",
        (1_000, DAY),
        "60000",
        "How far, in event time, one partition of a pair must have passed a window before it is let go although the other, \
         which is proved to be at its end, has not.",
    ),
    ms(
        "ctr.job.max-drift-ms",
        (1_000, DAY),
        "60000",
        "How far, in event time, one partition of a pair is read ahead of the other while that has records.",
    ),
    text(
        "ctr.job.min-event-time",
        TextRule::EventTime,
        "2000-01-01T00:00:00Z",
        "The first event time that is accepted. An earlier one, as of a producer that sends seconds, is a dead letter.",
    ),
    ms(
        "ctr.job.max-future-skew-ms",
        (0, 365 * DAY),
        "300000",
        "How far an event may be ahead of its record's Kafka timestamp; beyond it, it is a dead letter.",
    ),
    choice(
        "ctr.job.deduplication",
        &["off", "event-id"],
        "off",
        "event-id: an event_id counts once per window and partition, for the price of keeping the ids of open windows.",
    ),
    text(
        "ctr.job.instance-id",
        TextRule::InstanceId,
        "",
        "Name of this process in the consumer group; by default the host name. No two processes may share it: the older \
         one is stopped. One that stays the same over restarts gets its partitions back at once.",
    ),
    only(
        "ctr.job.checkpoint-enabled",
        "true",
        "the log is the state, and without its offsets nothing could go on after a restart",
        "Whether the offsets are committed.",
    ),
    ms(
        "ctr.job.checkpoint-interval",
        (100, HOUR),
        "5000",
        "Time between two commits: what a restart reads again at most, besides the open windows.",
    ),
    ms(
        "ctr.job.checkpoint-timeout",
        (1_000, HOUR),
        "600000",
        "After how long a commit without an answer has failed and the next is made.",
    ),
    ms("ctr.job.checkpoint-min-pause", (0, HOUR), "500", "Time between the end of one commit and the next at least."),
    only(
        "ctr.job.checkpoint-max-concurrent",
        "1",
        "a later commit replaces an earlier one, two at a time gain nothing",
        "Commits under way at most.",
    ),
    only(
        "ctr.job.checkpoint-storage",
        "kafka",
        "a checkpoint is the committed offset of each partition with a few bytes of metadata, there is no folder to keep",
        "Where checkpoints are kept.",
    ),
    choice(
        "ctr.job.checkpointing-mode",
        &["EXACTLY_ONCE", "AT_LEAST_ONCE"],
        "EXACTLY_ONCE",
        "Both mean the same here: the tables are exact.",
    ),
    choice(
        "ctr.job.externalized-checkpoint-cleanup",
        &["RETAIN_ON_CANCELLATION", "DELETE_ON_CANCELLATION"],
        "RETAIN_ON_CANCELLATION",
        "What a clean stop does with the commits: keep them, or remove them, so that the next start begins anew.",
    ),
    setting(
        "ctr.job.restart-attempts",
        count(0, i32::MAX as i64, "restarts"),
        "3",
        "How often a failed worker is started again from its last commit before the process gives up.",
    ),
    ms("ctr.job.restart-delay-ms", (0, HOUR), "10000", "Wait before such a restart."),
    ms(
        "ctr.job.shutdown-timeout-ms",
        (1_000, HOUR),
        "20000",
        "How long a stop may take to send the last rows and commit. Keep it below the time after which the process is killed.",
    ),
    text("status.host", TextRule::Host, "127.0.0.1", "Address to listen on; 0.0.0.0 for all, as in a container."),
    setting("status.port", count(1, 65_535, ""), "8081", "Port to listen on."),
    text("logging.level", TextRule::LogFilter, "info", "What is logged."),
    choice("logging.format", &["text", "json"], "text", "Form of the lines on the console."),
    text("logging.directory", TextRule::Folder, "logs", "Folder of the log files; none (or empty): no files."),
    setting("logging.max-file-size-mb", count(1, 10_240, "MiB"), "100", "Size at which a file is rotated."),
    setting(
        "logging.max-files",
        count(1, 1_000, "files"),
        "7",
        "Files that are kept, the one being written among them.",
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

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
