//! The producer of redriven records: each batch of copies in one transaction.
//!
//! Why transactions: what was put back is known by the copies in the topics. A process that was killed may have copies on the
//! way that arrive after its successor has looked. Opening the successor's transactions ends those of its predecessor first,
//! so what it sees then is all there will ever be.

use std::time::Duration;

use ctr_domain::redriven::{DeadLetterId, HEADER};
use rdkafka::config::FromClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};

use crate::config::KafkaConfig;
use crate::source::consumer::client_config;

/// How long a transaction may stay open. Meanwhile readers of the partition wait, so it is short; sending takes less.
const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the brokers may take to open or end one.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Why copies were not written. None of the batch was.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RedriveError {
    /// Another process has opened transactions of the same name.
    #[error("another `dlq redrive` has begun on the same topics, which ends this one; what it put back is remembered")]
    Fenced,
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
}

/// Puts records back. One at a time for a dead letter topic: a second one fences the first.
pub(crate) struct Redriver(ThreadedProducer<DefaultProducerContext>);

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
            .set("compression.type", "lz4");
        let producer = ThreadedProducer::from_config(&config)?;
        producer.init_transactions(TIMEOUT)?;
        Ok(Self(producer))
    }

    /// Writes all of a batch, or none.
    ///
    /// # Errors
    /// Where it is none.
    pub(crate) fn write(&self, batch: &[Redriven]) -> Result<(), RedriveError> {
        self.0.begin_transaction()?;
        let written = self.send(batch).and_then(|()| self.0.commit_transaction(TIMEOUT));
        if written.is_err() {
            // The brokers do the same when its time is over.
            let _ = self.0.abort_transaction(TIMEOUT);
        }
        Ok(written?)
    }

    fn send(&self, batch: &[Redriven]) -> Result<(), KafkaError> {
        for Redriven { id, key, payload } in batch {
            let name = id.to_string();
            let headers = OwnedHeaders::new().insert(Header { key: HEADER, value: Some(&name) });
            let mut record = BaseRecord::to(&id.topic).partition(id.partition).payload(payload).headers(headers);
            if let Some(key) = key {
                record = record.key(key);
            }
            self.0.send(record).map_err(|(error, _)| error)?;
        }
        Ok(())
    }
}
