//! A run: generates records, sends them at the configured rate, and accounts for them at the end.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};

use crate::console::Console;
use crate::deliveries::Deliveries;
use crate::generator::Generator;
use crate::plan::{Plan, now_ms};
use crate::progress::{Progress, Tally};
use crate::rate::Pace;
use crate::sender::{SendError, Sender};
use crate::truth::Truth;

/// Records sent between two checks of the clock, signals and acknowledgements.
const MOST_AT_ONCE: u64 = 256;
/// Sleeps are between these: not for every record, and short enough to notice signals and acknowledgements.
const SHORTEST_SLEEP: Duration = Duration::from_millis(5);
const LONGEST_SLEEP: Duration = Duration::from_millis(50);

/// Executes the plan, until its end or a signal. `false`: not every record is in Kafka, which has been reported.
pub(crate) fn run(plan: &Plan, stop: &Arc<AtomicBool>, console: &Arc<Console>) -> anyhow::Result<bool> {
    if let Some(path) = &plan.truth {
        remove_old_truth(path)?;
    }
    let servers = &plan.connection.bootstrap_servers;
    let truth = plan.truth.as_ref().map(|_| Truth::new(plan.events.rules));
    let deliveries = Deliveries::new(Arc::clone(console), servers.clone(), truth);
    let sender = Sender::new(&plan.connection, deliveries, Arc::clone(stop))?;
    console.say(&format!(
        "sending to {servers}, {}; use --seed {} to reproduce the events",
        plan.pace(),
        plan.events.seed
    ));

    let ready = sender.wait_for_topics(&plan.streams)?;
    let mut run = Run {
        plan,
        sender: &sender,
        stop,
        generator: Generator::new(plan.events.clone()),
        progress: Progress::new(Arc::clone(console)),
        tally: Tally::default(),
    };
    let sent = if ready { run.send() } else { Ok(()) };
    run.sender.finish(|| run.progress.tick(&run.tally, run.sender.deliveries()));
    let deliveries = sender.deliveries();
    console.say(&format!("done, {} of {} records acknowledged", deliveries.acknowledged(), run.tally.sent()));
    write!(io::stdout(), "{}", run.progress.statistics(&run.tally, deliveries)).context("cannot write statistics")?;
    sent?;
    if deliveries.failed() > 0 {
        console.say(&format!("error: {} records were not delivered, so the truth is unknown", deliveries.failed()));
        return Ok(false);
    }
    if let (Some(path), Some(truth)) = (&plan.truth, deliveries.take_truth()) {
        save_truth(&truth.context("the truth is unknown")?, path, plan, console)?;
    }
    Ok(true)
}

struct Run<'a> {
    plan: &'a Plan,
    sender: &'a Sender,
    stop: &'a AtomicBool,
    generator: Generator,
    progress: Progress,
    tally: Tally,
}

impl Run<'_> {
    fn send(&mut self) -> Result<(), SendError> {
        let mut pace = self.plan.rate.map(Pace::new);
        let sleep = pace.as_ref().map_or(SHORTEST_SLEEP, |pace| pace.interval().clamp(SHORTEST_SLEEP, LONGEST_SLEEP));
        while !self.stop.load(Ordering::Relaxed) {
            let elapsed = self.progress.elapsed();
            let over = self.plan.duration.is_some_and(|duration| elapsed >= duration);
            let counted_time = self.plan.duration.map_or(elapsed, |duration| elapsed.min(duration));
            let due = match &mut pace {
                Some(pace) => pace.due(counted_time, self.tally.sent()),
                None if over => 0,
                None => MOST_AT_ONCE,
            };
            let left = self.plan.count.map_or(u64::MAX, |count| count - self.tally.sent());
            if left == 0 || (over && due == 0) {
                break;
            }
            if due == 0 {
                std::thread::sleep(sleep);
            }
            self.send_batch(due.min(left).min(MOST_AT_ONCE))?;
            self.sender.serve();
            self.progress.tick(&self.tally, self.sender.deliveries());
        }
        Ok(())
    }

    fn send_batch(&mut self, count: u64) -> Result<(), SendError> {
        let now = now_ms();
        for _ in 0..count {
            let record = self.generator.next(now);
            while !self.sender.try_send(&record)? {
                if self.stop.load(Ordering::Relaxed) {
                    return Ok(());
                }
                self.sender.make_room();
                self.progress.tick(&self.tally, self.sender.deliveries());
            }
            self.tally.add(&record);
        }
        Ok(())
    }
}

/// The truth of an earlier run must not be mistaken for this one's if this one fails.
fn remove_old_truth(path: &Path) -> anyhow::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        bail!("--truth {}: the folder {} does not exist", path.display(), folder.display());
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("--truth {}: cannot replace it", path.display()))
        }
        _ => Ok(()),
    }
}

fn save_truth(truth: &Truth, path: &Path, plan: &Plan, console: &Console) -> anyhow::Result<()> {
    if truth.foreign() > 0 {
        console.say(&format!(
            "warning: the topics hold {} records of other writers or runs; the truth leaves them out",
            truth.foreign()
        ));
    }
    truth
        .save(path, &plan.connection.topics)
        .with_context(|| format!("--truth {}: cannot write it", path.display()))?;
    console.say(&format!("truth written to {}", path.display()));
    Ok(())
}
