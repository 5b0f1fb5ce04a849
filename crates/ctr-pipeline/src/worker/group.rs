//! librdkafka's callbacks, on the worker's own thread, while it polls.
//!
//! The callbacks only record what happened; the worker acts on it when the poll returns. The one thing that cannot wait
//! is the revocation itself: a partition is released immediately.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use rdkafka::TopicPartitionList;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaRespErr;

use crate::crash_point::crash_point;
use crate::kafka_log;

/// A change in the group.
#[derive(Debug)]
pub(super) enum GroupEvent {
    /// These partitions are assigned from now on. None of them is read yet: the worker determines where each starts,
    /// and assigns then.
    Assigned(TopicPartitionList),
    /// No partition is assigned any more.
    Revoked,
}

/// Collects the group's events for the worker.
#[derive(Debug, Default)]
pub(super) struct Group {
    // Only the worker's thread uses it; a mutex because the trait requires `Sync`.
    events: Mutex<Vec<GroupEvent>>,
    closing: AtomicBool,
}

impl Group {
    /// The events since the last call, in order.
    pub(super) fn take_events(&self) -> Vec<GroupEvent> {
        std::mem::take(&mut *self.events.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on no partitions are taken over: the consumer is being closed.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    fn note(&self, event: GroupEvent) {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }
}

impl ClientContext for Group {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        kafka_log::forward(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        kafka_log::error(&error, reason);
    }
}

impl ConsumerContext for Group {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, what: RDKafkaRespErr, list: &mut TopicPartitionList) {
        crash_point!("in-rebalance");
        let is_assignment = what == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        if is_assignment && !self.closing.load(Ordering::Relaxed) {
            self.note(GroupEvent::Assigned(list.clone()));
            // The group is answered immediately, so that it can continue; the actual assignment follows later.
            if let Err(error) = consumer.assign(&TopicPartitionList::new()) {
                tracing::error!(%error, "the group's assignment could not be taken");
            }
            return;
        }
        self.note(GroupEvent::Revoked);
        if let Err(error) = consumer.unassign() {
            tracing::error!(%error, "partitions could not be given up");
        }
    }
}
