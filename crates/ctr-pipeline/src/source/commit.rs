//! Asynchronous commits whose answer comes back.
//!
//! librdkafka answers an asynchronous `rd_kafka_commit` only to a commit callback, and the crate's consumer, which works with
//! events, sets none: the answer is lost (librdkafka 2.12, `rd_kafka_cgrp_propagate_commit_result`). Given a queue for it, the
//! answer comes as an event; given the consumer's own queue, it reaches `ConsumerContext::commit_callback` with the next poll.
#![allow(unsafe_code, reason = "the crate has no commit with a queue; every call below says why it is sound")]

use std::ptr;

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka_sys as sys;

/// Begins a commit. Its result is given to the context's `commit_callback` by a later poll of the consumer.
///
/// # Errors
/// Where the commit could not even be begun.
pub(crate) fn commit_async<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    offsets: &TopicPartitionList,
) -> KafkaResult<()> {
    let client = consumer.client().native_ptr();
    // SAFETY: the native client is valid for as long as `consumer` is borrowed; the queue is given back below.
    let Some(queue) = ptr::NonNull::new(unsafe { sys::rd_kafka_queue_get_consumer(client) }) else {
        return Err(KafkaError::ConsumerCommit(sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__UNKNOWN_GROUP.into()));
    };
    // SAFETY: client and queue are valid, the list is copied by the call, and without a callback nothing is called back.
    let code = unsafe { sys::rd_kafka_commit_queue(client, offsets.ptr(), queue.as_ptr(), None, ptr::null_mut()) };
    // SAFETY: the reference taken above, given back once; the commit keeps its own.
    unsafe { sys::rd_kafka_queue_destroy(queue.as_ptr()) };
    match code {
        sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(()),
        code => Err(KafkaError::ConsumerCommit(code.into())),
    }
}
