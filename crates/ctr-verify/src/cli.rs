//! The command line.

use std::path::PathBuf;

use chrono::{DateTime, NaiveDateTime};
use clap::{Args, Parser, Subcommand};
use ctr_simulation::{Kind, Mutation};

use crate::load::Group;

/// Checks what ctr-pipeline has counted, with code of its own.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What can be checked.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Count the log again and compare every product, window, source partition and dead letter with ClickHouse and the
    /// dead letter topic. Reads only, joins no group, may run beside the job at any time.
    ///
    /// Exit code: 0 if all agrees, 1 at a difference, 2 if something cannot be read.
    #[command(after_long_help = RECONCILE_HELP)]
    Reconcile(ReconcileArgs),
    /// Replay a file of events and explain, for one product and window, what became of every event: counted, late (counted
    /// after the window had fired), too late, duplicate or rejected, and why.
    #[command(after_long_help = WINDOWS_HELP)]
    Windows(WindowsArgs),
    /// Drive the recovery protocol through made-up histories of crashes, rebalances, lost commits, cut logs, repeated events
    /// and clocks that jump, and hold every table, dead letter and ledger against what the made-up log says.
    ///
    /// Exit code: 0 if all held (with --mutation: if it was caught), 1 if not. A failure names its seed.
    #[command(after_long_help = SIMULATE_HELP)]
    Simulate(SimulateArgs),
    /// Ask ClickHouse the README's three queries and those of the dashboard, with many clients at once, for a time; then
    /// say throughput and latencies (p50, p95, p99).
    ///
    /// Exit code: 0, or 1 if a question was refused, 2 if ClickHouse does not answer.
    Load(LoadArgs),
}

const RECONCILE_HELP: &str = "\
What is compared:
  every row of ctr_results_raw (product, window, source partition), the windows of ctr_windows, every dead letter by
  its topic, partition, offset and code. What counts is decided as docs/delivery.md says, from the log alone. The one decision
  that the log alone does not determine is a dead letter `closedEarly`: its record is taken as not counted.
  A window that was recounted (ctr_recounts) is compared with the larger of the two counts, and marked.

What is not compared, and said:
  windows that may have records before the beginning of the log (retention), windows that are being counted while
  this runs, rows older than the TTL of ctr_results_raw (beyond retention), and letters that are seconds old.

Examples:
  ctr-verify reconcile                                         everything the log holds
  ctr-verify reconcile --wait 60                               after a load: give the job a minute for the last windows
  ctr-verify reconcile --from '2026-11-22 20:00:00' --to '2026-11-22 21:00:00' --json";

const WINDOWS_HELP: &str = "\
The file has one JSON object a line, in the order of reading; a record looks like this:
  {\"record\":{\"side\":\"clicks\",\"offset\":3,\"timestamp\":1700000041000,\"value\":\"{\\\"event_type\\\":\\\"click\\\",…}\"}}
`side` is impressions or clicks: the two partitions of one number. `timestamp` is the record's Kafka timestamp in epoch
ms (or null), `value` the event as it was sent (or null). {\"deduplication\":\"event-id\"} on a line of its own makes an
event id count once. Lateness, disorder and the length of a window are those of the settings.

Example:
  ctr-verify windows --file crates/ctr-domain/tests/golden/lateness.jsonl --product shoe --window 2023-11-14T22:13:20Z";

/// What to explain.
#[derive(Debug, Args)]
pub(crate) struct WindowsArgs {
    #[command(flatten)]
    pub(crate) source: Source,
    /// The file of events
    #[arg(long, value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The product
    #[arg(long, value_name = "ID")]
    pub(crate) product: String,
    /// Any moment in the window: RFC 3339, `YYYY-MM-DD HH:MM:SS` in UTC, or epoch ms
    #[arg(long, value_name = "TIME", value_parser = event_time)]
    pub(crate) window: i64,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

const SIMULATE_HELP: &str = "\
Kinds:
  exact       nothing outside the protocol happens: every table must be exact
  early       windows are let go beside a silent partition: what is missing is in dead letters `closedEarly`
  calm-early  the same with one owner that never dies: table and letters add up, record by record
  disaster    logs cut by retention, topics made anew, offsets set by a tool
  added       partitions added to the topics; a group that begins at their end

Examples:
  ctr-verify simulate --histories 2000000                         ten million, all kinds
  ctr-verify simulate --kind early --seed 70487 --histories 1     one history again
  ctr-verify simulate --mutation high-offset                      see a broken rule caught";

/// Which histories to run.
#[derive(Debug, Args)]
pub(crate) struct SimulateArgs {
    /// How many of each kind
    #[arg(long, value_name = "COUNT", default_value_t = 100_000)]
    pub(crate) histories: u64,
    /// The first seed; the others follow it
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    pub(crate) seed: u64,
    /// What they are made of; may be given more than once [default: all]
    #[arg(long, value_name = "KIND", value_parser = by_name(Kind::ALL))]
    pub(crate) kind: Vec<Kind>,
    /// A rule to break: the histories that must catch it are run until one does
    #[arg(long, value_name = "NAME", value_parser = by_name(Mutation::ALL))]
    pub(crate) mutation: Option<Mutation>,
    /// Threads [default: all cores]
    #[arg(long, value_name = "COUNT")]
    pub(crate) threads: Option<usize>,
}

/// Takes one of these by the name that it shows.
fn by_name<T, const N: usize>(all: [T; N]) -> impl Fn(&str) -> Result<T, String> + Clone
where
    T: std::fmt::Display + Copy,
{
    move |text| {
        let names = || all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        all.into_iter().find(|known| known.to_string() == text).ok_or_else(|| format!("expected one of {}", names()))
    }
}

/// How to ask.
#[derive(Debug, Args)]
pub(crate) struct LoadArgs {
    #[command(flatten)]
    pub(crate) source: Source,
    /// Clients that ask at once, one question after another each
    #[arg(long, value_name = "COUNT", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) clients: u16,
    /// For how long
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub(crate) seconds: u64,
    /// Only these questions [default: all]
    #[arg(long, value_name = "GROUP")]
    pub(crate) group: Option<Group>,
    /// Only the question of this name, as the report says it [default: all]
    #[arg(long, value_name = "NAME")]
    pub(crate) query: Option<String>,
    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// What to compare.
#[derive(Debug, Args)]
pub(crate) struct ReconcileArgs {
    #[command(flatten)]
    pub(crate) source: Source,
    /// Windows that begin at this event time or later: RFC 3339, `YYYY-MM-DD HH:MM:SS` in UTC, or epoch ms [default: all]
    #[arg(long, value_name = "TIME", value_parser = event_time)]
    pub(crate) from: Option<i64>,
    /// Windows that begin before this event time [default: all]
    #[arg(long, value_name = "TIME", value_parser = event_time)]
    pub(crate) to: Option<i64>,
    /// How long to compare again and again until everything agrees
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub(crate) wait: u64,
    /// How many differences to show
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    pub(crate) show: usize,
    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Where the settings are.
#[derive(Debug, Args)]
pub(crate) struct Source {
    /// The pipeline's YAML file [default: config/application.yml if that exists, else the built-in defaults]; the same
    /// environment variables override it
    #[arg(long, short, env = "CTR_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

fn event_time(text: &str) -> Result<i64, String> {
    let plain =
        || NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").map(|time| time.and_utc().timestamp_millis());
    text.parse()
        .or_else(|_| DateTime::parse_from_rfc3339(text).map(|time| time.timestamp_millis()))
        .or_else(|_| plain())
        .map_err(|_| "expected RFC 3339, `YYYY-MM-DD HH:MM:SS` in UTC, or epoch milliseconds".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn times_have_three_forms() {
        for text in ["1700000000000", "2023-11-14 22:13:20", "2023-11-14T22:13:20Z"] {
            assert_eq!(event_time(text), Ok(1_700_000_000_000));
        }
        assert!(event_time("yesterday").is_err());
    }
}
