//! Kafka: sends records, and never loses one in silence.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, PurgeConfig};

use crate::deliveries::Deliveries;
use crate::plan::Connection;
use crate::record::{Record, Stream};

/// How long one question to the brokers may take. Between two, a signal is noticed.
const METADATA_TIMEOUT: Duration = Duration::from_millis(500);
/// Between two looks at a topic that is not ready.
const TOPIC_POLL: Duration = Duration::from_millis(200);
/// A topic made just now is not known to all brokers yet.
const TOPIC_GRACE: Duration = Duration::from_secs(2);
/// How long acknowledgements are waited for after a signal.
const STOP_GRACE: Duration = Duration::from_secs(5);
/// How long to wait for room in the full queue: long enough not to wake for every batch, far too short to empty it.
const ROOM_WAIT: Duration = Duration::from_millis(5);
/// How long to flush before looking at signals again.
const FLUSH_PIECE: Duration = Duration::from_millis(20);

/// The original's settings, and what makes them exact and quick. Options of the command line come after these.
const SETTINGS: [(&str, &str); 9] = [
    ("client.id", "ctr-producer"),
    ("acks", "all"),
    // A record is written once, and records of a partition keep their order, whatever is sent again.
    ("enable.idempotence", "true"),
    // A key goes to the partition that Java's clients would choose.
    ("partitioner", "murmur2_random"),
    ("batch.size", "65536"),
    ("compression.type", "lz4"),
    // A broker that is back is used again within a second, not within the ten of the default.
    ("reconnect.backoff.max.ms", "1000"),
    // Bound the memory: about 150 MB where brokers are away.
    ("queue.buffering.max.messages", "100000"),
    ("queue.buffering.max.kbytes", "65536"),
];

/// Why nothing more can be sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SendError {
    /// The command line asks librdkafka for something that it does not take.
    #[error("librdkafka rejected the settings: {source}; check --property and --bootstrap-servers")]
    Settings {
        /// Names the setting.
        source: KafkaError,
    },
    /// Topics are made with their settings by a script, never by chance.
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
    /// A broker refuses the topic, for example to this user.
    #[error("topic `{topic}` cannot be used: {code}; contact the administrator of the brokers")]
    RefusedTopic {
        /// The topic.
        topic: String,
        /// What the broker says.
        code: RDKafkaErrorCode,
    },
    /// The client refuses a record: it will refuse the next one too.
    #[error("cannot send to topic `{topic}`: {reason}")]
    Refused {
        /// The topic.
        topic: String,
        /// What the client says.
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
    /// Makes the client. It connects by itself, also later and again.
    ///
    /// # Errors
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
            // A partition for each record instead of for each batch: also few records reach all of them.
            config.set("sticky.partitioning.linger.ms", "0");
        }
        for (key, value) in &connection.properties {
            config.set(key, value);
        }
        config.set("bootstrap.servers", &connection.bootstrap_servers);
        let producer = config.create_with_context(deliveries).map_err(|source| SendError::Settings { source })?;
        Ok(Self { producer, connection: connection.clone(), stop })
    }

    /// What became of the records so far.
    pub(crate) fn deliveries(&self) -> &Deliveries {
        self.producer.context()
    }

    /// Waits until brokers answer and know the topics. `false`: was asked to stop before.
    ///
    /// # Errors [`SendError::MissingTopic`], [`SendError::RefusedTopic`]. Brokers that do not answer are no error: it
    /// says so, and goes on asking.
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
                // First the reasons that came meanwhile, such as a refused connection.
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
            // The topic was removed while we were sending.
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

    /// Takes all acknowledgements and errors that wait; does not wait for more.
    pub(crate) fn serve(&self) {
        loop {
            let before = self.deliveries().settled();
            self.producer.poll(Duration::ZERO);
            if self.deliveries().settled() == before {
                return;
            }
        }
    }

    /// Waits a little for acknowledgements, which make room in the queue. (It sleeps, as a poll of the client with a
    /// time limit burns its last millisecond.)
    pub(crate) fn make_room(&self) {
        std::thread::sleep(ROOM_WAIT);
        self.serve();
    }

    /// Waits until every record is acknowledged or failed, and calls `look` again and again meanwhile. After a signal
    /// it waits a few seconds only; what is not acknowledged then has failed.
    pub(crate) fn finish(&self, mut look: impl FnMut()) {
        let mut stopping_since = None;
        while self.producer.flush(FLUSH_PIECE).is_err() {
            look();
            if self.stop.load(Ordering::Relaxed)
                && stopping_since.get_or_insert_with(Instant::now).elapsed() >= STOP_GRACE
            {
                self.producer.purge(PurgeConfig::default().queue().inflight());
                // The purge settles every record at once; this takes the reports.
                while self.producer.flush(FLUSH_PIECE).is_err() && self.producer.in_flight_count() > 0 {}
                return;
            }
        }
    }
}
