//! `dlq redrive`: which letters can be put back, putting them back once, and counting their windows again.
//!
//! ```text
//! letters that are meant ─> end an earlier run's transactions ─> what do the topics have of them already?
//!     ─> per letter: mend, judge ─> batches of copies ─> recount of the windows
//! ```
//!
//! The copies in the topics are the memory of what was put back (`docs/adr/0009`). So a letter can be put back for as long as
//! its record is still in its topic: then every copy, which lies behind it, is there too.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write as _};

use anyhow::Context as _;
use ctr_domain::recount::WindowRange;
use ctr_domain::redriven::DeadLetterId;
use ctr_domain::timestamp::to_rfc3339;
use ctr_domain::window::WindowSize;
use tokio::runtime::Runtime;

use super::RedriveOptions;
use super::judge::{Action, Judge, Logs};
use super::scan::{each_letter, parts};
use super::show::say_others;
use crate::config::Config;
use crate::job;
use crate::recount;
use crate::sink::redrive::{Redriven, Redriver};
use crate::source::log_reader::LogReader;
use crate::source::topics::ClusterFacts;

/// Records put back at once, at most, and their bytes.
const BATCH: (usize, usize) = (500, 4 << 20);

/// Runs the command: false where letters or windows had to be left.
pub(super) fn run(config: &Config, options: &RedriveOptions) -> anyhow::Result<bool> {
    let runtime = Runtime::new().context("threads")?;
    let cluster = recount::usable_cluster(config, &runtime)?;
    let rules = job::rules(&config.job)?;
    let redriver = options.execute.then(|| Redriver::begin(&config.kafka)).transpose()?;

    let mut letters = LogReader::new(&config.kafka)?;
    let parts = parts(&letters, &config.kafka.dlq_topic)?;
    let mut logs = Logs::new(config)?;
    let mut oldest = BTreeMap::new();
    each_letter(&mut letters, &parts, &options.filter, |letter, _| {
        let lowest = oldest.entry((letter.raw_topic, letter.partition)).or_insert(letter.offset);
        *lowest = letter.offset.min(*lowest);
        Ok(())
    })?;
    logs.find_copies(&oldest)?;

    let mut judge = Judge::new(logs, rules, options.mend.as_deref());
    let window_size = rules.window_size;
    let mut run = Run { redriver, window_size, batch: Vec::new(), bytes: 0, tally: Tally::default() };
    let others = each_letter(&mut letters, &parts, &options.filter, |letter, _| {
        let action = judge.judge(&letter)?;
        run.act(&letter.id(), action)
    })?;
    run.flush()?;
    say_others(others);
    let _ = write!(io::stdout(), "{}", run.tally.summary(options.execute));
    let whole = run.tally.left == 0;
    if !options.execute || options.no_recount {
        return Ok(whole);
    }
    Ok(count_again(config, &runtime, &cluster, run.tally.windows)? && whole)
}

/// Counts the windows of what was put back again.
fn count_again(
    config: &Config,
    runtime: &Runtime,
    cluster: &ClusterFacts,
    windows: BTreeSet<i64>,
) -> anyhow::Result<bool> {
    let (Some(first), Some(last)) = (windows.first(), windows.last()) else { return Ok(true) };
    let window_size = job::rules(&config.job)?.window_size;
    let Some(range) = WindowRange::covering(*first, last + 1, window_size) else { return Ok(true) };
    let request = recount::Request { range, only: Some(windows), dry_run: false };
    let report = recount::execute(config, runtime, cluster, &request)?;
    let _ = write!(io::stdout(), "{report}");
    Ok(!report.has_refused())
}

/// What was done.
#[derive(Debug, Default)]
struct Tally {
    sent: u64,
    already: u64,
    in_the_log: u64,
    left: u64,
    /// The starts of the windows of all that is in the topics now.
    windows: BTreeSet<i64>,
}

impl Tally {
    fn summary(&self, executed: bool) -> String {
        let verb = if executed { "put back" } else { "would be put back (--execute does it)" };
        format!(
            "letters   {} {verb}, {} were before, {} lie in the log and need no copy, {} left\n",
            self.sent, self.already, self.in_the_log, self.left
        )
    }
}

/// Does what was decided.
struct Run {
    /// `None` in a dry run.
    redriver: Option<Redriver>,
    window_size: WindowSize,
    batch: Vec<Redriven>,
    bytes: usize,
    tally: Tally,
}

impl Run {
    fn act(&mut self, id: &DeadLetterId, action: Action) -> anyhow::Result<()> {
        let (word, detail, time) = match action {
            Action::Send(copy, time) => {
                self.bytes += copy.payload.len();
                self.batch.push(copy);
                self.tally.sent += 1;
                ("send", String::new(), Some(time))
            }
            Action::Already(time) => {
                self.tally.already += 1;
                ("already", String::new(), Some(time))
            }
            Action::InTheLog(time) => {
                self.tally.in_the_log += 1;
                ("recount", String::new(), Some(time))
            }
            Action::Leave(reason) => {
                self.tally.left += 1;
                ("leave", reason, None)
            }
        };
        let detail = time.map_or(detail, to_rfc3339);
        let _ = writeln!(io::stdout(), "{word:8}  {id}  {detail}");
        self.tally.windows.extend(time.map(|time| self.window_size.window_of(time).start));
        if self.batch.len() >= BATCH.0 || self.bytes >= BATCH.1 {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        let batch = std::mem::take(&mut self.batch);
        self.bytes = 0;
        match &self.redriver {
            Some(redriver) if !batch.is_empty() => Ok(redriver.write(&batch)?),
            _ => Ok(()),
        }
    }
}
