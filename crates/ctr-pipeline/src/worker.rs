//! A worker: one thread, one consumer, and the shell that makes its decisions.
//!
//! ```text
//! poll ─> results ─> drain each partition's queue ─> fire ─> dead letters ─> time ─> poll ─> …
//! ```
//!
//! No decisions are made here: every step translates between librdkafka, the sinks and [`Shell`], which
//! the histories of `ctr-simulation` drive too. The loop waits only for the consumer's own queue, and only when idle: so it
//! keeps its membership whatever happens to brokers, ClickHouse or the dead letters.

mod commands;
mod group;
mod notices;
mod read;
mod sinks;
mod status;
mod stop;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, unbounded};
use ctr_domain::rules::Rules;
use ctr_domain::shell::{CommitId, EndOffsetAnswer, Fault, Shell, ShellSettings, WaitReason};
use ctr_domain::side::{BySide, Side};
use rdkafka::Message as _;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::config::{JobConfig, KafkaConfig};
use crate::histogram::Histogram;
use crate::shutdown::Shutdown;
use crate::sink::Receipt;
use crate::sink::dead_letter::{DeadLetterSink, Letter};
use crate::sink::writer::RowSink;
use crate::source::assignment::Topics;
use crate::source::batch::{BatchBuffer, PartitionQueue};
use crate::source::cluster::ClusterBoard;
use crate::source::commit::PendingCommit;
use crate::source::consumer::{BATCH_RECORDS, consumer_config, member_id};
use crate::source::end_offsets::EndOffsets;
use crate::source::facts::{FactsAnswer, FactsSource};
use crate::status::board::WorkerBoard;
use crate::status::snapshot::{PastCheckpoint, RecentLetter};
use group::{Group, GroupEvent};

/// How long an idle worker waits for its consumer: the maximum delay of a record in an idle queue.
const IDLE_WAIT: Duration = Duration::from_millis(5);

/// How often the worker publishes its status, and reads the end offsets.
const STATUS_INTERVAL: Duration = Duration::from_millis(250);

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
    pub(crate) facts: FactsSource,
    pub(crate) end_offsets: EndOffsets,
    pub(crate) board: Arc<WorkerBoard>,
    pub(crate) cluster: Arc<ClusterBoard>,
    pub(crate) shutdown: Shutdown,
    /// Whether one worker must leave the group and rejoin it, so that partitions without an owner are assigned.
    pub(crate) rejoin: Arc<AtomicBool>,
}

/// Why a worker ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WorkerError {
    #[error("{topic}-{partition} cannot be read on: {fault}")]
    Fault { topic: String, partition: i32, fault: Fault },
    #[error(
        "another process has joined the group as `{0}`: give every process its own `ctr.job.instance-id` \
         (CTR_JOB_INSTANCE_ID)"
    )]
    Fenced(String),
    #[error(
        "a record of {topic}-{partition} (offset {offset}) bypassed its partition's queue: continuing would lose it"
    )]
    Stray { topic: String, partition: i32, offset: i64 },
    #[error("partitions could not be assigned: {0}")]
    Assign(KafkaError),
    #[error("kafka: {0}")]
    Kafka(#[from] KafkaError),
    #[error("the row sink has stopped")]
    SinkStopped,
    #[error("could not start a thread for a broker request: {0}")]
    Thread(std::io::Error),
}

impl WorkerError {
    /// Whether retrying cannot help: the process must exit and report the reason.
    pub(crate) fn is_fatal(&self) -> bool {
        matches!(self, Self::Fault { fault: Fault::Recovery { .. }, .. } | Self::Fenced(_))
    }
}

/// Both ends of a channel: one for the senders of receipts and results, one for the worker.
struct Mailbox<T> {
    sender: Sender<T>,
    receiver: Receiver<T>,
}

impl<T> Mailbox<T> {
    fn new() -> Self {
        let (sender, receiver) = unbounded();
        Self { sender, receiver }
    }
}

/// Statistics of a worker, in addition to those of its shell.
#[derive(Default)]
struct RunRecord {
    firing_durations: Histogram,
    letters_written: u64,
    commits_completed: u64,
    commits_failed: u64,
    commit_durations: Histogram,
    recent_commits: VecDeque<PastCheckpoint>,
    recent_letters: VecDeque<RecentLetter>,
    waited: [Duration; WaitReason::ALL.len()],
    recoveries: u64,
    records_lost: u64,
    /// Whether the first counted record has been logged.
    has_counted: bool,
}

/// A running worker.
pub(crate) struct Worker {
    setup: WorkerSetup,
    shell: Shell<Box<Letter>>,
    /// The queues of the shell's pairs, in its order.
    queues: Vec<BySide<PartitionQueue>>,
    consumer: Arc<BaseConsumer<Group>>,
    buffer: BatchBuffer,
    receipts: Mailbox<Receipt>,
    facts: Mailbox<FactsAnswer>,
    ends: Mailbox<EndOffsetAnswer>,
    commit: Option<(CommitId, PendingCommit)>,
    epoch: Instant,
    record: RunRecord,
    next_status: Instant,
}

impl Worker {
    /// A worker that has subscribed; its partitions arrive with the first polls.
    pub(crate) fn join(setup: WorkerSetup) -> Result<Self, WorkerError> {
        let member = member_id(&setup.job.instance_id, setup.number);
        let config = consumer_config(&setup.kafka, &member);
        let consumer = Arc::new(BaseConsumer::from_config_and_context(&config, Group::default())?);
        consumer.subscribe(&setup.topics.names())?;
        let now = Instant::now();
        Ok(Self {
            shell: Shell::new(shell_settings(&setup), setup.rules, ()),
            setup,
            queues: Vec::new(),
            consumer,
            buffer: BatchBuffer::with_capacity(BATCH_RECORDS),
            receipts: Mailbox::new(),
            facts: Mailbox::new(),
            ends: Mailbox::new(),
            commit: None,
            epoch: now,
            record: RunRecord::default(),
            next_status: now,
        })
    }

    /// Runs until a stop is requested or an error occurs.
    pub(crate) fn run(mut self) -> Result<(), WorkerError> {
        let mut busy = false;
        while !self.setup.shutdown.is_requested() {
            busy = self.round(busy)?;
        }
        self.stop()
    }

    /// One round; true if records were read in it.
    fn round(&mut self, busy: bool) -> Result<bool, WorkerError> {
        self.poll(if busy { Duration::ZERO } else { IDLE_WAIT })?;
        self.take_answers()?;
        let has_read = self.drain()?;
        self.fire()?;
        self.send_letters();
        self.shell.on_time(self.now());
        self.obey()?;
        self.show();
        Ok(has_read)
    }

    /// Milliseconds of this worker's clock. It is monotonic, and no decision about a record depends on it.
    fn now(&self) -> i64 {
        i64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    /// Polls the consumer for rebalances and errors. Records come from the queues of their partitions, never from here.
    fn poll(&mut self, wait: Duration) -> Result<(), WorkerError> {
        match self.consumer.poll(wait) {
            None => {}
            Some(Err(error)) => self.consumer_error(&error)?,
            Some(Ok(record)) => {
                let (topic, partition, offset) = (record.topic().to_owned(), record.partition(), record.offset());
                return Err(WorkerError::Stray { topic, partition, offset });
            }
        }
        for event in self.consumer.context().take_events() {
            match event {
                GroupEvent::Assigned(list) => {
                    self.shell.on_assigned(&self.setup.topics.partitions(&list), self.now());
                    if self.setup.rejoin.swap(false, Ordering::Relaxed) {
                        self.rejoin()?;
                    }
                }
                GroupEvent::Revoked => self.shell.on_revoked(),
            }
            self.obey()?;
        }
        Ok(())
    }

    /// Leaves the group and rejoins it: only that makes a group of returning static members reassign partitions.
    fn rejoin(&mut self) -> Result<(), WorkerError> {
        self.shell.on_revoked();
        self.consumer.unsubscribe();
        Ok(self.consumer.subscribe(&self.setup.topics.names())?)
    }

    /// Handles the results from sinks and brokers since the last round.
    fn take_answers(&mut self) -> Result<(), WorkerError> {
        self.take_receipts();
        let now = self.now();
        for answer in self.facts.receiver.try_iter() {
            self.shell.on_facts(answer.id, answer.facts, now);
        }
        for answer in self.ends.receiver.try_iter() {
            self.shell.on_end_offset(answer);
        }
        if let Some((id, answer)) = self.commit.as_ref().and_then(|(id, commit)| Some((*id, commit.answer()?))) {
            self.commit = None;
            if answer.is_ok() {
                crate::crash_point::crash_point!("after-commit");
            }
            self.shell.on_commit_answer(id, answer.map_err(|error| error.to_string()), now);
        }
        self.obey()
    }

    fn consumer_error(&self, error: &KafkaError) -> Result<(), WorkerError> {
        let fatal = self.consumer.client().fatal_error();
        let code = fatal.as_ref().map(|(code, _)| *code).or_else(|| error.rdkafka_error_code());
        match code {
            Some(RDKafkaErrorCode::FencedInstanceId) => {
                Err(WorkerError::Fenced(member_id(&self.setup.job.instance_id, self.setup.number)))
            }
            _ if fatal.is_some() => Err(WorkerError::Kafka(error.clone())),
            // librdkafka recovers by itself: brokers come back, metadata is requested again.
            _ => {
                crate::kafka_log::error(error, "consumer");
                Ok(())
            }
        }
    }

    /// Passes the last known end offsets to the shell.
    fn tell_log_ends(&mut self) {
        let cluster = self.setup.cluster.read();
        let pairs: Vec<i32> = self.shell.pairs().iter().map(ctr_domain::shell::Pair::partition).collect();
        for partition in pairs {
            for side in Side::BOTH {
                if let Some(end) = cluster.end(self.setup.topics.name(side), partition) {
                    self.shell.on_log_end(partition, side, end);
                }
            }
        }
    }
}

fn shell_settings(setup: &WorkerSetup) -> ShellSettings {
    let ms = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    ShellSettings {
        checkpoint_interval: ms(setup.job.checkpoint_interval),
        checkpoint_timeout: ms(setup.job.checkpoint_timeout),
        checkpoint_min_pause: ms(setup.job.checkpoint_min_pause),
        fire_interval: ms(setup.fire_interval),
        ..ShellSettings::default()
    }
}

#[cfg(test)]
mod tests;
