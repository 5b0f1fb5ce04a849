//! `ctr-verify reconcile`: counts the log again and compares every product, window, source partition and dead letter
//! with what is in ClickHouse and in the dead letter topic.
//!
//! ```text
//! letter_topic ─┐ closed early
//! tables ───────┼ recounts ──> topic_count (one thread for each topic) ─┐
//!               └──────────────────────────────────────────────────────┴─> compare ─> report
//! ```

mod compare;
mod difference;
mod letter_topic;
mod report;
mod tables;
mod topic_count;

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ctr_pipeline::config::Config;

use crate::cli::ReconcileArgs;
use crate::clickhouse::ClickHouse;
use crate::count::{Known, Recount, Rules};
use crate::progress::Progress;
use compare::{Comparison, Logs};
use letter_topic::LetterTopic;
use report::Report;
use tables::Recounts;
use topic_count::TopicCount;

/// Time between two comparisons, while the job is given time.
const PAUSE: Duration = Duration::from_secs(1);

/// Compares, and returns whether everything matches.
///
/// # Errors
///
/// If Kafka or ClickHouse cannot be read.
pub(crate) fn run(config: &Config, args: &ReconcileArgs) -> anyhow::Result<bool> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut reconciliation = runtime.block_on(Reconciliation::begin(config, args))?;
    let report = runtime.block_on(reconciliation.until_equal())?;
    report.print(args.json)?;
    Ok(report.is_equal())
}

struct Reconciliation<'a> {
    config: &'a Config,
    args: &'a ReconcileArgs,
    rules: Rules,
    compared: Range<i64>,
    clickhouse: ClickHouse,
    letters: LetterTopic,
    recounts: Recounts,
    topics: [TopicCount; 2],
    started: Instant,
    comparisons: u32,
    /// Of the comparison before: the offsets of all ends together.
    ends: Option<i64>,
}

impl<'a> Reconciliation<'a> {
    async fn begin(config: &'a Config, args: &'a ReconcileArgs) -> anyhow::Result<Self> {
        let started = Instant::now();
        let rules = Rules::of(&config.job);
        let compared = args.from.unwrap_or(i64::MIN)..args.to.unwrap_or(i64::MAX);
        let clickhouse = ClickHouse::new(&config.clickhouse);
        let recounts = tables::recounts(&clickhouse).await?;
        let mut letters = LetterTopic::open(&config.kafka)?;
        letters.read_on()?;
        let topics = begin_topics(config, rules, &compared, &letters, &recounts)?;
        Ok(Self {
            config,
            args,
            rules,
            compared,
            clickhouse,
            letters,
            recounts,
            topics,
            started,
            comparisons: 0,
            ends: None,
        })
    }

    /// Compares until everything matches, or the time is over.
    async fn until_equal(&mut self) -> anyhow::Result<Report> {
        let mut deadline = None;
        loop {
            self.read_on()?;
            // The job's time starts here: reading before this point may have taken long.
            let deadline = *deadline.get_or_insert_with(|| Instant::now() + Duration::from_secs(self.args.wait));
            let report = self.compare().await?;
            if report.is_equal() || Instant::now() + PAUSE > deadline {
                return Ok(report);
            }
            tokio::time::sleep(PAUSE).await;
            self.renew_recounts().await?;
        }
    }

    /// Reads logs and dead letters up to their current ends. What was closed early is known only from dead letters: if
    /// there is a new one, the logs are counted again from the beginning.
    fn read_on(&mut self) -> anyhow::Result<()> {
        loop {
            count_on(&mut self.topics)?;
            if !self.letters.read_on()? {
                return Ok(());
            }
            self.begin_again()?;
        }
    }

    fn begin_again(&mut self) -> anyhow::Result<()> {
        self.topics = begin_topics(self.config, self.rules, &self.compared, &self.letters, &self.recounts)?;
        Ok(())
    }

    async fn renew_recounts(&mut self) -> anyhow::Result<()> {
        let now = tables::recounts(&self.clickhouse).await?;
        if now != self.recounts {
            self.recounts = now;
            self.begin_again()?;
        }
        Ok(())
    }

    async fn compare(&mut self) -> anyhow::Result<Report> {
        self.comparisons += 1;
        let dropped_up_to = tables::dropped_up_to(&self.clickhouse).await?;
        let mut comparison = Comparison::begin(self.comparisons, self.args.show, dropped_up_to);
        let mut rows = Vec::new();
        tables::rows(&self.clickhouse, &self.compared, |row| rows.push(row)).await?;
        let sums = tables::window_sums(&self.clickhouse, &self.compared).await?;
        let kafka = &self.config.kafka;
        // After the tables were read: a log that has not grown since it was counted contains everything they can
        // reflect.
        let ends = [self.topics[0].ends()?, self.topics[1].ends()?];
        let sum = ends[0].sum + ends[1].sum;
        let goes_on = self.ends.replace(sum).is_some_and(|before| sum > before);
        let [impressions, clicks] = &mut self.topics;
        let mut logs = Logs {
            in_flight: [impressions.in_flight(&ends[0], goes_on), clicks.in_flight(&ends[1], goes_on)],
            topics: [impressions, clicks],
            names: [&kafka.topics.impression, &kafka.topics.click],
            rules: self.rules,
        };
        for row in &rows {
            comparison.row(&mut logs, row);
        }
        comparison.missing_rows(&logs);
        comparison.view(&logs, &sums);
        comparison.letters(&logs, &self.letters);
        Ok(Report::of(comparison, &logs, &self.letters, self.started.elapsed()))
    }
}

fn begin_topics(
    config: &Config,
    rules: Rules,
    compared: &Range<i64>,
    letters: &LetterTopic,
    recounts: &Recounts,
) -> anyhow::Result<[TopicCount; 2]> {
    let begin = |side: usize, topic: &str| {
        TopicCount::begin(&config.kafka, topic, rules, compared, |partition| Known {
            closed_early: letters.of(side, partition).map(|found| found.closed_early.clone()).unwrap_or_default(),
            recounts: recounts
                .iter()
                .filter(|((recounted, _), _)| *recounted == partition)
                .map(|((_, start), ends)| (*start, Recount::up_to(ends[side])))
                .collect(),
            letters_kept_since: letters.kept_since(),
        })
    };
    let topics = &config.kafka.topics;
    Ok([begin(0, &topics.impression)?, begin(1, &topics.click)?])
}

/// Counts both topics up to their current ends, each on a separate thread: they are independent.
fn count_on(topics: &mut [TopicCount; 2]) -> anyhow::Result<()> {
    let records = AtomicU64::new(0);
    let mut progress = Progress::begin("records counted");
    std::thread::scope(|scope| {
        let threads = topics.each_mut().map(|topic| scope.spawn(|| topic.read_on(&records)));
        while !threads.iter().all(std::thread::ScopedJoinHandle::is_finished) {
            std::thread::sleep(Duration::from_millis(20));
            progress.show(records.load(Ordering::Relaxed));
        }
        for thread in threads {
            thread.join().map_err(|_| anyhow::anyhow!("a thread that counts has panicked"))??;
        }
        anyhow::Ok(())
    })?;
    progress.end();
    Ok(())
}
