//! `ctr-verify`: is what the tables say what the log says? Counted by code of its own, not by the pipeline's.
//!
//! In reading order: [`cli`] (what can be asked for); [`count`] (the rules, written a second time); [`reconcile`],
//! which compares; [`windows`], which explains; [`load`], which asks; [`simulate`], which makes histories up.

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

/// Something does not agree.
const DIFFERS: u8 = 1;
/// Wrong usage or settings, or something that cannot be reached: nothing was found out. As clap's own.
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
            // Nobody listening is no reason to fail otherwise.
            let _ = writeln!(io::stderr(), "ctr-verify: {error:#}");
            ExitCode::from(NOT_USABLE)
        }
    }
}

fn settings(source: &Source) -> anyhow::Result<Config> {
    Ok(Config::load(source.config.as_deref(), &config::environment())?)
}

/// A point in time (epoch ms) as RFC 3339 in UTC; beyond the calendar the number.
fn time(millis: i64) -> String {
    match DateTime::from_timestamp_millis(millis) {
        Some(time) => time.to_rfc3339_opts(SecondsFormat::AutoSi, true),
        None => millis.to_string(),
    }
}
