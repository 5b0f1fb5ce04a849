//! What a configuration may contain, and how its errors are reported.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps; clippy knows only functions marked as tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ctr_pipeline::config::{
    CheckpointCleanup, Config, ConfigErrors, Deduplication, Kind, LogFormat, OffsetStrategy, Origin, SETTINGS,
};

/// Variables with a host name, which is the default of `ctr.job.instance-id`.
fn env(variables: &[(&str, &str)]) -> BTreeMap<String, String> {
    let host_name = [("HOSTNAME", "test-host")];
    host_name.iter().chain(variables).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn read(text: &str) -> Config {
    Config::from_yaml(text, &env(&[])).unwrap()
}

fn from_env(variables: &[(&str, &str)]) -> Config {
    Config::from_yaml("", &env(variables)).unwrap()
}

/// The errors, one line each.
fn mistakes(result: Result<Config, ConfigErrors>) -> Vec<String> {
    result.unwrap_err().errors().iter().map(ToString::to_string).collect()
}

fn mistakes_in(text: &str) -> Vec<String> {
    mistakes(Config::from_yaml(text, &env(&[])))
}

/// Asserts that there is exactly this error, with all these words in its line.
fn only_mistake(mistakes: &[String], words: &[&str]) {
    assert_eq!(mistakes.len(), 1, "{mistakes:#?}");
    for word in words {
        assert!(mistakes[0].contains(word), "{word:?} is not in {:?}", mistakes[0]);
    }
}

fn shown(config: &Config, key: &str) -> (String, Origin) {
    let row = config.describe().iter().find(|row| row.key == key).unwrap();
    (row.value.clone(), row.origin)
}

fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn original() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/original-application.yml");
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn an_empty_file_gives_the_defaults() {
    for text in ["", "# nothing but a comment\n", "kafka:\nclickhouse: {}\nctr:\n  job:\n    # parallelism: 4\n"] {
        let config = read(text);
        assert_eq!(config.kafka.bootstrap_servers, "127.0.0.1:19092,127.0.0.1:19093,127.0.0.1:19094");
        assert_eq!(config.kafka.offset_strategy, OffsetStrategy::Committed);
        assert_eq!(config.kafka.session_timeout, Duration::from_secs(15));
        assert_eq!(config.kafka.properties.iter().count(), 0);
        assert_eq!(config.clickhouse.url, "http://127.0.0.1:8123");
        assert_eq!((config.clickhouse.batch_size, config.clickhouse.max_batch_bytes), (50_000, 8 << 20));
        assert_eq!(config.clickhouse.max_buffered_bytes, 64 << 20);
        assert_eq!(config.job.window_size_ms, 10_000);
        assert_eq!((config.job.max_out_of_orderness_ms, config.job.allowed_lateness_ms), (2_000, 5_000));
        assert_eq!((config.job.parallelism, config.job.instance_id.as_str()), (2, "test-host"));
        assert_eq!(config.job.checkpoint_cleanup, CheckpointCleanup::Retain);
        assert_eq!(config.job.deduplication, Deduplication::Off);
        assert_eq!(config.status.address(), "127.0.0.1:8081");
        assert_eq!(config.logging.directory.as_deref(), Some(Path::new("logs")));
        assert_eq!(config.logging.max_file_bytes, 100 << 20);
        assert!(config.notices.is_empty(), "{:?}", config.notices);
        assert!(config.describe().iter().all(|row| row.origin == Origin::Default));
    }
}

#[test]
fn the_file_in_the_checkout_holds_every_setting_with_its_default() {
    let path = checkout().join("config/application.yml");
    let mut variables = env(&[]);
    variables.insert("CTR_JOB_INSTANCE_ID".to_owned(), "test-host".to_owned());
    let from_file = Config::load(Some(&path), &variables).unwrap();
    let values = |config: &Config| -> BTreeMap<String, String> {
        config.describe().iter().map(|row| (row.key.clone(), row.value.clone())).collect()
    };
    assert_eq!(values(&from_file), values(&read("")));
    let text = std::fs::read_to_string(&path).unwrap();
    let file: serde_yaml::Value = serde_yaml::from_str(&text).unwrap();
    for setting in SETTINGS {
        let value = setting.key.split('.').try_fold(&file, |section, name| section.get(name));
        assert!(value.is_some(), "{} is not in config/application.yml", setting.key);
    }
}

#[test]
fn every_setting_is_read_from_the_environment() {
    for setting in SETTINGS {
        let other = match (setting.key, setting.kind) {
            // These have other limits: one step from the default.
            ("clickhouse.max-batch-bytes" | "clickhouse.backoff-min-ms" | "kafka.session-timeout-ms", _) => {
                (setting.default.parse::<i64>().unwrap() - 1).to_string()
            }
            (_, Kind::Integer { max, .. }) => max.to_string(),
            (_, Kind::Boolean) => (setting.default == "false").to_string(),
            (_, Kind::Choice(words)) => (*words.iter().find(|word| **word != setting.default).unwrap()).to_owned(),
            ("kafka.bootstrap-servers", _) => "elsewhere:9092".to_owned(),
            ("clickhouse.url", _) => "http://elsewhere".to_owned(),
            ("logging.level", _) => "warn,ctr_pipeline=trace".to_owned(),
            ("ctr.job.min-event-time", _) => "2001-02-03T04:05:06Z".to_owned(),
            (_, Kind::Text(_)) => "elsewhere".to_owned(),
            (_, Kind::Properties | Kind::Only { .. }) => continue,
        };
        let config = from_env(&[(setting.variable().as_str(), other.as_str())]);
        let expected = if setting.secret { "***".to_owned() } else { other };
        assert_eq!(shown(&config, setting.key), (expected, Origin::Env));
    }
}

#[test]
fn the_environment_goes_before_the_file_and_an_empty_variable_does_not_count() {
    let text = "ctr.job.parallelism: 4\nkafka: {topics: {click: c}}\nstatus: {port: 9999}";
    let variables = env(&[("CTR_JOB_PARALLELISM", "8"), ("KAFKA_TOPICS_CLICK", "")]);
    let config = Config::from_yaml(text, &variables).unwrap();
    assert_eq!(shown(&config, "ctr.job.parallelism"), ("8".to_owned(), Origin::Env));
    assert_eq!(shown(&config, "kafka.topics.click"), ("c".to_owned(), Origin::File));
    assert_eq!(shown(&config, "kafka.topics.impression"), ("impressions".to_owned(), Origin::Default));
    assert_eq!((config.job.parallelism, config.kafka.topics.click.as_str(), config.status.port), (8, "c", 9_999));
}

#[test]
fn all_mistakes_are_listed_at_once() {
    let text = "
kafka:
  bootstrap-server: kafka1:9092
  offset-strategy: newest
  session-timeout-ms: 10
  properties: {group.id: other}
clickhouse: {url: 'tcp://ch:9000', batch-size: many}
ctr.job.checkpoint-enabled: false
ctr: {job: {checkpoint-max-concurrent: 2}}
";
    let errors = Config::from_yaml(text, &env(&[("STATUS_PORT", "tcp://10.0.0.1:80")])).unwrap_err();
    let message = errors.to_string();
    assert_eq!(errors.errors().len(), 9, "{message}");
    assert!(message.starts_with("9 errors in the configuration\n  - "), "{message}");
    for expected in [
        "kafka.bootstrap-server (file): there is no such setting; did you mean kafka.bootstrap-servers?",
        "kafka.offset-strategy (file): \"newest\" is not possible; write one of committed, earliest, latest",
        "kafka.session-timeout-ms (file): 10 is below the smallest value 6000; write a whole number from 6000 to 1800000 (ms)",
        "kafka.properties.group.id (file): this is decided by kafka.group-id; remove it and set kafka.group-id",
        "clickhouse.url (file): the URL begins with neither http:// nor https://; write http(s)://host:port",
        "clickhouse.batch-size (file): \"many\" is text; write a whole number from 1 to 1000000 (rows)",
        "ctr.job.checkpoint-enabled (file): \"false\" is not possible: the log is the state",
        "ctr.job.checkpoint-max-concurrent (file): \"2\" is not possible: a later commit replaces an earlier one",
        "STATUS_PORT (environment): \"tcp://10.0.0.1:80\" is not a whole number in range; write a whole number from 1 to 65535",
    ] {
        assert!(message.contains(expected), "{expected}\nis not in\n{message}");
    }
}

#[test]
fn what_is_no_map_of_settings_is_refused() {
    only_mistake(&mistakes_in("kafka: [unclosed"), &["not a YAML map", "line"]);
    only_mistake(&mistakes_in("just words"), &["it holds only text"]);
    only_mistake(&mistakes_in("kafka: 5"), &["kafka (file): this is a section, and it holds a number"]);
    only_mistake(&mistakes_in("kafka: {1: 2}"), &["a key under kafka is a number, not text"]);
    only_mistake(&mistakes_in("a: 1\na: 2"), &["duplicate"]);
    only_mistake(&mistakes_in("status.port: 1\nstatus: {port: 2}"), &["status.port (file): it is given twice"]);
    only_mistake(
        &mistakes_in("ctr.job.parallelism: {threads: 2}"),
        &["ctr.job.parallelism (file): it is a map; write"],
    );
    only_mistake(&mistakes_in("spring: {application: {name: x}}"), &["spring.application.name", "remove it"]);
}

#[test]
fn a_null_in_the_file_is_the_default() {
    let config = read("clickhouse: {password: , user: ~}\nkafka: {properties: }\nctr: {job: {instance-id: ''}}");
    assert_eq!(config.clickhouse.user, "default");
    assert_eq!(shown(&config, "ctr.job.instance-id"), ("test-host".to_owned(), Origin::Default));
}

#[test]
fn a_mistake_in_the_file_counts_also_where_a_variable_overrides_it() {
    let result = Config::from_yaml("ctr.job.parallelism: 0", &env(&[("CTR_JOB_PARALLELISM", "2")]));
    only_mistake(&mistakes(result), &["ctr.job.parallelism (file)"]);
}

#[test]
fn settings_that_contradict_each_other_are_named_both() {
    let words =
        ["clickhouse.backoff-min-ms (file) and clickhouse.backoff-max-ms (default)", "20000 ms", "10000 ms", "raise"];
    only_mistake(&mistakes_in("clickhouse: {backoff-min-ms: 20000}"), &words);
    let words = ["clickhouse.max-batch-bytes (file) and clickhouse.max-buffered-bytes (file)", "does not fit"];
    only_mistake(&mistakes_in("clickhouse: {max-batch-bytes: 2000000, max-buffered-bytes: 1999999}"), &words);
    let words = ["kafka.topics.impression (default) and KAFKA_TOPICS_CLICK (environment): both are impressions"];
    only_mistake(&mistakes(Config::from_yaml("", &env(&[("KAFKA_TOPICS_CLICK", "impressions")]))), &words);
    only_mistake(&mistakes_in("kafka.dlq-topic: clicks"), &["kafka.topics.click", "kafka.dlq-topic"]);
    let words = ["kafka.session-timeout-ms (file) and kafka.properties.max.poll.interval.ms (default)", "300000"];
    only_mistake(&mistakes_in("kafka.session-timeout-ms: 300001"), &words);
    read("kafka: {session-timeout-ms: 300001, properties: {max.poll.interval.ms: 400000}}");
    read(
        "clickhouse: {batch-size: 1, backoff-min-ms: 5, backoff-max-ms: 5, max-batch-bytes: 1048576, max-buffered-bytes: 1048576}",
    );
}

#[test]
fn nothing_is_concluded_from_a_value_that_is_wrong_itself() {
    only_mistake(
        &mistakes_in("clickhouse: {backoff-min-ms: 20000, backoff-max-ms: soon}"),
        &["backoff-max-ms (file): \"soon\""],
    );
}

#[test]
fn the_originals_file_is_honoured_but_for_three_keys() {
    let found = mistakes_in(&original());
    assert_eq!(found.len(), 3, "{found:#?}");
    let expected: [(&str, &[&str]); 3] = [
        ("clickhouse.driver (file)", &["built in", "remove it"]),
        ("clickhouse.url (file)", &["JDBC", "http://clickhouse:8123", "clickhouse.database: default"]),
        ("ctr.job.checkpoint-storage (file)", &["no folder to keep", "write kafka"]),
    ];
    for (place, words) in expected {
        let line = found.iter().find(|line| line.starts_with(place)).unwrap();
        assert!(words.iter().all(|word| line.contains(word)), "{line}");
    }
}

#[test]
fn the_originals_file_with_the_three_keys_mended_runs() {
    let mended = original()
        .replace("jdbc:clickhouse://clickhouse:8123/default", "http://clickhouse:8123")
        .replace("  driver: com.clickhouse.jdbc.ClickHouseDriver\n", "")
        .replace("file:///tmp/flink-checkpoints", "kafka");
    let config = read(&mended);
    assert_eq!(config.kafka.bootstrap_servers, "kafka1:29092,kafka2:29093,kafka3:29094");
    assert_eq!(config.clickhouse.url, "http://clickhouse:8123");
    assert_eq!(config.job.checkpoint_interval, Duration::from_secs(60));
    assert_eq!(config.job.checkpoint_min_pause, Duration::from_secs(5));
    assert_eq!((config.job.restart_attempts, config.job.restart_delay), (3, Duration::from_secs(10)));
    assert!(config.notices.is_empty());
}

#[test]
fn the_originals_names_are_aliases_and_may_not_differ() {
    let config = read("ctr: {job: {impression-topic: i, click-topic: c, group-id: g}}");
    let kafka = &config.kafka;
    assert_eq!(
        (kafka.topics.impression.as_str(), kafka.topics.click.as_str(), kafka.group_id.as_str()),
        ("i", "c", "g")
    );
    let words = ["kafka.group-id (file) and ctr.job.group-id (file)", "\"a\" and \"b\"", "keep one"];
    only_mistake(&mistakes_in("kafka: {group-id: a}\nctr: {job: {group-id: b}}"), &words);
    assert_eq!(from_env(&[("CTR_JOB_GROUP_ID", "e")]).kafka.group_id, "e");
    let both = env(&[("CTR_JOB_GROUP_ID", "e"), ("KAFKA_GROUP_ID", "f")]);
    only_mistake(
        &mistakes(Config::from_yaml("", &both)),
        &["KAFKA_GROUP_ID (environment) and CTR_JOB_GROUP_ID (environment)"],
    );
    // A variable overrides the file, whichever of the two names each uses.
    let config = Config::from_yaml("ctr: {job: {group-id: b}}", &env(&[("KAFKA_GROUP_ID", "f")])).unwrap();
    assert_eq!(config.kafka.group_id, "f");
}

#[test]
fn properties_come_from_the_file_and_the_environment_one_by_one() {
    let text = "kafka: {properties: {security.protocol: SASL_SSL, sasl.password: old, socket.keepalive.enable: true}}";
    let variables = env(&[("KAFKA_PROPERTIES", r"sasl.password=a\,b=c,linger.ms=5")]);
    let config = Config::from_yaml(text, &variables).unwrap();
    let properties: Vec<_> = config.kafka.properties.iter().collect();
    let expected = [
        ("linger.ms", "5"),
        ("sasl.password", "a,b=c"),
        ("security.protocol", "SASL_SSL"),
        ("socket.keepalive.enable", "true"),
    ];
    assert_eq!(properties, expected);
    assert_eq!(shown(&config, "kafka.properties.sasl.password"), ("***".to_owned(), Origin::Env));
    assert_eq!(shown(&config, "kafka.properties.security.protocol"), ("SASL_SSL".to_owned(), Origin::File));
}

#[test]
fn properties_that_exactness_rests_on_are_refused() {
    for property in [
        "group.id",
        "group.instance.id",
        "group.protocol",
        "enable.auto.commit",
        "enable.auto.offset.store",
        "auto.offset.reset",
        "auto.commit.interval.ms",
        "partition.assignment.strategy",
        "client.rack",
        "enable.partition.eof",
        "isolation.level",
        "session.timeout.ms",
        "bootstrap.servers",
        "metadata.broker.list",
        "acks",
        "enable.idempotence",
        "transactional.id",
    ] {
        let words = [&format!("kafka.properties.{property} (file)"), "remove it"];
        only_mistake(&mistakes_in(&format!("kafka: {{properties: {{{property}: x}}}}")), &words);
        let variables = env(&[("KAFKA_PROPERTIES", &format!("{property}=x"))]);
        only_mistake(&mistakes(Config::from_yaml("", &variables)), &["KAFKA_PROPERTIES (environment)", property]);
    }
    only_mistake(&mistakes_in("kafka: {properties: {ssl: {ca: x}}}"), &["kafka.properties.ssl (file): it is a map"]);
    only_mistake(&mistakes_in("kafka: {properties: [a]}"), &["kafka.properties (file): it is a list"]);
    let error = mistakes(Config::from_yaml("", &env(&[("KAFKA_PROPERTIES", "sasl.password=a,geheim")])));
    only_mistake(&error, &["a part of it is not name=value", "\\,"]);
    assert!(!error[0].contains("geheim"), "{error:?}");
}

#[test]
fn no_secret_is_ever_shown() {
    let text = "kafka: {properties: {sasl.password: geheim}}\nclickhouse: {password: geheim}";
    let config = read(text);
    assert_eq!(config.clickhouse.password.expose(), "geheim");
    assert_eq!(shown(&config, "clickhouse.password"), ("***".to_owned(), Origin::File));
    assert!(!format!("{config:?}").contains("geheim"));
    for wrong in ["clickhouse.url: 'http://u:geheim@ch:8123'", "clickhouse: {password: [geheim]}"] {
        let found = mistakes_in(wrong);
        assert!(found.len() == 1 && !found[0].contains("geheim"), "{found:?}");
    }
}

#[test]
fn notices_tell_what_is_allowed_and_may_surprise() {
    let notices = |text: &str| read(text).notices;
    assert!(notices("ctr.job.checkpointing-mode: AT_LEAST_ONCE")[0].contains("means the same as EXACTLY_ONCE"));
    assert!(notices("ctr.job.checkpoint-min-pause: 5001")[0].contains("longer than ctr.job.checkpoint-interval"));
    assert!(notices("kafka.trust-producer-timestamps: true")[0].contains("clock"));
    let config = from_env(&[("CTR_JOB_PARALELISM", "4")]);
    assert_eq!(config.notices.len(), 1, "{:?}", config.notices);
    assert!(config.notices[0].contains("CTR_JOB_PARALELISM") && config.notices[0].contains("CTR_JOB_PARALLELISM?"));
}

#[test]
fn variables_of_scripts_and_other_programs_are_not_taken_for_misspelt_ones() {
    let names = [
        "KAFKA1_PORT",
        "KAFKA_CONTROLLER1_PORT",
        "CLICKHOUSE_HOST",
        "CLICKHOUSE_PORT",
        "CLICKHOUSE_DB",
        "PIPELINE_PORT",
        "IMPRESSION_TOPIC",
        "CLICK_TOPIC",
        "DLQ_TOPIC",
        "TOPIC_PARTITIONS",
        "PARALLELISM",
        "KAFKA_HOME",
        "KAFKA_OPTS",
        "PORT",
    ];
    let config = from_env(&names.map(|name| (name, "1")));
    assert!(config.notices.is_empty(), "{:?}", config.notices);
}

#[test]
fn every_time_reaches_its_own_field() {
    let config = read(
        "
kafka.session-timeout-ms: 6001
clickhouse: {batch-interval-ms: 2, backoff-min-ms: 3, backoff-max-ms: 4, request-timeout-ms: 1005}
ctr.job:
  {max-out-of-orderness-ms: 6, allowed-lateness-ms: 7, idle-timeout-ms: 108, idle-hold-ms: 1009, max-drift-ms: 1010,
   min-event-time: '2020-01-01T00:00:00Z', max-future-skew-ms: 11, checkpoint-interval: 112, checkpoint-timeout: 1013, checkpoint-min-pause: 14, restart-delay-ms: 15,
   shutdown-timeout-ms: 1016, window-size-ms: 1017}
",
    );
    let (sink, job) = (&config.clickhouse, &config.job);
    let durations = [
        config.kafka.session_timeout,
        sink.batch_interval,
        sink.backoff_min,
        sink.backoff_max,
        sink.request_timeout,
        job.checkpoint_interval,
        job.checkpoint_timeout,
        job.checkpoint_min_pause,
        job.restart_delay,
        job.shutdown_timeout,
    ];
    assert_eq!(durations.map(|time| time.as_millis()), [6001, 2, 3, 4, 1005, 112, 1013, 14, 15, 1016]);
    let event_times = [
        job.max_out_of_orderness_ms,
        job.allowed_lateness_ms,
        job.idle_timeout_ms,
        job.idle_hold_ms,
        job.max_drift_ms,
        job.min_event_time,
        job.max_future_skew_ms,
        job.window_size_ms,
    ];
    assert_eq!(event_times, [6, 7, 108, 1009, 1010, 1_577_836_800_000, 11, 1017]);
}

#[test]
fn the_first_event_time_is_a_time_of_the_calendar() {
    let first = |text: &str| read(&format!("ctr.job.min-event-time: \"{text}\"")).job.min_event_time;
    assert_eq!(read("").job.min_event_time, 946_684_800_000);
    assert_eq!(first("1970-01-01 00:00:10"), 10_000);
    for wrong in ["soon", "1969-12-31T00:00:00Z", "2200-01-01T00:00:00Z"] {
        let words = ["ctr.job.min-event-time", wrong, "RFC 3339"];
        only_mistake(&mistakes_in(&format!("ctr.job.min-event-time: \"{wrong}\"")), &words);
    }
}

#[test]
fn the_instance_id_needs_a_name() {
    let nameless = BTreeMap::new();
    only_mistake(
        &mistakes(Config::from_yaml("", &nameless)),
        &["ctr.job.instance-id (default)", "CTR_JOB_INSTANCE_ID"],
    );
    let odd = [("HOSTNAME".to_owned(), "(none)".to_owned())].into();
    only_mistake(&mistakes(Config::from_yaml("", &odd)), &["\"(none)\"", "CTR_JOB_INSTANCE_ID"]);
    let config = Config::from_yaml("ctr.job.instance-id: pipeline-1", &nameless).unwrap();
    assert_eq!(config.job.instance_id, "pipeline-1");
}

#[test]
fn a_file_that_is_named_must_exist() {
    let missing = Path::new("/nonexistent/application.yml");
    only_mistake(
        &mistakes(Config::load(Some(missing), &env(&[]))),
        &["/nonexistent/application.yml cannot be read", "--config"],
    );
}

#[test]
fn a_file_is_read_and_named_in_its_mistakes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.yml");
    std::fs::write(&path, "ctr.job.instance-id: a\nlogging: {directory: none, format: json}").unwrap();
    let config = Config::load(Some(&path), &env(&[])).unwrap();
    assert_eq!((config.file.as_deref(), config.logging.directory), (Some(path.as_path()), None));
    assert_eq!(config.logging.format, LogFormat::Json);
    std::fs::write(&path, "status: {port: 0}").unwrap();
    let message = Config::load(Some(&path), &env(&[])).unwrap_err().to_string();
    assert!(message.starts_with(&format!("1 error in the configuration (file: {})", path.display())), "{message}");
    std::fs::write(&path, [0xff, 0xfe, 0xfd]).unwrap();
    only_mistake(&mistakes(Config::load(Some(&path), &env(&[]))), &["cannot be read", "UTF-8"]);
}

#[test]
fn a_variable_that_is_not_utf_8_is_refused() {
    let found = mistakes(Config::from_yaml("", &env(&[("CLICKHOUSE_PASSWORD", "p\u{fffd}")])));
    only_mistake(&found, &["CLICKHOUSE_PASSWORD (environment): it is not UTF-8"]);
}

#[test]
fn an_ipv6_address_to_listen_on_gets_its_brackets() {
    assert_eq!(from_env(&[("STATUS_HOST", "::1")]).status.address(), "[::1]:8081");
    assert_eq!(from_env(&[("STATUS_HOST", "[::1]")]).status.address(), "[::1]:8081");
}

#[test]
fn no_setting_is_described_twice_and_none_is_missing() {
    let config = read("kafka: {properties: {linger.ms: 1}}");
    let keys: BTreeSet<_> = config.describe().iter().map(|row| row.key.as_str()).collect();
    assert_eq!(keys.len(), config.describe().len());
    for setting in SETTINGS.iter().filter(|setting| setting.key != "kafka.properties") {
        assert!(keys.contains(setting.key), "{}", setting.key);
    }
}
