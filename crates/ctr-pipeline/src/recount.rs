//! `ctr-pipeline recount`: recounts whole windows from the log, beside the running job.
//!
//! ```text
//! check ─> plan (which windows are complete in the log) ─> per pair of partitions: read both logs ─> compare ─> write ─> note
//! ```
//!
//! It can be stopped at any time and run again: counts only increase, so everything it has written stays correct.

mod plan;
mod progress;
mod report;
mod rows;

use std::collections::BTreeSet;
use std::io::{self, Write as _};

use anyhow::{Context as _, bail};
use clap::Args;
use ctr_domain::event::Event;
use ctr_domain::recount::{Recount, WindowRange};
use ctr_domain::rules::Rules;
use ctr_domain::side::Side;
use ctr_domain::timestamp;
use tokio::runtime::Runtime;

use crate::check;
use crate::config::Config;
use crate::sink::clickhouse::ClickHouse;
use crate::source::log_reader::LogReader;
use crate::source::topics::ClusterFacts;
use crate::wall_clock::now_ms;
use plan::{Pair, Plan};
pub(crate) use progress::Progress;
pub use report::RecountReport;
use rows::Results;

/// Which windows to recount.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Start of the range in event time (inclusive): epoch milliseconds, `YYYY-MM-DD HH:MM:SS` in UTC, or RFC 3339. The window
    /// that contains it is recounted as a whole.
    #[arg(long, value_name = "TIME", value_parser = timestamp::parse_text)]
    pub from: i64,
    /// End of the range (exclusive).
    #[arg(long, value_name = "TIME", value_parser = timestamp::parse_text)]
    pub to: i64,
    /// Only report what would change.
    #[arg(long)]
    pub dry_run: bool,
}

/// A requirement of the command is not met: retrying does not help until it is fixed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NotUsable(pub(crate) String);

/// What to recount.
pub(crate) struct Request {
    /// The windows.
    pub(crate) range: WindowRange,
    /// Only the windows with these start times; `None`: all.
    pub(crate) only: Option<BTreeSet<i64>>,
    /// Whether to write nothing.
    pub(crate) dry_run: bool,
}

/// Runs the command: counts, writes, and prints a report on standard output. False if windows were refused.
///
/// # Errors
/// [`NotUsable`] if topics, tables or times are wrong; any other failure. Everything written until then is correct.
pub fn run(config: &Config, options: &Options) -> anyhow::Result<bool> {
    let rules = config.job.rules()?;
    let range = WindowRange::covering(options.from, options.to, rules.window_size)
        .ok_or_else(|| NotUsable("`--to` must be later than `--from`".to_owned()))?;
    let runtime = Runtime::new().context("threads")?;
    let cluster = usable_cluster(config, &runtime)?;
    let report = execute(config, &runtime, &cluster, &Request { range, only: None, dry_run: options.dry_run })?;
    // A closed pipe is not an error.
    let _ = write!(io::stdout(), "{report}");
    Ok(!report.has_refused())
}

/// The cluster, if all requirements of the repair commands are met.
///
/// # Errors
/// [`NotUsable`], with a line for each requirement that is not met.
pub(crate) fn usable_cluster(config: &Config, runtime: &Runtime) -> anyhow::Result<ClusterFacts> {
    let (findings, cluster) = runtime.block_on(async {
        let (mut findings, cluster) = check::kafka_facts(&config.kafka).await;
        findings.extend(check::clickhouse(&config.clickhouse, &ClickHouse::new(&config.clickhouse)).await);
        (findings, cluster)
    });
    let bad: Vec<String> = findings
        .iter()
        .filter(|finding| finding.is_wrong() || finding.is_unreachable())
        .map(ToString::to_string)
        .collect();
    match cluster {
        Some(cluster) if bad.is_empty() => Ok(cluster),
        _ => bail!(NotUsable(bad.join("\n"))),
    }
}

/// Counts and writes.
///
/// # Errors
/// If the log cannot be read or the rows cannot be written.
pub(crate) fn execute(
    config: &Config,
    runtime: &Runtime,
    cluster: &ClusterFacts,
    request: &Request,
) -> anyhow::Result<RecountReport> {
    let rules = config.job.rules()?;
    let results = Results::connect(config, runtime)?;
    let drops_until = results.drops_until(now_ms())?;
    let mut reader = LogReader::new(&config.kafka)?;
    let Plan { pairs, range, refused } = plan::make(config, cluster, &rules, request.range, &mut reader)?;
    let mut report = RecountReport::new(request.dry_run, refused);
    let Some(range) = range else { return Ok(report) };
    report.note_windows(range.windows().filter(|window| is_wanted(request, window.start)).count());
    let records: i64 = pairs.iter().flat_map(Pair::parts).map(|part| part.end - part.start).sum();
    let mut progress = Progress::new("counting", records);
    for pair in &pairs {
        let mut recount = Recount::new(rules, range, pair.source_partition());
        count(pair, &mut recount, &mut reader, &mut progress)?;
        let stored = results.stored(pair.source_partition(), &range)?;
        let is_wanted = |start| is_wanted(request, start);
        let encoded = rows::compare(recount, stored, is_wanted, &rules, drops_until, &mut report);
        if !request.dry_run {
            results.write(&encoded)?;
            results.note(pair, range.windows().filter(|window| is_wanted(window.start)))?;
        }
    }
    progress.finish();
    Ok(report)
}

fn is_wanted(request: &Request, start: i64) -> bool {
    request.only.as_ref().is_none_or(|only| only.contains(&start))
}

/// Reads both logs of a pair.
fn count(pair: &Pair, recount: &mut Recount, reader: &mut LogReader, progress: &mut Progress) -> anyhow::Result<()> {
    for side in Side::BOTH {
        let part = &pair.parts[side];
        reader.read(part, |record| {
            recount.on_record(side, record.mark, Event::parse(record.payload));
            progress.step();
            Ok(())
        })?;
    }
    Ok(())
}

/// How long after its end, by the wall clock, the job may still count events of a window. The window is not recounted before
/// that, because a later row of the job would lack the events that only a recount includes.
const fn settling_ms(rules: &Rules) -> i64 {
    rules.max_out_of_orderness_ms + rules.allowed_lateness_ms + rules.idle_hold_ms
}
