//! `dlq redrive`: selects the dead letters that can be redriven, copies each record back once, and recounts their windows.
//!
//! ```text
//! select dead letters ─> fence an earlier run's transactions ─> find existing copies in the topics
//!     ─> per dead letter: correct, judge ─> write copies in batches ─> recount the windows
//! ```
//!
//! The copies in the topics record what was redriven (`docs/adr/0009`). A dead letter can therefore be redriven as long as its
//! record is still in its topic: every copy has a higher offset, so it is still there too.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write as _};

use anyhow::Context as _;
use ctr_domain::recount::WindowRange;
use ctr_domain::redriven::DeadLetterId;
use ctr_domain::timestamp::to_rfc3339;
use ctr_domain::window::WindowSize;
use tokio::runtime::Runtime;

use super::RedriveOptions;
use super::judge::{Judge, Logs, RedriveAction};
use super::scan::{each_letter, parts};
use super::show::say_others;
use crate::config::Config;
use crate::recount;
use crate::sink::redrive::{RedriveError, Redriven, Redriver};
use crate::source::log_reader::LogReader;
use crate::source::topics::ClusterFacts;

/// Maximum size of a batch: records, and bytes.
const BATCH: (usize, usize) = (500, 4 << 20);

/// Runs the command. False if dead letters or windows were skipped.
pub(super) fn run(config: &Config, options: &RedriveOptions) -> anyhow::Result<bool> {
    let runtime = Runtime::new().context("threads")?;
    let cluster = recount::usable_cluster(config, &runtime)?;
    let rules = config.job.rules()?;
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

/// Recounts the windows of the redriven records.
fn count_again(
    config: &Config,
    runtime: &Runtime,
    cluster: &ClusterFacts,
    windows: BTreeSet<i64>,
) -> anyhow::Result<bool> {
    let (Some(first), Some(last)) = (windows.first(), windows.last()) else { return Ok(true) };
    let window_size = config.job.rules()?.window_size;
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
    /// The start times of the windows of all records that are now in the topics.
    windows: BTreeSet<i64>,
}

impl Tally {
    fn summary(&self, executed: bool) -> String {
        let verb = if executed { "redriven" } else { "would be redriven (with --execute)" };
        format!(
            "letters   {} {verb}, {} redriven before, {} still in the log (no copy needed), {} skipped\n",
            self.sent, self.already, self.in_the_log, self.left
        )
    }
}

/// Carries out the decisions.
struct Run {
    /// `None` in a dry run.
    redriver: Option<Redriver>,
    window_size: WindowSize,
    /// With their event times.
    batch: Vec<(Redriven, i64)>,
    bytes: usize,
    tally: Tally,
}

impl Run {
    fn act(&mut self, id: &DeadLetterId, action: RedriveAction) -> anyhow::Result<()> {
        match action {
            // The outcome is known when its batch is written.
            RedriveAction::Send(copy, time) => {
                self.bytes += copy.bytes();
                self.batch.push((copy, time));
            }
            RedriveAction::Already(time, offset) => {
                self.tally.already += 1;
                say("already", id, &format!("{}, as offset {offset}", to_rfc3339(time)));
                self.count_window(time);
            }
            RedriveAction::InTheLog(time) => {
                self.tally.in_the_log += 1;
                say("recount", id, &to_rfc3339(time));
                self.count_window(time);
            }
            RedriveAction::Leave(reason) => self.leave(id, &reason),
        }
        if self.batch.len() >= BATCH.0 || self.bytes >= BATCH.1 {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        let batch = std::mem::take(&mut self.batch);
        self.bytes = 0;
        self.write(&batch)
    }

    /// Writes a batch. If one record is refused as too large, nothing of the batch is written, and the error does not name the
    /// record: the batch is split in half until that record is alone and the others are written.
    fn write(&mut self, batch: &[(Redriven, i64)]) -> anyhow::Result<()> {
        let written = match &mut self.redriver {
            Some(redriver) if !batch.is_empty() => redriver.write(batch.iter().map(|(copy, _)| copy)),
            _ => Ok(()),
        };
        match (written, batch) {
            (Ok(()), _) => {
                for (copy, time) in batch {
                    self.tally.sent += 1;
                    say("send", &copy.id, &to_rfc3339(*time));
                    self.count_window(*time);
                }
                Ok(())
            }
            (Err(RedriveError::TooLarge), [(copy, _)]) => {
                let reason = self.too_large(copy);
                self.leave(&copy.id, &reason);
                Ok(())
            }
            (Err(RedriveError::TooLarge), _) => {
                let (first, second) = batch.split_at(batch.len() / 2);
                self.write(first)?;
                self.write(second)
            }
            (Err(error), _) => Err(error.into()),
        }
    }

    fn too_large(&self, copy: &Redriven) -> String {
        let limit = self.redriver.as_ref().and_then(|redriver| redriver.largest(&copy.id.topic));
        let limit = limit.map_or_else(String::new, |limit| format!(" ({limit})"));
        format!(
            "the copy has {} bytes including key and headers, which exceeds max.message.bytes of {}{limit}",
            copy.bytes(),
            copy.id.topic
        )
    }

    fn leave(&mut self, id: &DeadLetterId, reason: &str) {
        self.tally.left += 1;
        say("leave", id, reason);
    }

    fn count_window(&mut self, event_time: i64) {
        self.tally.windows.insert(self.window_size.window_of(event_time).start);
    }
}

fn say(word: &str, id: &DeadLetterId, detail: &str) {
    let _ = writeln!(io::stdout(), "{word:8}  {id}  {detail}");
}
