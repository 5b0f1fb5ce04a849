//! `ctr-producer`: simulates ad impressions and clicks, and computes the counts that the pipeline must produce.
//!
//! In reading order: `cli` becomes a `plan` (validated, without contradictions); `generator` creates `record`s from a seed,
//! with `faults` if wanted; `run` paces them (`rate`) into the `sender`; Kafka's `deliveries` report the offset of each record,
//! and `truth` replays the log in that order and computes the expected counts.

mod cli;
mod console;
mod deliveries;
mod faults;
mod generator;
mod plan;
mod progress;
mod rate;
mod record;
mod run;
mod sender;
mod truth;
mod values;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::Parser;
use signal_hook::consts::TERM_SIGNALS;

use crate::cli::Cli;
use crate::console::Console;
use crate::plan::Plan;
use crate::sender::SendError;

/// The exit code of wrong usage, the same as clap's.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let plan = match Plan::new(cli) {
        Ok(plan) => plan,
        Err(error) => error.exit(),
    };
    let console = Arc::new(Console::new());
    match stop_on_signals().and_then(|stop| run::run(&plan, &stop, &console)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            console.say(&format!("error: {error:#}"));
            let wrong_usage = matches!(error.downcast_ref(), Some(SendError::Settings { .. }));
            if wrong_usage { ExitCode::from(USAGE) } else { ExitCode::FAILURE }
        }
    }
}

/// A flag that the first SIGINT, SIGTERM or SIGQUIT sets. The second ends the process at once.
fn stop_on_signals() -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in TERM_SIGNALS {
        // In this order: on the first signal, the flag is not yet set when the shutdown checks it.
        signal_hook::flag::register_conditional_shutdown(*signal, 1, Arc::clone(&stop))?;
        signal_hook::flag::register(*signal, Arc::clone(&stop))?;
    }
    Ok(stop)
}
