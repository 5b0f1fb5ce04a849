//! `ctr-verify`: checks whether the tables match the log, with its own counting code, not the pipeline's.
//!
//! In reading order: [`cli`] (the commands); [`count`] (a second implementation of the rules); [`reconcile`], which compares
//! results; [`windows`], which explains them; [`load`], which runs queries; [`simulate`], which simulates histories.

mod cli;
mod clickhouse;
mod count;
mod event_file;
mod letters;
mod load;
mod progress;
mod reconcile;
mod simulate;
mod topic_reader;
mod windows;

use std::io::{self, Write as _};
use std::process::ExitCode;

use chrono::{DateTime, SecondsFormat};
use clap::Parser as _;
use ctr_pipeline::config::{self, Config};

use crate::cli::{Cli, Command, Source};

/// There are differences.
const DIFFERS: u8 = 1;
/// Wrong usage or settings, or a service that cannot be reached: no result. The same as clap's own.
const NOT_USABLE: u8 = 2;

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Reconcile(args) => settings(&args.source).and_then(|config| reconcile::run(&config, &args)),
        Command::Load(args) => settings(&args.source).and_then(|config| load::run(&config, &args)),
        Command::Simulate(args) => simulate::run(&args),
        Command::Windows(args) => settings(&args.source).and_then(|config| windows::run(&config, &args)),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(DIFFERS),
        Err(error) => {
            // A closed pipe is not a reason to fail.
            let _ = writeln!(io::stderr(), "ctr-verify: {error:#}");
            ExitCode::from(NOT_USABLE)
        }
    }
}

fn settings(source: &Source) -> anyhow::Result<Config> {
    Ok(Config::load(source.config.as_deref(), &config::environment())?)
}

/// A point in time (epoch ms) as RFC 3339 in UTC; the number itself outside the calendar.
fn time(millis: i64) -> String {
    match DateTime::from_timestamp_millis(millis) {
        Some(time) => time.to_rfc3339_opts(SecondsFormat::AutoSi, true),
        None => millis.to_string(),
    }
}
