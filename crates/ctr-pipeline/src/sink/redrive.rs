//! The producer of redriven records: each batch of copies in one transaction.
//!
//! Why transactions: what was put back is known by the copies in the topics. A process that was killed may have copies on the
//! way that arrive after its successor has looked. Opening the successor's transactions ends those of its predecessor first,
//! so what it sees then is all there will ever be.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ctr_domain::redriven::{DeadLetterId, HEADER};
use rdkafka::ClientContext;
use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};
use rdkafka::config::{ClientConfig, FromClientConfig, FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};

use crate::config::KafkaConfig;
use crate::kafka_log;
use crate::source::consumer::client_config;

/// How long a transaction may stay open. Meanwhile readers of the partition wait, so it is short; sending takes less.
const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the brokers may take to open or end one.
const TIMEOUT: Duration = Duration::from_secs(60);

/// How long the brokers may take to say what a topic takes.
const ADMIN_TIMEOUT: Duration = Duration::from_secs(10);

/// The largest record that this client hands to a broker: librdkafka's own largest value.
const MAX_RECORD_BYTES: &str = "1000000000";

/// Why copies were not written. None of the batch was.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RedriveError {
    /// Another process has opened transactions of the same name.
    #[error("another `dlq redrive` has begun on the same topics, which ends this one; what it put back is remembered")]
    Fenced,
    /// One of them is larger than its topic takes.
    #[error("a record is larger than its topic takes")]
    TooLarge,
    /// Anything else.
    #[error("records could not be put back: {0}; run it again, what was put back is remembered")]
    Kafka(KafkaError),
}

impl From<KafkaError> for RedriveError {
    fn from(error: KafkaError) -> Self {
        match error.rdkafka_error_code() {
            Some(
                RDKafkaErrorCode::Fenced | RDKafkaErrorCode::ProducerFenced | RDKafkaErrorCode::InvalidProducerEpoch,
            ) => Self::Fenced,
            Some(RDKafkaErrorCode::MessageSizeTooLarge | RDKafkaErrorCode::MessageBatchTooLarge) => Self::TooLarge,
            _ => Self::Kafka(error),
        }
    }
}

/// A record to put back.
#[derive(Debug)]
pub(crate) struct Redriven {
    /// The letter it comes from: where it goes, and what its header says.
    pub(crate) id: DeadLetterId,
    /// The original's key.
    pub(crate) key: Option<Vec<u8>>,
    /// The value, mended or as it was.
    pub(crate) payload: Vec<u8>,
    /// The original's headers; the one that names the letter comes besides.
    pub(crate) headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Redriven {
    /// The bytes of key, value and headers.
    pub(crate) fn bytes(&self) -> usize {
        let header = |(name, value): &(String, Option<Vec<u8>>)| name.len() + value.as_ref().map_or(0, Vec::len);
        self.payload.len() + self.key.as_ref().map_or(0, Vec::len) + self.headers.iter().map(header).sum::<usize>()
    }
}

/// Notes whether anything of the current transaction was refused for its size: the error of the transaction does not say so.
#[derive(Default)]
struct RedriveContext {
    too_large: AtomicBool,
}

impl ClientContext for RedriveContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        kafka_log::forward(level, facility, message);
    }
}

impl ProducerContext for RedriveContext {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result
            && matches!(RedriveError::from(error.clone()), RedriveError::TooLarge)
        {
            self.too_large.store(true, Ordering::Relaxed);
        }
    }
}

/// A producer whose transactions may begin. It ends what an earlier one of the same name has left open.
fn connect(config: &ClientConfig) -> Result<ThreadedProducer<RedriveContext>, KafkaError> {
    let producer: ThreadedProducer<RedriveContext> =
        ThreadedProducer::from_config_and_context(config, RedriveContext::default())?;
    producer.init_transactions(TIMEOUT)?;
    Ok(producer)
}

/// Puts records back. One at a time for a dead letter topic: a second one fences the first.
pub(crate) struct Redriver {
    producer: ThreadedProducer<RedriveContext>,
    config: ClientConfig,
}

impl Redriver {
    /// Ends what an earlier process has left open. After this, what the topics show is what was put back.
    ///
    /// # Errors
    /// Where the brokers refuse, or do not answer.
    pub(crate) fn begin(kafka: &KafkaConfig) -> Result<Self, RedriveError> {
        let mut config = client_config(kafka);
        config
            .set("transactional.id", format!("{}-redrive-{}", env!("CARGO_PKG_NAME"), kafka.dlq_topic))
            .set("transaction.timeout.ms", TRANSACTION_TIMEOUT.as_millis().to_string())
            .set("message.timeout.ms", TRANSACTION_TIMEOUT.as_millis().to_string())
            .set("compression.type", "lz4")
            // One request at a time: a request behind one that is refused fails for the gap in the sequence numbers, and it is
            // that failure that the transaction would name.
            .set("max.in.flight.requests.per.connection", "1")
            // What was in a topic fits there again: the topic's limit decides, not the client's own.
            .set("message.max.bytes", MAX_RECORD_BYTES);
        Ok(Self { producer: connect(&config)?, config })
    }

    /// The largest record that a topic takes, by its configuration, if that may be seen.
    pub(crate) fn largest(&self, topic: &str) -> Option<u64> {
        let mut config = self.config.clone();
        config.remove("transactional.id");
        let admin = AdminClient::from_config(&config).ok()?;
        let options = AdminOptions::new().request_timeout(Some(ADMIN_TIMEOUT));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
        let answers = runtime.block_on(admin.describe_configs(&[ResourceSpecifier::Topic(topic)], &options)).ok()?;
        let settings = answers.into_iter().next()?.ok()?;
        settings.get("max.message.bytes")?.value.as_ref()?.parse().ok()
    }

    /// Writes all of a batch, or none.
    ///
    /// # Errors
    /// Where it is none.
    pub(crate) fn write<'r>(&mut self, batch: impl Iterator<Item = &'r Redriven>) -> Result<(), RedriveError> {
        let too_large = &self.producer.context().too_large;
        too_large.store(false, Ordering::Relaxed);
        self.producer.begin_transaction()?;
        let written = self.send(batch).and_then(|()| self.producer.commit_transaction(TIMEOUT));
        let Err(error) = written else { return Ok(()) };
        // The brokers do the same when its time is over; where that fails, the next transaction cannot begin and says so.
        let _ = self.producer.abort_transaction(TIMEOUT);
        // Until every delivery is reported, nobody knows whether a size was the reason.
        let _ = self.producer.flush(TIMEOUT);
        match RedriveError::from(error) {
            RedriveError::TooLarge => {}
            RedriveError::Kafka(_) if too_large.load(Ordering::Relaxed) => {}
            error => return Err(error),
        }
        // The refused record has left a gap in the sequence numbers, which the next transaction of this producer would fail for.
        self.producer = connect(&self.config)?;
        Err(RedriveError::TooLarge)
    }

    fn send<'r>(&self, batch: impl Iterator<Item = &'r Redriven>) -> Result<(), KafkaError> {
        for Redriven { id, key, payload, headers: original } in batch {
            let name = id.to_string();
            let mut headers = OwnedHeaders::new();
            for (key, value) in original {
                headers = headers.insert(Header { key, value: value.as_deref() });
            }
            let headers = headers.insert(Header { key: HEADER, value: Some(&name) });
            let mut record = BaseRecord::to(&id.topic).partition(id.partition).payload(payload).headers(headers);
            if let Some(key) = key {
                record = record.key(key);
            }
            self.producer.send(record).map_err(|(error, _)| error)?;
        }
        Ok(())
    }
}
