//! librdkafka's log lines and errors, in our log.

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::logging::Repeats;

/// Rate limit: every client of the process reports the same errors repeatedly.
static SAID: Repeats = Repeats::new();

/// Forwards a log line with its level.
pub(crate) fn forward(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical | RDKafkaLogLevel::Error => {
            // `error` below reports connection problems once for all brokers; the lines per broker are for debugging.
            tracing::debug!(target: "librdkafka", facility, "{message}");
        }
        RDKafkaLogLevel::Warning | RDKafkaLogLevel::Notice => {
            tracing::debug!(target: "librdkafka", facility, "{message}");
        }
        RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => tracing::trace!(target: "librdkafka", facility, "{message}"),
    }
}

/// Logs an error of the client. librdkafka keeps retrying after all of these.
pub(crate) fn error(error: &KafkaError, reason: &str) {
    let code = error.rdkafka_error_code();
    if code == Some(RDKafkaErrorCode::BrokerTransportFailure) {
        tracing::debug!(reason, "connection to a broker lost");
        return;
    }
    let Some(unsaid) = SAID.next(&error.to_string()) else { return };
    if code == Some(RDKafkaErrorCode::AllBrokersDown) {
        tracing::warn!(reason, unsaid, "no broker is reachable; retrying");
    } else {
        tracing::warn!(%error, reason, unsaid, "Kafka client error");
    }
}
