//! Kafka: sends records, and never loses one silently.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, PurgeConfig};

use crate::deliveries::Deliveries;
use crate::plan::Connection;
use crate::record::{Record, Stream};

/// Timeout of one request to the brokers. Signals are checked between two requests.
const METADATA_TIMEOUT: Duration = Duration::from_millis(500);
/// Delay between two checks of a topic that is not ready.
const TOPIC_POLL: Duration = Duration::from_millis(200);
/// A newly created topic is not known to all brokers yet.
const TOPIC_GRACE: Duration = Duration::from_secs(2);
/// How long to wait for acknowledgements after a signal.
const STOP_GRACE: Duration = Duration::from_secs(5);
/// How long to wait for room in the full queue: long enough not to wake for every batch, far too short to empty it.
const ROOM_WAIT: Duration = Duration::from_millis(5);
/// How long to flush before checking signals again.
const FLUSH_PIECE: Duration = Duration::from_millis(20);

/// The original's settings, and those that make it exact and fast. Command line options are applied after these.
const SETTINGS: [(&str, &str); 9] = [
    ("client.id", "ctr-producer"),
    ("acks", "all"),
    // A record is written once, and records of a partition keep their order, even with retries.
    ("enable.idempotence", "true"),
    // A key goes to the partition that Java's clients would choose.
    ("partitioner", "murmur2_random"),
    ("batch.size", "65536"),
    ("compression.type", "lz4"),
    // A broker that is back is used again within a second, not after the default of ten.
    ("reconnect.backoff.max.ms", "1000"),
    // Bounds the memory: about 150 MB while brokers are down.
    ("queue.buffering.max.messages", "100000"),
    ("queue.buffering.max.kbytes", "65536"),
];

/// Why nothing more can be sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SendError {
    /// The command line contains a librdkafka setting that is rejected.
    #[error("librdkafka rejected the settings: {source}; check --property and --bootstrap-servers")]
    Settings {
        /// Names the setting.
        source: KafkaError,
    },
    /// Topics are created with their settings by a script, never automatically.
    #[error(
        "topic `{topic}` does not exist on {servers}; create it with ./scripts/create-topics.sh, or specify another topic \
         (--help)"
    )]
    MissingTopic {
        /// The topic.
        topic: String,
        /// The brokers asked.
        servers: String,
    },
    /// A broker rejects the topic, for example for this user.
    #[error("topic `{topic}` cannot be used: {code}; contact the administrator of the brokers")]
    RefusedTopic {
        /// The topic.
        topic: String,
        /// The broker's message.
        code: RDKafkaErrorCode,
    },
    /// The client rejects a record: it will reject the next one too.
    #[error("cannot send to topic `{topic}`: {reason}")]
    Refused {
        /// The topic.
        topic: String,
        /// The client's message.
        reason: String,
    },
}

/// A connection to the brokers.
pub(crate) struct Sender {
    producer: BaseProducer<Deliveries>,
    connection: Connection,
    stop: Arc<AtomicBool>,
}

impl Sender {
    /// Creates the client. It connects, and reconnects, by itself.
    ///
    /// # Errors
    ///
    /// [`SendError::Settings`].
    pub(crate) fn new(
        connection: &Connection,
        deliveries: Deliveries,
        stop: Arc<AtomicBool>,
    ) -> Result<Self, SendError> {
        let mut config = ClientConfig::new();
        for (key, value) in SETTINGS {
            config.set(key, value);
        }
        config.set("linger.ms", connection.linger.as_millis().to_string());
        if connection.unkeyed {
            // A partition for each record instead of for each batch, so that even a few records reach all of them.
            config.set("sticky.partitioning.linger.ms", "0");
        }
        for (key, value) in &connection.properties {
            config.set(key, value);
        }
        config.set("bootstrap.servers", &connection.bootstrap_servers);
        let producer = config.create_with_context(deliveries).map_err(|source| SendError::Settings { source })?;
        Ok(Self { producer, connection: connection.clone(), stop })
    }

    /// The outcomes of the records so far.
    pub(crate) fn deliveries(&self) -> &Deliveries {
        self.producer.context()
    }

    /// Waits until brokers respond and know the topics. `false`: a stop was requested first.
    ///
    /// # Errors
    /// [`SendError::MissingTopic`], [`SendError::RefusedTopic`]. Brokers that do not respond are not an error: it logs
    /// this, and retries.
    pub(crate) fn wait_for_topics(&self, streams: &[Stream]) -> Result<bool, SendError> {
        for stream in streams {
            let mut missing_since = None;
            while !self.topic_is_ready(*stream, &mut missing_since)? {
                if self.stop.load(Ordering::Relaxed) {
                    return Ok(false);
                }
                self.producer.poll(TOPIC_POLL);
            }
        }
        Ok(!self.stop.load(Ordering::Relaxed))
    }

    fn topic_is_ready(&self, stream: Stream, missing_since: &mut Option<Instant>) -> Result<bool, SendError> {
        let topic = self.topic(stream);
        let metadata = match self.producer.client().fetch_metadata(Some(topic), METADATA_TIMEOUT) {
            Ok(metadata) => metadata,
            Err(error) => {
                // First the reasons that arrived meanwhile, such as a refused connection.
                self.producer.poll(TOPIC_POLL);
                self.deliveries().no_answer(&error.to_string());
                return Ok(false);
            }
        };
        let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else { return Ok(false) };
        match found.error().map(RDKafkaErrorCode::from) {
            None => Ok(!found.partitions().is_empty()),
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
                if missing_since.get_or_insert_with(Instant::now).elapsed() < TOPIC_GRACE {
                    return Ok(false);
                }
                let servers = self.connection.bootstrap_servers.clone();
                Err(SendError::MissingTopic { topic: topic.to_owned(), servers })
            }
            Some(RDKafkaErrorCode::LeaderNotAvailable | RDKafkaErrorCode::NotLeaderForPartition) => Ok(false),
            Some(code) => Err(SendError::RefusedTopic { topic: topic.to_owned(), code }),
        }
    }

    fn topic(&self, stream: Stream) -> &str {
        &self.connection.topics[stream.index()]
    }

    /// Hands a record to the client. `false`: its queue is full; [`Sender::make_room`], and try again.
    ///
    /// # Errors
    /// [`SendError::Refused`].
    pub(crate) fn try_send(&self, record: &Record<'_>) -> Result<bool, SendError> {
        let topic = self.topic(record.stream);
        let ticket = self.deliveries().ticket(record.stream, record.fact);
        let mut message = BaseRecord::<str, [u8], usize>::with_opaque_to(topic, ticket);
        message.key = record.key;
        message.payload = record.payload;
        let Err((error, _)) = self.producer.send(message) else { return Ok(true) };
        self.deliveries().take_back(ticket);
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::QueueFull) => Ok(false),
            // The topic was removed while records were being sent.
            Some(RDKafkaErrorCode::UnknownTopic | RDKafkaErrorCode::UnknownTopicOrPartition) => {
                let servers = self.connection.bootstrap_servers.clone();
                Err(SendError::MissingTopic { topic: topic.to_owned(), servers })
            }
            _ => {
                let fatal = self.producer.client().fatal_error().map(|(_, reason)| reason);
                Err(SendError::Refused { topic: topic.to_owned(), reason: fatal.unwrap_or_else(|| error.to_string()) })
            }
        }
    }

    /// Handles all pending acknowledgements and errors; does not wait for more.
    pub(crate) fn serve(&self) {
        loop {
            let before = self.deliveries().settled();
            self.producer.poll(Duration::ZERO);
            if self.deliveries().settled() == before {
                return;
            }
        }
    }

    /// Waits briefly for acknowledgements, which make room in the queue. (It sleeps, because polling the client with a
    /// timeout busy-waits for the last millisecond.)
    pub(crate) fn make_room(&self) {
        std::thread::sleep(ROOM_WAIT);
        self.serve();
    }

    /// Waits until every record is acknowledged or failed, and calls `look` regularly meanwhile. After a signal it
    /// waits only a few seconds; records not acknowledged by then have failed.
    pub(crate) fn finish(&self, mut look: impl FnMut()) {
        let mut stopping_since = None;
        while self.producer.flush(FLUSH_PIECE).is_err() {
            look();
            if self.stop.load(Ordering::Relaxed)
                && stopping_since.get_or_insert_with(Instant::now).elapsed() >= STOP_GRACE
            {
                self.producer.purge(PurgeConfig::default().queue().inflight());
                // The purge completes every record immediately; this collects the reports.
                while self.producer.flush(FLUSH_PIECE).is_err() && self.producer.in_flight_count() > 0 {}
                return;
            }
        }
    }
}
