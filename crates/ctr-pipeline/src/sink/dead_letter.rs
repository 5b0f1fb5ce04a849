//! The producer of dead letters.
//!
//! Whatever a record was, the letter about it must fit: a letter that is refused as too large is this sink's own affair. It
//! halves what it sends at once and cuts letters to that, until the topic takes them; the worker hears of it as of any other
//! letter, when it is written. Only a topic that takes less than [`MIN_LIMIT`] needs a person.

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

/// How long librdkafka tries by itself before it hands a letter back. It is sent again then; the point is to say so.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(20);

/// Below this many bytes no letter is cut: its place in the log, the code and what the record was need them.
const MIN_LIMIT: usize = 1_024;

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

/// What librdkafka keeps for us until the broker has answered.
struct InFlight {
    letter: Box<Letter>,
    reply: Sender<Receipt>,
    /// The limit that it was sent with; 0 for one that came back for another reason than its size.
    limit: usize,
}

/// Letters that this sink has to send again: refused as too large, or on their way when their producer was replaced.
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
        // A worker that is gone needs no receipt: it has not committed, so the letter will be issued again.
        let _ = reply.send(receipt);
    }
}

/// Whether a client or a broker refuses a record for good because of its size, or because of that of its batch.
fn is_too_large(code: RDKafkaErrorCode) -> bool {
    matches!(code, RDKafkaErrorCode::MessageSizeTooLarge | RDKafkaErrorCode::MessageBatchTooLarge)
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
    line: Mutex<Line>,
    returned: Returned,
}

/// The producer, and how much it sends at once.
struct Line {
    producer: BaseProducer<LetterContext>,
    /// Bytes of a letter, and of a batch of letters, at most: halved when the broker refuses them as too large.
    limit: usize,
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
        let returned = Returned::default();
        let line = Mutex::new(Line { producer: connect(&config, MAX_BYTES, &returned)?, limit: MAX_BYTES });
        Ok(Self { topic: kafka.dlq_topic.clone(), config, line, returned })
    }

    /// The topic it writes to.
    #[must_use]
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// Turns the broker's answers that have come into receipts. To be called again and again, by any worker: a report that
    /// one takes goes to the worker that sent the letter.
    pub fn serve(&self) {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let before = line.producer.in_flight_count();
            line.producer.poll(Duration::ZERO);
            // One poll takes the answer to one request.
            if line.producer.in_flight_count() == before {
                break;
            }
        }
        self.send_returned(&mut line);
    }

    /// Sends letters again that came back; where one was too large, all of them cut and in smaller batches.
    fn send_returned(&self, line: &mut Line) {
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
                    // As in `delivery`: who is gone needs no receipt.
                    let _ = reply.send(Receipt::Undelivered { letter, reason });
                }
            }
        }
    }

    /// From now on letters and batches are half as large. What is on its way comes back to be sent again.
    fn halve(&self, line: &mut Line) {
        let limit = (line.limit / 2).max(MIN_LIMIT);
        tracing::warn!(topic = self.topic, bytes = limit, "dead letters are too large for their topic; cutting them");
        match connect(&self.config, limit, &self.returned) {
            Ok(producer) => *line = Line { producer, limit },
            Err(error) => tracing::error!(%error, "cannot create a new producer for dead letters; keeping the old one"),
        }
    }

    /// Queues a letter; the receipt comes through `reply`, for better or worse.
    ///
    /// # Errors
    /// The letter itself, with why it was not taken.
    pub fn send(&self, letter: Box<Letter>, reply: &Sender<Receipt>) -> Result<(), Refused> {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        self.send_on(&mut line, letter, reply)
    }

    fn send_on(&self, line: &mut Line, letter: Box<Letter>, reply: &Sender<Receipt>) -> Result<(), Refused> {
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
            // A limit of the client's own, `message.max.bytes`: it is as good as the topic's.
            Some(code) if is_too_large(code) && line.limit > MIN_LIMIT => {
                let before = line.limit;
                self.halve(line);
                if line.limit < before {
                    return self.send_on(line, letter, reply);
                }
            }
            _ => {}
        }
        // An idempotent producer that lost its place never works again: letters in flight come back, and a new producer
        // takes them.
        if line.producer.client().fatal_error().is_some()
            && let Ok(fresh) = connect(&self.config, line.limit, &self.returned)
        {
            line.producer = fresh;
        }
        Err(Refused::Failed(letter, error.to_string()))
    }
}

/// A producer whose batches have at most `limit` bytes, unless a single letter has more.
fn connect(
    config: &ClientConfig,
    limit: usize,
    returned: &Returned,
) -> Result<BaseProducer<LetterContext>, KafkaError> {
    let mut config = config.clone();
    config.set("batch.size", limit.to_string());
    BaseProducer::from_config_and_context(&config, LetterContext { returned: Arc::clone(returned) })
}

/// The letter as far as `limit` bytes hold it, key included.
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
