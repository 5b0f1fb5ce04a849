//! Delivery reports of sent records: acknowledged or failed, and their offsets.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::Message;
use rdkafka::error::KafkaError;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::ProducerContext;
use rdkafka::types::RDKafkaErrorCode;

use crate::console::Console;
use crate::record::{Fact, Stream};
use crate::truth::{Position, Truth, TruthError};

/// Minimum interval between equal error messages.
const REPEAT_AFTER: Duration = Duration::from_secs(10);

/// Counts acknowledgements and, if wanted, records the truth about them. librdkafka's client calls it from the sending thread;
/// the client's interface requires the atomics and locks, which are never contended.
pub(crate) struct Deliveries {
    console: Arc<Console>,
    bootstrap_servers: String,
    acknowledged: AtomicU64,
    failed: AtomicU64,
    tracking: Option<Mutex<Tracking>>,
    trouble: [Mutex<Option<Instant>>; 3],
}

/// A kind of error that is reported at most once per [`REPEAT_AFTER`].
#[derive(Debug, Clone, Copy)]
enum Trouble {
    Connection,
    AllBrokers,
    Delivery,
}

/// Records in flight, and the truth about the acknowledged ones.
struct Tracking {
    /// By ticket: each record passes through librdkafka with its index in this list.
    on_their_way: Vec<(Stream, Fact)>,
    free_tickets: Vec<usize>,
    /// `None` after it has been taken.
    truth: Option<Result<Truth, TruthError>>,
}

impl Deliveries {
    /// With a truth, the offset of each record is tracked; without, a delivery costs two additions.
    pub(crate) fn new(console: Arc<Console>, bootstrap_servers: String, truth: Option<Truth>) -> Self {
        let tracking =
            truth.map(|truth| Tracking { on_their_way: Vec::new(), free_tickets: Vec::new(), truth: Some(Ok(truth)) });
        Self {
            console,
            bootstrap_servers,
            acknowledged: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            tracking: tracking.map(Mutex::new),
            trouble: Default::default(),
        }
    }

    /// Records that are durable in the log.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// Records that failed; most are not in the log.
    pub(crate) fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Acknowledged or failed.
    pub(crate) fn settled(&self) -> u64 {
        self.acknowledged() + self.failed()
    }

    /// A ticket for a record that is about to be sent; always 0 without a truth.
    pub(crate) fn ticket(&self, stream: Stream, fact: Fact) -> usize {
        let Some(mut tracking) = self.tracking() else { return 0 };
        if let Some(ticket) = tracking.free_tickets.pop() {
            tracking.on_their_way[ticket] = (stream, fact);
            return ticket;
        }
        tracking.on_their_way.push((stream, fact));
        tracking.on_their_way.len() - 1
    }

    /// Takes back the ticket of a record that was not sent.
    pub(crate) fn take_back(&self, ticket: usize) {
        if let Some(mut tracking) = self.tracking() {
            tracking.free_tickets.push(ticket);
        }
    }

    /// Takes the truth about all acknowledged records; `None` if it was not wanted.
    pub(crate) fn take_truth(&self) -> Option<Result<Truth, TruthError>> {
        self.tracking()?.truth.take()
    }

    /// Reports that no broker responds, with the client's reason.
    pub(crate) fn no_answer(&self, reason: &str) {
        let servers = &self.bootstrap_servers;
        self.tell(Trouble::AllBrokers, || {
            format!(
                "error: no broker of {servers} responds: {reason}. Retrying; is Kafka running (./scripts/status.sh), \
                 and is --bootstrap-servers correct?"
            )
        });
    }

    fn tracking(&self) -> Option<MutexGuard<'_, Tracking>> {
        Some(locked(self.tracking.as_ref()?))
    }

    fn tell(&self, trouble: Trouble, line: impl FnOnce() -> String) {
        let mut told = locked(&self.trouble[trouble as usize]);
        if told.is_none_or(|told| told.elapsed() >= REPEAT_AFTER) {
            *told = Some(Instant::now());
            self.console.say(&line());
        }
    }
}

/// Locks, even after a panic: the counts are always consistent.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Tracking {
    fn acknowledge(&mut self, ticket: usize, partition: i32, offset: i64, timestamp: Option<i64>) {
        let (stream, fact) = self.on_their_way[ticket];
        self.free_tickets.push(ticket);
        if let Some(Ok(truth)) = &mut self.truth
            && let Err(error) = truth.record(Position { stream, partition, offset, timestamp }, fact)
        {
            self.truth = Some(Err(error));
        }
    }
}

impl ClientContext for Deliveries {
    /// Discards librdkafka's log: problems are also reported as errors.
    fn log(&self, _: rdkafka::config::RDKafkaLogLevel, _: &str, _: &str) {}

    fn error(&self, error: KafkaError, reason: &str) {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AllBrokersDown) => self.no_answer(reason),
            _ => self.tell(Trouble::Connection, || {
                format!("error: {reason} (brokers: {}). Retrying", self.bootstrap_servers)
            }),
        }
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, ticket: usize) {
        match result {
            Ok(message) => {
                self.acknowledged.fetch_add(1, Ordering::Relaxed);
                if let Some(mut tracking) = self.tracking() {
                    // With LogAppendTime this is the broker's time, which consumers see.
                    let timestamp = message.timestamp().to_millis();
                    tracking.acknowledge(ticket, message.partition(), message.offset(), timestamp);
                }
            }
            Err((error, message)) => {
                self.failed.fetch_add(1, Ordering::Relaxed);
                self.take_back(ticket);
                self.tell(Trouble::Delivery, || {
                    let reason = error.rdkafka_error_code().map_or_else(|| error.to_string(), |code| code.to_string());
                    format!("error: a record for topic {} was not delivered: {reason}", message.topic())
                });
            }
        }
    }
}
