//! Asynchronous commits whose result is returned, each to its own commit.
//!
//! librdkafka reports the result of an asynchronous `rd_kafka_commit` only to a commit callback, and the crate's
//! consumer, which uses events, sets none: the result is lost (librdkafka 2.12,
//! `rd_kafka_cgrp_propagate_commit_result`). With a queue, the result arrives as an event. Each commit has its own
//! queue, so a late result is never attributed to a later commit.
#![allow(unsafe_code, reason = "the crate has no commit with a queue; every call below says why it is sound")]

use std::any::Any;
use std::ptr;
use std::sync::Arc;

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka_sys as sys;

/// A commit in flight. Dropping it abandons its result.
#[derive(Debug)]
pub(crate) struct PendingCommit {
    queue: ptr::NonNull<sys::rd_kafka_queue_t>,
    /// The consumer. Dropped after the queue is released, so that its client always outlives the queue.
    _consumer: Arc<dyn Any + Send + Sync>,
}

impl PendingCommit {
    /// Starts a commit.
    ///
    /// # Errors
    ///
    /// If the commit could not be started.
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

    /// The broker's response, if it has arrived. Never waits.
    pub(crate) fn answer(&self) -> Option<KafkaResult<()>> {
        // SAFETY: the queue is valid while `self` is; the event, if there is one, is ours and destroyed below.
        let event = unsafe { sys::rd_kafka_queue_poll(self.queue.as_ptr(), 0) };
        let event = ptr::NonNull::new(event)?;
        // SAFETY: the event was just obtained; its error is read before it is destroyed, once.
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
        // SAFETY: the reference obtained by `begin` is released, once; a commit still in flight keeps its own.
        unsafe { sys::rd_kafka_queue_destroy(self.queue.as_ptr()) };
    }
}
