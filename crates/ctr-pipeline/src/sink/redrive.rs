//! The producer of redriven records: each batch of copies is one transaction.
//!
//! Why transactions: the copies in the topics record what was redriven. A killed process may have copies in flight that arrive
//! after its successor has searched for them. Initializing the successor's transactions fences the predecessor first, so the
//! successor sees all copies that there will ever be.

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

/// Transaction timeout. Readers of the partition wait while a transaction is open, so it is short; sending takes less.
const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(10);

/// Timeout for initializing, committing or aborting a transaction.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Timeout for reading a topic's configuration.
const ADMIN_TIMEOUT: Duration = Duration::from_secs(10);

/// The client's own limit for records: librdkafka's maximum.
const MAX_RECORD_BYTES: &str = "1000000000";

/// Why a batch of copies was not written; none of it was.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RedriveError {
    /// Another process uses the same transactional id.
    #[error(
        "another `dlq redrive` has started on the same topics, so this one ends; records that it redrove are not redriven again"
    )]
    Fenced,
    /// One record exceeds its topic's limit.
    #[error("a record exceeds its topic's max.message.bytes")]
    TooLarge,
    /// Any other error.
    #[error("could not redrive records: {0}; run the command again, records that were redriven are not redriven again")]
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

/// A record to redrive.
#[derive(Debug)]
pub(crate) struct Redriven {
    /// Its dead letter, which determines the topic and partition, and the header of the copy.
    pub(crate) id: DeadLetterId,
    /// The original's key.
    pub(crate) key: Option<Vec<u8>>,
    /// The value, corrected or original.
    pub(crate) payload: Vec<u8>,
    /// The original's headers, without the one that names the dead letter.
    pub(crate) headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Redriven {
    /// The bytes of key, value and headers.
    pub(crate) fn bytes(&self) -> usize {
        let header = |(name, value): &(String, Option<Vec<u8>>)| name.len() + value.as_ref().map_or(0, Vec::len);
        self.payload.len() + self.key.as_ref().map_or(0, Vec::len) + self.headers.iter().map(header).sum::<usize>()
    }
}

/// Records whether a record of the current transaction was refused for its size: the transaction's error does not say so.
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

/// A producer that is ready for transactions. It fences earlier producers with the same transactional id.
fn connect(config: &ClientConfig) -> Result<ThreadedProducer<RedriveContext>, KafkaError> {
    let producer: ThreadedProducer<RedriveContext> =
        ThreadedProducer::from_config_and_context(config, RedriveContext::default())?;
    producer.init_transactions(TIMEOUT)?;
    Ok(producer)
}

/// Redrives records. There can be only one per dead letter topic: a second one fences the first.
pub(crate) struct Redriver {
    producer: ThreadedProducer<RedriveContext>,
    config: ClientConfig,
}

impl Redriver {
    /// Fences earlier processes. After this, the topics contain every copy that was or will be redriven by them.
    ///
    /// # Errors
    /// If the brokers refuse or do not respond.
    pub(crate) fn begin(kafka: &KafkaConfig) -> Result<Self, RedriveError> {
        let mut config = client_config(kafka);
        config
            .set("transactional.id", format!("{}-redrive-{}", env!("CARGO_PKG_NAME"), kafka.dlq_topic))
            .set("transaction.timeout.ms", TRANSACTION_TIMEOUT.as_millis().to_string())
            .set("message.timeout.ms", TRANSACTION_TIMEOUT.as_millis().to_string())
            .set("compression.type", "lz4")
            // One request at a time: a request that follows a refused one fails because of the gap in the sequence numbers, and
            // the transaction would report that failure instead.
            .set("max.in.flight.requests.per.connection", "1")
            // A record from a topic fits into it again: the topic's limit applies, not the client's.
            .set("message.max.bytes", MAX_RECORD_BYTES);
        Ok(Self { producer: connect(&config)?, config })
    }

    /// A topic's max.message.bytes, if the user may read its configuration.
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

    /// Writes a whole batch, or nothing.
    ///
    /// # Errors
    /// If nothing was written.
    pub(crate) fn write<'r>(&mut self, batch: impl Iterator<Item = &'r Redriven>) -> Result<(), RedriveError> {
        let too_large = &self.producer.context().too_large;
        too_large.store(false, Ordering::Relaxed);
        self.producer.begin_transaction()?;
        let written = self.send(batch).and_then(|()| self.producer.commit_transaction(TIMEOUT));
        let Err(error) = written else { return Ok(()) };
        // After the transaction timeout the brokers abort it too; if that fails, the next transaction fails to begin.
        let _ = self.producer.abort_transaction(TIMEOUT);
        // Whether the size was the reason is known only after all delivery reports.
        let _ = self.producer.flush(TIMEOUT);
        match RedriveError::from(error) {
            RedriveError::TooLarge => {}
            RedriveError::Kafka(_) if too_large.load(Ordering::Relaxed) => {}
            error => return Err(error),
        }
        // The refused record left a gap in the sequence numbers, because of which this producer's next transaction would fail.
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
