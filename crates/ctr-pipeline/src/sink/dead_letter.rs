//! The producer of dead letters.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::Sender;
use rdkafka::ClientContext;
use rdkafka::config::{ClientConfig, FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};

use super::{Receipt, TaskId};
use crate::config::KafkaConfig;
use crate::crash_point::crash_point;
use crate::kafka_log;
use crate::source::consumer::client_config;

/// How long librdkafka tries by itself before it hands a letter back. It is sent again then; the point is to say so.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(20);

/// A dead letter on its way.
#[derive(Debug)]
pub struct Letter {
    /// The task that issued it.
    pub task: TaskId,
    /// Its number within the task.
    pub number: u64,
    /// The key of the record, so that letters of a product lie together.
    pub key: Option<Vec<u8>>,
    /// The encoded letter.
    pub payload: Vec<u8>,
}

/// What librdkafka keeps for us until the broker has answered.
struct InFlight {
    letter: Box<Letter>,
    reply: Sender<Receipt>,
}

struct LetterContext;

impl ClientContext for LetterContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        kafka_log::forward(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        kafka_log::error(&error, reason);
    }
}

impl ProducerContext for LetterContext {
    type DeliveryOpaque = Box<InFlight>;

    fn delivery(&self, result: &DeliveryResult<'_>, in_flight: Box<InFlight>) {
        crash_point!("before-letter-acknowledgement");
        let InFlight { letter, reply } = *in_flight;
        let receipt = match result {
            Ok(_) => Receipt::Letter { task: letter.task, number: letter.number },
            Err((error, _)) => Receipt::Undelivered { letter, reason: error.to_string() },
        };
        // A worker that is gone needs no receipt: it has not committed, so the letter will be issued again.
        let _ = reply.send(receipt);
    }
}

/// Why a letter was not taken; it comes back with the answer.
#[derive(Debug)]
pub enum Refused {
    /// The queue is full: try again when letters have been acknowledged.
    Full(Box<Letter>),
    /// It could not be queued for another reason.
    Failed(Box<Letter>, String),
}

/// Writes dead letters, for all workers of the process. Never waits.
///
/// The workers serve it in their rounds. A thread that waits for reports would do so in steps of whole milliseconds and turn
/// in circles for the rest of each: 1 % of a core, all the time.
pub struct DeadLetterSink {
    topic: String,
    config: ClientConfig,
    producer: Mutex<BaseProducer<LetterContext>>,
}

impl DeadLetterSink {
    /// A producer for the dead letter topic.
    ///
    /// # Errors
    /// Where librdkafka refuses the settings.
    pub fn new(kafka: &KafkaConfig) -> Result<Self, KafkaError> {
        let mut config = client_config(kafka);
        config
            .set("client.id", format!("{}-dead-letters", env!("CARGO_PKG_NAME")))
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("partitioner", "murmur2_random")
            .set("compression.type", "lz4")
            .set("linger.ms", "5")
            .set("message.timeout.ms", DELIVERY_TIMEOUT.as_millis().to_string())
            .set("queue.buffering.max.kbytes", "16384")
            .set("queue.buffering.max.messages", "100000");
        let producer = Mutex::new(Self::connect(&config)?);
        Ok(Self { topic: kafka.dlq_topic.clone(), config, producer })
    }

    fn connect(config: &ClientConfig) -> Result<BaseProducer<LetterContext>, KafkaError> {
        BaseProducer::from_config_and_context(config, LetterContext)
    }

    /// The topic it writes to.
    #[must_use]
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// Turns the broker's answers that have come into receipts. To be called again and again, by any worker: a report that
    /// one takes goes to the worker that sent the letter.
    pub fn serve(&self) {
        let producer = self.producer.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let before = producer.in_flight_count();
            producer.poll(Duration::ZERO);
            // One poll takes the answer to one request.
            if producer.in_flight_count() == before {
                return;
            }
        }
    }

    /// Queues a letter; the receipt comes through `reply`, for better or worse.
    ///
    /// # Errors
    /// The letter itself, with why it was not taken.
    pub fn send(&self, letter: Box<Letter>, reply: &Sender<Receipt>) -> Result<(), Refused> {
        let key = letter.key.clone();
        let payload = letter.payload.clone();
        let in_flight = Box::new(InFlight { letter, reply: reply.clone() });
        let mut record = BaseRecord::with_opaque_to(&self.topic, in_flight).payload(&payload);
        if let Some(key) = &key {
            record = record.key(key);
        }
        let mut producer = self.producer.lock().unwrap_or_else(PoisonError::into_inner);
        producer.send(record).map_err(|(error, record)| {
            let letter = record.delivery_opaque.letter;
            if error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull) {
                return Refused::Full(letter);
            }
            // An idempotent producer that lost its place never works again: letters in flight come back undelivered, and
            // a new producer takes them.
            if producer.client().fatal_error().is_some()
                && let Ok(fresh) = Self::connect(&self.config)
            {
                *producer = fresh;
            }
            Refused::Failed(letter, error.to_string())
        })
    }
}
