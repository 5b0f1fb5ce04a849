//! `ctr-verify simulate`: runs the pipeline's recovery protocol through simulated histories.
//!
//! The only part of this binary that runs the code under test; `ctr-simulation` checks its results.

use std::io::{self, Write as _};
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use ctr_simulation::{Campaign, Failure, Kind, Mutation, Subject, Tally};

use crate::cli::SimulateArgs;
use crate::progress::{Progress, rate};

/// Runs the histories. Returns whether all passed, or with a mutation, whether it was caught.
///
/// # Errors
/// If the output cannot be written.
pub(crate) fn run(args: &SimulateArgs) -> anyhow::Result<bool> {
    match args.mutation {
        Some(mutation) => catch(args, mutation),
        None => hold(args),
    }
}

/// Runs the histories of every requested kind.
fn hold(args: &SimulateArgs) -> anyhow::Result<bool> {
    let kinds = if args.kind.is_empty() { Kind::ALL.to_vec() } else { args.kind.clone() };
    for kind in kinds {
        let (begun, tally) = (Instant::now(), Tally::default());
        let failure = with_progress(&campaign(args, Subject::Task, kind, None), &tally);
        if let Some(Failure { seed, steps, defect }) = failure {
            say(&format!(
                "{kind}, seed {seed}, at the earliest after {steps} steps: {defect}\n\
                 reproduce it: ctr-verify simulate --kind {kind} --seed {seed} --steps {steps} --histories 1"
            ))?;
            return Ok(false);
        }
        say(&format!(
            "{kind:<11} {} histories, {} records, {:.0} histories/s: table, dead letters and ledger match the log",
            tally.histories(),
            tally.records(),
            rate(tally.histories(), begun.elapsed())
        ))?;
    }
    Ok(true)
}

/// Runs histories of the kind that must catch a broken rule until one does.
fn catch(args: &SimulateArgs, mutation: Mutation) -> anyhow::Result<bool> {
    let tally = Tally::default();
    match with_progress(&campaign(args, mutation.subject(), mutation.caught_by(), Some(mutation)), &tally) {
        Some(Failure { seed, steps, defect }) => {
            let kind = mutation.caught_by();
            say(&format!("{mutation}: caught by history {seed} of kind {kind} within {steps} steps:\n{defect}"))?;
            Ok(true)
        }
        None => {
            say(&format!(
                "{mutation}: NOT caught by {} histories of kind {}",
                tally.histories(),
                mutation.caught_by()
            ))?;
            Ok(false)
        }
    }
}

fn campaign(args: &SimulateArgs, subject: Subject, kind: Kind, mutation: Option<Mutation>) -> Campaign {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let seeds = args.seed..args.seed.saturating_add(args.histories);
    Campaign { subject, kind, seeds, threads: args.threads.unwrap_or(cores), mutation, steps: args.steps }
}

fn with_progress(campaign: &Campaign, tally: &Tally) -> Option<Failure> {
    let mut progress = Progress::begin("histories");
    let failure = std::thread::scope(|scope| {
        let running = scope.spawn(|| campaign.run(tally));
        while !running.is_finished() {
            std::thread::sleep(Duration::from_millis(5));
            progress.show(tally.histories());
        }
        running.join().unwrap_or_else(|_| {
            Some(Failure { seed: campaign.seeds.start, steps: campaign.kind.steps(), defect: "it panicked".to_owned() })
        })
    });
    progress.end();
    failure
}

fn say(line: &str) -> anyhow::Result<()> {
    Ok(writeln!(io::stdout(), "{line}")?)
}
