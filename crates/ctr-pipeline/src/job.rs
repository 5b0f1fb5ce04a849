//! The job: starts and stops everything of `ctr-pipeline run`, in order.
//!
//! ```text
//! status server ─> wait for Kafka and ClickHouse ─> row sink, dead letter sink ─> workers ─> … ─> stop
//! ```

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use ctr_domain::side::BySide;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use crate::check;
use crate::config::{CheckpointCleanup, Config, OffsetStrategy};
use crate::shutdown::{Shutdown, StopKind};
use crate::sink::backoff::Backoff;
use crate::sink::clickhouse::ClickHouse;
use crate::sink::dead_letter::DeadLetterSink;
use crate::sink::patience::Patience;
use crate::sink::state::SinkState;
use crate::sink::writer::{RowSink, row_sink};
use crate::source::assignment::Topics;
use crate::source::cluster::ClusterBoard;
use crate::source::cluster_watch::ClusterWatch;
use crate::source::end_offsets::{self, EndOffsets, Ends};
use crate::source::facts::FactsSource;
use crate::source::group_cleanup;
use crate::source::group_commits::{GroupCommits, GroupState};
use crate::source::topics::ClusterFacts;
use crate::status::board::WorkerBoard;
use crate::status::report::StatusSources;
use crate::status::server;
use crate::stopped;
use crate::supervisor;
use crate::worker::{WorkerError, WorkerSetup};

/// How often due rows are checked for while the sink collects a batch: checking is cheap, and rows found late miss the
/// batch.
const FIRINGS_PER_INTERVAL: u32 = 10;

/// Threads for everything except workers: inserts, and requests at startup.
const SERVICE_THREADS: usize = 2;

/// Delays between retries while waiting for Kafka and ClickHouse at startup.
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(5));

/// A requirement is not met: restarting does not help until it is fixed.
#[derive(Debug, thiserror::Error)]
#[error("the job cannot start:\n{0}")]
pub struct NotUsable(String);

/// Whether restarting cannot help until someone changes something, so that no supervisor should restart the process:
/// topics, tables, or an `instance-id` that another process has (docs/adr/0010).
#[must_use]
pub fn needs_a_person(error: &anyhow::Error) -> bool {
    error.is::<NotUsable>() || matches!(error.downcast_ref(), Some(WorkerError::Fenced(_)))
}

/// Runs the job until a stop is requested.
///
/// # Errors
///
/// [`NotUsable`] if topics or tables are wrong; any other error that ends the job permanently.
pub fn run(config: &Config) -> anyhow::Result<()> {
    let shutdown = Shutdown::default();
    shutdown.on_signals()?;
    stopped::start()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(SERVICE_THREADS)
        .thread_name("service")
        .enable_all()
        .build()
        .context("service threads")?;
    let board = Arc::new(WorkerBoard::new(config.job.parallelism));
    let (rows, writer) = row_sink(&config.clickhouse);
    let shown = Arc::new(ClusterBoard::default());
    let sources = StatusSources::new(config, Arc::clone(&board), Arc::clone(rows.state()), Arc::clone(&shown));
    server::start(&config.status, sources)?;

    let Some(cluster) = runtime.block_on(wait_until_usable(config, rows.state(), &shutdown))? else { return Ok(()) };
    say_if_workers_are_idle(config, &cluster);
    let Some(commits) = read_group(config, &cluster, &shutdown) else { return Ok(()) };
    let rejoin = prepare_group(config, &commits)?;
    let writing = runtime.spawn(writer.run());
    let questions = Questions::start(config, shown, &shutdown)?;
    let worked = work(config, rows, board, questions, &shutdown, rejoin);
    finish(&runtime, writing, config, &shutdown, worked)
}

/// Waits for Kafka and ClickHouse for as long as necessary; once available, they must be correct. `None` if a stop was
/// requested.
async fn wait_until_usable(
    config: &Config,
    sink: &SinkState,
    shutdown: &Shutdown,
) -> anyhow::Result<Option<ClusterFacts>> {
    let mut backoff = Backoff::new(RETRY.0, RETRY.1);
    let clickhouse = ClickHouse::new(&config.clickhouse);
    // Grows, because otherwise a ClickHouse that is slower than the setting would never let the job start.
    let mut patience = Patience::new(config.clickhouse.request_timeout);
    while !shutdown.is_requested() {
        let (mut findings, cluster) = check::kafka_facts(&config.kafka).await;
        let clickhouse = clickhouse.with_timeout(patience.get());
        let of_clickhouse = check::clickhouse(&config.clickhouse, &clickhouse).await;
        if of_clickhouse.iter().any(check::Finding::is_unreachable) {
            patience.grow();
            if let Err(error) = clickhouse.try_insert().await {
                // So that the page shows it while the start waits.
                sink.failed(&error);
            }
        }
        findings.extend(of_clickhouse);
        let wrong: Vec<String> =
            findings.iter().filter(|finding| finding.is_wrong()).map(|finding| format!("  {finding}")).collect();
        if !wrong.is_empty() {
            return Err(NotUsable(wrong.join("\n")).into());
        }
        let unreachable: Vec<String> =
            findings.iter().filter(|finding| finding.is_unreachable()).map(ToString::to_string).collect();
        if unreachable.is_empty() {
            for finding in &findings {
                tracing::info!("{finding}");
            }
            return Ok(cluster);
        }
        let wait = backoff.next_wait();
        for line in unreachable {
            tracing::error!(retry_seconds = wait.as_secs_f32(), "{line}");
        }
        tokio::time::sleep(wait).await;
    }
    Ok(None)
}

/// More workers than partitions is not an error: the others are on standby. A log line explains why they are idle.
fn say_if_workers_are_idle(config: &Config, cluster: &ClusterFacts) {
    let workers = config.job.parallelism;
    let partitions = cluster.topics.iter().map(|topic| topic.partitions).take(2).min().unwrap_or_default();
    if workers > partitions {
        let idle = workers - partitions;
        tracing::warn!(
            workers,
            partitions,
            idle,
            "more workers (`ctr.job.parallelism`) than partitions: some have nothing to read"
        );
    }
}

/// The group's commits; `None` if a stop was requested. Finding the coordinator of a new group may take a moment.
fn read_group(config: &Config, cluster: &ClusterFacts, shutdown: &Shutdown) -> Option<GroupCommits> {
    let mut backoff = Backoff::new(RETRY.0 / 5, RETRY.1);
    while !shutdown.is_requested() {
        match GroupCommits::read(&config.kafka, cluster) {
            Ok(commits) => return Some(commits),
            Err(error) => {
                let wait = backoff.next_wait();
                let (group, retry_seconds) = (&config.kafka.group_id, wait.as_secs_f32());
                tracing::warn!(group, %error, retry_seconds, "the group's commits could not be read");
                std::thread::sleep(wait);
            }
        }
    }
    None
}

/// Checks the group before joining it: pins a first start at `latest`. True if the group must reassign its partitions
/// because added ones have no owner.
fn prepare_group(config: &Config, commits: &GroupCommits) -> anyhow::Result<bool> {
    let group = config.kafka.group_id.as_str();
    match commits.state() {
        GroupState::New if config.kafka.offset_strategy == OffsetStrategy::Latest => {
            match commits.begin_at_latest(config.job.rules()?.window_size) {
                Ok(()) => tracing::info!(group, "first start: starting after the latest record"),
                // Another instance is doing it, or has just done it; if not, the workers fail in the same way and
                // report why.
                Err(error) => tracing::warn!(group, %error, "the group's first start was not pinned by this process"),
            }
            Ok(false)
        }
        GroupState::New | GroupState::Complete => Ok(false),
        GroupState::PartitionsAdded(partitions) => {
            tracing::info!(group, partitions, "partitions without a commit: the group reassigns all partitions");
            Ok(true)
        }
    }
}

/// The clients that query the brokers for the workers, and the last known state of the cluster.
struct Questions {
    facts: FactsSource,
    end_offsets: EndOffsets,
    cluster: Arc<ClusterBoard>,
}

impl Questions {
    fn start(config: &Config, cluster: Arc<ClusterBoard>, shutdown: &Shutdown) -> anyhow::Result<Self> {
        let client = |ends| end_offsets::question_client(&config.kafka, ends).context("client for questions to Kafka");
        let logs = client(Ends::Log)?;
        let watch = ClusterWatch::new(Arc::clone(&logs), client(Ends::Stable)?, &config.kafka, Arc::clone(&cluster));
        watch.start(shutdown.clone())?;
        let end_offsets = EndOffsets::start(Arc::clone(&logs), topics(config))?;
        let facts = FactsSource::new(&config.kafka, topics(config), logs).context("client for the group's commits")?;
        Ok(Self { facts, end_offsets, cluster })
    }
}

fn topics(config: &Config) -> Topics {
    Topics(BySide([config.kafka.topics.impression.clone(), config.kafka.topics.click.clone()]))
}

/// Starts the workers and waits until all have ended. Returns the first error.
fn work(
    config: &Config,
    rows: RowSink,
    board: Arc<WorkerBoard>,
    questions: Questions,
    shutdown: &Shutdown,
    rejoin: bool,
) -> anyhow::Result<()> {
    let first = WorkerSetup {
        number: 0,
        kafka: config.kafka.clone(),
        job: config.job.clone(),
        rules: config.job.rules()?,
        topics: topics(config),
        fire_interval: config.clickhouse.batch_interval / FIRINGS_PER_INTERVAL,
        rows,
        dead_letters: Arc::new(DeadLetterSink::new(&config.kafka).context("producer of dead letters")?),
        facts: questions.facts,
        end_offsets: questions.end_offsets,
        board,
        cluster: questions.cluster,
        shutdown: shutdown.clone(),
        rejoin: Arc::new(AtomicBool::new(rejoin)),
    };
    let mut threads = Vec::new();
    for number in 0..config.job.parallelism {
        threads.push(supervisor::spawn(WorkerSetup { number, ..first.clone() })?);
    }
    drop(first);
    let mut result = Ok(());
    for thread in threads {
        let ended = thread.join().unwrap_or_else(|_| bail_on_panic());
        if result.is_ok() {
            result = ended;
        }
    }
    result
}

fn bail_on_panic() -> anyhow::Result<()> {
    bail!("a worker's supervisor panicked")
}

/// Finishes the work that remains after the workers: the sink, whose rows are acknowledged or will be sent again by the
/// next start, and, if configured, the deletion of the group's commits.
fn finish(
    runtime: &Runtime,
    writing: JoinHandle<()>,
    config: &Config,
    shutdown: &Shutdown,
    worked: anyhow::Result<()>,
) -> anyhow::Result<()> {
    let begun = Instant::now();
    let abort = writing.abort_handle();
    let grace = config.job.shutdown_timeout.mul_f64(0.1);
    if runtime.block_on(async { tokio::time::timeout(grace, writing).await }).is_err() {
        abort.abort();
        tracing::warn!(
            duration_seconds = begun.elapsed().as_secs_f32(),
            "some rows are unacknowledged; the next start resends them"
        );
    }
    let clean = matches!(shutdown.kind(), Some(StopKind::Keep | StopKind::Leave)) && worked.is_ok();
    if clean && config.job.checkpoint_cleanup == CheckpointCleanup::Delete {
        runtime.block_on(group_cleanup::delete_commits(&config.kafka));
    }
    worked
}
