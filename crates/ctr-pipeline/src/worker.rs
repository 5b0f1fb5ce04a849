//! A worker: one thread, one consumer, the tasks of its partitions.
//!
//! ```text
//! poll ─> receipts ─> drain each partition's queue into its task ─> fire ─> checkpoint ─> poll ─> …
//! ```
//!
//! The loop never waits for anything but the consumer's own queue, and for that only when there was nothing to do: so it
//! keeps its membership whatever happens to ClickHouse or to the dead letter topic.

mod checkpoints;
mod group;
mod letters;
mod pair;
mod round;
mod status;
mod stop;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, unbounded};
use ctr_domain::rules::Rules;
use ctr_domain::task::Side;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::config::{JobConfig, KafkaConfig};
use crate::shutdown::Shutdown;
use crate::sink::Receipt;
use crate::sink::dead_letter::DeadLetterSink;
use crate::sink::writer::RowSink;
use crate::source::assignment::{AssignmentError, Topics, pairs};
use crate::source::batch::BatchBuffer;
use crate::source::consumer::{BATCH_RECORDS, consumer_config, member_id};
use crate::source::end_offsets::{Answer, EndOffsets};
use crate::status::board::WorkerBoard;
use crate::status::snapshot::WorkerTotals;
use checkpoints::Checkpoints;
use group::{Group, GroupEvent};
use letters::LetterOutbox;
use pair::Pair;

/// How long a worker with nothing to do waits for its consumer: the most by which an idle queue delays a record.
const IDLE_WAIT: Duration = Duration::from_millis(5);

/// How often end offsets are asked again for a window that waits for the proof.
const ASK_INTERVAL: Duration = Duration::from_secs(1);

/// How often the worker shows how it is.
const STATUS_INTERVAL: Duration = Duration::from_millis(250);

/// Rows of one firing at most: the rest follows with the next round, so that reading is not held up.
const ROWS_PER_FIRING: usize = 10_000;

/// Everything a worker shares with the rest of the process: channels, and settings.
#[derive(Clone)]
pub(crate) struct WorkerSetup {
    pub(crate) number: usize,
    pub(crate) kafka: KafkaConfig,
    pub(crate) job: JobConfig,
    pub(crate) rules: Rules,
    pub(crate) topics: Topics,
    /// How often rows are handed to the sink.
    pub(crate) fire_interval: Duration,
    pub(crate) rows: RowSink,
    pub(crate) dead_letters: Arc<DeadLetterSink>,
    pub(crate) end_offsets: EndOffsets,
    pub(crate) board: Arc<WorkerBoard>,
    pub(crate) shutdown: Shutdown,
    /// Whether one worker must leave the group and join it again, so that partitions nobody has are assigned.
    pub(crate) rejoin: Arc<AtomicBool>,
}

/// Why a worker ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WorkerError {
    #[error(transparent)]
    Assignment(#[from] AssignmentError),
    #[error(
        "another process has joined the group as `{0}`: give every process its own `ctr.job.instance-id` \
         (CTR_JOB_INSTANCE_ID)"
    )]
    Fenced(String),
    #[error("{topic}-{partition} cannot be read: {code}: {message}")]
    Partition { topic: String, partition: i32, code: RDKafkaErrorCode, message: String },
    #[error("kafka: {0}")]
    Kafka(#[from] KafkaError),
    #[error("the row sink has stopped")]
    SinkStopped,
}

impl WorkerError {
    /// Whether trying again cannot help: the process must end and say why.
    pub(crate) fn is_fatal(&self) -> bool {
        match self {
            Self::Assignment(error) => error.is_fatal(),
            Self::Fenced(_) => true,
            _ => false,
        }
    }
}

/// One worker at work.
pub(crate) struct Worker {
    setup: WorkerSetup,
    pairs: Vec<Pair>,
    consumer: Arc<BaseConsumer<Group>>,
    buffer: BatchBuffer,
    receipts: (Sender<Receipt>, Receiver<Receipt>),
    answers: (Sender<Answer>, Receiver<Answer>),
    outbox: LetterOutbox,
    checkpoints: Checkpoints,
    anew: BTreeSet<(Side, i32)>,
    epoch: Instant,
    joined: bool,
    /// Whether it was said that a record was counted.
    has_counted: bool,
    /// What it has done, but for the accounts of the tasks it has now.
    totals: WorkerTotals,
    next_fire: Instant,
    next_ask: Instant,
    next_status: Instant,
}

impl Worker {
    /// A worker that has subscribed; its partitions come with the first polls.
    pub(crate) fn join(setup: WorkerSetup) -> Result<Self, WorkerError> {
        let member = member_id(&setup.job.instance_id, setup.number);
        let config = consumer_config(&setup.kafka, &member);
        let consumer = Arc::new(BaseConsumer::from_config_and_context(&config, Group::default())?);
        consumer.subscribe(&setup.topics.names())?;
        let now = Instant::now();
        Ok(Self {
            checkpoints: Checkpoints::new(&setup.job),
            outbox: LetterOutbox::new(Arc::clone(&setup.dead_letters)),
            setup,
            pairs: Vec::new(),
            consumer,
            buffer: BatchBuffer::with_capacity(BATCH_RECORDS),
            receipts: unbounded(),
            answers: unbounded(),
            anew: BTreeSet::new(),
            epoch: now,
            joined: false,
            has_counted: false,
            totals: WorkerTotals::default(),
            next_fire: now,
            next_ask: now,
            next_status: now,
        })
    }

    /// Works until it is asked to stop or something fails.
    pub(crate) fn run(mut self) -> Result<(), WorkerError> {
        let mut busy = false;
        while !self.setup.shutdown.is_requested() {
            self.poll(if busy { Duration::ZERO } else { IDLE_WAIT })?;
            self.take_receipts();
            busy = self.drain()?;
            self.fire()?;
            self.send_letters();
            self.checkpoints.advance(&mut self.pairs, &self.consumer, &self.setup.topics);
            self.ask_for_proofs();
            self.tell_first_count();
            self.show();
        }
        self.stop()
    }

    /// Serves the consumer: rebalances, commit results, errors.
    fn poll(&mut self, wait: Duration) -> Result<(), WorkerError> {
        if let Some(Err(error)) = self.consumer.poll(wait) {
            self.consumer_error(error)?;
        }
        for event in self.consumer.context().take_events() {
            match event {
                GroupEvent::Assigned(list) => {
                    // Others may have had these partitions since, and have committed.
                    self.anew.clear();
                    let partitions = pairs(&list, &self.setup.topics)?;
                    self.take_over(&partitions)?;
                    self.joined = true;
                    if self.setup.rejoin.swap(false, Ordering::Relaxed) {
                        self.rejoin()?;
                    }
                }
                GroupEvent::Revoked => self.retire(),
                GroupEvent::Committed(result) => self.checkpoints.on_result(result, &mut self.pairs),
            }
        }
        Ok(())
    }

    /// Leaves the group and joins it again: only that makes a group of returning static members assign partitions anew.
    fn rejoin(&mut self) -> Result<(), WorkerError> {
        self.joined = false;
        self.retire();
        self.consumer.unsubscribe();
        Ok(self.consumer.subscribe(&self.setup.topics.names())?)
    }

    fn consumer_error(&self, error: KafkaError) -> Result<(), WorkerError> {
        let fatal = self.consumer.client().fatal_error();
        let code = fatal.as_ref().map(|(code, _)| *code).or_else(|| error.rdkafka_error_code());
        match code {
            Some(RDKafkaErrorCode::FencedInstanceId) => {
                Err(WorkerError::Fenced(member_id(&self.setup.job.instance_id, self.setup.number)))
            }
            _ if fatal.is_some() => Err(WorkerError::Kafka(error)),
            // librdkafka goes on by itself: brokers come back, metadata is asked again.
            _ => {
                crate::kafka_log::error(&error, "consumer");
                Ok(())
            }
        }
    }
}
