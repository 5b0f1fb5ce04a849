//! Converts errors of a partition's queue to the shell's.

use ctr_domain::shell::PartitionError;
use rdkafka::error::RDKafkaErrorCode as Code;

/// The meaning of an error for its partition.
pub(crate) fn of(code: Code, message: &str) -> PartitionError {
    let words = format!("{code}: {message}");
    match code {
        // `auto.offset.reset=error` turns a missing offset into a separate error.
        Code::AutoOffsetReset | Code::OffsetOutOfRange => PartitionError::OutOfRange(words),
        Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition => PartitionError::Gone(words),
        Code::BadCompression | Code::BadMessage | Code::InvalidMessage | Code::MessageSizeTooLarge => {
            PartitionError::Unreadable(words)
        }
        _ => PartitionError::Other(words),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_log_is_no_failure_and_an_unknown_error_is_one() {
        assert!(matches!(of(Code::AutoOffsetReset, "words"), PartitionError::OutOfRange(_)));
        assert!(matches!(of(Code::UnknownTopicOrPartition, "words"), PartitionError::Gone(_)));
        assert!(matches!(of(Code::BadCompression, "words"), PartitionError::Unreadable(_)));
        assert!(matches!(of(Code::TopicAuthorizationFailed, "words"), PartitionError::Other(_)));
    }
}
