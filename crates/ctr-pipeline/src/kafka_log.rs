//! librdkafka's log lines and errors, in our log.

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::logging::Repeats;

/// Every client of the process says the same, again and again.
static SAID: Repeats = Repeats::new();

/// Passes a log line on with its level.
pub(crate) fn forward(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical | RDKafkaLogLevel::Error => {
            // Connection trouble is said by `error` below, once for all brokers; the lines per broker are for debugging.
            tracing::debug!(target: "librdkafka", facility, "{message}");
        }
        RDKafkaLogLevel::Warning | RDKafkaLogLevel::Notice => {
            tracing::debug!(target: "librdkafka", facility, "{message}");
        }
        RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => tracing::trace!(target: "librdkafka", facility, "{message}"),
    }
}

/// Says an error of the client. librdkafka goes on trying by itself after all of these.
pub(crate) fn error(error: &KafkaError, reason: &str) {
    let code = error.rdkafka_error_code();
    if code == Some(RDKafkaErrorCode::BrokerTransportFailure) {
        tracing::debug!(reason, "connection to a broker lost");
        return;
    }
    let Some(unsaid) = SAID.next(&error.to_string()) else { return };
    if code == Some(RDKafkaErrorCode::AllBrokersDown) {
        tracing::warn!(reason, unsaid, "no broker can be reached; trying on");
    } else {
        tracing::warn!(%error, reason, unsaid, "kafka client");
    }
}
