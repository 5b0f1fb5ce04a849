//! Rules between settings, and what is allowed but worth a line at start.

use super::error::{ConfigError, Place};
use super::layers::Chosen;
use super::sections::{CheckpointingMode, ClickHouseConfig, KafkaConfig, Sections};

/// librdkafka's default of `max.poll.interval.ms`; it takes no session timeout above that.
const MAX_POLL_INTERVAL_MS: u128 = 300_000;

/// Adds what is fine alone and not together. A setting with a mistake of its own is left out: what would be concluded from its
/// stand-in says nothing.
pub(super) fn between(sections: &Sections, chosen: &Chosen, errors: &mut Vec<ConfigError>) {
    topics(&sections.kafka, chosen, errors);
    session(&sections.kafka, chosen, errors);
    batches(&sections.clickhouse, chosen, errors);
}

/// A topic that is read twice would count twice, and a dead letter that is read again would never come to rest.
fn topics(kafka: &KafkaConfig, chosen: &Chosen, errors: &mut Vec<ConfigError>) {
    let topics = [
        ("kafka.topics.impression", &kafka.topics.impression),
        ("kafka.topics.click", &kafka.topics.click),
        ("kafka.dlq-topic", &kafka.dlq_topic),
    ];
    for (at, (first, name)) in topics.iter().enumerate() {
        for (second, _) in topics[at + 1..].iter().filter(|(_, other)| other == name) {
            let problem = format!("both are {name}");
            contradiction((chosen.sound(first), chosen.sound(second)), problem, "name three different topics", errors);
        }
    }
}

fn session(kafka: &KafkaConfig, chosen: &Chosen, errors: &mut Vec<ConfigError>) {
    const POLL: &str = "max.poll.interval.ms";
    let session = kafka.session_timeout.as_millis();
    let poll = match kafka.properties.get(POLL).map(str::parse::<u128>) {
        None => MAX_POLL_INTERVAL_MS,
        Some(Ok(poll)) => poll,
        // librdkafka says what is wrong with it.
        Some(Err(_)) => return,
    };
    if session > poll {
        let place =
            chosen.property_place(POLL).unwrap_or_else(|| Place::by_default(format!("kafka.properties.{POLL}")));
        let problem = format!("a member may be silent for {session} ms but must poll every {poll} ms");
        let remedy = "lower the first or raise the second";
        contradiction((chosen.sound("kafka.session-timeout-ms"), Some(place)), problem, remedy, errors);
    }
}

fn batches(clickhouse: &ClickHouseConfig, chosen: &Chosen, errors: &mut Vec<ConfigError>) {
    if clickhouse.backoff_min > clickhouse.backoff_max {
        let places = (chosen.sound("clickhouse.backoff-min-ms"), chosen.sound("clickhouse.backoff-max-ms"));
        let (min, max) = (clickhouse.backoff_min.as_millis(), clickhouse.backoff_max.as_millis());
        let problem = format!("the shortest wait, {min} ms, is longer than the longest, {max} ms");
        contradiction(places, problem, "lower the first or raise the second", errors);
    }
    if clickhouse.max_batch_bytes > clickhouse.max_buffered_bytes {
        let places = (chosen.sound("clickhouse.max-batch-bytes"), chosen.sound("clickhouse.max-buffered-bytes"));
        let (batch, buffered) = (clickhouse.max_batch_bytes, clickhouse.max_buffered_bytes);
        let problem = format!("a batch of {batch} bytes does not fit into a buffer of {buffered}");
        contradiction(places, problem, "lower the first or raise the second", errors);
    }
}

fn contradiction(places: (Option<Place>, Option<Place>), problem: String, remedy: &str, errors: &mut Vec<ConfigError>) {
    if let (Some(first), Some(second)) = places {
        errors.push(ConfigError::Contradiction { first, second, problem, remedy: remedy.to_owned() });
    }
}

/// Adds what is allowed and may surprise.
pub(super) fn notices(sections: &Sections, notices: &mut Vec<String>) {
    let job = &sections.ctr.job;
    if job.checkpointing_mode == CheckpointingMode::AtLeastOnce {
        notices.push(
            "ctr.job.checkpointing-mode AT_LEAST_ONCE means the same as EXACTLY_ONCE here: the tables are exact"
                .to_owned(),
        );
    }
    if job.checkpoint_min_pause > job.checkpoint_interval {
        notices.push(format!(
            "ctr.job.checkpoint-min-pause ({} ms) is longer than ctr.job.checkpoint-interval ({} ms): commits follow the pause",
            job.checkpoint_min_pause.as_millis(),
            job.checkpoint_interval.as_millis()
        ));
    }
    if sections.kafka.trust_producer_timestamps {
        notices.push(
            "kafka.trust-producer-timestamps is true: a producer whose clock runs ahead can make the records of others too late"
                .to_owned(),
        );
    }
}
