//! `ctr-pipeline dlq`: inspect dead letters, and redrive those whose records can still be counted.

mod judge;
pub(crate) mod letter;
mod mend;
mod redrive;
mod scan;
mod show;

use std::io;

use clap::{Args, Subcommand};
use ctr_domain::redriven::DeadLetterId;

use crate::config::Config;
use crate::source::log_reader::LogReader;
pub use scan::Filter;

/// The commands for dead letters.
#[derive(Debug, Subcommand)]
pub enum DlqCommand {
    /// List dead letters, one line each: when it was written, the event time, its ID (topic/partition/offset/code), and the
    /// reason. Ordered by partition and offset of the dead letter topic.
    List {
        /// Which dead letters.
        #[command(flatten)]
        filter: Filter,
        /// Print the dead letters themselves, one JSON object per line.
        #[arg(long)]
        json: bool,
    },
    /// Show one dead letter with all its fields and the record's value.
    Show {
        /// Its ID as printed by `list`: topic/partition/offset/code.
        #[arg(value_name = "LETTER")]
        id: DeadLetterId,
        /// Print only the record's value, unchanged.
        #[arg(long)]
        raw: bool,
    },
    /// Count dead letters by topic and code, with the times of the first and the last.
    Stats {
        /// Which dead letters.
        #[command(flatten)]
        filter: Filter,
        /// Print one JSON object per line.
        #[arg(long)]
        json: bool,
    },
    /// Copy records back to their original topic and partition, then recount the windows they belong to. Without --execute it
    /// only reports what it would do. It can be stopped at any time and run again: a header marks every copy, so no record is
    /// redriven twice.
    ///
    /// A record that was too late is not copied: it is still in its topic, and the recount includes it.
    Redrive(RedriveOptions),
}

/// Which records to redrive, and how.
#[derive(Debug, Clone, Args)]
pub struct RedriveOptions {
    /// Which dead letters.
    #[command(flatten)]
    pub(crate) filter: Filter,
    /// Redrive the records; without it, this is a dry run.
    #[arg(long)]
    pub(crate) execute: bool,
    /// A shell command that reads a record's value on standard input and prints the corrected value. CTR_LETTER holds the dead
    /// letter's ID and CTR_CODE its code. A record is skipped if the command fails for it.
    #[arg(long, value_name = "COMMAND")]
    pub(crate) mend: Option<String>,
    /// Do not recount the windows.
    #[arg(long)]
    pub(crate) no_recount: bool,
}

/// Runs the command. False if dead letters or windows were skipped.
///
/// # Errors
/// [`crate::recount::NotUsable`] if topics or tables are wrong. After any other error, run it again.
pub fn run(config: &Config, command: &DlqCommand) -> anyhow::Result<bool> {
    let mut reader = LogReader::new(&config.kafka)?;
    let topic = config.kafka.dlq_topic.as_str();
    let done = match command {
        DlqCommand::List { filter, json } => show::list(&mut reader, topic, filter, *json),
        DlqCommand::Show { id, raw } => show::one(&mut reader, topic, id, *raw),
        DlqCommand::Stats { filter, json } => show::stats(&mut reader, topic, filter, *json),
        DlqCommand::Redrive(options) => redrive::run(config, options),
    };
    // The reader of the output closed it (`dlq list | head`): not a failure.
    let is_unread = |error: &anyhow::Error| {
        error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    };
    done.or_else(|error| if is_unread(&error) { Ok(true) } else { Err(error) })
}
