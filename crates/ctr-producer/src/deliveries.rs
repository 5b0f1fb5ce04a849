//! What Kafka says about the records sent: acknowledged or failed, and where in the log.

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

/// The same trouble is told again only after this long.
const REPEAT_AFTER: Duration = Duration::from_secs(10);

/// Counts acknowledgements and, where wanted, tells the truth about them. Called by librdkafka's client from the thread
/// that sends; the atomics and locks are for the client's interface, nobody waits for them.
pub(crate) struct Deliveries {
    console: Arc<Console>,
    bootstrap_servers: String,
    acknowledged: AtomicU64,
    failed: AtomicU64,
    tracking: Option<Mutex<Tracking>>,
    trouble: [Mutex<Option<Instant>>; 3],
}

/// A kind of trouble that is told at most every [`REPEAT_AFTER`].
#[derive(Debug, Clone, Copy)]
enum Trouble {
    Connection,
    AllBrokers,
    Delivery,
}

/// Records on their way, and the truth about those that arrived.
struct Tracking {
    /// By ticket: a record goes through librdkafka with the number of its place here.
    on_their_way: Vec<(Stream, Fact)>,
    free_tickets: Vec<usize>,
    /// None when it has been taken.
    truth: Option<Result<Truth, TruthError>>,
}

impl Deliveries {
    /// With a truth, each record's place in the log is followed; without, a delivery costs two additions.
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

    /// Records that are in the log for good.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// Records that were given up; most are not in the log.
    pub(crate) fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Acknowledged or failed.
    pub(crate) fn settled(&self) -> u64 {
        self.acknowledged() + self.failed()
    }

    /// A ticket for a record that is about to be sent; always 0 where no truth is wanted.
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

    /// The truth about all acknowledged records, once; none where it was not wanted.
    pub(crate) fn take_truth(&self) -> Option<Result<Truth, TruthError>> {
        self.tracking()?.truth.take()
    }

    /// Says that no broker answers, and what the client says about it.
    pub(crate) fn no_answer(&self, reason: &str) {
        let servers = &self.bootstrap_servers;
        self.tell(Trouble::AllBrokers, || {
            format!(
                "error: no broker of {servers} answers: {reason}. Trying on; is Kafka running (./scripts/status.sh), \
                 and are --bootstrap-servers right?"
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

/// What is behind a lock, also after a panic: the counts are never half changed.
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
    /// What goes wrong comes as an error, too; the rest is for the developers of librdkafka.
    fn log(&self, _: rdkafka::config::RDKafkaLogLevel, _: &str, _: &str) {}

    fn error(&self, error: KafkaError, reason: &str) {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AllBrokersDown) => self.no_answer(reason),
            _ => self.tell(Trouble::Connection, || {
                format!("error: {reason} (brokers: {}). Trying on", self.bootstrap_servers)
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
                    // With LogAppendTime this is the broker's time, the one that readers see.
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
