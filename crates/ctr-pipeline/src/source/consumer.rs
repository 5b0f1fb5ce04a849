//! The consumer's settings: those required by the recovery protocol, and those that determine speed and memory.

use rdkafka::config::ClientConfig;
use rdkafka::consumer::BaseConsumer;
use rdkafka::producer::BaseProducer;

use crate::config::KafkaConfig;

/// Records taken from a partition's queue at a time.
pub const BATCH_RECORDS: usize = 1_000;

/// The maximum batch size that a topic accepts by default, in bytes.
const LARGEST_BATCH: u64 = 1_048_588;

/// The worker's identity in the group: the same after a restart, so that it gets its partitions back immediately.
#[must_use]
pub(crate) fn member_id(instance_id: &str, worker: usize) -> String {
    format!("{instance_id}-{worker}")
}

/// Settings of every client of this process.
#[must_use]
pub(crate) fn client_config(kafka: &KafkaConfig) -> ClientConfig {
    let mut config = ClientConfig::new();
    // A broker that is back is used again within a second, not after the default of ten.
    config.set("reconnect.backoff.max.ms", "1000");
    for (name, value) in kafka.properties.of_every_client() {
        config.set(name, value);
    }
    config.set("bootstrap.servers", &kafka.bootstrap_servers).set("client.id", env!("CARGO_PKG_NAME"));
    config
}

/// Settings of a worker's consumer.
#[must_use]
pub fn consumer_config(kafka: &KafkaConfig, member_id: &str) -> ClientConfig {
    let mut config = client_config(kafka);
    // These determine speed and memory; `kafka.properties` may change them. The queue limits apply per partition.
    // Without the short back-off, a partition whose queue was full is not fetched again for a whole second.
    config
        .set("fetch.queue.backoff.ms", "2")
        // A broker answers one request at a time. A partition whose queue is full when a request is sent is left out of it; if
        // the others are at their ends, that request takes `fetch.wait.max.ms`. So there is room for several responses.
        .set("queued.min.messages", "7500")
        .set("queued.max.messages.kbytes", "2048")
        .set("max.partition.fetch.bytes", "65536")
        // A batch of a megabyte may decompress to sixty, and a fetch response has at least one batch per partition: so
        // that not all partitions of a broker are decompressed at once, the size of a response is limited to about the
        // largest possible batch.
        .set("fetch.max.bytes", largest_answer(kafka))
        // A trickle of events is fetched ten times a second from each broker, not with every event, which saves a third of the
        // CPU at 1,000 events/s.
        .set("fetch.min.bytes", "16384")
        .set("fetch.wait.max.ms", "100")
        // Added partitions and recreated topics are detected within this time.
        .set("topic.metadata.refresh.interval.ms", "10000");
    for (name, value) in kafka.properties.iter() {
        config.set(name, value);
    }
    config
        .set("client.id", member_id)
        .set("group.id", &kafka.group_id)
        .set("group.instance.id", member_id)
        .set("session.timeout.ms", kafka.session_timeout.as_millis().to_string())
        // A member learns of a rebalance with its next heartbeat; frequent ones let a group form in less than a second.
        .set("heartbeat.interval.ms", (kafka.session_timeout.as_millis() / 30).to_string())
        // Impressions-p and clicks-p on one member: the range assignor assigns both topics' partitions in the same way.
        .set("partition.assignment.strategy", "range")
        // Commits are checkpoints, made by the worker.
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        // Starts are always explicit. A missing offset is reported as an error, never a silent jump.
        .set("auto.offset.reset", "error")
        .set("enable.partition.eof", "true");
    config
}

/// librdkafka requires the maximum response size to be at least `message.max.bytes`.
fn largest_answer(kafka: &KafkaConfig) -> String {
    let message = kafka.properties.get("message.max.bytes").and_then(|bytes| bytes.parse().ok()).unwrap_or(0);
    LARGEST_BATCH.max(message).to_string()
}

/// librdkafka's errors about `kafka.properties`, by name: found by creating a client of each kind, which does not
/// connect.
#[must_use]
pub(crate) fn refused_properties(kafka: &KafkaConfig) -> Option<String> {
    let member = consumer_config(kafka, "check").create::<BaseConsumer>().err();
    let asking = || client_config(kafka).create::<BaseConsumer>().err();
    let writing = || {
        let mut config = client_config(kafka);
        config.set("enable.idempotence", "true");
        config.create::<BaseProducer>().err()
    };
    member.or_else(asking).or_else(writing).map(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::config::Config;

    fn refused(properties: &str) -> Option<String> {
        let env = BTreeMap::from([
            ("CTR_JOB_INSTANCE_ID".to_owned(), "t".to_owned()),
            ("KAFKA_PROPERTIES".to_owned(), properties.to_owned()),
        ]);
        refused_properties(&Config::from_yaml("", &env).unwrap().kafka)
    }

    #[test]
    fn properties_that_no_client_takes_are_refused_by_name() {
        assert_eq!(refused(""), None);
        assert_eq!(refused("max.poll.interval.ms=20000"), None, "above the members' session time");
        assert_eq!(refused("statistics.interval.ms=1000"), None);
        assert_eq!(refused("message.max.bytes=5000000"), None, "answers grow with it");
        assert!(refused("fetch.max.bytes=1024").unwrap().contains("fetch.max.bytes"));
        assert!(refused("no.such.property=1").unwrap().contains("no.such.property"));
    }
}
