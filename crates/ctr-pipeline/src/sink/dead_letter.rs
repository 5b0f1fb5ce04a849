//! The producer of dead letters.
//!
//! Any record's dead letter must fit: the sink itself handles one that is refused as too large. It halves its batches
//! and cuts dead letters to that size until the topic accepts them; the worker gets the usual receipt when it is
//! written. Only a topic that accepts less than 1,024 bytes needs intervention.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::Sender;
use ctr_domain::shell::OutgoingLetter;
use rdkafka::ClientContext;
use rdkafka::config::{ClientConfig, FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};

use super::dead_letter_record::{MAX_BYTES, cut, letter_key};
use super::{Receipt, TaskId};
use crate::config::KafkaConfig;
use crate::crash_point::crash_point;
use crate::kafka_log;
use crate::source::consumer::client_config;

/// How long librdkafka retries before it returns a dead letter. It is sent again then; the return only makes the
/// failure visible.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(20);

/// Dead letters are not cut below this many bytes: position, code and description of the record need them.
const MIN_LIMIT: usize = 1_024;

/// A dead letter in flight.
#[derive(Debug)]
pub struct Letter {
    /// The task that issued it.
    pub task: TaskId,
    /// Its number within the task.
    pub number: u64,
    /// The key of the record, so that the dead letters of a product share a partition.
    pub key: Option<Vec<u8>>,
    /// The encoded letter.
    pub payload: Vec<u8>,
}

impl OutgoingLetter for Box<Letter> {
    fn task(&self) -> TaskId {
        self.task
    }

    fn number(&self) -> u64 {
        self.number
    }

    fn bytes(&self) -> usize {
        self.payload.len() + self.key.as_ref().map_or(0, Vec::len) + size_of::<Letter>()
    }
}

/// Context that librdkafka keeps until the broker has responded.
struct InFlight {
    letter: Box<Letter>,
    reply: Sender<Receipt>,
    /// The limit with which it was sent; 0 if it was returned for a reason other than its size.
    limit: usize,
}

/// Dead letters that this sink has to send again: refused as too large, or in flight when their producer was replaced.
type Returned = Arc<Mutex<VecDeque<InFlight>>>;

struct LetterContext {
    returned: Returned,
}

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
        let code = result.as_ref().err().and_then(|(error, _)| error.rdkafka_error_code());
        let limit = match code {
            Some(code) if is_too_large(code) && in_flight.limit > MIN_LIMIT => Some(in_flight.limit),
            Some(RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight) => Some(0),
            _ => None,
        };
        if let Some(limit) = limit {
            let returned = InFlight { limit, ..*in_flight };
            self.returned.lock().unwrap_or_else(PoisonError::into_inner).push_back(returned);
            return;
        }
        let InFlight { letter, reply, .. } = *in_flight;
        let receipt = match result {
            Ok(_) => Receipt::Letter { task: letter.task, number: letter.number },
            Err(_) if code.is_some_and(is_too_large) => {
                let reason =
                    format!("the topic takes less than {MIN_LIMIT} bytes at once; raise its max.message.bytes");
                Receipt::Undelivered { letter, reason }
            }
            Err((error, _)) => Receipt::Undelivered { letter, reason: error.to_string() },
        };
        // A worker that has ended needs no receipt: it has not committed, so the dead letter will be issued again.
        let _ = reply.send(receipt);
    }
}

/// Whether a client or a broker permanently rejects a record because of its size, or its batch's.
fn is_too_large(code: RDKafkaErrorCode) -> bool {
    matches!(code, RDKafkaErrorCode::MessageSizeTooLarge | RDKafkaErrorCode::MessageBatchTooLarge)
}

/// Why a dead letter was not accepted; returned with it.
#[derive(Debug)]
pub enum Refused {
    /// The queue is full: retry when dead letters have been acknowledged.
    Full(Box<Letter>),
    /// It could not be queued for another reason.
    Failed(Box<Letter>, String),
}

/// Writes dead letters, for all workers of the process. Never waits.
///
/// The workers poll it in their rounds. A thread waiting for delivery reports would wait in steps of whole milliseconds
/// and busy-wait for the rest of each: 1 % of a core, permanently.
pub struct DeadLetterSink {
    topic: String,
    config: ClientConfig,
    line: Mutex<SizedProducer>,
    returned: Returned,
}

/// The producer, and its size limit.
struct SizedProducer {
    producer: BaseProducer<LetterContext>,
    /// Maximum bytes of a dead letter, and of a batch: halved when the broker rejects them as too large.
    limit: usize,
}

impl DeadLetterSink {
    /// A producer for the dead letter topic.
    ///
    /// # Errors
    ///
    /// If librdkafka rejects the settings.
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
        let returned = Returned::default();
        let line = Mutex::new(SizedProducer { producer: connect(&config, MAX_BYTES, &returned)?, limit: MAX_BYTES });
        Ok(Self { topic: kafka.dlq_topic.clone(), config, line, returned })
    }

    /// The topic it writes to.
    #[must_use]
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// Converts the broker's responses to receipts. Any worker must call it regularly: the receipt goes to the worker
    /// that sent the dead letter.
    pub fn serve(&self) {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let before = line.producer.in_flight_count();
            line.producer.poll(Duration::ZERO);
            // One poll returns the response to one request.
            if line.producer.in_flight_count() == before {
                break;
            }
        }
        self.send_returned(&mut line);
    }

    /// Resends returned dead letters; if one was too large, all of them are cut and sent in smaller batches.
    fn send_returned(&self, line: &mut SizedProducer) {
        let returned = std::mem::take(&mut *self.returned.lock().unwrap_or_else(PoisonError::into_inner));
        if returned.iter().any(|in_flight| in_flight.limit == line.limit) {
            self.halve(line);
        }
        for InFlight { letter, reply, .. } in returned {
            match self.send_on(line, letter, &reply) {
                Ok(()) => {}
                Err(Refused::Full(letter)) => {
                    let waiting = InFlight { letter, reply, limit: 0 };
                    self.returned.lock().unwrap_or_else(PoisonError::into_inner).push_back(waiting);
                }
                Err(Refused::Failed(letter, reason)) => {
                    // As in `delivery`: a worker that has ended needs no receipt.
                    let _ = reply.send(Receipt::Undelivered { letter, reason });
                }
            }
        }
    }

    /// Halves the limit for dead letters and batches. Those in flight are returned and sent again.
    fn halve(&self, line: &mut SizedProducer) {
        let limit = (line.limit / 2).max(MIN_LIMIT);
        tracing::warn!(topic = self.topic, bytes = limit, "dead letters are too large for their topic; cutting them");
        match connect(&self.config, limit, &self.returned) {
            Ok(producer) => *line = SizedProducer { producer, limit },
            Err(error) => tracing::error!(%error, "cannot create a new producer for dead letters; keeping the old one"),
        }
    }

    /// Queues a dead letter; the receipt is sent through `reply`, whatever the outcome.
    ///
    /// # Errors
    ///
    /// The dead letter itself, with the reason.
    pub fn send(&self, letter: Box<Letter>, reply: &Sender<Receipt>) -> Result<(), Refused> {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        self.send_on(&mut line, letter, reply)
    }

    fn send_on(&self, line: &mut SizedProducer, letter: Box<Letter>, reply: &Sender<Receipt>) -> Result<(), Refused> {
        let letter = fitted(letter, line.limit);
        let (key, payload) = (letter.key.clone(), letter.payload.clone());
        let in_flight = Box::new(InFlight { letter, reply: reply.clone(), limit: line.limit });
        let mut record = BaseRecord::with_opaque_to(&self.topic, in_flight).payload(&payload);
        if let Some(key) = &key {
            record = record.key(key);
        }
        let Err((error, record)) = line.producer.send(record) else { return Ok(()) };
        let letter = record.delivery_opaque.letter;
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::QueueFull) => return Err(Refused::Full(letter)),
            // A limit of the client itself, `message.max.bytes`, is treated like the topic's.
            Some(code) if is_too_large(code) && line.limit > MIN_LIMIT => {
                let before = line.limit;
                self.halve(line);
                if line.limit < before {
                    return self.send_on(line, letter, reply);
                }
            }
            _ => {}
        }
        // An idempotent producer in a fatal state never works again: dead letters in flight are returned, and a new
        // producer takes over.
        if line.producer.client().fatal_error().is_some()
            && let Ok(fresh) = connect(&self.config, line.limit, &self.returned)
        {
            line.producer = fresh;
        }
        Err(Refused::Failed(letter, error.to_string()))
    }
}

/// A producer whose batches have at most `limit` bytes, unless a single dead letter is larger.
fn connect(
    config: &ClientConfig,
    limit: usize,
    returned: &Returned,
) -> Result<BaseProducer<LetterContext>, KafkaError> {
    let mut config = config.clone();
    config.set("batch.size", limit.to_string());
    BaseProducer::from_config_and_context(&config, LetterContext { returned: Arc::clone(returned) })
}

/// The dead letter cut to `limit` bytes, including its key.
fn fitted(mut letter: Box<Letter>, limit: usize) -> Box<Letter> {
    if let Some(key) = &mut letter.key {
        let end = letter_key(key).len().min(limit / 4);
        key.truncate(end);
    }
    let key_bytes = letter.key.as_ref().map_or(0, Vec::len);
    letter.payload = cut(std::mem::take(&mut letter.payload), limit - key_bytes);
    letter
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_with_its_key_fits_the_limit() {
        let letter = |key: usize, value: usize| {
            let payload = format!(
                r#"{{"source":"Click","rawTopic":"clicks","errorCode":"","errorMessage":"","rawData":"{}","eventTimeMillisUtc":null,
                "stackTrace":null,"createdAtUtc":1,"createdAtRfc3339":"","code":"INVALID_JSON","partition":0,"offset":1,
                "recordTimeMillisUtc":null,"key":null,"rawEncoding":"utf8"}}"#,
                "x".repeat(value)
            );
            Box::new(Letter { task: TaskId(1), number: 1, key: Some(vec![b'k'; key]), payload: payload.into() })
        };
        for (key, value, limit) in [(990_000, 10, MAX_BYTES), (10, 990_000, MAX_BYTES), (16_000, 800_000, 2_048)] {
            let fitted = fitted(letter(key, value), limit);
            let bytes = fitted.payload.len() + fitted.key.as_ref().unwrap().len();
            assert!(bytes <= limit, "{bytes} of {limit}");
            assert!(!fitted.key.unwrap().is_empty());
        }
    }
}
