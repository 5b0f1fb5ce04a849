//! `ctr-pipeline dlq`: look at dead letters, and put those back that can be counted after all.

mod judge;
mod letter;
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

/// What to do with dead letters.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// A line for each letter: when it was written, its name (topic/partition/offset/code), the event's time, what is wrong.
    /// Partition by partition, in the order of writing.
    List {
        /// Which letters.
        #[command(flatten)]
        filter: Filter,
        /// The letters themselves instead, a JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// One letter with everything that is known of it, and the record's value.
    Show {
        /// Its name as `list` gives it: topic/partition/offset/code.
        #[arg(value_name = "LETTER")]
        id: DeadLetterId,
        /// Only the record's value, byte by byte.
        #[arg(long)]
        raw: bool,
    },
    /// How many letters there are, by topic and code, and from when to when they were written.
    Stats {
        /// Which letters.
        #[command(flatten)]
        filter: Filter,
        /// A JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Put records back into their topics, to the partition they came from, then count the windows they belong to again. Says
    /// what it would do; does it with --execute. It may be stopped at any moment and run again: what it has put back is
    /// known by a header there, and is never put back twice.
    ///
    /// A record that was too late is not put back: it lies in its topic, and the recount counts it there.
    Redrive(RedriveOptions),
}

/// What to put back, and how.
#[derive(Debug, Clone, Args)]
pub struct RedriveOptions {
    /// Which letters.
    #[command(flatten)]
    pub(crate) filter: Filter,
    /// Do it.
    #[arg(long)]
    pub(crate) execute: bool,
    /// A shell command that gets a record's value on standard input and prints the mended one. The letter's name is in
    /// CTR_LETTER, its code in CTR_CODE. A record for which it fails is left as it is.
    #[arg(long, value_name = "COMMAND")]
    pub(crate) mend: Option<String>,
    /// Do not count the windows again.
    #[arg(long)]
    pub(crate) no_recount: bool,
}

/// Runs the command. False where letters or windows had to be left.
///
/// # Errors
/// [`crate::recount::NotUsable`] where topics or tables are wrong; anything else that ended it: run it again.
pub fn run(config: &Config, command: &Command) -> anyhow::Result<bool> {
    let mut reader = LogReader::new(&config.kafka)?;
    let topic = config.kafka.dlq_topic.as_str();
    let done = match command {
        Command::List { filter, json } => show::list(&mut reader, topic, filter, *json),
        Command::Show { id, raw } => show::one(&mut reader, topic, id, *raw),
        Command::Stats { filter, json } => show::stats(&mut reader, topic, filter, *json),
        Command::Redrive(options) => redrive::run(config, options),
    };
    // Whoever reads has seen enough (`dlq list | head`): that is no failure.
    let is_unread = |error: &anyhow::Error| {
        error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    };
    done.or_else(|error| if is_unread(&error) { Ok(true) } else { Err(error) })
}
