//! The header of redriven records.

use std::ffi::CStr;

use ctr_domain::redriven::DeadLetterId;

use super::batch::Record;

/// [`ctr_domain::redriven::HEADER`], in librdkafka's format.
const HEADER: &CStr = c"ctr-redriven";

/// The dead letter that a record of a partition was redriven from, if it was.
pub(crate) fn origin_of(record: &Record<'_>, topic: &str, partition: i32) -> Option<DeadLetterId> {
    DeadLetterId::of_origin(record.header(HEADER)?, topic, partition, record.mark.offset)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_header_has_one_name() {
        assert_eq!(super::HEADER.to_str(), Ok(ctr_domain::redriven::HEADER));
    }
}
