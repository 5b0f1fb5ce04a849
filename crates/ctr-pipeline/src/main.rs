//! The `ctr-pipeline` binary: reads the settings, runs the command, and reports the outcome in the exit code.

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};
use ctr_pipeline::cli::{Cli, Command, Source};
use ctr_pipeline::config::{self, Config};
use ctr_pipeline::sink::clickhouse::ClickHouse;
use ctr_pipeline::{check, descriptors, dlq, job, logging, probe, recount};

/// The job failed, or is not ready.
const FAILED: u8 = 1;
/// Settings, topics or tables are wrong: a restart does not help.
const NOT_USABLE: u8 = 2;
/// Part of the request was refused and listed; the rest was done.
const REFUSED: u8 = 3;

fn main() -> ExitCode {
    #[cfg(feature = "crash-points")]
    ctr_pipeline::crash_point::arm();
    match Cli::parse().command {
        Command::Run(source) => with_config(&source, run),
        Command::Check(source) => with_config(&source, run_check),
        Command::Config(source) => with_config(&source, |config| print(config::commented::in_force(config).as_bytes())),
        Command::Probe { source, live } => with_config(&source, |config| run_probe(config, live)),
        Command::Recount { source, options } => {
            with_config(&source, |config| end_of_repair(recount::run(config, &options)))
        }
        Command::Dlq { source, command } => with_config(&source, |config| end_of_repair(dlq::run(config, &command))),
        Command::Completions { shell } => print(&completions(shell)),
        Command::Man { folder } => write_man_pages(&folder),
    }
}

fn with_config(source: &Source, act: impl FnOnce(&Config) -> ExitCode) -> ExitCode {
    match Config::load(source.config.as_deref(), &config::environment()) {
        Ok(config) => act(&config),
        Err(errors) => {
            complain(&errors.to_string());
            ExitCode::from(NOT_USABLE)
        }
    }
}

fn run(config: &Config) -> ExitCode {
    // Dropped last, so that every line is flushed.
    let _guard = match logging::start(&config.logging) {
        Ok(guard) => guard,
        Err(error) => {
            complain(&format!("{error:#}"));
            return ExitCode::from(NOT_USABLE);
        }
    };
    descriptors::raise_limit();
    let file = config.file.as_ref().map_or_else(|| "none".to_owned(), |file| file.display().to_string());
    tracing::info!(version = env!("CARGO_PKG_VERSION"), file, instance_id = config.job.instance_id, "starting");
    for notice in &config.notices {
        tracing::warn!("{notice}");
    }
    for row in config.describe() {
        tracing::debug!(key = row.key, value = row.value, origin = ?row.origin, "setting");
    }
    match job::run(config) {
        Ok(()) => {
            tracing::info!("stopped");
            ExitCode::SUCCESS
        }
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::from(if job::needs_a_person(&error) { NOT_USABLE } else { FAILED })
        }
    }
}

fn run_check(config: &Config) -> ExitCode {
    let Ok(runtime) = tokio::runtime::Runtime::new() else { return ExitCode::from(FAILED) };
    let file = config.file.as_ref().map_or_else(|| "built-in defaults".to_owned(), |file| file.display().to_string());
    say(&format!("ok       settings: {file}"));
    for notice in &config.notices {
        say(&format!("note     {notice}"));
    }
    let findings = runtime.block_on(async {
        let mut findings = check::kafka(&config.kafka).await;
        findings.extend(check::clickhouse(&config.clickhouse, &ClickHouse::new(&config.clickhouse)).await);
        findings
    });
    for finding in &findings {
        say(&finding.to_string());
    }
    let bad = findings.iter().any(|finding| finding.is_wrong() || finding.is_unreachable());
    ExitCode::from(if bad { NOT_USABLE } else { 0 })
}

fn run_probe(config: &Config, live: bool) -> ExitCode {
    match probe::ask(&config.status, if live { "/healthz" } else { "/readyz" }) {
        Ok(answer) => {
            say(&answer);
            ExitCode::SUCCESS
        }
        Err(error) => {
            complain(&format!("{error:#}"));
            ExitCode::from(FAILED)
        }
    }
}

/// The exit code of a repair command: whether everything was done, or why it failed.
fn end_of_repair(ended: anyhow::Result<bool>) -> ExitCode {
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(REFUSED),
        Err(error) => {
            complain(&format!("{error:#}"));
            ExitCode::from(if error.is::<recount::NotUsable>() { NOT_USABLE } else { FAILED })
        }
    }
}

fn completions(shell: clap_complete::Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "ctr-pipeline", &mut script);
    script
}

fn write_man_pages(folder: &Path) -> ExitCode {
    match clap_mangen::generate_to(Cli::command(), folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("{}: {error}", folder.display()));
            ExitCode::from(FAILED)
        }
    }
}

/// Prints output for another program. An incomplete write must fail, so that partial output does not pass for complete output.
fn print(text: &[u8]) -> ExitCode {
    let mut output = io::stdout();
    match output.write_all(text).and_then(|()| output.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("cannot write to standard output: {error}"));
            ExitCode::from(FAILED)
        }
    }
}

/// Prints a line on standard output. A closed pipe is not an error.
fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// Prints a line on standard error.
fn complain(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
