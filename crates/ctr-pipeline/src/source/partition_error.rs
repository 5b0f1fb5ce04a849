//! Errors of a partition's queue, in the shell's words.

use ctr_domain::shell::PartitionError;
use rdkafka::error::RDKafkaErrorCode as Code;

/// What an error means for the partition it came from.
pub(crate) fn of(code: Code, message: &str) -> PartitionError {
    let words = format!("{code}: {message}");
    match code {
        // `auto.offset.reset=error` makes of an offset that is not there an error of its own.
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
