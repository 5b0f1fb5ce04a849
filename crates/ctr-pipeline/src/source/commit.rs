//! Asynchronous commits whose answer comes back, each to its own commit.
//!
//! librdkafka answers an asynchronous `rd_kafka_commit` only to a commit callback, and the crate's consumer, which works with
//! events, sets none: the answer is lost (librdkafka 2.12, `rd_kafka_cgrp_propagate_commit_result`). Given a queue for it, the
//! answer comes as an event. Each commit has a queue of its own, so a late answer is never taken for that of a later commit.
#![allow(unsafe_code, reason = "the crate has no commit with a queue; every call below says why it is sound")]

use std::any::Any;
use std::ptr;
use std::sync::Arc;

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka_sys as sys;

/// A commit that was begun. Dropping it gives up on its answer.
#[derive(Debug)]
pub(crate) struct PendingCommit {
    queue: ptr::NonNull<sys::rd_kafka_queue_t>,
    /// The consumer. Dropped after the queue is given back, so that its client is never gone before.
    _consumer: Arc<dyn Any + Send + Sync>,
}

impl PendingCommit {
    /// Begins a commit.
    ///
    /// # Errors
    /// Where the commit could not even be begun.
    pub(crate) fn begin<C>(consumer: &Arc<BaseConsumer<C>>, offsets: &TopicPartitionList) -> KafkaResult<Self>
    where
        C: ConsumerContext + 'static,
    {
        let client = consumer.client().native_ptr();
        // SAFETY: the native client is valid for as long as `consumer` is borrowed.
        let queue = unsafe { sys::rd_kafka_queue_new(client) };
        let Some(queue) = ptr::NonNull::new(queue) else {
            return Err(KafkaError::ConsumerCommit(sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__FAIL.into()));
        };
        let pending = Self { queue, _consumer: Arc::<BaseConsumer<C>>::clone(consumer) };
        // SAFETY: client and queue are valid, the list is copied by the call, and without a callback nothing is called back.
        let code =
            unsafe { sys::rd_kafka_commit_queue(client, offsets.ptr(), pending.queue.as_ptr(), None, ptr::null_mut()) };
        match code {
            sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(pending),
            code => Err(KafkaError::ConsumerCommit(code.into())),
        }
    }

    /// The broker's answer, if it has come. Never waits.
    pub(crate) fn answer(&self) -> Option<KafkaResult<()>> {
        // SAFETY: the queue is valid while `self` is; the event, if there is one, is ours and destroyed below.
        let event = unsafe { sys::rd_kafka_queue_poll(self.queue.as_ptr(), 0) };
        let event = ptr::NonNull::new(event)?;
        // SAFETY: the event was just given; its error is read before it is destroyed, once.
        let code = unsafe {
            let code = sys::rd_kafka_event_error(event.as_ptr());
            sys::rd_kafka_event_destroy(event.as_ptr());
            code
        };
        Some(match code {
            sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(()),
            code => Err(KafkaError::ConsumerCommit(code.into())),
        })
    }
}

impl Drop for PendingCommit {
    fn drop(&mut self) {
        // SAFETY: the reference that `begin` was given is given back, once; a commit that is still on its way keeps its own.
        unsafe { sys::rd_kafka_queue_destroy(self.queue.as_ptr()) };
    }
}
