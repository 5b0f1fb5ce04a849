//! The command line.

use std::path::PathBuf;

use chrono::{DateTime, NaiveDateTime};
use clap::{Args, Parser, Subcommand};
use ctr_simulation::{Kind, Mutation};

use crate::load::Group;

/// Verifies the results of ctr-pipeline with an independent implementation.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands of the binary.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Recount the log and compare every product, window, source partition and dead letter with ClickHouse and the dead
    /// letter topic. Read-only: joins no group, and can run beside the job at any time.
    ///
    /// Exit code: 0 if everything matches, 1 if there are differences, 2 if something cannot be read.
    #[command(after_long_help = RECONCILE_HELP)]
    Reconcile(ReconcileArgs),
    /// Replay a file of events and explain the outcome of every event of one product and window: counted, late (counted
    /// after the window had fired), too late, duplicate or rejected, with the reason.
    #[command(after_long_help = WINDOWS_HELP)]
    Windows(WindowsArgs),
    /// Run the recovery protocol through simulated histories of crashes, rebalances, lost commits, truncated logs, duplicate
    /// events and clock jumps, and compare every table, dead letter and ledger with the simulated log.
    ///
    /// Exit code: 0 if all histories passed (with --mutation: if it was caught), 1 otherwise. A failure reports its seed.
    #[command(after_long_help = SIMULATE_HELP)]
    Simulate(SimulateArgs),
    /// Run the README's three queries and those of the dashboard against ClickHouse with concurrent clients, and report
    /// throughput and latencies (p50, p95, p99).
    ///
    /// Exit code: 0, or 1 if a query failed, 2 if ClickHouse does not respond.
    Load(LoadArgs),
}

const RECONCILE_HELP: &str = "\
Compared:
  every row of ctr_results_raw (product, window, source partition), the windows of ctr_windows, and every dead letter by
  topic, partition, offset and code. The expected counts follow from the log alone, by the rules in docs/delivery.md. The one
  decision that the log does not determine is a dead letter `closedEarly`: its record is taken as not counted.
  A recounted window (ctr_recounts) is compared with the larger of the two counts, and marked.

Reported but not compared:
  windows that may have records before the beginning of the log (retention), windows that the job is still counting,
  rows older than the TTL of ctr_results_raw (beyond retention), and dead letters that are only seconds old.

Examples:
  ctr-verify reconcile                                         the whole log
  ctr-verify reconcile --wait 60                               after a load: allow a minute for the last windows
  ctr-verify reconcile --from '2026-11-22 20:00:00' --to '2026-11-22 21:00:00' --json";

const WINDOWS_HELP: &str = "\
The file has one JSON object per line, in the order of reading. A record looks like this:
  {\"record\":{\"side\":\"clicks\",\"offset\":3,\"timestamp\":1700000041000,\"value\":\"{\\\"event_type\\\":\\\"click\\\",…}\"}}
`side` is impressions or clicks: the two partitions with the same number. `timestamp` is the record's Kafka timestamp in
epoch ms (or null), `value` the event as sent (or null). A separate line {\"deduplication\":\"event-id\"} makes every event
id count once. Lateness, out-of-orderness and window size come from the settings.

Example:
  ctr-verify windows --file crates/ctr-domain/tests/golden/lateness.jsonl --product shoe --window 2023-11-14T22:13:20Z";

/// Which events to explain.
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
    /// Any time within the window: RFC 3339, `YYYY-MM-DD HH:MM:SS` in UTC, or epoch ms
    #[arg(long, value_name = "TIME", value_parser = event_time)]
    pub(crate) window: i64,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

const SIMULATE_HELP: &str = "\
Kinds:
  exact       no events outside the protocol: every table must be exact
  early       windows are closed early beside a silent partition: missing counts are in dead letters `closedEarly`
  calm-early  the same with one owner that never crashes: table and dead letters add up, record by record
  disaster    logs truncated by retention, recreated topics, offsets set by a tool
  added       partitions added to the topics; a group that begins at their end
  shell       one process with several partitions, whose brokers, sinks, coordinator and clock misbehave, beside a
  second process with its name; then all of that stops, and it must complete everything by itself

Examples:
  ctr-verify simulate --histories 1666667                         ten million, all kinds
  ctr-verify simulate --kind early --seed 70487 --histories 1     repeat one history
  ctr-verify simulate --mutation high-offset                      show that a broken rule is caught";

/// Which histories to run.
#[derive(Debug, Args)]
pub(crate) struct SimulateArgs {
    /// Number of histories of each kind
    #[arg(long, value_name = "COUNT", default_value_t = 100_000)]
    pub(crate) histories: u64,
    /// The first seed; the others follow it
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Kind of history; can be repeated [default: all]
    #[arg(long, value_name = "KIND", value_parser = by_name(Kind::ALL))]
    pub(crate) kind: Vec<Kind>,
    /// Number of steps after which nothing else goes wrong, to repeat the shortest history of a failure [default: as its kind
    /// says]
    #[arg(long, value_name = "COUNT")]
    pub(crate) steps: Option<usize>,
    /// A rule to break: runs histories of the kind that must catch it until one does
    #[arg(long, value_name = "NAME", value_parser = by_name(Mutation::ALL))]
    pub(crate) mutation: Option<Mutation>,
    /// Number of threads [default: all cores]
    #[arg(long, value_name = "COUNT")]
    pub(crate) threads: Option<usize>,
}

/// Parses one of these by its displayed name.
fn by_name<T, const N: usize>(all: [T; N]) -> impl Fn(&str) -> Result<T, String> + Clone
where
    T: std::fmt::Display + Copy,
{
    move |text| {
        let names = || all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        all.into_iter().find(|known| known.to_string() == text).ok_or_else(|| format!("expected one of {}", names()))
    }
}

/// Clients and queries of the load.
#[derive(Debug, Args)]
pub(crate) struct LoadArgs {
    #[command(flatten)]
    pub(crate) source: Source,
    /// Number of concurrent clients
    #[arg(long, value_name = "COUNT", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) clients: u16,
    /// Duration of the load
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub(crate) seconds: u64,
    /// Only the queries of this group [default: all]
    #[arg(long, value_name = "GROUP")]
    pub(crate) group: Option<Group>,
    /// Only the query with this name in the report [default: all]
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
    /// Repeat the comparison for up to this long until everything matches
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub(crate) wait: u64,
    /// Number of differences to show
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    pub(crate) show: usize,
    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// The source of the settings.
#[derive(Debug, Args)]
pub(crate) struct Source {
    /// The pipeline's YAML settings file [default: config/application.yml if it exists, otherwise the built-in defaults]; the
    /// pipeline's environment variables override it
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
