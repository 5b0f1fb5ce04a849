//! Rules between settings, and valid combinations that deserve a warning at startup.

use super::error::{ConfigError, Place};
use super::layers::Layers;
use super::settings::{CheckpointingMode, ClickHouseConfig, JobConfig, KafkaConfig};

/// The other limit on how long a member may be silent: how often it must poll.
const POLL: &str = "max.poll.interval.ms";

/// librdkafka's default of [`POLL`]; it rejects a longer session timeout.
const MAX_POLL_INTERVAL_MS: u128 = 300_000;

/// A topic used twice would be counted twice, and dead letters that are read again would produce new ones forever.
pub(super) fn topics(kafka: &KafkaConfig, layers: &mut Layers<'_>) {
    let topics = [
        ("kafka.topics.impression", &kafka.topics.impression),
        ("kafka.topics.click", &kafka.topics.click),
        ("kafka.dlq-topic", &kafka.dlq_topic),
    ];
    for (at, (first, name)) in topics.iter().enumerate() {
        for (second, _) in topics[at + 1..].iter().filter(|(_, other)| other == name) {
            let places = (layers.place(first), layers.place(second));
            contradiction(places, format!("both are {name}"), "name three different topics", layers);
        }
    }
}

/// A member must not be allowed to be silent for longer than it must poll.
pub(super) fn session(kafka: &KafkaConfig, layers: &mut Layers<'_>) {
    let session = kafka.session_timeout.as_millis();
    let poll = match kafka.properties.get(POLL).map(str::parse::<u128>) {
        None => MAX_POLL_INTERVAL_MS,
        Some(Ok(poll)) => poll,
        // librdkafka reports what is wrong with it.
        Some(Err(_)) => return,
    };
    if session > poll {
        let key = format!("kafka.properties.{POLL}");
        let place = layers.place(&key).unwrap_or_else(|| Place::by_default(key));
        let places = (layers.place("kafka.session-timeout-ms"), Some(place));
        let problem = format!("a member may be silent for {session} ms but must poll every {poll} ms");
        contradiction(places, problem, LOWER_OR_RAISE, layers);
    }
}

const LOWER_OR_RAISE: &str = "lower the first or raise the second";

/// Checks that the lower of two limits is lower.
pub(super) fn limits(clickhouse: &ClickHouseConfig, layers: &mut Layers<'_>) {
    let (min, max) = (clickhouse.backoff_min.as_millis(), clickhouse.backoff_max.as_millis());
    if min > max {
        let places = (layers.place("clickhouse.backoff-min-ms"), layers.place("clickhouse.backoff-max-ms"));
        let problem = format!("the shortest delay, {min} ms, is longer than the longest, {max} ms");
        contradiction(places, problem, LOWER_OR_RAISE, layers);
    }
    let (batch, buffered) = (clickhouse.max_batch_bytes, clickhouse.max_buffered_bytes);
    if batch > buffered {
        let places = (layers.place("clickhouse.max-batch-bytes"), layers.place("clickhouse.max-buffered-bytes"));
        let problem = format!("a batch of {batch} bytes does not fit into a buffer of {buffered}");
        contradiction(places, problem, LOWER_OR_RAISE, layers);
    }
}

/// An invalid setting has no origin here: conclusions from its substitute value would be wrong.
fn contradiction(places: (Option<Place>, Option<Place>), problem: String, remedy: &str, layers: &mut Layers<'_>) {
    if let (Some(first), Some(second)) = places {
        layers.errors.push(ConfigError::Contradiction { first, second, problem, remedy: remedy.to_owned() });
    }
}

/// Valid settings that may be surprising.
pub(super) fn notices(kafka: &KafkaConfig, job: &JobConfig) -> impl Iterator<Item = String> {
    let (pause, interval) = (job.checkpoint_min_pause, job.checkpoint_interval);
    let mode = (job.checkpointing_mode == CheckpointingMode::AtLeastOnce).then(|| {
        "ctr.job.checkpointing-mode AT_LEAST_ONCE means the same as EXACTLY_ONCE here: the tables are exact".to_owned()
    });
    let pause = (pause > interval).then(|| {
        format!(
            "ctr.job.checkpoint-min-pause ({} ms) is longer than ctr.job.checkpoint-interval ({} ms): commits follow the pause",
            pause.as_millis(),
            interval.as_millis()
        )
    });
    let clocks = kafka.trust_producer_timestamps.then(|| {
        "kafka.trust-producer-timestamps is true: a producer whose clock runs ahead can make the records of others too late"
            .to_owned()
    });
    [mode, pause, clocks].into_iter().flatten()
}
